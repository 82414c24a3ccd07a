"""Changes during a catch-up: whatever happens meanwhile, in the end a client that was sent messages
has each of them as it is, and heard of no change twice."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatd.chat.queue import Gap
from chatd.chat.records import Change, Message, MessageEdited
from chatd.service import catch_up as catch_up_module
from chatd.service import timeline as timeline_module
from chatd.service.catch_up import Stand
from chatd.service.local_publisher import LocalPublisher
from tests.service.test_catch_up import RENDERER, Scene, TrailingLog, gaps_of
from tests.store.logs import ROOM, deleted, edited, reacted

STEPS = ["store", "change", "change", "publish", "publish", "read", "stop taking", "take"]
steps = st.lists(st.sampled_from(STEPS) | st.integers(0, 9), max_size=40)


class ChangingLog(TrailingLog):
    """Its messages are as of their newest change when it is asked."""

    def __init__(self) -> None:
        super().__init__(most=99)
        self.changed: list[Change] = []

    async def changes(
        self, connection_id: str, after_rev: int, up_to_rev: int
    ) -> tuple[Change, ...]:
        found = tuple(one for one in self.changed if after_rev < one.rev <= up_to_rev)
        await self.turns.acquire()
        return found


class ChangingScene(Scene):
    """A room whose messages are changed; a number picks the one that the next change is of."""

    log: ChangingLog

    def __init__(self, stored: int, *, is_weighty: bool = False) -> None:
        super().__init__(0, is_weighty=is_weighty)
        self.log = ChangingLog()
        self.timelines._log = self.catch_up._log = self.log
        self.publisher = LocalPublisher(self.timelines, self.adapter)
        self.waiting: deque[Message | Change] = deque()
        self.picked = 0
        for _ in range(stored):
            self.log.store()
        self.timelines._last_seqs[ROOM] = self.joined = stored
        self.client.begin_catching_up(ROOM, stored)

    async def act(self, step: str | int) -> None:
        match step:
            case int():
                self.picked = step
            case "store":
                self.log.store()
                self.waiting.append(self.log.stored[-1])
            case "change" if self.log.stored:
                self.change()
            case "publish":
                if self.waiting:
                    self.publish(self.waiting.popleft())
            case _:
                await super().act(str(step))
        await super().act("")

    def change(self) -> None:
        at = self.picked % len(self.log.stored)
        one, rev = self.log.stored[at], len(self.log.changed) + 1
        if one.is_deleted:
            return
        made: Change
        match rev % 5:
            case 0:
                made = deleted(one, rev)
            case 1 | 2:
                made = edited(one, f"text {rev}", rev)
            case _:
                made = reacted(one, rev, user_id=f"user {rev}")
        self.log.stored[at] = made.message
        self.log.changed.append(made)
        self.waiting.append(made)

    def publish(self, one: Message | Change) -> None:
        if isinstance(one, Message):
            self.publisher.publish(one)
        else:
            self.publisher.publish_change(one)

    async def run(self, stand: Stand, script: Sequence[str | int]) -> None:  # type: ignore[override]
        publish_all = ["publish"] * (len(script) + 20)
        await super().run(stand, [*script, "take", *publish_all])  # type: ignore[list-item]
        while self.waiting:
            await self.act("publish")
        self.session.flush()

    def shown(self) -> dict[int, Any]:
        """The messages as a client has them that keeps to the revs."""
        shown: dict[int, Any] = {}
        heard: list[int] = []
        for name, payload in self.session.told:
            match name:
                case "chat:history":
                    for one in payload["messages"]:
                        keep_newer(shown, one)
                case "chat:message":
                    keep_newer(shown, payload)
                case "chat:message:edited" | "chat:message:deleted" | "chat:message:reaction":
                    heard.append(payload["rev"])
                    apply(shown, name, payload)
        assert heard == sorted(set(heard)), "in order, and once"
        return shown


def keep_newer(shown: dict[int, Any], message: dict[str, Any]) -> None:
    message.pop("replay", None)
    known = shown.get(message["seq"])
    if known is None or known.get("rev", 0) < message.get("rev", 0):
        shown[message["seq"]] = message


def apply(shown: dict[int, Any], name: str, change: dict[str, Any]) -> None:
    known = shown.get(change["seq"])
    if known is None or known.get("rev", 0) >= change["rev"]:
        return
    known["rev"] = change["rev"]
    if name.endswith("edited"):
        known |= {"content": change["content"], "editedAt": change["editedAt"]}
    elif name.endswith("deleted"):
        for gone in ("reactions", "editedAt"):
            known.pop(gone, None)
        known |= {"content": "", "deletedAt": change["deletedAt"]}
    else:
        assert change["on"]
        reactions = known.setdefault("reactions", [])
        users = next((it["users"] for it in reactions if it["emoji"] == change["emoji"]), None)
        if users is None:
            users = []
            reactions.append({"emoji": change["emoji"], "users": users})
        users.append(change["userId"])


def check(scene: ChangingScene, since: int = 0) -> None:
    shown = scene.shown()
    for seq, one in shown.items():
        assert one == orjson.loads(RENDERER(scene.log.stored[seq - 1])), seq
    assert shown.keys() >= set(range(since + 1, len(scene.log.stored) + 1)[-scene.recent :])


@example(stored=6, script=["read", 5, "change", "publish", "read"])
@example(stored=6, script=["read", 5, *["change", "publish"] * 4, "store", "publish", "read"])
@given(stored=st.integers(0, 9), script=steps)
async def test_who_gets_the_last_ones_has_them_as_they_are(
    stored: int, script: list[str | int]
) -> None:
    scene = ChangingScene(stored)
    await scene.run(Stand(owed=gaps_of({1, 2}) if stored > 1 else ()), script)
    check(scene)


@example(stored=9, since=1, script=["read", "read", 2, "change", "publish", "read"])
@given(stored=st.integers(1, 12), since=st.integers(0, 12), script=steps)
async def test_who_gets_pages_has_them_as_they_are(
    stored: int, since: int, script: list[str | int]
) -> None:
    scene = ChangingScene(stored)
    await scene.run(Stand(min(since, stored), owed=(Gap(1, 1, 0),)), script)
    check(scene, min(since, stored))


@example(stored=6, since=0, script=["read", "read", 2, *["change", "publish"] * 4, "read", "read"])
@given(stored=st.integers(1, 9), since=st.none() | st.just(0), script=steps)
async def test_changes_that_do_not_lie_in_memory_any_more_are_read(
    stored: int, since: int | None, script: list[str | int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timeline_module, "CHANGES_KEPT", 1)
        patch.setattr(catch_up_module, "REPLAY_MESSAGES", 2)
        scene = ChangingScene(stored, is_weighty=True)
        await scene.run(Stand(since), script)
    check(scene)


async def test_a_history_says_as_of_which_rev_it_is() -> None:
    scene = ChangingScene(4)
    for step in ("change", "publish", "change", "publish"):
        await scene.act(step)
    await scene.run(Stand(0), ["read", "change", "publish"])
    assert [page["lastRev"] for page in scene.of("chat:history")] == [2]
    edits = [one for one in scene.log.changed if isinstance(one, MessageEdited)]
    assert [it["rev"] for it in scene.of("chat:message:edited")] == [
        one.rev for one in edits if one.rev > 2
    ]

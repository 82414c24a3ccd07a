"""Catch-up by itself: whatever happens meanwhile, each seq comes once and in order.

The log is a list whose answers are held back, and are as old as the question; publishing trails
behind it, as it does after a commit. The socket stops taking and goes on as the script says.
"""

from collections.abc import Sequence
from typing import Any

import attrs
import orjson
import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from chatd.auth import Identity
from chatd.chat.markup import keep
from chatd.chat.queue import Gap
from chatd.chat.records import Message
from chatd.chat.rendering import Renderer
from chatd.engine.flusher import OWED_NOTHING, Flusher
from chatd.engine.outgoing import Outgoing
from chatd.service.catch_up import PAGE_BYTES, CatchUp, Stand
from chatd.service.client import Client
from chatd.service.timeline import RECENT_BYTES, Timelines
from chatd.sockets.adapter import NAMESPACE
from chatd.sockets.emitter import rendered_packet
from chatd.sockets.local_adapter import LocalAdapter
from chatd.sockets.socket import Socket
from chatd.store import Page
from chatd.wire.names import ServerEvent
from tests.store.logs import ROOM, message

RECENT, PAGE = 2, 5  # a page may hold what was not published yet

RENDERER = Renderer(keep, lambda _: False)


class TrailingLog:
    """Answers when it is let, with what it held when it was asked."""

    def __init__(self, most: int) -> None:
        self.most = most  # messages that a page holds, whatever it is asked for
        self.stored: list[Message] = []
        self.turns = trio.Semaphore(0)

    def store(self) -> None:
        self.stored.append(message(len(self.stored) + 1))

    async def page(
        self,
        connection_id: str,
        *,
        before: int | None,
        after: int | None,
        limit: int,
        thread_id: str | None,
        answer_rows: int | None = None,
    ) -> Page:
        assert thread_id is None
        limit = min(limit, self.most)
        if after is None:
            assert before is not None
            older = self.stored[: before - 1]
            return await self._answer(older[-limit:], has_more=len(older) > limit)
        newer = self.stored[after:]
        return await self._answer(newer[:limit], has_more=len(newer) > limit)

    async def owed(
        self,
        connection_id: str,
        gaps: Sequence[Gap],
        after_seq: int,
        limit: int,
        answer_rows: int | None,
    ) -> tuple[tuple[Message, bool], ...]:
        wanted = [seq for gap in gaps for seq in range(gap.first, gap.last + 1) if seq > after_seq]
        owed = [self.stored[seq - 1] for seq in wanted[: min(limit, self.most)]]
        page = await self._answer(owed, has_more=False)
        return tuple((one, False) for one in page.messages)

    async def _answer(self, messages: list[Message], *, has_more: bool) -> Page:
        page = Page(tuple(messages), has_more, min(1, len(self.stored)), len(self.stored))
        await self.turns.acquire()
        return page


class Taker:
    """A session, and its transport, of which the test says when it takes something."""

    def __init__(self) -> None:
        self.transport = self
        self.pending: list[Outgoing] = []
        self.owed = OWED_NOTHING
        self.is_over = False
        self.told: list[tuple[str, Any]] = []
        self.taking = trio.Event()
        self.taking.set()

    def send(self, outgoing: Outgoing) -> None:
        self.pending.append(outgoing)

    def send_catch_up(self, outgoing: Outgoing) -> None:
        self.send(outgoing)

    def flush(self) -> None:
        for outgoing in self.pending:
            name, payload = orjson.loads(outgoing.text[2:])
            self.told.append((name, payload))
        self.pending.clear()

    async def drained(self) -> None:
        await self.taking.wait()


class Shown:
    """Presence, typing or answers: only that they were shown, and when."""

    def __init__(self, name: str) -> None:
        self._name = name

    def enter(self, client: Any, connection_id: str) -> None:
        client.send_catch_up(Outgoing(b"42" + orjson.dumps([self._name, None])))


def client_of(session: Any) -> Client:
    """A client of this session, in no room; nothing here asks what it may do or send."""
    nothing: Any = None
    socket = Socket(session, NAMESPACE, "socket")
    return Client(socket, Identity("ada", None, 2**60, {}), {}, nothing, nothing)


class Scene:
    """A room, and a socket that enters it; `joined` is the last seq at the moment of the join."""

    def __init__(
        self, stored: int, *, most: int = 99, is_weighty: bool = False, page_bytes: int = PAGE_BYTES
    ) -> None:
        """`most`: messages that a page of the log holds; weighty ones lie in memory singly."""
        self.recent = 1 if is_weighty else RECENT
        self.log = TrailingLog(most)
        for _ in range(stored):
            self.log.store()
        self.joined = stored
        self.adapter = LocalAdapter(Flusher())
        self.timelines = Timelines(
            {ROOM: stored} if stored else {},
            self.log,
            RENDERER,
            recent_max=RECENT,
            recent_bytes_max=1 if is_weighty else RECENT_BYTES,
        )
        self.catch_up = CatchUp(
            self.timelines,
            self.adapter,
            self.log,
            Shown("presence"),
            Shown("typing"),
            Shown("answers"),
            RENDERER,
            history_page=PAGE,
            page_bytes=page_bytes,
        )
        self.session = Taker()
        self.client = client_of(self.session)
        self.client.begin_catching_up(ROOM, self.joined)

    async def act(self, step: str) -> None:
        match step:
            case "store":
                self.log.store()
            case "publish" if self.timelines.last_seq(ROOM) < len(self.log.stored):
                one = self.log.stored[self.timelines.last_seq(ROOM)]
                body = self.timelines.render(one)
                self.timelines.publish(one, body)
                self.adapter.broadcast(
                    NAMESPACE, ROOM, rendered_packet(ServerEvent.CHAT_MESSAGE, body)
                )
            case "read":
                self.log.turns.release()
            case "stop taking" if self.session.taking.is_set():
                self.session.taking = trio.Event()
            case "take":
                self.session.taking.set()
            case "go":
                self.session.is_over = True
            case "leave" if ROOM in self.client.rooms:
                self.client.leave(ROOM)
        await wait_all_tasks_blocked()

    async def run(self, stand: Stand, script: Sequence[str]) -> None:
        self.timelines.hold(ROOM)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.catch_up.run, self.client, ROOM, stand)
            await wait_all_tasks_blocked()
            for step in script:
                await self.act(step)
            await self.act("take")
            for _ in range(len(self.log.stored)):
                await self.act("publish")
            while nursery.child_tasks:
                await self.act("read")
        self.session.flush()

    def of(self, name: str) -> list[Any]:
        return [payload for told, payload in self.session.told if told == name]


def gaps_of(seqs: set[int]) -> tuple[Gap, ...]:
    gaps: list[Gap] = []
    for seq in sorted(seqs):
        if gaps and gaps[-1].last == seq - 1:
            gaps[-1] = attrs.evolve(gaps[-1], last=seq)
        else:
            gaps.append(Gap(seq, seq, 0))
    return tuple(gaps)


def seqs(messages: Sequence[dict[str, Any]]) -> list[int]:
    return [one["seq"] for one in messages]


steps = st.lists(
    st.sampled_from(["store", "publish", "publish", "read", "stop taking", "take"]), max_size=40
)
stored = st.integers(0, 14)
WHILE_IT_IS_READ = ["store", "publish"] * 5


def entered(scene: Scene) -> list[str]:
    """The names of what was told, in order; the live stream aside."""
    names = [name for name, _ in scene.session.told]
    at = names.index("typing")
    assert names[at + 1] == "answers"
    assert all(name == "chat:message" for name in names[at + 2 :])
    return names[:at]


@given(stored=stored, script=steps, before=steps, data=st.data())
async def test_without_since_the_last_ones_come_then_what_they_did_not_carry_then_the_live_ones(
    stored: int, script: list[str], before: list[str], data: st.DataObject
) -> None:
    scene = Scene(stored)
    owed = data.draw(st.sets(st.integers(1, stored))) if stored else set()
    for step in before:  # between the answer to the join and its turn
        await scene.act(step)
    scene.session.taking.set()
    await check_last_ones(scene, owed, script)


async def check_last_ones(scene: Scene, owed: set[int], script: list[str]) -> None:
    await scene.run(Stand(owed=gaps_of(owed)), script)
    [history] = scene.of("chat:history")
    carried = seqs(history["messages"])
    replayed = seqs([one for one in scene.of("chat:message") if one.get("replay")])
    live = seqs([one for one in scene.of("chat:message") if not one.get("replay")])
    last = len(scene.log.stored)
    head = history["lastSeq"]
    assert carried == list(range(max(1, head - scene.recent + 1), head + 1))
    assert history["hasMore"] is (carried[:1] > [1])
    since_the_join = set(range(scene.joined + 1, last + 1))
    assert replayed == [seq for seq in sorted(owed | since_the_join) if seq < (carried or [1])[0]]
    assert live == list(range(head + 1, last + 1))
    assert entered(scene)[:2] == ["presence", "chat:history"]
    assert "reset" not in history


async def test_what_falls_out_of_the_history_between_join_and_catch_up_is_not_missing() -> None:
    scene = Scene(2)
    await check_last_ones(scene, {1}, ["stop taking", *WHILE_IT_IS_READ])


@given(stored=stored, script=steps, data=st.data())
async def test_with_since_everything_behind_it_comes_in_pages_and_then_live(
    stored: int, script: list[str], data: st.DataObject
) -> None:
    scene = Scene(stored)
    since = data.draw(st.integers(0, stored))
    owed = data.draw(st.sets(st.integers(1, stored))) if stored else set()
    await check_pages(scene, since, owed, script)


async def check_pages(scene: Scene, since: int, owed: set[int], script: list[str]) -> None:
    await scene.run(Stand(since, owed=gaps_of(owed), fallen=(1, 1)), script)
    pages = scene.of("chat:history")
    carried = [seq for page in pages for seq in seqs(page["messages"])]
    replayed = seqs([one for one in scene.of("chat:message") if one.get("replay")])
    live = seqs([one for one in scene.of("chat:message") if not one.get("replay")])
    assert carried + live == list(range(since + 1, len(scene.log.stored) + 1))
    assert replayed == [seq for seq in sorted(owed) if seq <= since]
    assert [page["hasMore"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert pages[-1]["lastSeq"] == (carried or [since])[-1]
    assert all(len(page["messages"]) <= PAGE for page in pages)
    assert all(page["messages"] for page in pages[:-1])
    assert not any("reset" in page for page in pages)
    expected = ["presence", *["chat:history"] * len(pages), "queue:overflow"]
    assert entered(scene)[: len(expected)] == expected


async def test_a_room_that_retention_emptied_meanwhile_is_not_read_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the log has is not published yet, and what was published it has not any more."""
    scene = Scene(3)
    for _ in range(2):
        scene.log.store()
    reads: list[int | None] = []

    async def page(_room: str, *, after: int | None, **_: Any) -> Page:
        reads.append(after)
        await trio.lowlevel.checkpoint()
        if after is None:
            return Page(tuple(scene.log.stored[1:3]), True, 1, 3)
        scene.timelines.forget(ROOM, 4)
        return Page(tuple(scene.log.stored[3:]), False, 4, 5)

    monkeypatch.setattr(scene.log, "page", page)
    with trio.fail_after(30):
        await scene.run(Stand(0), [])
    assert reads == [None, 0]
    assert [one["messages"] for one in scene.of("chat:history")] == [[]]
    assert seqs(scene.of("chat:message")) == [4, 5]


@example(stored=9, script=["read", "read"])
@given(stored=stored, script=steps)
async def test_pages_are_cut_by_their_size_too(stored: int, script: list[str]) -> None:
    await check_pages(Scene(stored, page_bytes=1), 0, set(), script)


@given(stored=stored, most=st.integers(1, 3), since=st.none() | st.just(0), script=steps)
async def test_messages_of_many_bytes_come_on_more_pages_and_none_is_missing(
    stored: int, most: int, since: int | None, script: list[str]
) -> None:
    scene = Scene(stored, most=most, is_weighty=True)
    if since is None:
        await check_last_ones(scene, set(range(1, stored + 1)), script)
    else:
        await check_pages(scene, since, set(), script)


@given(stored=stored, since=st.none() | st.just(0), script=steps)
async def test_a_second_join_gives_the_room_once_more_without_a_hole(
    stored: int, since: int | None, script: list[str]
) -> None:
    scene = Scene(stored)
    scene.client.end_catching_up(ROOM)
    scene.adapter.join(scene.client.socket, ROOM)
    await scene.run(Stand(since), script)
    at = [name for name, _ in scene.session.told].index("presence")
    before = [payload["seq"] for _, payload in scene.session.told[:at]]
    pages = [seqs(page["messages"]) for page in scene.of("chat:history")]
    after = [seq for page in pages for seq in page] + seqs(scene.of("chat:message"))[len(before) :]
    last = len(scene.log.stored)
    assert before == list(range(stored + 1, stored + 1 + len(before)))
    first = min(after, default=last + 1)
    assert first == (1 if since == 0 else min(first, stored + len(before) + 1))
    assert after == list(range(first, last + 1))


@pytest.mark.parametrize("stand", [Stand(3), Stand(1, is_other_log=True)], ids=str)
async def test_who_is_ahead_or_of_another_log_is_told_to_start_over(stand: Stand) -> None:
    scene = Scene(2)
    await scene.run(stand, [])
    [history] = scene.of("chat:history")
    assert (seqs(history["messages"]), history["reset"]) == ([1, 2], True)


@given(
    stored=stored,
    since=st.none() | st.just(0),
    script=steps,
    end=st.sampled_from(["go", "leave"]),
    rest=steps,
)
async def test_who_goes_in_the_middle_is_in_no_room(
    stored: int, since: int | None, script: list[str], end: str, rest: list[str]
) -> None:
    scene = Scene(stored)
    owed = gaps_of(set(range(1, stored + 1)))
    scene.timelines.hold(ROOM)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.catch_up.run, scene.client, ROOM, Stand(since, owed=owed))
        await wait_all_tasks_blocked()
        for step in script:
            await scene.act(step)
        was_in = scene.client.catching_up_from(ROOM) is None
        await scene.act(end)
        for step in [*rest, "take"]:
            await scene.act(step)
        while nursery.child_tasks:
            await scene.act("read")
    assert bool(scene.adapter.sockets(NAMESPACE, ROOM)) is was_in

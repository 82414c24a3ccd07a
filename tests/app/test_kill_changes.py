"""SIGKILL in the middle of a flood of edits, reactions and deletions.

What was acknowledged is there: each message is as its author's last word says, or as the one that
was under way; the revs of a room are dense; whoever comes back gets by `changedAfter` what is
different from what it had. The moment of the kill is drawn from the number of the round.
"""

import random
import uuid
from typing import Any

import attrs
import trio

from tests.app.client import Client, Gone, message, token_for
from tests.app.daemon import NO_LIMITS, House

SECRET = "a secret for the tests, of more than 32 bytes"
ROOM = "one"
CLIENTS = 3
LANES = 5  # messages of each client that are changed at once
FLOOD_S = 120.0  # only what hangs takes so long
THUMB = "\N{THUMBS UP SIGN}"
CHANGES = ("chat:message:edited", "chat:message:deleted", "chat:message:reaction")


@attrs.define
class Lane:
    """A message, its author, and what becomes of it, one change after the other."""

    author: str
    place: dict[str, str] = attrs.field(factory=dict)
    first: str = ""
    content: str = ""
    is_liked: bool = False
    is_deleted: bool = False
    under_way: tuple[str, dict[str, Any]] | None = None

    async def open(self, client: Client) -> None:
        """Store another message in the place of the last one."""
        self.first = self.content = f"{self.author} begins"
        self.is_liked = self.is_deleted = False
        written = message(self.first, ROOM, str(uuid.uuid4()))
        assert (await client.ask("chat:message", written))["ok"]
        self.place = {"messageId": written["messageId"], "connectionId": ROOM}

    def next(self, chance: random.Random, count: int) -> tuple[str, dict[str, Any]]:
        match chance.randint(0, 9):
            case 0:
                return "chat:message:delete", self.place
            case 1 | 2 | 3:
                like = {"emoji": THUMB, "on": not self.is_liked}
                return "chat:message:react", {**self.place, **like}
            case _:
                return "chat:message:edit", {**self.place, "content": f"text {count}"}

    def keep(self, event: str, payload: dict[str, Any]) -> None:
        match event:
            case "chat:message:edit":
                self.content = payload["content"]
            case "chat:message:react":
                self.is_liked = payload["on"]
            case _:
                self.content, self.is_liked, self.is_deleted = "", False, True

    def is_as_shown(self, shown: dict[str, Any]) -> bool:
        return (shown["content"], "reactions" in shown, "deletedAt" in shown) == (
            self.content,
            self.is_liked,
            self.is_deleted,
        )


class Flood:
    """Lanes that change as fast as acks come."""

    def __init__(self, seed: int, last_rev: int) -> None:
        self.chance = random.Random(seed)
        self.acked: set[int] = set(range(1, last_rev + 1))
        self.count = 0
        self._news = trio.lowlevel.ParkingLot()

    async def run(self, client: Client, lane: Lane) -> None:
        while True:
            if lane.is_deleted:
                return
            event, payload = lane.next(self.chance, self.count)
            lane.under_way = (event, payload)
            try:
                ack = await client.ask(event, payload)
            except Gone:
                return
            lane.under_way = None
            assert ack["ok"], ack
            assert "duplicate" not in ack
            assert ack["rev"] not in self.acked
            self.acked.add(ack["rev"])
            lane.keep(event, payload)
            self.count += 1
            self._news.unpark_all()

    async def reached(self, count: int) -> None:
        with trio.move_on_after(2):  # lanes end, and all of them may have
            while self.count < count:
                await self._news.park()


async def all_changed(client: Client, after: int) -> tuple[list[dict[str, Any]], int]:
    """What was changed after a rev, page by page; and the newest rev."""
    found: list[dict[str, Any]] = []
    while True:
        since = found[-1]["rev"] if found else after
        wanted = {"connectionId": ROOM, "changedAfter": since, "limit": 7}
        page = await client.ask("chat:history:get", wanted)
        assert page["ok"], page
        found += page["messages"]
        if not page["hasMore"]:
            return found, page["lastRev"]


async def test_a_kill_in_the_middle_of_changes_loses_none_that_was_acknowledged(
    house: House, nursery: trio.Nursery, kill_rounds: int
) -> None:
    env = {**NO_LIMITS, "CHATD_AUTH__JWT_SECRET": SECRET}
    daemon = await house.start(env=env)
    lanes = [Lane(f"user-{number}") for number in range(CLIENTS) for _ in range(LANES)]
    last_rev = 0
    for number in range(kill_rounds):
        chance = random.Random(number)
        flood = Flood(number, last_rev)
        with trio.fail_after(FLOOD_S):
            async with trio.open_nursery() as flooding:
                witness = await Client.connect(
                    flooding, daemon.port, token_for(SECRET, "witness", [ROOM])
                )
                await witness.caught_up([ROOM])
                for user in sorted({lane.author for lane in lanes}):
                    client = await Client.connect(
                        flooding, daemon.port, token_for(SECRET, user, [ROOM])
                    )
                    for lane in lanes:
                        if lane.author == user:
                            await lane.open(client)
                            flooding.start_soon(flood.run, client, lane)
                await flood.reached(chance.randint(1, 300))
                await trio.sleep(chance.random() / 100)  # the moment itself, not a wait
                await daemon.kill()
                await witness.gone()
                flooding.cancel_scope.cancel()
        heard = [it["rev"] for name, it in witness.heard if name in CHANGES]
        assert heard == list(range(last_rev + 1, last_rev + 1 + len(heard))), "in order, no hole"

        daemon = await house.start(env=env)
        reader = await Client.connect(nursery, daemon.port, token_for(SECRET, "reader", [ROOM]))
        [standing] = (await reader.hear("connection:status"))["rooms"]
        changed, now_rev = await all_changed(reader, last_rev)
        open_ended = sum(lane.under_way is not None for lane in lanes)
        assert standing["lastRev"] == now_rev
        assert len(flood.acked) <= now_rev <= len(flood.acked) + open_ended, "dense"
        assert max(flood.acked | set(heard) | {0}) <= now_rev
        revs = [one["rev"] for one in changed]
        assert revs == sorted(set(revs))
        whole = {one["messageId"]: one for one in await reader.whole_room(ROOM)}
        assert all(whole[one["messageId"]] == one for one in changed)
        assert {one["messageId"] for one in whole.values() if one.get("rev", 0) > last_rev} == {
            one["messageId"] for one in changed
        }
        for lane in lanes:
            await settle(nursery, daemon.port, lane, whole[lane.place["messageId"]])
        _, last_rev = await all_changed(reader, now_rev)
        await reader.close()
    await daemon.stop()
    verified = await house.run("store", "verify", env=env)
    assert verified.code == 0, verified


async def settle(nursery: trio.Nursery, port: int, lane: Lane, shown: dict[str, Any]) -> None:
    """What was under way was kept or not; asked for again, it is, once."""
    if lane.under_way is None:
        assert lane.is_as_shown(shown), (lane, shown)
        return
    event, payload = lane.under_way
    is_kept = not lane.is_as_shown(shown)
    lane.keep(event, payload)
    assert lane.is_as_shown(shown) is is_kept
    client = await Client.connect(nursery, port, token_for(SECRET, lane.author, [ROOM]))
    again = await client.ask(event, payload)
    assert (again["ok"], again.get("duplicate", False)) == (True, is_kept)
    sent = {**lane.place, "content": lane.first}
    repeated = await client.ask("chat:message", sent)
    assert repeated["duplicate"], "by what was first written"
    await client.close()
    lane.under_way = None

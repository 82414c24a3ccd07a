"""Copies of what other nodes tell equal what they have, whatever the bus does to it."""

from random import Random
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from chatd.chat.shared_clock import AHEAD_MAX_MS, SharedClock
from chatd.service.nodes_alive import SILENCE_S
from chatd.service.signals import PIECE_BYTES
from chatd.service.slices import HEADS_EVERY, Slices
from tests.bus.memory_bus import Wire
from tests.rows import rows
from tests.service.cluster import Node, made_node, running, troubled

ROOMS = ("sales", "stock", "support")


class Numbers:
    """Values are numbers."""

    def write(self, value: int) -> object:
        return value

    def read(self, written: Any) -> int:
        return int(written)


@attrs.define(eq=False)
class Teller:
    """A node with slices, and what it has learned of those of others."""

    node: Node
    known: dict[tuple[str, str, str], int] = attrs.field(factory=dict)
    slices: Slices[int] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        of = self.node
        self.slices = Slices(
            "number", of.signals, of.nodes, of.shared, of.clock, Numbers(), self.learned
        )

    def learned(self, node: str, name: str, key: str, value: int, *, is_there: bool) -> None:
        if is_there:
            assert self.known.get((node, name, key)) != value
            self.known[node, name, key] = value
        else:
            del self.known[node, name, key]

    def put(self, name: str, key: str, value: int) -> None:
        self.slices.put(name, key, value)
        self.slices.tell()

    def drop(self, name: str, key: str) -> None:
        self.slices.drop(name, key, 0)
        self.slices.tell()


def tellers(*names: str) -> tuple[Wire, list[Teller]]:
    wire = Wire()
    return wire, [Teller(made_node(wire, name, 1_000 * at)) for at, name in enumerate(names)]


def agree(*tellers: Teller) -> bool:
    """Whether each knows what the others have, of the rooms that it holds."""
    return all(
        one.known
        == {
            (other.node.name, name, key): value
            for other in tellers
            if other is not one
            for name in ("", *one.node.signals.rooms)
            for key, value in other.slices.own(name).items()
        }
        for one in tellers
    )


async def test_who_begins_to_hold_a_room_gets_it_and_then_what_changes(
    autojump_clock: MockClock,
) -> None:
    _, (a, b) = tellers("a", "b")
    async with running(a.node, b.node):
        await a.node.signals.hold("sales")
        a.put("sales", "ann", 1)
        await b.node.signals.hold("sales")
        assert b.known == {("a", "sales", "ann"): 1}
        a.put("sales", "ben", 2)
        a.put("sales", "ann", 3)
        assert b.known == {("a", "sales", "ann"): 3, ("a", "sales", "ben"): 2}
        a.drop("sales", "ann")
        a.drop("sales", "ben")
        assert b.known == {}
        a.put("sales", "ann", 4)
        assert b.known == {("a", "sales", "ann"): 4}
        b.node.signals.release("sales")
        assert b.known == {}


async def test_what_got_lost_is_asked_for_once_a_change_or_the_heads_tell(
    autojump_clock: MockClock,
) -> None:
    wire, (a, b) = tellers("a", "b")
    async with running(a.node, b.node):
        for one in (a, b):
            await one.node.signals.hold("sales")
        wire.lose = lambda _topic, payload: b"number.change" in payload
        a.put("sales", "ann", 1)
        wire.lose = lambda _topic, _payload: False
        a.put("sales", "ben", 2)  # does not follow on what b has
        assert agree(a, b)
        wire.lose = lambda _topic, payload: b"number.change" in payload
        a.drop("sales", "ann")
        assert not agree(a, b)
        wire.lose = lambda _topic, _payload: False
        await trio.sleep(HEADS_EVERY + 0.1)
        assert agree(a, b)
        wire.lose = lambda _topic, payload: b"number.change" in payload
        a.drop("sales", "ben")
        wire.lose = lambda _topic, _payload: False
        await trio.sleep(HEADS_EVERY + 0.1)
        assert b.known == {}


async def test_a_large_slice_travels_in_parts_that_a_notify_can_carry(
    autojump_clock: MockClock,
) -> None:
    wire, (a, b) = tellers("a", "b")
    sizes: list[int] = []
    async with running(a.node):
        for number in range(1_000):
            a.slices.put("", f"user {number}", number)
            a.slices.put(f"room {number}", "ann", number)
        a.slices.tell()
        wire.lose = lambda _topic, payload: bool(sizes.append(len(payload)))
        async with running(b.node):
            await trio.sleep(HEADS_EVERY + 0.1)
            assert agree(a, b)
            assert len(b.known) == 1_000
        assert len(sizes) > 10
        assert max(sizes) < PIECE_BYTES + 300


async def test_a_node_that_falls_silent_is_gone_and_is_told_again_when_it_speaks(
    autojump_clock: MockClock,
) -> None:
    wire, (a, b) = tellers("a", "b")
    async with running(a.node, b.node):
        for one in (a, b):
            await one.node.signals.hold("sales")
            one.put("sales", f"user of {one.node.name}", 1)
        wire.cut()
        a.put("sales", "ann", 2)
        await trio.sleep(SILENCE_S + 1.5)
        assert a.known == b.known == {}
        wire.mend()
        await trio.testing.wait_all_tasks_blocked()
        assert agree(a, b)


async def test_goodbye_is_heard_at_once(autojump_clock: MockClock) -> None:
    _, (a, b) = tellers("a", "b")
    async with running(a.node, b.node):
        a.put("", "ann", 1)
        assert agree(a, b)
        a.node.nodes.goodbye()
        assert b.known == {}
        assert b.node.nodes.names() == ()
        await trio.sleep(HEADS_EVERY)
        assert b.node.nodes.names() == ()


@pytest.mark.parametrize("seed", range(30))
async def test_copies_are_equal_at_rest_whatever_gets_lost_comes_late_or_twice(
    autojump_clock: MockClock, seed: int
) -> None:
    chance = Random(seed)
    wire, all_of_them = tellers("a", "b", "c")
    async with running(*(one.node for one in all_of_them)):
        with troubled(wire, chance):
            for _ in range(200):
                one, room = chance.choice(all_of_them), chance.choice(ROOMS)
                match chance.randrange(8):
                    case 0:
                        await one.node.signals.hold(room)
                    case 1:
                        for key in tuple(one.slices.own(room)):
                            one.drop(room, key)
                        one.node.signals.release(room)
                    case 2 | 3:
                        one.drop(chance.choice((room, "")), chance.choice("xyz"))
                    case 4:
                        await trio.sleep(chance.random())
                    case 5 if chance.random() < 0.1:
                        wire.cut()
                        await trio.sleep(chance.random() * 6)
                        wire.mend()
                    case _:
                        where = room if room in one.node.signals.rooms else ""
                        one.put(where, chance.choice("xyz"), chance.randrange(9))
        await trio.sleep(2 * HEADS_EVERY + 0.1)
        assert agree(*all_of_them)


@rows("stamp", [-1, 1.5, "1", None, True, AHEAD_MAX_MS + 1_001])
def test_what_is_no_stamp_is_refused(stamp: Any) -> None:
    shared = SharedClock()
    with pytest.raises(ValueError, match="no stamp"):
        shared.witness(stamp, 1_000)
    assert shared.stamp(5) == 5


def test_what_is_decided_later_has_the_larger_stamp_whatever_the_clocks_say() -> None:
    ahead, behind = SharedClock(), SharedClock()
    behind.witness(ahead.stamp(30_000), 0)
    assert behind.stamp(1) == 30_001
    assert behind.stamp(1) == 30_002


@rows(
    ("kind", "fields"),
    [
        ("change", []),
        ("change", [0, 1, [["ann"]]]),
        ("change", [0, 1, [["ann", True, "much"]]]),
        ("change", [0, 10**15, [["ann", True, 1]]]),
        ("change", ["0", 1, [[7, True, 1]]]),
        ("whole", [1, 1, 0, 0, [["ann", 1]]]),
        ("whole", [1, 1, "0", 1, [["ann", 1]]]),
        ("whole", [1, 1, 1, 1, [["ann", 1]]]),
        ("whole", [1, 1, 0]),
        ("heads", [1]),
        ("heads", [1, "", 7, []]),
        ("heads", [1, "", "z", [["sales"]]]),
        ("ask", []),
        ("ask", [["b"]]),
    ],
)
async def test_what_is_no_slice_is_passed_over(kind: str, fields: list[Any]) -> None:
    _, (a, b) = tellers("a", "b")
    async with running(a.node, b.node):
        await b.node.signals.hold("sales")
        a.node.signals.send("sales", f"number.{kind}", fields)
        assert b.known == {}

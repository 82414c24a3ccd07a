"""Two nodes on one wire, which tell each other what no log keeps."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson
import pytest
import trio
import trio.testing

from chatd.bus.frames import VERSION
from chatd.bus.topics import Topics
from chatd.observe import SignalUnreadable
from chatd.observe.recorder import Recorder
from chatd.service.signals import Signals
from tests.bus.memory_bus import PAYLOAD_BYTES_MAX, MemoryBus, Wire
from tests.rows import rows


@attrs.define
class Node:
    """A node, and what it was told."""

    signals: Signals
    recorder: Recorder
    told: list[tuple[str, str, Sequence[Any]]] = attrs.field(factory=list)
    rooms: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.signals.on("typing", lambda *signal: self.told.append(signal))
        self.signals.watch(self)

    def held(self, room: str) -> None:
        self.rooms.append(f"+{room}")

    def released(self, room: str) -> None:
        self.rooms.append(f"-{room}")

    def came_up(self) -> None:
        self.rooms.append("up")


@asynccontextmanager
async def nodes(*names: str) -> AsyncIterator[tuple[Wire, list[Node]]]:
    wire, made = Wire(), []
    async with trio.open_nursery() as nursery:
        for name in names:
            bus, topics = MemoryBus(wire), Topics()
            recorder = Recorder()
            signals = Signals(bus, name, recorder)
            topics.add("v", signals)
            made.append(Node(signals, recorder))
            nursery.start_soon(bus.run, topics)
        await trio.testing.wait_all_tasks_blocked()
        yield wire, made
        nursery.cancel_scope.cancel()


async def test_a_signal_reaches_the_other_nodes_that_hold_the_room() -> None:
    async with nodes("a", "b", "c") as (_, [a, b, c]):
        await a.signals.hold("sales")
        await b.signals.hold("sales")
        assert a.signals.send("sales", "typing", ["ann", True])
        assert (a.told, b.told, c.told) == ([], [("sales", "a", ["ann", True])], [])
        assert b.rooms == ["up", "+sales"]
        assert b.signals.rooms == ("sales",)


async def test_nobody_hears_a_room_that_was_released() -> None:
    async with nodes("a", "b") as (_, [a, b]):
        await b.signals.hold("sales")
        b.signals.release("sales")
        b.signals.release("sales")
        a.signals.send("sales", "typing", ["ann", True])
        assert b.told == []
        assert b.rooms == ["up", "+sales", "-sales"]


async def test_a_room_that_was_released_while_it_was_subscribed_to_is_not_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = trio.Event()

    async def slowly(_bus: MemoryBus, _topic: str) -> bool:
        await done.wait()
        return True

    monkeypatch.setattr(MemoryBus, "subscribe", slowly)
    async with nodes("a") as (_, [a]), trio.open_nursery() as nursery:
        nursery.start_soon(a.signals.hold, "sales")
        await trio.testing.wait_all_tasks_blocked()
        a.signals.release("sales")
        done.set()
        await trio.testing.wait_all_tasks_blocked()
        assert a.rooms == ["up", "-sales"]


async def test_a_room_is_held_though_whoever_came_first_is_gone_before_the_bus_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    subscribe = MemoryBus.subscribe

    async def for_ever(bus: MemoryBus, topic: str) -> bool:
        await subscribe(bus, topic)
        await trio.sleep_forever()
        return True

    async with nodes("a", "b") as (_, [a, b]):
        monkeypatch.setattr(MemoryBus, "subscribe", for_ever)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(a.signals.hold, "sales")
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert a.signals.holds("sales")
        assert a.rooms == ["up", "+sales"]
        b.signals.send("sales", "typing", ["bob", True])
        assert a.told == [("sales", "b", ["bob", True])]


async def test_all_nodes_hear_what_is_of_no_room() -> None:
    async with nodes("a", "b") as (_, [a, b]):
        await b.signals.start()
        a.signals.send_all("typing", [1])
        assert b.told == [("", "a", [1])]


async def test_what_is_too_long_or_not_taken_is_told_to_the_sender() -> None:
    async with nodes("a") as (wire, [a]):
        assert not a.signals.send("sales", "typing", ["x" * PAYLOAD_BYTES_MAX])
        wire.cut()
        assert not a.signals.send("sales", "typing", [])
        wire.mend()
        assert a.rooms == ["up", "up"]


@rows(
    "payload",
    [
        b"no json",
        b"[]",
        b"7",
        orjson.dumps([VERSION, VERSION + 1, "a", "typing", []]),
        orjson.dumps([0, VERSION, "a", "typing", []]),
        orjson.dumps(["1", VERSION, "a", "typing", []]),
        orjson.dumps([VERSION, VERSION, 7, "typing", []]),
        orjson.dumps([VERSION, VERSION, "a", "typing", {}]),
        orjson.dumps([VERSION, VERSION, "a", ["typing"], []]),
        orjson.dumps([VERSION, VERSION, "a", "of a newer version", []]),
    ],
)
async def test_what_is_no_signal_is_passed_over(payload: bytes) -> None:
    async with nodes("b") as (_, [b]):
        b.signals.heard("v:sales", payload)
        assert b.told == []
        assert b.recorder.events == []


async def test_fields_that_a_handler_cannot_read_are_passed_over_and_logged() -> None:
    async with nodes("b") as (_, [b]):
        b.signals.on("count", lambda _room, _node, fields: int(fields[0]) and None)
        for fields in (["many"], [], [None]):
            b.signals.heard("v:", orjson.dumps([VERSION, VERSION, "a", "count", fields]))
        passed_over = b.recorder.of(SignalUnreadable)
        assert [(one.kind, one.error_type) for one in passed_over] == [
            ("count", "ValueError"),
            ("count", "IndexError"),
            ("count", "TypeError"),
        ]
        assert "many" not in passed_over[0].traceback

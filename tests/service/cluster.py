"""Nodes of one cluster in one process, on a wire that loses, repeats and swaps what they tell."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from random import Random

import attrs
import trio
import trio.testing

from chatd.bus.topics import Topics
from chatd.chat.shared_clock import SharedClock
from chatd.observe.clock import Clock
from chatd.observe.recorder import Recorder
from chatd.service.nodes_alive import NodesAlive
from chatd.service.signals import Signals
from tests.bus.memory_bus import MemoryBus, Wire


class SkewedClock(Clock):
    """A wall clock of its own, on the clock of the test."""

    __slots__ = ("ahead_ms",)

    def __init__(self, ahead_ms: int) -> None:
        self.ahead_ms = ahead_ms

    def wall_ms(self) -> int:
        return 1_000_000_000_000 + self.ahead_ms + round(trio.current_time() * 1000)


@attrs.define(eq=False)
class Node:
    """What every node has."""

    name: str
    bus: MemoryBus
    topics: Topics
    clock: SkewedClock
    signals: Signals
    nodes: NodesAlive
    shared: SharedClock = attrs.field(factory=SharedClock)
    running: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    async def run(self) -> None:
        with self.running:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.bus.run, self.topics)
                nursery.start_soon(self.signals.start)
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(self.nodes.run)


def made_node(wire: Wire, name: str, ahead_ms: int = 0) -> Node:
    bus, topics = MemoryBus(wire), Topics()
    signals = Signals(bus, name, Recorder())
    topics.add("v", signals)
    return Node(name, bus, topics, SkewedClock(ahead_ms), signals, NodesAlive(signals))


@asynccontextmanager
async def running(*nodes: Node) -> AsyncIterator[trio.Nursery]:
    async with trio.open_nursery() as nursery:
        for node in nodes:
            nursery.start_soon(node.run)
        await trio.testing.wait_all_tasks_blocked()
        yield nursery
        nursery.cancel_scope.cancel()


@contextmanager
def troubled(wire: Wire, chance: Random, share: float = 0.3) -> Iterator[None]:
    """Meanwhile this share of what is told gets lost, and as much comes late or twice."""
    before, late = wire.lose, list[tuple[str, bytes]]()

    def lose(topic: str, payload: bytes) -> bool:
        fate = chance.random()
        if fate < share:
            return True
        if fate < 2 * share:
            late.append((topic, payload))
            return chance.random() < 0.5  # else it comes twice
        while late and chance.random() < 0.5:
            wire.carry(*late.pop(chance.randrange(len(late))))
        return False

    wire.lose = lose
    try:
        yield
    finally:
        wire.lose = before
        for topic, payload in late:
            wire.carry(topic, payload)

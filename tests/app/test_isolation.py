"""A node that alone cannot reach the database sends its clients to the others; one of many that
cannot keeps them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio
import trio.testing

from chatd.app.isolation import HEARD_S, PATIENCE_S, TELL_S, Isolation
from chatd.bus.topics import Topics
from chatd.observe.recorder import Recorder
from chatd.service.signals import Signals
from tests.bus.memory_bus import MemoryBus, Wire


@attrs.define
class Life:
    lost_at_s: float | None = None

    def lose(self) -> None:
        self.lost_at_s = trio.current_time()


@attrs.define(eq=False)
class Node:
    life: Life = attrs.field(factory=Life)
    told: list[bool] = attrs.field(factory=list)

    @property
    def is_isolated(self) -> bool:
        return self.told[-1]


@asynccontextmanager
async def two_nodes() -> AsyncIterator[tuple[Wire, Node, Node]]:
    wire, nodes = Wire(), (Node(), Node())
    async with trio.open_nursery() as nursery:
        for name, node in zip("ab", nodes, strict=True):
            bus, topics = MemoryBus(wire), Topics()
            signals = Signals(bus, name, Recorder())
            topics.add("v", signals)
            nursery.start_soon(bus.run, topics)
            await signals.start()
            nursery.start_soon(Isolation(node.life, signals, node.told.append).run)
        await trio.testing.wait_all_tasks_blocked()
        yield wire, *nodes
        nursery.cancel_scope.cancel()


async def test_a_node_that_alone_is_cut_from_the_database_is_isolated_until_it_is_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with two_nodes() as (_, cut, other):
        await trio.sleep(TELL_S)
        cut.life.lose()
        await trio.sleep(PATIENCE_S - TELL_S)
        assert not any(cut.told)
        await trio.sleep(2 * TELL_S)
        assert cut.is_isolated
        assert not any(other.told)
        cut.life.lost_at_s = None
        await trio.sleep(2 * TELL_S)
        assert not cut.is_isolated


async def test_where_all_nodes_have_lost_the_database_none_is_isolated(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with two_nodes() as (_, first, second):
        first.life.lose()
        second.life.lose()
        await trio.sleep(PATIENCE_S + HEARD_S)
        assert not any(first.told + second.told)


async def test_a_node_that_hears_nobody_keeps_its_clients(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with two_nodes() as (wire, cut, _):
        await trio.sleep(TELL_S)
        cut.life.lose()
        wire.cut()
        await trio.sleep(PATIENCE_S + HEARD_S)
        assert not any(cut.told)

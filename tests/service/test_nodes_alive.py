"""Which nodes live: those that said so lately, unless this one could not hear them."""

import trio
from trio.testing import MockClock

from chatd.service.nodes_alive import BEAT_S, NODES_MAX, SILENCE_S, NodesAlive
from tests.bus.memory_bus import Wire
from tests.service.cluster import made_node, running


class Noting:
    """What a watcher is told."""

    def __init__(self, nodes: NodesAlive) -> None:
        self.gone_nodes: list[str] = []
        self.beats = 0
        nodes.watch(self)

    def beat(self) -> None:
        self.beats += 1

    def gone(self, node: str) -> None:
        self.gone_nodes.append(node)


async def test_a_node_that_falls_silent_is_gone_once(autojump_clock: MockClock) -> None:
    wire = Wire()
    a, b = made_node(wire, "a"), made_node(wire, "b")
    noting = Noting(a.nodes)
    async with running(a, b):
        await trio.sleep(3 * BEAT_S)
        assert a.nodes.names() == ("b",)
        b.running.cancel()
        await trio.sleep(SILENCE_S - BEAT_S)
        assert noting.gone_nodes == []
        await trio.sleep(3 * BEAT_S)
        assert noting.gone_nodes == ["b"]
        assert noting.beats > 5


async def test_who_was_stopped_itself_takes_nobody_for_gone(mock_clock: MockClock) -> None:
    wire = Wire()
    node = made_node(wire, "a")
    noting = Noting(node.nodes)
    node.nodes.look(0.0)
    assert node.nodes.heard("b")
    node.nodes.look(100.0)
    assert noting.gone_nodes == []
    for at_s in range(101, 101 + round(SILENCE_S) + 1):
        node.nodes.look(float(at_s))
    assert noting.gone_nodes == ["b"]


async def test_names_that_somebody_makes_up_are_not_all_kept() -> None:
    nodes = made_node(Wire(), "a").nodes
    assert all(nodes.heard(f"n{number}") for number in range(NODES_MAX))
    assert not nodes.heard("one more")
    assert nodes.heard("n0")
    assert len(nodes.names()) == NODES_MAX


async def test_goodbye_is_the_last_that_is_told(autojump_clock: MockClock) -> None:
    wire = Wire()
    a, b = made_node(wire, "a"), made_node(wire, "b")
    noting = Noting(a.nodes)
    async with running(a, b):
        await trio.sleep(1.5 * BEAT_S)
        b.nodes.goodbye()
        b.nodes.goodbye()
        await trio.sleep(3 * BEAT_S)
        assert noting.gone_nodes == ["b"]
        assert a.nodes.names() == ()

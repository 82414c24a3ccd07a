"""What befalls a cluster, in an order that a seed gives: of nodes, of Redis, of PostgreSQL, of the
network of one node.

How long each lasts is a matter of time: this is the one place of these tests that sleeps. What was
broken is whole again when `strike` returns, and whoever is to be ready is.
"""

import random
from collections.abc import Iterator
from enum import Enum
from typing import Final

import attrs
import trio

from tests.cluster.nodes import Cluster, Node
from tests.cluster.wire import Direction

STOP_NODE_S: Final = 3.5
STOP_SERVER_S: Final = 3.0
KILL_REDIS_S: Final = 2.0
KILL_NODE_S: Final = 1.0
NETWORK_S: Final = 3.5
SLOW_S: Final = 0.4  # of each byte, in one direction
CALM_S: Final = 3.0
"""Between two faults, so that each finds a cluster that works."""


class Fault(Enum):
    KILL_NODE = "kill -9 of a node"
    STOP_NODE = "SIGSTOP of a node"
    END_NODE = "SIGTERM of a node"
    STOP_REDIS = "SIGSTOP of Redis"
    KILL_REDIS = "kill -9 of Redis"
    CRASH_POSTGRES = "immediate restart of PostgreSQL"
    STOP_POSTGRES = "SIGSTOP of PostgreSQL"
    CUT_NETWORK = "the network of a node is cut"
    LOSE_NETWORK = "the network of a node loses all"
    SLOW_NETWORK = "the network of a node is slow in one direction"


OF_REDIS: Final = frozenset({Fault.STOP_REDIS, Fault.KILL_REDIS})


@attrs.frozen
class Blow:
    """A fault, which node it is for, and in which direction."""

    fault: Fault
    node: int
    direction: Direction = Direction.TO_NODE


@attrs.frozen
class Struck:
    """A blow that was struck, and is over."""

    began_s: float
    ended_s: float
    fault: Fault
    node: str

    def __str__(self) -> str:
        whose = f", {self.node}" if "node" in self.fault.value else ""
        return f"{self.began_s:6.1f} to {self.ended_s:6.1f} s: {self.fault.value}{whose}"


def schedule(seed: int, nodes: int, has_redis: bool) -> Iterator[Blow]:
    """Without an end: each fault once in a round, in an order of that round's own."""
    chance = random.Random(seed)
    kinds = [fault for fault in Fault if has_redis or fault not in OF_REDIS]
    while True:
        chance.shuffle(kinds)
        for fault in kinds:
            yield Blow(fault, chance.randrange(nodes), chance.choice(list(Direction)))


async def strike(cluster: Cluster, blow: Blow) -> None:
    """Break it for a while, and make it whole."""
    node, in_thread = cluster.nodes[blow.node], trio.to_thread.run_sync
    match blow.fault:
        case Fault.KILL_NODE:
            await node.kill()
            await trio.sleep(KILL_NODE_S)
            await node.start()
        case Fault.END_NODE:
            await node.stop()
            await node.start()
        case Fault.STOP_NODE:
            node.pause()
            await trio.sleep(STOP_NODE_S)
            node.resume()
        case Fault.STOP_REDIS:
            assert cluster.redis is not None
            cluster.redis.freeze()
            await trio.sleep(STOP_SERVER_S)
            cluster.redis.thaw()
        case Fault.KILL_REDIS:
            assert cluster.redis is not None
            await in_thread(cluster.redis.kill)
            await trio.sleep(KILL_REDIS_S)
            await in_thread(cluster.redis.start)
        case Fault.CRASH_POSTGRES:
            await in_thread(cluster.postgres.crash)
            await in_thread(cluster.postgres.start)
        case Fault.STOP_POSTGRES:
            cluster.postgres.freeze()
            await trio.sleep(STOP_SERVER_S)
            cluster.postgres.thaw()
        case Fault.CUT_NETWORK | Fault.LOSE_NETWORK | Fault.SLOW_NETWORK:
            await _in_the_network(node, blow)
    for each in cluster.nodes:
        await each.ready()


async def _in_the_network(node: Node, blow: Blow) -> None:
    for wire in node.wires:
        match blow.fault:
            case Fault.CUT_NETWORK:
                wire.cut()
            case Fault.LOSE_NETWORK:
                wire.pause()
            case _:
                wire.slow(blow.direction, SLOW_S)
    await trio.sleep(NETWORK_S)
    for wire in node.wires:
        wire.heal()


async def strike_on(cluster: Cluster, seconds: float, seed: int) -> list[Struck]:
    """Blow after blow for so long, and at least until each fault was there once."""
    began_s = trio.current_time()
    struck: list[Struck] = []
    blows = schedule(seed, len(cluster.nodes), cluster.redis is not None)
    missing = {fault for fault in Fault if cluster.redis is not None or fault not in OF_REDIS}
    while missing or trio.current_time() - began_s < seconds:
        await trio.sleep(CALM_S)
        blow = next(blows)
        at_s = trio.current_time() - began_s
        await strike(cluster, blow)
        over_s = trio.current_time() - began_s
        struck.append(Struck(at_s, over_s, blow.fault, cluster.nodes[blow.node].name))
        missing.discard(blow.fault)
    return struck

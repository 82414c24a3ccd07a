"""`growth`: what a message and a connection cost as both grow by tens.

First more and more connections, at one rate of messages; then, with a middling number of
connections, more and more messages. All sit in rooms of ten. The cost of a message includes what
the connections cost meanwhile: their heartbeats.
"""

from typing import Final

import attrs
import trio

from chatd.bench.fleet import Fleet
from chatd.bench.load import Held, Load, hold, hold_rising
from chatd.bench.orders import Look
from chatd.bench.results import Point, Server
from chatd.bench.server_watch import spent
from chatd.bench.stage import Stage
from chatd.counts import counted

CONNECTIONS: Final = 10_000
STEP: Final = 10
ROOM_SIZE: Final = 10
RATE: Final = 200.0
"""Messages a second while the connections grow: few enough for any server, so that any change comes
from the connections."""
RATES: Final = (10.0, 100.0, 1000.0)
"""Messages a second while these grow; `loads` are others."""
RATES_AT: Final = 1000
"""Connections while the messages grow."""
SECONDS: Final = 5.0
SETTLE_S: Final = 1.0


async def run(stage: Stage) -> None:
    """Grow the connections; at `RATES_AT` of them, or at the most if there are fewer, grow the
    messages too."""
    options = stage.options
    rooms, size = stage.seats(options.connections or CONNECTIONS, options.room_size or ROOM_SIZE)
    seconds = options.seconds or SECONDS
    counts = by_tens(size, len(rooms))
    rates_at = max(count for count in counts if count <= max(RATES_AT, size))
    step = 0
    async with stage.fleet(stage.users(rooms), stage.dialect()) as fleet:
        for count in counts:
            cost = await _grow(stage, fleet, count)
            load = Load(RATE, seconds, range(count), stage.receivers(size), count)
            with stage.progress.step(
                f"{counted(count, 'connection')}, {RATE:g} messages/s", seconds
            ):
                held = await hold(stage, fleet, load, step, f"{RATE:g} messages/s")
            for point in _of_connections(held, count, cost):
                stage.add(point)
            step += 1
            if count == rates_at:
                rates = options.loads or RATES
                loads = [attrs.evolve(load, rate=rate) for rate in rates]
                await hold_rising(stage, fleet, loads, step, counted(count, "connection"))
                step += len(loads)


def by_tens(first: int, last: int) -> list[int]:
    """From `first` on, each ten times the one before, and `last`.

    >>> by_tens(10, 2500)
    [10, 100, 1000, 2500]
    """
    counts = []
    while first < last:
        counts.append(first)
        first *= STEP
    return [*counts, last]


async def _grow(stage: Stage, fleet: Fleet, count: int) -> Server | None:
    """Have more users come, up to `count`; returns what that cost for each new one."""
    before = await fleet.all(Look())
    fewer = await stage.watch.look()
    came = await stage.come(fleet, count)
    await trio.sleep(SETTLE_S)
    return spent(fewer, await stage.watch.look(), came.ready - before.ready)


def _of_connections(held: Held, count: int, cost: Server | None) -> list[Point]:
    """The points of a load, as points of so many connections. The server's figures that are not
    rates stand only at the first point, as both have the same."""
    points = [
        attrs.evolve(
            point,
            load=count,
            load_unit="connections",
            server=None if point.server is None else Server(point.server.cpu_share),
        )
        for point in held.points
    ]
    if held.acks.server is not None:
        each = None if cost is None else cost.bytes_per_connection
        points[0] = attrs.evolve(
            points[0], server=attrs.evolve(held.acks.server, bytes_per_connection=each)
        )
    return points

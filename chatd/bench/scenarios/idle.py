"""`idle`: connections that are held and do nothing: how many, and what each costs."""

from typing import Final

import attrs
import trio

from chatd.bench.orders import Look
from chatd.bench.results import Point
from chatd.bench.server_watch import spent
from chatd.bench.stage import Stage
from chatd.counts import counted

LOADS: Final = (250.0, 500.0, 1000.0)
"""Connections, one step after the other; `connections` is one step of that many."""
ROOM_SIZE: Final = 10
SECONDS: Final = 5.0
SETTLE_S: Final = 1.0
"""The wait after everybody has come, in which memory that connecting needs for a moment is given
back."""


async def run(stage: Stage) -> None:
    """Have more and more users come, and hold them: a user who is lost meanwhile has failed."""
    options = stage.options
    counts = [int(load) for load in options.loads] or (
        [options.connections] if options.connections else [int(load) for load in LOADS]
    )
    rooms, _ = stage.seats(max(counts), options.room_size or ROOM_SIZE)
    seconds = options.seconds or SECONDS
    async with stage.fleet(stage.users(rooms), stage.presence_dialect()) as fleet:
        empty = await stage.watch.look()
        for count in (min(count, len(rooms)) for count in counts):
            before = await fleet.all(Look())
            came = await stage.come(fleet, count)
            await trio.sleep(SETTLE_S)
            full = await stage.watch.look()
            with stage.progress.step(f"{counted(count, 'connection')} to hold", seconds):
                await trio.sleep(seconds)
            seen = await fleet.all(Look())
            stage.note(seen)
            cost = spent(empty, full, came.ready)
            held = spent(full, await stage.watch.look())
            if held is not None and cost is not None:
                held = attrs.evolve(held, bytes_per_connection=cost.bytes_per_connection)
            opening = came.opening.summary()
            stage.add(
                Point(
                    load=count,
                    load_unit="connections",
                    seconds=seconds,
                    rate=seen.ready,
                    rate_unit="connections",
                    what="connect",
                    latency_ms=opening,
                    server=held,
                    generator=came.since(before, opening.p99 if opening else None),
                    failed=count - seen.ready,
                )
            )

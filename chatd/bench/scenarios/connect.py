"""`connect`: everybody comes at once, again and again: handshake, CONNECT, and the rooms joined."""

from typing import Final

import trio

from chatd.bench.orders import Close, Look
from chatd.bench.results import Point
from chatd.bench.server_watch import spent
from chatd.bench.stage import Stage

CONNECTIONS: Final = 1000
LOADS: Final = (10.0, 50.0, 200.0)
"""How many clients connect at once: the next one begins when one has come. So the rate is what the
server bears, and the latency counts from when a client began."""
ROOM_SIZE: Final = 10
PAUSE_S: Final = 1.0
"""The time between two storms, in which the server notices that the last clients are gone."""


async def run(stage: Stage) -> None:
    """A storm for each load."""
    options = stage.options
    rooms, _ = stage.seats(options.connections or CONNECTIONS, options.room_size or ROOM_SIZE)
    count = len(rooms)
    async with stage.fleet(stage.users(rooms), stage.presence_dialect()) as fleet:
        for load in options.loads or LOADS:
            before, watched = await fleet.all(Look()), await stage.watch.look()
            began_s = trio.current_time()
            seen = await stage.come(fleet, count, at_once=int(load))
            seconds = trio.current_time() - began_s
            opening = seen.opening.summary()
            stage.add(
                Point(
                    load=load,
                    load_unit="at once",
                    seconds=seconds,
                    rate=seen.ready / seconds,
                    rate_unit="connects/s",
                    what=options.transport.value,
                    latency_ms=opening,
                    server=spent(watched, await stage.watch.look()),
                    generator=seen.since(before, opening.p99 if opening else None),
                    failed=count - seen.ready,
                )
            )
            await fleet.all(Close())
            await trio.sleep(PAUSE_S)

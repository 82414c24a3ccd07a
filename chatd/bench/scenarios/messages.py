"""`messages`: how latencies and throughput change as the load rises, in rooms of a few people."""

from typing import Final

from chatd.bench.load import Load, hold_rising
from chatd.bench.stage import Stage

CONNECTIONS: Final = 100
ROOM_SIZE: Final = 10
LOADS: Final = (250.0, 500.0, 1000.0, 2000.0, 4000.0)
SECONDS: Final = 3.0


async def run(stage: Stage) -> None:
    """Everybody sends in turn; each message goes to the room of its sender."""
    options = stage.options
    rooms, size = stage.seats(options.connections or CONNECTIONS, options.room_size or ROOM_SIZE)
    seconds = options.seconds or SECONDS
    everybody = range(len(rooms))
    async with stage.fleet(stage.users(rooms), stage.dialect()) as fleet:
        seen = await stage.come(fleet, len(rooms))
        loads = [
            Load(rate, seconds, everybody, stage.receivers(size), seen.ready)
            for rate in options.loads or LOADS
        ]
        await hold_rising(stage, fleet, loads)

"""`fan-out`: one sender to a large room, and many senders to a small one."""

from typing import Final

from chatd.bench.load import Load, hold_rising
from chatd.bench.stage import Stage

CONNECTIONS: Final = 1000
LOADS: Final = (5.0, 20.0, 50.0)
"""Messages a second of the one sender."""
SENDERS: Final = 50
LOADS_OF_MANY: Final = (250.0, 500.0, 1000.0)
SECONDS: Final = 3.0


async def run(stage: Stage) -> None:
    """First all but one only listen, then everybody in the small room sends in turn."""
    options = stage.options
    connections = options.connections or CONNECTIONS
    few = min(options.room_size or SENDERS, connections)
    first = await _room(stage, connections, 1, options.loads or LOADS, 0)
    await _room(stage, few, few, options.loads or LOADS_OF_MANY, first)


async def _room(
    stage: Stage, size: int, senders: int, rates: tuple[float, ...], first_step: int
) -> int:
    """Raise the load of one room; returns the number of the next step."""
    rooms, size = stage.seats(size, size)
    senders = min(senders, len(rooms))
    seconds = stage.options.seconds or SECONDS
    async with stage.fleet(stage.users(rooms), stage.dialect()) as fleet:
        seen = await stage.come(fleet, len(rooms))
        loads = [
            Load(rate, seconds, range(senders), stage.receivers(size), seen.ready) for rate in rates
        ]
        what = f"{senders} to {size}"
        await hold_rising(stage, fleet, loads, first_step, what)
    return first_step + len(rates)

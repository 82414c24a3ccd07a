"""`echo`: events that the server only acks, at rising rates: what a round trip costs."""

from typing import Final

from chatd.bench.load import Load, hold_rising
from chatd.bench.stage import Stage

CONNECTIONS: Final = 100
LOADS: Final = (1000.0, 2000.0, 5000.0, 10_000.0, 20_000.0)
SECONDS: Final = 3.0


async def run(stage: Stage) -> None:
    """Everybody sends in turn."""
    options = stage.options
    connections = options.connections or CONNECTIONS
    rooms, _ = stage.seats(connections, 1)
    seconds = options.seconds or SECONDS
    async with stage.fleet(stage.users(rooms), stage.echo_dialect()) as fleet:
        seen = await stage.come(fleet, len(rooms))
        loads = [
            Load(rate, seconds, range(len(rooms)), 0, seen.ready) for rate in options.loads or LOADS
        ]
        await hold_rising(stage, fleet, loads)

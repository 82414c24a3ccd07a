"""`soak`: many idle connections and some active ones for a long time, and whether anything grows.

First the active ones talk fast, so that memory fills that is meant to be full: a server remembers
some messages of each room. Then they talk at a constant rate, while the idle ones sit in rooms of
their own. Each second the run looks at the server, and ten more users, the probe, talk in a room:
their latencies count for that second. The latencies of the whole time make a point, as in any
scenario.
"""

import math
from typing import Final

import attrs
import trio

from chatd.bench.fleet import Fleet, GeneratorError
from chatd.bench.load import Held, Load, hold
from chatd.bench.results import Moment
from chatd.bench.server_watch import spent
from chatd.bench.stage import Stage
from chatd.bench.steadiness import judge

IDLE: Final = 10_000
"""Connections without the active ones; `connections` is another number."""
ACTIVE: Final = 1000
ROOM_SIZE: Final = 10
EACH_S: Final = 5.0
"""Seconds between two messages of one active user; `loads` is another rate of all of them."""
SECONDS: Final = 60.0
WARM_UP_RATE: Final = 2000.0
WARM_UP_LEAST: Final = 70_000
"""Messages in all: chatd remembers the last 10,000, and its log keeps up to 16 MiB of pages in
memory, which are full after 60,000."""
WARM_UP_EACH: Final = 420
"""Messages of each active user at least: of the newest 4,000 of a room, chatd remembers who wrote
which, to count what users have not read. The warm-up takes no longer than the soak itself."""
SETTLE_SHARE: Final = 1 / 6
"""This first share of the time is not judged."""
EVERY_S: Final = 1.0
PROBE_ROOM: Final = "bench-probe"
PROBE_USERS: Final = 10
PROBE_STEP: Final = 1000
"""Its steps are numbered after those of the others, who may sit in the same room."""
PROBE_RATE: Final = 20.0
"""Messages a second."""
PROBE_S: Final = 0.7
"""How long of each second the probe sends; in the rest it waits for what it has sent."""


async def run(stage: Stage) -> None:
    """Have everybody come, hold the load, look at the server each second, and judge."""
    options = stage.options
    idle, active = options.connections or IDLE, options.active or ACTIVE
    rooms, size = stage.seats(idle + active, options.room_size or ROOM_SIZE)
    talking = min(active, len(rooms))
    probe_room = options.rooms[-1] if options.rooms else PROBE_ROOM
    users = stage.users([*rooms, *[probe_room] * PROBE_USERS])
    seconds = options.seconds or SECONDS
    rate = options.loads[0] if options.loads else talking / EACH_S
    dialect = stage.dialect()
    async with (
        stage.fleet(users[: len(rooms)], dialect) as fleet,
        stage.fleet(users[len(rooms) :], dialect, processes=1) as probe,
    ):
        present = (await stage.come(fleet, len(rooms))).ready
        await stage.come(probe, PROBE_USERS)
        load = Load(rate, seconds, range(talking), stage.receivers(size), present)
        fast_rate = max(rate, WARM_UP_RATE)
        warm_up_s = min(max(WARM_UP_LEAST, WARM_UP_EACH * talking) / fast_rate, seconds)
        fast = attrs.evolve(load, rate=fast_rate, seconds=warm_up_s)
        with stage.progress.step("memory fills", warm_up_s):
            warm = await hold(stage, fleet, fast, 0, "warm-up")
        words = f"{len(rooms) - talking:,} idle and {talking:,} active connections"
        with stage.progress.step(words, seconds):
            held = await _hold_and_look(stage, fleet, load, probe)
    for point in (*warm.points, *held.points):
        stage.add(point)
    stage.findings += judge(stage.series, seconds * SETTLE_SHARE)


async def _hold_and_look(stage: Stage, fleet: Fleet, load: Load, probe: Fleet) -> Held:
    """Hold the load, and look each second meanwhile. Raises GeneratorError, alone."""
    failure: Exception | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_look, stage, probe, load.seconds)
            held = await hold(stage, fleet, load, 1)
            nursery.cancel_scope.cancel()
    except* GeneratorError as broken:
        failure = broken.exceptions[0]
    if failure is not None:
        raise failure
    return held


async def _look(stage: Stage, probe: Fleet, seconds: float) -> None:
    """Look at the server and let the probe talk, once a second."""
    everybody = range(PROBE_USERS)
    load = Load(PROBE_RATE, PROBE_S, everybody, stage.receivers(PROBE_USERS), PROBE_USERS)
    began_s = trio.current_time()
    before = await stage.watch.look()
    for step in range(1, math.floor(seconds / EVERY_S) + 1):
        held = await hold(stage, probe, load, PROBE_STEP + step)
        await trio.sleep_until(began_s + step * EVERY_S)
        now = await stage.watch.look()
        server = spent(before, now)
        latency = (held.deliveries or held.acks).latency_ms
        at_s = now.at_s - began_s
        moment = Moment(at_s, latency_ms=latency)
        if server is not None:
            moment = attrs.evolve(
                moment,
                memory_bytes=server.memory_bytes,
                descriptors=server.descriptors,
                tasks=server.tasks,
                loop_lag_ms=server.loop_lag_ms,
            )
        stage.series.append(moment)
        before = now

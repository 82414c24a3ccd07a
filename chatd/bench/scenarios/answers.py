"""`answers`: questions to a database, by more and more people at once; only chatd has them.

Each asks again when the previous answer has ended, so latencies count from when a question was
asked: people who ask a database wait for it.
"""

from typing import Final

import trio

from chatd.bench.fleet import Fleet, Seen
from chatd.bench.orders import Ask, Look
from chatd.bench.results import LatencyMs, Point
from chatd.bench.server_watch import spent
from chatd.bench.stage import SetupError, Stage
from chatd.counts import counted

LOADS: Final = (1.0, 2.0, 4.0, 8.0)
"""How many ask at once."""
SECONDS: Final = 4.0
ROOM: Final = "demo"
SQL: Final = "SELECT * FROM orders LIMIT 500"
WARM_S: Final = 0.1
SETTLE_S: Final = 40.0
"""Seconds in which a last answer has to end; the daemon's own time for an answer is 30 s."""
LOOK_EVERY_S: Final = 0.05


async def run(stage: Stage) -> None:
    """Ask in one room, first alone."""
    options = stage.options
    if not stage.is_chatd:
        raise SetupError(
            f"What answers at {stage.target.url} is no chatd: it answers no questions."
        )
    loads = [int(load) for load in options.loads or LOADS]
    named = options.rooms or (ROOM,)
    rooms = [named[index % len(named)] for index in range(max(loads))]
    sql, seconds = options.sql or SQL, options.seconds or SECONDS
    async with stage.fleet(stage.users(rooms), stage.dialect(), sql=sql) as fleet:
        await stage.come(fleet, len(rooms))
        with stage.progress.step("the database starts", WARM_S):
            warm = await _ask(fleet, 0, 1, WARM_S)
        if not warm.total(lambda one: one.received):
            stage.note(warm)
            raise SetupError(
                f"The database of the room {rooms[0]} gave no answer: "
                f"{next(iter(warm.reasons), 'no row came in time')}."
            )
        for step, count in enumerate(loads, 1):
            with stage.progress.step(f"{counted(count, 'question')} at once", seconds):
                await _measure(stage, fleet, step, count, seconds)


async def _ask(fleet: Fleet, step: int, count: int, seconds: float) -> Seen:
    """Have so many users ask for so long, and wait for the last answers."""
    counts = fleet.counts(count)
    seen = await fleet.each(lambda place: Ask(step, counts[place], seconds))
    with trio.move_on_after(SETTLE_S):
        while seen.total(lambda one: one.received + one.failed - one.sent) < 0:
            await trio.sleep(LOOK_EVERY_S)
            seen = await fleet.all(Look())
    return seen


async def _measure(stage: Stage, fleet: Fleet, step: int, count: int, seconds: float) -> None:
    before, watched = await fleet.all(Look()), await stage.watch.look()
    began_s = trio.current_time()
    seen = await _ask(fleet, step, count, seconds)
    took_s = trio.current_time() - began_s
    stage.note(seen)
    server = spent(watched, await stage.watch.look())
    received = seen.total(lambda one: one.received)
    failed = seen.total(lambda one: one.failed)
    lost = seen.total(lambda one: one.sent) - received - failed

    def point(what: str, latency_ms: LatencyMs | None, failed: int, lost: int) -> Point:
        return Point(
            load=count,
            load_unit="askers",
            seconds=took_s,
            rate=received / took_s,
            rate_unit="answers/s",
            what=what,
            latency_ms=latency_ms,
            server=server,
            generator=seen.since(before, latency_ms.p99 if latency_ms else None),
            failed=failed,
            lost=lost,
        )

    stage.add(point("first row", seen.acks.summary(), 0, 0))
    stage.add(point("last row", seen.deliveries.summary(), failed, max(0, lost)))

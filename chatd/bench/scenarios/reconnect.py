"""`reconnect`: the server goes and comes back, and everybody with it.

The run's own chatd is killed and started; another server has to be restarted by somebody, and the
run waits for that. Clients come back as stock ones do: after about a second, then two, four, and
five. A latency is from when the server was back to when the client was in its room again.
"""

import socket
from typing import Final

import trio

from chatd.bench.daemon import OwnDaemon
from chatd.bench.fleet import Fleet, Seen
from chatd.bench.latencies import Latencies
from chatd.bench.load import Load, hold
from chatd.bench.orders import ComeBack, Look
from chatd.bench.results import Point
from chatd.bench.server_watch import ServerWatch, spent
from chatd.bench.stage import SetupError, Stage
from chatd.observe.clock import Clock

CONNECTIONS: Final = 1000
ROOM_SIZE: Final = 10
RATE: Final = 100.0
SECONDS: Final = 1.0
"""How long messages are sent before and after, to see that everybody hears everybody."""
LOOK_EVERY_S: Final = 0.05
GO_S: Final = 300.0
"""Seconds that somebody has to restart the server."""
RETURN_S: Final = 60.0
"""Seconds that everybody has to come back."""
PROBE_S: Final = 1.0


async def run(stage: Stage) -> None:
    """Everybody comes, talks, loses the server, comes back, and talks on."""
    options = stage.options
    rooms, size = stage.seats(options.connections or CONNECTIONS, options.room_size or ROOM_SIZE)
    async with stage.fleet(stage.users(rooms), stage.dialect()) as fleet:
        seen = await stage.come(fleet, len(rooms))
        rate = options.loads[0] if options.loads else RATE
        seconds = options.seconds or SECONDS
        load = Load(rate, seconds, range(len(rooms)), stage.receivers(size), seen.ready)
        with stage.progress.step("messages before it", seconds):
            before = await hold(stage, fleet, load, 0, "before")
        point = await _storm(stage, fleet, seen.ready)
        with stage.progress.step("messages after it", seconds):
            after = await hold(stage, fleet, load, 1, "after")
        for one in (*before.points, point, *after.points):
            stage.add(one)


async def _storm(stage: Stage, fleet: Fleet, present: int) -> Point:
    """Lose the server, and wait for everybody to be back."""
    await fleet.all(ComeBack())
    if stage.daemon is not None:
        back_us = await _restart(stage, stage.daemon)
    else:
        back_us = await _wait_for_restart(stage, fleet, present)
    before, watched = await fleet.all(Look()), await stage.watch.look()
    seen = before
    with stage.progress.step("everybody comes back", RETURN_S):
        with trio.move_on_after(RETURN_S):
            while seen.ready < present:
                await trio.sleep(LOOK_EVERY_S)
                seen = await fleet.all(Look())
    stage.note(seen)
    latencies, last_us = _latencies(seen, back_us)
    seconds = max(0.001, (last_us - back_us) / 1e6)
    summary = latencies.summary()
    return Point(
        load=present,
        load_unit="connections",
        seconds=seconds,
        rate=seen.ready / seconds,
        rate_unit="connects/s",
        what="reconnect",
        latency_ms=summary,
        server=spent(watched, await stage.watch.look()),
        generator=seen.since(before, summary.p99 if summary else None),
        failed=max(0, present - seen.ready),
    )


def _latencies(seen: Seen, back_us: int) -> tuple[Latencies, int]:
    """How long after the server everybody was back, and when the last one was."""
    latencies, last_us = Latencies(), back_us
    for report in seen.reports:
        for at_us in report.returned_us:
            latencies.add(max(0, at_us - back_us))
            last_us = max(last_us, at_us)
    return latencies, last_us


async def _restart(stage: Stage, daemon: OwnDaemon) -> int:
    """Kill the daemon and start it again; returns when it was back."""
    with stage.progress.step("the server is killed, and starts", 1.0):
        await daemon.kill()
        await daemon.start()
    stage.watch = ServerWatch(daemon.pid, daemon.metrics)
    return Clock().monotonic_us()


async def _wait_for_restart(stage: Stage, fleet: Fleet, present: int) -> int:
    """Wait until the server has gone and come back; returns when it was back. Raises SetupError."""
    stage.progress.tell("Restart the server now; its clients are watched, and come back.")
    with stage.progress.step("somebody restarts the server", GO_S):
        with trio.move_on_after(GO_S):
            while (await fleet.all(Look())).ready == present:  # noqa: ASYNC110 - another process
                await trio.sleep(LOOK_EVERY_S)
            while not await _listens(stage):  # noqa: ASYNC110 - another process
                await trio.sleep(LOOK_EVERY_S)
            return Clock().monotonic_us()
    raise SetupError(f"The server at {stage.target.url} was not restarted within {GO_S:.0f} s.")


async def _listens(stage: Stage) -> bool:
    with trio.socket.socket(stage.family, socket.SOCK_STREAM) as sock:
        with trio.move_on_after(PROBE_S):
            try:
                await sock.connect(tuple(stage.sockaddr))
            except OSError:
                return False
            return True
    return False

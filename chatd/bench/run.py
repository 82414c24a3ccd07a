"""A run from its options to its results: finds or starts the server, and plays a scenario.

Owns the order of steps, and Ctrl-C: a run that is stopped keeps what it has measured so far.
"""

import http.client
import os
import platform
import secrets
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import attrs
import orjson
import trio

from chatd.bench.address import AddressError, parse_address
from chatd.bench.daemon import DaemonError, OwnDaemon, own_daemon
from chatd.bench.flatness import Verdict
from chatd.bench.fleet import GeneratorError
from chatd.bench.options import Options
from chatd.bench.progress import Progress
from chatd.bench.results import Machine, Results, Target
from chatd.bench.scenarios import scenario as scenario_of
from chatd.bench.server_watch import ServerWatch
from chatd.bench.stage import SetupError, Stage
from chatd.bench.steadiness import Finding
from chatd.observe.clock import Clock

HEALTH: Final = "/api/websocket/health"
HEALTH_S: Final = 5.0
ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, whoever ends the run, and a terminal that is gone."""
START_S: Final = 3.0
"""About how long the run's own daemon takes to start, for the bar."""


FAILURES: Final = (SetupError, AddressError, DaemonError, GeneratorError)
"""The errors that may end a run; the message of each is a sentence for a person."""


@attrs.frozen
class Ran:
    """The outcome of a run. `reasons` says why something failed, and how often; `findings` say what
    became of a load that was held for long."""

    results: Results
    reasons: Counter[str]
    was_stopped: bool
    findings: tuple[Finding, ...] = ()


async def run(scenario: str, options: Options, progress: Progress) -> Ran:
    """Measure. Raises SetupError, AddressError, DaemonError, GeneratorError."""
    began = datetime.fromtimestamp(Clock().wall_s(), UTC)
    failure: Exception | None = None
    stage: Stage | None = None
    with trio.open_signal_receiver(*ENDING) as signals:
        async with trio.open_nursery() as nursery:
            playing = trio.CancelScope()
            nursery.start_soon(_stop, signals, playing)
            nursery.start_soon(progress.draw)
            with playing:
                try:
                    async with _stage(options, progress) as stage:
                        await scenario_of(scenario)(stage)
                except FAILURES as error:  # alone, and not in a group of the nursery
                    failure = error
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if stage is None:
        raise SetupError("It was stopped before it had begun.")
    results = Results(
        scenario=scenario,
        target=stage.target,
        began=began.isoformat(timespec="seconds").replace("+00:00", "Z"),
        machine=Machine(os.cpu_count() or 1, platform.python_version(), platform.release()),
        options=options.shown(),
        points=tuple(stage.points),
        series=tuple(stage.series),
        grew=tuple(one.measure.name for one in stage.findings if one.verdict is Verdict.GROWS),
    )
    return Ran(results, stage.reasons, playing.cancelled_caught, tuple(stage.findings))


async def _stop(signals: AsyncIterator[int], playing: trio.CancelScope) -> None:
    """End the run at the first signal."""
    async for _ in signals:
        playing.cancel()


@asynccontextmanager
async def _stage(options: Options, progress: Progress) -> AsyncIterator[Stage]:
    """The server that was asked for, or the run's own."""
    if options.url is not None:
        yield await _at(options.url, options, progress, None)
        return
    async with AsyncExitStack() as stack:
        with progress.step("chatd starts", START_S):
            daemon = await stack.enter_async_context(own_daemon(secrets.token_hex(32)))
            await daemon.quiet()
        yield await _at(daemon.url, options, progress, daemon)


async def _at(url: str, options: Options, progress: Progress, daemon: OwnDaemon | None) -> Stage:
    address = parse_address(url)
    try:
        found = await trio.socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise SetupError(f"{address.host} is not found: {error.strerror}.") from None
    family, _, _, _, sockaddr = found[0]
    watch = ServerWatch(options.pid, options.metrics)
    if daemon is not None:
        watch = ServerWatch(daemon.pid, daemon.metrics)
    elif options.metrics is not None and not (await ServerWatch(None, watch.metrics).look()).says:
        raise SetupError(
            f"{options.metrics} has no figures of a server: give the URL of its metrics, or unix: "
            "and the path of its internal socket."
        )
    # A user who gives an event but no token means a server that is not chatd.
    is_other = options.event is not None and options.secret is None and not options.tokens
    is_chatd = daemon is not None or (
        not is_other and await trio.to_thread.run_sync(_is_chatd, address.origin)
    )
    return Stage(
        options=options,
        target=Target(url, "chatd" if is_chatd else "socket.io"),
        address=address,
        family=int(family),
        sockaddr=[part for part in sockaddr if not isinstance(part, bytes)],
        watch=watch,
        progress=progress,
        daemon=daemon,
    )


def _is_chatd(origin: str) -> bool:
    """Whether a chatd answers there; a server that says nothing is not one. Raises SetupError if
    nothing can be reached."""
    scheme, _, authority = origin.partition("://")
    secure = scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(authority, timeout=HEALTH_S)
    try:
        connection.connect()
    except OSError as error:
        why = error.strerror or str(error)
        raise SetupError(
            f"Nothing answers at {origin}: {why}; start the server, or give its URL."
        ) from None
    try:
        connection.request("GET", HEALTH)
        said = orjson.loads(connection.getresponse().read(65_536))
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return isinstance(said, dict) and "connectedClients" in said

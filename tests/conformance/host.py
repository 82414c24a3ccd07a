"""Runs an application on chatd's own listener, engine and sessions, without the chat.

Prints `listening on PORT` when it is ready and ends on SIGTERM or SIGINT. It listens on 127.0.0.1
and, where that exists, on ::1; pages of every origin may connect.
"""

import argparse
import contextlib
import signal
import sys
from collections.abc import Callable
from typing import Any

import trio

from chatd.app.garbage import Garbage
from chatd.app.listen import CannotListenError, open_listeners
from chatd.engine.admission import Admission
from chatd.engine.engine import Engine
from chatd.engine.flusher import Flusher
from chatd.engine.listener import Listener, ListenerSettings
from chatd.engine.session import Handshake, Session, SessionSettings, Upper
from chatd.engine.sessions import Sessions
from chatd.engineio.heartbeat import HeartbeatSettings
from chatd.net.deadlines import Deadlines
from chatd.net.http.connection import ConnectionLimits
from chatd.net.http.cors import CorsPolicy
from chatd.net.http.hypercorn import HypercornServer
from chatd.net.http.public import Health, public_app
from chatd.net.poller import make_poller
from chatd.sockets.connection import Application, SocketIOConnection
from chatd.sockets.local_adapter import LocalAdapter

HEARTBEAT = HeartbeatSettings(25.0, 20.0)
BACKLOG = 4096  # connections that the kernel keeps until they are accepted

MakeUpper = Callable[[Session, Handshake], Upper]


class Silence:
    """Events that nobody reads."""

    def record(self, event: object) -> None:
        pass

    def settle(self, timeout_s: float) -> None:
        pass


def sockets_of(make: Callable[[LocalAdapter], Application]) -> Callable[[Flusher], MakeUpper]:
    """Sessions that speak Socket.IO to the application `make(adapter)`."""

    def prepare(flusher: Flusher) -> MakeUpper:
        adapter = LocalAdapter(flusher)
        app = make(adapter)
        return lambda session, handshake: SocketIOConnection(session, handshake, app, adapter)

    return prepare


def arguments(heartbeat: HeartbeatSettings = HEARTBEAT) -> tuple[int, HeartbeatSettings]:
    """`PORT --ping-interval MS --ping-timeout MS` from the command line; a heartbeat of default."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int, metavar="PORT", help="0 takes any that is free")
    for name, default_s in ("interval", heartbeat.interval_s), ("timeout", heartbeat.timeout_s):
        parser.add_argument(f"--ping-{name}", type=int, metavar="MS", default=default_s * 1000)
    given = parser.parse_args()
    return given.port, HeartbeatSettings(given.ping_interval / 1000, given.ping_timeout / 1000)


def run_from_command_line(make: Callable[[LocalAdapter], Application], **settings: Any) -> None:
    """Serve `make(adapter)` as the command line says; `heartbeat` in `settings` is the default."""
    port, heartbeat = arguments(settings.pop("heartbeat", HEARTBEAT))
    run_application(sockets_of(make), port=port, heartbeat=heartbeat, **settings)


def run_application(
    prepare: Callable[[Flusher], MakeUpper],
    *,
    port: int,
    path: bytes = b"/socket.io/",
    heartbeat: HeartbeatSettings = HEARTBEAT,
    max_payload_bytes: int = 1_000_000,
    connect_timeout_s: float = 45.0,
    deadlines: Deadlines | None = None,
    engine_class: type[Engine] = Engine,
) -> None:
    """Serve until a signal comes; `deadlines`, where the application has some of its own."""

    async def main() -> None:
        event_log = Silence()
        flusher = Flusher()
        admission = Admission(
            handshakes_per_second=1e6,
            sessions_per_address=1e6,
            pending_sessions_per_address=1e6,
            connections_per_address=1e6,
            max_connections=100_000,
            now_s=trio.current_time(),
        )
        sessions = Sessions(
            SessionSettings(heartbeat, max_payload_bytes, connect_timeout_s, 10.0, 1_048_576),
            deadlines or Deadlines(),
            flusher,
            event_log,
            admission,
        )
        readiness = make_poller()
        origins = CorsPolicy(("*",), is_loopback=True)
        engine = engine_class(sessions, admission, origins, prepare(flusher), event_log)
        http = HypercornServer(
            public_app(lambda: Health("ok", 0, 0.0)),
            body_timeout_s=10.0,
            report_fault=lambda fault: None,
        )
        door = Listener(
            ListenerSettings(path, 10.0, ConnectionLimits(16_384, 1_048_576 + max_payload_bytes)),
            engine,
            readiness,
            admission,
            http,
            event_log,
        )
        listeners = open_listeners("127.0.0.1", port, BACKLOG)
        taken = listeners[0].getsockname()[1]
        with contextlib.suppress(CannotListenError):  # a machine without IPv6
            listeners += open_listeners("::1", taken, BACKLOG)
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(readiness.run)
                nursery.start_soon(flusher.run)
                nursery.start_soon(sessions.deadlines.run)
                nursery.start_soon(Garbage().run)
                await nursery.start(door.serve, listeners)
                sys.stdout.write(f"listening on {taken}\n")
                sys.stdout.flush()
                async for _ in signals:
                    nursery.cancel_scope.cancel()

    trio.run(main)

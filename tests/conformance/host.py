"""Runs an application on chatd's own front door, sessions and hub, without the chat.

Prints `listening on PORT` when it is ready and ends on SIGTERM or SIGINT.
"""

import signal
import socket
from collections.abc import Callable

import trio

from chatd.engineio import HeartbeatSettings
from chatd.server.admission import Admission
from chatd.server.deadlines import Deadlines
from chatd.server.flusher import Flusher
from chatd.server.front_door import FrontDoor, FrontDoorSettings
from chatd.server.http_app import Health, build_app
from chatd.server.http_lane import HttpLane
from chatd.server.hub import Hub
from chatd.server.origin import OriginRules
from chatd.server.readiness import make_readiness
from chatd.server.session import Session, Sessions, SessionSettings
from chatd.server.sockets import Application, Handshake, SocketIOConnection


class NoStatus:
    """The health of a host that has none to tell of."""

    def health(self) -> Health:
        return Health("ok", 0, 0.0)


class Silence:
    """Events that nobody reads."""

    def emit(self, event: object) -> None:
        pass


def run_application(
    make: Callable[[Hub], Application],
    *,
    port: int,
    path: bytes = b"/socket.io/",
    heartbeat: HeartbeatSettings = HeartbeatSettings(25.0, 20.0),
    max_payload_bytes: int = 1_000_000,
    connect_timeout_s: float = 45.0,
) -> None:
    """Serve `make(hub)` on 127.0.0.1 until a signal comes."""

    async def main() -> None:
        emit = Silence()
        flusher = Flusher()
        hub = Hub(flusher)
        app = make(hub)
        sessions = Sessions(
            SessionSettings(heartbeat, max_payload_bytes, connect_timeout_s, 1_048_576),
            Deadlines(),
            flusher,
            emit,
        )
        readiness = make_readiness()

        def make_upper(session: Session, handshake: Handshake) -> SocketIOConnection:
            return SocketIOConnection(session, handshake, app, hub)

        door = FrontDoor(
            FrontDoorSettings(path, 10.0, 16_384, ()),
            sessions,
            readiness,
            Admission(
                handshakes_per_second=1e6,
                sessions_per_address=1e6,
                max_connections=100_000,
                now_s=trio.current_time(),
            ),
            OriginRules(("*",), is_loopback=True),
            HttpLane(build_app(NoStatus()), read_timeout_s=10.0, report_fault=lambda fault: None),
            make_upper,
            emit,
        )
        listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        listener.setblocking(False)
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(readiness.run)
                nursery.start_soon(flusher.run)
                nursery.start_soon(sessions.deadlines.run)
                await nursery.start(door.serve, [listener])
                print(f"listening on {port}", flush=True)
                async for _ in signals:
                    nursery.cancel_scope.cancel()

    trio.run(main)

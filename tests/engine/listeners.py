"""A listener on a real loopback socket, with an application that echoes.

Whoever leaves `open_door` has its promise checked: once the peers are gone nothing is left of them,
and no fault was reported.
"""

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson
import trio

from chatd.engine.admission import Admission
from chatd.engine.engine import Engine
from chatd.engine.flusher import Flusher
from chatd.engine.listener import Listener, ListenerSettings
from chatd.engine.polling import PollingTransport
from chatd.engine.session import UNBOUNDED, Handshake, Session, SessionSettings
from chatd.engine.sessions import Sessions
from chatd.engine.throttle import IDLE_WAITS_MAX
from chatd.engine.transport import Work
from chatd.engine.websocket import WebSocketTransport
from chatd.engineio.heartbeat import HeartbeatSettings
from chatd.net.addresses import Network
from chatd.net.deadlines import Deadlines
from chatd.net.disconnects import DisconnectReason
from chatd.net.http.connection import ConnectionLimits
from chatd.net.http.cors import CorsPolicy
from chatd.net.http.hypercorn import HypercornServer
from chatd.net.http.public import Health, public_app
from chatd.net.http.static import StaticFile, StaticFiles
from chatd.net.poller import Poller, make_poller
from chatd.observe import InternalError, SessionClosed
from chatd.observe.recorder import Recorder
from chatd.socketio.packet import Event
from chatd.sockets.connection import ATTACHMENTS_DUE_S, Application, SocketIOConnection
from chatd.sockets.emitter import free_event_packet
from chatd.sockets.local_adapter import LocalAdapter
from chatd.sockets.socket import Socket
from tests.net.peers import HARD_LIMIT_S, Peer, read_head, upgrade_request

PATH = b"/socket.io/"
HEARTBEAT = HeartbeatSettings(25.0, 20.0)
LOOPBACK_ONLY = CorsPolicy((), is_loopback=True)
BACKLOG_BYTES = 200_000
SEND_BUFFER_BYTES = 16_384  # of the kernel, so that a peer that does not read is soon behind


class EchoApp:
    """Says what it hears. `gate` holds back the event `wait`."""

    def __init__(self, adapter: LocalAdapter) -> None:
        self.adapter = adapter
        self.gate = trio.Event()
        self.waiting = trio.Event()
        self.sockets: list[Socket] = []
        self.answers: list[list[Any]] = []
        self.ended: list[tuple[str, DisconnectReason]] = []

    def on_connect(
        self, connection: SocketIOConnection, namespace: str, auth: dict[str, Any] | None
    ) -> Work | None:
        if namespace == "/custom" or namespace == "/":
            self.sockets.append(connection.accept(namespace))
        elif namespace == "/auth":
            connection.refuse(namespace, "unauthorized", {"code": "E_AUTH", "retry": False})
        else:
            connection.refuse(namespace, "Invalid namespace")
        return None

    def on_event(self, socket: Socket, event: Event) -> Work | None:
        match event.args:
            case ["echo", *_] | [int(), *_]:
                socket.emit(*event.args)
            case ["ack", *args]:
                socket.ack(event.ack_id, *args)
            case ["join", str(room)]:
                self.adapter.join(socket, room)
                socket.ack(event.ack_id)
            case ["say", str(room), what]:
                said = free_event_packet(socket.namespace, ["said", what])
                self.adapter.broadcast(socket.namespace, room, said)
            case ["say but me", str(room), what]:
                said = free_event_packet(socket.namespace, ["said", what])
                self.adapter.broadcast_volatile(socket.namespace, room, said, but=socket)
            case ["catch up", int(size)]:
                socket.session.send_catch_up(free_event_packet("/", ["page", "x" * size]))
            case ["question"]:
                socket.session.upper.ask(socket, self.answers.append, ["question", 42])
            case ["leave me"]:
                socket.session.upper.disconnect(socket)
            case ["crash"]:
                raise RuntimeError("a mistake of the application")
            case ["wait"]:
                return self._wait()
            case ["until taken"]:
                return self._until_taken(socket)
            case ["fail later"]:
                return self._fail()
        return None

    async def _wait(self) -> None:
        self.waiting.set()
        await self.gate.wait()

    async def _until_taken(self, socket: Socket) -> None:
        socket.emit("owed")
        await socket.session.drained()
        socket.emit("taken")

    async def _fail(self) -> None:
        raise RuntimeError("a mistake of the application, later")

    def on_disconnect(self, socket: Socket, reason: DisconnectReason) -> None:
        self.ended.append((socket.namespace, reason))


@attrs.define
class Door:
    """A running listener, and its parts."""

    door: Listener
    sessions: Sessions
    adapter: LocalAdapter
    admission: Admission
    recorder: Recorder
    app: EchoApp
    address: tuple[str, int]
    streams: list[trio.SocketStream] = attrs.field(factory=list)
    faults_expected: bool = False

    async def dial(self) -> trio.SocketStream:
        """A connection without a byte on it."""
        stream = await trio.open_tcp_stream(*self.address)
        self.streams.append(stream)
        return stream

    async def open(self, **request: Any) -> Peer:
        """A WebSocket, as far as its 101 and the OPEN packet."""
        stream = await self.dial()
        return await open_websocket(stream, **request)

    async def join(self) -> Peer:
        """A WebSocket in the main namespace."""
        peer = await self.open()
        await opening(peer)
        await peer.connect()
        return peer

    def identify(self) -> None:
        """Every session is a user's from now on."""
        for session in self.sessions.by_sid.values():
            session.identify("ada")

    @property
    def reasons(self) -> list[str]:
        """Why sessions ended, in order."""
        return [event.reason for event in self.recorder.of(SessionClosed)]

    async def emptied(self) -> None:
        """Wait until no connection is left, then see that nothing is left of any."""
        await self.admission.emptied()
        assert self.sessions.by_sid == {}
        assert self.adapter._rooms == {}
        assert self.admission.connections == 0
        assert self.admission._by_address == {}
        assert self.admission._pending == {}
        assert self.admission._connected == {}
        assert self.admission._unknown == self.admission._unknown_of == {}


async def open_websocket(stream: trio.SocketStream, **request: Any) -> Peer:
    await stream.send_all(upgrade_request(**request))
    head, rest = await read_head(stream)
    assert head.startswith(b"HTTP/1.1 101 "), head + rest
    return Peer(stream, head, rest)


async def opening(peer: Peer) -> dict[str, Any]:
    """The OPEN packet."""
    message = await peer.message()
    assert isinstance(message, str)
    assert message.startswith("0")
    return orjson.loads(message[1:])  # type: ignore[no-any-return]


def file_of(body: bytes, **coded: bytes) -> StaticFile:
    """A file as the page has them, with codings of it."""
    return StaticFile(
        b"text/plain", ((b"cache-control", b"no-cache"),), {**coded, "identity": body}
    )


def listen(send_buffer: int = SEND_BUFFER_BYTES) -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    listener.setblocking(False)
    return listener


@asynccontextmanager
async def open_door(
    *,
    heartbeat: HeartbeatSettings = HEARTBEAT,
    max_payload_bytes: int = 1_000_000,
    connect_timeout_s: float = 45.0,
    upgrade_timeout_s: float = 10.0,
    backlog_bytes: int = BACKLOG_BYTES,
    head_timeout_s: float = 10.0,
    max_head_bytes: int = 16_384,
    linger_s: float = 2.0,
    pipelined_bytes: int = 1_048_576,
    last_words_s: float = 30.0,
    idle_waits_max: int = IDLE_WAITS_MAX,
    handshakes_per_second: float = 1e6,
    sessions_per_address: float = 1e6,
    pending_sessions_per_address: float = 1e6,
    connections_per_address: float = 1e6,
    max_connections: int = 1000,
    origins: CorsPolicy = LOOPBACK_ONLY,
    readiness: Callable[[], Poller] = make_poller,
    make_app: Callable[[LocalAdapter], EchoApp] = EchoApp,
    attachments_due_s: float = ATTACHMENTS_DUE_S,
    files: StaticFiles | None = None,
    keep_alive_s: float = 15.0,
    send_timeout_s: float = 30.0,
    proxy_protocol: Sequence[Network] | None = None,
    stranger_payload_bytes: int = UNBOUNDED,
    node: str = "",
) -> AsyncIterator[Door]:
    recorder = Recorder()
    flusher = Flusher()
    adapter = LocalAdapter(flusher)
    app = make_app(adapter)
    waits = readiness()
    admission = Admission(
        handshakes_per_second=handshakes_per_second,
        sessions_per_address=sessions_per_address,
        pending_sessions_per_address=pending_sessions_per_address,
        connections_per_address=connections_per_address,
        max_connections=max_connections,
        now_s=trio.current_time(),
        trusted_proxies=proxy_protocol or (),
    )
    sessions = Sessions(
        SessionSettings(
            heartbeat,
            max_payload_bytes,
            connect_timeout_s,
            upgrade_timeout_s,
            backlog_bytes,
            stranger_payload_bytes,
            last_words_s=last_words_s,
            linger_s=linger_s,
            idle_waits_max=idle_waits_max,
        ),
        Deadlines(),
        flusher,
        recorder,
        admission,
    )

    def make_upper(session: Session, handshake: Handshake) -> SocketIOConnection:
        application: Application = app
        return SocketIOConnection(session, handshake, application, adapter, attachments_due_s)

    engine = Engine(sessions, admission, origins, make_upper, recorder, node=node)
    files = files or StaticFiles({"/": file_of(b"<!doctype html>")})
    http = HypercornServer(
        public_app(lambda: Health("ok", 0, 0.0), routes=files.routes()),
        body_timeout_s=head_timeout_s,
        report_fault=lambda fault: recorder.record(InternalError.of("http", fault)),
    )
    front = Listener(
        ListenerSettings(
            PATH,
            head_timeout_s,
            ConnectionLimits(
                max_head_bytes,
                backlog_bytes + max_payload_bytes,
                linger_s=linger_s,
                send_timeout_s=send_timeout_s,
                pipelined_bytes=pipelined_bytes,
            ),
            keep_alive_s=keep_alive_s,
            proxy_protocol=proxy_protocol,
        ),
        engine,
        waits,
        admission,
        http,
        recorder,
        static=files,
    )
    with listen() as listener, trio.fail_after(HARD_LIMIT_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waits.run)
            nursery.start_soon(flusher.run)
            nursery.start_soon(sessions.deadlines.run)
            await nursery.start(front.serve, [listener])
            door = Door(front, sessions, adapter, admission, recorder, app, listener.getsockname())
            yield door
            for stream in door.streams:
                await stream.aclose()
            await door.admission.emptied()
            for session in list(sessions.by_sid.values()):
                if isinstance(session.transport, PollingTransport):  # no connection ends it
                    session.end(DisconnectReason.SERVER_SHUTDOWN)
            await door.emptied()
            nursery.cancel_scope.cancel()
    if not door.faults_expected:
        assert recorder.of(InternalError) == []


def drop_work(transport: WebSocketTransport) -> str:
    """Take away what the connection would await next; the name of the function that it runs."""
    work, transport._work = transport._work, None
    assert work is not None
    work.close()
    return work.__name__

"""One port for all traffic: accept, read the head of the request, route.

`/socket.io/` is ours; everything else goes to Hypercorn, with the bytes that were read put back.
Every connection is one task in the front door's nursery, from accept to close; whatever happens in
it ends there. At the hard deadline every socket that is still open is shut down, so that no peer,
however silent, keeps a task.
"""

import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import Final

import attrs
import trio

from chatd.engineio import WEBSOCKET, Query, Refusal, check_request, open_packet, parse_query
from chatd.observe import Emit, HandshakeRefused, InternalError, SessionOpened
from chatd.observe.chance import unguessable_id
from chatd.server.admission import Admission, Network, Overload, client_address
from chatd.server.http_lane import HttpLane
from chatd.server.origin import OriginRules
from chatd.server.outgoing import Outgoing
from chatd.server.readiness import Readiness
from chatd.server.request import BadRequestError, HeadReader, RequestHead
from chatd.server.session import Session, Sessions, Upper
from chatd.server.sockets import Handshake
from chatd.server.websocket_lane import WebSocketLane
from chatd.websocket import encode_close, is_valid_key, switching_protocols

READ_BYTES: Final = 16_384  # one read of a head
ACCEPTS_MAX: Final = 64  # connections accepted before others get their turn
USER_TIMEOUT_MS: Final = 30_000  # TCP_USER_TIMEOUT: unacknowledged bytes for so long end it
ACCEPT_PAUSE_S: Final = 0.1  # before another accept, where the process is out of descriptors
TRANSPORTS: Final = (WEBSOCKET,)


@attrs.frozen
class FrontDoorSettings:
    """Bounds of what happens before there is a session. Times in seconds, sizes in bytes."""

    path: bytes
    head_timeout_s: float
    max_head_bytes: int
    trusted_proxies: Sequence[Network]


class FrontDoor:
    """Accepts connections and gives each of them to the lane that it asks for."""

    def __init__(
        self,
        settings: FrontDoorSettings,
        sessions: Sessions,
        readiness: Readiness,
        admission: Admission,
        origins: OriginRules,
        http: HttpLane,
        make_upper: Callable[[Session, Handshake], Upper],
        emit: Emit,
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._readiness = readiness
        self._admission = admission
        self._origins = origins
        self._http = http
        self._make_upper = make_upper
        self._emit = emit
        self._sockets: set[socket.socket] = set()  # all that are open and not handed over
        self._opening: set[socket.socket] = set()  # those of them whose head is not there yet

    async def serve(
        self,
        listeners: Sequence[socket.socket],
        task_status: trio.TaskStatus = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept from all listeners until cancelled; connections end with their own nursery."""
        async with trio.open_nursery() as connections, trio.open_nursery() as accepting:
            self._accepting = accepting
            for listener in listeners:
                accepting.start_soon(self._accept, listener, connections)
            task_status.started()

    def stop_accepting(self) -> None:
        """Take no new connections; those that have asked for something go on."""
        self._accepting.cancel_scope.cancel()
        for sock in self._opening:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def sever(self) -> None:
        """End every connection now, politeness aside."""
        for sock in self._sockets:
            with contextlib.suppress(OSError):  # the peer was faster
                sock.shutdown(socket.SHUT_RDWR)
        self._http.sever()

    async def _accept(self, listener: socket.socket, connections: trio.Nursery) -> None:
        while True:
            await trio.lowlevel.wait_readable(listener.fileno())
            for _ in range(ACCEPTS_MAX):
                try:
                    sock, peer = listener.accept()
                except BlockingIOError:
                    break
                except OSError as error:
                    # The peer is gone already, or descriptors have run out: neither is the end.
                    self._emit.emit(InternalError.of("accept", error))
                    await trio.sleep(ACCEPT_PAUSE_S)
                    break
                sock.setblocking(False)
                connections.start_soon(self._connection, sock, peer)

    async def _connection(self, sock: socket.socket, peer: object) -> None:
        """One connection, from its first byte to its last."""
        if not self._admission.open_connection():
            _say(sock, overloaded(Overload("max_connections", 1)))
            sock.close()
            return
        self._sockets.add(sock)
        try:
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if hasattr(socket, "TCP_USER_TIMEOUT"):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
            address = str(peer[0]) if isinstance(peer, tuple) else "local"
            reader = HeadReader(self._settings.max_head_bytes)
            self._opening.add(sock)
            head = await self._read_head(sock, reader)
            self._opening.discard(sock)
            if head is None:
                return
            if head.path.startswith(self._settings.path):
                await self._socket_io(sock, head, address)
            else:
                self._sockets.discard(sock)
                await self._http.serve(sock, reader.received)
        except Exception as error:
            self._emit.emit(InternalError.of("connection", error))
        finally:
            self._opening.discard(sock)
            self._sockets.discard(sock)
            self._admission.close_connection()
            sock.close()

    async def _read_head(self, sock: socket.socket, reader: HeadReader) -> RequestHead | None:
        """The head, or None where the peer never sent one that can be answered."""
        with trio.move_on_after(self._settings.head_timeout_s):
            while True:
                await trio.lowlevel.wait_readable(sock.fileno())
                try:
                    data = sock.recv(READ_BYTES)
                    if not data:
                        return None
                    head = reader.feed(data)
                except BlockingIOError:
                    continue
                except OSError:
                    return None
                except BadRequestError as error:
                    _say(sock, response(error.status, str(error).encode(), b"text/plain"))
                    return None
                if head is not None:
                    return head
        _say(sock, response(408, b"The request did not come in time.", b"text/plain"))
        return None

    async def _socket_io(self, sock: socket.socket, head: RequestHead, peer: str) -> None:
        query = parse_query(head.query)
        address = client_address(
            peer, head.header(b"x-forwarded-for"), self._settings.trusted_proxies
        )
        refusal = self._judge(head, query)
        if refusal is not None:
            self._emit.emit(HandshakeRefused(address, refusal.message))
            _say(sock, refused(refusal, is_upgrade=head.is_websocket))
            return
        if query.sid is not None:  # that session has its WebSocket, and keeps it (WIRE d3)
            _say(sock, switched(head) + encode_close())
            return
        overload = self._admission.open_session(address, trio.current_time())
        if overload is not None:
            self._emit.emit(HandshakeRefused(address, overload.limit))
            _say(sock, overloaded(overload))
            return
        try:
            await self._websocket(sock, head, query, address)
        finally:
            self._admission.close_session(address)

    def _judge(self, head: RequestHead, query: Query) -> Refusal | None:
        """Why this request may not open a session."""
        host, origin = head.header(b"host"), head.headers.get(b"origin")
        is_allowed = self._origins.allows_host(host) and self._origins.allows_origin(
            None if origin is None else origin.decode("latin-1"), host
        )
        refusal = check_request(
            query,
            head.method,
            is_upgrade=head.is_websocket,
            transports=TRANSPORTS,
            lookup=self._transport_of,
            is_allowed=is_allowed,
            origin=origin,
        )
        if refusal is not None:
            return refusal
        if head.headers.get(b"sec-websocket-version") != b"13" or not is_valid_key(
            head.headers.get(b"sec-websocket-key", b"")
        ):
            return Refusal.BAD_REQUEST
        try:
            switched(head)
        except ValueError:  # the subprotocol that it offers is no token
            return Refusal.BAD_REQUEST
        return None

    def _transport_of(self, sid: str) -> str | None:
        session = self._sessions.by_sid.get(sid)
        return None if session is None else session.transport.name

    async def _websocket(
        self, sock: socket.socket, head: RequestHead, query: Query, address: str
    ) -> None:
        settings = self._sessions.settings
        session = Session(self._sessions, unguessable_id(), address)
        lane = WebSocketLane(
            sock,
            self._readiness.watch(sock),
            session,
            self._emit,
            max_message_bytes=settings.max_payload_bytes,
            backlog_bytes=settings.backlog_bytes,
        )
        session.transport = lane
        handshake = Handshake(address, query, head.header(b"authorization"))
        session.upper = self._make_upper(session, handshake)
        self._emit.emit(SessionOpened(session.sid, lane.name, address))
        opening = Outgoing(
            open_packet(
                session.sid,
                (),
                round(settings.heartbeat.interval_s * 1000),
                round(settings.heartbeat.timeout_s * 1000),
                settings.max_payload_bytes,
            ).encode()
        )
        lane.begin(switched(head), opening)
        await lane.run(head.rest)


def switched(head: RequestHead) -> bytes:
    """The 101, with the first subprotocol that is offered. ValueError where that is no token."""
    offered = head.headers.get(b"sec-websocket-protocol")
    subprotocol = None if offered is None else offered.partition(b",")[0].strip()
    return switching_protocols(head.headers[b"sec-websocket-key"], subprotocol)


def response(status: int, body: bytes, content_type: bytes, extra: bytes = b"") -> bytes:
    """A whole response that ends its connection."""
    return (
        b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n%bConnection: close\r\n\r\n"
        % (status, _PHRASES[status], content_type, len(body), extra)
    ) + body


_PHRASES: Final = {
    400: b"Bad Request",
    403: b"Forbidden",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


def refused(refusal: Refusal, *, is_upgrade: bool) -> bytes:
    """The reference server's answer: JSON for polling, the bare sentence for a WebSocket."""
    status = 403 if refusal is Refusal.FORBIDDEN else 400
    if is_upgrade:
        return response(status, refusal.message.encode(), b"text/html")
    return response(status, refusal.body(), b"application/json")


def overloaded(overload: Overload) -> bytes:
    """503, and when to come back."""
    retry = b"Retry-After: %d\r\n" % overload.retry_after_s
    return response(503, b'{"message":"The server is busy."}', b"application/json", retry)


def _say(sock: socket.socket, answer: bytes) -> None:
    """Write a short last answer; a peer that does not take it does without."""
    with contextlib.suppress(OSError):
        sock.send(answer)
        sock.shutdown(socket.SHUT_WR)

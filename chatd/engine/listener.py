"""One port for all traffic: read the head of each request, route.

`/socket.io/` is ours, WebSocket and polling alike, but for the files of the client that lie there.
Files (`net.http.static`) are answered here too, and the connection is kept. Any other request is
the last of its connection: Hypercorn answers it (`net.http.hypercorn`), and never sees a byte of
the client's.
"""

import contextlib
import socket
import sys
from collections.abc import Awaitable, Callable, Container, Sequence
from functools import partial
from typing import Final, TypeAlias

import attrs
import trio

from chatd.engine.accepted_connection import AcceptedConnection
from chatd.engine.admission import Admission, CountedConnection, Overload, Vacancy
from chatd.engine.engine import Engine, switched
from chatd.engine.exchange import GAVE_WAY, Exchange, overloaded, refused
from chatd.engine.polling import PollingTransport
from chatd.engine.session import Session
from chatd.engine.websocket import WebSocketTransport
from chatd.engineio.handshake import parse_query
from chatd.net.acceptor import Acceptor
from chatd.net.addresses import Network, is_trusted, peer_address
from chatd.net.disconnects import DisconnectReason
from chatd.net.http.connection import ConnectionLimits, HttpConnection
from chatd.net.http.hypercorn import HypercornServer
from chatd.net.http.reader import RequestHead
from chatd.net.http.static import StaticFile, StaticFiles, encoded
from chatd.net.poller import Poller, Watch
from chatd.net.preamble import read_proxy_header
from chatd.observe import EventLog, HandshakeRefused, LimitHit
from chatd.websocket.frames import encode_close, encode_text

USER_TIMEOUT_MS: Final = 30_000  # TCP_USER_TIMEOUT: bytes unacknowledged for so long end it

UNTRUSTED_PROXY: Final = "proxy_untrusted"
"""Why a connection is closed that came around the proxies, whose header should have begun it."""
NO_PROXY_HEADER: Final = "proxy_protocol"
"""Why a connection of a trusted proxy is closed: its header is wrong, or did not come in time."""

# How a connection goes on after its polling requests: as a WebSocket, with Hypercorn, to its end.
Continuation: TypeAlias = Callable[[], Awaitable[None]]


@attrs.frozen
class ListenerSettings:
    """Bounds of one connection. Times in seconds, sizes in bytes."""

    path: bytes
    """Of Engine.IO, with a slash at its end."""
    head_timeout_s: float
    connection: ConnectionLimits
    files: Container[bytes] = frozenset()
    """Paths below it that are ordinary HTTP."""
    keep_alive_s: float = 15.0
    """An idle connection is closed after so long."""
    proxy_protocol: Sequence[Network] | None = None
    """The only networks that connections may come from, each connection with a header of the PROXY
    protocol at its beginning; None: there is no such header."""


@attrs.define(eq=False, repr=False)
class Listener:
    """Accepts connections and serves each of them as its requests ask."""

    _settings: ListenerSettings
    _engine: Engine
    _poller: Poller
    _admission: Admission
    _http: HypercornServer
    _event_log: EventLog
    _static: StaticFiles = attrs.field(factory=StaticFiles, kw_only=True)
    _acceptor: Acceptor = attrs.field(init=False)
    _requesting: dict[socket.socket, HttpConnection] = attrs.field(factory=dict, init=False)
    """Connections that are open as HTTP, and have not gone on as anything else."""
    _takes_requests: bool = attrs.field(default=True, init=False)

    def __attrs_post_init__(self) -> None:
        self._acceptor = Acceptor(self._connection, self._event_log)

    @property
    def is_open(self) -> trio.Event:
        """Connections are accepted."""
        return self._acceptor.is_open

    async def serve(
        self,
        listeners: Sequence[socket.socket],
        task_status: trio.TaskStatus = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept from all listeners until cancelled; connections end with their own nursery."""
        for listener in listeners:
            set_options(listener)
        await self._acceptor.run(listeners, task_status)

    def stop_accepting(self) -> None:
        """Take no new connections and no more requests: what was answered still goes out. Open
        WebSockets, and what Hypercorn answers, go on."""
        self._takes_requests = False
        self._acceptor.stop()
        for connection in self._requesting.values():
            connection.end()

    def leave_waiting(self) -> None:
        """Take no new connections, and leave them to any other process that has the listeners; all
        that is open goes on."""
        self._acceptor.stop()

    def sever_strangers(self, *, but_answered: bool = False) -> None:
        """End every connection that serves no user's session, and the sessions of nobody;
        `but_answered`: not those whose whole request is being answered."""
        for accepted in list(self._acceptor.open.values()):
            if not isinstance(accepted, AcceptedConnection) or accepted.is_known:
                continue
            if not (but_answered and accepted.is_answered):
                accepted.sever(DisconnectReason.SERVER_SHUTDOWN)

    def sever(self) -> None:
        """End every connection now, politeness aside."""
        self._acceptor.sever()

    async def _connection(self, sock: socket.socket, peer: object) -> None:
        """One connection, from its first byte to its last."""
        if not self._takes_requests:  # it was accepted just before
            self._acceptor.close(sock)
            return
        # Behind a proxy, all connections have one address: one text for all of them.
        accepted = AcceptedConnection(sock, sys.intern(peer_address(peer)), self._engine.sessions)
        del peer  # 145 bytes, for as long as the connection lasts
        if not self._has_room(sock, accepted.address, self._admission.open_connection(accepted)):
            self._acceptor.close(sock)
            return
        self._acceptor.open[sock] = accepted
        watch = self._poller.watch(sock)
        try:
            begun: bytes | None = b""
            proxies = self._settings.proxy_protocol
            if proxies is not None:
                begun = await self._behind_proxy(sock, watch, accepted, proxies)
            if begun is not None:
                # The requests live in a frame of their own, which ends before the connection goes
                # on: their bytes are not kept, nor is what it goes on with, which is 256 bytes.
                await (await self._requests(sock, watch, accepted, begun))()
        except Exception as error:
            self._acceptor.report(error)
        finally:
            connection = self._requesting.pop(sock, None)
            if connection is not None:
                connection.let_go()
            self._admission.close_connection(accepted)
            watch.close()
            self._acceptor.close(sock)

    def _has_room(
        self, sock: socket.socket, address: str, admitted: Vacancy[CountedConnection] | Overload
    ) -> bool:
        """Whether there is room for a connection; if not, the peer is told when to come back."""
        if isinstance(admitted, Overload):
            self._engine.log_refusal(address, admitted)
            with contextlib.suppress(OSError):
                sock.send(overloaded(admitted))
            return False
        if admitted.instead_of is not None:
            self._event_log.record(LimitHit(admitted.limit, None, address))
            admitted.instead_of.give_way(GAVE_WAY)
        return True

    async def _behind_proxy(
        self,
        sock: socket.socket,
        watch: Watch,
        accepted: AcceptedConnection,
        proxies: Sequence[Network],
    ) -> bytes | None:
        """Read whose connection this is, and count it as that address's; what came behind the
        header. None where it goes no further."""
        if not is_trusted(accepted.address, proxies):
            self._event_log.record(HandshakeRefused(accepted.address, UNTRUSTED_PROXY))
            return None
        header = await read_proxy_header(sock, watch, self._settings.head_timeout_s)
        if header is None:
            self._event_log.record(HandshakeRefused(accepted.address, NO_PROXY_HEADER))
            return None
        if not self._takes_requests:  # the drain began meanwhile
            return None
        if header.address is None:
            return header.rest
        moved = self._admission.move_connection(accepted, header.address)
        return header.rest if self._has_room(sock, header.address, moved) else None

    async def _requests(
        self, sock: socket.socket, watch: Watch, accepted: AcceptedConnection, begun: bytes
    ) -> Continuation:
        """Serve files and polling requests until the connection goes on as something else, or ends;
        `begun` are the first bytes of the requests."""
        settings = self._settings
        connection = HttpConnection(
            sock, watch, self._engine.sessions.deadlines, settings.connection, begun
        )
        self._requesting[sock] = connection
        head = await connection.head(settings.head_timeout_s, answer_late=True)
        while head is not None:
            if self._is_polling(head):
                head = await self._after_poll(connection, head, accepted)
            elif (file := self._static.find(head)) is not None:
                await connection.drained()
                head = await self._after_file(connection, head, file, accepted)
            else:
                break
        await connection.drained()
        return self._leave(watch, connection, None if connection.is_over else head, accepted)

    async def _after_poll(
        self, connection: HttpConnection, head: RequestHead, accepted: AcceptedConnection
    ) -> RequestHead | None:
        """Serve a request of the polling transport; the head that follows it."""
        accepted.query = head.query
        await connection.drained()
        if not await self._poll(connection, head, accepted.address):
            return None
        return await connection.head(self._settings.keep_alive_s, answer_late=False)

    async def _after_file(
        self,
        connection: HttpConnection,
        head: RequestHead,
        file: StaticFile,
        accepted: AcceptedConnection,
    ) -> RequestHead | None:
        """Serve a file; returns the head that follows it."""
        settings = self._settings
        # It has asked for something, and is still who it was.
        accepted.query = accepted.query or b""
        answer = encoded(head, file.answer(head), keeps_alive=head.keeps_alive)
        if connection.is_finished or not await connection.send(answer):
            return None
        if not head.keeps_alive:
            connection.finish(b"")
            return None
        return await connection.head(settings.keep_alive_s, answer_late=False)

    def _go_on_apart(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run what is left of a request, while its connection goes on or ends."""

        async def run() -> None:
            try:
                await work()
            except Exception as error:
                self._acceptor.report(error)

        self._acceptor.start_soon(run)

    def _is_polling(self, head: RequestHead) -> bool:
        return self._is_of_engine(head) and not head.is_websocket

    def _is_of_engine(self, head: RequestHead) -> bool:
        """Whether a request is Engine.IO's: below its path, with or without the last slash, and not
        for one of the files there."""
        settings, path = self._settings, head.path
        if path.startswith(settings.path):
            return path not in settings.files
        return path == settings.path[:-1]

    async def _poll(self, connection: HttpConnection, head: RequestHead, peer: str) -> bool:
        """Serve one request of the polling transport; returns whether another may follow."""
        engine, timeout_s = self._engine, self._settings.head_timeout_s
        arrival = engine.arrival(head, peer)
        headers = engine.cors(head, arrival) + engine.opening_headers(head)
        exchange = Exchange(connection, head, headers, self._go_on_apart, engine.sessions.flusher)
        await engine.poll(exchange, arrival, timeout_s)
        if not await exchange.ended(engine.sessions.settings.max_payload_bytes, timeout_s):
            engine.lost(exchange)
            return False
        return exchange.keeps_alive

    def _leave(
        self,
        watch: Watch,
        connection: HttpConnection,
        head: RequestHead | None,
        accepted: AcceptedConnection,
    ) -> Continuation:
        """How the connection goes on: as this request asks; without a request it ends."""
        del self._requesting[connection.sock]
        if head is None:
            return connection.hang_up
        accepted.query = head.query
        if self._is_of_engine(head):
            return self._websocket(watch, connection, head, accepted)
        return partial(
            self._http.serve, connection, head, accepted.address, accepted.carry, accepted.answering
        )

    def _websocket(
        self,
        watch: Watch,
        connection: HttpConnection,
        head: RequestHead,
        accepted: AcceptedConnection,
    ) -> Continuation:
        engine = self._engine
        query = parse_query(head.query)
        arrival = engine.arrival(head, accepted.address)
        denial = engine.judge(head, query, arrival)
        if denial is not None:
            connection.finish(refused(denial.refusal, denial.sentence))
            return connection.hang_up

        def make_transport(
            session: Session, probed: PollingTransport | None = None
        ) -> WebSocketTransport:
            return WebSocketTransport(connection.sock, watch, session, accepted, probed=probed)

        switching = switched(head)
        if query.sid is None:
            session = engine.open(head, query, arrival.address, make_transport)
            if isinstance(session, Overload):
                connection.finish(overloaded(session))
                return connection.hang_up
            accepted.session = session
            accepted.query = None  # it was asked for once, to find the session
            transport = session.transport
            assert isinstance(transport, WebSocketTransport)
            transport.write(switching + encode_text(engine.opening(session)))
            return _as_websocket(connection, transport)
        session = engine.sessions.by_sid[query.sid]
        carrier = session.transport
        if isinstance(carrier, PollingTransport):
            transport = make_transport(session, carrier)
            transport.write(switching)
            if carrier.attach(transport, session.settings.upgrade_timeout_s):
                return _as_websocket(connection, transport)
            switching = b""
        # There is a WebSocket already: this one is answered, closed, and belongs to no session.
        connection.finish(switching + encode_close())
        return connection.hang_up


def _as_websocket(connection: HttpConnection, transport: WebSocketTransport) -> Continuation:
    """A connection goes on as a WebSocket, which gets what followed its last request."""
    connection.let_go()
    return partial(transport.run, connection.rest)


def set_options(listener: socket.socket) -> None:
    """Set what every connection needs of TCP; accepted sockets inherit it, which saves calls for
    each.

    What is written goes out at once, and bytes that are never acknowledged end the connection.
    """
    if listener.family != socket.AF_UNIX:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)

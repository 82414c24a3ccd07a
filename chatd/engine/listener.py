"""One port for all traffic: accept, read the head of the request, route.

`/socket.io/` is ours, WebSocket and polling alike. Any other request is the last of its connection:
`http_lane` has it answered by Hypercorn, which never sees a byte of the client's. Every connection
is one task in the front door's nursery, from accept to close; whatever happens in it ends there. At
the hard deadline every socket that is still open is shut down, so that no peer, however silent,
keeps a task.
"""

import contextlib
import errno
import math
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, TypeAlias

import attrs
import trio

from chatd.engine.callers import Caller
from chatd.engine.engine import Engine, switched
from chatd.engine.polling import PollingTransport
from chatd.engine.session import Session
from chatd.engine.websocket import WebSocketTransport
from chatd.engineio import Refusal, parse_query
from chatd.net.addresses import peer_address
from chatd.net.admission import RETRY_AFTER_CEILING_S, Admission, Overload
from chatd.net.http.connection import (
    KEEP_ALIVE_S,
    OVERLOADED_BODY,
    HttpConnection,
    HttpExchange,
    response,
    status_of,
)
from chatd.net.http.hypercorn import HttpLane
from chatd.net.http.reader import RequestHead
from chatd.net.poller import Poller, Wait
from chatd.observe import EventLog, InternalError, LimitHit
from chatd.websocket import encode_close, encode_text

ACCEPTS_MAX: Final = 64  # connections accepted before others get their turn
USER_TIMEOUT_MS: Final = 30_000  # TCP_USER_TIMEOUT: unacknowledged bytes for so long end it
ACCEPT_PAUSE_S: Final = 0.1  # before another accept, where the process is out of descriptors
SHORTAGE_SAID_S: Final = 60.0  # so often it is said that there are none; meanwhile peers wait

# How a connection goes on after its requests to the front door: on a lane of its own.
Lane: TypeAlias = Callable[[], Awaitable[None]]


@attrs.frozen
class ListenerSettings:
    """Bounds of one connection. Times in seconds, sizes in bytes."""

    path: bytes
    head_timeout_s: float
    max_head_bytes: int


class Listener:
    """Accepts connections and gives each of them to the lane that it asks for."""

    def __init__(
        self,
        settings: ListenerSettings,
        engine: Engine,
        readiness: Poller,
        admission: Admission,
        http: HttpLane,
        event_log: EventLog,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._readiness = readiness
        self._admission = admission
        self._http = http
        self._event_log = event_log
        self._sockets: set[socket.socket] = set()  # all that are open
        self._idle: set[socket.socket] = set()  # those of them that wait for a head
        self._shortage_said_s = -math.inf
        self.is_open = trio.Event()  # connections are accepted

    async def serve(
        self,
        listeners: Sequence[socket.socket],
        task_status: trio.TaskStatus = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept from all listeners until cancelled; connections end with their own nursery."""
        for listener in listeners:
            set_options(listener)
        async with trio.open_nursery() as connections, trio.open_nursery() as accepting:
            self._accepting = accepting
            for listener in listeners:
                accepting.start_soon(self._accept, listener, connections)
            self.is_open.set()
            task_status.started()

    def stop_accepting(self) -> None:
        """Take no new connections; those that have asked for something go on."""
        self._accepting.cancel_scope.cancel()
        for sock in self._idle:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def sever(self) -> None:
        """End every connection now, politeness aside."""
        for sock in self._sockets:
            with contextlib.suppress(OSError):  # the peer was faster
                sock.shutdown(socket.SHUT_RDWR)

    async def _accept(self, listener: socket.socket, connections: trio.Nursery) -> None:
        try:
            await self._accept_from(listener, connections)
        finally:
            listener.close()  # who comes now is refused, and does not wait in the kernel for nobody

    async def _accept_from(self, listener: socket.socket, connections: trio.Nursery) -> None:
        while True:
            await trio.lowlevel.wait_readable(listener.fileno())
            for _ in range(ACCEPTS_MAX):
                try:
                    sock, peer = listener.accept()
                except BlockingIOError:
                    break
                except OSError as error:
                    # The peer is gone already, or descriptors have run out: neither is the end.
                    self._not_accepted(error)
                    await trio.sleep(ACCEPT_PAUSE_S)
                    break
                sock.setblocking(False)
                connections.start_soon(self._connection, sock, peer)

    def _not_accepted(self, error: OSError) -> None:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            self._event_log.record(InternalError.of("accept", error))
        elif (now_s := trio.current_time()) >= self._shortage_said_s + SHORTAGE_SAID_S:
            self._shortage_said_s = now_s
            self._event_log.record(LimitHit("descriptors", None, None))

    async def _connection(self, sock: socket.socket, peer: object) -> None:
        """One connection, from its first byte to its last."""
        caller = Caller(sock, peer_address(peer), self._engine.sessions)
        place = self._admission.open_connection(caller)
        if isinstance(place, Overload):
            self._engine.refused(caller.address, place)
            with contextlib.suppress(OSError):
                sock.send(overloaded(place))
            sock.close()
            return
        if place.instead_of is not None:
            self._event_log.record(LimitHit(place.limit, None, caller.address))
            place.instead_of.give_way(GAVE_WAY)
        self._sockets.add(sock)
        wait = self._readiness.watch(sock)
        try:
            # The requests live in a frame of their own, so that a lane does not keep their bytes.
            lane = await self._requests(sock, wait, caller)
            await lane()
        except Exception as error:
            self._event_log.record(InternalError.of("connection", error))
        finally:
            self._idle.discard(sock)
            self._sockets.discard(sock)
            self._admission.close_connection(caller)
            wait.close()
            sock.close()

    async def _requests(self, sock: socket.socket, wait: Wait, caller: Caller) -> Lane:
        """Serve requests until the connection goes on as something else, be it to its end."""
        sessions = self._engine.sessions
        connection = HttpConnection(
            sock,
            wait,
            sessions.deadlines,
            max_head_bytes=self._settings.max_head_bytes,
            # One response may be as large as a payload, and is asked for: it is no backlog.
            backlog_bytes=sessions.settings.backlog_bytes + sessions.settings.max_payload_bytes,
        )
        self._idle.add(sock)
        head = await connection.head(self._settings.head_timeout_s, answer_late=True)
        self._idle.discard(sock)
        if head is None or not self._is_polling(head):
            return self._leave(sock, wait, connection, head, caller)
        async with trio.open_nursery() as nursery:
            connection.start(nursery)
            while head is not None and self._is_polling(head):
                caller.query = head.query
                if not await self._poll(connection, head, caller.address):
                    head = None
                    break
                self._idle.add(sock)
                head = await connection.head(KEEP_ALIVE_S, answer_late=False)
                self._idle.discard(sock)
            await connection.drained()
            lane = self._leave(sock, wait, connection, head, caller)
            connection.stop()
            nursery.cancel_scope.cancel()
        return lane

    def _is_polling(self, head: RequestHead) -> bool:
        return head.path.startswith(self._settings.path) and not head.is_websocket

    async def _poll(self, connection: HttpConnection, head: RequestHead, peer: str) -> bool:
        """Serve one request of the polling transport; whether another may follow."""
        engine, timeout_s = self._engine, self._settings.head_timeout_s
        exchange = HttpExchange(connection, head, engine.cors(head) + engine.opening_headers(head))

        async def read_body(most_bytes: int) -> bytes | None:
            body = await connection.body(head, most_bytes, timeout_s)
            exchange.has_body = True
            return body

        await engine.poll(exchange, head, peer, read_body)
        if (
            connection.is_finished
            or not await self._skip_body(connection, exchange)
            or not await connection.until_answered(exchange)
        ):
            engine.lost(exchange, head)
            return False
        return exchange.keeps_alive

    async def _skip_body(self, connection: HttpConnection, exchange: HttpExchange) -> bool:
        """Drop a body that nobody wanted, where another request may follow; False without one."""
        if exchange.has_body or not exchange.keeps_alive:
            return True
        most_bytes = self._engine.sessions.settings.max_payload_bytes
        return await connection.skip_body(most_bytes, self._settings.head_timeout_s)

    def _leave(
        self,
        sock: socket.socket,
        wait: Wait,
        connection: HttpConnection,
        head: RequestHead | None,
        caller: Caller,
    ) -> Lane:
        """How the connection goes on: as this request asks, or to its end where there is none."""
        if head is None:
            return connection.hang_up
        caller.query = head.query
        if head.path.startswith(self._settings.path):
            return self._websocket(sock, wait, connection, head, caller)
        return partial(self._http.serve, connection, head)

    def _websocket(
        self,
        sock: socket.socket,
        wait: Wait,
        connection: HttpConnection,
        head: RequestHead,
        caller: Caller,
    ) -> Lane:
        engine, settings = self._engine, self._engine.sessions.settings
        query = parse_query(head.query)
        address = engine.address(head, caller.address)
        refusal = engine.judge(head, query)
        if refusal is not None:
            engine.refused(address, refusal)
            connection.finish(refused(refusal))
            return connection.hang_up

        def make_lane(
            session: Session, probed: PollingTransport | None = None
        ) -> WebSocketTransport:
            return WebSocketTransport(
                sock,
                wait,
                session,
                self._event_log,
                max_message_bytes=settings.max_payload_bytes,
                backlog_bytes=settings.backlog_bytes,
                probed=probed,
            )

        switching = switched(head)
        if query.sid is None:
            session = engine.open(head, query, address, make_lane)
            if isinstance(session, Overload):
                connection.finish(overloaded(session))
                return connection.hang_up
            caller.session = session
            lane = session.transport
            assert isinstance(lane, WebSocketTransport)
            lane.begin(switching + encode_text(engine.opening(session)))
            return partial(lane.run, connection.rest)
        session = engine.sessions.by_sid[query.sid]
        carrier = session.transport
        if isinstance(carrier, PollingTransport):
            lane = make_lane(session, carrier)
            lane.begin(switching)
            if carrier.attach(lane, settings.upgrade_timeout_s):
                return partial(lane.run, connection.rest)
            switching = b""
        # There is a WebSocket already: this one is answered, closed, and nobody's (WIRE d4).
        connection.finish(switching + encode_close())
        return connection.hang_up


def set_options(listener: socket.socket) -> None:
    """What every connection needs of TCP; accepted sockets inherit it, which saves calls for each.

    What is written goes out at once, and bytes that nobody acknowledges end the connection.
    """
    if listener.family != socket.AF_UNIX:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)


def refused(refusal: Refusal) -> bytes:
    """The reference server's answer to the handshake of a WebSocket: the bare sentence."""
    return response(status_of(refusal), refusal.message.encode(), b"text/html")


def overloaded(overload: Overload) -> bytes:
    """503, and when to come back."""
    retry = b"Retry-After: %d\r\n" % overload.retry_after_s
    return response(503, OVERLOADED_BODY, b"application/json", retry)


GAVE_WAY: Final = overloaded(Overload("", RETRY_AFTER_CEILING_S))  # to who had not asked yet

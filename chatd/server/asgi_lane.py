"""The slow lane: `/socket.io/` on a connection that Hypercorn holds, into the same sessions.

A client may ask for the health of the daemon and then, on the same connection, for a poll or an
upgrade (aiohttp's connection pool does). Polling is the same `Engine` with an exchange that a task
waits for; a WebSocket is a transport whose frames are Hypercorn's.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import trio

from chatd.engineio import Refusal, parse_query
from chatd.observe import InternalError, ProtocolViolated
from chatd.server.admission import Overload
from chatd.server.engine import Engine
from chatd.server.http_app import peer_of
from chatd.server.http_connection import (
    NO_STORE,
    OVERLOADED_BODY,
    PACKETS_TYPE,
    preflight_headers,
    status_of,
)
from chatd.server.http_lane import AsgiApp, BodyRefused, Message, Receive, Scope, Send
from chatd.server.outgoing import Outgoing
from chatd.server.patience import Later
from chatd.server.polling import PollingTransport
from chatd.server.reasons import DisconnectReason
from chatd.server.request import BadRequestError, RequestHead
from chatd.server.session import LAGGING_SHARE, Probed, Session

MESSAGES_PER_WAKE: Final = 64  # messages sent before the queue is looked at again
NORMAL: Final = 1000  # Hypercorn sends no close frame without a code (RFC 6455, 7.4.1)
TOO_LARGE: Final = 1009


class AsgiLane:
    """An ASGI application: `/socket.io/` to the engine, everything else to `inner`."""

    def __init__(self, engine: Engine, path: bytes, inner: AsgiApp) -> None:
        self._engine = engine
        self._path = path
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or not scope["raw_path"].startswith(self._path):
            await self._inner(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        engine, head = self._engine, request_head(scope)
        exchange = AsgiExchange(head, engine.cors(head) + engine.opening_headers(head))

        async def read_body(most_bytes: int) -> bytes | None:
            if head.declared_length > most_bytes:
                raise BadRequestError(413, "The body is too large.")
            body = bytearray()
            while True:
                try:
                    message = await receive()
                except BodyRefused as refused:
                    raise BadRequestError(refused.status, "The body was refused.") from refused
                if message["type"] != "http.request":
                    return None
                body += message["body"]
                if len(body) > most_bytes:
                    raise BadRequestError(413, "The body is too large.")
                if not message["more_body"]:
                    return bytes(body)

        async def serve() -> None:
            await engine.poll(exchange, head, peer_of(scope), read_body)
            with watching:
                await self._watch(exchange, head, receive)

        watching = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)  # a POST may go on after its answer
            await exchange.answered.wait()
            watching.cancel()
            await exchange.send(send)

    async def _watch(self, exchange: "AsgiExchange", head: RequestHead, receive: Receive) -> None:
        """See the end of a connection whose poll waits."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._engine.lost(exchange, head)
        exchange.cut()

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        engine, head = self._engine, request_head(scope, is_websocket=True)
        query, address = parse_query(head.query), self._engine.address(head, peer_of(scope))
        refusal = engine.judge(head, query)
        if refusal is not None:
            engine.refused(address, refusal)
            status = status_of(refusal)
            await _deny(send, status, refusal.message.encode(), b"text/html")
            return
        if query.sid is None:
            session = engine.open(
                head, query, address, lambda session: AsgiWebSocket(engine, session, receive, send)
            )
            if isinstance(session, Overload):
                retry = (b"retry-after", b"%d" % session.retry_after_s)
                await _deny(send, 503, OVERLOADED_BODY, b"application/json", retry)
                return
            lane = session.transport
            assert isinstance(lane, AsgiWebSocket)
            lane.send_now(Outgoing(engine.opening(session)))
        else:
            session = engine.sessions.by_sid[query.sid]
            carrier = session.transport
            probed = carrier if isinstance(carrier, PollingTransport) else None
            lane = AsgiWebSocket(engine, session, receive, send, probed=probed)
            limit_s = engine.sessions.settings.upgrade_timeout_s
            if probed is None or not probed.attach(lane, limit_s):
                await send({"type": "websocket.accept"})
                await send({"type": "websocket.close", "code": NORMAL})
                return
        await send({"type": "websocket.accept"})
        await lane.run()


class AsgiExchange:
    """One polling request, answered when `answered` is set."""

    def __init__(self, head: RequestHead, headers: bytes) -> None:
        """`headers` are complete lines for the response."""
        self.head = head
        self.answered = trio.Event()
        self._headers = headers
        self._response: tuple[int, bytes, bytes, bytes] | None = None

    async def send(self, send: Send) -> None:
        """Write the response, where there is one."""
        if self._response is None:
            return
        status, body, content_type, headers = self._response
        lines = [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
            *_header_pairs(headers + self._headers),
        ]
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _answer(self, status: int, body: bytes, content_type: bytes, headers: bytes = b"") -> None:
        if not self.answered.is_set():
            self._response = (status, body, content_type, headers)
            self.answered.set()

    def payload(self, body: bytes) -> None:
        self._answer(200, body, PACKETS_TYPE, NO_STORE)

    def taken(self, *, is_last: bool = False) -> None:
        ending = b"Connection: close\r\n" if is_last else b""
        self._answer(200, b"ok", b"text/html", NO_STORE + ending)

    def refused(self, refusal: Refusal) -> None:
        self._answer(status_of(refusal), refusal.body(), b"application/json")

    def failed(self) -> None:
        self._answer(400, b"", b"text/plain", b"Connection: close\r\n")

    def garbled(self) -> None:
        self._answer(400, Refusal.BAD_REQUEST.body(), b"application/json", b"Connection: close\r\n")

    def too_large(self, status: int) -> None:
        self._answer(status, b"", b"text/plain", b"Connection: close\r\n")

    def overloaded(self, overload: Overload) -> None:
        retry = b"Retry-After: %d\r\n" % overload.retry_after_s
        self._answer(503, OVERLOADED_BODY, b"application/json", retry)

    def preflight(self) -> None:
        self._answer(204, b"", b"text/plain", preflight_headers(self.head))

    def cut(self) -> None:
        self.answered.set()


class AsgiWebSocket:
    """A WebSocket whose frames are Hypercorn's: the transport of a session, or a probe for one."""

    name = "websocket"

    def __init__(
        self,
        engine: Engine,
        session: Session,
        receive: Receive,
        send: Send,
        *,
        probed: Probed | None = None,
    ) -> None:
        self._emit = engine.emit
        self._backlog_max = engine.sessions.settings.backlog_bytes
        self._session = session
        self._receive = receive
        self._send = send
        self.probed = probed
        self._queue: list[Outgoing] = []
        self._owed = 0
        self._allowance = 0
        self._news = trio.Event()
        self._caught_up = trio.Event()
        self._is_closing = False
        self._close_code = NORMAL
        self._max_message_bytes = engine.sessions.settings.max_payload_bytes
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Serve the connection until its peer is gone, or it is closed from this side."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._read)
                    await self._write()
                    nursery.cancel_scope.cancel()
        finally:
            self._lost(DisconnectReason.TRANSPORT_CLOSE)

    async def _read(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._scope.cancel()
                return
            if message["type"] == "websocket.receive":
                await self._take(message)

    async def _take(self, message: Message) -> None:
        content = message.get("text")
        if content is None:
            content = message["bytes"]
        if self._is_closing:
            return
        session = self._session
        if len(content if isinstance(content, bytes) else content.encode()) > (
            self._max_message_bytes
        ):
            self._refuse_large()
            return
        if self.probed is not None:
            self.probed.on_probe_message(self, content)
            return
        later: Later | None = (
            session.receive_text(content)
            if isinstance(content, str)
            else session.receive_binary(content)
        )
        if later is not None:
            session.awaiting = True
            try:
                await later()
            except Exception as error:
                self._emit.emit(InternalError.of("event", error))
                session.end(DisconnectReason.INTERNAL_ERROR)
            session.awaiting = False

    def _refuse_large(self) -> None:
        """Close with the code for a message that is larger than `maxPayload`."""
        self._emit.emit(
            ProtocolViolated(self._session.log_id, "websocket", "A message is too large.")
        )
        if self.probed is None:
            self._session.flush()
        self._close_code = TOO_LARGE
        self._lost(DisconnectReason.TRANSPORT_ERROR)
        self._news.set()

    async def _write(self) -> None:
        """Send what is queued, as the peer takes it, until the close frame."""
        while True:
            while self._queue:
                batch = self._queue[:MESSAGES_PER_WAKE]
                del self._queue[:MESSAGES_PER_WAKE]
                for outgoing in batch:
                    if outgoing.text:
                        await self._send({"type": "websocket.send", "text": outgoing.text.decode()})
                    for attachment in outgoing.attachments:
                        await self._send({"type": "websocket.send", "bytes": attachment})
                    self._owed -= outgoing.size
            self._allowance = 0
            self._caught_up.set()
            if self._is_closing:
                await self._send({"type": "websocket.close", "code": self._close_code})
                return
            self._news = trio.Event()
            await self._news.wait()

    def send_now(self, outgoing: Outgoing) -> None:
        """Queue something that is nobody's pending."""
        if self._is_closing:
            return
        if not self._queue:
            self._caught_up = trio.Event()
        self._queue.append(outgoing)
        self._owed += outgoing.size
        self._news.set()

    def flush(self) -> None:
        for outgoing in self._session.pending:
            self.send_now(outgoing)
        self._session.pending.clear()
        if self._owed > self._backlog_max + self._allowance:
            self._session.end(DisconnectReason.SLOW_CONSUMER, polite=False)

    def close(self, *, polite: bool) -> None:
        if not polite:
            self._is_closing = True
            self._scope.cancel()
            return
        self.flush()
        self.say_close()

    def peer_closed(self) -> None:
        self.close(polite=True)

    def say_close(self, last: Sequence[Outgoing] = ()) -> None:
        """What is last, then the close frame."""
        for outgoing in last:
            self.send_now(outgoing)
        self._is_closing = True
        self._news.set()

    @property
    def is_behind(self) -> bool:
        return bool(self._queue)

    @property
    def is_lagging(self) -> bool:
        return self._owed - self._allowance > self._backlog_max // LAGGING_SHARE

    def allow(self, size: int) -> None:
        self._allowance += size

    async def caught_up(self) -> None:
        if self._queue:
            await self._caught_up.wait()

    def _lost(self, reason: DisconnectReason) -> None:
        self._is_closing = True
        self._caught_up.set()
        if self.probed is None:
            self._session.lost(reason)
        else:
            self.probed.on_probe_lost(self)


def request_head(scope: Scope, *, is_websocket: bool = False) -> RequestHead:
    """An ASGI scope as the front door would have read it."""
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        headers[name] = headers[name] + b", " + value if name in headers else value
    method = "GET" if is_websocket else scope["method"]
    return RequestHead(
        method,
        scope["raw_path"],
        scope["query_string"],
        headers,
        keeps_alive=True,
        is_websocket=is_websocket,
        raw=b"",
    )


def _header_pairs(lines: bytes) -> list[tuple[bytes, bytes]]:
    pairs = []
    for line in lines.split(b"\r\n"):
        name, found, value = line.partition(b": ")
        if found:
            pairs.append((name.lower(), value))
    return pairs


async def _deny(
    send: Callable[[Message], Awaitable[None]],
    status: int,
    body: bytes,
    content_type: bytes,
    *more: tuple[bytes, bytes],
) -> None:
    """Answer the handshake of a WebSocket with something else."""
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    headers += [(b"connection", b"close"), *more]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body, "more_body": False})

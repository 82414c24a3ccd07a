"""The lane for ordinary HTTP/1.1: a connection that the front door took, served by Hypercorn.

Owns what lies between a socket and an ASGI application: the bytes that were read for routing and
are put back, every wait for the peer, the bound on a request's body, and the end of a connection.
Knows no route and no chat. DESIGN, "One port, two kinds of traffic".

Hypercorn is used from the inside (`TCPServer` over a stream of ours), which is why its minor
version is pinned and `tests/server/test_http_lane.py` is a contract test. Left alone, 0.18 does
some things that this module must answer for:

- its sends are shielded: a peer that stops reading holds the task, even against a cancellation.
  `_PutBackStream` bounds each send, and `HttpLane.sever` ends those that are under way;
- its `read_timeout` also runs while a response is being made, and the connection then goes back to
  keep-alive with nobody reading. It stays off. A head is bounded by the keep-alive timeout, which
  Hypercorn stops only at a complete head; a body by `_Exchange`; a response by the bound on sends;
- its queue towards the application holds ten pieces of a body, and it waits for room there in order
  to say that the response has ended: an application that answers early waits for itself, for ever.
  `_Exchange` keeps the queue moving;
- after a failed send, its reader can wait for ever for an earlier pipelined response, so a lost
  peer cancels the whole connection here;
- after the peer's end of file it keeps the socket for the rest of the keep-alive timeout;
- it follows `Upgrade: h2c` and HTTP/2's preface, which were never asked for.
"""

import math
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import h11
import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import wrap_app

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

CLOSE: Final = (b"connection", b"close")

SEND_PIECE_BYTES: Final = 64 * 1024
"""Bytes that must leave within the send timeout: so slow links with long responses live on."""

READ_BYTES: Final = 64 * 1024
"""Bytes read at once from a peer to whom no answer is due any more."""

LINGER_S: Final = 2.0
"""Seconds for which the rest of a refused request is read and dropped. A close with unread input
resets the connection, and the reset would overtake the answer (RFC 9112, 9.6)."""


class HttpLane:
    """Serves handed-over connections with one ASGI application.

    `app` sees "http" and "websocket" scopes, never "lifespan": what it needs was started before it.
    `report_fault` is told of an exception that the application or Hypercorn let out; the peer gets
    a 500 where that is still possible.

    Limits, and what happens beyond them:

    - `read_timeout_s`, seconds between two pieces of a request's body: 408;
    - `keep_alive_timeout_s`, seconds from the start of the connection, or from the last response,
      to the next complete head: closed;
    - `send_timeout_s`, seconds in which the peer takes no 64 KiB of a response: closed;
    - `max_head_bytes`: 431;
    - `max_body_bytes`, the most that any route takes: 413, and never more in memory; 1009 for a
      message of a WebSocket.
    """

    def __init__(
        self,
        app: AsgiApp,
        *,
        read_timeout_s: float,
        report_fault: Callable[[Exception], None],
        keep_alive_timeout_s: float = 15.0,
        send_timeout_s: float = 30.0,
        max_head_bytes: int = 16 * 1024,
        max_body_bytes: int = 1024 * 1024,
    ) -> None:
        self._app = app
        self._read_timeout_s = read_timeout_s
        self._send_timeout_s = send_timeout_s
        self._max_body_bytes = max_body_bytes
        self._report_fault = report_fault
        self._config = _hypercorn_config(keep_alive_timeout_s, max_head_bytes, max_body_bytes)
        self._context = WorkerContext(None)
        self._stopping = False
        self._sockets: set[socket.socket] = set()

    @property
    def connections(self) -> int:
        """How many sockets are handed over and not yet closed."""
        return len(self._sockets)

    async def serve(self, sock: socket.socket, received: bytes) -> None:
        """Serve one connection to its end, and close the socket.

        `sock` is non-blocking and belongs to the lane from here on; `received` is what was already
        read from it. Whatever the peer does, this returns; it raises only `Cancelled`.
        """
        self._sockets.add(sock)
        try:
            await self._serve(sock, received)
        except* Exception as faults:
            self._report_fault(faults)
        finally:
            self._sockets.discard(sock)
            sock.close()

    async def stop_idle(self) -> None:
        """Close the connections that wait for a next request; the others, after their response.

        A connection that is handed over later still gets one answer: "draining" has to be said.
        """
        self._stopping = True
        parting, self._context = self._context, WorkerContext(None)
        await parting.terminated.set()

    def sever(self) -> None:
        """Cut every connection now, for the hard deadline: sends that are shielded, too."""
        for sock in self._sockets:
            with suppress(OSError):  # the peer was faster
                sock.shutdown(socket.SHUT_RDWR)

    async def _serve(self, sock: socket.socket, received: bytes) -> None:
        with trio.CancelScope() as connection_scope:
            stream = _PutBackStream(
                trio.SocketStream(trio.socket.from_stdlib_socket(sock)),
                received,
                send_timeout_s=self._send_timeout_s,
                lost=connection_scope.cancel,
            )
            server = _Http1Server(
                wrap_app(self._answer, self._max_body_bytes, "asgi"),  # type: ignore[arg-type]  # scopes are plain dicts here
                self._config,
                self._context,
                ConnectionState({}),
                stream,  # type: ignore[arg-type]  # annotated as TLS; takes what has these methods
            )
            await server.run()
            if server.left_input_unread():
                await stream.linger()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application as Hypercorn sees it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(
            receive,
            send,
            read_timeout_s=self._read_timeout_s,
            max_body_bytes=self._max_body_bytes,
            is_last=lambda: self._stopping,
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(exchange.pump)
            try:
                await self._app(scope, exchange.receive, exchange.send)
            except BodyRefused as refusal:
                await exchange.refuse(refusal.status)
            except Exception as fault:
                self._report_fault(fault)
                await exchange.refuse(500)
            nursery.cancel_scope.cancel()


class BodyRefused(Exception):
    """Raised by an application's `receive`: the body was too long (413) or stalled (408).

    Meant to be let through; the lane answers with `status`.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"request body refused with {status}")
        self.status = status


class _Exchange:
    """One request and its response, between Hypercorn's queue and the application.

    `pump` takes pieces of the body as they come, wanted or not, and joins them, so that crumbs cost
    no more than their bytes. What goes beyond the bound is dropped, and `receive` then refuses.
    """

    def __init__(
        self,
        receive: Receive,
        send: Send,
        *,
        read_timeout_s: float,
        max_body_bytes: int,
        is_last: Callable[[], bool],
    ) -> None:
        self._from_peer = receive
        self._to_peer = send
        self._read_timeout_s = read_timeout_s
        self._max_body_bytes = max_body_bytes
        self._is_last = is_last
        self._started = False
        self._waiting = bytearray()
        self._body_bytes = 0
        self._ended = False
        self._end_delivered = False
        self._gone = False
        self._refusal: int | None = None
        self._news = trio.Event()

    async def pump(self) -> None:
        while not self._gone:
            settled = self._ended or self._refusal is not None
            with trio.move_on_after(math.inf if settled else self._read_timeout_s) as patience:
                message = await self._from_peer()
            if patience.cancelled_caught:
                self._refusal = 408
            elif message["type"] == "http.disconnect":
                self._gone = True
            else:
                self._take(message["body"])
                self._ended = not message["more_body"]
            self._news.set()
            self._news = trio.Event()

    def _take(self, piece: bytes) -> None:
        self._body_bytes += len(piece)
        if self._refusal is None and self._body_bytes > self._max_body_bytes:
            self._refusal = 413
        if self._refusal is None:
            self._waiting += piece
        else:
            self._waiting.clear()

    async def receive(self) -> Message:
        await trio.lowlevel.checkpoint()
        while True:
            if self._refusal is not None:
                raise BodyRefused(self._refusal)
            if self._waiting or (self._ended and not self._end_delivered):
                body = bytes(self._waiting)
                self._waiting.clear()
                self._end_delivered = self._ended
                return {"type": "http.request", "body": body, "more_body": not self._ended}
            if self._gone:
                return {"type": "http.disconnect"}
            await self._news.wait()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            if self._is_last():
                message = {**message, "headers": [*message.get("headers", ()), CLOSE]}
        await self._to_peer(message)

    async def refuse(self, status: int) -> None:
        """Answer with `status` and no body; after the start of a response, leave it cut short."""
        if self._started:
            return
        headers = [(b"content-length", b"0"), CLOSE]
        self._started = True
        await self._to_peer({"type": "http.response.start", "status": status, "headers": headers})
        await self._to_peer({"type": "http.response.body", "body": b"", "more_body": False})


class _PutBackStream:
    """What Hypercorn asks of a stream, over a `SocketStream` (final, hence a composition).

    Gives back `received` first. `aclose` only wakes who waits: the lane closes the socket, when all
    of Hypercorn's tasks have ended. A lost peer is told to `lost`, once a send or a read fails.
    """

    def __init__(
        self,
        stream: trio.SocketStream,
        received: bytes,
        *,
        send_timeout_s: float,
        lost: Callable[[], None],
    ) -> None:
        self.socket = stream.socket
        self._stream = stream
        self._put_back = received
        self._send_timeout_s = send_timeout_s
        self._lost = lost
        self._closed = False

    async def receive_some(self, max_bytes: int) -> bytes:
        if self._closed:
            raise trio.ClosedResourceError
        if self._put_back:
            await trio.lowlevel.checkpoint()
            piece, self._put_back = self._put_back[:max_bytes], self._put_back[max_bytes:]
            return piece
        try:
            return bytes(await self._stream.receive_some(max_bytes))
        except trio.BrokenResourceError:
            self._lost()
            raise

    async def send_all(self, payload: bytes) -> None:
        if self._closed:
            raise trio.ClosedResourceError
        try:
            for start in range(0, len(payload), SEND_PIECE_BYTES):
                with trio.fail_after(self._send_timeout_s):
                    await self._stream.send_all(payload[start : start + SEND_PIECE_BYTES])
        except trio.BrokenResourceError:
            self._lost()
            raise
        except trio.TooSlowError:
            self._lost()
            raise trio.BrokenResourceError("the peer takes no more of the response") from None

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        self._closed = True
        trio.lowlevel.notify_closing(self.socket.fileno())
        await trio.lowlevel.checkpoint()

    async def linger(self) -> None:
        """Read and drop until the peer's end, `LINGER_S` at most; our own end has been sent."""
        with trio.move_on_after(LINGER_S), suppress(trio.BrokenResourceError):
            while await self._stream.receive_some(READ_BYTES):
                pass


class _Http1Server(TCPServer):
    """Hypercorn's connection: HTTP/1.1 only, and over once its reader has ended and answered."""

    async def _read_data(self) -> None:
        self.protocol.protocol._check_protocol = _stay_with_http1  # type: ignore[union-attr, method-assign]  # it has no setting
        await super()._read_data()
        await self.idle_task.stop()

    def left_input_unread(self) -> bool:
        """Whether the peer may still be sending a request that was answered or given up."""
        if not hasattr(self, "protocol"):  # the peer was gone before anything began
            return False
        connection = self.protocol.protocol.connection
        return isinstance(connection, h11.Connection) and (
            connection.their_state is h11.SEND_BODY or connection.their_state is h11.ERROR
        )


async def _stay_with_http1(_request: h11.Request) -> None:
    """A server may ignore an upgrade that it does not want (RFC 9110, 7.8)."""


def _hypercorn_config(
    keep_alive_timeout_s: float, max_head_bytes: int, max_message_bytes: int
) -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = None  # its default is stderr; faults go to `report_fault`
    config.include_server_header = False
    config.keep_alive_timeout = keep_alive_timeout_s
    config.h11_max_incomplete_size = max_head_bytes
    config.websocket_max_message_size = max_message_bytes
    return config

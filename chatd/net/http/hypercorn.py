"""Ordinary HTTP/1.1: one request that was read here, answered by an application under Hypercorn.

Owns what lies between a connection and an ASGI application: judging a body before it is read,
reading it, the request as Hypercorn gets it, every wait for a peer that takes the response, and the
end of the connection. Knows no route and no chat.

No byte of the client's reaches Hypercorn's parsers. The head was judged by `reader`; the body is
read whole, and only if a route takes it; then Hypercorn is given a request that is written anew,
with the body's length and `Connection: close`. So it sees one request of a connection, never a
second, no chunks, and nothing that asks for another protocol. What the client sends beyond its
request is dropped.

A `Live` body goes past Hypercorn, whose tasks and queues for each response would be too many for a
thousand that never end.

Hypercorn is used from the inside (`TCPServer` over a stream of ours), which is why its minor
version is pinned and `tests/net/http/test_hypercorn.py` is a contract test. Left alone, 0.18 does
some things that this module must answer for:

- its sends are shielded: a peer that stops reading holds the task, even against a cancellation.
  `_OneRequest` bounds each send; at a hard deadline the owner of the socket shuts it down;
- after a failed send its tasks may wait for each other, so a lost peer cancels them all here;
- its queue towards the application holds ten pieces of a body: here there are two at most;
- its server, its protocol and the stream of a response that broke off know each other, so that the
  request would stay until the garbage collector looks for such circles: they are parted where the
  answer ends.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Final

import attrs
import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import wrap_app

from chatd.net.addresses import LOCAL
from chatd.net.http.app import (
    INTERNAL,
    AsgiMessage,
    AsgiScope,
    HttpApp,
    Live,
    Receive,
    Response,
    Send,
    refusal,
    send_response,
)
from chatd.net.http.connection import PHRASES, SEND_PIECE_BYTES, HttpConnection
from chatd.net.http.reader import BadRequestError, RequestHead

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"http2-settings",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Headers about the connection and the framing, which differ from here on (RFC 9110, 7.6.1)."""

UPGRADE_REFUSED: Final = refusal(
    400, "upgrade_refused", "Nothing is upgraded at this path; ask without an Upgrade header."
)


@attrs.define(eq=False, repr=False)
class HypercornServer:
    """Answers requests with one application, each as the last of its connection.

    `report_fault` gets an exception that the application or Hypercorn let out; the peer gets a 500
    where that is still possible.

    Limits, and what happens beyond them:

    - `body_timeout_s`, seconds for a body to come whole: 408;
    - `send_timeout_s`, seconds in which the peer takes no 64 KiB of a response: closed.
    """

    _app: HttpApp
    _body_timeout_s: float = attrs.field(kw_only=True)
    _report_fault: Callable[[Exception], None] = attrs.field(kw_only=True)
    _send_timeout_s: float = attrs.field(default=30.0, kw_only=True)
    _turnstile: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    """Only one request begins in a turn of the event loop: if thousands came at once, each would
    hold up everybody for 1 ms."""
    _config: Config = attrs.field(init=False)
    _context: WorkerContext = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._config = _hypercorn_config()
        self._context = WorkerContext(None)

    async def serve(
        self,
        connection: HttpConnection,
        head: RequestHead,
        peer: str = LOCAL,
        carries: Callable[[Any], None] = lambda _session: None,
        answering: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Answer the request with this head, which was the last that the connection gave; `peer` is
        the address of its other end, or of the client that a proxy names; `carries` is told the
        session of a `Live` body. A whole request is answered within `answering`.

        Returns when the peer has the response and has hung up, or has gone too far. Whatever it
        does, this raises only `Cancelled`; the socket stays open, and is the caller's.
        """
        async with self._turnstile:
            await trio.lowlevel.checkpoint()
        try:
            request = await self._whole(connection, head, peer)
            if request is None:
                pass
            elif self._app.is_live(head):
                await self._answer_live(connection, head, peer, carries)
            else:
                with answering():
                    await self._answer(connection, head, request, peer)
        except* Exception as faults:
            self._report_fault(faults)
        await connection.hang_up()

    async def _answer_live(
        self,
        connection: HttpConnection,
        head: RequestHead,
        peer: str,
        carries: Callable[[Any], None],
    ) -> None:
        answer: Response | None
        try:
            answer = await self._app.answer(head, peer)
        except Exception as fault:
            answer = self._faulty(head, peer, fault)
        if isinstance(answer.body, Live):
            answer = await answer.body.serve(connection, live_head(answer), carries)
            if answer is None:
                return
            answer = self._app.refuse(head, peer, answer)
        _finish(connection, head, answer)

    async def _whole(
        self, connection: HttpConnection, head: RequestHead, peer: str
    ) -> bytes | None:
        """The request as Hypercorn gets it; None if it was answered, or broke off."""
        if head.asks_for_upgrade:
            _finish(connection, head, self._app.refuse(head, peer, UPGRADE_REFUSED))
            return None
        if not head.has_body:
            return rewritten(head, b"")
        try:
            judged = await self._app.judge_body(head, peer)
        except Exception as fault:
            judged = self._faulty(head, peer, fault)
        if not isinstance(judged, int):
            _finish(connection, head, judged)
            return None
        try:
            body = await connection.body(head, judged, self._body_timeout_s)
        except BadRequestError as error:
            code = "body_too_large" if error.status == 413 else "bad_body"
            said = refusal(error.status, code, str(error))
        else:
            if body is not None:
                return rewritten(head, body)
            said = refusal(400, "body_incomplete", "The request ended before its body did.")
        _finish(connection, head, self._app.refuse(head, peer, said))
        return None

    async def _answer(
        self, connection: HttpConnection, head: RequestHead, request: bytes, peer: str
    ) -> None:
        with trio.CancelScope() as scope:
            stream = _OneRequest(
                trio.SocketStream(trio.socket.from_stdlib_socket(connection.sock)),
                request,
                send_timeout_s=self._send_timeout_s,
                lost=scope.cancel,
            )
            server = TCPServer(
                wrap_app(partial(self._run_app, connection, head, peer), 0, "asgi"),
                self._config,
                self._context,
                ConnectionState({}),
                stream,  # type: ignore[arg-type]  # annotated as TLS; takes what has these methods
            )
            try:
                await server
            finally:
                _part(server)
        if scope.cancelled_caught:
            connection.abort()
        else:
            connection.writer.finish(b"")

    async def _run_app(
        self,
        connection: HttpConnection,
        head: RequestHead,
        peer: str,
        scope: AsgiScope,
        receive: Receive,
        send: Send,
    ) -> None:
        """The application as Hypercorn sees it: an exception that it lets out is reported, and
        answered by a 500, as all errors are.

        Hypercorn asks the socket who its peer is, and does not know better.

        Hypercorn does not see the client hang up while the application is at work; the connection
        does, and reads on only if the application asks.
        """
        has_begun = is_whole = False

        async def receive_more() -> AsgiMessage:
            nonlocal is_whole
            if is_whole:
                await connection.until(lambda: False)
                return {"type": "http.disconnect"}
            message = await receive()
            is_whole = not message.get("more_body", False)
            return message

        async def send_on(message: AsgiMessage) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app({**scope, "client": (peer, 0)}, receive_more, send_on)
        except Exception as fault:
            answer = self._faulty(head, peer, fault)
            if not has_begun:  # else the response stays cut short
                await send_response(head.method, answer, send)

    def _faulty(self, head: RequestHead, peer: str, fault: Exception) -> Response:
        """The answer to a request in whose handling there was a fault, which is reported."""
        self._report_fault(fault)
        return self._app.refuse(head, peer, INTERNAL)


def rewritten(head: RequestHead, body: bytes) -> bytes:
    """A request of our own that means what the client's meant, and is the last one."""
    target = head.path + b"?" + head.query if head.query else head.path
    lines = [b"%b %b HTTP/%b" % (head.method.encode(), target, head.version.encode())]
    lines += [
        b"%b: %b" % (name, value) for name, value in head.headers.items() if name not in HOP_BY_HOP
    ]
    if body or b"content-length" in head.headers or head.is_chunked:
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join([*lines, b"connection: close", b"", body])


def _finish(connection: HttpConnection, head: RequestHead, answer: Response) -> None:
    """Answer with a response that is whole, as the last one."""
    assert isinstance(answer.body, bytes)
    connection.writer.finish(last_response(answer, is_bare=head.method == "HEAD"))


def last_response(answer: Response, *, is_bare: bool) -> bytes:
    """The bytes of a response; `is_bare`: without its body. A 204 has neither body nor length (RFC
    9110, 8.6)."""
    assert isinstance(answer.body, bytes)
    lines = [b"HTTP/1.1 %d %b" % (answer.status, PHRASES[answer.status])]
    lines += [b"%b: %b" % field for field in answer.headers]
    if answer.status != 204:
        lines.append(b"Content-Length: %d" % len(answer.body))
    body = b"" if is_bare or answer.status == 204 else answer.body
    return b"\r\n".join([*lines, b"Connection: close", b"", body])


def live_head(answer: Response) -> bytes:
    """The head of a response whose body ends with its connection (RFC 9112, 6.3)."""
    lines = [b"HTTP/1.1 %d %b" % (answer.status, PHRASES[answer.status])]
    lines += [b"%b: %b" % field for field in answer.headers]
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


@attrs.define(eq=False, repr=False)
class _OneRequest:
    """What Hypercorn asks of a stream: it reads one request, and writes to the peer.

    After the request nothing comes until the stream is closed, which happens once the response was
    written; the socket stays open. Where a send fails, `lost` is called.
    """

    _stream: trio.SocketStream
    _request: bytes
    _send_timeout_s: float = attrs.field(kw_only=True)
    _lost: Callable[[], None] = attrs.field(kw_only=True)
    _closed: trio.Event = attrs.field(factory=trio.Event, init=False)

    @property
    def socket(self) -> trio.socket.SocketType:
        return self._stream.socket

    async def receive_some(self, _max_bytes: int) -> bytes:
        request, self._request = self._request, b""
        if request:
            await trio.lowlevel.checkpoint()
            return request
        await self._closed.wait()
        raise trio.ClosedResourceError

    async def send_all(self, payload: bytes) -> None:
        if self._closed.is_set():
            raise trio.ClosedResourceError
        try:
            for start in range(0, len(payload), SEND_PIECE_BYTES):
                with trio.fail_after(self._send_timeout_s):
                    await self._stream.send_all(payload[start : start + SEND_PIECE_BYTES])
        except trio.BrokenResourceError as broken:
            self._lost()
            if broken.__cause__ is not None:  # from Python 3.13 on it lies in a circle with that
                broken.__cause__.__traceback__ = None
            raise
        except trio.TooSlowError:
            self._lost()
            raise trio.BrokenResourceError("the peer takes no more of the response") from None

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()  # the connection's end is its owner's

    async def aclose(self) -> None:
        self._closed.set()
        await trio.lowlevel.checkpoint()


def _part(server: TCPServer) -> None:
    """Have a server that has ended know nothing any more: neither its protocol nor, where a
    response broke off, the stream of that."""
    wrapper = vars(server).pop("protocol", None)
    for one in (getattr(wrapper, "protocol", None), wrapper, server):
        if one is not None:
            vars(one).clear()


def _hypercorn_config() -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = None  # its default is stderr; faults go to `report_fault`
    config.include_server_header = False
    config.keep_alive_timeout = math.inf  # nothing is waited for: the request is there, whole
    config.h11_max_incomplete_size = 2**31 - 1  # bounded before it was written anew
    return config

"""How Engine.IO answers by HTTP: one request that gets one response, and refusals of handshakes.

Owns statuses, content types and the headers of CORS. Knows no session. Source: Engine.IO 4, "HTTP
long-polling"; the bodies of errors are the reference server's (docs/architecture, "What real peers
send").
"""

from collections.abc import Awaitable, Callable
from typing import Final

import attrs

from chatd.engine.admission import RETRY_AFTER_CEILING_S, Overload
from chatd.engine.flusher import OWED_NOTHING, Flusher
from chatd.engine.outgoing import Outgoing
from chatd.engineio.handshake import Refusal
from chatd.net.http.connection import HttpConnection, response
from chatd.net.http.reader import RequestHead

PACKETS_TYPE: Final = b"text/plain; charset=UTF-8"
OVERLOADED_BODY: Final = b'{"message":"The server is busy."}'
PREFLIGHT: Final = (
    b"Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\n"
    b"Vary: Access-Control-Request-Headers\r\n"
)
NO_STORE: Final = b"cache-control: no-store\r\n"
KEEP_ALIVE: Final = b"Connection: keep-alive\r\n"
"""Said to clients of HTTP/1.0, which keep no connection unless they are told (RFC 9112, 9.3)."""


def refused(refusal: Refusal, sentence: str) -> bytes:
    """The reference server's answer to the handshake of a WebSocket: the bare sentence."""
    return response(refusal.status, sentence.encode(), b"text/html")


def overloaded(overload: Overload) -> bytes:
    """503, and after how many seconds to come back."""
    return response(503, OVERLOADED_BODY, b"application/json", _retry_after(overload))


def _retry_after(overload: Overload) -> bytes:
    return b"Retry-After: %d\r\n" % overload.retry_after_s


GAVE_WAY: Final = overloaded(Overload("", RETRY_AFTER_CEILING_S))
"""The answer to a connection that has to go before it has asked for anything."""


@attrs.define(eq=False, repr=False, weakref_slot=False)
class Exchange:
    """One request of the polling transport. `headers` are those of CORS and of the opening;
    `go_on_apart` runs what is left of a request once it was answered, in a task of its own.

    Packets, and the `ok` of a POST, are written at the end of the turn, by the flusher: so peers
    are not woken one by one between reads. What ends something is written at once.

    A body that comes in chunks, or after a 100, is never dropped: until it was read the connection
    ends with the answer.
    """

    _connection: HttpConnection
    head: RequestHead
    _headers: bytes
    go_on_apart: Callable[[Callable[[], Awaitable[None]]], None]
    _flusher: Flusher
    pending: list[Outgoing] = attrs.field(factory=list, init=False)
    """Always empty: a session's packets wait in the session. Whatever is flushed has such a
    list."""
    owed: int = attrs.field(default=OWED_NOTHING, init=False)  # as the flusher has it
    is_answered: bool = attrs.field(default=False, init=False)
    _is_last: bool = attrs.field(default=False, init=False)  # the server wants no other one
    _has_body: bool = attrs.field(init=False)  # read to its end, or the request has none

    @_has_body.default
    def _is_bare(self) -> bool:
        return not (self.head.has_body or self.head.expects_continue)

    @property
    def keeps_alive(self) -> bool:
        """Whether another request may follow the answer."""
        head = self.head
        if not head.keeps_alive or self._is_last:
            return False
        return self._has_body or not (head.is_chunked or head.expects_continue)

    async def body(self, max_bytes: int, timeout_s: float) -> bytes | None:
        """The body; None if the peer breaks off. Raises BadRequestError."""
        body = await self._connection.body(self.head, max_bytes, timeout_s)
        self._has_body = True
        return body

    async def ended(self, max_bytes: int, timeout_s: float) -> bool:
        """Return when it is answered; where another request may follow, an unwanted body is dropped
        first. False if the connection is over before."""
        connection = self._connection
        if connection.is_finished:
            return False
        if (
            self.keeps_alive
            and not self._has_body
            and not await connection.skip_body(max_bytes, timeout_s)
        ):
            return False
        return self.is_answered or await connection.until(lambda: self.is_answered)

    def payload(self, body: bytes, *, is_last: bool = False) -> None:
        """200, with packets; `is_last`: the connection may be about to end. The peer has asked for
        them, however many bytes they are, and gets nothing else before it has taken them."""
        self._connection.writer.allow(len(body))
        self._answer(200, body, PACKETS_TYPE, NO_STORE, is_urgent=is_last)

    def accepted(self) -> None:
        """200, `ok`, to a POST."""
        self._answer(200, b"ok", b"text/html", NO_STORE, is_urgent=False)

    def refused(self, refusal: Refusal, sentence: str | None = None) -> None:
        """An error of the reference server, as JSON; `sentence`, where more is known."""
        self._answer(refusal.status, refusal.body(sentence), b"application/json")

    def overloaded(self, overload: Overload) -> None:
        """503, and after how many seconds to come back."""
        self._answer(503, OVERLOADED_BODY, b"application/json", _retry_after(overload))

    def preflight(self) -> None:
        """204 to a request of CORS: any method, and the headers that were asked for."""
        wanted = self.head.headers.get(b"access-control-request-headers")
        allowed = b"" if wanted is None else b"Access-Control-Allow-Headers: %b\r\n" % wanted
        self._answer(204, b"", b"text/plain", PREFLIGHT + allowed)

    def failed(self, status: int = 400) -> None:
        """A status without a body, as the last answer: the rest of the request is not read."""
        self._is_last = True
        self._answer(status, b"", b"text/plain")

    def garbled(self) -> None:
        """400, as the last answer: where the next request would begin is unknown."""
        self._is_last = True
        self.refused(Refusal.BAD_REQUEST)

    def cut(self) -> None:
        """End the connection without an answer."""
        self.is_answered = True
        self._connection.abort()

    def flush(self) -> None:
        """Write the answer; the flusher calls this."""
        self._connection.flush()

    def fail(self, error: Exception) -> None:
        """It could not be written."""
        del error  # the socket's, which says no more than that the peer is gone
        self.cut()

    def _answer(
        self,
        status: int,
        body: bytes,
        content_type: bytes,
        headers: bytes = b"",
        *,
        is_urgent: bool = True,
    ) -> None:
        if self.is_answered:
            return
        self.is_answered = True
        keep_alive = self.keeps_alive
        headers += self._headers
        if keep_alive and self.head.version == "1.0":
            headers += KEEP_ALIVE
        data = response(status, body, content_type, headers, keep_alive=keep_alive)
        if self.head.method == "HEAD":
            data = data[: len(data) - len(body)]
        if not keep_alive:
            self._connection.finish(data)
            return
        if is_urgent:
            self._connection.write(data)
        else:
            self._connection.write_soon(data)
            self._flusher.touch(self)
        self._connection.go_on()

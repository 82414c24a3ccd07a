"""One connection of requests: keep-alive, pipelining, a poll that waits, and a clean end.

All that a client sends by HTTP is read here, whichever listener it came to and whoever answers. The
connection's own task reads and serves requests one after the other. A response may be written
by somebody else's turn (a poll that waits is answered by a broadcast): writing never waits, and the
task goes on reading meanwhile, so that the end of a connection is seen while its poll waits.
"""

import math
import socket
from typing import Final

import trio

from chatd.engineio import Refusal
from chatd.net.admission import Overload
from chatd.net.deadlines import Deadlines, Entry
from chatd.net.disconnects import DisconnectReason
from chatd.net.http.reader import BadRequestError, RequestHead, RequestReader
from chatd.net.poller import Wait
from chatd.net.writer import SocketWriter

READ_BYTES: Final = 65_536  # one read; more waits in the kernel
KEEP_ALIVE_S: Final = 15.0  # an idle connection is closed after so long
LINGER_S: Final = 2.0  # after the last response, how long the peer may take to hang up
LINGER_BYTES: Final = 16_777_216  # dropped meanwhile; a peer that sends more is cut off
PIPELINED_MAX: Final = 1_048_576  # bytes kept of requests that wait for one before them

PHRASES: Final = {
    200: b"OK",
    204: b"No Content",
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    413: b"Content Too Large",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
    505: b"HTTP Version Not Supported",
}
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

PACKETS_TYPE: Final = b"text/plain; charset=UTF-8"
OVERLOADED_BODY: Final = b'{"message":"The server is busy."}'
PREFLIGHT: Final = (
    b"Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\n"
    b"Vary: Access-Control-Request-Headers\r\n"
)
NO_STORE: Final = b"cache-control: no-store\r\n"


def response(
    status: int, body: bytes, content_type: bytes, headers: bytes = b"", *, keep_alive: bool = False
) -> bytes:
    """A whole response. `headers` are complete lines."""
    connection = b"" if keep_alive else b"Connection: close\r\n"
    return (
        b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n%b%b\r\n"
        % (status, PHRASES[status], content_type, len(body), headers, connection)
    ) + body


def status_of(refusal: Refusal) -> int:
    """The status of a refusal. What is forbidden is 403 on polling and WebSocket alike (SPEC 1),
    where the reference server answers a WebSocket with 400."""
    return refusal.status(is_upgrade=False)


def preflight_headers(head: RequestHead) -> bytes:
    """The header lines that answer a preflight: any method, and the headers that were asked for."""
    wanted = head.headers.get(b"access-control-request-headers")
    allowed = b"Access-Control-Allow-Headers: %b\r\n" % wanted if wanted is not None else b""
    return PREFLIGHT + allowed


class HttpConnection:
    """Reads requests from a socket and writes responses to it."""

    __slots__ = (
        "_deadlines",
        "_is_waiting_for_turn",
        "_reader",
        "_sock",
        "_timeout_answer",
        "_wait",
        "_writer",
        "deadline_entry",
        "is_over",
    )

    def __init__(
        self,
        sock: socket.socket,
        wait: Wait,
        deadlines: Deadlines,
        *,
        max_head_bytes: int,
        backlog_bytes: int,
    ) -> None:
        """`sock` is connected and non-blocking."""
        self._sock = sock
        self._wait = wait
        self._deadlines = deadlines
        self._reader = RequestReader(max_head_bytes)
        self._writer = SocketWriter(sock, backlog_bytes, self._failed, lambda: None)
        self._is_waiting_for_turn = False
        self._timeout_answer = b""
        self.deadline_entry: Entry | None = None
        self.is_over = False

    def start(self, nursery: trio.Nursery) -> None:
        """What a slow peer does not take at once is written by a task of this nursery."""
        self._writer.start(nursery)

    def stop(self) -> None:
        """The nursery ends."""
        self._writer.stop()

    @property
    def sock(self) -> socket.socket:
        """The socket, for who writes a response in another way."""
        return self._sock

    @property
    def is_finished(self) -> bool:
        """Whether the last response was written; what still comes is no request any more."""
        return self.is_over or self._writer.is_ending

    @property
    def rest(self) -> bytes:
        """What was read and belongs to no request yet."""
        return self._reader.rest

    async def head(self, timeout_s: float, *, answer_late: bool) -> RequestHead | None:
        """The next head, within `timeout_s`; None where none comes any more.

        Whoever is late is told 408 where `answer_late`, or where a head has begun; nothing between
        two requests. Half a head is told 400.
        """
        self._timeout_answer = response(408, b"", b"text/plain") if answer_late else b""
        self._deadlines.schedule(self, trio.current_time() + timeout_s)
        is_pipelined = True
        try:
            while not self.is_over:
                head = self._reader.head()
                if head is not None:
                    if is_pipelined:  # others get their turn between two requests of one read
                        await trio.lowlevel.checkpoint()
                    return head
                is_pipelined = False
                if self._reader.waiting_bytes:
                    self._timeout_answer = response(408, b"", b"text/plain")
                if not await self._read():
                    break
            if self._reader.waiting_bytes:
                self.finish(response(400, b"The request breaks off.", b"text/plain"))
        except BadRequestError as error:
            self.finish(response(error.status, str(error).encode(), b"text/plain"))
        finally:
            self._deadlines.schedule(self, math.inf)
        return None

    async def body(self, head: RequestHead, max_bytes: int, timeout_s: float) -> bytes | None:
        """The body of the request whose head came last; None where the peer breaks off.

        A client that waits for a 100 is told so first. Raises BadRequestError for a body that is
        too large or wrongly framed.
        """
        if head.expects_continue and head.declared_length <= max_bytes:
            self.write(CONTINUE)
        return await self._body(max_bytes, timeout_s, is_wanted=True)

    async def skip_body(self, max_bytes: int, timeout_s: float) -> bool:
        """Drop a body of declared length as it comes; whether another request may follow it."""
        try:
            return await self._body(max_bytes, timeout_s, is_wanted=False) is not None
        except BadRequestError:
            self.finish(b"")  # and hang up: a close now could overtake the answer
            return False

    async def _body(self, max_bytes: int, timeout_s: float, *, is_wanted: bool) -> bytes | None:
        self._timeout_answer = response(408, b"", b"text/plain")
        self._deadlines.schedule(self, trio.current_time() + timeout_s)
        try:
            while not self.is_over:
                body = self._reader.body(max_bytes, is_wanted=is_wanted)
                if body is not None:
                    return body
                if self._reader.can_go_on:
                    await trio.lowlevel.checkpoint()
                elif not await self._read():
                    return None
        finally:
            self._deadlines.schedule(self, math.inf)
        return None

    async def until_answered(self, exchange: "HttpExchange") -> bool:
        """Return when the request is answered; False where the peer is gone before."""
        while not exchange.is_answered and not self.is_over:
            if self._reader.waiting_bytes > PIPELINED_MAX:
                self.abort()
                return False
            self._is_waiting_for_turn = True
            try:
                if not await self._read():
                    return False
            finally:
                self._is_waiting_for_turn = False
        return exchange.is_answered

    async def _read(self) -> bool:
        """One read, and whether there is more to come."""
        await self._wait.readable()
        try:
            data = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            self.is_over = True
            return False
        if not data:
            self.is_over = True
            return False
        if len(data) == READ_BYTES:
            self._wait.again()
        self._reader.feed(data)
        return True

    def write(self, data: bytes) -> None:
        """A response, after which others may follow."""
        self._writer.write(data)

    def turn(self) -> None:
        """The response that pipelined requests waited for was written: go on with them."""
        if self._is_waiting_for_turn:
            self._wait.wake()

    def finish(self, data: bytes) -> None:
        """The last response."""
        self._writer.finish(data, LINGER_S)

    def abort(self) -> None:
        """End at once, without an answer."""
        self._writer.abort(DisconnectReason.FORCED_CLOSE)

    async def drained(self) -> None:
        """Return when the peer has taken every response."""
        await self._writer.caught_up()

    async def hang_up(self) -> None:
        """Read and drop what still comes after the last response, until the peer hangs up too.

        A close with unread input resets the connection, and the reset would overtake the response
        (RFC 9112, 9.6). A peer that takes its time, or sends without end, is cut off.
        """
        dropped = self._drop()
        with trio.move_on_after(LINGER_S):
            while not self.is_over and dropped <= LINGER_BYTES and await self._read():
                dropped += self._drop()

    def _drop(self) -> int:
        dropped = self._reader.waiting_bytes
        self._reader.drop()
        return dropped

    def on_deadline(self, now_s: float) -> float:
        if self._timeout_answer:
            self.finish(self._timeout_answer)
        self.abort()
        return math.inf

    def _failed(self, reason: DisconnectReason) -> None:
        self.is_over = True


class HttpExchange:
    """One request to answer. `headers` are those of CORS and of the opening response.

    `has_body`: the body was read to its end. One that comes in chunks, or after a 100, is never
    dropped: until it was read the connection ends with the answer.
    """

    __slots__ = ("_connection", "_headers", "_is_last", "has_body", "head", "is_answered")

    def __init__(self, connection: HttpConnection, head: RequestHead, headers: bytes) -> None:
        self._connection = connection
        self._headers = headers
        self._is_last = not head.keeps_alive
        self.head = head
        self.has_body = False
        self.is_answered = False

    @property
    def keeps_alive(self) -> bool:
        """Whether another request may follow the answer."""
        head = self.head
        can_drop = not (head.is_chunked or head.expects_continue)
        return not self._is_last and (self.has_body or can_drop)

    def answer(self, status: int, body: bytes, content_type: bytes, headers: bytes = b"") -> None:
        """Write the response; once."""
        if self.is_answered:
            return
        self.is_answered = True
        keep_alive = self.keeps_alive
        data = response(status, body, content_type, headers + self._headers, keep_alive=keep_alive)
        if self.head.method == "HEAD":
            data = data[: len(data) - len(body)]
        if keep_alive:
            self._connection.write(data)
            self._connection.turn()
        else:
            self._connection.finish(data)

    def payload(self, body: bytes) -> None:
        self.answer(200, body, PACKETS_TYPE, NO_STORE)

    def taken(self, *, is_last: bool = False) -> None:
        if is_last:
            self._is_last = True
        self.answer(200, b"ok", b"text/html", NO_STORE)

    def refused(self, refusal: Refusal) -> None:
        self.answer(status_of(refusal), refusal.body(), b"application/json")

    def failed(self) -> None:
        self._is_last = True
        self.answer(400, b"", b"text/plain")

    def garbled(self) -> None:
        """400; where the next request would begin nobody knows, so the connection ends."""
        self._is_last = True
        self.refused(Refusal.BAD_REQUEST)

    def overloaded(self, overload: Overload) -> None:
        retry = b"Retry-After: %d\r\n" % overload.retry_after_s
        self.answer(503, OVERLOADED_BODY, b"application/json", retry)

    def preflight(self) -> None:
        self.answer(204, b"", b"text/plain", preflight_headers(self.head))

    def too_large(self, status: int) -> None:
        """The rest of the body is not read, so the connection ends."""
        self._is_last = True
        self.answer(status, b"", b"text/plain")

    def cut(self) -> None:
        self.is_answered = True
        self._connection.abort()

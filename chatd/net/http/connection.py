"""One connection of requests: keep-alive, pipelining, a response that comes late, and a clean end.

All that a client sends by HTTP is read here, whichever listener accepted it and whatever answers.
The connection's own task reads and serves requests one after the other. Another task may write a
response (a broadcast answers a poll that waits): writing never waits, and the connection's task
goes on reading meanwhile, so that it sees the end of a connection while its poll waits.
"""

import math
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import attrs
import trio

from chatd.net.deadlines import Deadlines, TimerEntry
from chatd.net.disconnects import DisconnectReason
from chatd.net.http.reader import BadRequestError, RequestHead, RequestReader
from chatd.net.poller import Watch
from chatd.net.writer import SocketWriter

READ_BYTES: Final = 65_536  # one read; more waits in the kernel

SEND_PIECE_BYTES: Final = 64 * 1024
"""Bytes that a peer must take within a send timeout: so a slow link survives a long response."""

PHRASES: Final = {
    200: b"OK",
    201: b"Created",
    204: b"No Content",
    304: b"Not Modified",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    409: b"Conflict",
    410: b"Gone",
    413: b"Content Too Large",
    415: b"Unsupported Media Type",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    503: b"Service Unavailable",
    505: b"HTTP Version Not Supported",
}
T = TypeVar("T")

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


def response(
    status: int, body: bytes, content_type: bytes, headers: bytes = b"", *, keep_alive: bool = False
) -> bytes:
    """A whole response. `headers` are complete lines."""
    connection = b"" if keep_alive else b"Connection: close\r\n"
    return (
        b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n%b%b\r\n"
        % (status, PHRASES[status], content_type, len(body), headers, connection)
    ) + body


TIMED_OUT: Final = response(408, b"", b"text/plain")


@attrs.frozen
class ConnectionLimits:
    """Bounds of one connection. Times in seconds, sizes in bytes."""

    max_head_bytes: int
    backlog_bytes: int
    """Owed to a peer that does not read; beyond: the connection ends."""
    linger_s: float = 2.0
    """After the last response, how long the peer may take to hang up; beyond: cut off."""
    linger_bytes: int = 16_777_216
    """Dropped meanwhile; beyond: cut off."""
    send_timeout_s: float = 30.0
    """How long a peer may take for 64 KiB of a file, or of what it is owed before the next request
    is answered; beyond: cut off."""
    pipelined_bytes: int = 65_536
    """Kept of requests that wait for an earlier one, and a read on top; beyond: the connection
    ends. Clients send no request before the answer; but anybody can, on thousands of
    connections."""


@attrs.define(eq=False, repr=False, weakref_slot=False)
class HttpConnection:
    """Reads requests from a socket, which is connected and non-blocking. Responses go out at once
    by `write`, at the end of the turn by `write_soon` and `flush`, and the last one by `finish`;
    what `write_soon` is given goes out before the responses to the next requests."""

    sock: socket.socket
    _watch: Watch
    _deadlines: Deadlines
    _limits: ConnectionLimits
    _begun: bytes = b""  # of the first request, as far as it was read already
    _reader: RequestReader = attrs.field(init=False)
    writer: SocketWriter = attrs.field(init=False)
    _soon: bytes = attrs.field(default=b"", init=False)
    _has_read: bool = attrs.field(default=False, init=False)
    _is_waiting_for_turn: bool = attrs.field(default=False, init=False)
    _is_sending: bool = attrs.field(default=False, init=False)
    _ends_then: bool = attrs.field(default=False, init=False)  # once that was sent
    _timeout_answer: bytes = attrs.field(default=b"", init=False)
    deadline_entry: TimerEntry | None = attrs.field(default=None, init=False)
    is_over: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        limits = self._limits
        self._reader = RequestReader(limits.max_head_bytes)
        self._reader.feed(self._begun)
        self._begun = b""
        self.writer = SocketWriter(limits.backlog_bytes, self.sock, self, linger_s=limits.linger_s)

    @property
    def is_finished(self) -> bool:
        """Whether the last response was written; what still comes is not a request."""
        return self.is_over or self.writer.is_ending

    @property
    def watch(self) -> Watch:
        """What wakes the task that reads from the socket."""
        return self._watch

    @property
    def rest(self) -> bytes:
        """What was read and belongs to no request yet."""
        return self._reader.rest

    async def head(self, timeout_s: float, *, answer_late: bool) -> RequestHead | None:
        """The next head, within `timeout_s`; None if no more come.

        A peer that is late gets 408 if `answer_late`, or if a head has begun; it gets nothing
        between two requests. Half a head gets 400.
        """
        reader = self._reader
        try:
            if reader.waiting_bytes and not self.is_over and (head := reader.head()) is not None:
                await trio.lowlevel.checkpoint()  # others get their turn between two of one read
                return head
            is_late_told = answer_late or reader.waiting_bytes > 0
            self._begin_timeout(timeout_s, TIMED_OUT if is_late_told else b"")
            while not self.is_over and await self._read():
                if (head := reader.head()) is not None:
                    return head
                if reader.waiting_bytes:
                    self._timeout_answer = TIMED_OUT
            if reader.waiting_bytes:
                self.finish(response(400, b"The request breaks off.", b"text/plain"))
        except BadRequestError as error:
            self.finish(response(error.status, str(error).encode(), b"text/plain"))
        finally:
            self._deadlines.suspend(self)
        return None

    async def body(self, head: RequestHead, max_bytes: int, timeout_s: float) -> bytes | None:
        """The body of the request whose head came last; None if the peer breaks off.

        A client that waits for a 100 gets it first. Raises BadRequestError for a body that is too
        large or wrongly framed.
        """
        if head.expects_continue and head.declared_length <= max_bytes:
            self.write(CONTINUE)
        return await self._body(max_bytes, timeout_s, is_wanted=True)

    async def skip_body(self, max_bytes: int, timeout_s: float) -> bool:
        """Drop a body of declared length as it comes; returns whether another request may follow
        it."""
        try:
            return await self._body(max_bytes, timeout_s, is_wanted=False) is not None
        except BadRequestError:
            self.finish(b"")  # and hang up: a close now could overtake the answer
            return False

    async def _body(self, max_bytes: int, timeout_s: float, *, is_wanted: bool) -> bytes | None:
        reader = self._reader
        body = None if self.is_over else reader.body(max_bytes, is_wanted=is_wanted)
        if body is not None:  # it came with the head, as most do: nothing has to be timed
            return body
        self._begin_timeout(timeout_s, TIMED_OUT)
        try:
            while not self.is_over:
                if reader.can_go_on:
                    await trio.lowlevel.checkpoint()
                elif not await self._read():
                    break
                body = reader.body(max_bytes, is_wanted=is_wanted)
                if body is not None:
                    return body
        finally:
            self._deadlines.suspend(self)
        return None

    async def send(self, pieces: Sequence[bytes]) -> bool:
        """Write a response as fast as the peer takes it, without a copy of it; returns whether it
        took all.

        Nothing is read meanwhile. A peer that takes too long is cut off. What the writer owes comes
        first: call this only when it owes nothing.
        """
        timeout_s = self._limits.send_timeout_s
        left = [memoryview(piece) for piece in pieces if piece]
        self._is_sending = True
        self._begin_timeout(timeout_s, b"")
        timed_bytes = 0
        try:
            while left and not self.is_over:
                try:
                    sent = self.sock.sendmsg(left)
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(self.sock.fileno())
                    continue
                except OSError:
                    self.is_over = True
                    break
                left = _without(left, sent)
                timed_bytes += sent
                if timed_bytes >= SEND_PIECE_BYTES:
                    timed_bytes = 0
                    self._begin_timeout(timeout_s, b"")
        finally:
            self._is_sending = False
            self._deadlines.suspend(self)
        if self._ends_then:
            self.end()
        return not left

    async def until(self, is_answered: Callable[[], bool]) -> bool:
        """Return when the request is answered; False if the peer is gone before."""
        while not is_answered():
            if self.is_over:
                return False
            if self._reader.waiting_bytes > self._limits.pipelined_bytes:
                self.abort()
                return False
            self._is_waiting_for_turn = True
            try:
                if not await self._read():
                    return False
            finally:
                self._is_waiting_for_turn = False
        return True

    def write(self, data: bytes) -> None:
        """Write a response that another request may follow."""
        self.flush()
        self.writer.write(data)

    def write_soon(self, data: bytes) -> None:
        """The same, once somebody calls `flush`."""
        self._soon += data

    def flush(self) -> None:
        """Write what is to be written soon."""
        if self._soon:
            soon, self._soon = self._soon, b""
            self.writer.write(soon)

    def finish(self, data: bytes) -> None:
        """Write the last response."""
        self.flush()
        self.writer.finish(data)

    async def drained(self) -> None:
        """Return when the peer has taken all that it is owed, or is gone. One that takes too long
        is cut off."""
        self.flush()
        left = self.writer.owed_bytes
        while left:
            before = left
            with trio.move_on_after(self._limits.send_timeout_s):
                await self._while_writing(self.writer.drained)
            left = self.writer.owed_bytes
            if left and before - left < SEND_PIECE_BYTES:
                self.abort()
                return

    async def _read(self) -> bool:
        """One read, and whether there is more to come; meanwhile what is owed goes out."""
        if self.writer.needs_task:
            return await self._while_writing(self._read_once)
        return await self._read_once()

    async def _while_writing(self, wait: Callable[[], Awaitable[T]]) -> T:
        """Wait for this, while what the kernel has refused is written: there is a nursery, with a
        writer in it, only then. When it begins or ends, a read returns without having read."""
        async with trio.open_nursery() as nursery:
            self.writer.start(nursery)
            try:
                result = await wait()
            finally:
                self.writer.stop()  # before the nursery takes no more tasks
            nursery.cancel_scope.cancel()
        return result

    async def _read_once(self) -> bool:
        if self._has_read:
            await self._watch.readable()
        self._has_read = True  # the first request is nearly always there when its task begins
        try:
            data = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return not self.is_over  # woken for something else
        except OSError:
            data = b""
        if not data:
            self.is_over = True
            return False
        if len(data) == READ_BYTES:
            self._watch.again()
        self._reader.feed(data)
        return True

    def go_on(self) -> None:
        """The response that pipelined requests waited for was written: go on with them."""
        if self._is_waiting_for_turn:
            self._watch.wake()

    def abort(self) -> None:
        """End at once, without an answer."""
        self.writer.abort(DisconnectReason.FORCED_CLOSE)

    def end(self) -> None:
        """Take nothing more from the peer, whatever it is about to send: what it is owed goes out,
        and the connection ends."""
        if self._is_sending:
            self._ends_then = True
            return
        self.finish(b"")
        self.is_over = True
        self._watch.wake()

    async def hang_up(self) -> None:
        """Once the peer has taken the last response, read and drop what still comes after it, until
        the peer hangs up too.

        A close with unread input resets the connection, and the reset would overtake the response
        (RFC 9112, 9.6). A peer that takes its time, or sends without end, is cut off.
        """
        try:
            if not self.is_over:
                await self._hang_up()
        finally:
            self.let_go()

    async def _hang_up(self) -> None:
        await self.drained()
        limits = self._limits
        dropped = self._reader.drop()
        with trio.move_on_after(limits.linger_s):
            while dropped <= limits.linger_bytes and await self._read_once():
                dropped += self._reader.drop()

    def let_go(self) -> None:
        """The connection has ended, or goes on as something else: keep nothing of it."""
        self.writer.let_go()

    def _begin_timeout(self, timeout_s: float, answer: bytes) -> None:
        self._timeout_answer = answer
        self._deadlines.schedule(self, trio.current_time() + timeout_s)

    def on_deadline(self, now_s: float) -> float:
        if self._timeout_answer:
            self.finish(self._timeout_answer)
        self.abort()
        return math.inf

    def on_writer_failed(self, reason: DisconnectReason) -> None:
        self.is_over = True

    def on_writer_changed(self) -> None:
        self._watch.wake()


def _without(pieces: list[memoryview], size: int) -> list[memoryview]:
    """What is left of these pieces after their first `size` bytes."""
    for number, piece in enumerate(pieces):
        if size < len(piece):
            return [piece[size:], *pieces[number + 1 :]]
        size -= len(piece)
    return []

"""The WebSocket transport: one task for each connection, which reads and runs the codec.

The task waits, reads once, and hands the bytes to `feed`, which parses every frame in them and runs
the handlers of their events, synchronously. No channel, lock, cancel scope or spawn for a message.
What an event has to wait for is awaited by this same task before it reads on, so that order holds
and back-pressure reaches the peer's TCP.

Sending is one non-blocking write of all that is pending. What the kernel refuses goes to a bounded
backlog, drained by a writer task that exists only while there is one, in the connection's nursery.
"""

import contextlib
import socket

import trio

from chatd.observe import Emit, InternalError, ProtocolViolated
from chatd.server.outgoing import Outgoing
from chatd.server.readiness import Wait
from chatd.server.reasons import DisconnectReason
from chatd.server.session import Later, Session
from chatd.websocket import (
    Close,
    Decoder,
    Ping,
    ProtocolError,
    encode_close,
    encode_pong,
)

READ_BYTES = 65_536  # one read; more waits in the kernel
LINGER_S = 2.0  # after our close frame, how long the peer may take to answer and hang up


class WebSocketLane:
    """One WebSocket connection that carries a session. `__slots__`: there are thousands."""

    __slots__ = (
        "_allowance",
        "_backlog",
        "_backlog_max",
        "_caught_up",
        "_closing",
        "_decoder",
        "_emit",
        "_later",
        "_nursery",
        "_session",
        "_sock",
        "_wait",
    )

    name = "websocket"

    def __init__(
        self,
        sock: socket.socket,
        wait: Wait,
        session: Session,
        emit: Emit,
        *,
        max_message_bytes: int,
        backlog_bytes: int,
    ) -> None:
        """`sock` is connected and non-blocking; the 101 response is pending or sent already."""
        self._sock = sock
        self._wait = wait
        self._session = session
        self._emit = emit
        self._decoder = Decoder(max_message_bytes)
        self._backlog: bytearray | None = None
        self._backlog_max = backlog_bytes
        self._allowance = 0
        self._caught_up: trio.Event | None = None
        self._closing = False
        self._later: Later | None = None
        self._nursery: trio.Nursery | None = None

    def begin(self, response: bytes, opening: Outgoing) -> None:
        """Answer the handshake and open the session, in one write."""
        self._write(response + opening.frame)

    async def run(self, received: bytes) -> None:
        """Carry the session to its end; `received` is what followed the request."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                if self._backlog is not None:
                    nursery.start_soon(self._drain)
                if received:
                    self.feed(received)
                    await self._settle()
                await self._read()
                nursery.cancel_scope.cancel()
        finally:
            self._nursery = None
            self._closing = True
            self._session.lost(DisconnectReason.TRANSPORT_CLOSE)
            self._wait.forget()
            self._sock.close()

    async def _read(self) -> None:
        sock, wait = self._sock, self._wait
        while True:
            await wait.readable()
            try:
                data = sock.recv(READ_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                self._session.lost(DisconnectReason.TRANSPORT_ERROR)
                return
            if not data:
                return
            self.feed(data)
            if self._later is not None:
                await self._settle()

    async def _settle(self) -> None:
        """Await what an event has to wait for, then go on with the bytes behind it."""
        session = self._session
        while (later := self._later) is not None:
            self._later = None
            session.awaiting = True
            try:
                await later()
            except Exception as error:
                self._emit.emit(InternalError.of("event", error))
                session.end(DisconnectReason.INTERNAL_ERROR)
            session.awaiting = False
            self.feed(b"")

    def feed(self, data: bytes) -> None:
        """Parse `data` and handle what it completes, up to an event that has to wait."""
        if self._closing:
            return  # input after the close handshake began has no meaning any more
        session, decoder = self._session, self._decoder
        session.begin_feed()
        try:
            if data:
                decoder.receive(data)
            while (event := decoder.next_event()) is not None:
                if type(event) is str:
                    self._later = session.receive_text(event)
                elif type(event) is bytes:
                    self._later = session.receive_binary(event)
                elif isinstance(event, Ping | Close):
                    self._control(event)
                if self._later is not None or self._closing:
                    break
        except ProtocolError as error:
            self._emit.emit(ProtocolViolated(session.sid, "websocket", str(error)))
            session.flush()
            self._say_close(encode_close(error.code))
            session.lost(DisconnectReason.TRANSPORT_ERROR)
        session.end_feed()

    def _control(self, event: Ping | Close) -> None:
        if type(event) is Ping:
            self._session.flush()
            self._write(encode_pong(event.payload))
        elif type(event) is Close:
            self._session.flush()
            self._say_close(encode_close(event.code))
            self._session.lost(DisconnectReason.TRANSPORT_CLOSE)

    def flush(self) -> None:
        """Write all that is pending, in one go."""
        pending = self._session.pending
        if len(pending) == 1:
            frames = pending[0].frame
        else:
            frames = b"".join([outgoing.frame for outgoing in pending])
        pending.clear()
        self._write(frames)

    def _write(self, frames: bytes) -> None:
        if self._closing:
            return
        if self._backlog is not None:
            self._backlog += frames
            if len(self._backlog) > self._backlog_max + self._allowance:
                self._hang_up(DisconnectReason.SLOW_CONSUMER)
            return
        try:
            sent = self._sock.send(frames)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._hang_up(DisconnectReason.TRANSPORT_ERROR)
            return
        if sent == len(frames):
            self._allowance = 0
            return
        self._backlog = bytearray(memoryview(frames)[sent:])
        if len(self._backlog) > self._backlog_max + self._allowance:
            self._hang_up(DisconnectReason.SLOW_CONSUMER)
        elif self._nursery is not None:
            self._nursery.start_soon(self._drain)

    async def _drain(self) -> None:
        """Write the backlog as the peer takes it; ends when there is none."""
        while self._backlog:
            await trio.lowlevel.wait_writable(self._sock.fileno())
            if self._backlog is None:
                return  # given up meanwhile, and the connection with it
            try:
                sent = self._sock.send(self._backlog)
            except BlockingIOError:
                continue
            except OSError:
                self._hang_up(DisconnectReason.TRANSPORT_ERROR)
                return
            del self._backlog[:sent]
        self._settle_backlog()
        if self._closing:
            self._shut(socket.SHUT_WR)

    def _settle_backlog(self) -> None:
        self._backlog = None
        self._allowance = 0
        if self._caught_up is not None:
            self._caught_up.set()
            self._caught_up = None

    @property
    def is_behind(self) -> bool:
        return self._backlog is not None

    def allow(self, size: int) -> None:
        self._allowance += size

    async def caught_up(self) -> None:
        if self._backlog is not None:
            if self._caught_up is None:
                self._caught_up = trio.Event()
            await self._caught_up.wait()

    def close(self, *, polite: bool) -> None:
        """The session ends: a close frame without a code behind all that is pending."""
        if not polite:
            self._hang_up(DisconnectReason.FORCED_CLOSE)
            return
        if self._session.pending:
            self.flush()
        self._say_close(encode_close())

    def _say_close(self, frame: bytes) -> None:
        """Our close frame; then the peer has a little time to hang up before we do."""
        if self._closing:
            return
        self._write(frame)
        self._closing = True
        if self._backlog is None:
            self._shut(socket.SHUT_WR)
        if self._nursery is not None:
            self._nursery.start_soon(self._linger)

    async def _linger(self) -> None:
        await trio.sleep(LINGER_S)
        self._shut(socket.SHUT_RDWR)

    def _hang_up(self, reason: DisconnectReason) -> None:
        """End at once; the reading task sees the end of its input."""
        self._closing = True
        self._settle_backlog()
        self._shut(socket.SHUT_RDWR)
        self._session.lost(reason)

    def _shut(self, how: int) -> None:
        with contextlib.suppress(OSError):  # the peer was faster
            self._sock.shutdown(how)

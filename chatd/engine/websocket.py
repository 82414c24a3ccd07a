"""The WebSocket transport: one task for each connection, which reads and runs the codec.

The task waits, reads once, and hands the bytes to `feed`, which parses every frame in them and runs
the handlers of their events, synchronously. No channel, lock, cancel scope or spawn for a message;
of a read that brings very many, or one in very many crumbs, others get their turn in between. What
an event has to wait for is awaited by this same task before it reads on, so that order holds and
back-pressure reaches the peer's TCP.

A lane is born with a session, or it probes one that polls (`upgrade`): until the session switches,
its packets go to the `Probed` transport, and its end is not the session's.
"""

import socket
from collections.abc import Sequence

import trio

from chatd.engine.outgoing import Outgoing
from chatd.engine.session import LAGGING_SHARE, Session
from chatd.engine.throttle import PACKETS_PER_TURN
from chatd.engine.transport import Probed, Work
from chatd.net.disconnects import DisconnectReason
from chatd.net.poller import Wait
from chatd.net.writer import SocketWriter
from chatd.observe import EventLog, InternalError, ProtocolViolated
from chatd.websocket import (
    Close,
    Decoder,
    Fragments,
    Ping,
    Pong,
    ProtocolError,
    encode_close,
    encode_pong,
)

READ_BYTES = 65_536  # one read; more waits in the kernel
LINGER_S = 2.0  # after our close frame, how long the peer may take to answer and hang up


class WebSocketTransport:
    """One WebSocket connection. `__slots__`: there are thousands.

    `probed` is None once the lane carries its session.
    """

    __slots__ = (
        "_backlog_max",
        "_decoder",
        "_event_log",
        "_is_over",
        "_session",
        "_sock",
        "_wait",
        "_work",
        "_writer",
        "probed",
    )

    name = "websocket"

    def __init__(
        self,
        sock: socket.socket,
        wait: Wait,
        session: Session,
        event_log: EventLog,
        *,
        max_message_bytes: int,
        backlog_bytes: int,
        probed: Probed | None = None,
    ) -> None:
        """`sock` is connected and non-blocking."""
        self._sock = sock
        self._wait = wait
        self._session = session
        self._event_log = event_log
        self._backlog_max = backlog_bytes
        self._decoder = Decoder(max_message_bytes)
        self._writer = SocketWriter(sock, backlog_bytes, self._lost, wait.wake)
        self._work: Work | None = None
        self._is_over = False
        self.probed = probed

    def begin(self, response: bytes) -> None:
        """Answer the handshake, with whatever frames follow it."""
        self._writer.write(response)

    def send_now(self, outgoing: Outgoing) -> None:
        """Send something that is nobody's pending."""
        self._writer.write(outgoing.frame)

    async def run(self, received: bytes) -> None:
        """Serve the connection until its peer is gone; `received` is what followed the request."""
        try:
            if received:
                self.feed(received)
            while not self._is_over:
                if self._work is None and not self._writer.needs_task:
                    await self._read()
                    continue
                # Something waits, or is owed: only then is there a nursery, with a writer in it.
                async with trio.open_nursery() as nursery:
                    self._writer.start(nursery)
                    try:
                        await self._settle()
                    finally:
                        self._writer.stop()  # before the nursery takes no more tasks
                    nursery.cancel_scope.cancel()
        finally:
            if self._work is not None:
                self._work.close()  # nobody will await it
            self._lost(DisconnectReason.TRANSPORT_CLOSE)

    async def _read(self) -> None:
        """Read and feed, until the peer is gone or there is more to do than that."""
        sock, wait, outlet = self._sock, self._wait, self._writer
        while True:
            await wait.readable()
            try:
                data = sock.recv(READ_BYTES)
            except BlockingIOError:
                return  # woken for something else
            except OSError:
                self._is_over = True
                self._lost(DisconnectReason.TRANSPORT_ERROR)
                return
            if not data:
                self._is_over = True
                return
            if len(data) == READ_BYTES:
                wait.again()
            self.feed(data)
            if self._work is not None or outlet.needs_task or self._is_over:
                return

    async def _settle(self) -> None:
        """Await what events have to wait for, in their order, and read on until all is written."""
        session = self._session
        while not self._is_over and (self._work is not None or self._writer.needs_task):
            if self._work is None:
                await self._read()
                continue
            work, self._work = self._work, None
            session.awaiting = True
            try:
                await work
            except Exception as error:
                self._event_log.record(InternalError.of("event", error))
                session.end(DisconnectReason.INTERNAL_ERROR)
            session.awaiting = False
            self.feed(b"")

    def feed(self, data: bytes) -> None:
        """Parse `data` and handle what it completes, up to an event that has to wait."""
        session, decoder, outlet = self._session, self._decoder, self._writer
        try:
            if data:
                decoder.receive(data)
            left = PACKETS_PER_TURN
            while (event := decoder.next_event()) is not None:
                if outlet.is_ending:
                    if isinstance(event, Close):
                        self._is_over = True  # both have said it: no need to wait for TCP
                    elif isinstance(event, Fragments):
                        left = 1
                elif self.probed is not None and isinstance(event, str | bytes):
                    self.probed.on_probe_message(self, event)
                    self._work = session.idle()
                elif type(event) is str:
                    self._work = session.receive_text(event)
                elif type(event) is bytes:
                    self._work = session.receive_binary(event)
                elif isinstance(event, Ping | Pong):
                    self._work = self._control(event)
                elif isinstance(event, Close):
                    self._close_with(event)
                elif isinstance(event, Fragments):
                    self._work = session.idle()
                    left = 1
                if self._work is not None:
                    break
                left -= 1
                if left == 0:
                    self._work = _next_turn()
                    break
        except ProtocolError as error:
            self._event_log.record(ProtocolViolated(session.log_id, "websocket", str(error)))
            self._flush_own()
            self._writer.finish(encode_close(error.code), LINGER_S)
            self._lost(DisconnectReason.TRANSPORT_ERROR)

    def _control(self, event: Ping | Pong) -> Work | None:
        """Answer a ping; returns a wait where there are too many of either."""
        if isinstance(event, Ping):
            self._flush_own()
            self._writer.write(encode_pong(event.payload))
        return self._session.idle()

    def _close_with(self, event: Close) -> None:
        self._flush_own()
        self._writer.finish(encode_close(event.code), LINGER_S)
        self._is_over = not self._writer.is_behind
        self._lost(DisconnectReason.TRANSPORT_CLOSE)

    def _flush_own(self) -> None:
        """What is pending goes first, where this lane is the one that carries it."""
        if self.probed is None:
            self._session.flush()

    def _lost(self, reason: DisconnectReason) -> None:
        """The connection is over: so is the session, or only the probe."""
        if self.probed is None:
            self._session.lost(reason)
        else:
            self.probed.on_probe_lost(self)

    def flush(self) -> None:
        """Write all that is pending, in one go."""
        pending = self._session.pending
        if len(pending) == 1:
            frames = pending[0].frame
        else:
            frames = b"".join([outgoing.frame for outgoing in pending])
        pending.clear()
        self._writer.write(frames)

    def close(self, *, polite: bool) -> None:
        """The session ends: a close frame without a code behind all that is pending."""
        if not polite:
            self._writer.abort(DisconnectReason.FORCED_CLOSE)
            return
        if self._session.pending:
            self.flush()
        self.say_close()

    def peer_closed(self) -> None:
        """The peer ended the session by a packet of Engine.IO."""
        self.close(polite=True)

    def say_close(self, last: Sequence[Outgoing] = ()) -> None:
        """What is last, then a close frame without a code; the peer may answer, and hang up."""
        frames = b"".join(outgoing.frame for outgoing in last)
        self._writer.finish(frames + encode_close(), LINGER_S)

    @property
    def is_behind(self) -> bool:
        return self._writer.is_behind

    @property
    def is_lagging(self) -> bool:
        return self._writer.backlog_bytes > self._backlog_max // LAGGING_SHARE

    def allow(self, size: int) -> None:
        self._writer.allow(size)

    async def caught_up(self) -> None:
        await self._writer.caught_up()


async def _next_turn() -> None:
    """Let others run first."""
    await trio.lowlevel.checkpoint()

"""The WebSocket transport: one task for each connection, which reads and runs the codec.

The task waits, reads once, and hands the bytes to `feed`, which parses every frame in them and runs
the handlers of their events, synchronously. A message costs no channel, lock, cancel scope or
spawn; when a read brings very many messages, or one in very many crumbs, others get their turn in
between. What an event has to wait for is awaited by this same task before it reads on, so that
order holds and back-pressure reaches the peer's TCP.

A WebSocket is born with a session, or it probes one that polls (`upgrade`): until the session
switches, the packets of the WebSocket go to the `Probed` transport, and its end is not the
session's.
"""

import socket
from collections.abc import Sequence

import attrs
import trio

from chatd.engine.admission import CountedConnection
from chatd.engine.outgoing import Outgoing
from chatd.engine.session import Session
from chatd.engine.throttle import PACKETS_PER_TURN
from chatd.engine.transport import Probed, Work
from chatd.net.backlog import Backlog
from chatd.net.disconnects import DisconnectReason
from chatd.net.poller import Watch
from chatd.net.writer import SocketWriter
from chatd.websocket.decoder import Decoder
from chatd.websocket.frames import Close, Fragments, Ping, ProtocolError, encode_close, encode_pong

READ_BYTES = 65_536  # one read; more waits in the kernel


@attrs.define(eq=False, repr=False, weakref_slot=False)
class WebSocketTransport:
    """One WebSocket connection. Slots: there are thousands.

    `probed` is None once it carries its session.
    """

    _sock: socket.socket
    _watch: Watch
    _session: Session
    _connection: CountedConnection
    probed: Probed | None = attrs.field(default=None, kw_only=True)
    _decoder: Decoder = attrs.field(init=False)
    _writer: SocketWriter = attrs.field(init=False)
    _work: Work | None = attrs.field(default=None, init=False)
    _is_over: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        settings = self._session.settings
        self._decoder = Decoder(self._session.payload_bytes)
        self._writer = SocketWriter(
            settings.backlog_bytes, self._sock, self, linger_s=settings.linger_s
        )

    @property
    def name(self) -> str:
        return "websocket"

    @property
    def backlog(self) -> Backlog:
        return self._writer

    def write(self, data: bytes) -> None:
        """Send bytes ahead of all that is pending: the answer to the handshake, and to a probe."""
        self._writer.write(data)

    async def run(self, received: bytes) -> None:
        """Serve the connection until its peer is gone; `received` is what followed the request."""
        try:
            if received:
                self.feed(received)
            while not self._is_over:
                if self._work is None and not self._writer.needs_task:
                    await self._watch.reads(self)
                else:
                    await self._settle()
        finally:
            if self._work is not None:
                self._work.close()  # it will not be awaited
                self._work = None
            self._lost(DisconnectReason.TRANSPORT_CLOSE)
            self._writer.let_go()

    def read(self) -> bool:
        """Read once and feed; returns whether the peer is gone, or there is more to do than to read
        on."""
        try:
            data = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            return self._writer.needs_task  # nobody was parked for the writer to wake, perhaps
        except OSError:
            self._is_over = True
            self._lost(DisconnectReason.TRANSPORT_ERROR)
            return True
        if not data:
            self._is_over = True
            return True
        if len(data) == READ_BYTES:
            self._watch.again()
        self.feed(data)
        return self._work is not None or self._writer.needs_task or self._is_over

    async def _settle(self) -> None:
        """Do what waits, and write what is owed: only for this there is a nursery, with a writer in
        it."""
        async with trio.open_nursery() as nursery:
            self._writer.start(nursery)
            try:
                await self._settle_work()
            finally:
                self._writer.stop()  # before the nursery takes no more tasks
            nursery.cancel_scope.cancel()

    async def _settle_work(self) -> None:
        """Await what events have to wait for, in their order, and read on until all is written."""
        session = self._session
        while not self._is_over and (self._work is not None or self._writer.needs_task):
            if self._work is None:
                await self._watch.reads(self)
                continue
            work, self._work = self._work, None
            await session.perform(work)
            self.feed(b"")

    def feed(self, data: bytes) -> None:
        """Parse `data` and handle what it completes, up to an event that has to wait."""
        session, decoder, writer = self._session, self._decoder, self._writer
        try:
            if data:
                decoder.receive(data)
            left = PACKETS_PER_TURN
            while (event := decoder.next_event()) is not None:
                if writer.is_ending:
                    if isinstance(event, Close):
                        self._is_over = True  # both sides have said it: no need to wait for TCP
                    elif isinstance(event, Fragments):
                        left = 1
                elif type(event) is str or type(event) is bytes:
                    if self.probed is None:
                        self._work = session.receive(event)
                    else:
                        self.probed.on_probe_message(self, event)
                        self._work = session.idle()
                elif isinstance(event, Close):
                    self._close_with(event)
                else:
                    if isinstance(event, Ping):
                        self._flush_own()
                        self._writer.write(encode_pong(event.payload))
                    elif isinstance(event, Fragments):
                        left = 1
                    self._work = session.idle()
                if self._work is not None:
                    break
                left -= 1
                if left == 0:
                    self._work = trio.lowlevel.checkpoint()  # noqa: ASYNC105 - `_settle` awaits it
                    break
        except ProtocolError as error:
            session.report_violation("websocket", error)
            self._flush_own()
            self._writer.finish(encode_close(error.code))
            self._lost(DisconnectReason.TRANSPORT_ERROR)

    def _close_with(self, event: Close) -> None:
        self._flush_own()
        self._writer.finish(encode_close(event.code))
        self._is_over = not self._writer.owed_bytes
        self._lost(DisconnectReason.TRANSPORT_CLOSE)

    def _flush_own(self) -> None:
        """Send what is pending first, if this transport carries the session."""
        if self.probed is None:
            self._session.flush()

    def _lost(self, reason: DisconnectReason) -> None:
        """The connection is over: so is the session, or only the probe."""
        if self.probed is None:
            self._session.lost(reason)
        else:
            self.probed.on_probe_lost(self)

    def on_writer_failed(self, reason: DisconnectReason) -> None:
        self._lost(reason)

    def on_writer_changed(self) -> None:
        self._watch.wake()

    def identified(self) -> None:
        self._session.vouch_for(self._connection)
        self._decoder.max_message_bytes = self._session.payload_bytes

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
        """The session ends: send a close frame without a code after all that is pending."""
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
        """Send what is last, then a close frame without a code; the peer may answer, and hang
        up."""
        frames = b"".join(outgoing.frame for outgoing in last)
        self._writer.finish(frames + encode_close())

"""Server-sent events as a transport: one response that never ends (HTML standard, 9.2).

It carries a session as a WebSocket does, and has its heartbeat, backlog and end: a ping is a
comment, and is answered once the peer has taken it. It only sends. What the peer sends after its
request is dropped, up to a bound. The owner of the stream says how a packet is written.
"""

import socket
from collections.abc import Callable
from typing import Final

import attrs
import trio

from chatd.engine.outgoing import Outgoing
from chatd.engine.session import PING, Session
from chatd.engine.transport import Work
from chatd.engineio.packet import Packet, PacketType
from chatd.net.backlog import Backlog
from chatd.net.disconnects import DisconnectReason
from chatd.net.poller import Watch
from chatd.net.writer import SocketWriter

INPUT_BYTES_MAX: Final = 16_384
"""So much of what the peer sends after its request is dropped; beyond: the end."""
READ_BYTES: Final = 65_536
"""One read; what fills it is too much already."""
_HEARTBEAT: Final = b":\n\n"


@attrs.define(eq=False, repr=False, weakref_slot=False)
class EventStreamTransport:
    """One stream. `write_event` makes the bytes of a packet; no bytes if the stream does not carry
    it."""

    name = "events"

    _sock: socket.socket
    _watch: Watch
    _session: Session
    _write_event: Callable[[Outgoing], bytes]
    _writer: SocketWriter = attrs.field(init=False)
    _dropped_bytes: int = attrs.field(default=0, init=False)
    _is_over: bool = attrs.field(default=False, init=False)
    _owes_pong: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        settings = self._session.settings
        self._writer = SocketWriter(
            settings.backlog_bytes, self._sock, self, linger_s=settings.linger_s
        )

    @property
    def backlog(self) -> Backlog:
        return self._writer

    async def run(self, head: bytes, work: Work) -> None:
        """Send the head of the response, and serve the stream until its peer is gone; `work` runs
        beside it, and is cut off then."""
        self._writer.write(head)
        async with trio.open_nursery() as nursery:
            self._writer.start(nursery)
            try:
                nursery.start_soon(self._perform, work)
                while not self._is_over:
                    await self._read()
            finally:
                self._writer.stop()
                self._session.lost(DisconnectReason.TRANSPORT_CLOSE)
                self._writer.let_go()
                nursery.cancel_scope.cancel()

    async def _perform(self, work: Work) -> None:
        """As `Session.perform`, but a peer that takes nothing meanwhile is not excused: it has
        asked for everything that it will ever ask for."""
        try:
            await work
        except Exception as error:
            self._session.fail(error, where="event")

    async def _read(self) -> None:
        await self._watch.readable()
        try:
            dropped = len(self._sock.recv(READ_BYTES))
        except BlockingIOError:
            return
        except OSError:
            dropped = 0
        self._dropped_bytes += dropped
        self._is_over = dropped == 0 or self._dropped_bytes > INPUT_BYTES_MAX

    def flush(self) -> None:
        """Write all that is pending, in one go."""
        pending = self._session.pending
        events = [_HEARTBEAT if one is PING else self._write_event(one) for one in pending]
        self._owes_pong = self._owes_pong or PING in pending
        pending.clear()
        written = b"".join(events)
        if written:
            self._writer.write(written)
            self.on_writer_changed()

    def on_writer_failed(self, reason: DisconnectReason) -> None:
        self._session.lost(reason)

    def on_writer_changed(self) -> None:
        """The peer may have taken all: then it has taken a heartbeat too, and is alive."""
        if self._owes_pong and not self._writer.owed_bytes:
            self._owes_pong = False
            self._session.receive_packet(Packet(PacketType.PONG))

    def identified(self) -> None:
        """The peer sends nothing, whoever it is."""

    def close(self, *, polite: bool) -> None:
        """The session ends, behind all that is pending."""
        if not polite:
            self._writer.abort(DisconnectReason.FORCED_CLOSE)
            return
        if self._session.pending:
            self.flush()
        self._writer.finish(b"")

    def peer_closed(self) -> None:
        """A stream takes no packets, and so not this one."""

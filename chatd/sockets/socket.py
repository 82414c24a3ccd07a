"""One peer in one namespace, and what it can be sent."""

from typing import Any, Protocol

import attrs

from chatd.engine.flusher import Flushable
from chatd.engine.outgoing import Outgoing
from chatd.engine.transport import Work
from chatd.net.disconnects import DisconnectReason
from chatd.sockets.emitter import (
    ack_packet,
    event_packet,
    free_ack_packet,
    free_event_packet,
    sent_packets,
)
from chatd.wire.acks import AckPayload, MessageAck, RefusedAck
from chatd.wire.events import EventPayload


class Carrier(Flushable, Protocol):
    """What carries a socket: a `Session`, or a stand-in if the peer has none."""

    is_over: bool

    @property
    def address(self) -> str: ...

    @property
    def log_id(self) -> str: ...

    @property
    def is_lagging(self) -> bool: ...

    def send(self, outgoing: Outgoing) -> None: ...

    def send_catch_up(self, outgoing: Outgoing) -> None: ...

    async def drained(self) -> None: ...

    def idle(self) -> Work | None: ...

    def end(self, reason: DisconnectReason) -> None: ...


@attrs.define(eq=False, repr=False, weakref_slot=False)
class Socket:
    """One peer in one namespace. `state` belongs to the application."""

    session: Carrier
    namespace: str
    id: str
    rooms: tuple[str, ...] = ()
    state: Any = None

    def emit(self, name: str | float, *args: Any) -> None:
        """Send an event of any name, which may be a number; `bytes` in it travel as such."""
        self.session.send(free_event_packet(self.namespace, [name, *args]))

    def send(self, payload: EventPayload) -> None:
        """Send an event of the chat."""
        self.session.send(event_packet(payload))

    def ack(self, ack_id: int | None, *args: Any) -> None:
        """Answer an event with any arguments; nothing happens if it asked for no answer."""
        if ack_id is not None:
            self.session.send(free_ack_packet(ack_id, args, self.namespace))

    def answer(self, ack_id: int | None, ack: AckPayload | RefusedAck) -> None:
        """Answer an event of the chat; nothing happens if it asked for no answer."""
        if ack_id is not None:
            self.session.send(ack_packet(ack_id, ack))

    def confirm(self, ack_id: int | None, ack: MessageAck) -> None:
        """Send that a message is in the log, as an event and as the answer to its own."""
        if ack_id is None:
            self.send(ack.sent)
        else:
            event, answer = sent_packets(ack_id, ack)
            self.session.send(event)
            self.session.send(answer)

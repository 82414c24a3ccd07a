"""One authenticated socket: who its user is, which rooms it may use and is in, and what it is
sent."""

import math
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import attrs

from chatd.auth import Grant, Identity
from chatd.engine.outgoing import Outgoing
from chatd.net.deadlines import TimerEntry
from chatd.net.disconnects import DisconnectReason
from chatd.service.allowance import Allowance
from chatd.sockets.emitter import ack_packet, event_packet
from chatd.sockets.socket import Socket
from chatd.wire.acks import AckPayload, MessageAck, RefusedAck
from chatd.wire.codes import Refusal
from chatd.wire.events import ErrorNotice, EventPayload, MessageError, RoomHistory
from chatd.wire.names import ClientEvent, PresenceStatus

A = TypeVar("A", bound=AckPayload | RefusedAck)


class TokenClock(Protocol):
    """Watches the tokens of clients."""

    def start(self, client: "Client", identity: Identity) -> None:
        """The client has this token from now on."""
        ...

    def on_deadline(self, client: "Client", now_s: float) -> float:
        """Announce that the token expires, or end the session; returns the next deadline."""
        ...


@attrs.define(eq=False)
class Client:
    """One authenticated socket. `__slots__`: there are as many as sockets.

    `rooms` are those that it is in, from the moment at which it asks to join; it holds the timeline
    of each. With some of them it still catches up (`catching_up_from`); of all others it gets what
    is published. `answer_rows` is how many rows of answers it wants in rooms that it joins, all
    where it is None. `status` is what it declared last, in whichever room, and has at first in
    rooms that it joins later. Each of these is None where there is none: `declared`, the statuses
    by room in which it declared last of all sockets of its user; `missed`, the rooms in which
    presence and typing were dropped because it lagged, and whose typing that was; `ignored`,
    unknown fields of events that wait for their ack, by its id. `is_unseen`: it reads in rooms that
    it has not joined, so that nobody sees it there and nothing is owed to it. `is_greeted`: it was
    told which rooms it may use.
    """

    socket: Socket
    identity: Identity
    grants: Mapping[str, Grant]
    allowance: Allowance
    _token_clock: TokenClock
    user_id: str = attrs.field(
        init=False, default=attrs.Factory(lambda self: self.identity.user_id, takes_self=True)
    )
    rooms: dict[str, None] = attrs.field(init=False, factory=dict)
    _catching_up: dict[str, int] | None = attrs.field(init=False, default=None)
    answer_rows: int | None = attrs.field(init=False, default=None)
    status: PresenceStatus = attrs.field(init=False, default=PresenceStatus.ONLINE)
    declared: dict[str, PresenceStatus] | None = attrs.field(init=False, default=None)
    missed: dict[str, set[str]] | None = attrs.field(init=False, default=None)
    ignored: dict[int, tuple[str, ...]] | None = attrs.field(init=False, default=None)
    deadline_entry: TimerEntry | None = attrs.field(init=False, default=None)
    is_unseen: bool = attrs.field(init=False, default=False)
    is_greeted: bool = attrs.field(init=False, default=False)
    expires_s: float = attrs.field(init=False, default=math.inf)  # on Trio's clock, with leeway
    is_expiry_announced: bool = attrs.field(init=False, default=False)

    @property
    def is_gone(self) -> bool:
        """Whether its session is over: nothing that is sent to it arrives."""
        return self.socket.session.is_over

    @property
    def log_id(self) -> str:
        """Its session as logs name it."""
        return self.socket.session.log_id

    @property
    def address(self) -> str:
        """Where its peer is."""
        return self.socket.session.address

    @property
    def is_lagging(self) -> bool:
        """Whether it is so far behind that presence and typing are dropped."""
        return self.socket.session.is_lagging

    def catching_up_from(self, room: str) -> int | None:
        """Of a room that it catches up with, the last seq at its join: it has seen what lies up to
        there, or is owed it. None where it catches up with nothing."""
        return None if self._catching_up is None else self._catching_up.get(room)

    def begin_catching_up(self, room: str, joined_seq: int) -> None:
        """It is in the room from now on, if it was not, and catches up with it."""
        self.rooms[room] = None
        self._catching_up = self._catching_up or {}
        self._catching_up[room] = joined_seq

    def end_catching_up(self, room: str) -> None:
        """It has caught up, and gets what is published in the room."""
        if self._catching_up is not None:
            self._catching_up.pop(room, None)
            self._catching_up = self._catching_up or None

    def leave(self, room: str) -> None:
        """It is in this room no more."""
        del self.rooms[room]
        self.end_catching_up(room)

    async def drained(self) -> None:
        """Return when the peer has received all that it was sent, or is gone."""
        await self.socket.session.drained()

    def send(self, payload: EventPayload) -> None:
        """Send an event."""
        self.socket.send(payload)

    def acknowledge(self, ack_id: int | None, ack: AckPayload, *, is_page: bool = False) -> None:
        """Answer an event, if it asked for an ack. A page does not count as backlog: it is sent
        only to a peer that has `drained`."""
        if ack_id is None:
            return
        packet = ack_packet(ack_id, self._complete(ack_id, ack))
        if is_page:
            self.socket.session.send_catch_up(packet)
        else:
            self.socket.session.send(packet)

    def confirm(self, ack_id: int | None, ack: MessageAck) -> None:
        """Answer a `chat:message` that is in the log, by its ack and as `chat:message:sent`."""
        self.socket.confirm(ack_id, self._complete(ack_id, ack))

    def ignore(self, ack_id: int, fields: tuple[str, ...] | None) -> None:
        """These fields of an event, if any, were not known; its ack will say so."""
        if fields is not None:
            self.ignored = self.ignored or {}
            self.ignored[ack_id] = fields

    def _complete(self, ack_id: int | None, ack: A) -> A:
        """An ack with the fields of its event that were not known."""
        if self.ignored is None or ack_id is None:
            return ack
        fields = self.ignored.pop(ack_id, None)
        self.ignored = self.ignored or None
        return ack if fields is None else attrs.evolve(ack, ignored=fields)

    def refuse(self, event: ClientEvent, ack_id: int | None, refusal: Refusal) -> None:
        """Refuse an event other than `chat:message`, by its ack and as `chat:error`."""
        if ack_id is not None:
            self.socket.answer(ack_id, self._complete(ack_id, RefusedAck.of(refusal)))
        self.socket.send(ErrorNotice.of(event, refusal, refusal.connection_id))

    def refuse_message(self, message_id: str | None, ack_id: int | None, refusal: Refusal) -> None:
        """Refuse a `chat:message`, by its ack and as `chat:message:error`."""
        if ack_id is not None:
            self.socket.answer(ack_id, self._complete(ack_id, RefusedAck.of(refusal)))
        self.socket.send(MessageError.of(message_id, refusal))

    def send_packet(self, outgoing: Outgoing) -> None:
        """Send an encoded packet, which may be shared with other sockets."""
        self.socket.session.send(outgoing)

    def send_catch_up(self, outgoing: Outgoing) -> None:
        """Send what does not count as backlog; only to a peer that has `drained`."""
        self.socket.session.send_catch_up(outgoing)

    def send_page(self, history: RoomHistory, bodies: Sequence[bytes]) -> None:
        """Send a page of a room that it catches up with, whose messages are rendered as `bodies`;
        only to a peer that has `drained`."""
        self.send_catch_up(event_packet(history))

    def flush(self) -> None:
        """Write at once what the peer is owed."""
        self.socket.session.flush()

    def end(self, reason: DisconnectReason) -> None:
        """End its session, after all that is owed to the peer."""
        self.socket.session.end(reason)

    def on_deadline(self, now_s: float) -> float:
        """Something is due for its token."""
        try:
            return self._token_clock.on_deadline(self, now_s)
        except Exception as error:  # one client's fault must not stop everybody's deadlines
            self.socket.session.fail(error)
            return math.inf

"""What follows from decisions of the messages actor, once they are committed: answers to senders,
and what rooms and authors get."""

from collections.abc import Collection, Sequence
from typing import assert_never

import attrs

from chatd.answers.service import AnswerService
from chatd.chat.ids import written_id
from chatd.chat.messages import (
    Accepted,
    AcknowledgementKept,
    Command,
    Conflicted,
    Effect,
    Joined,
    JoinRooms,
    Marked,
    MarkRead,
    NotStored,
    Repeated,
    SendMessage,
    Settled,
)
from chatd.chat.records import Message, MessagePlace
from chatd.observe import EventLog, InternalError, MessageRefused, MessageSent, StoreFailed
from chatd.service.occupancy import Occupancy
from chatd.service.presence_roster import PresenceRoster
from chatd.service.publisher import Publisher
from chatd.service.readings import Readings
from chatd.service.timeline import Timelines
from chatd.service.typing_roster import TypingRoster
from chatd.sockets.adapter import Adapter
from chatd.sockets.emitter import event_packet
from chatd.wire.acks import AckPayload, ReadAck
from chatd.wire.codes import Code, Refusal
from chatd.wire.events import MessageReceipt, ReadMarker


@attrs.define(eq=False, slots=False)
class ChatEffects:
    """Carries effects out, one at a time; where one raises, the actor ends and is started again."""

    _publisher: Publisher
    _timelines: Timelines
    _adapter: Adapter
    _occupancy: Occupancy
    _presence: PresenceRoster
    _typing: TypingRoster
    _answers: AnswerService
    _readings: Readings
    _event_log: EventLog

    def in_rooms(self) -> Collection[tuple[str, str]]:
        return self._occupancy.pairs()

    def run(self, effect: Effect) -> None:
        match effect:
            case Accepted(command, message):
                self._accepted(command, message)
            case Repeated(command, message):
                command.origin.refund(command.connection_id)
                self._stored(command, message, is_duplicate=True)
                if command.asks is not None:
                    self._answers.repeat(message, command.asks)
            case Conflicted(command):
                command.origin.refund(command.connection_id)
                self._refuse(command, Refusal(Code.MESSAGE_ID_CONFLICT))
            case Joined(command):
                command.origin.joined = effect
                command.origin.settle()
            case AcknowledgementKept(command, delivered):
                command.origin.acknowledge(AckPayload())
                for place in delivered:
                    self._delivered(place, command.user_id)
            case Marked(command, has_moved):
                self._marked(command, has_moved=has_moved)
            case Settled(command):
                if command.origin is not None:
                    command.origin.settle()
            case NotStored(commands, code):
                self.failed(commands, code)
            case _:
                assert_never(effect)

    def failed(self, batch: Sequence[Command], code: str) -> None:
        self._event_log.record(StoreFailed(code, f"{len(batch)} commands were not carried out"))
        refusal = Refusal(Code(code))
        for command in batch:
            try:
                if command.origin is not None:
                    self._refuse(command, refusal)
            except Exception as error:  # the others are to be refused too
                self._event_log.record(InternalError.of("effect", error))

    def _accepted(self, command: SendMessage, message: Message) -> None:
        self._stored(command, message, is_duplicate=False)
        self._publisher.publish(message)
        self._typing.end(message.connection_id, message.user_id)
        if command.asks is not None:
            self._answers.begin(message, command.asks)

    def _delivered(self, place: MessagePlace, by: str) -> None:
        """The first acknowledgement of a message: its author gets it, on each device."""
        room = place.connection_id
        self._timelines.confirm(room, place.seq)
        receipt = MessageReceipt(message_id=written_id(place.message_id), connection_id=room, by=by)
        self._adapter.to_user(place.user_id, room, event_packet(receipt))

    def _marked(self, command: MarkRead, *, has_moved: bool) -> None:
        """The user gets where it stands now: the socket that asked by its ack, the others where the
        marker has moved."""
        room, user_id = command.connection_id, command.user_id
        now = self._readings.reading(user_id, room)
        ack = ReadAck(
            connection_id=room,
            read_seq=now.read_seq,
            unread=now.unread,
            mentions=now.mentions,
        )
        command.origin.acknowledge(ack)
        if has_moved:
            marker = ReadMarker(
                connection_id=room,
                read_seq=now.read_seq,
                unread=now.unread,
                mentions=now.mentions,
            )
            self._adapter.to_user(
                user_id, room, event_packet(marker), but=command.origin.client.socket
            )

    def _stored(self, command: SendMessage, message: Message, *, is_duplicate: bool) -> None:
        command.origin.stored(message, is_duplicate=is_duplicate)
        self._presence.sign(message.connection_id, message.user_id)
        self._event_log.record(
            MessageSent(
                message.message_id,
                message.connection_id,
                message.seq,
                message.user_id,
                is_duplicate,
            )
        )

    def _refuse(self, command: Command, refusal: Refusal) -> None:
        if isinstance(command, JoinRooms) and len(command.connection_ids) == 1:
            refusal = attrs.evolve(refusal, connection_id=command.connection_ids[0])
        command.origin.refuse(refusal)
        if isinstance(command, SendMessage):
            self._event_log.record(
                MessageRefused(
                    command.origin.log_id,
                    command.user_id,
                    command.connection_id,
                    command.message_id,
                    refusal.code,
                )
            )

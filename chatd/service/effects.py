"""What the messages actor decided, told to senders and rooms: after the commit, encoded once."""

from collections.abc import Collection, Sequence
from typing import Protocol, assert_never

import orjson

from chatd.chat.ids import written_id
from chatd.chat.messages import (
    Accepted,
    AcknowledgementKept,
    Asked,
    Command,
    Conflicted,
    Effect,
    Joined,
    JoinRooms,
    NotStored,
    Repeated,
    SendMessage,
    Settled,
)
from chatd.chat.records import Message, MessagePlace
from chatd.chat.rendering import STATUS_DELIVERED
from chatd.engine.outgoing import Outgoing
from chatd.observe import EventLog, InternalError, MessageRefused, MessageSent, StoreFailed
from chatd.service.clients import Clients
from chatd.service.occupancy import Occupancy
from chatd.service.timeline import Timelines
from chatd.sockets.adapter import NAMESPACE, Adapter
from chatd.wire.codes import Code, Refusal
from chatd.wire.names import ServerEvent

_MESSAGE_HEAD = orjson.dumps([ServerEvent.CHAT_MESSAGE])[:-1]  # `["chat:message"`


def message_packet(body: bytes) -> Outgoing:
    """`chat:message` with a rendered message."""
    return Outgoing(b"42%b,%b]" % (_MESSAGE_HEAD, body))


class Answers(Protocol):
    """Who answers questions."""

    def begin(self, question: Message, asked: Asked) -> None:
        """A message that may be a question is in the log, and is to be read; never waits."""
        ...


class Signs(Protocol):
    """Who shows when users were last seen."""

    def sign(self, connection_id: str, user_id: str) -> None:
        """The user has just done something in the room."""
        ...


class TypingEnds(Protocol):
    """Who is told that a user does not type any more."""

    def message_sent(self, connection_id: str, user_id: str) -> None:
        """The user has sent a message to the room."""
        ...


class ChatEffects:
    """Carries effects out, one at a time; what raises here ends the actor, and is begun again."""

    def __init__(
        self,
        adapter: Adapter,
        timelines: Timelines,
        clients: Clients,
        occupancy: Occupancy,
        presence: Signs,
        typing: TypingEnds,
        answers: Answers,
        event_log: EventLog,
    ) -> None:
        self._adapter = adapter
        self._timelines = timelines
        self._clients = clients
        self._occupancy = occupancy
        self._presence = presence
        self._typing = typing
        self._answers = answers
        self._event_log = event_log

    def in_rooms(self) -> Collection[tuple[str, str]]:
        return self._occupancy.pairs()

    def run(self, effect: Effect) -> None:
        match effect:
            case Accepted(command, message):
                self._accepted(command, message)
            case Repeated(command, message):
                command.origin.give_back(command.connection_id)
                self._stored(command, message, is_duplicate=True)
            case Conflicted(command):
                command.origin.give_back(command.connection_id)
                self._refuse(command, Refusal(Code.MESSAGE_ID_CONFLICT))
            case Joined(command):
                command.origin.joined = effect
                command.origin.settle()
            case AcknowledgementKept(command, delivered):
                command.origin.acknowledged()
                for place in delivered:
                    self._delivered(place, command.user_id)
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
            except Exception as error:  # the others are to be told too
                self._event_log.record(InternalError.of("effect", error))

    def publish(self, message: Message) -> None:
        """Give a message that is in the log to everybody in its room; in this order, once each."""
        body = self._timelines.render(message)
        packet = message_packet(body)
        self._timelines.publish(message, body)
        self._adapter.broadcast(NAMESPACE, message.connection_id, packet)

    def _accepted(self, command: SendMessage, message: Message) -> None:
        self._stored(command, message, is_duplicate=False)
        self.publish(message)
        self._typing.message_sent(message.connection_id, message.user_id)
        if command.asks is not None:
            self._answers.begin(message, command.asks)

    def _delivered(self, place: MessagePlace, by: str) -> None:
        """The author is told that somebody has the message, on each device."""
        room = place.connection_id
        self._timelines.confirm(room, place.seq)
        status = orjson.dumps(
            {
                "messageId": written_id(place.message_id),
                "connectionId": room,
                "status": STATUS_DELIVERED,
                "by": by,
            }
        )
        for client in self._clients.of(place.user_id):
            if room in client.grants:
                client.socket.emit_json(ServerEvent.CHAT_MESSAGE_STATUS, status)

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
        room = None
        if isinstance(command, JoinRooms) and len(command.connection_ids) == 1:
            room = command.connection_ids[0]
        command.origin.refuse(refusal, room)
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

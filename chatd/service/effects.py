"""What follows from decisions of the messages actor, once they are committed: answers to senders,
and what rooms and authors get.

When several messages follow on each other, all their senders are answered first; then their rooms
get them, and then they are logged. Taking each message in turn from its answer to its line in the
log takes a third longer (16 us instead of 12, measured with 50 in a batch): the code of all these
steps is more than the nearest caches of a processor hold.
"""

from collections.abc import Collection, Sequence
from typing import assert_never

import attrs

from chatd.answers.service import AnswerService
from chatd.chat.ids import written_id
from chatd.chat.messages import (
    Accepted,
    AcknowledgementKept,
    ChangeCommand,
    ChangeKept,
    ChangeRefused,
    ChangeRepeated,
    Command,
    Conflicted,
    DeleteMessage,
    EditMessage,
    Effect,
    EndedAlready,
    Erased,
    Joined,
    JoinRooms,
    Marked,
    MarkRead,
    NotStored,
    PutReaction,
    Repeated,
    SendMessage,
    Settled,
)
from chatd.chat.records import Change, Message, MessageDeleted
from chatd.engine.flusher import Flusher
from chatd.observe import (
    ChangeRefused as ChangeNotMade,
)
from chatd.observe import (
    EventLog,
    InternalError,
    MessageChanged,
    MessageRefused,
    MessageSent,
    StoreFailed,
)
from chatd.observe.message_times import MessageTimes
from chatd.service.occupancy import Occupancy
from chatd.service.presence_roster import PresenceRoster
from chatd.service.publisher import Publisher
from chatd.service.readings import Readings, read_ack
from chatd.service.receipts import Receipts
from chatd.service.typing_roster import TypingRoster
from chatd.sockets.adapter import Adapter
from chatd.sockets.emitter import event_packet
from chatd.wire.acks import AckPayload, ChangeAck
from chatd.wire.codes import Code, Refusal
from chatd.wire.events import ReadMarker


@attrs.define(eq=False, slots=False)
class ChatEffects:
    """Carries effects out, one at a time; if one raises, the actor ends and is started again."""

    _publisher: Publisher
    _receipts: Receipts
    _adapter: Adapter
    _occupancy: Occupancy
    _presence: PresenceRoster
    _typing: TypingRoster
    _answers: AnswerService
    _readings: Readings
    _times: MessageTimes
    _flusher: Flusher
    _event_log: EventLog
    # Senders were answered; what else follows is still to come.
    _answered: list[Accepted] = attrs.field(init=False, factory=list)

    def in_rooms(self) -> Collection[tuple[str, str]]:
        return self._occupancy.pairs()

    def run(self, effect: Effect) -> None:
        if isinstance(effect, Accepted):  # most are; a pattern costs five times as much
            self._answer(effect)
            self._answered.append(effect)
            return
        self.finish()
        match effect:
            case Repeated(command, message):
                command.origin.refund(command.connection_id)
                command.origin.stored(message, is_duplicate=True)
                self._presence.sign(message.connection_id, message.user_id)
                self._event_log.record(_sent(message, is_duplicate=True))
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
                self._receipts.delivered(delivered, command.user_id)
            case Marked(command, has_moved):
                self._marked(command, has_moved=has_moved)
            case ChangeKept(command, change):
                self._changed(command, change)
            case ChangeRepeated(command, message):
                command.origin.refund(message.connection_id)
                self._acknowledge_change(command, message, is_duplicate=True)
            case ChangeRefused(command, code):
                command.origin.refund(command.message.connection_id)
                self._refuse(command, Refusal(code, path=_path_of(code)))
            case Erased(command, changes):
                for change in changes:
                    self._publisher.publish_change(change)
                command.origin.settle()
            case EndedAlready(command):
                command.origin.settle()
            case Settled(command):
                if command.origin is not None:
                    command.origin.settle()
            case NotStored(commands, code):
                self.failed(commands, code)
            case _:
                assert_never(effect)

    def finish(self) -> None:
        if not self._answered:
            return
        answered, self._answered = self._answered, []
        for one in answered:
            self._publish(one.command, one.message)
        for one in answered:
            self._presence.sign(one.message.connection_id, one.message.user_id)
        self._event_log.record_all([_sent(one.message, is_duplicate=False) for one in answered])

    def failed(self, batch: Sequence[Command], code: str) -> None:
        self._answered.clear()  # the next life of the actor publishes what the log has
        self._event_log.record(StoreFailed(code, "a batch of commands was not carried out"))
        refusal = Refusal(Code(code))
        for command in batch:
            try:
                if command.origin is not None:
                    self._refuse(command, refusal)
            except Exception as error:  # the others are to be refused too
                self._event_log.record(InternalError.of("effect", error))

    def _answer(self, accepted: Accepted) -> None:
        origin = accepted.command.origin
        if origin.received_s is not None:
            self._times.stored(origin.received_s)
        origin.stored(accepted.message, is_duplicate=False)

    def _publish(self, command: SendMessage, message: Message) -> None:
        received_s = command.origin.received_s
        self._publisher.publish(message)
        if received_s is not None:
            self._flusher.note(received_s)
        self._typing.end(message.connection_id, message.user_id)
        if command.asks is not None:
            self._answers.begin(message, command.asks)

    def _changed(self, command: ChangeCommand, change: Change) -> None:
        """A message was changed: tell the room, and end the answer of a question that is gone."""
        self._acknowledge_change(command, change.message, is_duplicate=False)
        self._publisher.publish_change(change)
        if isinstance(change, MessageDeleted):
            self._answers.withdraw(change.message.message_id, change.message.connection_id)

    def _acknowledge_change(
        self, command: ChangeCommand, message: Message, *, is_duplicate: bool
    ) -> None:
        changes, room = message.changes, message.connection_id
        command.origin.acknowledge(
            ChangeAck(
                message_id=written_id(message.message_id),
                connection_id=room,
                rev=message.rev,
                timestamp=message.timestamp_ms if changes is None else changes.at_ms,
                duplicate=True if is_duplicate else None,
            )
        )
        self._presence.sign(room, command.user_id)
        self._event_log.record(
            MessageChanged(
                message.message_id,
                room,
                message.seq,
                command.user_id,
                _word_for(command),
                message.rev,
                is_duplicate,
            )
        )

    def _marked(self, command: MarkRead, *, has_moved: bool) -> None:
        """Tell the user where it stands now: the socket that asked by its ack, the others if the
        marker has moved."""
        room, user_id = command.connection_id, command.user_id
        now = self._readings.reading(user_id, room)
        command.origin.acknowledge(read_ack(room, now))
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
        elif isinstance(command, EditMessage | DeleteMessage | PutReaction):
            self._event_log.record(
                ChangeNotMade(
                    command.origin.log_id,
                    command.user_id,
                    command.message.connection_id,
                    command.message.message_id,
                    refusal.code,
                )
            )


def _sent(message: Message, *, is_duplicate: bool) -> MessageSent:
    return MessageSent(
        message.message_id, message.connection_id, message.seq, message.user_id, is_duplicate
    )


def _path_of(code: Code) -> str | None:
    """The field that is wrong if a change is refused for this reason."""
    match code:
        case Code.EDIT_CONFLICT:
            return "rev"
        case Code.TOO_MANY_REACTIONS:
            return "emoji"
        case Code.NOT_FOUND | Code.MESSAGE_DELETED:
            return "messageId"
        case _:
            return None


def _word_for(command: ChangeCommand) -> str:
    match command:
        case EditMessage():
            return "edit"
        case DeleteMessage():
            return "delete"
        case PutReaction(is_on=is_on):
            return "react" if is_on else "unreact"
        case _:
            assert_never(command)

"""The commands about messages and members, and the effects that they have.

A command is decided by a ledger (`chatd.actors.ledger`), and its effect goes out once it is kept.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from chatd.chat.audit import AuditEnd, AuditEntry
from chatd.chat.queue import Gap, QueueCut
from chatd.chat.records import Change, Message, MessageErased, MessagePlace, OpenAnswer
from chatd.wire.codes import Code


@attrs.define
class SendMessage:
    """Store a message. Shape, access, content and limits were checked by the sender.

    `origin` is the party waiting for the outcome; the machine hands it back untouched. `rooms` are
    those that the sender may read, None for all: a message with the id elsewhere is not a conflict
    (`chatd.chat.ids`). Not frozen, like the other commands: built once for each message, and this
    halves the cost.
    """

    origin: Any
    user_id: str
    name: str | None
    message_id: str
    connection_id: str
    content: str
    context: bytes | None
    thread_id: str | None
    asks: "AnswerRequest | None" = None
    reply: "Reply | None" = None
    rooms: Collection[str] | None = None
    mentions: tuple[str, ...] = ()


@attrs.frozen
class AnswerRequest:
    """A message may be a question, and is read once it is stored: the id of the message that will
    then answer it, and the address that it came from, if that is known."""

    answer_id: str
    address: str | None = None

    def opened_by(self, message: Message) -> OpenAnswer:
        """The answer that is open once this message is stored, at least until the message is
        read."""
        return OpenAnswer(
            message.message_id,
            self.answer_id,
            message.connection_id,
            message.user_id,
            message.thread_id,
            message.timestamp_ms,
            is_to_read=True,
            address=self.address,
            question_seq=message.seq,
        )


@attrs.frozen
class Reply:
    """A message ends the answer to a question in `state`; `answer` is its table as JSON, `audit`
    what an auditor gets to know of it."""

    question_id: str
    state: str
    answer: bytes
    audit: AuditEntry | None = None


@attrs.define
class JoinRooms:
    """A socket of the user is in these rooms; the user becomes a member where it is not one yet,
    and counts as having read everything so far. `name` is its name, if the socket's token says
    one."""

    origin: Any
    user_id: str
    connection_ids: tuple[str, ...]
    name: str | None = None


@attrs.define
class LeaveRooms:
    """No socket of the user is in these rooms any more: (connectionId, last seq that one saw)."""

    user_id: str
    rooms: tuple[tuple[str, int], ...]
    origin: Any = None


@attrs.define
class Acknowledge:
    """The user has the message, with `up_to` all of the room up to it.

    `receipts` are the messages of others among these that nobody has acknowledged, as far as they
    are looked up (`undelivered`, here and in the log) and belong in one commit; those that somebody
    acknowledged meanwhile are passed over. With this in the log nothing is left for the user to be
    the first to acknowledge up to `settles_to`; 0 where that is not known.
    """

    origin: Any
    user_id: str
    message: Message
    up_to: bool
    receipts: tuple[MessagePlace, ...] = ()
    settles_to: int = 0


@attrs.define
class MarkRead:
    """The user has read the room up to `seq`. Nothing happens if the user has read further, or is
    not a member; nobody can read beyond the newest message."""

    origin: Any
    user_id: str
    connection_id: str
    seq: int


@attrs.define
class ChangeMessage:
    """Change a message, which was looked up as `message` when the newest rev of its room was
    `as_of_rev`. Access, authorship and what is written were checked by the sender."""

    origin: Any
    user_id: str
    message: Message
    as_of_rev: int


@attrs.define
class EditMessage(ChangeMessage):
    """Give it another text, unless `seen_rev` is given and it was edited since."""

    content: str
    seen_rev: int | None = None
    mentions: tuple[str, ...] = ()


@attrs.define
class DeleteMessage(ChangeMessage):
    """Take it back."""


@attrs.define
class PutReaction(ChangeMessage):
    """Put a reaction to it, or take it off."""

    emoji: str
    is_on: bool


ChangeCommand: TypeAlias = EditMessage | DeleteMessage | PutReaction


@attrs.define
class TrimQueues:
    """What stays of the user's queues, by connectionId."""

    origin: Any
    user_id: str
    cuts: Mapping[str, QueueCut]


@attrs.define
class ClearOverflow:
    """A socket of the user was notified of what fell out of its queue in a room."""

    user_id: str
    connection_id: str
    fallen: tuple[int, int]
    origin: Any = None


@attrs.define
class RemoveMember:
    """The directory no longer gives the user these rooms."""

    user_id: str
    connection_ids: tuple[str, ...]
    origin: Any = None


@attrs.define
class NoteRead:
    """A message that was to be read was read; it is a question, or talk, which has no answer."""

    answer: OpenAnswer
    is_question: bool
    origin: Any = None


@attrs.define
class ForgetMessages:
    """Retention removed what is below `first_seq` from a room: it is no longer owed to any
    member."""

    connection_id: str
    first_seq: int
    origin: Any = None


@attrs.define
class EraseMessages:
    """Leave nothing of these messages but their places; from then on `author` is named as their
    author."""

    origin: Any
    messages: Sequence[Message]
    author: str


@attrs.define
class Audit:
    """Have the log keep something for an auditor."""

    entry: AuditEntry | AuditEnd
    origin: Any = None


@attrs.define
class Barrier:
    """Do nothing; its effect says that everything before it is settled."""

    origin: Any


PlainCommand: TypeAlias = (
    LeaveRooms
    | TrimQueues
    | ClearOverflow
    | RemoveMember
    | NoteRead
    | ForgetMessages
    | Audit
    | Barrier
)
"""Commands whose effect is `Settled`, which says only that they are carried out."""

Command: TypeAlias = (
    SendMessage | JoinRooms | Acknowledge | MarkRead | ChangeCommand | EraseMessages | PlainCommand
)


@attrs.define
class Accepted:
    """The message is in the log, at its place."""

    command: SendMessage
    message: Message


@attrs.define
class Repeated:
    """The same message was stored before; `message` is the original."""

    command: SendMessage
    message: Message


@attrs.define
class Conflicted:
    """The messageId belongs to another message."""

    command: SendMessage


@attrs.define
class Joined:
    """The user is in all the rooms; the lists are in the order of the rooms.

    `owed` is what the queue holds, `fallen` the range of seqs that fell out of it without any
    socket being notified.
    """

    command: JoinRooms
    last_seqs: tuple[int, ...]
    owed: tuple[tuple[Gap, ...], ...]
    fallen: tuple[tuple[int, int] | None, ...]


@attrs.define
class AcknowledgementKept:
    """The acknowledgement is in the log; `delivered` are the messages that it was the first for."""

    command: Acknowledge
    delivered: tuple[MessagePlace, ...]


@attrs.define
class Marked:
    """The user's marker is in the log; `has_moved`: by this command."""

    command: MarkRead
    has_moved: bool


@attrs.define
class ChangeKept:
    """The change is in the log."""

    command: ChangeCommand
    change: Change


@attrs.define
class ChangeRepeated:
    """The message already was that way, and nothing was changed; `message` is what it is."""

    command: ChangeCommand
    message: Message


@attrs.define
class ChangeRefused:
    """The message may not be changed like this."""

    command: ChangeCommand
    code: Code


@attrs.define
class Erased:
    """The messages are erased, which is a change of each."""

    command: EraseMessages
    changes: Sequence[MessageErased]


@attrs.define
class EndedAlready:
    """The command was to end an answer whose end is already stored, by another node or by an
    earlier command; nothing is stored."""

    command: SendMessage


@attrs.define
class Settled:
    """The command is carried out; there is no more to say of it."""

    command: PlainCommand


@attrs.define
class NotStored:
    """Nothing of these commands was stored or carried out, for the reason of `code`."""

    commands: Sequence[Command]
    code: str


Effect: TypeAlias = (
    Accepted
    | Repeated
    | Conflicted
    | Joined
    | AcknowledgementKept
    | Marked
    | ChangeKept
    | ChangeRepeated
    | ChangeRefused
    | Erased
    | EndedAlready
    | Settled
    | NotStored
)

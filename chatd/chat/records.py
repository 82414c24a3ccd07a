"""What the durable log holds: messages and their changes, members with what they are owed and have
read, receipts, open answers, what is audited.

A record is a decision that was taken and is ready to be committed; applying it to the state it was
decided on always succeeds. The store writes records, and a start reads what they left.
Names are the chat's own; the form on the wire is made in `chatd.wire`.
"""

from typing import TypeAlias

import attrs

from chatd.chat.audit import AuditEnd, AuditEntry
from chatd.chat.queue import Queue
from chatd.chat.shares import NOBODY, Share
from chatd.socketio.static import statically_frozen


@attrs.frozen
class Reaction:
    """A reaction to a message, and the users who have put it there, the first one first."""

    emoji: str
    users: tuple[str, ...]


@attrs.frozen
class Changes:
    """What became of a message since it was stored.

    `rev` numbers its newest change among those of its room, from 1; `at_ms` is the time of that.
    `edited_rev` and `edited_ms` are those of its last edit, 0 and None if it has none.
    """

    rev: int
    at_ms: int
    edited_rev: int = 0
    edited_ms: int | None = None
    deleted_ms: int | None = None
    reactions: tuple[Reaction, ...] = ()


@statically_frozen
class Message:
    """One message of a room, as it is kept.

    `message_id` and `thread_id` are UUIDs in lower-case text, the first with its room if another
    room has the same id (`chatd.chat.ids`). `seq` is dense in the room and starts at 1. `content`
    is the text as written, before any markup rule. `context` is the canonical JSON of the context,
    so that equal contexts are equal bytes. `timestamp_ms` is wall time. An answer has the id of its
    question in `reply_to`, and its table as JSON in `answer`. `mentions` are the ids of the users
    whom it mentions.

    `changes` is None, as for most, as long as nothing was changed. `content` and `context` are the
    current ones; a message that was deleted has neither.

    `is_damaged`: the log gave no more of it than this. It keeps its place, so that seqs stay dense;
    what cannot be read is empty, except the `content`, which then says so.
    """

    message_id: str
    connection_id: str
    seq: int
    user_id: str
    name: str | None
    content: str
    context: bytes | None
    thread_id: str | None
    timestamp_ms: int
    reply_to: str | None = None
    answer: bytes | None = None
    is_damaged: bool = False
    mentions: tuple[str, ...] = ()
    changes: Changes | None = None

    @property
    def is_deleted(self) -> bool:
        """Whether its author has taken it back."""
        return self.changes is not None and self.changes.deleted_ms is not None

    @property
    def rev(self) -> int:
        """The rev of its newest change; 0 if it has none."""
        return 0 if self.changes is None else self.changes.rev


@attrs.frozen
class MessagePlace:
    """Which message, where and by whom: as much of it as a receipt needs."""

    message_id: str
    connection_id: str
    seq: int
    user_id: str


@attrs.frozen
class OpenAnswer:
    """A question that was stored and is to be answered: by which message, where, and who asked.

    `is_to_read`: whether the message asks anything has not been read yet. `address` is where it was
    asked from, if that is known; it is kept for the audit as long as the answer is open.
    `question_seq` is the seq of the question, 0 if it is not known; it is not kept.
    """

    question_id: str
    answer_id: str
    connection_id: str
    user_id: str
    thread_id: str | None
    opened_ms: int
    is_to_read: bool = False
    address: str | None = None
    question_seq: int = attrs.field(default=0, eq=False)


@statically_frozen
class MessageStored:
    """A message takes its place in its room."""

    message: Message


@attrs.frozen
class MessageChange:
    """A user has changed a message at `at_ms`, which is `message` from then on.

    `rev` is the number of this change in its room. What the message was before stays in the log.
    """

    message: Message
    rev: int
    by: str
    at_ms: int


@attrs.frozen
class MessageEdited(MessageChange):
    """Its author has given it another text."""


@attrs.frozen
class MessageDeleted(MessageChange):
    """Its author has taken it back: its place stays."""


@attrs.frozen
class MessageErased(MessageDeleted):
    """Its author was erased, and nothing of it is left in the log but its place."""


@attrs.frozen
class ReactionChanged(MessageChange):
    """A user has put a reaction to it, or taken it off."""

    emoji: str
    is_on: bool


@attrs.frozen
class MemberKept:
    """A user is a member of a room, and this is what it is owed there from now on; up to where it
    has read the room, and its name, None if none is known. `share`: on which nodes it has sockets
    in the room from now on, and the version of the member that this rests on."""

    connection_id: str
    user_id: str
    queue: Queue
    at_ms: int
    read_seq: int = 0
    name: str | None = None
    share: Share = NOBODY


@attrs.frozen
class ReadMarked:
    """A member has read its room up to a seq, further than before. `version` is that of the member
    that this rests on, where several nodes share the log (`chatd.chat.shares`)."""

    connection_id: str
    user_id: str
    read_seq: int
    version: int = 0


@attrs.frozen
class MemberRemoved:
    """A user is no longer a member of the room: the directory says so. `version`: as of
    `ReadMarked`."""

    connection_id: str
    user_id: str
    version: int = 0


@attrs.frozen
class Delivered:
    """A user other than the author acknowledged a message, the first one to do so."""

    connection_id: str
    seq: int
    by: str
    at_ms: int


@attrs.frozen
class AnswerOpened:
    """A message will be read, and answered if it is a question, whatever happens: recorded together
    with it."""

    answer: OpenAnswer


@attrs.frozen
class MessageRead:
    """A message that was to be read was: its answer stays open, or it is talk and nothing stays."""

    connection_id: str
    question_id: str
    answer_id: str
    is_question: bool


@attrs.frozen
class AnswerClosed:
    """The answer to a question has ended in `state`: recorded together with its message."""

    connection_id: str
    question_id: str
    answer_id: str
    state: str


@attrs.frozen
class Audited:
    """Something that an auditor wants to know of was done, or has ended."""

    entry: AuditEntry | AuditEnd


Change: TypeAlias = MessageEdited | MessageDeleted | ReactionChanged

Record: TypeAlias = (
    MessageStored
    | Change
    | MemberKept
    | MemberRemoved
    | ReadMarked
    | Delivered
    | AnswerOpened
    | MessageRead
    | AnswerClosed
    | Audited
)

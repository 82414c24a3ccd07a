"""What clients send, as typed values: one class for each event.

Field names here are Python's; on the wire they are camelCase (`wire.fields`). Shapes only: whether
a room is permitted or a content too long is decided in `chat`.
"""

from typing import Annotated, TypeAlias

from chatd.socketio.static import statically_frozen
from chatd.wire.fields import Note
from chatd.wire.names import PresenceStatus

TABLES_MAX = 100  # entries of context.tables; more is invalid_payload

RoomId: TypeAlias = Annotated[str, Note("The room.")]
AnswerRowsWanted: TypeAlias = Annotated[
    int | None,
    Note(
        "How many rows each answer in it may hold; absent for all. `answer.rowsOmitted` says what "
        "was left out.",
        unit="rows",
    ),
]


@statically_frozen
class ContextConfig:
    """How a question is to be run."""

    read_only: Annotated[bool | None, Note("Whether the statement may only read.")] = None
    dry_run: Annotated[bool | None, Note("Whether to plan it without running it.")] = None


@statically_frozen
class Context:
    """The part of the database that a message is about."""

    schema: Annotated[str | None, Note("The schema.")] = None
    tables: Annotated[tuple[str, ...] | None, Note("Its tables, 100 at most.")] = None
    config: Annotated[ContextConfig | None, Note("How a question is to be run.")] = None


@statically_frozen
class ChatMessage:
    """A message to a room."""

    message_id: Annotated[str, Note("A UUID that the client has made for this message.")]
    content: Annotated[str, Note("The text.")]
    connection_id: RoomId
    context: Annotated[Context | None, Note("What it is about.")] = None
    thread_id: Annotated[str | None, Note("The message that opened the thread it is in.")] = None


@statically_frozen
class ChatAck:
    """The user has received a message, or with `up_to` all of its room up to it."""

    message_id: Annotated[str, Note("The message.")]
    up_to: Annotated[bool | None, Note("Whether it is all messages up to this one.")] = None
    connection_id: Annotated[
        str | None, Note("The room of the message; absent: any room with a message of this id.")
    ] = None


@statically_frozen
class ChatRead:
    """The user has read a room up to a message. What was read before stays read."""

    connection_id: RoomId
    seq: Annotated[int, Note("The last seq that the user has read.")]


@statically_frozen
class MessageGet:
    """One message."""

    message_id: Annotated[str, Note("The message.")]
    connection_id: RoomId
    answer_rows: AnswerRowsWanted = None


@statically_frozen
class MessageEdit:
    """Another text for the user's own message. If that is a question, it is not asked again."""

    message_id: Annotated[str, Note("The message.")]
    connection_id: RoomId
    content: Annotated[str, Note("The new text.")]
    rev: Annotated[
        int | None,
        Note("The rev that the client has seen, 0 for none; a newer one is `edit_conflict`."),
    ] = None


@statically_frozen
class MessageDelete:
    """The user deletes its own message. Its place stays, and says so."""

    message_id: Annotated[str, Note("The message.")]
    connection_id: RoomId


@statically_frozen
class MessageReact:
    """The user adds a reaction to a message, or removes it."""

    message_id: Annotated[str, Note("The message.")]
    connection_id: RoomId
    emoji: Annotated[str, Note("The reaction, 16 code points at most.")]
    is_on: Annotated[bool, Note("Whether to add it; false removes it.", name="on")]


@statically_frozen
class SchemaGet:
    """The tables and columns of a room's database, for completion; not a message of the room."""

    connection_id: RoomId


@statically_frozen
class TypingStart:
    """The user has begun to type, or goes on: without a new start typing ends after 10 s."""

    connection_id: RoomId


@statically_frozen
class TypingStop:
    """The user has stopped typing; sending a message implies it."""

    connection_id: RoomId


@statically_frozen
class PresenceUpdate:
    """How present the user is in a room, on any socket."""

    status: Annotated[PresenceStatus, Note("The status that the client declares.")]
    connection_id: RoomId


@statically_frozen
class ConnectionJoin:
    """The client wants to be in a room."""

    connection_id: RoomId
    since: Annotated[int | None, Note("The last seq that the client has.")] = None
    epoch: Annotated[str | None, Note("The name of the log that the seq is from.")] = None
    answer_rows: AnswerRowsWanted = None


@statically_frozen
class ConnectionLeave:
    """The client leaves a room."""

    connection_id: RoomId


@statically_frozen
class HistoryGet:
    """A page of a room: before a seq, after one, the newest, or what was changed."""

    connection_id: RoomId
    before: Annotated[int | None, Note("The page ends below this seq.")] = None
    after: Annotated[int | None, Note("The page begins above this seq.")] = None
    changed_after: Annotated[
        int | None,
        Note("Messages whose rev is above this one, by rev; with no other bound beside it."),
    ] = None
    limit: Annotated[int | None, Note("How many at most.", unit="messages")] = None
    answer_rows: AnswerRowsWanted = None
    thread_id: Annotated[str | None, Note("Only the thread that this message opened.")] = None


@statically_frozen
class ChatSearch:
    """A search in one room, or in all that the user may use."""

    query: Annotated[str, Note("Words and phrases that have to occur.")]
    connection_id: Annotated[str | None, Note("The room; absent for all.")] = None
    user_id: Annotated[str | None, Note("Only messages of this user.")] = None
    before: Annotated[int | None, Note("Only earlier ones.", unit="ms since 1970")] = None
    after: Annotated[int | None, Note("Only later ones.", unit="ms since 1970")] = None
    limit: Annotated[int | None, Note("How many at most.", unit="hits")] = None
    answer_rows: AnswerRowsWanted = None
    cursor: Annotated[str | None, Note("The cursor of the page before.")] = None


@statically_frozen
class AnswerCancel:
    """The client wants an answer stopped."""

    message_id: Annotated[str, Note("The question.")]


@statically_frozen
class AuthRefresh:
    """A new token for the same user."""

    token: Annotated[str, Note("The token.")]

"""What the server sends, as typed values: one class for each event, and for each value inside.

Field names here are Python's; on the wire they are camelCase (`wire.fields`), in the order in which
they stand here. `wire.encoder` writes them. An event whose shapes differ by its `status` has a
class for each of them.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal, TypeAlias

import orjson

from chatd.socketio.static import statically_frozen
from chatd.wire.codes import Code, HintCode, Refusal
from chatd.wire.fields import Note
from chatd.wire.names import (
    AnswerOutcome,
    AnswerPhase,
    ClientEvent,
    DatabaseKind,
    Feature,
    MessageStatus,
    PresenceStatus,
    Role,
    RowsCut,
    ServerEvent,
)
from chatd.wire.payloads import Context, RoomId

Cell: TypeAlias = str | int | float | bool | Mapping[str, str] | None
Row: TypeAlias = Sequence[Cell]

ErrorCode: TypeAlias = Annotated[Code, Note("A stable name for what went wrong.")]
ErrorPath: TypeAlias = Annotated[str | None, Note("The wrong field, as `context.tables[3]`.")]
ErrorSentence: TypeAlias = Annotated[str, Note("A sentence for people.")]
IsRetryable: TypeAlias = Annotated[bool, Note("Whether the same request may succeed later.")]
RetryAfter: TypeAlias = Annotated[int | None, Note("When a retry may succeed.", unit="ms")]
Ignored: TypeAlias = Annotated[
    Sequence[str] | None,
    Note("Fields that the client sent and the server does not know, as `context.config.read`."),
]
UserName: TypeAlias = Annotated[str | None, Note("The user's name for people.")]

NULL = orjson.Fragment(b"null")  # for an optional field that is there, and says nothing


class Payload:
    """An object on the wire."""

    __slots__ = ()


class EventPayload(Payload):
    """The one argument of an event."""

    __slots__ = ()
    event: ClassVar[ServerEvent]


@statically_frozen
class ErrorDetails(Payload):
    """Why something was refused or has failed."""

    code: ErrorCode
    message: ErrorSentence
    retryable: IsRetryable
    retry_after_ms: RetryAfter = None
    path: ErrorPath = None

    @classmethod
    def of(cls, refusal: Refusal) -> "ErrorDetails":
        return cls(
            refusal.code,
            refusal.sentence,
            refusal.retryable,
            refusal.retry_after_ms,
            refusal.path,
        )


@statically_frozen(kw_only=True)
class RoomDatabase(Payload):
    """The database that answers in a room."""

    kind: Annotated[DatabaseKind, Note("Which db-mcp answers.")]
    dialect: Annotated[str | None, Note("Its SQL: `sqlite`, `postgres` or `mysql`.")] = None
    read_only: Annotated[bool, Note("Whether nothing may be written, whatever a message says.")]
    dry_run: Annotated[bool, Note("Whether it can tell a plan without running it.")]
    commands: Annotated[Sequence[str], Note("The commands that it answers, such as `/tables`.")]


@statically_frozen(kw_only=True)
class RoomStanding(Payload):
    """A room that the user may use."""

    connection_id: RoomId
    last_seq: Annotated[int, Note("The seq of its newest message; 0 if it has none.")]
    last_rev: Annotated[int, Note("The rev of its newest change; 0 if nothing was changed.")]
    read_seq: Annotated[int, Note("The seq up to which the user has read it.")]
    unread: Annotated[int, Note("Messages of others after it, 1000 at most.", unit="messages")]
    mentions: Annotated[int, Note("Those of them that mention the user.", unit="messages")]
    owed: Annotated[
        int, Note("Messages that the room's queue holds for the user.", unit="messages")
    ]
    role: Annotated[Role, Note("What the user may do there; a viewer cannot write.")]
    title: Annotated[str | None, Note("What the directory calls the room.")] = None
    database: Annotated[
        orjson.Fragment | None,
        Note("The database that answers there; absent if none does.", rendered=RoomDatabase),
    ] = None


@statically_frozen
class CommandHelp(Payload):
    """A command that a message can begin with."""

    name: Annotated[str, Note("How it is written, such as `/describe`.")]
    argument: Annotated[str | None, Note("What follows it, such as `TABLE`.")]
    purpose: Annotated[str, Note("What it does, in words for people.")]


@statically_frozen(kw_only=True)
class ServerInfo(Payload):
    """Which server this is."""

    version: Annotated[str, Note("Its version.")]
    features: Annotated[Sequence[Feature], Note("What it can do; more may come.")]
    commands: Annotated[Sequence[CommandHelp], Note("All commands; a room may have fewer.")]


@statically_frozen
class ServerLimits(Payload):
    """The limits that a client can keep to by itself."""

    content_chars: Annotated[int, Note("The longest message.", unit="code points")]
    history_page: Annotated[int, Note("The longest page of history.", unit="messages")]
    messages_per_minute: Annotated[
        float, Note("What one user may send.", unit="messages per minute")
    ]
    typing_per_minute: Annotated[
        float, Note("How often one user may start to type.", unit="events per minute")
    ]
    max_payload: Annotated[int, Note("The largest packet.", unit="bytes")]


@statically_frozen(kw_only=True)
class StatusConnected(EventPayload):
    """The first event of a socket: the client is in."""

    event: ClassVar[ServerEvent] = ServerEvent.CONNECTION_STATUS
    status: Annotated[Literal["connected"], Note("Which status this is.")] = "connected"
    user_id: Annotated[str, Note("The user that the token names.")]
    server_time: Annotated[int, Note("The server's clock.", unit="ms since 1970")]
    epoch: Annotated[
        str, Note("The name of the log; a seq counts only in the log that it is from.")
    ]
    expires_at: Annotated[int, Note("When the token runs out.", unit="ms since 1970")]
    resumed: Annotated[bool, Note("Whether the client has said in `since` what it has.")]
    rooms: Annotated[Sequence[RoomStanding], Note("All rooms that the user may use.")]
    limits: Annotated[ServerLimits, Note("The limits that a client can keep to by itself.")]
    server: Annotated[
        orjson.Fragment,
        Note("Which server this is, and what it can do.", rendered=ServerInfo),
    ]
    name: UserName = None
    reconnect_attempts: Annotated[int | None, Note("As the client has said in its handshake.")] = (
        None
    )
    ignored: Ignored = None


@statically_frozen(kw_only=True)
class StatusLagging(EventPayload):
    """The client takes less than it is owed; presence and typing are dropped until it has caught
    up."""

    event: ClassVar[ServerEvent] = ServerEvent.CONNECTION_STATUS
    status: Annotated[Literal["lagging"], Note("Which status this is.")] = "lagging"
    code: Annotated[Literal[Code.OVERLOADED], Note("Why.")] = Code.OVERLOADED
    retry_after_ms: Annotated[int, Note("When to look again.", unit="ms")]


@statically_frozen(kw_only=True)
class StatusDraining(EventPayload):
    """The server is about to stop."""

    event: ClassVar[ServerEvent] = ServerEvent.CONNECTION_STATUS
    status: Annotated[Literal["draining"], Note("Which status this is.")] = "draining"
    code: Annotated[Literal[Code.DRAINING], Note("Why.")] = Code.DRAINING
    retry_after_ms: Annotated[int, Note("When the client is to connect again.", unit="ms")]


@statically_frozen
class StatusClosing(EventPayload):
    """The connection is closed after this."""

    event: ClassVar[ServerEvent] = ServerEvent.CONNECTION_STATUS
    status: Annotated[Literal["closing"], Note("Which status this is.")] = "closing"
    code: Annotated[
        Literal[Code.TOKEN_EXPIRED, Code.TOKEN_REVOKED, Code.DIRECTORY_UNAVAILABLE], Note("Why.")
    ] = Code.TOKEN_EXPIRED


@statically_frozen
class RoomRevoked(EventPayload):
    """The client was removed from a room: its token or the directory no longer gives it the room,
    or all that was said there was deleted, and what the client has of it no longer exists."""

    event: ClassVar[ServerEvent] = ServerEvent.CONNECTION_LEFT
    connection_id: RoomId
    code: Annotated[Literal[Code.FORBIDDEN_ROOM, Code.ROOM_DELETED], Note("Why.")] = (
        Code.FORBIDDEN_ROOM
    )


@statically_frozen
class RoomGranted(EventPayload):
    """The user may use one more room: the directory, or a new token, gives it. The client is not in
    it; `connection:join` brings it in."""

    event: ClassVar[ServerEvent] = ServerEvent.CONNECTION_GRANTED
    connection_id: RoomId
    role: Annotated[Role, Note("What the user may do there.")]
    title: Annotated[str | None, Note("What the directory calls the room.")] = None


@statically_frozen
class RoleChanged(EventPayload):
    """The user has another role in a room that the client is in."""

    event: ClassVar[ServerEvent] = ServerEvent.CONNECTION_ROLE
    connection_id: RoomId
    role: Annotated[Role, Note("What the user may do there from now on.")]


@statically_frozen
class AnswerColumn(Payload):
    """A column of an answer."""

    name: Annotated[str, Note("Its name.")]
    type: Annotated[
        str | None,
        Note(
            "The database's own word for its type; if it names none, what its values are; "
            "null if they are of several kinds, or that is not known."
        ),
    ]


@statically_frozen
class AnswerCut(Payload):
    """What was left out of an answer, so that it fits."""

    rows: Annotated[RowsCut | None, Note("Rows are missing at its end, and why.")] = None
    values: Annotated[int | None, Note("How many values are shortened.")] = None
    names: Annotated[int | None, Note("How many columns have a shortened name or type.")] = None


@statically_frozen(kw_only=True)
class AnswerResult(Payload):
    """How an answer has ended."""

    state: Annotated[AnswerOutcome, Note("How it has ended.")]
    row_count: Annotated[int, Note("Rows that came.")]
    truncated: Annotated[bool, Note("Whether anything was left out; `cut` says what.")]
    elapsed_ms: Annotated[int, Note("How long it took.", unit="ms")]
    cached: Annotated[bool, Note("Whether it comes from the cache.")]
    rows_written: Annotated[
        int | None, Note("Rows that the statement changed, if it may write and that is known.")
    ] = None
    cut: Annotated[AnswerCut | None, Note("What was left out.")] = None
    remark: Annotated[
        str | None, Note("What the statement probably does not do as it was meant; a sentence.")
    ] = None
    error: Annotated[ErrorDetails | None, Note("What went wrong.")] = None


@statically_frozen(kw_only=True)
class AnswerTable(AnswerResult):
    """How an answer has ended, and all of its table."""

    statement: Annotated[
        str | None, Note("What was asked, as it was written. It can hold markup.")
    ] = None
    columns: Annotated[Sequence[AnswerColumn], Note("Its columns.")]
    rows: Annotated[Sequence[Row], Note("Its rows; a cell of bytes is `{$bytes: base64}`.")]
    rows_omitted: Annotated[
        int | None,
        Note("How many of the stored rows this copy leaves out, by `answerRows`.", unit="rows"),
    ] = None


@statically_frozen
class Reaction(Payload):
    """A reaction to a message, and whose it is."""

    emoji: Annotated[str, Note("The reaction.")]
    users: Annotated[
        Sequence[str], Note("The users who have reacted with it, the first one first.")
    ]


@statically_frozen(kw_only=True)
class ThreadReplies(Payload):
    """What a thread holds after its opener."""

    count: Annotated[int, Note("How many replies, 1000 at most.", unit="messages")]
    last_seq: Annotated[int, Note("The seq of the newest one.")]
    users: Annotated[Sequence[str], Note("Who wrote the newest ones, 3 at most, newest first.")]


@statically_frozen
class PublishedMessage(EventPayload):
    """A message of a room, live, in a history or as a hit."""

    event: ClassVar[ServerEvent] = ServerEvent.CHAT_MESSAGE
    message_id: Annotated[str, Note("Its id, in lower case.")]
    connection_id: Annotated[str, Note("Its room.")]
    user_id: Annotated[
        str,
        Note(
            "Its author; `db:` and the room where a database answers, `chatd:system` where an "
            "administrator has the server say it."
        ),
    ]
    content: Annotated[str, Note("Its text, with markup neutralised.")]
    timestamp: Annotated[int, Note("When it was stored.", unit="ms since 1970")]
    status: Annotated[MessageStatus, Note("How far it is.")]
    seq: Annotated[int, Note("Its number in the room, from 1, without gaps.")]
    name: Annotated[str | None, Note("Its author's name for people.")] = None
    context: Annotated[orjson.Fragment | None, Note("What it is about.", rendered=Context)] = None
    thread_id: Annotated[str | None, Note("The message that opened its thread.")] = None
    reply_to: Annotated[str | None, Note("The question that it answers.")] = None
    answer: Annotated[orjson.Fragment | None, Note("The answer's table.", rendered=AnswerTable)] = (
        None
    )
    error: Annotated[
        str | orjson.Fragment | None,
        Note("A sentence: why the answer failed, or what is damaged; null if it is lost."),
    ] = None
    raw: Annotated[
        str | None,
        Note("What was written, if that may be SQL and `content` differs. It can hold markup."),
    ] = None
    mentions: Annotated[
        Sequence[str] | None, Note("The users whom it mentions, by `@name`; at most 50.")
    ] = None
    rev: Annotated[
        int | None,
        Note("The number of its newest change among those of its room; absent if it has none."),
    ] = None
    edited_at: Annotated[
        int | None, Note("When its author last edited it.", unit="ms since 1970")
    ] = None
    deleted_at: Annotated[
        int | None,
        Note("When its author deleted it; its content is empty.", unit="ms since 1970"),
    ] = None
    reactions: Annotated[Sequence[Reaction] | None, Note("The reactions to it.")] = None
    replies: Annotated[
        ThreadReplies | None, Note("The replies in the thread that it opened, as of this page.")
    ] = None
    replay: Annotated[Literal[True] | None, Note("It was owed to the user, and comes late.")] = None


@statically_frozen
class RoomHistory(EventPayload):
    """Messages of a room, in the order of their seqs."""

    event: ClassVar[ServerEvent] = ServerEvent.CHAT_HISTORY
    connection_id: RoomId
    messages: Annotated[Sequence[orjson.Fragment], Note("The messages.", rendered=PublishedMessage)]
    has_more: Annotated[bool, Note("Whether there are more in the direction of the page.")]
    first_seq: Annotated[int, Note("The oldest seq that the room has; 0 if it has none.")]
    last_seq: Annotated[int, Note("The newest seq of the room; 0 if it has none.")]
    last_rev: Annotated[int, Note("The rev of the room's newest change; 0 if it has none.")]
    reset: Annotated[
        Literal[True] | None, Note("The client has to drop what it has of the room.")
    ] = None
    root: Annotated[
        orjson.Fragment | None,
        Note(
            "The message that opened the thread, if one was asked for.",
            rendered=PublishedMessage,
        ),
    ] = None


@statically_frozen
class SentMessage(EventPayload):
    """A message of this client is in the log."""

    event: ClassVar[ServerEvent] = ServerEvent.CHAT_MESSAGE_SENT
    message_id: Annotated[str, Note("Its id, in lower case.")]
    timestamp: Annotated[int, Note("When it was stored.", unit="ms since 1970")]
    connection_id: Annotated[str, Note("Its room.")]
    seq: Annotated[int, Note("Its number in the room.")]
    duplicate: Annotated[
        Literal[True] | None, Note("It was stored before; this is that message.")
    ] = None


@statically_frozen
class MessageError(EventPayload):
    """A message of this client was refused."""

    event: ClassVar[ServerEvent] = ServerEvent.CHAT_MESSAGE_ERROR
    message_id: Annotated[
        str | None,
        Note("Its id, in lower case; what was written there, null if that is not an id."),
    ]
    error: ErrorSentence
    code: ErrorCode
    retryable: IsRetryable
    path: ErrorPath = None
    retry_after_ms: RetryAfter = None

    @classmethod
    def of(cls, message_id: str | None, refusal: Refusal) -> "MessageError":
        return cls(
            message_id,
            refusal.sentence,
            refusal.code,
            refusal.retryable,
            refusal.path,
            refusal.retry_after_ms,
        )


@statically_frozen(kw_only=True)
class MessageReceipt(EventPayload):
    """Somebody has acknowledged a message of this user, the first one to do so."""

    event: ClassVar[ServerEvent] = ServerEvent.CHAT_MESSAGE_STATUS
    message_id: Annotated[str, Note("The message.")]
    connection_id: Annotated[str, Note("Its room.")]
    status: Annotated[Literal[MessageStatus.DELIVERED], Note("How far it is.")] = (
        MessageStatus.DELIVERED
    )
    by: Annotated[str, Note("The user who has acknowledged it.")]


@statically_frozen(kw_only=True)
class MessageChange(EventPayload):
    """Something about a message was changed. Changes of a room are numbered by `rev`, from 1."""

    message_id: Annotated[str, Note("The message.")]
    connection_id: RoomId
    seq: Annotated[int, Note("Its number in the room.")]
    rev: Annotated[int, Note("The number of this change in the room.")]


@statically_frozen(kw_only=True)
class MessageEdited(MessageChange):
    """The author of a message has given it another text."""

    event: ClassVar[ServerEvent] = ServerEvent.CHAT_MESSAGE_EDITED
    content: Annotated[str, Note("Its text now, with markup neutralised.")]
    raw: Annotated[
        str | None,
        Note("What was written, if that may be SQL and `content` differs. It can hold markup."),
    ] = None
    mentions: Annotated[Sequence[str] | None, Note("The users whom it mentions now.")] = None
    edited_at: Annotated[int, Note("When.", unit="ms since 1970")]


@statically_frozen(kw_only=True)
class MessageDeleted(MessageChange):
    """The author of a message has deleted it, or was erased: its place stays, without content."""

    event: ClassVar[ServerEvent] = ServerEvent.CHAT_MESSAGE_DELETED
    deleted_at: Annotated[int, Note("When.", unit="ms since 1970")]
    user_id: Annotated[
        str | None,
        Note("If its author was erased: the user id that it has from then on, without a name."),
    ] = None


@statically_frozen(kw_only=True)
class MessageReaction(MessageChange):
    """A user has added a reaction to a message, or removed it."""

    event: ClassVar[ServerEvent] = ServerEvent.CHAT_MESSAGE_REACTION
    user_id: Annotated[str, Note("The user.")]
    emoji: Annotated[str, Note("The reaction.")]
    is_on: Annotated[bool, Note("Whether it is there now.", name="on")]


@statically_frozen(kw_only=True)
class ReadMarker(EventPayload):
    """How far this user has read a room, told to the user's other sockets."""

    event: ClassVar[ServerEvent] = ServerEvent.CHAT_READ
    connection_id: RoomId
    read_seq: Annotated[int, Note("The seq up to which.")]
    unread: Annotated[int, Note("Messages of others after it, 1000 at most.", unit="messages")]
    mentions: Annotated[int, Note("Those of them that mention the user.", unit="messages")]


@statically_frozen(kw_only=True)
class MessageHint(EventPayload):
    """A message of this user was read as a question, but is not one. Only its sender gets this."""

    event: ClassVar[ServerEvent] = ServerEvent.CHAT_HINT
    message_id: Annotated[str, Note("The message.")]
    connection_id: RoomId
    code: Annotated[HintCode, Note("Why it gets no answer.")]
    message: Annotated[
        str | None, Note("A sentence for people; absent for plain talk (`talk`).")
    ] = None


@statically_frozen(kw_only=True)
class AnswerEvent(EventPayload):
    """Something about an answer."""

    message_id: Annotated[str, Note("The answer.")]
    reply_to: Annotated[str, Note("The question.")]
    connection_id: RoomId


@statically_frozen(kw_only=True)
class AnswerStart(AnswerEvent):
    """A question is being answered."""

    event: ClassVar[ServerEvent] = ServerEvent.CHAT_ANSWER_START
    read_only: Annotated[bool, Note("Whether the statement may only read.")]
    dry_run: Annotated[bool, Note("Whether only its plan is asked for.")]
    deadline: Annotated[int, Note("When it ends at the latest.", unit="ms since 1970")]
    started_at: Annotated[int, Note("When the question was stored.", unit="ms since 1970")]
    asked_by: Annotated[str, Note("The user who asks.")]


@statically_frozen(kw_only=True)
class AnswerProgress(AnswerEvent):
    """How far an answer is."""

    event: ClassVar[ServerEvent] = ServerEvent.CHAT_ANSWER_STATUS
    phase: Annotated[AnswerPhase, Note("How far it is.")]
    elapsed_ms: Annotated[int, Note("How long it has taken so far.", unit="ms")]


@statically_frozen(kw_only=True)
class AnswerRows(AnswerEvent):
    """The next rows of an answer."""

    event: ClassVar[ServerEvent] = ServerEvent.CHAT_ANSWER_ROWS
    index: Annotated[int, Note("The number of this event in the answer, from 0.")]
    columns: Annotated[Sequence[AnswerColumn] | None, Note("The columns, with the first rows.")] = (
        None
    )
    rows: Annotated[Sequence[Row], Note("The rows; a cell of bytes is `{$bytes: base64}`.")]


@statically_frozen(kw_only=True)
class AnswerEnd(AnswerEvent):
    """An answer has ended; the message that holds it follows."""

    event: ClassVar[ServerEvent] = ServerEvent.CHAT_ANSWER_END
    result: Annotated[AnswerResult, Note("How it has ended.", is_flattened=True)]


@statically_frozen
class TypingNotice(EventPayload):
    """A user is typing in a room, or has stopped."""

    event: ClassVar[ServerEvent] = ServerEvent.CHAT_TYPING
    user_id: Annotated[str, Note("The user.")]
    connection_id: RoomId
    is_typing: Annotated[bool, Note("Whether the user is typing.")]
    timestamp: Annotated[int, Note("Since when.", unit="ms since 1970")]
    name: UserName = None


@statically_frozen
class UserPresence(Payload):
    """A user in a room."""

    user_id: Annotated[str, Note("The user.")]
    status: Annotated[PresenceStatus, Note("What was declared last, by any of the user's sockets.")]
    last_seen: Annotated[int, Note("The last sign of the user.", unit="ms since 1970")]
    name: UserName = None


@statically_frozen(kw_only=True)
class PresenceNotice(EventPayload):
    """A user of a room has come, changed status, or gone."""

    event: ClassVar[ServerEvent] = ServerEvent.PRESENCE_UPDATE
    user: Annotated[UserPresence, Note("The user.", is_flattened=True)]
    connection_id: RoomId


@statically_frozen
class PresenceSnapshot(EventPayload):
    """Everybody who is in a room."""

    event: ClassVar[ServerEvent] = ServerEvent.PRESENCE_SNAPSHOT
    connection_id: RoomId
    users: Annotated[Sequence[UserPresence], Note("The users.")]


@statically_frozen
class QueueOverflow(EventPayload):
    """Messages fell out of the user's queue of a room. The history still has those that retention
    has not removed."""

    event: ClassVar[ServerEvent] = ServerEvent.QUEUE_OVERFLOW
    connection_id: RoomId
    from_seq: Annotated[int, Note("The first of them.")]
    to_seq: Annotated[int, Note("The last of them.")]


@statically_frozen
class ErrorNotice(EventPayload):
    """An event of this client was refused; messages have an event of their own for that."""

    event: ClassVar[ServerEvent] = ServerEvent.CHAT_ERROR
    refused: Annotated[ClientEvent, Note("The event.", name="event")]
    code: ErrorCode
    message: ErrorSentence
    connection_id: Annotated[str | None, Note("The room that the event named.")] = None
    path: ErrorPath = None
    retry_after_ms: RetryAfter = None

    @classmethod
    def of(
        cls, refused: ClientEvent, refusal: Refusal, connection_id: str | None = None
    ) -> "ErrorNotice":
        return cls(
            refused,
            refusal.code,
            refusal.sentence,
            connection_id,
            refusal.path,
            refusal.retry_after_ms,
        )


@statically_frozen
class TokenExpiring(EventPayload):
    """The token runs out soon."""

    event: ClassVar[ServerEvent] = ServerEvent.AUTH_EXPIRING
    expires_at: Annotated[int, Note("When.", unit="ms since 1970")]


@statically_frozen
class ServerDraining(EventPayload):
    """The server closes all connections soon."""

    event: ClassVar[ServerEvent] = ServerEvent.SERVER_DRAINING
    deadline: Annotated[int, Note("When it has closed them.", unit="ms since 1970")]
    reconnect_after_ms: Annotated[int, Note("When the client is to connect again.", unit="ms")]

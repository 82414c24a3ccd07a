"""What the server answers to events that ask for an ack: one class for each shape.

An ack says `ok`: true, with the result of the event; or false, with the error. The fields are those
of `wire.events`, and are written in the same way.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import orjson

from chatd.socketio.static import statically_frozen
from chatd.wire.codes import Refusal
from chatd.wire.events import (
    ErrorDetails,
    Ignored,
    Payload,
    PublishedMessage,
    RoomHistory,
    SentMessage,
)
from chatd.wire.fields import Note
from chatd.wire.names import AnswerOutcome, PresenceStatus


@statically_frozen(kw_only=True)
class AckPayload(Payload):
    """The event was carried out."""

    ok: Annotated[Literal[True], Note("The event was carried out.")] = True
    ignored: Ignored = None


@statically_frozen(kw_only=True)
class MessageAck(AckPayload):
    """To `chat:message`: what `chat:message:sent` says, and whether an answer may come."""

    question: Annotated[
        bool,
        Note("Whether it is read as a question: then `chat:answer:start` or `chat:hint` follows."),
    ]

    sent: Annotated[SentMessage, Note("The message.", is_flattened=True)]


@statically_frozen(kw_only=True)
class PresenceAck(AckPayload):
    """To `presence:update`."""

    status: Annotated[PresenceStatus, Note("The status that counts for the user now.")]


@statically_frozen(kw_only=True)
class JoinAck(AckPayload):
    """To `connection:join`: the client is in the room, and has what it missed."""

    connection_id: Annotated[str, Note("The room.")]
    last_seq: Annotated[int, Note("The newest seq of the room; 0 if it has none.")]
    epoch: Annotated[str, Note("The name of the log that the seq is from.")]


@statically_frozen(kw_only=True)
class LeaveAck(AckPayload):
    """To `connection:leave`: the client is no longer in the room. A client that may not use the
    room does not learn its newest seq."""

    connection_id: Annotated[str | None, Note("The room, if its name is an id.")] = None
    last_seq: Annotated[
        int | None, Note("The newest seq of the room, if the client may use it.")
    ] = None
    epoch: Annotated[
        str | None, Note("The name of the log that the seq is from; it comes with the seq.")
    ] = None


@statically_frozen(kw_only=True)
class HistoryAck(AckPayload):
    """To `chat:history:get`: what `chat:history` says."""

    history: Annotated[RoomHistory, Note("The page.", is_flattened=True)]


@statically_frozen
class FoundMessage(Payload):
    """A message that was found."""

    message: Annotated[orjson.Fragment, Note("The message.", rendered=PublishedMessage)]
    snippet: Annotated[str, Note("The text around the first match, with markup neutralised.")]
    highlights: Annotated[
        Sequence[tuple[int, int]],
        Note("Where in the snippet matches begin, and where they end.", unit="code points"),
    ]


@statically_frozen(kw_only=True)
class SearchAck(AckPayload):
    """To `chat:search`."""

    hits: Annotated[Sequence[FoundMessage], Note("What was found, best first.")]
    cursor: Annotated[str | None, Note("Asks for the next page; absent on the last one.")] = None
    incomplete: Annotated[
        bool | None,
        Note("True for a while after an upgrade: older messages are not found yet."),
    ] = None


@statically_frozen(kw_only=True)
class CancelAck(AckPayload):
    """To `answer:cancel`: the answer has ended."""

    state: Annotated[AnswerOutcome, Note("How it has ended.")]
    confirmed: Annotated[
        bool | None, Note("Whether the database says that nothing of it still runs.")
    ] = None


@statically_frozen(kw_only=True)
class ReadAck(AckPayload):
    """To `chat:read`: how far the user has read the room now."""

    connection_id: Annotated[str, Note("The room.")]
    read_seq: Annotated[int, Note("The seq up to which the user has read it.")]
    unread: Annotated[int, Note("Messages of others after it, 1000 at most.", unit="messages")]
    mentions: Annotated[int, Note("Those of them that mention the user.", unit="messages")]


@statically_frozen(kw_only=True)
class MessageGetAck(AckPayload):
    """To `chat:message:get`."""

    message: Annotated[orjson.Fragment, Note("The message.", rendered=PublishedMessage)]


@statically_frozen(kw_only=True)
class ChangeAck(AckPayload):
    """To `chat:message:edit`, `chat:message:delete` and `chat:message:react`."""

    message_id: Annotated[str, Note("The message, in lower case.")]
    connection_id: Annotated[str, Note("Its room.")]
    rev: Annotated[int, Note("The rev of the message now.")]
    timestamp: Annotated[int, Note("When the change was stored.", unit="ms since 1970")]
    duplicate: Annotated[Literal[True] | None, Note("It was so before; nothing was changed.")] = (
        None
    )


@statically_frozen
class SchemaColumn(Payload):
    """A column of a table."""

    name: Annotated[str, Note("Its name, exactly. It can hold markup.")]
    type: Annotated[str | None, Note("The database's own word for its type, if it has one.")]


@statically_frozen(kw_only=True)
class SchemaTable(Payload):
    """A table of a database, or a view."""

    name: Annotated[str, Note("Its name, exactly. It can hold markup.")]
    schema: Annotated[str | None, Note("Its schema, if the database has several.")] = None
    kind: Annotated[str, Note("`table`, `view`, or the database's own word.")]
    columns: Annotated[Sequence[SchemaColumn], Note("Its columns, in their order.")]


@statically_frozen(kw_only=True)
class SchemaAck(AckPayload):
    """To `schema:get`."""

    connection_id: Annotated[str, Note("The room.")]
    tables: Annotated[
        Sequence[orjson.Fragment],
        Note("The tables, in the order of the database.", rendered=SchemaTable),
    ]
    truncated: Annotated[bool, Note("Whether tables or columns were left out.")]


@statically_frozen(kw_only=True)
class TokenAck(AckPayload):
    """To `auth:refresh`."""

    expires_at: Annotated[int, Note("When the new token runs out.", unit="ms since 1970")]


@statically_frozen(kw_only=True)
class RefusedAck(Payload):
    """The event was refused."""

    ok: Annotated[Literal[False], Note("The event was not carried out.")] = False
    error: Annotated[ErrorDetails, Note("Why.")]
    ignored: Ignored = None

    @classmethod
    def of(cls, refusal: Refusal) -> "RefusedAck":
        return cls(error=ErrorDetails.of(refusal))

"""What clients send, as typed values: one class an event (SPEC 3).

Field names here are Python's; on the wire they are camelCase, by one rule in `wire.converter`.
Shapes only: whether a room is permitted or a content too long is decided in `chat`.
"""

import attrs

TABLES_MAX = 100  # entries of context.tables (SPEC 3); more is invalid_payload


@attrs.frozen
class ContextConfig:
    """How a question is to be run."""

    read_only: bool | None = None
    dry_run: bool | None = None


@attrs.frozen
class Context:
    """The part of the database that a message is about."""

    schema: str | None = None
    tables: tuple[str, ...] | None = None
    config: ContextConfig | None = None


@attrs.frozen
class ChatMessage:
    """`chat:message`."""

    message_id: str
    content: str
    connection_id: str
    context: Context | None = None
    thread_id: str | None = None


@attrs.frozen
class ChatAck:
    """`chat:ack`: one message, or with `up_to` all of its room up to it."""

    message_id: str
    up_to: bool | None = None


@attrs.frozen
class Typing:
    """`chat:typing:start` and `chat:typing:stop`."""

    connection_id: str


@attrs.frozen
class PresenceUpdate:
    """`presence:update`; `status` is one of three words, which the chat knows."""

    status: str
    connection_id: str


@attrs.frozen
class ConnectionJoin:
    """`connection:join`; `since` is the last seq that the client has, in the log named `epoch`."""

    connection_id: str
    since: int | None = None
    epoch: str | None = None


@attrs.frozen
class ConnectionLeave:
    """`connection:leave`."""

    connection_id: str


@attrs.frozen
class HistoryGet:
    """`chat:history:get`: a page before or after a seq; neither means the newest page."""

    connection_id: str
    before: int | None = None
    after: int | None = None
    limit: int | None = None
    thread_id: str | None = None


@attrs.frozen
class ChatSearch:
    """`chat:search`: in one room or in all; `before` and `after` are times in milliseconds."""

    query: str
    connection_id: str | None = None
    user_id: str | None = None
    before: int | None = None
    after: int | None = None
    limit: int | None = None
    cursor: str | None = None


@attrs.frozen
class AnswerCancel:
    """`answer:cancel`; the id is that of the question."""

    message_id: str


@attrs.frozen
class AuthRefresh:
    """`auth:refresh`."""

    token: str

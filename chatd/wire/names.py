"""The words of the wire, events and states; the only place where they are spelled."""

from enum import StrEnum


class ClientEvent(StrEnum):
    """What a client may send."""

    CHAT_MESSAGE = "chat:message"
    TYPING_START = "chat:typing:start"
    TYPING_STOP = "chat:typing:stop"
    PRESENCE_UPDATE = "presence:update"
    CHAT_ACK = "chat:ack"
    CHAT_READ = "chat:read"
    MESSAGE_GET = "chat:message:get"
    MESSAGE_EDIT = "chat:message:edit"
    MESSAGE_DELETE = "chat:message:delete"
    MESSAGE_REACT = "chat:message:react"
    CONNECTION_JOIN = "connection:join"
    CONNECTION_LEAVE = "connection:leave"
    HISTORY_GET = "chat:history:get"
    SEARCH = "chat:search"
    ANSWER_CANCEL = "answer:cancel"
    SCHEMA_GET = "schema:get"
    AUTH_REFRESH = "auth:refresh"


class ServerEvent(StrEnum):
    """What the server sends."""

    CONNECTION_STATUS = "connection:status"
    CONNECTION_LEFT = "connection:left"
    CONNECTION_GRANTED = "connection:granted"
    CONNECTION_ROLE = "connection:role"
    CHAT_HISTORY = "chat:history"
    CHAT_MESSAGE = "chat:message"
    CHAT_MESSAGE_SENT = "chat:message:sent"
    CHAT_MESSAGE_ERROR = "chat:message:error"
    CHAT_MESSAGE_STATUS = "chat:message:status"
    CHAT_MESSAGE_EDITED = "chat:message:edited"
    CHAT_MESSAGE_DELETED = "chat:message:deleted"
    CHAT_MESSAGE_REACTION = "chat:message:reaction"
    CHAT_READ = "chat:read"
    CHAT_HINT = "chat:hint"
    CHAT_ANSWER_START = "chat:answer:start"
    CHAT_ANSWER_STATUS = "chat:answer:status"
    CHAT_ANSWER_ROWS = "chat:answer:rows"
    CHAT_ANSWER_END = "chat:answer:end"
    CHAT_TYPING = "chat:typing"
    PRESENCE_UPDATE = "presence:update"
    PRESENCE_SNAPSHOT = "presence:snapshot"
    QUEUE_OVERFLOW = "queue:overflow"
    CHAT_ERROR = "chat:error"
    AUTH_EXPIRING = "auth:expiring"
    SERVER_DRAINING = "server:draining"


class Feature(StrEnum):
    """What this server can do beyond its first version; a client hides what its server lacks."""

    QUESTIONS = "questions"  # the ack says `question`, and `chat:hint` follows if none is asked
    READ = "read"  # chat:read, readSeq and unread
    MESSAGE_GET = "message_get"
    EDIT = "edit"  # chat:message:edit and chat:message:delete
    REACTIONS = "reactions"
    MENTIONS = "mentions"
    THREADS = "threads"  # `root` with a thread, `replies` with its opener
    ANSWER_ROWS = "answer_rows"
    SCHEMA = "schema"
    CHANGES = "changes"  # `changedAfter` of chat:history:get, and `rev`


class Role(StrEnum):
    """What a user may do in a room."""

    OWNER = "owner"
    MEMBER = "member"
    VIEWER = "viewer"  # reads, but cannot write


class DatabaseKind(StrEnum):
    """Which db-mcp answers in a room."""

    SQLITE = "sqlite"  # chatd's own
    POSTGRES = "postgres"  # chatd's own
    MCP = "mcp"  # another one


class PresenceStatus(StrEnum):
    """How present a user is in a room, the most present first."""

    ONLINE = "online"
    AWAY = "away"
    OFFLINE = "offline"


class MessageStatus(StrEnum):
    """How far a message is; `damaged` if its record on the disk cannot be read."""

    SENT = "sent"
    DELIVERED = "delivered"
    DAMAGED = "damaged"


class AnswerPhase(StrEnum):
    """How far an answer is that has not ended."""

    STARTING = "starting"
    QUEUED = "queued"
    RUNNING = "running"
    FETCHING = "fetching"


class RowsCut(StrEnum):
    """Why rows are missing at the end of an answer, or of its export."""

    MAX_ROWS = "max_rows"  # there are more rows than it may have
    MAX_BYTES = "max_bytes"  # they are larger than it may be
    LARGE_VALUE = "large_value"  # the next row has a value too large for the database to return
    DATABASE = "database"  # the database's server has cut them, and does not say why


class AnswerOutcome(StrEnum):
    """How an answer has ended."""

    DONE = "done"
    ERROR = "error"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"

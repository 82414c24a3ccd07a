"""Every error code of the wire: its sentence, its status over HTTP, and whether a retry helps; and
every code of a hint.

These tables are the only home of codes (docs/protocol, "Codes" and "Hints"). A `Refusal` is a
value: rules return it, the service turns it into an ack and an error event.
"""

from collections.abc import Mapping
from enum import StrEnum

import attrs


class Code(StrEnum):
    """A stable name for what went wrong; clients switch on it."""

    INVALID_PAYLOAD = "invalid_payload"
    INVALID_MESSAGE_ID = "invalid_message_id"
    CONTENT_EMPTY = "content_empty"
    CONTENT_TOO_LONG = "content_too_long"
    MESSAGE_ID_CONFLICT = "message_id_conflict"
    FORBIDDEN_ROOM = "forbidden_room"
    READ_ONLY_ROOM = "read_only_room"
    ROOM_DELETED = "room_deleted"
    FORBIDDEN = "forbidden"
    MESSAGE_DELETED = "message_deleted"
    EDIT_CONFLICT = "edit_conflict"
    TOO_MANY_REACTIONS = "too_many_reactions"
    UNKNOWN_THREAD = "unknown_thread"
    INVALID_QUERY = "invalid_query"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    DRAINING = "draining"
    STORAGE_FULL = "storage_full"
    STORAGE_ERROR = "storage_error"
    STORAGE_READ_ERROR = "storage_read_error"
    DIRECTORY_UNAVAILABLE = "directory_unavailable"
    INTERNAL = "internal"
    UNAUTHORIZED = "unauthorized"
    TOKEN_EXPIRED = "token_expired"
    TOKEN_INVALID = "token_invalid"
    TOKEN_REVOKED = "token_revoked"
    NOT_FOUND = "not_found"
    ANSWER_FAILED = "answer_failed"
    DB_UNAVAILABLE = "db_unavailable"
    DB_TIMEOUT = "db_timeout"
    DB_CANCELLED = "db_cancelled"
    DB_READ_ONLY = "db_read_only"
    DB_STATEMENT_REJECTED = "db_statement_rejected"
    DB_SYNTAX = "db_syntax"
    DB_ERROR = "db_error"
    DB_BUSY = "db_busy"
    DB_DRY_RUN_UNSUPPORTED = "db_dry_run_unsupported"
    DB_INTERRUPTED = "db_interrupted"


@attrs.frozen
class Explanation:
    """What a code says to a person, and whether the same request may succeed later.

    `http_status` is its status where a request over HTTP is refused with it (docs/http, "Errors",
    and docs/answers, "Export"). Sockets have no statuses.
    """

    http_status: int
    sentence: str
    retryable: bool = False


EXPLANATIONS: Mapping[Code, Explanation] = {
    Code.INVALID_PAYLOAD: Explanation(400, "The payload has a missing or wrong field; see path."),
    Code.INVALID_MESSAGE_ID: Explanation(
        400, "messageId must be a UUID; make a new one for each message."
    ),
    Code.CONTENT_EMPTY: Explanation(400, "The message is empty; write something first."),
    Code.CONTENT_TOO_LONG: Explanation(
        400, "The message is too long; shorten it or send it in parts."
    ),
    Code.MESSAGE_ID_CONFLICT: Explanation(
        409, "This messageId was already used for another message; make a new one."
    ),
    Code.ROOM_DELETED: Explanation(
        409, "An administrator has deleted all that was said in this room; join it to begin anew."
    ),
    Code.FORBIDDEN_ROOM: Explanation(
        403, "You may not use this connection; ask its owner for access."
    ),
    Code.READ_ONLY_ROOM: Explanation(
        403, "You may read in this room, and not write; ask its owner for another role."
    ),
    Code.FORBIDDEN: Explanation(403, "Only the user who began this may do that."),
    Code.MESSAGE_DELETED: Explanation(
        410, "This message was deleted, and does not change any more."
    ),
    Code.EDIT_CONFLICT: Explanation(
        409, "This message was changed meanwhile; look at it, and edit it again."
    ),
    Code.TOO_MANY_REACTIONS: Explanation(409, "This message has as many reactions as it may have."),
    Code.UNKNOWN_THREAD: Explanation(404, "No message of this connection opened that thread."),
    Code.INVALID_QUERY: Explanation(400, 'This cannot be searched for; write words or a "phrase".'),
    Code.RATE_LIMITED: Explanation(
        429, "Too many in a short time; try again after retryAfterMs.", retryable=True
    ),
    Code.OVERLOADED: Explanation(503, "The server is busy; try again shortly.", retryable=True),
    Code.DRAINING: Explanation(503, "The server is restarting; reconnect shortly.", retryable=True),
    Code.STORAGE_FULL: Explanation(
        503, "The server's disk is full; nothing was stored, try again later.", retryable=True
    ),
    Code.STORAGE_ERROR: Explanation(
        503, "The server could not store this; nothing was stored, try again later.", retryable=True
    ),
    Code.STORAGE_READ_ERROR: Explanation(
        503,
        "The server could not read this from its disk; try again later, and tell its operator if "
        "it persists.",
        retryable=True,
    ),
    Code.DIRECTORY_UNAVAILABLE: Explanation(
        503, "The directory of rooms does not answer; try again later.", retryable=True
    ),
    Code.INTERNAL: Explanation(
        500,
        "Something went wrong in the server; try again, and tell its operator if it persists.",
        retryable=True,
    ),
    Code.UNAUTHORIZED: Explanation(401, "A token is needed; sign in and connect again."),
    Code.TOKEN_EXPIRED: Explanation(401, "The token has expired; get a new one and connect again."),
    Code.TOKEN_INVALID: Explanation(401, "The token is not valid here; sign in again."),
    Code.TOKEN_REVOKED: Explanation(
        401, "An administrator has ended your sessions; sign in again."
    ),
    Code.NOT_FOUND: Explanation(404, "There is no such message in your connections."),
    Code.ANSWER_FAILED: Explanation(
        409, "This answer failed, and has no rows to download; ask the question again."
    ),
    Code.DB_UNAVAILABLE: Explanation(
        503, "The database of this connection does not answer; try again shortly.", retryable=True
    ),
    Code.DB_TIMEOUT: Explanation(
        504, "The database took too long; ask for less, or try again later.", retryable=True
    ),
    Code.DB_CANCELLED: Explanation(408, "The answer was cancelled.", retryable=True),
    Code.DB_READ_ONLY: Explanation(409, "Only reading is allowed here; ask for rows with SELECT."),
    Code.DB_STATEMENT_REJECTED: Explanation(
        409, "This statement may not run here; send one plain SELECT."
    ),
    Code.DB_SYNTAX: Explanation(
        409, "The database does not understand this statement; correct it."
    ),
    Code.DB_ERROR: Explanation(409, "The database could not answer this; look at the statement."),
    Code.DB_BUSY: Explanation(
        503, "Too many answers are under way; try again when one has ended.", retryable=True
    ),
    Code.DB_DRY_RUN_UNSUPPORTED: Explanation(
        409, "This database cannot tell a plan without running it; ask without dryRun."
    ),
    Code.DB_INTERRUPTED: Explanation(
        503, "The server was stopped while the database answered; ask again.", retryable=True
    ),
}


class HintCode(StrEnum):
    """Why a message that was read as a question gets no answer; clients switch on it."""

    TALK = "talk"
    NEAR_SQL = "near_sql"
    UNKNOWN_COMMAND = "unknown_command"
    NO_DATABASE = "no_database"


HINTS: Mapping[HintCode, str | None] = {
    HintCode.TALK: None,
    HintCode.NEAR_SQL: "This was taken as talk. Send it with /sql to run it.",
    HintCode.UNKNOWN_COMMAND: "There is no such command; /help says what can be asked.",
    HintCode.NO_DATABASE: "No database answers in this room, so this was taken as talk.",
}
"""What each hint says if nothing more specific is known. Plain talk gets no sentence."""


@attrs.frozen
class Refusal:
    """A request that is not carried out, and why.

    `path` names the field in wire names (`context.tables[3]`), `retry_after_ms` says when a retry
    may succeed, `message` replaces the sentence of the table if more is known.
    `connection_id` is the room that `chat:error` names.
    """

    code: Code
    message: str | None = None
    path: str | None = None
    retry_after_ms: int | None = None
    connection_id: str | None = None

    @property
    def sentence(self) -> str:
        """The sentence for people."""
        return self.message or EXPLANATIONS[self.code].sentence

    @property
    def http_status(self) -> int:
        """The status of a response that says so."""
        return EXPLANATIONS[self.code].http_status

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return EXPLANATIONS[self.code].retryable

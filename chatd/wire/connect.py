"""What a client says in CONNECT, and what it gets if it is refused."""

from collections.abc import Mapping
from typing import Annotated

import attrs

from chatd.socketio.static import statically_frozen
from chatd.wire.codes import Refusal
from chatd.wire.events import ErrorCode, IsRetryable, Payload, RetryAfter
from chatd.wire.fields import Note
from chatd.wire.names import PresenceStatus
from chatd.wire.payloads import AnswerRowsWanted


@attrs.frozen
class ConnectAuth:
    """The `auth` of a CONNECT; each part is checked by itself."""

    token: Annotated[str | None, Note("The token; it may also stand in a header.")] = None
    connection_id: Annotated[
        str | tuple[str, ...] | None,
        Note("The rooms to join at once; absent or empty for all that the user may use."),
    ] = None
    since: Annotated[
        Mapping[str, int | None] | None, Note("The last seq that the client has, by room.")
    ] = None
    epoch: Annotated[str | None, Note("The name of the log that these seqs are from.")] = None
    answer_rows: AnswerRowsWanted = None
    status: Annotated[
        PresenceStatus | None, Note("How present the user is from now on, in the rooms to join.")
    ] = None
    reconnect_attempts: Annotated[int | None, Note("How often the client has tried before.")] = None


@statically_frozen
class ConnectErrorData(Payload):
    """The `data` of a CONNECT_ERROR; its sentence stands beside it, as `message`."""

    code: ErrorCode
    retryable: IsRetryable
    retry_after_ms: RetryAfter = None
    path: Annotated[str | None, Note("The field of the handshake that is wrong.")] = None

    @classmethod
    def of(cls, refusal: Refusal) -> "ConnectErrorData":
        return cls(refusal.code, refusal.retryable, refusal.retry_after_ms, refusal.path)

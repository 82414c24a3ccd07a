"""What the server answers over HTTP beside acks (docs/http), and what only a stream of events has.

A request that is carried out is answered with the JSON of the ack that a socket would get.
"""

from typing import Annotated, Literal

from chatd.socketio.static import statically_frozen
from chatd.wire.acks import HistoryAck
from chatd.wire.codes import Refusal
from chatd.wire.events import ErrorDetails, Payload
from chatd.wire.fields import Note
from chatd.wire.payloads import RoomId


@statically_frozen
class HttpRefused(Payload):
    """The request was refused."""

    error: Annotated[ErrorDetails, Note("Why.")]

    @classmethod
    def of(cls, refusal: Refusal) -> "HttpRefused":
        return cls(ErrorDetails.of(refusal))


@statically_frozen(kw_only=True)
class HttpHistory(HistoryAck):
    """A page of a room, and of which log it is: `epoch:seq` is where a stream goes on."""

    epoch: Annotated[str, Note("The name of the log that the seqs are from.")]


@statically_frozen(kw_only=True)
class StreamOpened(Payload):
    """The first event of a stream, `stream:open`: what follows is newer than its `id`."""

    connection_id: RoomId
    epoch: Annotated[str, Note("The name of the log that the seqs are from.")]
    first_seq: Annotated[int, Note("The oldest seq that the room has; 0 if it has none.")]
    last_seq: Annotated[int, Note("The newest seq of the room; 0 if it has none.")]
    last_rev: Annotated[int, Note("The rev of the room's newest change; 0 if it has none.")]
    resumed: Annotated[bool, Note("Whether it goes on where `Last-Event-ID` says.")]
    reset: Annotated[
        Literal[True] | None,
        Note("What the client has is from another log, or was never in this one: read it anew."),
    ] = None


@statically_frozen(kw_only=True)
class StreamGap(Payload):
    """`stream:gap`: messages that the client can no longer get; retention has removed them."""

    connection_id: RoomId
    from_seq: Annotated[int, Note("The first of them.")]
    to_seq: Annotated[int, Note("The last of them.")]

"""What a room gets, as server-sent events (HTML standard, 9.2.6; docs/http, "Events").

    id: EPOCH:SEQ
    event: chat:message
    data: {"messageId":...}

Only messages have an id, from which a client goes on. JSON has no line break, so that an event is
always these lines. The bytes of a message are equal for all streams of its room, and are made once.
"""

from collections import OrderedDict
from typing import Final

import attrs
import orjson

from chatd.engine.outgoing import Outgoing
from chatd.wire.encoder import encode
from chatd.wire.names import ServerEvent
from chatd.wire.over_http import StreamGap, StreamOpened

OPEN: Final = b"stream:open"
GAP: Final = b"stream:gap"
FRAMES_KEPT: Final = 16
"""Messages whose bytes are kept: all streams get a message in the same turn, though in several
slices."""

_CARRIED: Final = frozenset(
    event.value.encode()
    for event in (
        ServerEvent.CHAT_MESSAGE,
        ServerEvent.CHAT_MESSAGE_EDITED,
        ServerEvent.CHAT_MESSAGE_DELETED,
        ServerEvent.CHAT_MESSAGE_REACTION,
        ServerEvent.CHAT_HINT,
        ServerEvent.CHAT_ANSWER_START,
        ServerEvent.CHAT_ANSWER_STATUS,
        ServerEvent.CHAT_ANSWER_ROWS,
        ServerEvent.CHAT_ANSWER_END,
        ServerEvent.CONNECTION_STATUS,
        ServerEvent.CONNECTION_LEFT,
        ServerEvent.AUTH_EXPIRING,
        ServerEvent.SERVER_DRAINING,
    )
)
"""The events of sockets that a stream has too: what happens in its room, and to the stream
itself."""

_MESSAGE: Final = ServerEvent.CHAT_MESSAGE.value.encode()
_HINT: Final = ServerEvent.CHAT_HINT.value.encode()
_DRAINING: Final = ServerEvent.SERVER_DRAINING.value.encode()


@attrs.define(eq=False)
class MessageFrames:
    """The newest messages as events, for all streams."""

    _epoch: str
    _kept: OrderedDict[int, tuple[Outgoing, int, bytes]] = attrs.field(
        init=False, factory=OrderedDict
    )

    def frame(self, outgoing: Outgoing, payload: bytes) -> tuple[int, bytes]:
        """The seq of a message, and its event."""
        kept = self._kept.get(id(outgoing))  # no other object has this id while it is kept
        if kept is not None:
            return kept[1:]
        seq: int = orjson.loads(payload)["seq"]
        frame = event(_MESSAGE, payload, self.id_of(seq))
        if len(self._kept) >= FRAMES_KEPT:
            self._kept.popitem(last=False)
        self._kept[id(outgoing)] = outgoing, seq, frame
        return seq, frame

    def id_of(self, seq: int) -> bytes:
        """How a client names this place in the room."""
        return f"{self._epoch}:{seq}".encode("ascii")


@attrs.define(eq=False)
class RoomFrames:
    """The events of one stream. `_last_seq` is what its client has; it gets nothing twice, and is
    told what it cannot get."""

    _messages: MessageFrames
    _connection_id: str
    _last_seq: int

    def opened(self, opened: StreamOpened, retry_ms: int) -> bytes:
        """The first bytes of a stream."""
        at = self._messages.id_of(self._last_seq)
        return b"retry: %d\n%b" % (retry_ms, event(OPEN, encode(opened), at))

    def of_packet(self, outgoing: Outgoing) -> bytes:
        """The bytes of a packet of the chat; empty if streams do not get it.

        >>> packet = Outgoing(b'42["auth:expiring",{"expiresAt":1}]')
        >>> RoomFrames(MessageFrames("e"), "demo", 0).of_packet(packet)
        b'event: auth:expiring\\ndata: {"expiresAt":1}\\n\\n'
        """
        head, _, rest = outgoing.text.partition(b'",')
        name, payload = head[len(b'42["') :], rest[: -len(b"]")]
        if name not in _CARRIED:
            return b""
        if name == _MESSAGE:
            return self._of_message(outgoing, payload)
        if name == _HINT and orjson.loads(payload)["connectionId"] != self._connection_id:
            return b""
        if name == _DRAINING:
            retry_ms: int = orjson.loads(payload)["reconnectAfterMs"]
            return b"retry: %d\n%b" % (retry_ms, event(name, payload))
        return event(name, payload)

    def _of_message(self, outgoing: Outgoing, payload: bytes) -> bytes:
        seq, frame = self._messages.frame(outgoing, payload)
        missed_from = self._last_seq + 1
        if seq < missed_from:
            return b""
        self._last_seq = seq
        if seq == missed_from:
            return frame
        gap = StreamGap(connection_id=self._connection_id, from_seq=missed_from, to_seq=seq - 1)
        return event(GAP, encode(gap)) + frame


def event(name: bytes, payload: bytes, at: bytes | None = None) -> bytes:
    """One event; `at` is its id."""
    named = b"event: %b\ndata: %b\n\n" % (name, payload)
    return named if at is None else b"id: %b\n%b" % (at, named)

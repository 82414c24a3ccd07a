"""One thing to send, encoded once for all its receivers, whatever carries it.

A Socket.IO packet and its attachments are one unit: they are never parted in a queue. On a
WebSocket it is one run of frames, unmasked and therefore equal for all receivers, made when the
first of them needs it; in a polling payload it is packets.
"""

from chatd.engineio.packet import encode_binary as encode_binary_piece
from chatd.websocket.frames import encode_binary, encode_text


class Outgoing:
    """An Engine.IO text packet, and the binary messages that follow it; without text, those alone.

    `text` begins with the digit of its Engine.IO type. `__slots__` and no attrs: one is built for
    each reply, and a broadcast to a thousand sockets reads `frame` a thousand times.
    """

    __slots__ = ("_frame", "_pieces", "attachments", "text")

    def __init__(self, text: bytes, attachments: tuple[bytes, ...] = ()) -> None:
        self.text = text
        self.attachments = attachments
        self._frame = b""
        self._pieces: tuple[bytes, ...] = ()

    @property
    def frame(self) -> bytes:
        """All of it as WebSocket frames."""
        frame = self._frame
        if not frame:
            frame = encode_text(self.text) if self.text else b""
            for attachment in self.attachments:
                frame += encode_binary(attachment)
            self._frame = frame
        return frame

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """All of it as packets of a polling payload."""
        if not self._pieces:
            binary = tuple(encode_binary_piece(attachment) for attachment in self.attachments)
            self._pieces = (self.text, *binary) if self.text else binary
        return self._pieces

    @property
    def size(self) -> int:
        """Bytes that it owes to a receiver, framing aside."""
        return len(self.text) + sum(map(len, self.attachments))

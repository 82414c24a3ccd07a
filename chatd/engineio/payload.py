"""Polling payloads: several packets in the body of one HTTP request or response.

Packets are joined by the byte 0x1E. It never occurs inside one of ours: JSON escapes it, base64 has
no such character, and in UTF-8 it is never part of a longer sequence, so that a body can be split
before it is decoded. Source: Engine.IO 4, "Packet encoding, HTTP long-polling".
"""

from collections.abc import Iterator, Sequence
from typing import Final

from chatd.engineio.packet import Packet, ProtocolError, decode_text

_SEPARATOR: Final = b"\x1e"

# Packets in one response; 16 because clients of python-engineio drop the session at the 17th
# (python-engineio#142). The rest stays queued for the next GET.
MAX_PACKETS_PER_RESPONSE: Final = 16


def encode_payload(packets: Sequence[bytes]) -> bytes:
    """The body for these packets, in order: each as UTF-8, binary messages by `encode_binary`.

    The text must be free of 0x1E; whatever a JSON encoder writes is.

    >>> encode_payload([b'451-["x",{"_placeholder":true,"num":0}]', encode_binary(b"hi")])
    b'451-["x",{"_placeholder":true,"num":0}]\\x1ebaGk='
    """
    return _SEPARATOR.join(packets)


def decode_payload(body: bytes) -> Iterator[Packet]:
    """The packets of a request body, one at a time.

    A generator, for three reasons: the packets before a broken one are processed, those after a
    CLOSE are not looked at, and a body of a million separators costs no memory. The caller limits
    its length beforehand (`maxPayload`).

    Raises `ProtocolError` at the first piece that is not a packet: empty (so an empty body and a
    separator at the end are errors), of unknown type, not UTF-8, or not base64.
    """
    start = 0
    while True:
        end = body.find(_SEPARATOR, start)
        piece = body[start:] if end < 0 else body[start:end]
        try:
            text = piece.decode()
        except UnicodeDecodeError:
            raise ProtocolError("A packet is not valid UTF-8.") from None
        yield decode_text(text)
        if end < 0:
            return
        start = end + 1

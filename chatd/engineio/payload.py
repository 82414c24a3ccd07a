"""Polling payloads: several packets in the body of one HTTP request or response.

Packets are joined by the byte 0x1E. It never occurs inside one of ours: JSON escapes it, base64
has no such character, and in UTF-8 it is no part of any longer sequence, so that a body can be
split before it is decoded. Source: Engine.IO 4, "Packet encoding, HTTP long-polling"; limits of
a response: WIRE d2.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from chatd.engineio.packet import Packet, ProtocolError, decode_text, encode_binary

_SEPARATOR: Final = b"\x1e"

# Packets in one response; 16 because clients of python-engineio drop the session at the 17th
# (python-engineio#142). What is beyond stays queued for the next GET.
MAX_PACKETS_PER_RESPONSE: Final = 16


def encode_payload(packets: Sequence[str | bytes]) -> bytes:
    """The body for these packets, in order: text is an encoded packet, bytes a binary message.

    The text must be free of 0x1E and of lone surrogates; all that a JSON encoder writes is.

    >>> encode_payload(['451-["x",{"_placeholder":true,"num":0}]', b"hi"])
    b'451-["x",{"_placeholder":true,"num":0}]\\x1ebaGk='
    """
    return _SEPARATOR.join(
        [
            packet.encode() if isinstance(packet, str) else encode_binary(packet)
            for packet in packets
        ]
    )


def decode_payload(body: bytes) -> Iterator[Packet]:
    """The packets of a request body, one at a time.

    A generator, for three reasons: the packets before a broken one are to be processed, those after
    a CLOSE are not to be looked at, and a body of a million separators costs no memory. Its length
    is the caller's to limit, beforehand (`maxPayload`).

    Raises `ProtocolError` at the first piece that is no packet: empty (so an empty body and a
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


def take_batch(
    packets: Iterable[str | bytes],
    *,
    max_bytes: int,
    max_packets: int = MAX_PACKETS_PER_RESPONSE,
) -> int:
    """How many packets from the head of a queue go into one response.

    As many as stay within `max_packets` and, encoded with their separators, within `max_bytes`; one
    at least, however large, since it would never fit later either; none of an empty queue. Each
    attachment is a packet, and an event may be separated from its attachments: the client's decoder
    spans responses. Looks at no more packets than it may take.
    """
    count = 0
    size = 0
    for packet in packets:
        if count == max_packets:
            break
        size += _encoded_size(packet) + (1 if count else 0)
        if count and size > max_bytes:
            break
        count += 1
    return count


def _encoded_size(packet: str | bytes) -> int:
    if isinstance(packet, bytes):
        return 1 + (len(packet) + 2) // 3 * 4
    return len(packet) if packet.isascii() else len(packet.encode())

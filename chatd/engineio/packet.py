"""Engine.IO packets and their text form.

Owns the packet types and the way one packet is written as one WebSocket text message or as one
piece of a polling payload. Knows neither transports nor sessions: whether a packet makes sense
where it arrived is decided by the session and by `upgrade`. Source: Engine.IO 4, "Packet encoding".
"""

import binascii
import enum

import attrs


class ProtocolError(Exception):
    """The peer sent something that Engine.IO does not allow; the message is one sentence."""


class PacketType(enum.Enum):
    """The types of Engine.IO 4, section "Packet types"; the value is the digit on the wire."""

    OPEN = "0"
    CLOSE = "1"
    PING = "2"
    PONG = "3"
    MESSAGE = "4"
    UPGRADE = "5"
    NOOP = "6"


@attrs.frozen
class Packet:
    """One packet. `data` is bytes only in a binary message, which is always a MESSAGE."""

    type: PacketType
    data: str | bytes = ""


_BINARY_PREFIX = "b"
_TYPES = {packet_type.value: packet_type for packet_type in PacketType}
# Packets are frozen, so the heartbeat of every connection can share these.
_BARE_PACKETS = {packet_type.value: Packet(packet_type) for packet_type in PacketType}


def decode_text(text: str) -> Packet:
    """The packet that a WebSocket text message, or a piece of a payload, stands for.

    Text that begins with `b` is a binary message. Its base64 is read strictly: alphabet and padding
    must be right; Node skips what it cannot read, and so delivers bytes that were never sent.
    Raises `ProtocolError` for empty text, an unknown type, or bad base64.
    """
    if len(text) == 1 and (bare := _BARE_PACKETS.get(text)) is not None:
        return bare
    first = text[:1]
    if (packet_type := _TYPES.get(first)) is not None:
        return Packet(packet_type, text[1:])
    if first == _BINARY_PREFIX:
        return Packet(PacketType.MESSAGE, _decode_base64(text[1:]))
    if not first:
        raise ProtocolError("An empty packet has no type.")
    raise ProtocolError(f"The packet type {first!a} is unknown.")


def encode_binary(message: bytes) -> bytes:
    """A binary message as a piece of a payload: `b` and base64, `b` alone for no bytes at all."""
    return b"b" + binascii.b2a_base64(message, newline=False)


def _decode_base64(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise ProtocolError("A binary message is not valid base64.") from None

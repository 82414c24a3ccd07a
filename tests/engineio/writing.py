"""Packets as a peer writes them."""

from chatd.engineio.packet import Packet, encode_binary


def encode_text(packet: Packet) -> str:
    """Digit and data, or `b` and base64 for a binary message."""
    if isinstance(packet.data, str):
        return packet.type.value + packet.data
    return encode_binary(packet.data).decode()

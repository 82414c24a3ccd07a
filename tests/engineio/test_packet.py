import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.engineio.packet import Packet, PacketType, ProtocolError, decode_text
from tests.engineio.writing import encode_text
from tests.rows import rows

VECTORS = [
    (Packet(PacketType.OPEN, '{"sid":"X"}'), '0{"sid":"X"}'),
    (Packet(PacketType.CLOSE), "1"),
    (Packet(PacketType.PING), "2"),
    (Packet(PacketType.PING, "probe"), "2probe"),
    (Packet(PacketType.PONG), "3"),
    (Packet(PacketType.PONG, "probe"), "3probe"),
    (Packet(PacketType.PONG, "foo"), "3foo"),
    (Packet(PacketType.MESSAGE), "4"),
    (Packet(PacketType.MESSAGE, "hello"), "4hello"),
    (Packet(PacketType.MESSAGE, "てすと"), "4てすと"),
    (Packet(PacketType.MESSAGE, "0b"), "40b"),
    (Packet(PacketType.UPGRADE), "5"),
    (Packet(PacketType.NOOP), "6"),
    (Packet(PacketType.MESSAGE, b"\x01\x02\x03"), "bAQID"),
    (Packet(PacketType.MESSAGE, b"hi"), "baGk="),
    (Packet(PacketType.MESSAGE, b""), "b"),
]


@rows(("packet", "text"), VECTORS)
def test_a_packet_and_its_text_are_the_same_thing(packet: Packet, text: str) -> None:
    assert encode_text(packet) == text
    assert decode_text(text) == packet


@rows("text", ["", "abc", "7", "9", "-1", "B", " 4", "\x1e", "４hello", "\ud800", "\x00"])
def test_text_without_a_known_type_is_a_breach(text: str) -> None:
    with pytest.raises(ProtocolError):
        decode_text(text)


@rows(
    "text",
    [
        "bA",
        "bAQ",
        "bAQI",
        "bA===",
        "bAQ==A",
        "bAQ==\n",
        "bAA AA",
        "b=",
        "bAA-_",
        "bAQéD",
        "b\ud800",
    ],
)
def test_base64_is_read_strictly(text: str) -> None:
    with pytest.raises(ProtocolError, match="base64"):
        decode_text(text)


@given(st.text())
def test_any_text_is_a_packet_or_a_breach(text: str) -> None:
    try:
        packet = decode_text(text)
    except ProtocolError:
        return
    if isinstance(packet.data, str):
        assert encode_text(packet) == text


@given(st.binary())
def test_any_bytes_survive_as_text(message: bytes) -> None:
    packet = Packet(PacketType.MESSAGE, message)
    assert decode_text(encode_text(packet)) == packet

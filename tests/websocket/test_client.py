"""The client's side of RFC 6455: against the server's codec of the same package, and by vectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.websocket.client import (
    ACCEPTED,
    KEY,
    Binary,
    ServerFrames,
    masked_pong,
    masked_text,
    upgrade_request,
)
from chatd.websocket.decoder import Decoder
from chatd.websocket.frames import (
    Close,
    Ping,
    Pong,
    ProtocolError,
    encode_binary,
    encode_close,
    encode_pong,
    encode_text,
)
from chatd.websocket.handshake import is_valid_key, switching_protocols


def test_the_request_has_what_a_server_asks_for() -> None:
    head = upgrade_request("/x?a=b", "host:1", b"Origin: http://y\r\n")
    assert head.startswith(b"GET /x?a=b HTTP/1.1\r\nHost: host:1\r\n")
    assert head.endswith(b"Sec-WebSocket-Key: " + KEY + b"\r\nOrigin: http://y\r\n\r\n")
    assert is_valid_key(KEY)
    assert ACCEPTED in switching_protocols(KEY)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_server_reads_what_a_client_writes(size: int) -> None:
    decoder = Decoder(max_message_bytes=100_000)
    decoder.receive(masked_text(b"x" * size) + masked_pong(b"hi"))
    assert decoder.next_event() == "x" * size
    assert decoder.next_event() == Pong(b"hi")


@given(st.lists(st.binary(max_size=300), max_size=6), st.integers(1, 50))
def test_what_a_server_writes_comes_whole_however_it_is_cut(
    payloads: list[bytes], step: int
) -> None:
    frames = ServerFrames()
    wire = b"".join(map(encode_text, payloads))
    got = [one for at in range(0, len(wire), step) for one in frames.receive(wire[at : at + step])]
    assert got == payloads


def test_a_large_frame_in_pieces_is_one_message() -> None:
    frames = ServerFrames()
    wire = encode_text(b"y" * 70_000) + encode_binary(b"z" * 200)
    got = [one for at in range(0, len(wire), 7) for one in frames.receive(wire[at : at + 7])]
    assert got == [b"y" * 70_000, Binary(b"z" * 200)]


def test_control_frames_come_between_fragments() -> None:
    frames = ServerFrames()
    fragments = b"\x01\x01a" + b"\x89\x01p" + encode_pong(b"q") + b"\x00\x01b" + b"\x80\x01c"
    assert frames.receive(fragments) == [Ping(b"p"), Pong(b"q"), b"abc"]
    assert frames.receive(encode_close(1001)) == [Close(1001, "")]
    assert frames.receive(encode_close()) == [Close(None, "")]


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        (b"\xc1\x00", "reserved bit"),
        (b"\x83\x00", "opcode"),
        (b"\x8b\x00", "opcode"),
        (b"\x81\x81aaaab", "masked"),
        (b"\x80\x00", "continue"),
        (b"\x01\x00\x01\x00", "before the last"),
        (b"\x09\x00", "control"),
        (b"\x89\x7e\x00\x7e" + b"x" * 126, "control"),
        (b"\x81\x7f" + (2**40).to_bytes(8, "big"), "too large"),
        (b"\x01\x05aaaaa\x00\x05aaaaa", "too large"),
    ],
)
def test_a_breach_of_the_server_is_one(wire: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        ServerFrames(max_message_bytes=130 if b"x" in wire else 9).receive(wire)

"""Frames as a server writes them: the bytes, and what a client of wsproto reads from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol

from chatd.websocket.frames import (
    CloseCode,
    Opcode,
    ProtocolError,
    encode_binary,
    encode_close,
    encode_pong,
    encode_text,
    is_sendable_close_code,
)
from tests.rows import rows

VECTORS = {
    "hello, RFC 6455 5.7": (encode_text(b"Hello"), b"\x81\x05Hello"),
    "empty text": (encode_text(b""), b"\x81\x00"),
    "125 bytes": (encode_text(b"x" * 125), b"\x81\x7d" + b"x" * 125),
    "126 bytes": (encode_text(b"x" * 126), b"\x81\x7e\x00\x7e" + b"x" * 126),
    "65535 bytes": (encode_text(b"x" * 65535), b"\x81\x7e\xff\xff" + b"x" * 65535),
    "65536 bytes": (
        encode_text(b"x" * 65536),
        b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + b"x" * 65536,
    ),
    "empty binary": (encode_binary(b""), b"\x82\x00"),
    "256 binary, RFC 6455 5.7": (encode_binary(bytes(256)), b"\x82\x7e\x01\x00" + bytes(256)),
    "65536 binary, RFC 6455 5.7": (
        encode_binary(bytes(65536)),
        b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + bytes(65536),
    ),
    "pong": (encode_pong(b"Hello"), b"\x8a\x05Hello"),
    "close without a code": (encode_close(), b"\x88\x00"),
    "close": (encode_close(1000), b"\x88\x02\x03\xe8"),
}


@rows(("written", "expected"), VECTORS.values(), ids=VECTORS)
def test_a_server_frame_has_these_bytes(written: bytes, expected: bytes) -> None:
    assert written == expected


def read_by_a_client(wire: bytes) -> tuple[int, object]:
    client = FrameProtocol(client=True, extensions=[])
    client.receive_bytes(wire)
    [frame] = client.received_frames()
    assert frame.message_finished
    return frame.opcode, frame.payload


@given(st.text() | st.integers(100, 70_000).map("é".__mul__))
def test_a_client_reads_the_text_that_was_written(message: str) -> None:
    assert read_by_a_client(encode_text(message.encode())) == (Opcode.TEXT, message)


@given(st.binary() | st.integers(100, 70_000).map(bytes))
def test_a_client_reads_the_bytes_that_were_written(message: bytes) -> None:
    assert read_by_a_client(encode_binary(message)) == (Opcode.BINARY, message)


@given(st.binary(max_size=125))
def test_a_client_reads_pongs(payload: bytes) -> None:
    assert read_by_a_client(encode_pong(payload)) == (Opcode.PONG, payload)


@rows("code", [1000, 1001, 1008, 1011, 1013, 3000, 4999])
def test_a_client_reads_the_close(code: int) -> None:
    assert read_by_a_client(encode_close(code)) == (Opcode.CLOSE, (code, ""))


def test_a_control_frame_of_126_bytes_cannot_be_written() -> None:
    assert len(encode_pong(bytes(125))) == 127
    with pytest.raises(ValueError, match="125 bytes, not 126"):
        encode_pong(bytes(126))


@rows("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536, -1])
def test_a_code_that_is_not_for_the_wire_cannot_be_written(code: int) -> None:
    assert not is_sendable_close_code(code)
    with pytest.raises(ValueError, match="must not stand in a close frame"):
        encode_close(code)


def test_a_protocol_error_can_be_answered_as_it_is() -> None:
    error = ProtocolError(CloseCode.PROTOCOL_ERROR, "a client's frame is not masked")
    assert encode_close(error.code) == b"\x88\x02\x03\xea"

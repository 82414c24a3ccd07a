"""The 101 response, against the example of RFC 6455, section 1.3, and a strict client."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Request

from chatd.websocket.handshake import accept_key, is_valid_key, switching_protocols
from tests.rows import rows

RFC_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


def test_the_accept_key_is_that_of_the_rfc() -> None:
    assert accept_key(RFC_KEY) == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_the_response_has_these_bytes() -> None:
    assert switching_protocols(RFC_KEY) == (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"\r\n"
    )


def test_a_subprotocol_is_echoed_in_the_response() -> None:
    head = switching_protocols(RFC_KEY, b"chat.v1")
    assert head.endswith(b"\r\nSec-WebSocket-Protocol: chat.v1\r\n\r\n")


@rows("name", [b"", b"a b", b"a,b", b"a\r\nSet-Cookie: x", b"\xe9", b'"a"'])
def test_a_subprotocol_that_is_no_token_cannot_be_written(name: bytes) -> None:
    with pytest.raises(ValueError, match="token"):
        switching_protocols(RFC_KEY, name)


@given(st.binary(min_size=16, max_size=16))
def test_the_base64_of_16_bytes_is_a_valid_key(nonce: bytes) -> None:
    assert is_valid_key(b64encode(nonce))


@given(st.binary(max_size=40).filter(lambda nonce: len(nonce) != 16))
def test_the_base64_of_any_other_length_is_no_valid_key(nonce: bytes) -> None:
    assert not is_valid_key(b64encode(nonce))


@rows(
    "key",
    [
        b"",
        b"dGhlIHNhbXBsZSBub25jZQ",
        b"dGhlIHNhbXBsZSBub25jZQ=",
        b"dGhlIHNhbXBsZSBub25jZQ==\n",
        b" dGhlIHNhbXBsZSBub25jZQ==",
        b"dGhlIHNhbXBsZSBub25jZ-==",
        b"dGhlIHNh=bXBsZSBub25jZQ==",
        b"\xff" * 24,
    ],
)
def test_what_is_not_strict_base64_is_no_valid_key(key: bytes) -> None:
    assert not is_valid_key(key)


@given(st.binary(max_size=40))
def test_any_bytes_are_judged_without_an_error(key: bytes) -> None:
    assert isinstance(is_valid_key(key), bool)


def test_a_strict_client_accepts_the_response() -> None:
    client = WSConnection(ConnectionType.CLIENT)
    request = client.send(Request(host="chat.example", target="/", subprotocols=["chat.v1"]))
    key = request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    client.receive_data(switching_protocols(key, b"chat.v1"))
    [event] = client.events()
    assert isinstance(event, AcceptConnection)
    assert event.subprotocol == "chat.v1"

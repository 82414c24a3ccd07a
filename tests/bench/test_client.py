"""The client over each transport, byte by byte: what it writes, and what it makes of what comes."""

import re

import pytest

from chatd.bench.client import Client, Lane, Transport
from chatd.websocket.client import KEY, masked_pong, masked_text
from chatd.websocket.frames import (
    Opcode,
    encode_binary,
    encode_close,
    encode_text,
)
from chatd.websocket.handshake import switching_protocols
from tests.bench.wires import Owner, Wires, started

OPEN = b'0{"sid":"s1","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}'
SWITCHED = switching_protocols(KEY)
JOINED = b'40{"sid":"s2"}'
CONNECT = b'40{"token":"t"}'


def frames(*packets: bytes) -> bytes:
    return b"".join(map(encode_text, packets))


def answer(body: bytes, status: bytes = b"200 OK", more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), more, body)


def live_websocket() -> tuple[Client, Wires, Owner]:
    client, wires, owner = started(Transport.WEBSOCKET)
    client.connected(Lane.MAIN)
    wires.take()
    client.received(Lane.MAIN, SWITCHED + frames(OPEN, JOINED))
    assert wires.take() == masked_text(CONNECT)
    assert owner.lives == 1
    return client, wires, owner


def test_a_websocket_client_asks_for_one_and_joins_when_the_session_is_open() -> None:
    client, wires, owner = started(Transport.WEBSOCKET)
    client.connected(Lane.MAIN)
    assert wires.take().startswith(b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n")
    client.received(Lane.MAIN, SWITCHED[:30])
    client.received(Lane.MAIN, SWITCHED[30:] + frames(OPEN))
    assert (wires.take(), owner.lives) == (masked_text(CONNECT), 0)
    client.received(Lane.MAIN, frames(JOINED))
    assert owner.lives == 1


def test_pings_of_both_layers_are_answered_and_packets_are_told() -> None:
    client, wires, owner = live_websocket()
    ping = b"\x89\x02hi"
    binary = encode_binary(b"x")
    client.received(Lane.MAIN, frames(b"2", b'42["a"]') + ping + binary + frames(b'4317[{"x":1}]'))
    assert wires.take() == masked_text(b"3") + masked_pong(b"hi")
    assert owner.events == [b'42["a"]']
    assert owner.acks == [(17, b'4317[{"x":1}]')]
    client.send(b'42["b"]')
    assert wires.take() == masked_text(b'42["b"]')


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        (frames(b"41"), "ended the session"),
        (frames(b"1"), "ended the session"),
        (frames(b'44{"message":"The token is bad."}'), "refused: The token is bad"),
        (frames(b'44"no"'), "refused: no"),
        (frames(b'44"two\\nlines' + 200 * b"x" + b'"'), "refused: two lines" + 111 * "x"),
        (frames(b"43x"), "no ack|is not one"),
        (encode_close(1001), "1001"),
        (bytes((0x80 | Opcode.TEXT | 0x40, 0)), "reserved"),
    ],
)
def test_an_end_is_told_once_and_nothing_after_it(wire: bytes, why: str) -> None:

    client, wires, owner = live_websocket()
    client.received(Lane.MAIN, wire + frames(b'42["late"]'))
    client.lost(Lane.MAIN, "the server hung up")
    assert len(owner.ends) == 1
    assert re.search(why, owner.ends[0])
    assert owner.events == []
    assert Lane.MAIN in wires.hung_up


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        (answer(b'{"code":4,"message":"Forbidden"}', b"403 Forbidden"), "HTTP 403: Forbidden"),
        (answer(b"two\nlines", b"502 Bad Gateway"), "HTTP 502: two lines"),
        (
            answer(b"\n<html>", b"502 Bad Gateway"),
            "HTTP 502: a web page, as from something else than a Socket.IO server",
        ),
        (SWITCHED.replace(b"Accept: ", b"Accept: x"), "no WebSocket"),
        (b"SSH\r\n\r\n", "no HTTP"),
    ],
)
def test_a_refused_websocket_says_why(wire: bytes, why: str) -> None:
    client, _, owner = started(Transport.WEBSOCKET)
    client.connected(Lane.MAIN)
    client.received(Lane.MAIN, wire)
    assert why in owner.ends[0]


def test_who_closes_is_told_nothing() -> None:
    client, wires, owner = live_websocket()
    client.close()
    client.lost(Lane.MAIN, "the server hung up")
    client.close()
    assert owner.ends == []
    assert wires.hung_up.count(Lane.MAIN) == 1


def polling(transport: Transport = Transport.POLLING) -> tuple[Client, Wires, Owner]:
    """A client whose session is open, and whose CONNECT was posted."""
    client, wires, owner = started(transport)
    client.connected(Lane.MAIN)
    assert wires.take().startswith(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n")
    client.received(Lane.MAIN, answer(OPEN))
    assert wires.take().startswith(b"GET /socket.io/?EIO=4&transport=polling&sid=s1 HTTP/1.1\r\n")
    assert Lane.POSTS in wires.dialled
    client.connected(Lane.POSTS)
    assert wires.take(Lane.POSTS).endswith(b"Content-Length: 15\r\n\r\n" + CONNECT)
    return client, wires, owner


def test_a_polling_client_has_one_get_waiting_and_one_post_under_way() -> None:
    client, wires, owner = polling()
    client.received(Lane.MAIN, answer(JOINED + b"\x1e2"))
    assert owner.lives == 1
    assert wires.take().startswith(b"GET ")
    client.send(b'42["a"]')
    assert wires.take(Lane.POSTS) == b""  # the CONNECT was not answered yet
    client.received(Lane.POSTS, answer(b"ok"))
    assert wires.take(Lane.POSTS).endswith(b'\r\n\r\n3\x1e42["a"]')
    client.received(Lane.POSTS, answer(b"ok"))
    assert wires.take(Lane.POSTS) == b""


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        (answer(b'{"code":1,"message":"Session ID unknown"}', b"400 Bad"), "Session ID unknown"),
        (answer(b"6", more=b"Connection: close\r\n"), "HTTP 200"),
        (answer(b"1\x1e42[1]"), "ended the session"),
        (b"SSH\r\n\r\n", "no HTTP"),
    ],
)
def test_a_polling_session_ends_with_its_reason(wire: bytes, why: str) -> None:
    client, _, owner = polling()
    client.received(Lane.MAIN, wire + answer(b'42["late"]'))
    assert why in owner.ends[0]
    assert owner.events == []


def test_a_session_without_a_name_ends() -> None:
    client, _, owner = started(Transport.UPGRADE)
    client.connected(Lane.MAIN)
    client.received(Lane.MAIN, answer(b"0{}"))
    assert "without a name" in owner.ends[0]


def upgrading() -> tuple[Client, Wires, Owner]:
    """A client that has sent its probe on a WebSocket."""
    client, wires, owner = polling(Transport.UPGRADE)
    assert Lane.UPGRADE in wires.dialled
    client.connected(Lane.UPGRADE)
    assert b"transport=websocket&sid=s1" in wires.take(Lane.UPGRADE)
    client.received(Lane.UPGRADE, SWITCHED)
    assert wires.take(Lane.UPGRADE) == masked_text(b"2probe")
    return client, wires, owner


def test_an_upgrade_waits_for_the_get_and_the_post_that_are_under_way() -> None:
    client, wires, owner = upgrading()
    client.received(Lane.UPGRADE, frames(b"3probe"))
    client.send(b'42["a"]')
    assert wires.take(Lane.UPGRADE) == wires.take(Lane.POSTS) == b""
    client.received(Lane.MAIN, answer(JOINED + b"\x1e6"))
    assert (wires.take(Lane.UPGRADE), owner.lives) == (b"", 0)
    client.received(Lane.POSTS, answer(b"ok"))
    assert wires.take(Lane.UPGRADE) == masked_text(b"5") + masked_text(b'42["a"]')
    assert wires.hung_up == [Lane.MAIN, Lane.POSTS]
    assert owner.lives == 1
    client.send(b'42["b"]')
    assert wires.take(Lane.UPGRADE) == masked_text(b'42["b"]')


def test_a_client_that_joins_after_the_upgrade_is_live_then() -> None:
    client, wires, owner = upgrading()
    client.received(Lane.POSTS, answer(b"ok"))
    client.received(Lane.MAIN, answer(b"6"))
    assert wires.take().startswith(b"GET ")
    client.received(Lane.UPGRADE, frames(b"3probe"))
    client.received(Lane.MAIN, answer(b"6"))
    assert (wires.take(Lane.UPGRADE), owner.lives) == (masked_text(b"5"), 0)
    client.received(Lane.UPGRADE, frames(JOINED, b'42["a"]'))
    assert (owner.lives, owner.events) == (1, [b'42["a"]'])


def test_a_lost_upgrade_ends_the_client() -> None:
    client, _, owner = upgrading()
    client.lost(Lane.UPGRADE, "the server hung up")
    assert owner.ends == ["the server hung up"]

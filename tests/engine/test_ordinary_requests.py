"""What is neither `/socket.io/` nor a file, on the public port: one answer, and the end of the
connection."""

import re
from base64 import b64encode

import pytest
import trio

from chatd.observe import InternalError
from tests.engine.listeners import Door, opening
from tests.engine.polls import Poller, dial, join, open_poller, request, until
from tests.fuzz.mutation import mutated
from tests.net.peers import read_to_end, upgrade_request

HEALTH = "/api/websocket/health"


def ordinary(*lines: str, method: str = "GET", path: str = HEALTH, body: bytes = b"") -> bytes:
    head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""])
    return head.encode("latin-1") + body


async def exchange(door: Door, sent: bytes) -> bytes:
    """What comes until the other side hangs up."""
    stream = await door.dial()
    await stream.send_all(sent)
    return await read_to_end(stream)


def statuses(answers: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


# One request, and no second


@pytest.mark.parametrize("path", [HEALTH, "/nothing"])
@pytest.mark.parametrize("asked", ["Connection: keep-alive", "Connection: close", "X: y"])
async def test_each_answer_says_that_it_is_the_last(door: Door, path: str, asked: str) -> None:
    answer = await exchange(door, ordinary(asked, path=path))
    assert statuses(answer) == [404 if path == "/nothing" else 200]
    assert len(re.findall(rb"(?i)\r\nconnection: close\r\n", answer)) == 1


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(ordinary(), id="health"),
        pytest.param(request(), id="a handshake by polling"),
        pytest.param(upgrade_request(), id="a handshake by WebSocket"),
        pytest.param(
            upgrade_request(headers=["Sec-WebSocket-Extensions: permessage-deflate"]),
            id="a handshake with an extension",
        ),
        pytest.param(upgrade_request(path="/elsewhere/"), id="a WebSocket elsewhere"),
        pytest.param(
            ordinary("Content-Length: 5", "Transfer-Encoding: chunked", method="POST"),
            id="a length and chunks",
        ),
        pytest.param(b"\x88\x80\1\2\3\4", id="a frame"),
        pytest.param(b"GET / HTTP/1.1\n\n", id="bare LF"),
        pytest.param(b"\0" * 100_000, id="many bytes"),
    ],
)
@pytest.mark.parametrize("together", [True, False])
async def test_behind_it_nothing_is_a_request(door: Door, second: bytes, together: bool) -> None:
    stream = await door.dial()
    await stream.send_all(ordinary("Connection: keep-alive") + (second if together else b""))
    if not together:
        first = await stream.receive_some()
        with trio.move_on_after(5):
            await stream.send_all(second)
        answers = first + await read_to_end(stream)
    else:
        answers = await read_to_end(stream)
    assert statuses(answers) == [200]
    assert answers.count(b"connectedClients") == 1
    assert door.sessions.by_sid == {}


async def test_one_connection_polls_asks_for_health_and_is_done_and_the_session_goes_on(
    door: Door,
) -> None:
    peer = await dial(door)
    poller = await open_poller(door, peer)
    await peer.stream.send_all(
        request("POST", poller.query, b"40") + ordinary() + request("GET", poller.query)
    )
    answers = await read_to_end(peer.stream)
    assert statuses(answers) == [200, 200]
    assert b"connectedClients" in answers
    assert (await poller.get()).body.startswith(b"40{")
    await poller.echo()


async def test_while_a_poll_waits_a_request_behind_it_waits_too(door: Door) -> None:
    poller: Poller = await join(door)
    peer = await dial(door)
    await peer.stream.send_all(request("GET", poller.query) + ordinary())
    transport = poller.transport
    await until(lambda: transport._poll is not None)
    await poller.say(b'42["echo",1]')
    answers = await read_to_end(peer.stream)
    assert statuses(answers) == [200, 200]
    assert answers.index(b'42["echo",1]') < answers.index(b"connectedClients")


async def test_a_page_then_polling_then_a_websocket_each_on_its_connection(door: Door) -> None:
    page = ordinary("Connection: close", path="/")
    assert statuses(await exchange(door, page)) == [200]
    poller = await join(door)
    peer = await poller.probe()
    await peer.send("2probe")
    assert await peer.message() == "3probe"
    await peer.send("5")
    await peer.echo()


# Bodies and upgrades


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", HEALTH, 413), ("POST", HEALTH, 405), ("POST", "/nothing", 404), ("GET", "/", 413)],
)
@pytest.mark.parametrize(
    ("framing", "body"),
    [
        ("Content-Length: 5", b"hello"),
        ("Content-Length: 5", b""),
        ("Content-Length: 999999999999", b"x"),
        ("Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"0\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"\xff\xff"),
        ("Transfer-Encoding: chunked", b""),
    ],
)
async def test_a_body_that_no_route_takes_is_answered_and_never_awaited(
    door: Door, method: str, path: str, status: int, framing: str, body: bytes
) -> None:
    answer = await exchange(door, ordinary(framing, method=method, path=path, body=body))
    assert statuses(answer) == [status]
    assert b'{"error":{"code":"' in answer
    assert b"\r\nConnection: close\r\n" in answer


async def test_a_body_of_nothing_is_none(door: Door) -> None:
    assert statuses(await exchange(door, ordinary("Content-Length: 0"))) == [200]


@pytest.mark.parametrize(
    "sent",
    [
        upgrade_request(path=HEALTH),
        upgrade_request(path="/"),
        upgrade_request(path="/elsewhere/"),
        upgrade_request(path="/socket.iox"),
        upgrade_request(path="/", headers=["Sec-WebSocket-Extensions: permessage-deflate"]),
        upgrade_request(path="/", headers=["Sec-WebSocket-Extensions: \xff;;;=\t"]),
        upgrade_request(path="/", headers=["Sec-WebSocket-Version: 99"]),
        upgrade_request(path="/", headers=["Sec-WebSocket-Key: short"]),
        upgrade_request(path="/", without="sec-websocket-key"),
        upgrade_request(path="/", method="POST"),
        upgrade_request(path="/") + b"\x81\x85\1\2\3\4hello",
        ordinary("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
        ordinary("Connection: upgrade", "Upgrade: TLS/1.0"),
    ],
)
async def test_nothing_is_upgraded_elsewhere(door: Door, sent: bytes) -> None:
    answer = await exchange(door, sent)
    assert statuses(answer) == [400]
    assert b'"code":"upgrade_refused"' in answer
    assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize(
    "headers",
    [
        ["Sec-WebSocket-Version: 99"],
        ["Sec-WebSocket-Version: 13, 8"],
        ["Sec-WebSocket-Key: " + "A" * 5_000],
        ["Sec-WebSocket-Key: " + b64encode(b"seventeen bytes..").decode()],
        ["Sec-WebSocket-Protocol: \xe9"],
        ["Sec-WebSocket-Protocol: a b"],
    ],
)
async def test_the_answer_to_a_bad_handshake_arrives_though_frames_follow_it(
    door: Door, headers: list[str]
) -> None:
    sent = upgrade_request(headers=headers) + b"\x81\x85\1\2\3\4hello" * 10_000
    answer = await exchange(door, sent)
    assert statuses(answer) == [400]
    assert answer.endswith(b"\r\n\r\nBad request")


# Whatever a stranger sends

HEADS = {
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "no Host on a handshake": (upgrade_request(without="host"), 400),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
    "HTTP/2.0 on a handshake": (upgrade_request().replace(b"HTTP/1.1", b"HTTP/2.0"), 505),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(27), 505),
    "HTTP/1.0 on a handshake": (upgrade_request().replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
    "the hello of TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), 400),
    "a banner": (b"SSH-2.0-OpenSSH_9.2\r\n", 400),
    "a URL": (b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "a tunnel": (b"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "a length and chunks": (
        ordinary("Content-Length: 5", "Transfer-Encoding: chunked", method="POST"),
        400,
    ),
    "two lengths": (ordinary("Content-Length: 5", "Content-Length: 6", method="POST"), 400),
    "a folded line": (ordinary("A: b", " c"), 400),
    "bare LF": (b"GET / HTTP/1.1\nHost: localhost\n\n", 400),
    "two Origins": (ordinary("Origin: http://a", "Origin: http://b"), 400),
    "a user in the Host": (
        b"GET / HTTP/1.1\r\nHost: evil.example@127.0.0.1\r\n\r\n",
        400,
    ),
    "a port of letters": (b"GET / HTTP/1.1\r\nHost: 127.0.0.1:abc\r\n\r\n", 400),
    "an endless line": (b"GET / HTTP/1.1\r\nA: " + b"a" * 50_000, 431),
    "many headers": (ordinary(*["A: b"] * 500), 431),
}


@pytest.mark.parametrize(("sent", "status"), HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("polls_before", [False, True])
async def test_a_bad_head_is_answered_first_or_second(
    door: Door, sent: bytes, status: int, polls_before: bool
) -> None:
    first = request(query="EIO=3&transport=polling") if polls_before else b""
    answer = await exchange(door, first + sent)
    assert statuses(answer) == [*([400] if polls_before else []), status]
    assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize(
    ("headers", "host", "status"),
    [
        (["Origin: http://evil.example\\@localhost"], "localhost", 403),
        (["Origin: http://evil.example@localhost"], "localhost", 403),
        (["Origin: http://localhost:abc"], "localhost", 403),
        (["Origin: http://localhost/"], "localhost", 403),
        (["Origin: http://localhost, http://localhost"], "localhost", 403),
        ([], "localhost.", 403),
        ([], "127.0.0.2", 403),
        ([], "127.0.0.1:99999", 400),
        ([], "localhost\\@evil.example", 400),
        (["Origin: HTTP://LOCALHOST"], "LOCALHOST:8765", 200),
        (["Origin: http://[::1]:80"], "[::1]", 200),
    ],
)
async def test_hosts_and_origins_are_judged_alike_by_polling_and_by_websocket(
    door: Door, headers: list[str], host: str, status: int
) -> None:
    polling = await exchange(door, request(headers=[*headers, "Connection: close"], host=host))
    assert statuses(polling) == [status]
    sent = upgrade_request(headers=[*headers, f"Host: {host}"])
    if status != 200:
        assert statuses(await exchange(door, sent)) == [status]
    else:
        await opening(await door.open(headers=[*headers, f"Host: {host}"]))


SEEDS = [
    ordinary(),
    ordinary("Accept-Encoding: br;q=0.5, gzip", 'If-None-Match: "a", W/"b"', path="/"),
    ordinary(path="/") + ordinary(method="HEAD", path="/") + request() + ordinary(path="/"),
    ordinary("Content-Length: 5", method="POST", body=b"hello"),
    ordinary("Transfer-Encoding: chunked", method="POST", body=b"5;a=b\r\nhello\r\n0\r\n\r\n"),
    request(),
    request("POST", "EIO=4&transport=polling&sid=x", b'42["echo",1]'),
    upgrade_request(),
    upgrade_request(path="/") + b"\x81\x85\1\2\3\4hello",
    upgrade_request(headers=["Sec-WebSocket-Extensions: permessage-deflate"]) + b"\xc1\x80\1\2\3\4",
    ordinary("Connection: keep-alive") + upgrade_request(),
    request() + request() + ordinary(),
]


@pytest.mark.parametrize("block", range(5))
async def test_whatever_a_stranger_sends_there_is_an_answer_and_no_fault(
    door: Door, block: int
) -> None:
    for turn in range(100 * block, 100 * (block + 1)):
        sent, _ = mutated(SEEDS, turn)
        stream = await door.dial()
        try:
            await stream.send_all(sent)
            await stream.send_eof()
            answer = await read_to_end(stream)
        except trio.BrokenResourceError:
            continue  # hung up on while it still sent very much
        assert answer.startswith(b"HTTP/1.1 ") or not sent.strip(b"\r\n"), (turn, sent)
        await stream.aclose()
    await until(lambda: door.admission.connections == 0)
    assert door.recorder.of(InternalError) == []

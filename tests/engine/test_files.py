"""Files on the public port: the connection is kept, and slow peers take nobody's memory."""

import contextlib
import socket
import tracemalloc
from collections.abc import AsyncIterator

import pytest
import trio

from chatd.net.http.connection import SEND_PIECE_BYTES
from chatd.net.http.static import StaticFiles
from tests.engine.listeners import Door, file_of, open_door
from tests.engine.polls import HttpPeer, dial, join, open_poller, request, until
from tests.net.peers import read_to_end

LARGE = bytes(range(256)) * 16_384  # 4 MiB: more than the kernel takes at once
FILES = StaticFiles(
    {
        "/": file_of(b"<!doctype html>" * 10, br=b"small"),
        "/a.js": file_of(b"script"),
        "/large": file_of(LARGE),
    }
)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with open_door(files=FILES, send_timeout_s=1.0) as door:
        yield door


def asked(path: str = "/", *headers: str, method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def test_one_connection_brings_all_files_and_then_a_session(door: Door) -> None:
    peer = await dial(door)
    for path, body in (("/", b"<!doctype html>" * 10), ("/a.js", b"script"), ("/large", LARGE)):
        await peer.stream.send_all(asked(path))
        answer = await peer.answer()
        assert (answer.status, answer.body) == (200, body)
        assert "connection" not in answer.headers
    await peer.send()
    assert (await peer.answer()).body.startswith(b'0{"sid"')


async def test_pipelined_requests_are_answered_in_order_and_byte_for_byte(door: Door) -> None:
    peer = await dial(door)
    tag = await tag_of(peer)
    await peer.stream.send_all(
        asked("/", "Accept-Encoding: br")
        + asked("/large")
        + asked("/", method="HEAD")
        + asked("/", f"If-None-Match: {tag}")
        + asked("/a.js", "Connection: close")
        + asked("/a.js")
    )
    assert (await peer.answer()).body == b"small"
    assert (await peer.answer()).body == LARGE
    head = await peer.answer(to_head=True)
    assert (head.status, head.headers["content-length"]) == (200, "150")
    rest = peer.seen + await read_to_end(peer.stream)
    unchanged, _, last = rest.partition(b"\r\n\r\n")
    assert unchanged.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert last.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in last
    assert last.endswith(b"\r\n\r\nscript")
    assert last.count(b"HTTP/1.1") == 1


async def tag_of(peer: HttpPeer) -> str:
    await peer.stream.send_all(asked())
    return (await peer.answer()).headers["etag"]


async def test_files_and_polls_share_a_connection_in_any_order(door: Door) -> None:
    peer = await dial(door)
    poller = await open_poller(door, peer)
    await peer.stream.send_all(
        request("POST", poller.query, b"40") + asked("/large") + request("GET", poller.query)
    )
    assert (await peer.answer()).body == b"ok"
    assert (await peer.answer()).body == LARGE
    assert (await peer.answer()).body.startswith(b"40{")


async def test_behind_a_poll_that_waits_a_file_waits_too(door: Door) -> None:
    poller = await join(door)
    peer = await dial(door)
    await peer.stream.send_all(request("GET", poller.query) + asked("/a.js"))
    transport = poller.transport
    await until(lambda: transport._poll is not None)
    await poller.say(b'42["echo",1]')
    assert (await peer.answer()).body == b'42["echo",1]'
    assert (await peer.answer()).body == b"script"


async def test_what_hypercorn_answers_is_still_the_last_of_its_connection(door: Door) -> None:
    stream = await door.dial()
    await stream.send_all(asked() + asked("/nothing") + asked())
    answers = await read_to_end(stream)
    assert answers.count(b"HTTP/1.1 200 ") == 1
    assert answers.count(b"HTTP/1.1 404 ") == 1


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        (asked(method="POST"), 405, b"\r\nallow: GET, HEAD\r\n"),
        (asked("/", "Content-Length: 5") + b"hello", 413, b"body_too_large"),
        (asked("/", "Connection: Upgrade", "Upgrade: h2c"), 400, b"upgrade_refused"),
        (asked("/%61.js"), 200, b"\r\n\r\nscript"),
    ],
)
async def test_what_is_more_than_a_request_for_a_file_is_answered_as_ever(
    door: Door, sent: bytes, status: int, said: bytes
) -> None:
    stream = await door.dial()
    await stream.send_all(sent)
    answer = await read_to_end(stream)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert said in answer


@pytest.mark.parametrize("kept", [True, False])
async def test_a_client_of_http_1_0_is_told_where_the_connection_is_kept(
    door: Door, kept: bool
) -> None:
    stream = await door.dial()
    wish = "Connection: keep-alive\r\n" if kept else ""
    await stream.send_all(f"GET /a.js HTTP/1.0\r\n{wish}\r\n".encode())
    if not kept:
        assert b"\r\nconnection: close\r\n" in await read_to_end(stream)
        return
    answer = b""
    while not answer.endswith(b"script"):
        answer += await stream.receive_some()
    assert b"\r\nconnection: keep-alive\r\n" in answer
    await stream.send_all(asked("/a.js", "Connection: close"))
    assert (await read_to_end(stream)).endswith(b"script")


async def test_a_connection_that_asks_for_nothing_more_is_closed_without_a_word() -> None:
    async with open_door(files=FILES, keep_alive_s=0.05) as door:
        stream = await door.dial()
        await stream.send_all(asked("/a.js"))
        answer = await read_to_end(stream)
        assert answer.endswith(b"\r\n\r\nscript")


async def dial_narrow(door: Door) -> trio.SocketStream:
    """A peer whose kernel takes little, so that what it does not read is soon too much."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(raw))
    await stream.socket.connect(door.address)
    door.streams.append(stream)
    return stream


async def test_a_peer_that_takes_nothing_is_cut_off(door: Door) -> None:
    stream = await dial_narrow(door)
    await stream.send_all(asked("/large"))
    await until(lambda: door.admission.connections == 1)
    await door.admission.emptied()


async def test_a_peer_that_takes_a_little_at_a_time_gets_all_of_it(door: Door) -> None:
    stream = await dial_narrow(door)
    await stream.send_all(asked("/large", "Connection: close"))
    answer = b""
    while piece := await stream.receive_some(SEND_PIECE_BYTES // 4):
        answer += piece
        await trio.lowlevel.checkpoint()
    assert answer.endswith(b"\r\n\r\n" + LARGE)


async def test_peers_that_are_slow_hold_no_copy_of_what_they_asked_for() -> None:
    async with open_door(files=FILES, send_timeout_s=30.0) as door:
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(10):
                stream = await dial_narrow(door)
                await stream.send_all(asked("/large") * 20)
                await stream.receive_some(1)  # it is being answered
            now, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert door.admission.connections == 10
        assert now - before < len(LARGE) // 2


async def test_a_peer_that_goes_away_in_the_middle_is_no_fault(door: Door) -> None:
    stream = await dial_narrow(door)
    await stream.send_all(asked("/large"))
    await stream.receive_some(1)
    await stream.aclose()
    await door.admission.emptied()


async def test_a_stop_lets_a_file_that_is_under_way_arrive_and_takes_no_further_request(
    door: Door,
) -> None:
    stream = await dial_narrow(door)
    await stream.send_all(asked("/large") + asked("/a.js"))
    answer = await stream.receive_some(1000)
    door.door.stop_accepting()
    while piece := await stream.receive_some():
        answer += piece
    assert answer.endswith(LARGE)
    assert answer.count(b"HTTP/1.1 200") == 1


async def test_a_peer_of_files_gives_way_without_a_word_in_the_middle_of_an_answer() -> None:
    async with open_door(files=FILES, max_connections=1) as door:
        first = await dial_narrow(door)
        await first.send_all(asked("/large"))
        answer = await first.receive_some(1000)
        second = await dial(door)
        await second.stream.send_all(asked("/a.js"))
        assert (await second.answer()).body == b"script"
        with contextlib.suppress(trio.BrokenResourceError):
            while piece := await first.receive_some():
                answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert LARGE.startswith(body)

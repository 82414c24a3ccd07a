"""The contract with Hypercorn's inner parts, over real sockets and the real clock."""

import re
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from chatd.server.http_lane import AsgiApp, HttpLane, Receive, Scope, Send

HARD_LIMIT_S = 10


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with method, path and the body's length, after the body."""
    body = b""
    more = True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    text = f"{scope['method']} {scope['path']} {len(body)}\n".encode()
    await answer(send, text)


async def answer(send: Send, text: bytes, status: int = 200) -> None:
    headers = [(b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text, "more_body": False})


async def stream_for_ever(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": bytes(256 * 1024), "more_body": True})


@attrs.define
class Serving:
    """A lane, the far end of one connection to it, and what the lane said."""

    lane: HttpLane
    peer: trio.SocketStream
    ended: trio.Event
    faults: list[Exception]


def make_lane(app: AsgiApp, faults: list[Exception], **limits: float) -> HttpLane:
    return HttpLane(app, report_fault=faults.append, **{"read_timeout_s": 5.0, **limits})


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


@asynccontextmanager
async def serving(
    app: AsgiApp,
    received: bytes = b"",
    pair: Callable[[], tuple[socket.socket, socket.socket]] = tcp_pair,
    **limits: float,
) -> AsyncIterator[Serving]:
    faults: list[Exception] = []
    lane = make_lane(app, faults, **limits)
    ours, theirs = pair()
    ended = trio.Event()

    async def serve() -> None:
        await lane.serve(theirs, received)
        ended.set()

    with trio.fail_after(HARD_LIMIT_S):
        async with (
            trio.open_nursery() as nursery,
            trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as peer,
        ):
            nursery.start_soon(serve)
            yield Serving(lane, peer, ended, faults)
            await peer.aclose()
            await ended.wait()
        assert theirs.fileno() == -1
        assert lane.connections == 0


async def read_until(peer: trio.SocketStream, end: bytes) -> bytes:
    seen = b""
    while not seen.endswith(end):
        piece = await peer.receive_some()
        assert piece, seen
        seen += piece
    return seen


async def read_to_end(peer: trio.SocketStream) -> bytes:
    return b"".join([piece async for piece in peer])


def statuses(answers: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3})", answers)]


def get(path: str, method: str = "GET", *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: x", *headers, "", ""]).encode()


async def test_a_connection_is_kept_alive_for_a_second_request() -> None:
    async with serving(echo) as s:
        for path in ("/first", "/second"):
            await s.peer.send_all(get(path))
            assert statuses(await read_until(s.peer, f"GET {path} 0\n".encode())) == [200]
        assert s.faults == []


async def test_bytes_put_back_may_be_split_anywhere() -> None:
    request = get("/split", "POST", "content-length: 5") + b"hello"
    for cut in range(len(request) + 1):
        async with serving(echo, request[:cut]) as s:
            if request[cut:]:
                await s.peer.send_all(request[cut:])
            await read_until(s.peer, b"POST /split 5\n")


async def test_a_unix_socket_is_served_too() -> None:
    def pair() -> tuple[socket.socket, socket.socket]:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        return ours, theirs

    async with serving(echo, get("/unix"), pair) as s:
        await read_until(s.peer, b"GET /unix 0\n")


async def test_the_application_learns_both_addresses() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await echo(scope, receive, send)

    async with serving(app, get("/")) as s:
        await read_until(s.peer, b"GET / 0\n")
        assert seen[0]["client"] == s.peer.socket.getsockname()
        assert seen[0]["server"] == s.peer.socket.getpeername()


async def test_pipelined_requests_are_answered_in_order() -> None:
    paths = [f"/{number}" for number in range(30)]
    async with serving(echo, b"".join(map(get, paths))) as s:
        answers = await read_until(s.peer, b"GET /29 0\n")
    assert re.findall(rb"GET (/\d+) 0\n", answers) == [path.encode() for path in paths]


async def test_the_answer_to_head_has_a_length_and_no_body() -> None:
    async with serving(echo, get("/a", "HEAD") + get("/b", "GET", "connection: close")) as s:
        answers = await read_to_end(s.peer)
    assert statuses(answers) == [200, 200]
    assert b"content-length: 10" in answers
    assert answers.count(b" 0\n") == 1


async def test_answers_do_not_name_the_server() -> None:
    async with serving(echo, get("/", "GET", "connection: close")) as s:
        assert b"hypercorn" not in (await read_to_end(s.peer)).lower()


async def test_a_chunked_body_over_the_bound_is_refused_with_413() -> None:
    async with serving(echo, max_body_bytes=1000) as s:
        await s.peer.send_all(get("/", "POST", "transfer-encoding: chunked"))
        await s.peer.send_all(b"200\r\n" + bytes(512) + b"\r\n")
        await s.peer.send_all(b"200\r\n" + bytes(512) + b"\r\n")
        assert statuses(await read_to_end(s.peer)) == [413]
        assert s.faults == []


async def test_a_refused_peer_that_keeps_sending_still_gets_the_answer() -> None:
    async with serving(echo, max_body_bytes=1000) as s:
        await s.peer.send_all(get("/", "POST", "content-length: 8000000"))
        await s.peer.send_all(bytes(8_000_000))
        await s.peer.send_eof()
        assert statuses(await read_to_end(s.peer)) == [413]


async def test_a_body_at_the_bound_is_taken() -> None:
    async with serving(echo, max_body_bytes=1000) as s:
        await s.peer.send_all(get("/", "POST", "content-length: 1000") + bytes(1000))
        await read_until(s.peer, b"POST / 1000\n")


async def test_a_body_in_crumbs_does_not_hold_an_application_that_never_reads_it() -> None:
    go = trio.Event()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await go.wait()
        await answer(send, b"unread")

    crumbs = b"1\r\nx\r\n" * 500
    async with serving(app, get("/", "POST", "transfer-encoding: chunked") + crumbs) as s:
        await trio.testing.wait_all_tasks_blocked()
        go.set()
        assert (await read_until(s.peer, b"unread")).startswith(b"HTTP/1.1 200")
        await s.peer.aclose()
        await s.ended.wait()


async def test_a_body_that_stalls_ends_with_408() -> None:
    async with serving(echo, read_timeout_s=0.05) as s:
        await s.peer.send_all(get("/", "POST", "content-length: 5") + b"he")
        answers = await read_until(s.peer, b"\r\n\r\n")
        assert statuses(answers) == [408]


async def test_a_response_may_take_longer_than_the_read_timeout() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        with trio.move_on_after(0.2):
            await receive()  # a disconnect, which must not come
            raise AssertionError("told to stop")
        await answer(send, b"slow\n")

    async with serving(slow, read_timeout_s=0.05) as s:
        for _ in range(2):
            await s.peer.send_all(get("/"))
            await read_until(s.peer, b"slow\n")
        assert s.faults == []


@pytest.mark.parametrize(
    ("garbage", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n", 400),
        (get("/", "POST", "transfer-encoding: chunked") + b"zz\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\na: " + b"a" * 40_000, 431),
    ],
)
async def test_garbage_is_refused_and_the_connection_closed_in_silence(
    garbage: bytes, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    async with serving(echo, garbage) as s:
        assert statuses(await read_to_end(s.peer)) == [status]
        assert s.faults == []
    assert capfd.readouterr() == ("", "")


async def test_a_reset_in_the_middle_of_a_request_ends_the_connection() -> None:
    async with serving(echo, get("/", "POST", "content-length: 5")) as s:
        linger_off = struct.pack("ii", 1, 0)
        s.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_off)
        await s.peer.aclose()
        await s.ended.wait()


async def test_a_socket_that_was_reset_before_it_came_is_closed() -> None:
    async with serving(echo) as s:
        s.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.peer.socket.close()
        await s.ended.wait()
        assert s.faults == []


async def test_a_connection_that_the_peer_closed_does_not_wait_for_the_keep_alive_timeout() -> None:
    async with serving(echo, get("/"), keep_alive_timeout_s=3600) as s:
        await read_until(s.peer, b"GET / 0\n")
        await trio.testing.wait_all_tasks_blocked()
        await s.peer.aclose()
        await s.ended.wait()


async def test_an_end_of_file_after_the_request_does_not_lose_the_response() -> None:
    async with serving(echo) as s:
        await s.peer.send_all(get("/half", "POST", "content-length: 2") + b"hi")
        await s.peer.send_eof()
        assert (await read_to_end(s.peer)).endswith(b"POST /half 2\n")


async def test_a_head_that_never_ends_is_cut_by_the_keep_alive_timeout() -> None:
    async with serving(echo, b"GET / HTT", keep_alive_timeout_s=0.05) as s:
        assert await read_to_end(s.peer) == b""


async def test_stop_idle_closes_a_connection_that_waits_for_its_next_request() -> None:
    async with serving(echo, get("/"), keep_alive_timeout_s=3600) as s:
        await read_until(s.peer, b"GET / 0\n")
        await s.lane.stop_idle()
        assert await read_to_end(s.peer) == b""
        await s.ended.wait()


async def test_stop_idle_lets_a_response_end_and_says_that_it_is_the_last() -> None:
    asked, go = trio.Event(), trio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.set()
        await go.wait()
        await echo(scope, receive, send)

    async with serving(app, get("/"), keep_alive_timeout_s=3600) as s:
        await asked.wait()
        await s.lane.stop_idle()
        go.set()
        answers = await read_to_end(s.peer)
        assert answers.endswith(b"GET / 0\n")
        assert b"connection: close" in answers.lower()


async def test_a_connection_handed_over_after_stop_idle_gets_one_answer() -> None:
    async with serving(echo, get("/"), keep_alive_timeout_s=3600) as first:
        await read_until(first.peer, b"GET / 0\n")
        await first.lane.stop_idle()
        ours, theirs = tcp_pair()
        async with (
            trio.open_nursery() as nursery,
            trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as peer,
        ):
            nursery.start_soon(first.lane.serve, theirs, get("/late"))
            assert (await read_to_end(peer)).endswith(b"GET /late 0\n")


@pytest.mark.parametrize("pipelined", [b"", get("/next")])
async def test_sever_ends_a_response_that_nobody_reads(pipelined: bytes) -> None:
    async with serving(stream_for_ever, get("/") + pipelined, send_timeout_s=3600) as s:
        await trio.lowlevel.wait_readable(s.peer.socket)
        assert s.lane.connections == 1
        s.lane.sever()
        await s.ended.wait()
        assert s.faults == []


async def test_a_cancelled_lane_closes_the_sockets_of_peers_that_do_not_read() -> None:
    faults: list[Exception] = []
    lane = make_lane(stream_for_ever, faults, send_timeout_s=0.2)
    ours, theirs = tcp_pair()
    with ours, trio.fail_after(HARD_LIMIT_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lane.serve, theirs, get("/"))
            await trio.lowlevel.wait_readable(ours)
            nursery.cancel_scope.cancel()
    assert theirs.fileno() == -1
    assert faults == []


@pytest.mark.parametrize("pipelined", [b"", get("/next")])
async def test_a_peer_that_takes_nothing_within_the_send_timeout_is_cut(pipelined: bytes) -> None:
    async with serving(stream_for_ever, get("/") + pipelined, send_timeout_s=0.05) as s:
        await s.ended.wait()
        assert s.faults == []


async def test_an_exception_in_the_application_is_reported_and_answered_with_500() -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise LookupError("a bug")

    async with serving(broken, get("/")) as s:
        assert statuses(await read_to_end(s.peer)) == [500]
        assert [repr(fault) for fault in s.faults] == ["LookupError('a bug')"]


async def test_an_exception_in_the_middle_of_a_response_cuts_it_short() -> None:
    async def broken(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise LookupError("a bug")

    async with serving(broken, get("/")) as s:
        answers = await read_to_end(s.peer)
        assert statuses(answers) == [200]
        assert not answers.endswith(b"0\r\n\r\n")
        assert len(s.faults) == 1


@pytest.mark.parametrize(
    "request_bytes",
    [
        get(
            "/plain",
            "GET",
            "connection: upgrade, http2-settings, close",
            "upgrade: h2c",
            "http2-settings: AAMAAABkAARAAAAAAAIAAAAA",
        ),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    ],
)
async def test_http2_is_not_spoken(request_bytes: bytes) -> None:
    async with serving(echo, request_bytes) as s:
        await s.peer.send_eof()
        assert (await s.peer.receive_some()).startswith((b"HTTP/1.1 200", b"HTTP/1.1 400"))
        assert s.faults == []


async def test_a_websocket_scope_reaches_the_application() -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append(scope["type"])
        await send({"type": "websocket.close"})

    upgrade = get(
        "/ws",
        "GET",
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    async with serving(app, upgrade) as s:
        assert statuses(await read_to_end(s.peer)) == [403]
        assert seen == ["websocket"]

"""The contract with Hypercorn's inner parts, over real sockets and the real clock."""

import json
import re
import socket
import struct

import h11
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from chatd.net.deadlines import Deadlines
from chatd.net.http.app import AsgiScope, Receive, Response, Send, refusal
from chatd.net.http.connection import ConnectionLimits, HttpConnection
from chatd.net.http.hypercorn import HOP_BY_HOP, HypercornServer, last_response, rewritten
from chatd.net.http.reader import RequestHead, RequestReader
from chatd.net.poller import TrioPoller
from chatd.wire.codes import Code, Refusal
from tests.net.http.serving import CLIENT, App, serving, tcp_pair, unix_pair
from tests.net.peers import HARD_LIMIT_S


async def echo(scope: AsgiScope, receive: Receive, send: Send) -> None:
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


async def stream_for_ever(_scope: AsgiScope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": bytes(256 * 1024), "more_body": True})


async def read_to_end(peer: trio.SocketStream) -> bytes:
    return b"".join([piece async for piece in peer])


def statuses(answers: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3})", answers)]


def get(path: str, method: str = "GET", *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: x", *headers, "", ""]).encode()


# What Hypercorn is given, and what becomes of it


@pytest.mark.parametrize("asked", ["keep-alive", "close", "x-other"])
async def test_every_answer_is_the_last_and_says_so(asked: str) -> None:
    async with serving(App(echo), get("/first", "GET", f"connection: {asked}")) as s:
        answers = await read_to_end(s.peer)
    assert statuses(answers) == [200]
    assert answers.lower().count(b"\r\nconnection: close\r\n") == 1
    assert answers.endswith(b"GET /first 0\n")


async def test_what_follows_a_request_is_never_a_second_one() -> None:
    for follows in (get("/second"), b"\x81\x85garbage", b"GET / HTTP/1.1\r\n"):
        async with serving(App(echo), get("/first") + follows) as s:
            await s.peer.send_all(get("/third"))
            answers = await read_to_end(s.peer)
            assert statuses(answers) == [200]
            assert s.faults == []


async def test_a_response_of_unknown_length_comes_in_chunks_or_to_the_end() -> None:
    async def in_pieces(_scope: AsgiScope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in (b"one", b"two"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async with serving(App(in_pieces), get("/")) as s:
        assert (await read_to_end(s.peer)).endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    async with serving(App(in_pieces), b"GET / HTTP/1.0\r\n\r\n") as s:
        assert (await read_to_end(s.peer)).endswith(b"\r\n\r\nonetwo")


async def test_a_unix_socket_is_served_too() -> None:
    async with serving(App(echo), get("/unix"), unix_pair) as s:
        assert (await read_to_end(s.peer)).endswith(b"GET /unix 0\n")


async def test_the_application_learns_both_addresses_and_the_headers_as_they_were_sent() -> None:
    seen: list[AsgiScope] = []

    async def app(scope: AsgiScope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await echo(scope, receive, send)

    sent = get("/a%20b?c=%2F", "GET", "A: 1", "b:\t\xe9 ", "a: 2", "TE: trailers")
    async with serving(App(app), sent.replace(b"\xc3\xa9", b"\xe9")) as s:
        await read_to_end(s.peer)
        [scope] = seen
        assert scope["client"][0] == CLIENT  # whatever the socket says of its other end
        assert scope["server"] == s.peer.socket.getpeername()
    assert (scope["path"], scope["query_string"]) == ("/a b", b"c=%2F")
    assert scope["headers"] == [
        (b"host", b"x"),
        (b"a", b"1, 2"),
        (b"b", b"\xe9"),
        (b"connection", b"close"),
    ]


async def test_the_answer_to_head_has_a_length_and_no_body() -> None:
    async with serving(App(echo), get("/a", "HEAD")) as s:
        answers = await read_to_end(s.peer)
    assert b"content-length: 10" in answers
    assert answers.endswith(b"\r\n\r\n")


async def test_answers_do_not_name_the_server() -> None:
    async with serving(App(echo), get("/")) as s:
        assert b"hypercorn" not in (await read_to_end(s.peer)).lower()


TOKENS = st.from_regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}", fullmatch=True)
VALUES = st.from_regex(r"[\t -~\x80-\xff]{0,12}", fullmatch=True)
TARGETS = st.from_regex(r"/[!\"$-~]{0,12}", fullmatch=True)


@given(
    method=st.sampled_from(["GET", "POST", "OPTIONS", "M-SEARCH"]),
    target=TARGETS,
    version=st.sampled_from(["1.0", "1.1"]),
    headers=st.lists(st.tuples(TOKENS, VALUES), max_size=5),
    body=st.none() | st.binary(max_size=20),
)
def test_what_is_written_anew_is_read_by_hypercorns_parser_as_it_was_by_ours(
    method: str, target: str, version: str, headers: list[tuple[str, str]], body: bytes | None
) -> None:
    single = {"host", "content-length", "transfer-encoding", "origin", "authorization"}
    fields = [("Host", "a"), *((n, v) for n, v in headers if n.lower() not in single)]
    if body is not None:
        fields.append(("Content-Length", str(len(body))))
    lines = [f"{method} {target} HTTP/{version}", *(f"{name}:{value}" for name, value in fields)]
    reader = RequestReader(16_384)
    reader.feed("\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b""))
    head = reader.head()
    assert head is not None
    whole = reader.body(20)
    assert whole == (body or b"")

    oracle = h11.Connection(h11.SERVER)
    oracle.receive_data(rewritten(head, whole))
    request = oracle.next_event()
    assert isinstance(request, h11.Request)
    path, _, query = target.partition("?")  # an empty query counts as no query
    assert request.method == method.encode()
    assert request.target == (f"{path}?{query}" if query else path).encode()
    assert request.http_version == version.encode()
    kept = {n: v.strip() for n, v in head.headers.items() if n not in HOP_BY_HOP}
    said = {name: value for name, value in request.headers if name != b"content-length"}
    assert said == {**kept, b"connection": b"close"}
    received = b""
    while isinstance(event := oracle.next_event(), h11.Data):
        received += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert received == whole
    assert oracle.their_state is h11.MUST_CLOSE


# Bodies


async def test_a_body_is_whole_before_the_application_sees_anything() -> None:
    seen: list[str] = []

    async def app(scope: AsgiScope, receive: Receive, send: Send) -> None:
        seen.append(scope["path"])
        await echo(scope, receive, send)

    body = bytes(700_000)  # as many pieces as Hypercorn's queue holds, were they given as they come
    async with serving(App(app), get("/up", "POST", f"content-length: {len(body)}")) as s:
        await s.peer.send_all(body[:-1])
        await trio.testing.wait_all_tasks_blocked()
        assert seen == []
        await s.peer.send_all(body[-1:])
        assert (await read_to_end(s.peer)).endswith(b"POST /up 700000\n")


async def test_chunks_arrive_as_one_body_of_known_length() -> None:
    lengths: list[bytes] = []

    async def app(scope: AsgiScope, receive: Receive, send: Send) -> None:
        lengths.extend(value for name, value in scope["headers"] if name == b"content-length")
        assert b"transfer-encoding" not in dict(scope["headers"])
        await echo(scope, receive, send)

    chunks = b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n"
    sent = get("/", "POST", "transfer-encoding: chunked") + chunks
    async with serving(App(app), sent) as s:
        assert (await read_to_end(s.peer)).endswith(b"POST / 5\n")
    assert lengths == [b"5"]


async def test_who_asks_before_it_sends_is_told_to_go_on() -> None:
    headers = ("content-length: 5", "expect: 100-continue")
    async with serving(App(echo), get("/", "POST", *headers)) as s:
        assert await s.peer.receive_some() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await s.peer.send_all(b"hello")
        assert (await read_to_end(s.peer)).endswith(b"POST / 5\n")


async def test_a_body_over_the_bound_is_refused_and_nobody_asked_to_send_it() -> None:
    headers = ("content-length: 1001", "expect: 100-continue")
    async with serving(App(echo, 1000), get("/", "POST", *headers)) as s:
        answers = await read_to_end(s.peer)
    assert statuses(answers) == [413]
    assert b'"code":"body_too_large"' in answers
    assert b"\r\nConnection: close\r\n" in answers


async def test_a_chunked_body_over_the_bound_is_refused_with_413() -> None:
    async with serving(App(echo, 1000), get("/", "POST", "transfer-encoding: chunked")) as s:
        await s.peer.send_all(b"200\r\n" + bytes(512) + b"\r\n")
        await s.peer.send_all(b"200\r\n" + bytes(512) + b"\r\n")
        assert statuses(await read_to_end(s.peer)) == [413]
        assert s.faults == []


async def test_a_refused_peer_that_keeps_sending_still_gets_the_answer() -> None:
    async with serving(App(echo, 1000), get("/", "POST", "content-length: 8000000")) as s:
        await s.peer.send_all(bytes(8_000_000))
        await s.peer.send_eof()
        assert statuses(await read_to_end(s.peer)) == [413]


async def test_who_sends_without_end_after_its_answer_is_cut_off() -> None:
    async with serving(App(echo), get("/")) as s:
        with pytest.raises(trio.BrokenResourceError):
            await s.peer.send_all(bytes(5 * ConnectionLimits(0, 0).linger_bytes))
        await s.ended.wait()


async def test_a_body_at_the_bound_is_taken() -> None:
    sent = get("/", "POST", "content-length: 1000") + bytes(1000)
    async with serving(App(echo, 1000), sent) as s:
        assert (await read_to_end(s.peer)).endswith(b"POST / 1000\n")


async def test_what_a_route_says_of_a_body_is_the_answer() -> None:
    class Closed(App):
        async def judge_body(self, head: RequestHead, peer: str) -> int | Response:
            return refusal(405, "method_not_allowed", "No.", ((b"allow", b"GET"),))

    for method, shown in (("POST", True), ("HEAD", False)):
        async with serving(Closed(echo), get("/", method, "content-length: 5")) as s:
            answers = await read_to_end(s.peer)
        assert statuses(answers) == [405]
        assert b"\r\nallow: GET\r\n" in answers
        assert (b'"method_not_allowed"' in answers) is shown


async def test_a_body_that_stalls_ends_with_408() -> None:
    sent = get("/", "POST", "content-length: 5") + b"he"
    async with serving(App(echo), sent, body_timeout_s=0.05) as s:
        assert statuses(await read_to_end(s.peer)) == [408]


async def test_a_body_that_breaks_off_is_a_bad_request() -> None:
    async with serving(App(echo), get("/", "POST", "content-length: 5") + b"he") as s:
        await s.peer.send_eof()
        answers = await read_to_end(s.peer)
    assert statuses(answers) == [400]
    assert b'"code":"body_incomplete"' in answers


async def test_chunks_that_are_none_are_a_bad_request() -> None:
    sent = get("/", "POST", "transfer-encoding: chunked") + b"zz\r\n"
    async with serving(App(echo), sent) as s:
        answers = await read_to_end(s.peer)
        assert statuses(answers) == [400]
        assert b'"code":"bad_body"' in answers
        assert s.faults == []


@pytest.mark.parametrize("protocol", ["websocket", "h2c", "TLS/1.0", "whatever, h2c"])
async def test_nothing_is_upgraded(protocol: str) -> None:
    headers = ("connection: keep-alive, Upgrade", f"upgrade: {protocol}")
    async with serving(App(echo), get("/", "GET", *headers) + b"\x81\x00") as s:
        answers = await read_to_end(s.peer)
    assert statuses(answers) == [400]
    assert b'"code":"upgrade_refused"' in answers


@pytest.mark.parametrize("headers", [("upgrade: h2c",), ("connection: upgrade",)])
async def test_half_an_upgrade_asks_for_nothing(headers: tuple[str, ...]) -> None:
    async with serving(App(echo), get("/", "GET", *headers)) as s:
        assert statuses(await read_to_end(s.peer)) == [200]


# Peers that go, and peers that stay


async def test_a_response_may_take_longer_than_any_request() -> None:
    go = trio.Event()

    async def slow(scope: AsgiScope, receive: Receive, send: Send) -> None:
        await go.wait()
        await answer(send, b"slow\n")

    async with serving(App(slow), get("/"), body_timeout_s=0.05, send_timeout_s=0.05) as s:
        with trio.move_on_after(0.2):
            await s.peer.receive_some()
            raise AssertionError("an answer that nobody gave")
        go.set()
        assert (await read_to_end(s.peer)).endswith(b"slow\n")
        assert s.faults == []


async def test_a_reset_in_the_middle_of_a_request_ends_the_connection() -> None:
    async with serving(App(echo), get("/", "POST", "content-length: 5")) as s:
        await trio.testing.wait_all_tasks_blocked()
        s.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await s.peer.aclose()
        await s.ended.wait()
        assert s.faults == []


async def test_an_end_of_file_after_the_request_does_not_lose_the_response() -> None:
    async with serving(App(echo)) as s:
        await s.peer.send_all(get("/half", "POST", "content-length: 2") + b"hi")
        await s.peer.send_eof()
        assert (await read_to_end(s.peer)).endswith(b"POST /half 2\n")


async def test_who_does_not_hang_up_after_its_answer_is_hung_up_on() -> None:
    async with serving(App(echo), get("/"), linger_s=0.05) as s:
        await read_to_end(s.peer)
        await s.ended.wait()


async def test_to_sever_ends_a_response_that_nobody_reads() -> None:
    async with serving(App(stream_for_ever), get("/"), send_timeout_s=3600) as s:
        await trio.lowlevel.wait_readable(s.peer.socket)
        s.sever()
        await s.ended.wait()
        assert s.faults == []


async def test_a_peer_that_takes_nothing_within_the_send_timeout_is_cut() -> None:
    async with serving(App(stream_for_ever), get("/"), send_timeout_s=0.05) as s:
        await s.ended.wait()
        assert s.faults == []


async def test_an_exception_in_the_application_is_reported_and_answered_with_500() -> None:
    async def broken(_scope: AsgiScope, _receive: Receive, _send: Send) -> None:
        raise LookupError("a bug")

    async with serving(App(broken), get("/")) as s:
        answers = await read_to_end(s.peer)
        assert statuses(answers) == [500]
        assert b"\r\nconnection: close\r\n" in answers.lower()
        told = json.loads(answers.partition(b"\r\n\r\n")[2])["error"]
        assert told == {"code": "internal", "message": Refusal(Code.INTERNAL).sentence}
        assert [repr(fault) for fault in s.faults] == ["LookupError('a bug')"]


async def test_an_exception_in_the_middle_of_a_response_cuts_it_short() -> None:
    async def broken(_scope: AsgiScope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise LookupError("a bug")

    async with serving(App(broken), get("/")) as s:
        answers = await read_to_end(s.peer)
        assert statuses(answers) == [200]
        assert not answers.endswith(b"0\r\n\r\n")
        assert len(s.faults) == 1


async def test_an_application_is_told_when_its_client_hangs_up() -> None:
    told: list[str] = []
    is_whole = trio.Event()

    async def app(_scope: AsgiScope, receive: Receive, send: Send) -> None:
        while not told or told[-1] == "http.request":
            told.append((await receive())["type"])
            is_whole.set()
        await answer(send, b"late")

    async with serving(App(app), get("/")) as s:
        await is_whole.wait()
        await s.peer.send_all(b"GET /behind HTTP/1.1\r\n")  # which is no end
        for _ in range(50):
            await trio.lowlevel.checkpoint()
        assert told == ["http.request"]
        await s.peer.send_eof()
        assert (await read_to_end(s.peer)).endswith(b"late")
    assert told == ["http.request", "http.disconnect"]


async def test_an_application_that_never_reads_a_body_holds_nothing_up() -> None:
    async def app(_scope: AsgiScope, _receive: Receive, send: Send) -> None:
        await answer(send, b"unread")

    sent = get("/", "POST", "content-length: 900000")
    async with serving(App(app), sent) as s:
        await s.peer.send_all(bytes(900_000))
        assert (await read_to_end(s.peer)).endswith(b"unread")


def test_a_response_of_the_lane_itself_has_each_header_and_a_length_where_there_may_be_one() -> (
    None
):
    headers = ((b"vary", b"origin"), (b"vary", b"accept"))
    assert last_response(Response(204, headers, b""), is_bare=False) == (
        b"HTTP/1.1 204 No Content\r\nvary: origin\r\nvary: accept\r\nConnection: close\r\n\r\n"
    )
    assert last_response(Response(404, (), b"none"), is_bare=True) == (
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"
    )


async def test_of_many_requests_that_come_at_once_one_begins_in_a_turn(
    nursery: trio.Nursery,
) -> None:
    begun = turns = 0
    begun_in_a_turn: list[int] = []

    async def count(scope: AsgiScope, receive: Receive, send: Send) -> None:
        nonlocal begun
        begun += 1
        await echo(scope, receive, send)

    async def take_turns() -> None:
        nonlocal turns
        while True:
            before = begun
            await trio.lowlevel.checkpoint()
            begun_in_a_turn.append(begun - before)

    http = HypercornServer(App(count), body_timeout_s=5.0, report_fault=pytest.fail)
    peers = []
    async with trio.open_nursery() as serving_all:
        for _ in range(30):
            ours, theirs = tcp_pair()
            ours.sendall(get("/"))
            peers += [ours, theirs]
            serving_all.start_soon(_serve_one, http, theirs)
        nursery.start_soon(take_turns)
    for one in peers:
        one.close()
    assert begun == sum(begun_in_a_turn) == 30
    assert max(begun_in_a_turn) == 1


async def _serve_one(http: HypercornServer, sock: socket.socket) -> None:
    limits = ConnectionLimits(16_384, 65_536, linger_s=0.0)
    connection = HttpConnection(sock, TrioPoller().watch(sock), Deadlines(), limits)
    head = await connection.head(HARD_LIMIT_S, answer_late=True)
    assert head is not None
    await http.serve(connection, head)

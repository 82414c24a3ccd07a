"""Requests to rooms over HTTP as no honest client writes them, byte by byte."""

from pathlib import Path

import orjson
import trio

from chatd.net.http.app import UNJUDGED_BODY_BYTES
from tests.rows import rows
from tests.service.api_callers import Api
from tests.service.chats import ROOM, Chat, open_chat, token

BODY = b'{"content":"x"}'


def post(*lines: bytes, bearer: str | None = None) -> bytes:
    """The head of a message, without what says how long it is."""
    head = [
        b"POST /api/rooms/%b/messages HTTP/1.1" % ROOM.encode(),
        b"Host: localhost",
        b"Content-Type: application/json",
        b"Authorization: Bearer " + (bearer or token()).encode(),
        *lines,
    ]
    return b"\r\n".join([*head, b"", b""])


async def answered(chat: Chat, *pieces: bytes) -> bytes:
    """All that comes back, up to the end of the connection."""
    async with await trio.open_tcp_stream(*chat.address) as stream:
        received = b""

        async def send() -> None:
            try:
                for piece in pieces:
                    await stream.send_all(piece)
            except trio.BrokenResourceError:
                pass  # it was cut off meanwhile

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            try:
                async for piece in stream:
                    received += piece
            except trio.BrokenResourceError:
                pass
            nursery.cancel_scope.cancel()
        return received


async def stored(chat: Chat) -> int:
    page = (await Api(chat).ask("GET", "messages")).json()
    return int(page["lastSeq"])


def error_of(response: bytes) -> str:
    return str(orjson.loads(response.partition(b"\r\n\r\n")[2])["error"]["code"])


async def test_a_body_that_is_too_large_is_refused_by_what_it_says(tmp_path: Path) -> None:
    async with open_chat(tmp_path, server={"max_payload_bytes": 10_000}) as chat:
        for length in (b"10001", b"1000000000000"):
            response = await answered(chat, post(b"Content-Length: " + length))
            assert response.startswith(b"HTTP/1.1 413 ")
            assert error_of(response) == "body_too_large"
        assert await stored(chat) == 0


@rows(
    "framing",
    [
        b"Content-Length: %d" % (UNJUDGED_BODY_BYTES + 1),
        b"Content-Length: 900000",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nExpect: 100-continue",
    ],
)
async def test_of_a_stranger_no_large_body_is_read(framing: bytes, chat: Chat) -> None:
    response = await answered(chat, post(framing, bearer="no token"))  # not a byte of the body
    assert response.startswith(b"HTTP/1.1 401 ")
    assert error_of(response) == "token_invalid"


async def test_of_a_user_a_large_body_is_read(chat: Chat) -> None:
    body = b'{"content":"x"%b}' % (b" " * UNJUDGED_BODY_BYTES)
    response = await answered(chat, post(b"Content-Length: %d" % len(body)), body)
    assert response.startswith(b"HTTP/1.1 201 ")
    assert await stored(chat) == 1


async def test_chunks_without_end_are_cut_at_the_bound(tmp_path: Path) -> None:
    async with open_chat(tmp_path, server={"max_payload_bytes": 10_000}) as chat:
        chunk = b"3e8\r\n" + b" " * 1000 + b"\r\n"
        response = await answered(chat, post(b"Transfer-Encoding: chunked"), *[chunk] * 5_000)
        assert response.startswith(b"HTTP/1.1 413 ")
        crumbs = b"1\r\n \r\n" * 9_000
        response = await answered(chat, post(b"Transfer-Encoding: chunked"), crumbs)
        assert response.startswith(b"HTTP/1.1 413 ")
        assert await stored(chat) == 0


async def test_a_body_in_chunks_is_a_body(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
        response = await answered(chat, post(b"Transfer-Encoding: chunked") + chunked)
        assert response.startswith(b"HTTP/1.1 201 ")
        assert await stored(chat) == 1


async def test_a_body_that_does_not_come_holds_nothing(tmp_path: Path) -> None:
    async with open_chat(tmp_path, server={"head_timeout_s": 0.2}) as chat:
        response = await answered(chat, post(b"Content-Length: 15"), BODY[:7])
        assert response.startswith(b"HTTP/1.1 408 ")
        assert await stored(chat) == 0


async def test_only_the_first_of_pipelined_requests_is_one(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        one = post(b"Content-Length: %d" % len(BODY)) + BODY
        response = await answered(chat, one * 20)
        assert response.count(b"HTTP/1.1 ") == 1
        assert await stored(chat) == 1


async def test_a_client_that_has_closed_its_side_gets_its_answer(tmp_path: Path) -> None:
    async with (
        open_chat(tmp_path) as chat,
        await trio.open_tcp_stream(*chat.address) as stream,
    ):
        await stream.send_all(post(b"Content-Length: %d" % len(BODY)) + BODY)
        await stream.send_eof()
        assert b"".join([piece async for piece in stream]).startswith(b"HTTP/1.1 201 ")


async def test_a_length_beside_chunks_is_refused(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        smuggled = post(b"Content-Length: 4", b"Transfer-Encoding: chunked") + b"0\r\n\r\n" + BODY
        assert (await answered(chat, smuggled)).startswith(b"HTTP/1.1 400 ")
        twice = post(b"Content-Length: 15", b"Content-Length: 16") + BODY
        assert (await answered(chat, twice)).startswith(b"HTTP/1.1 400 ")
        assert await stored(chat) == 0


async def test_two_tokens_are_none(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        both = post(b"Authorization: Bearer x", b"Content-Length: %d" % len(BODY)) + BODY
        assert (await answered(chat, both)).startswith(b"HTTP/1.1 400 ")


async def test_a_client_that_waits_for_a_100_gets_it_only_where_its_body_is_taken(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path, server={"max_payload_bytes": 100}) as chat:
        expecting = b"Expect: 100-continue"
        taken = await answered(chat, post(expecting, b"Content-Length: 15"), BODY)
        assert taken.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 ")
        refused = await answered(chat, post(expecting, b"Content-Length: 101"))
        assert refused.startswith(b"HTTP/1.1 413 ")


async def test_a_reader_that_takes_nothing_is_cut_off_and_may_ask_again(tmp_path: Path) -> None:
    limits = {
        "user_messages_per_minute": 1e9,
        "socket_messages_per_minute": 1e9,
        "socket_events_per_minute": 1e9,
    }
    request = (
        b"GET /api/rooms/sales/messages HTTP/1.1\r\nHost: localhost\r\n"
        b"Authorization: Bearer %b\r\n\r\n" % token().encode()
    )

    async def status_of_another(chat: Chat) -> int:
        return (await Api(chat).ask("GET", "messages", limit=1)).status

    async with open_chat(tmp_path, limits=limits, api={"requests_per_user": 1}) as chat:
        chat.parts.http.listener._http._send_timeout_s = 0.3
        for _ in range(60):
            await Api(chat).say("x" * 10_000)
        readers: list[trio.socket.SocketType] = []
        while not readers or await status_of_another(chat) != 503:
            readers.append(trio.socket.socket())
            readers[-1].setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 4096)
            await readers[-1].connect(chat.address)
            await readers[-1].send(request)
        while await status_of_another(chat) != 200:
            pass
        for reader in readers:
            reader.close()

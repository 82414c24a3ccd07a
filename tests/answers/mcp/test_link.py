"""What a peer may send in one call, and when nothing more is read from it."""

import httpx2
import pytest
import trio
import trio.testing

from chatd.answers.mcp.http import Bounded
from chatd.answers.mcp.link import (
    HELD_CHARS,
    MESSAGES_A_CALL,
    SIZES_A_CALL,
    TIMES_AS_JSON,
    Breach,
    Link,
)


def link(max_message_bytes: int = 1_000) -> Link:
    return Link(max_message_bytes, lambda: None)


def test_a_call_may_bring_what_its_terms_allow_beside_what_any_call_may() -> None:
    one = link()
    one.renew(max_rows=5_000, max_bytes=1_000_000)
    for _ in range(MESSAGES_A_CALL + 5_000):
        one.count(1)
    with pytest.raises(Breach):
        one.count(1)
    one.renew(max_rows=5_000, max_bytes=1_000_000)
    one.count(SIZES_A_CALL * 1_000 + TIMES_AS_JSON * 1_000_000)
    with pytest.raises(Breach):
        one.count(1)


async def test_nothing_is_read_while_more_is_held_than_may_be() -> None:
    one, has_flowed = link(), trio.Event()

    async def read() -> None:
        await one.flowing()
        has_flowed.set()

    async with trio.open_nursery() as nursery:
        with one.holding(HELD_CHARS):
            await one.flowing()  # as much as may be
            with one.holding(1):
                nursery.start_soon(read)
                await trio.testing.wait_all_tasks_blocked()
                assert not has_flowed.is_set()
            await has_flowed.wait()


async def test_all_who_read_from_a_peer_go_on_together() -> None:
    one, read = link(), 0

    async def wait_and_read() -> None:
        nonlocal read
        await one.flowing()
        read += 1

    async with trio.open_nursery() as nursery:
        with one.holding(HELD_CHARS + 1):
            for _ in range(3):  # over HTTP each response is a reader
                nursery.start_soon(wait_and_read)
            await trio.testing.wait_all_tasks_blocked()
            assert read == 0
    assert read == 3


class Events(httpx2.AsyncBaseTransport):
    """A server that answers with a stream of events."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        async def pieces() -> "object":
            for _ in range(3):
                yield b"data: {}\n\n"

        headers = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=headers, content=pieces())


async def test_a_stream_of_events_is_read_no_faster_than_its_rows_are_taken() -> None:
    one = link()
    transport = Bounded(Events(), one)
    response = await transport.handle_async_request(httpx2.Request("POST", "http://x"))
    taken: list[bytes] = []

    async def read() -> None:
        async for piece in response.stream:
            taken.append(piece)

    async with trio.open_nursery() as nursery:
        with one.holding(HELD_CHARS + 1):
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            assert taken == []
    assert len(taken) == 3

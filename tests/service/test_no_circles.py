"""A connection that has ended leaves no circle of references: all that it held, bytes of its peer
among it, is free at once, and waits for no look of the garbage collector."""

import gc
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeAlias

import pytest
import trio
import trio.testing

from tests.engine.listeners import open_websocket
from tests.engine.polls import HttpPeer, request, until
from tests.service.asking import ask
from tests.service.chats import ROOM, Chat, message, token
from tests.service.streams import open_stream

LARGE: Final = 60_000  # bytes that a peer leaves behind it in the middle of something
Visit: TypeAlias = Callable[[Chat], Awaitable[None]]


async def over_websocket(chat: Chat) -> None:
    ada = await chat.enter()
    await ada.say(message())
    await ada.call("connection:leave", {"connectionId": ROOM})
    await ada.peer.stream.aclose()


async def closed_by_a_frame(chat: Chat) -> None:
    ada = await chat.enter()
    await ada.peer.stream.send_all(b"\x88\x80mask")
    assert await ada.ended() == 1005


async def left_by_a_packet(chat: Chat) -> None:
    ada = await chat.enter()
    await ada.peer.send("41")
    await ada.peer.stream.aclose()


async def with_half_a_frame(chat: Chat) -> None:
    ada = await chat.enter()
    frame = bytes([0x81, 0xFF]) + (2 * LARGE).to_bytes(8, "big") + b"mask" + b"x" * LARGE
    await ada.peer.stream.send_all(frame)
    await trio.testing.wait_all_tasks_blocked(0.01)
    await ada.peer.stream.aclose()


async def with_half_a_packet(chat: Chat) -> None:
    ada = await chat.enter()
    await ada.peer.send('452-["chat:message",{"_placeholder":true,"num":0}]')
    await ada.peer.send(b"x" * LARGE)
    await trio.testing.wait_all_tasks_blocked(0.01)
    await ada.peer.stream.aclose()


async def against_the_protocol(chat: Chat) -> None:
    ada = await chat.enter()
    await ada.peer.stream.send_all(b"\xff" * 100)
    await ada.ended()


async def turned_away(chat: Chat) -> None:
    stranger = await chat.connect({"token": "no token"})
    await stranger.packet()
    await stranger.peer.stream.aclose()


async def _dial(chat: Chat) -> HttpPeer:
    stream = await trio.open_tcp_stream(*chat.address)
    chat.streams.append(stream)
    return HttpPeer(stream)


async def _opened_by_polling(chat: Chat) -> tuple[HttpPeer, str]:
    peer = await _dial(chat)
    opened = await peer.ask()
    sid = opened.body.partition(b'"sid":"')[2].partition(b'"')[0].decode()
    query = f"EIO=4&transport=polling&sid={sid}"
    written = b'40{"token":"%b"}' % token().encode()
    assert (await peer.ask("POST", query, written)).body == b"ok"
    assert b"40{" in (await peer.ask("GET", query)).body
    return peer, query


async def over_polling(chat: Chat) -> None:
    peer, query = await _opened_by_polling(chat)
    await peer.ask("POST", query, b"1")
    sessions = chat.parts.engine_io.sessions
    await until(lambda: not sessions.by_sid)  # a catch-up may come first
    await peer.stream.aclose()


async def with_half_a_post(chat: Chat) -> None:
    peer, query = await _opened_by_polling(chat)
    await peer.stream.send_all(request("POST", query, b"4" * LARGE)[:-10])
    await trio.testing.wait_all_tasks_blocked(0.01)
    await peer.stream.aclose()


async def with_an_upgrade(chat: Chat) -> None:
    peer, query = await _opened_by_polling(chat)
    sid = query.rpartition("=")[2]
    stream = await trio.open_tcp_stream(*chat.address)
    websocket = await open_websocket(stream, query=f"EIO=4&transport=websocket&sid={sid}")
    await websocket.send("2probe")
    assert await websocket.message() == "3probe"
    await websocket.send("5")
    await peer.stream.aclose()
    await stream.aclose()


async def asking_for_a_file(chat: Chat) -> None:
    peer = await _dial(chat)
    await peer.stream.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await peer.answer()
    await peer.stream.aclose()


async def with_half_a_head(chat: Chat) -> None:
    peer = await _dial(chat)
    await peer.stream.send_all(b"GET / HTTP/1.1\r\n")
    await trio.testing.wait_all_tasks_blocked(0.01)
    await peer.stream.aclose()


async def with_half_a_chunk(chat: Chat) -> None:
    peer = await _dial(chat)
    head = (
        b"POST /api/rooms/%b/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/json\r\nAuthorization: Bearer %b\r\n\r\n"
    )
    sent = head % (ROOM.encode(), token().encode()) + b"fff0\r\n" + b"x" * LARGE
    await peer.stream.send_all(sent)
    await trio.testing.wait_all_tasks_blocked(0.01)
    await peer.stream.aclose()


async def asking_the_api(chat: Chat) -> None:
    answer = await ask(
        chat.address,
        "POST",
        f"/api/rooms/{ROOM}/messages",
        {"authorization": f"Bearer {token()}", "content-type": "application/json"},
        b'{"content":"hello"}',
    )
    assert answer.status == 201


async def over_a_stream_of_events(chat: Chat) -> None:
    stream = await open_stream(chat)
    await stream.expect("stream:open")
    await stream.sock.aclose()


async def hanging_up_during_the_answer(chat: Chat) -> None:
    head = f"GET /api/rooms/{ROOM}/messages HTTP/1.1\r\nHost: localhost\r\n"
    stream = await trio.open_tcp_stream(*chat.address)
    await stream.send_all(f"{head}Authorization: Bearer {token()}\r\n\r\n".encode())
    await trio.aclose_forcefully(stream)


VISITS: Final[list[Visit]] = [
    over_websocket,
    closed_by_a_frame,
    left_by_a_packet,
    with_half_a_frame,
    with_half_a_packet,
    against_the_protocol,
    turned_away,
    over_polling,
    with_half_a_post,
    with_an_upgrade,
    asking_for_a_file,
    with_half_a_head,
    with_half_a_chunk,
    asking_the_api,
    over_a_stream_of_events,
    hanging_up_during_the_answer,
]


@pytest.fixture
def by_hand() -> Iterator[None]:
    """The collector looks when the test says so."""
    gc.disable()
    yield
    gc.unfreeze()
    gc.enable()


def circles() -> list[str]:
    """The classes of what lies in circles that nobody refers to, of chatd's, or of bytes, and was
    made since the last `gc.freeze`."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    found = [
        type(one).__qualname__
        for one in gc.garbage
        if type(one).__module__.startswith("chatd.")
        or (isinstance(one, bytes | bytearray) and len(one) >= LARGE // 2)
    ]
    gc.garbage.clear()
    return found


@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: visit.__name__)
async def test_an_ended_connection_leaves_no_circle(visit: Visit, chat: Chat) -> None:
    for is_first in (True, False):
        await visit(chat)
        await chat.parts.engine_io.admission.emptied()
        await trio.testing.wait_all_tasks_blocked(0.01)
        if is_first:  # it has made what is made once
            gc.freeze()
    assert circles() == []

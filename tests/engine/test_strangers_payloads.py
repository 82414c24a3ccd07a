"""Of a session that is nobody's yet only small packets are taken: anybody can open thousands."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from chatd.app.settings import STRANGER_PAYLOAD_BYTES
from tests.engine.listeners import Door, open_door, opening
from tests.engine.polls import Poller, ask, chunked, dial, join
from tests.net.peers import CONTINUATION, TEXT, frame
from tests.service.chats import ROOM, open_chat

SMALL = 200
LARGE = "x" * 10 * SMALL


def open_strict() -> AbstractAsyncContextManager[Door]:
    return open_door(stranger_payload_bytes=SMALL)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(frame(TEXT, b"4" * (SMALL + 1)), id="whole"),
        pytest.param(frame(TEXT, claimed_size=900_000), id="announced"),
        pytest.param(
            frame(TEXT, b"4" * SMALL, fin=False) + frame(CONTINUATION, b"4"), id="in fragments"
        ),
    ],
)
async def test_a_message_of_a_stranger_that_is_too_large_closes_with_1009(sent: bytes) -> None:
    async with open_strict() as door:
        peer = await door.open()
        await opening(peer)
        await peer.stream.send_all(sent)
        assert await peer.end() == 1009


async def test_once_it_is_known_whose_it_is_messages_may_be_larger() -> None:
    async with open_strict() as door:
        peer = await door.join()
        door.identify()
        await peer.echo(LARGE)


async def post(door: Door, poller: Poller, size: int, *, in_chunks: bool) -> int:
    body = b'42["echo","%b"]' % (b"x" * (size - 13))
    peer = await dial(door)
    if in_chunks:
        await peer.send("POST", poller.query, headers=["Transfer-Encoding: chunked"])
        await peer.stream.send_all(chunked(body))
    else:
        await peer.send("POST", poller.query, body)
    return (await peer.answer()).status


@pytest.mark.parametrize("in_chunks", [False, True])
async def test_a_body_of_a_stranger_that_is_too_large_is_413_and_the_session_lives(
    in_chunks: bool,
) -> None:
    async with open_strict() as door:
        poller = await join(door)
        assert await post(door, poller, SMALL + 1, in_chunks=in_chunks) == 413
        assert await post(door, poller, SMALL, in_chunks=in_chunks) == 200
        assert (await ask(door, query=poller.query)).status == 200
        door.identify()
        assert await post(door, poller, 10 * SMALL, in_chunks=in_chunks) == 200


async def test_a_session_that_is_known_before_it_moves_to_a_websocket_may_send_as_much_there() -> (
    None
):
    async with open_strict() as door:
        poller = await join(door)
        probe = await poller.probe()
        door.identify()
        await probe.send("2probe")
        assert await probe.message() == "3probe"
        await probe.send("5")
        await probe.echo(LARGE)


async def test_a_user_of_the_daemon_says_more_than_a_stranger_may(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        user = await chat.enter()
        padding = "x" * 2 * STRANGER_PAYLOAD_BYTES  # of a field that the daemon does not know
        page = await user.call("chat:history:get", {"connectionId": ROOM, "padding": padding})
        assert page["ok"]
        stranger = await chat.open()
        await stranger.send("40" + "x" * STRANGER_PAYLOAD_BYTES)
        assert await stranger.end() == 1009

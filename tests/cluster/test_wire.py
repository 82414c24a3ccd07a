"""The proxy between a node and its servers, before a server that echoes."""

import functools
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest
import trio

from tests.cluster.wire import Direction, Wire, an_exchange

Dial: TypeAlias = Callable[[], Awaitable[trio.SocketStream]]

DELAY_S = 0.3


async def echo(stream: trio.SocketStream) -> None:
    async with stream:
        try:
            async for chunk in stream:
                await stream.send_all(chunk)
        except trio.BrokenResourceError:
            pass


async def server(path: Path, nursery: trio.Nursery, answer: bytes = b"") -> Path:
    """A server at a socket; one with an `answer` says just that, and hangs up."""
    sock = trio.socket.socket(trio.socket.AF_UNIX)
    await sock.bind(str(path))
    sock.listen()

    async def say(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.send_all(answer)

    nursery.start_soon(trio.serve_listeners, say if answer else echo, [trio.SocketListener(sock)])
    return path


@pytest.fixture
async def wire(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Wire]:
    wire = Wire(await server(tmp_path / "echo", nursery))
    async with an_exchange(tmp_path / "wire", {os.getpid(): wire}.get):
        yield wire


@pytest.fixture
def dial(tmp_path: Path) -> Dial:
    return functools.partial(trio.open_unix_socket, str(tmp_path / "wire"))


async def answers(stream: trio.SocketStream, said: bytes = b"x") -> None:
    await stream.send_all(said)
    got = b""
    while len(got) < len(said):
        piece = await stream.receive_some()
        assert piece, "hung up"
        got += piece
    assert got == said


async def has_ended(stream: trio.SocketStream) -> bool:
    try:
        return await stream.receive_some() == b""
    except trio.BrokenResourceError:
        return True


async def test_what_is_said_arrives_on_both_sides_and_in_order(wire: Wire, dial: Dial) -> None:
    async with await dial() as stream:
        await answers(stream, bytes(range(256)) * 2000)
    assert wire.carried_bytes == 2 * 512_000


async def test_a_paused_wire_says_nothing_and_goes_on_where_it_stood(
    wire: Wire, dial: Dial
) -> None:
    async with await dial() as stream:
        await answers(stream)
        wire.pause()
        carried = wire.carried_bytes
        await stream.send_all(b"late")
        async with await dial() as newcomer:  # the kernel takes it; nobody answers
            await newcomer.send_all(b"new")
            with trio.move_on_after(0.1) as silence:
                await stream.receive_some()
            assert silence.cancelled_caught
            assert wire.carried_bytes == carried
            wire.heal()
            assert await stream.receive_some() == b"late"
            assert await newcomer.receive_some() == b"new"


async def test_a_cut_wire_ends_connections_and_takes_none(wire: Wire, dial: Dial) -> None:
    async with await dial() as stream:
        await answers(stream)
        wire.cut()
        assert await has_ended(stream)
    async with await dial() as stream:
        assert await has_ended(stream)
    wire.heal()
    async with await dial() as stream:
        await answers(stream)


@pytest.mark.parametrize("direction", Direction)
async def test_a_slow_wire_delays_a_direction_and_keeps_the_order(
    wire: Wire, dial: Dial, direction: Direction
) -> None:
    async with await dial() as stream:
        await answers(stream)
        wire.slow(direction, DELAY_S)
        began_s = trio.current_time()
        await answers(stream, b"one after the other" * 10_000)
        assert trio.current_time() - began_s >= DELAY_S
        wire.heal()
        await answers(stream)


async def test_another_server_takes_over(
    wire: Wire, dial: Dial, tmp_path: Path, nursery: trio.Nursery
) -> None:
    async with await dial() as stream:
        await answers(stream)
        wire.lead_to(await server(tmp_path / "other", nursery, b"hello"))
        assert await has_ended(stream)
    async with await dial() as stream:
        assert await stream.receive_some() == b"hello"


async def test_a_server_that_is_away_hangs_up(wire: Wire, dial: Dial, tmp_path: Path) -> None:
    wire.lead_to(tmp_path / "nobody")
    async with await dial() as stream:
        assert await has_ended(stream)


async def test_who_is_no_node_is_hung_up(tmp_path: Path) -> None:
    path = tmp_path / "wire"
    async with an_exchange(path, {}.get), await trio.open_unix_socket(str(path)) as stream:
        assert await has_ended(stream)

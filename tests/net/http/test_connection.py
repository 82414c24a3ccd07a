"""What one connection writes, and in which order."""

import socket

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatd.net.deadlines import Deadlines
from chatd.net.http.connection import SEND_PIECE_BYTES, ConnectionLimits, HttpConnection
from chatd.net.poller import TrioPoller
from tests.net.http.serving import tcp_pair


async def test_what_is_written_soon_comes_before_all_that_is_written_after_it() -> None:
    ours, theirs = tcp_pair()
    with ours, theirs:
        connection = HttpConnection(
            theirs, TrioPoller().watch(theirs), Deadlines(), ConnectionLimits(16_384, 65_536)
        )
        connection.write_soon(b"1")
        connection.write_soon(b"2")
        connection.write(b"3")
        connection.write_soon(b"4")
        connection.flush()
        connection.flush()
        connection.write_soon(b"5")
        connection.finish(b"6")
        ours.settimeout(5)
        received = b"".join(iter(lambda: ours.recv(100), b""))
        assert received == b"123456"


async def test_what_is_written_soon_is_out_before_a_connection_goes_on_as_something_else() -> None:
    ours, theirs = tcp_pair()
    with ours, theirs:
        connection = HttpConnection(
            theirs, TrioPoller().watch(theirs), Deadlines(), ConnectionLimits(16_384, 65_536)
        )
        connection.write_soon(b"1")
        await connection.drained()
        ours.settimeout(5)
        assert ours.recv(100) == b"1"


async def test_a_peer_that_takes_the_last_response_slowly_gets_all_of_it() -> None:
    ours, theirs = tcp_pair()
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        size = 400_000
        connection = HttpConnection(
            theirs, TrioPoller().watch(theirs), Deadlines(), ConnectionLimits(16_384, size)
        )
        connection.finish(b"x" * size)
        assert connection.writer.owed_bytes, "the kernel took all of it"
        received = 0

        async def take() -> None:
            nonlocal received
            with trio.socket.from_stdlib_socket(ours.dup()) as stream:
                while data := await stream.recv(65_536):
                    received += len(data)
            ours.close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(take)
            await connection.hang_up()
            theirs.close()
        assert received == size


@pytest.mark.parametrize("piece", [0, SEND_PIECE_BYTES // 2])
async def test_a_peer_that_takes_too_little_of_what_it_is_owed_is_cut_off(
    piece: int, mock_clock: MockClock
) -> None:
    ours, theirs = tcp_pair()
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        limits = ConnectionLimits(16_384, 10_000_000)
        connection = HttpConnection(theirs, TrioPoller().watch(theirs), Deadlines(), limits)
        connection.write(b"x" * 10_000_000)
        began_s = trio.current_time()

        async def take() -> None:
            with trio.socket.from_stdlib_socket(ours.dup()) as stream:
                before = connection.writer.owed_bytes
                while before - connection.writer.owed_bytes < piece:
                    await stream.recv(1_000)
                await wait_all_tasks_blocked()
                mock_clock.jump(limits.send_timeout_s)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(take)
            await connection.drained()
        assert connection.is_over
        assert not connection.writer.owed_bytes
        assert trio.current_time() - began_s == limits.send_timeout_s


async def test_a_peer_that_takes_a_piece_within_the_timeout_gets_all_of_it(
    mock_clock: MockClock,
) -> None:
    ours, theirs = tcp_pair()
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        limits = ConnectionLimits(16_384, 10_000_000)
        connection = HttpConnection(theirs, TrioPoller().watch(theirs), Deadlines(), limits)
        size = 4_000_000
        connection.write(b"x" * size)
        received = 0

        async def take() -> None:
            nonlocal received
            with trio.socket.from_stdlib_socket(ours.dup()) as stream:
                before = connection.writer.owed_bytes
                while received < size:
                    received += len(await stream.recv(131_072))
                    if before - connection.writer.owed_bytes >= SEND_PIECE_BYTES:
                        before = connection.writer.owed_bytes
                        mock_clock.jump(0.9 * limits.send_timeout_s)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(take)
            await connection.drained()
        assert (received, connection.is_over) == (size, False)
        assert trio.current_time() > 10 * limits.send_timeout_s

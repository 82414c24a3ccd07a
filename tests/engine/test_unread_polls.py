"""Clients that poll and never read an answer: each costs a bounded number of bytes, and ends."""

import socket

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatd.engineio.heartbeat import HeartbeatSettings
from tests.engine.listeners import BACKLOG_BYTES, Door, open_door
from tests.engine.polls import HttpPeer, Poller, join, request, until
from tests.engine.test_slow_consumer import in_room
from tests.net.peers import HARD_LIMIT_S, read_to_end

PIECE = "x" * 50_000
MAX_PAYLOAD_BYTES = 200_000


async def deaf_poller(door: Door) -> tuple[Poller, HttpPeer]:
    """Somebody in the room `r`, and a connection of theirs that they will not read from."""
    poller = await join(door)
    await poller.say(b'42["join","r"]')
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
    await stream.socket.connect(door.address)
    door.streams.append(stream)
    return poller, HttpPeer(stream)


@pytest.mark.parametrize("is_pipelining", [False, True])
async def test_what_waits_for_a_client_that_reads_no_answer_is_bounded_and_the_client_is_cut(
    is_pipelining: bool,
) -> None:
    async with open_door(max_payload_bytes=MAX_PAYLOAD_BYTES) as door:
        other = await in_room(door)
        poller, deaf = await deaf_poller(door)
        await deaf.stream.send_all(request(query=poller.query) * (50 if is_pipelining else 1))
        await until(lambda: poller.transport._poll is not None)
        ours = deaf.stream.socket.getsockname()
        [connection] = [
            one for sock, one in door.door._requesting.items() if sock.getpeername() == ours
        ]
        said = 0
        while poller.is_alive:
            await other.send(f'42["say","r","{PIECE}"]')
            await other.message()
            said += 1
            assert connection.writer.owed_bytes <= BACKLOG_BYTES + 2 * MAX_PAYLOAD_BYTES
            assert said < 200, "it goes on for ever"
        await other.echo()
        assert set(door.reasons) <= {"slow consumer", "transport close", "transport error"}
        await trio.aclose_forcefully(deaf.stream)


async def test_a_client_that_polls_once_and_never_reads_is_gone_with_its_heartbeat(
    mock_clock: MockClock,
) -> None:
    async with open_door(heartbeat=HeartbeatSettings(10.0, 5.0), keep_alive_s=5.0) as door:
        poller, deaf = await deaf_poller(door)
        await deaf.stream.send_all(request(query=poller.query))
        await until(lambda: poller.transport._poll is not None)
        mock_clock.jump(10.0)  # the ping answers the poll, and nobody reads it
        await until(lambda: poller.transport._poll is None)
        await wait_all_tasks_blocked()  # the connection waits for its next request from now on
        mock_clock.jump(5.0)
        await until(lambda: not poller.is_alive)
        assert door.reasons == ["ping timeout"]
        mock_clock.jump(5.0)
        with trio.fail_after(HARD_LIMIT_S):
            await read_to_end(deaf.stream)
        await door.admission.emptied()

"""A peer that does not read, and other hostile ones: bounded, named, and nobody else's harm."""

import socket

import pytest
import trio
import trio.testing

from chatd.engine.websocket import WebSocketTransport
from chatd.websocket.frames import encode_text
from tests.engine.listeners import BACKLOG_BYTES, Door, open_door
from tests.net.peers import HARD_LIMIT_S, TEXT, Peer, frame

PIECE = "x" * 20_000


def transport_of(door: Door, at: int) -> WebSocketTransport:
    transport = door.app.sockets[at].session.transport
    assert isinstance(transport, WebSocketTransport)
    return transport


async def join_room(peer: Peer, room: str = "r") -> None:
    await peer.send(f'420["join","{room}"]')
    assert await peer.message() == "430[]"


async def in_room(door: Door) -> Peer:
    peer = await door.join()
    await join_room(peer)
    return peer


async def test_who_never_reads_is_cut_while_another_gets_everything(door: Door) -> None:
    deaf = await in_room(door)
    other = await in_room(door)
    transport = transport_of(door, 0)
    heard = 0
    while "slow consumer" not in door.reasons:
        assert transport._writer._unsent is None or len(transport._writer._unsent) <= BACKLOG_BYTES
        assert heard < 2000, "the bound does not hold"
        await other.send(f'42["say","r",{heard}]', f'42["say","r","{PIECE}"]')
        assert await other.message() == f'42["said",{heard}]'
        assert await other.message() == f'42["said","{PIECE}"]'
        heard += 1
    assert door.app.ended == [("/", "slow consumer")]
    assert transport._writer._unsent is None
    assert len(door.adapter.sockets("/", "r")) == 1
    await other.echo()
    await deaf.stream.aclose()


async def test_a_slow_consumer_is_no_fault_of_the_server(door: Door) -> None:
    """The writer of the backlog once stumbled over a backlog that was given up."""
    for _ in range(3):
        await in_room(door)
        transport = transport_of(door, -1)
        other = await in_room(door)
        while not transport._writer.is_ending:
            await other.send(f'42["say","r","{PIECE}"]')
            await other.message()
        await trio.testing.wait_all_tasks_blocked()
        await other.stream.aclose()


async def test_who_reads_again_in_time_gets_all_of_it_in_order(door: Door) -> None:
    slow = await in_room(door)
    other = await in_room(door)
    transport = transport_of(door, 0)
    count = 0
    while not transport.backlog.owed_bytes:
        await other.send(f'42["say","r","{count} {PIECE}"]')
        await other.message()
        count += 1
    await other.send('42["say","r","the last"]')
    await other.message()
    for number in range(count):
        assert await slow.message() == f'42["said","{number} {PIECE}"]'
    assert await slow.message() == '42["said","the last"]'
    with trio.fail_after(HARD_LIMIT_S):
        await transport.backlog.drained()
    await slow.echo()


async def test_who_falls_behind_just_as_its_task_looks_for_more_input_gets_all_of_it(
    door: Door,
) -> None:
    """A read that filled its buffer is followed by one that finds nothing. What the kernel refused
    in between was owed until the peer said something."""
    for _ in range(10):  # whose turn is the next is random
        peer = await door.join()
        transport = transport_of(door, -1)
        transport._watch.again()
        transport._watch.wake()
        await trio.lowlevel.checkpoint()
        transport.write(encode_text(b"x" * (BACKLOG_BYTES - 100)))
        assert transport.backlog.owed_bytes
        with trio.fail_after(HARD_LIMIT_S):
            assert len(str(await peer.message())) == BACKLOG_BYTES - 100


async def test_what_a_peer_asked_for_is_not_its_backlog(door: Door) -> None:
    peer = await door.join()
    size = 20 * BACKLOG_BYTES
    await peer.send(f'42["catch up",{size}]')
    assert len(str(await peer.message())) > size
    await peer.echo()
    assert transport_of(door, 0).backlog.allowed_bytes == 0


async def test_beside_what_it_asked_for_live_traffic_is_bounded_as_ever(door: Door) -> None:
    deaf, other = await in_room(door), await in_room(door)
    size = 20 * BACKLOG_BYTES
    await deaf.send(f'42["catch up",{size}]')
    transport = transport_of(door, 0)
    await other.echo()
    said = 0
    while not transport._writer.is_ending:
        assert len(transport._writer._unsent or b"") <= size + BACKLOG_BYTES + 200
        await other.send(f'42["say","r","{PIECE}"]')
        await other.message()
        said += len(PIECE)
        assert said < size, "the allowance is spent on live traffic"
    assert "slow consumer" in door.reasons


async def test_a_peer_that_asks_and_never_reads_is_cut(door: Door) -> None:
    other, deaf = await door.join(), await door.join()
    transport = transport_of(door, 1)
    with trio.move_on_after(10):
        while not transport._writer.is_ending:
            try:
                await deaf.send(f'42["echo","{PIECE}"]')
            except trio.BrokenResourceError:
                break
    await other.echo()
    assert door.reasons == ["slow consumer"]


async def test_who_is_told_to_close_and_never_reads_is_cut() -> None:
    async with open_door(linger_s=0.05) as door:
        deaf, other = await in_room(door), await in_room(door)
        transport = transport_of(door, 0)
        while not transport.backlog.owed_bytes:
            await other.send(f'42["say","r","{PIECE}"]')
            await other.message()
        await deaf.send("1")
        await other.send("1")
        with trio.fail_after(HARD_LIMIT_S):
            await door.admission.emptied()


async def test_a_peer_may_send_one_byte_at_a_time(door: Door) -> None:
    other, peer = await door.join(), await door.join()
    peer.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in frame(TEXT, '42["echo","µ"]'.encode()):
        await peer.stream.send_all(bytes([byte]))
        await trio.lowlevel.checkpoint()
    assert await peer.message() == '42["echo","µ"]'
    await other.echo()


async def test_many_frames_in_one_segment_are_all_answered_in_order(door: Door) -> None:
    peer = await door.join()
    count = 3000
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.send, *(f'42["echo",{number}]' for number in range(count)))
        for number in range(count):
            assert await peer.message() == f'42["echo",{number}]'


@pytest.mark.parametrize("half", [b"", frame(TEXT, b"42[" * 50)[:70], frame(TEXT, b"3")])
async def test_a_reset_ends_that_session_alone(door: Door, half: bytes) -> None:
    other, peer = await in_room(door), await in_room(door)
    await peer.stream.send_all(half)
    await peer.reset()
    while len(door.sessions.by_sid) == 2:
        await other.echo()
    await other.send('42["say","r",1]')
    assert await other.message() == '42["said",1]'
    assert len(door.adapter.sockets("/", "r")) == 1
    assert set(door.reasons) <= {"transport close", "transport error"}


async def test_a_broadcast_to_peers_that_are_gone_harms_nobody(door: Door) -> None:
    speaker = await in_room(door)
    for _ in range(20):
        peer = await in_room(door)
        await peer.reset()
    await speaker.send(*(f'42["say","r",{number}]' for number in range(50)))
    for number in range(50):
        assert await speaker.message() == f'42["said",{number}]'

"""Messages and bodies in pieces of one byte: others have their turn, and there is an end to it."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from chatd.engine.throttle import IDLE_BURST, IDLE_PER_S, PACKETS_PER_TURN
from chatd.engine.websocket import WebSocketTransport
from chatd.net.http.connection import READ_BYTES
from chatd.net.http.reader import CHUNKS_FREE, CHUNKS_PER_TURN
from chatd.websocket.decoder import FRAGMENTS_PER_EVENT
from tests.engine.listeners import Door, drop_work, open_door
from tests.engine.polls import chunked, dial, join, until
from tests.net.peers import CONTINUATION, NO_CODE, PING, PONG, TEXT, Peer, frame

FRAGMENTS_MAX = 1024  # of one message


def message_of(crumb: bytes) -> bytes:
    """An event in the smallest frames: many empty ones, or ones of a byte, and its last."""
    event = b'42["echo",1]'
    start = frame(TEXT, event[:1], fin=False)
    if not crumb:
        return start + frame(CONTINUATION, fin=False) * 1000 + frame(CONTINUATION, event[1:])
    padding = frame(CONTINUATION, b" ", fin=False) * 1000
    inner = frame(CONTINUATION, event[1:-1], fin=False)
    return start + inner + padding + frame(CONTINUATION, event[-1:])


async def transport_of(door: Door) -> tuple[Peer, WebSocketTransport]:
    peer = await door.join()
    transport = door.app.sockets[-1].session.transport
    assert isinstance(transport, WebSocketTransport)
    return peer, transport


def left_in(transport: WebSocketTransport) -> int:
    """Bytes of the last read that were not looked at yet."""
    decoder = transport._decoder
    return len(decoder._chunk) - decoder._at


ONE_READ = {
    "fragments of a byte": message_of(b" "),
    "empty fragments": message_of(b""),
    "pings": frame(PING),
    "pongs": frame(PONG),
    "whole messages": frame(TEXT, b'42["no such event"]'),
}


@pytest.mark.parametrize("crumbs", ONE_READ.values(), ids=ONE_READ)
async def test_of_one_read_a_turn_takes_a_little(door: Door, crumbs: bytes) -> None:
    _, transport = await transport_of(door)
    read = (crumbs * READ_BYTES)[:READ_BYTES]
    transport.feed(read)
    assert transport._work is not None
    most = max(FRAGMENTS_PER_EVENT + 2, PACKETS_PER_TURN) * len(frame(TEXT, b'42["no such event"]'))
    assert len(read) - left_in(transport) <= most
    drop_work(transport)


async def test_who_is_told_to_go_is_read_in_turns_too(door: Door) -> None:
    peer, transport = await transport_of(door)
    await peer.send("1")
    await until(lambda: transport._writer.is_ending)
    transport.feed(frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * (FRAGMENTS_MAX - 2))
    assert transport._work is not None
    assert transport._work.__name__ == "checkpoint"
    assert left_in(transport) > (FRAGMENTS_MAX - 2 * FRAGMENTS_PER_EVENT) * len(frame(PING))
    drop_work(transport)


async def test_fragments_beyond_the_burst_are_read_slowly(
    door: Door, mock_clock: MockClock
) -> None:
    peer, _ = await transport_of(door)
    other = await door.join()
    free = IDLE_BURST * FRAGMENTS_PER_EVENT // FRAGMENTS_MAX
    for _ in range(free - 1):
        await peer.stream.send_all(message_of(b""))
        assert await peer.message() == '42["echo",1]'
    await peer.stream.send_all(message_of(b"") * 3)
    session = door.app.sockets[0].session
    await until(lambda: session.awaiting)
    began_s = trio.current_time()
    await other.echo()
    mock_clock.autojump_threshold = 0
    for _ in range(3):
        assert await peer.message() == '42["echo",1]'
    assert trio.current_time() - began_s > FRAGMENTS_MAX / FRAGMENTS_PER_EVENT / IDLE_PER_S


async def test_who_sends_nothing_but_fragments_loses_its_session(mock_clock: MockClock) -> None:
    async with open_door(idle_waits_max=50) as door:
        peer, _ = await transport_of(door)
        mock_clock.autojump_threshold = 0
        await peer.stream.send_all(message_of(b"") * 20)
        assert await peer.end() == NO_CODE
        assert door.reasons == ["packet flood"]


async def test_what_a_probe_says_again_and_again_is_read_slowly(
    door: Door, mock_clock: MockClock
) -> None:
    poller = await join(door)
    peer = await poller.probe()
    await peer.stream.send_all(frame(TEXT, b"2probe") * (IDLE_BURST + 100))
    for _ in range(IDLE_BURST // 2):
        assert await peer.message() == "3probe"
    await until(lambda: poller.session.awaiting)
    mock_clock.jump(11)  # the upgrade's time is over
    await poller.echo()


class FairQueue:
    """How often somebody else had a turn."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.count = 0
        nursery.start_soon(self._run)

    async def _run(self) -> None:
        while True:
            await trio.lowlevel.checkpoint()
            self.count += 1


async def test_a_body_in_crumbs_lets_others_have_their_turn(
    door: Door, nursery: trio.Nursery
) -> None:
    poller = await join(door)
    peer = await dial(door)
    packet = b'42["echo","%b"]' % (b"x" * (CHUNKS_FREE - 20))
    await peer.send("POST", poller.query, headers=["Transfer-Encoding: chunked"])
    transport = poller.transport
    await until(lambda: transport._post is not None)
    await peer.stream.send_all(chunked(*(bytes([byte]) for byte in packet)))
    turns = FairQueue(nursery)
    assert (await peer.answer()).body == b"ok"
    assert turns.count >= len(packet) // CHUNKS_PER_TURN
    assert (await poller.get()).body == packet
    nursery.cancel_scope.cancel()


async def test_a_body_in_very_many_crumbs_is_refused_and_the_session_lives(door: Door) -> None:
    poller = await join(door)
    peer = await dial(door)
    await peer.send("POST", poller.query, headers=["Transfer-Encoding: chunked"])
    await peer.stream.send_all(b"1\r\nx\r\n" * (2 * CHUNKS_FREE))
    answer = await peer.answer()
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    await poller.echo()

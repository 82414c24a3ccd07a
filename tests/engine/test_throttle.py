"""A peer that sends what leads nowhere, or very much at once, is read slowly and delays nobody."""

from pathlib import Path

import orjson
import pytest
import trio
import trio.testing
from trio.testing import MockClock
from wsproto.events import Pong

from chatd.engine.throttle import (
    IDLE_BURST,
    IDLE_PER_S,
    IDLE_WAITS_MAX,
    PACKETS_PER_TURN,
    Throttle,
)
from chatd.engine.transport import Work
from chatd.engine.websocket import WebSocketTransport
from chatd.observe import LimitHit
from chatd.service.connect import REFUSALS_MAX
from tests.engine.listeners import Door, drop_work
from tests.net.peers import PING, TEXT, frame
from tests.service.chats import ROOM, open_chat, token


async def test_a_burst_is_free_and_what_follows_waits_for_its_turn(mock_clock: MockClock) -> None:
    throttle = Throttle()
    assert [throttle.spend() for _ in range(IDLE_BURST)] == [0.0] * IDLE_BURST
    mock_clock.autojump_threshold = 0
    began_s = trio.current_time()
    for _ in range(10):
        wait_s = throttle.spend()
        assert wait_s > 0.0
        await trio.sleep(wait_s)
    assert trio.current_time() - began_s == pytest.approx(10 / IDLE_PER_S)
    await trio.sleep(2 / IDLE_PER_S)
    assert throttle.spend() == 0.0


async def test_who_goes_on_and_on_is_exhausted_and_who_pauses_is_not(
    mock_clock: MockClock,
) -> None:
    throttle = Throttle()
    for _ in range(IDLE_BURST + IDLE_WAITS_MAX):
        throttle.spend()
    assert not throttle.is_exhausted
    throttle.spend()
    assert throttle.is_exhausted
    mock_clock.jump(3600)
    assert throttle.spend() == 0.0
    assert not throttle.is_exhausted


IDLE_PACKETS = {
    "pongs that nobody asked for": "3",
    "noops": "6",
    "events that nobody knows": '42["no such event",{}]',
    "acks that nobody waits for": "439[]",
    "events beyond the limit": '42["chat:typing:stop",{"connectionId":"sales"}]',
}


def dropped(work: Work | None) -> bool:
    """Whether there was something to await, which nobody will."""
    if work is not None:
        work.close()
    return work is not None


@pytest.mark.parametrize("packet", IDLE_PACKETS.values(), ids=IDLE_PACKETS)
async def test_so_many_idle_packets_are_free_and_no_more(
    tmp_path: Path, mock_clock: MockClock, packet: str
) -> None:
    limits: dict[str, object] = {"socket_events_per_minute": 1}
    async with open_chat(tmp_path, in_memory=True, limits=limits) as chat:
        peer = await chat.attach_and_enter(token("ada"))
        session = peer.session
        session.receive(IDLE_PACKETS["events beyond the limit"])  # the one that is allowed
        spent = 1  # its CONNECT
        for _ in range(IDLE_BURST - spent):
            assert session.receive(packet) is None
        assert dropped(session.receive(packet))
        other = await chat.attach_and_enter(token("bob"))
        await other.emit("chat:typing:stop", {"connectionId": ROOM})
        for _ in range(IDLE_WAITS_MAX):
            dropped(session.receive(packet))
        assert session.is_over
        assert session.reason == "packet flood"
        told = [hit for hit in chat.recorder.of(LimitHit) if hit.limit == "idle_packets"]
        assert told == [LimitHit("idle_packets", "ada", session.address)]
        assert not other.session.is_over


async def test_a_pong_that_is_due_is_free(tmp_path: Path, mock_clock: MockClock) -> None:
    async with open_chat(tmp_path, in_memory=True) as chat:
        peer = await chat.attach_and_enter(token("ada", ttl_s=1_000_000))
        for _ in range(IDLE_BURST + 10):
            mock_clock.jump(25.1)
            await trio.testing.wait_all_tasks_blocked()
            assert "2" in peer.take()
            session = peer.session
            throttle = session._throttle
            before = throttle._bucket._tokens if throttle else None
            assert session.receive("3") is None
            assert (session._throttle._bucket._tokens if session._throttle else None) == before


async def test_to_come_and_go_gives_nobody_a_fresh_allowance(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    limits: dict[str, object] = {"socket_events_per_minute": 3}
    async with open_chat(tmp_path, in_memory=True, limits=limits) as chat:
        peer = await chat.attach_and_enter(token("ada"))
        told = []
        for _ in range(2):
            for _ in range(3):
                peer.take()
                await peer.emit("presence:update", {"connectionId": ROOM, "status": "away"})
                told.append([name for name, _ in peer.take_events()])
            await peer.say("41")
            await peer.say("40" + orjson.dumps({"token": token("ada")}).decode())
        assert told == [[]] * 3 + [["chat:error"]] * 3


async def test_foreign_namespaces_are_refused_so_often_and_no_more(tmp_path: Path) -> None:
    async with open_chat(tmp_path, in_memory=True) as chat:
        peer = await chat.attach_and_enter(token("ada"))
        for _ in range(REFUSALS_MAX):
            assert not peer.session.is_over
            await peer.say("40/x,")
        assert peer.session.reason == "connects refused"
        assert chat.recorder.of(LimitHit) == [
            LimitHit("refused_connects", "ada", peer.session.address)
        ]


async def test_pings_beyond_the_burst_are_answered_slowly_and_nobody_else_waits(
    door: Door, mock_clock: MockClock
) -> None:
    other, peer = await door.join(), await door.join()
    await peer.stream.send_all(frame(PING) * (IDLE_BURST + 500))
    answered = 0
    while answered < IDLE_BURST:
        assert isinstance(await peer.event(), Pong)
        answered += 1
        if answered == IDLE_BURST // 2:
            await other.echo()
    await other.echo()
    waiting = next(one for one in door.sessions.by_sid.values() if one.awaiting)
    assert waiting.transport.name == "websocket"
    mock_clock.jump(1)
    for _ in range(int(IDLE_PER_S) // 2):
        assert isinstance(await peer.event(), Pong)
    mock_clock.rate = 100  # it is read to its end


async def test_one_read_is_handled_in_turns(door: Door) -> None:
    peer = await door.join()
    [session] = door.sessions.by_sid.values()
    transport = session.transport
    assert isinstance(transport, WebSocketTransport)
    transport.feed(frame(TEXT, b'42["echo"]') * (PACKETS_PER_TURN + 5))
    assert len(session.pending) == PACKETS_PER_TURN
    assert drop_work(transport) == "checkpoint"
    transport.feed(b"")
    assert len(session.pending) == PACKETS_PER_TURN + 5
    assert transport._work is None
    for _ in range(PACKETS_PER_TURN + 5):
        assert await peer.message() == '42["echo"]'

"""From polling to WebSocket, as raw bytes (docs/architecture, "What real peers send")."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatd.engine.outgoing import Outgoing
from chatd.engine.websocket import WebSocketTransport
from chatd.engineio.heartbeat import HeartbeatSettings
from chatd.net.disconnects import DisconnectReason
from tests.engine.listeners import BACKLOG_BYTES, Door, open_door, open_websocket
from tests.engine.polls import BAD_REQUEST, RS, Poller, dial, join, open_poller, until
from tests.engine.test_slow_consumer import in_room
from tests.net.peers import (
    NO_CODE,
    TEXT,
    Peer,
    frame,
    read_head,
    read_to_end,
    upgrade_request,
)

CLOSED = b"\x88\x00"
ONE_BINARY = b'451-["echo",{"_placeholder":true,"num":0}]'


async def probed(poller: Poller) -> Peer:
    """A WebSocket whose probe was answered."""
    peer = await poller.probe()
    await peer.send("2probe")
    assert await peer.message() == "3probe"
    return peer


async def upgraded(poller: Poller) -> Peer:
    peer = await probed(poller)
    await peer.send("5")
    return peer


async def second(poller: Poller) -> bytes:
    """What a WebSocket gets that comes while there is one, up to its end."""
    stream = await poller.door.dial()
    await stream.send_all(upgrade_request(f"EIO=4&transport=websocket&sid={poller.sid}"))
    head, rest = await read_head(stream)
    assert head.startswith(b"HTTP/1.1 101 ")
    rest += await read_to_end(stream)
    return rest


# The way that stock clients go


async def test_a_session_moves_to_a_websocket(door: Door) -> None:
    poller = await join(door)
    poll = await poller.poll()
    peer = await probed(poller)
    answer = await poll.answer()
    assert (answer.status, answer.body) == (200, b"6")
    await peer.send("5")
    await peer.echo()
    assert isinstance(poller.session.transport, WebSocketTransport)
    await peer.send("1")
    assert await peer.end() == NO_CODE
    assert door.app.ended == [("/", "transport close")]


async def test_what_was_asked_for_moves_along_however_large_it_is(door: Door) -> None:
    poller = await join(door)
    peer = await probed(poller)
    poller.session.send_catch_up(Outgoing(b"42" + b"x" * 10 * BACKLOG_BYTES))
    await peer.send("5")
    assert await peer.message() == "42" + "x" * 10 * BACKLOG_BYTES
    await peer.echo()


async def test_silence_is_no_fault_while_any_event_waits_by_whatever_transport_it_came(
    mock_clock: MockClock,
) -> None:
    async with open_door(heartbeat=HeartbeatSettings(0.3, 0.2)) as door:
        poller, gate = await join(door), door.app.gate
        await poller.say(b'42["wait"]')
        await door.app.waiting.wait()
        peer = await upgraded(poller)
        await peer.send('42["wait"]')
        await wait_all_tasks_blocked()
        door.app.gate = trio.Event()
        gate.set()
        await wait_all_tasks_blocked()
        for _ in range(10):
            mock_clock.jump(0.2)
            await wait_all_tasks_blocked()
        assert poller.is_alive
        door.app.gate.set()
        await peer.send('42["echo","still here"]')
        while (message := await peer.message()) == "2":
            pass
        assert message == '42["echo","still here"]'


async def test_a_close_by_websocket_comes_behind_what_was_posted_before_it(door: Door) -> None:
    other, poller = await in_room(door), await join(door)
    await poller.say(b'42["wait"]' + RS + b'42["say","r","last"]')
    peer = await upgraded(poller)
    await peer.send("1")
    await wait_all_tasks_blocked()
    door.app.gate.set()
    assert await other.message() == '42["said","last"]'
    assert await peer.end() == NO_CODE
    assert door.app.ended == [("/", "transport close")]


async def test_the_websocket_of_a_users_session_is_not_among_those_that_may_give_way(
    door: Door,
) -> None:
    first, other = await join(door), await door.join()
    peer = await upgraded(first)
    await peer.echo()
    before = door.admission.unknown_connections
    door.identify()
    assert door.admission.unknown_connections == before - 2
    late = await join(door)
    door.identify()
    before = door.admission.unknown_connections
    await (await upgraded(late)).echo()
    assert door.admission.unknown_connections <= before
    await other.echo()


async def test_every_poll_between_probe_and_upgrade_is_answered_with_a_noop(door: Door) -> None:
    poller = await join(door)
    peer = await probed(poller)
    for _ in range(5):
        answer = await poller.get()
        assert (answer.status, answer.body) == (200, b"6")
    await peer.send("5")
    await peer.echo()


async def test_a_client_that_waits_for_its_post_before_it_switches_is_not_kept_waiting(
    door: Door,
) -> None:
    poller = await join(door)
    peer = await probed(poller)
    await poller.say(b'42["until taken"]')  # waits until the client has taken what it is owed
    await peer.send("5")
    assert [await peer.message() for _ in range(2)] == ['42["owed"]', '42["taken"]']


async def test_what_comes_by_websocket_follows_on_what_came_by_post(door: Door) -> None:
    poller = await join(door)
    peer = await probed(poller)
    await poller.say(b'42["wait"]' + RS + b'42["echo",1]')
    await peer.send("5")
    await peer.send('42["echo",2]')
    await peer.send(ONE_BINARY.decode(), b"bytes")
    door.app.gate.set()
    assert [await peer.message() for _ in range(3)] == [
        '42["echo",1]',
        '42["echo",2]',
        ONE_BINARY.decode(),
    ]
    assert await peer.message() == b"bytes"


async def test_before_the_probe_polling_goes_on_as_ever(door: Door) -> None:
    poller = await join(door)
    peer = await poller.probe()
    await poller.echo()
    await peer.send("2probe")
    assert await peer.message() == "3probe"


async def test_a_probe_may_be_asked_again(door: Door) -> None:
    poller = await join(door)
    peer = await probed(poller)
    await peer.send("2probe", "2probe")
    assert [await peer.message(), await peer.message()] == ["3probe", "3probe"]
    await peer.send("5")
    await peer.echo()


async def test_probe_upgrade_and_events_may_come_in_one_segment_with_the_handshake(
    door: Door,
) -> None:
    poller = await join(door)
    stream = await door.dial()
    handshake = upgrade_request(f"EIO=4&transport=websocket&sid={poller.sid}")
    packets = b"".join(frame(TEXT, text) for text in (b"2probe", b"5", b'42["echo",1]'))
    await stream.send_all(handshake + packets)
    peer = Peer(stream, *await read_head(stream))
    assert await peer.message() == "3probe"
    assert await peer.message() == '42["echo",1]'


async def test_a_connection_that_polled_may_turn_into_the_websocket(door: Door) -> None:
    http = await dial(door)
    poller = await open_poller(door, http)
    assert (await http.ask("POST", poller.query, b"40")).body == b"ok"
    assert (await http.ask("GET", poller.query)).body.startswith(b"40{")
    query = f"EIO=4&transport=websocket&sid={poller.sid}"
    peer = await open_websocket(http.stream, query=query)
    await peer.send("2probe")
    assert await peer.message() == "3probe"
    await peer.send("5")
    await peer.echo()
    assert door.admission.connections == 1


async def test_a_websocket_of_its_own_may_follow_polls_on_a_connection(door: Door) -> None:
    http = await dial(door)
    poller = await open_poller(door, http)
    assert (await http.ask("POST", poller.query, b"1")).body == b"ok"
    peer = await open_websocket(http.stream)
    assert str(await peer.message()).startswith('0{"sid":"')
    await peer.connect()
    await peer.echo()


# Nothing is lost, nothing doubled


async def test_what_is_owed_comes_first_on_the_websocket_and_in_order(door: Door) -> None:
    poller = await join(door)
    peer = await probed(poller)
    packets = [f'42["echo",{number}]' for number in range(40)]
    for start in range(0, 40, 8):
        await poller.say(RS.join(packet.encode() for packet in packets[start : start + 8]))
        assert (await poller.get()).body == b"6"
    await peer.send("5", '42["echo","after"]')
    for packet in packets:
        assert await peer.message() == packet
    assert await peer.message() == '42["echo","after"]'
    await peer.echo()


async def test_while_the_server_keeps_talking_nothing_is_lost_or_doubled(door: Door) -> None:
    poller, speaker = await join(door), await door.join()
    await poller.say(b'420["join","r"]')
    assert (await poller.get()).body == b"430[]"
    await speaker.send('420["join","r"]')
    assert await speaker.message() == "430[]"
    count = 300
    heard: list[str] = []
    third, half = trio.Event(), trio.Event()

    async def speak() -> None:
        for number in range(count):
            await speaker.send(f'42["say","r",{number}]')
            assert await speaker.message() == f'42["said",{number}]'
            if number == count // 3:
                third.set()
            if number == count // 2:
                half.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(speak)
        while not third.is_set():
            heard += (await poller.get()).body.decode().split("\x1e")
        peer = await probed(poller)
        while not half.is_set():
            assert (await poller.get()).body == b"6"
        await peer.send("5")
        while len(heard) < count:
            heard.append(str(await peer.message()))
    assert heard == [f'42["said",{number}]' for number in range(count)]
    await peer.echo()


async def test_a_binary_event_may_have_its_attachment_on_the_websocket(door: Door) -> None:
    poller = await join(door)
    await poller.say(ONE_BINARY)
    peer = await upgraded(poller)
    await peer.send(b"\x01\x02\x03")
    assert await peer.message() == ONE_BINARY.decode()
    assert await peer.message() == b"\x01\x02\x03"


async def test_binary_that_is_owed_comes_as_frames_after_the_upgrade(door: Door) -> None:
    poller = await join(door)
    peer = await probed(poller)
    await poller.say(ONE_BINARY + RS + b"bAQID")
    await peer.send("5")
    assert await peer.message() == ONE_BINARY.decode()
    assert await peer.message() == b"\x01\x02\x03"


async def test_a_post_that_began_before_the_upgrade_is_handled_after_it(door: Door) -> None:
    poller = await join(door)
    http, transport = await dial(door), poller.transport
    await http.send("POST", poller.query, headers=["Content-Length: 12"])
    await until(lambda: transport._post is not None)
    peer = await upgraded(poller)
    await until(lambda: isinstance(poller.session.transport, WebSocketTransport))
    await http.stream.send_all(b'42["echo",1]')
    assert (await http.answer()).body == b"ok"
    assert await peer.message() == '42["echo",1]'


async def test_a_poll_that_still_waits_when_the_upgrade_comes_gets_a_noop(door: Door) -> None:
    poller = await join(door)
    peer = await poller.probe()
    await peer.send("2probe")
    assert await peer.message() == "3probe"
    poll = await dial(door)
    await poll.send("GET", poller.query)
    await peer.send("5")
    answer = await poll.answer()
    assert answer.body in (b"6", BAD_REQUEST), "a noop before the upgrade, code 3 behind it"
    await peer.echo()


# The heartbeat


async def test_a_ping_that_is_due_while_probing_comes_behind_the_upgrade(
    mock_clock: MockClock,
) -> None:
    async with open_door(heartbeat=HeartbeatSettings(0.3, 0.2)) as door:
        poller = await join(door)
        peer = await probed(poller)
        mock_clock.jump(0.3)
        await until(lambda: poller.session.pending)
        assert (await poller.get()).body == b"6"
        await peer.send("5")
        assert await peer.message() == "2"
        await peer.send("3")
        await peer.echo()


async def test_a_pong_by_post_counts_while_probing(mock_clock: MockClock) -> None:
    async with open_door(heartbeat=HeartbeatSettings(0.3, 0.2)) as door:
        poller = await join(door)
        poll = await poller.poll()
        mock_clock.jump(0.3)
        assert (await poll.answer()).body == b"2"
        peer = await probed(poller)
        await poller.say(b"3")
        mock_clock.jump(0.25)
        await peer.send("5")
        await peer.echo()


async def test_no_ping_comes_before_its_time_because_of_an_upgrade(mock_clock: MockClock) -> None:
    async with open_door(heartbeat=HeartbeatSettings(0.3, 0.2)) as door:
        poller = await join(door)
        mock_clock.jump(0.29)
        peer = await upgraded(poller)
        await peer.echo()
        mock_clock.jump(0.01)
        assert await peer.message() == "2"


# A probe that fails leaves the session alone


@pytest.mark.parametrize("sent", ["5", "4hello", "42[]", "2", "3probe", "1", "abc", "", b"\x01"])
async def test_whatever_else_comes_before_the_probe_closes_the_websocket_alone(
    door: Door, sent: str | bytes
) -> None:
    poller = await join(door)
    peer = await poller.probe()
    await peer.send(sent)
    assert await peer.end() == NO_CODE
    await poller.echo()
    await (await upgraded(poller)).echo()


@pytest.mark.parametrize("sent", ["4hello", '42["echo",1]', "2", "3", "1", "6", "x", b"\x01"])
async def test_whatever_else_comes_before_the_upgrade_closes_the_websocket_alone(
    door: Door, sent: str | bytes
) -> None:
    poller = await join(door)
    peer = await probed(poller)
    await poller.say(b'42["echo","owed"]')
    await peer.send(sent)
    assert await peer.end() == NO_CODE
    assert (await poller.get()).body == b'42["echo","owed"]'
    await poller.echo()
    await (await upgraded(poller)).echo()


@pytest.mark.parametrize("is_probed", [False, True])
async def test_a_websocket_that_is_reset_before_the_upgrade_leaves_the_session_alone(
    door: Door, is_probed: bool
) -> None:
    other, poller = await door.join(), await join(door)
    peer = await (probed(poller) if is_probed else poller.probe())
    transport = poller.transport
    await peer.reset()
    await until(lambda: transport._probe is None)
    await poller.echo()
    await (await upgraded(poller)).echo()
    await other.echo()


@pytest.mark.parametrize(
    "frames", [None, b"", frame(TEXT, b"2probe")], ids=["half", "whole", "probe"]
)
async def test_a_reset_in_the_middle_of_the_handshake_harms_nobody(
    door: Door, frames: bytes | None
) -> None:
    poller = await join(door)
    handshake = upgrade_request(f"EIO=4&transport=websocket&sid={poller.sid}")
    await until(lambda: door.admission.connections == 3)
    stream = await door.dial()
    await until(lambda: door.admission.connections == 4)
    await stream.send_all(handshake[:60] if frames is None else handshake + frames)
    await Peer(stream, b"", b"").reset()
    await until(lambda: door.admission.connections == 3)
    assert poller.transport._probe is None
    await poller.echo()
    await (await upgraded(poller)).echo()


async def test_frames_that_are_none_close_the_probe_alone(door: Door) -> None:
    poller = await join(door)
    peer = await poller.probe()
    await peer.stream.send_all(frame(TEXT, b"2probe", masked=False))
    assert await peer.end() == 1002
    await poller.echo()


async def test_what_was_held_back_goes_out_when_the_probe_is_lost(door: Door) -> None:
    poller = await join(door)
    peer, transport = await probed(poller), poller.transport
    await poller.say(b'42["echo",1]')
    assert (await poller.get()).body == b"6"
    await peer.reset()
    await until(lambda: transport._probe is None)
    assert (await poller.get()).body == b'42["echo",1]'


async def test_a_probe_that_was_let_go_does_not_take_the_next_one_with_it(door: Door) -> None:
    poller = await join(door)
    old = await poller.probe()
    await old.send("4hello")
    assert b"\x88" in await old.stream.receive_some()
    new = await probed(poller)
    connections = door.admission.connections
    await old.stream.aclose()
    await until(lambda: door.admission.connections < connections)
    await new.send("5")
    await new.echo()


async def test_a_second_websocket_is_closed_and_the_first_goes_on(door: Door) -> None:
    poller = await join(door)
    first = await poller.probe()
    assert await second(poller) == CLOSED
    await first.send("2probe")
    assert await first.message() == "3probe"
    assert await second(poller) == CLOSED
    await first.send("5")
    await first.echo()
    assert await second(poller) == CLOSED
    await first.echo()


async def test_a_second_websocket_that_does_not_hang_up_is_hung_up_on() -> None:
    async with open_door(linger_s=0.05) as door:
        poller = await join(door)
        first = await poller.probe()
        await until(lambda: door.admission.connections == 4)
        stream = await door.dial()
        await stream.send_all(upgrade_request(f"EIO=4&transport=websocket&sid={poller.sid}"))
        await read_head(stream)
        await until(lambda: door.admission.connections == 4)
        await first.send("2probe")
        assert await first.message() == "3probe"


# Time


@pytest.mark.parametrize("is_probed", [False, True])
async def test_a_probe_that_takes_too_long_is_closed_and_the_session_lives(
    mock_clock: MockClock, is_probed: bool
) -> None:
    async with open_door(upgrade_timeout_s=1.0) as door:
        poller = await join(door)
        peer = await (probed(poller) if is_probed else poller.probe())
        transport = poller.transport
        await until(lambda: transport._probe is not None)
        mock_clock.jump(1.0)
        assert await peer.end() == NO_CODE
        await poller.echo()
        await (await upgraded(poller)).echo()


async def test_the_time_limit_ends_with_the_upgrade(mock_clock: MockClock) -> None:
    async with open_door(upgrade_timeout_s=1.0) as door:
        poller = await join(door)
        peer = await upgraded(poller)
        await peer.echo()
        mock_clock.jump(2.0)
        await peer.echo()


# After the upgrade


async def test_after_the_upgrade_the_session_cannot_be_polled(door: Door) -> None:
    poller = await join(door)
    peer = await upgraded(poller)
    await peer.echo()
    for answer in (await poller.get(), await poller.post(b'42["echo",1]')):
        assert (answer.status, answer.body) == (400, BAD_REQUEST)
    await peer.echo()


async def test_a_post_that_breaks_off_after_the_upgrade_harms_nobody(door: Door) -> None:
    poller = await join(door)
    http, transport = await dial(door), poller.transport
    await http.send("POST", poller.query, headers=["Content-Length: 12"])
    await until(lambda: transport._post is not None)
    peer = await upgraded(poller)
    await until(lambda: isinstance(poller.session.transport, WebSocketTransport))
    before = door.admission.connections
    await http.stream.aclose()
    await until(lambda: door.admission.connections < before)
    assert poller.is_alive
    await peer.echo()


async def test_after_the_upgrade_the_websocket_is_the_session(door: Door) -> None:
    poller = await join(door)
    peer = await upgraded(poller)
    await peer.echo()
    await peer.reset()
    await until(lambda: not poller.is_alive)
    assert len(door.app.ended) == 1


# The end during the probe


@pytest.mark.parametrize("is_probed", [False, True])
async def test_a_close_by_the_client_during_the_probe_ends_both(
    door: Door, is_probed: bool
) -> None:
    poller = await join(door)
    peer = await (probed(poller) if is_probed else poller.probe())
    await poller.say(b"1")
    assert await peer.end() == NO_CODE
    answer = await poller.get()
    assert (answer.status, answer.body) == (200, b"6")
    await poller.gone()
    assert door.app.ended == [("/", "transport close")]


async def test_a_poll_that_breaks_during_the_probe_ends_both(door: Door) -> None:
    poller = await join(door)
    peer = await poller.probe()
    poll = await poller.poll()
    await poll.stream.aclose()
    assert await peer.end() == NO_CODE
    await poller.gone()


async def test_a_close_by_the_server_before_the_probe_goes_by_the_poll(door: Door) -> None:
    poller = await join(door)
    peer = await poller.probe()
    poll = await poller.poll()
    poller.session.end(DisconnectReason.FORCED_CLOSE)
    assert (await poll.answer()).body == b"1"
    assert await peer.end() == NO_CODE


async def test_a_close_by_the_server_during_the_probe_comes_behind_the_upgrade(
    door: Door,
) -> None:
    poller = await join(door)
    peer = await probed(poller)
    await poller.say(b'42["echo","owed"]')
    poller.session.end(DisconnectReason.FORCED_CLOSE)
    assert (await poller.get()).body == b"6"
    await peer.send("5")
    assert await peer.message() == '42["echo","owed"]'
    assert await peer.end() == NO_CODE
    assert door.app.ended == [("/", "forced close")]


async def test_a_close_by_the_server_during_the_probe_answers_every_poll_until_the_upgrade(
    door: Door,
) -> None:
    poller = await join(door)
    peer = await probed(poller)
    poller.session.end(DisconnectReason.FORCED_CLOSE)
    for _ in range(3):
        assert (await poller.get()).body == b"6"
    await peer.send("5")
    assert await peer.end() == NO_CODE
    await poller.gone()


async def test_a_close_by_the_server_goes_by_the_poll_when_the_probe_is_lost(door: Door) -> None:
    poller = await join(door)
    peer, transport = await probed(poller), poller.transport
    await poller.say(b'42["echo","owed"]')
    poller.session.end(DisconnectReason.FORCED_CLOSE)
    await peer.reset()
    await until(lambda: transport._probe is None)
    assert (await poller.get()).body == b'42["echo","owed"]'
    assert (await poller.get()).body == b"1"
    await poller.gone()


async def test_a_session_that_ends_at_the_bound_while_probing_is_told_by_the_websocket() -> None:
    async with open_door(backlog_bytes=5_000) as door:
        poller = await join(door)
        peer = await probed(poller)
        for _ in range(10):
            if not poller.is_alive:
                break
            await poller.post(b'42["echo","%b"]' % (b"x" * 1000))
        assert door.reasons == ["slow consumer"]
        await peer.send("5")
        assert await peer.end() == NO_CODE

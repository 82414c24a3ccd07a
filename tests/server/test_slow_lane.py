"""`/socket.io/` on a connection that Hypercorn holds: what the front door can do, it can do too."""

import re

import pytest
import trio
from trio.testing import MockClock

from chatd.engineio import HeartbeatSettings
from chatd.server.asgi_lane import AsgiWebSocket
from chatd.server.origin import OriginRules
from chatd.server.reasons import DisconnectReason
from tests.server.doors import Door, open_door, open_websocket, opening
from tests.server.peers import Ended, Peer, read_head, read_to_end, upgrade_request
from tests.server.polls import (
    BAD_REQUEST,
    RS,
    UNKNOWN_SID,
    HttpPeer,
    Poller,
    chunked,
    dial,
    join,
    open_poller,
    request,
    until,
)

QUICK = HeartbeatSettings(0.3, 0.2)
NORMAL = 1000  # the code of Hypercorn's close frames


async def slow(door: Door) -> HttpPeer:
    """A connection that Hypercorn holds, because its first request was for it."""
    peer = await dial(door)
    answer = await peer.ask("GET", "", path="/api/websocket/health")
    assert answer.status == 200
    return peer


async def slow_session(door: Door) -> tuple[Poller, HttpPeer]:
    """A session in the main namespace, all of it over one slow connection."""
    peer = await slow(door)
    poller = await open_poller(door, peer)
    assert (await peer.ask("POST", poller.query, b"40")).body == b"ok"
    assert (await peer.ask("GET", poller.query)).body.startswith(b'40{"sid":"')
    return poller, peer


async def slow_websocket(door: Door, sid: str | None = None) -> Peer:
    query = "EIO=4&transport=websocket" + (f"&sid={sid}" if sid else "")
    return await open_websocket((await slow(door)).stream, query=query)


async def slow_socket(door: Door) -> Peer:
    """A WebSocket in the main namespace."""
    peer = await slow_websocket(door)
    await opening(peer)
    await peer.connect()
    return peer


async def wait_for_poll(poller: Poller, peer: HttpPeer) -> None:
    await peer.send("GET", poller.query)
    transport = poller.transport
    await until(lambda: transport._poll is not None)


# Polling


async def test_a_session_polls_over_it(door: Door) -> None:
    poller, peer = await slow_session(door)
    for number in range(3):
        packet = b'42["echo",%d]' % number
        answer = await peer.ask("POST", poller.query, packet)
        assert (answer.status, answer.body) == (200, b"ok")
        assert answer.headers["content-type"] == "text/html"
        answer = await peer.ask("GET", poller.query)
        assert answer.body == packet
        assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
        assert answer.headers["cache-control"] == "no-store"


async def test_a_poll_waits_and_is_answered(door: Door) -> None:
    poller, peer = await slow_session(door)
    await wait_for_poll(poller, peer)
    await poller.say(b'42["echo",1]')
    assert (await peer.answer()).body == b'42["echo",1]'


async def test_binary_in_chunks_comes_and_goes(door: Door) -> None:
    poller, peer = await slow_session(door)
    payload = b'451-["echo",{"_placeholder":true,"num":0}]' + RS + b"bAQID"
    await peer.send("POST", poller.query, headers=["Transfer-Encoding: chunked"])
    await peer.stream.send_all(chunked(payload[:5], payload[5:]))
    assert (await peer.answer()).body == b"ok"
    assert (await peer.ask("GET", poller.query)).body == payload


async def test_errors_are_those_of_the_front_door(door: Door) -> None:
    peer = await slow(door)
    for method, query, code in (
        ("GET", "EIO=4", 0),
        ("GET", "EIO=4&transport=polling&sid=nobody", 1),
        ("POST", "EIO=4&transport=polling", 2),
        ("GET", "EIO=4&transport=websocket", 3),
        ("GET", "EIO=3&transport=polling", 5),
    ):
        answer = await peer.ask(method, query)
        assert answer.status == 400
        assert answer.headers["content-type"] == "application/json"
        assert answer.body.startswith(b'{"code":%d,' % code)


async def test_the_answer_to_head_has_no_body(door: Door) -> None:
    peer = await slow(door)
    await peer.send("HEAD")
    assert (await peer.answer(to_head=True)).status == 400
    await open_poller(door, peer)


async def test_a_body_of_exactly_max_payload_is_taken_and_one_byte_more_is_not() -> None:
    async with open_door(max_payload_bytes=200) as door:
        poller, peer = await slow_session(door)
        fits = b'42["echo","%b"]' % (b"x" * (200 - 13))
        assert (await peer.ask("POST", poller.query, fits)).body == b"ok"
        assert (await peer.ask("GET", poller.query)).body == fits
        answer = await peer.ask("POST", poller.query, b"x" * 201)
        assert (answer.status, answer.body) == (413, b"")
        other = await slow(door)
        await other.send("POST", poller.query, headers=["Transfer-Encoding: chunked"])
        await other.stream.send_all(chunked(b"x" * 150, b"x" * 51))
        answer = await other.answer()
        assert (answer.status, answer.body) == (413, b"")
        await poller.echo()


async def test_a_body_far_beyond_every_bound_is_refused_and_the_session_lives(door: Door) -> None:
    poller, peer = await slow_session(door)
    await peer.send("POST", poller.query, headers=["Content-Length: 100000000"])
    answer = await peer.answer()
    assert (answer.status, answer.body) == (413, b"")
    await poller.echo()


@pytest.mark.parametrize("broken", [b"", b"abc", b"2", b"3" + RS, b"4abc"])
async def test_a_broken_payload_ends_the_session(door: Door, broken: bytes) -> None:
    poller, peer = await slow_session(door)
    answer = await peer.ask("POST", poller.query, broken)
    assert (answer.status, answer.body) == (400, BAD_REQUEST)
    answer = await peer.ask("GET", poller.query)
    assert (answer.status, answer.body) == (400, UNKNOWN_SID)


async def test_a_second_poll_ends_both_and_the_session(door: Door) -> None:
    poller, peer = await slow_session(door)
    await wait_for_poll(poller, peer)
    other = await slow(door)
    answer = await other.ask("GET", poller.query)
    assert (answer.status, answer.body) == (400, b"")
    assert (await peer.answer()).body == b"1"
    await poller.gone()


async def test_a_second_post_ends_the_session(door: Door) -> None:
    poller, peer = await slow_session(door)
    await peer.stream.send_all(request("POST", poller.query, b'42["echo",1]')[:-3])
    transport = poller.transport
    await until(lambda: transport.current_post is not None)
    answer = await (await slow(door)).ask("POST", poller.query, b"3")
    assert (answer.status, answer.body) == (400, b"")
    await poller.gone()


async def test_a_close_by_the_client_ends_its_poll_with_a_noop(door: Door) -> None:
    poller, peer = await slow_session(door)
    await wait_for_poll(poller, peer)
    await poller.say(b"1")
    assert (await peer.answer()).body == b"6"
    await poller.gone()


async def test_a_close_by_the_server_ends_the_poll_that_waits(door: Door) -> None:
    poller, peer = await slow_session(door)
    await wait_for_poll(poller, peer)
    poller.session.end(DisconnectReason.FORCED_CLOSE)
    assert (await peer.answer()).body == b"1"
    await poller.gone()


async def test_a_peer_that_goes_away_while_its_poll_waits_ends_the_session(door: Door) -> None:
    poller, peer = await slow_session(door)
    await wait_for_poll(poller, peer)
    await peer.stream.aclose()
    await poller.gone()
    assert door.app.ended == [("/", "transport error")]


async def test_a_peer_that_says_no_more_while_its_poll_waits_ends_the_session(door: Door) -> None:
    poller, peer = await slow_session(door)
    await wait_for_poll(poller, peer)
    await peer.stream.send_eof()
    await poller.gone()


async def test_a_post_that_breaks_off_half_way_ends_the_session(door: Door) -> None:
    poller, peer = await slow_session(door)
    await peer.stream.send_all(request("POST", poller.query, b'42["echo",1]')[:-3])
    transport = poller.transport
    await until(lambda: transport.current_post is not None)
    await peer.stream.aclose()
    await poller.gone()


async def test_a_post_is_answered_before_what_its_event_waits_for(door: Door) -> None:
    other, (poller, peer) = await join(door), await slow_session(door)
    answer = await peer.ask("POST", poller.query, b'42["wait"]' + RS + b'42["echo","behind"]')
    assert (answer.body, answer.headers["connection"]) == (b"ok", "close")
    await door.app.waiting.wait()
    await other.echo()
    door.app.gate.set()
    assert (await poller.get()).body == b'42["echo","behind"]'


async def test_a_ping_comes_and_silence_ends_the_session(mock_clock: MockClock) -> None:
    async with open_door(heartbeat=QUICK) as door:
        poller, peer = await slow_session(door)
        await wait_for_poll(poller, peer)
        mock_clock.jump(0.3)
        assert (await peer.answer()).body == b"2"
        await wait_for_poll(poller, peer)
        mock_clock.jump(0.2)
        assert (await peer.answer()).body == b"1"
        assert door.reasons == ["ping timeout"]


async def test_overload_is_told_when_to_come_back() -> None:
    async with open_door(sessions_per_address=0) as door:
        answer = await (await slow(door)).ask()
        assert answer.status == 503
        assert re.fullmatch(r"[1-9]\d*", answer.headers["retry-after"])
        stream = (await slow(door)).stream
        await stream.send_all(upgrade_request())
        head, _ = await read_head(stream)
        assert head.startswith(b"HTTP/1.1 503 ")
        assert re.search(rb"(?i)\r\nretry-after: [1-9]\d*(\r\n|$)", head)
        await read_to_end(stream)


async def test_origins_are_judged_and_told() -> None:
    rules = OriginRules(("https://app.example",), is_loopback=False)
    async with open_door(origins=rules) as door:
        peer = await slow(door)
        answer = await peer.ask(headers=["Origin: https://evil.example"])
        assert (answer.status, answer.body) == (403, b'{"code":4,"message":"Forbidden"}')
        answer = await peer.ask(headers=["Origin: https://app.example"])
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert answer.headers["vary"] == "Origin"
        stream = (await slow(door)).stream
        await stream.send_all(upgrade_request(headers=["Origin: https://evil.example"]))
        head, _ = await read_head(stream)
        assert head.startswith(b"HTTP/1.1 403 ")
        await read_to_end(stream)


async def test_a_preflight_is_answered(door: Door) -> None:
    peer = await slow(door)
    headers = ["Origin: http://localhost:5173", "Access-Control-Request-Headers: x-extra"]
    answer = await peer.ask("OPTIONS", headers=headers)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-headers"] == "x-extra"
    await open_poller(door, peer)


# A WebSocket from birth


async def test_a_websocket_is_opened_over_it(door: Door) -> None:
    peer = await slow_websocket(door)
    packet = await opening(peer)
    assert packet["upgrades"] == []
    await peer.connect()
    await peer.echo()
    assert isinstance(door.app.sockets[0].session.transport, AsgiWebSocket)


async def test_binary_travels_as_such(door: Door) -> None:
    peer = await slow_socket(door)
    text = '451-["echo",{"_placeholder":true,"num":0}]'
    await peer.send(text, b"\x01\x02\x03")
    assert await peer.message() == text
    assert await peer.message() == b"\x01\x02\x03"


async def test_a_close_packet_ends_the_session(door: Door) -> None:
    peer = await slow_socket(door)
    await peer.send("1")
    assert await peer.end() == NORMAL
    assert door.app.ended == [("/", "transport close")]


@pytest.mark.parametrize("sent", ["abc", "2", "4abc", b"\x01"])
async def test_a_breach_ends_the_session_alone(door: Door, sent: str | bytes) -> None:
    other, peer = await slow_socket(door), await slow_socket(door)
    await peer.send(sent)
    assert await peer.end() == NORMAL
    await other.echo()
    assert door.reasons == ["parse error"]


async def test_a_close_by_the_server_comes_behind_what_is_owed(door: Door) -> None:
    peer = await slow_socket(door)
    socket = door.app.sockets[0]
    socket.emit("echo", "last")
    socket.session.end(DisconnectReason.FORCED_CLOSE)
    assert await peer.message() == '42["echo","last"]'
    assert await peer.end() == NORMAL


async def test_a_peer_that_goes_away_ends_the_session(door: Door) -> None:
    peer = await slow_socket(door)
    await peer.reset()
    await until(lambda: door.sessions.by_sid == {})
    assert door.reasons == ["transport close"]


async def test_the_server_pings_and_silence_closes(mock_clock: MockClock) -> None:
    async with open_door(heartbeat=QUICK) as door:
        peer = await slow_socket(door)
        for _ in range(2):
            mock_clock.jump(0.3)
            assert await peer.message() == "2"
            await peer.send("3")
            await peer.echo()
        mock_clock.jump(0.3)
        assert await peer.message() == "2"
        mock_clock.jump(0.2)
        assert await peer.end() == NORMAL
        assert door.reasons == ["ping timeout"]


async def test_an_event_that_waits_holds_back_those_behind_it(door: Door) -> None:
    other, peer = await slow_socket(door), await slow_socket(door)
    await peer.send('42["wait"]', '42["echo","behind"]')
    await door.app.waiting.wait()
    await other.echo()
    door.app.gate.set()
    assert await peer.message() == '42["echo","behind"]'


async def test_a_mistake_of_the_application_ends_that_session_alone(door: Door) -> None:
    door.faults_expected = True
    other = await slow_socket(door)
    for name in ("crash", "fail later"):
        peer = await slow_socket(door)
        await peer.send(f'42["{name}"]')
        assert await peer.end() == NORMAL
        await other.echo()


async def test_a_message_larger_than_max_payload_ends_the_session() -> None:
    async with open_door(max_payload_bytes=1000) as door:
        peer = await slow_socket(door)
        await peer.send('42["echo","' + "x" * 1000 + '"]')
        with pytest.raises(Ended) as ended:
            await peer.message()
        assert ended.value.code == 1009


async def test_who_never_reads_is_given_up_at_the_bound_while_others_go_on(door: Door) -> None:
    deaf, other = await slow_socket(door), await door.join()
    for peer in (deaf, other):
        await peer.send('420["join","r"]')
        assert await peer.message() == "430[]"
    lane = door.app.sockets[0].session.transport
    assert isinstance(lane, AsgiWebSocket)
    said = 0
    while "slow consumer" not in door.reasons:
        assert said < 2000, "the bound does not hold"
        assert lane._owed <= 200_000
        await other.send(f'42["say","r","{"x" * 20_000}"]')
        await other.message()
        said += 1
    await other.echo()
    await deaf.stream.aclose()


# The upgrade


async def test_a_session_that_polls_moves_to_a_websocket_over_it(door: Door) -> None:
    poller = await join(door)
    poll = await poller.poll()
    peer = await slow_websocket(door, poller.sid)
    await peer.send("2probe")
    assert await peer.message() == "3probe"
    assert (await poll.answer()).body == b"6"
    assert (await poller.get()).body == b"6"
    await poller.say(b'42["echo","owed"]')
    await peer.send("5")
    assert await peer.message() == '42["echo","owed"]'
    await peer.echo()
    assert (await poller.get()).body == BAD_REQUEST
    await peer.send("1")
    assert await peer.end() == NORMAL


async def test_one_connection_asks_for_health_then_polls_then_is_the_websocket(door: Door) -> None:
    poller, http = await slow_session(door)
    query = f"EIO=4&transport=websocket&sid={poller.sid}"
    peer = await open_websocket(http.stream, query=query)
    await peer.send("2probe")
    assert await peer.message() == "3probe"
    await peer.send("5")
    await peer.echo()
    assert door.admission.connections == 1


@pytest.mark.parametrize("sent", ["5", "4hello", "x"])
async def test_whatever_else_comes_first_closes_the_websocket_alone(door: Door, sent: str) -> None:
    poller = await join(door)
    peer = await slow_websocket(door, poller.sid)
    await peer.send(sent)
    assert await peer.end() == NORMAL
    await poller.echo()


async def test_a_websocket_that_is_gone_before_the_upgrade_leaves_the_session_alone(
    door: Door,
) -> None:
    poller = await join(door)
    peer, transport = await slow_websocket(door, poller.sid), poller.transport
    await peer.send("2probe")
    assert await peer.message() == "3probe"
    await peer.reset()
    await until(lambda: transport._probe is None)
    await poller.echo()


async def test_a_second_websocket_is_closed_and_the_first_goes_on(door: Door) -> None:
    poller = await join(door)
    first = await slow_websocket(door, poller.sid)
    second = await slow_websocket(door, poller.sid)
    assert await second.end() == NORMAL
    await first.send("2probe")
    assert await first.message() == "3probe"
    await first.send("5")
    await first.echo()
    third = await slow_websocket(door, poller.sid)
    assert await third.end() == NORMAL
    await first.echo()


async def test_a_probe_that_takes_too_long_is_closed_and_the_session_lives(
    mock_clock: MockClock,
) -> None:
    async with open_door(upgrade_timeout_s=1.0) as door:
        poller = await join(door)
        peer = await slow_websocket(door, poller.sid)
        mock_clock.jump(1.0)
        assert await peer.end() == NORMAL
        await poller.echo()


async def test_many_poll_at_once_over_it(door: Door) -> None:
    sessions = [await slow_session(door) for _ in range(10)]
    async with trio.open_nursery() as nursery:
        for poller, peer in sessions:
            nursery.start_soon(wait_for_poll, poller, peer)
    for number, (poller, peer) in enumerate(sessions):
        await poller.say(b'42["echo",%d]' % number)
        assert (await peer.answer()).body == b'42["echo",%d]' % number

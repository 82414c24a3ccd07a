"""HTTP long-polling as raw bytes, and its heartbeat (docs/architecture, "What real peers send")."""

import math
import re

import pytest
import trio
from trio.testing import MockClock

from chatd.engineio.heartbeat import HeartbeatSettings
from chatd.net.disconnects import DisconnectReason
from chatd.net.http import connection
from chatd.net.http.reader import RequestReader
from tests.engine.listeners import Door, open_door
from tests.engine.polls import (
    BAD_REQUEST,
    RS,
    UNKNOWN_SID,
    ask,
    chunked,
    dial,
    join,
    open_poller,
    request,
    until,
)

QUICK = HeartbeatSettings(0.3, 0.2)
PLACEHOLDER = b'{"_placeholder":true,"num":%d}'
BINARY = b'453-["echo",{"a":[%b],"b":{"c":%b}},"x",%b]' % (
    PLACEHOLDER % 0,
    PLACEHOLDER % 1,
    PLACEHOLDER % 2,
)
ATTACHMENTS = [b"bAQID", b"b", b"baGk="]


# The opening


async def test_the_open_packet_says_what_a_client_must_know(door: Door) -> None:
    answer = await ask(door)
    assert answer.status == 200
    assert answer.headers == {
        "content-type": "text/plain; charset=UTF-8",
        "content-length": str(len(answer.body)),
        "cache-control": "no-store",
        "vary": "Origin",
    }
    sid = next(iter(door.sessions.by_sid))
    assert (
        answer.body
        == (
            b'0{"sid":"%b","upgrades":["websocket"],'
            b'"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
        )
        % sid.encode()
    )


@pytest.mark.parametrize(
    "query",
    [
        "transport=polling&EIO=4&t=1700000000.5",
        "EIO=4&transport=polling&t=abc&t=def&unknown=1&unknown=2",
        "EIO=4&transport=polling&sid=",
        "EIO=4&transport=polling&b64=1",
        "EIO=4&transport=polling&j=3",
    ],
)
async def test_unknown_parameters_in_any_order_change_nothing(door: Door, query: str) -> None:
    await open_poller(door, query=query)


async def test_whatever_follows_the_slash_is_ours(door: Door) -> None:
    await open_poller(door, path="/socket.io/anything")


async def test_the_slash_may_be_missing(door: Door) -> None:
    poller = await open_poller(door, path="/socket.io")
    answer = await ask(door, "POST", poller.query, b"40", path="/socket.io")
    assert (answer.status, answer.body) == (200, b"ok")
    assert (await ask(door, "GET", poller.query, path="/socket.io")).body.startswith(b"40{")
    assert (await ask(door, path="/socket.iox")).status == 404
    assert (await ask(door, path="/socket.i")).status == 404


# HTTP/1.0


def by_1_0(text: bytes, connection: str = "keep-alive") -> bytes:
    """The same request by HTTP/1.0."""
    asks = b" HTTP/1.0\r\nConnection: %b\r\n" % connection.encode()
    return text.replace(b" HTTP/1.1\r\n", asks, 1)


async def test_who_asks_by_http_1_0_to_keep_the_connection_hears_that_it_is_kept(
    door: Door,
) -> None:
    peer = await dial(door)
    await peer.stream.send_all(by_1_0(request()))
    opened = await peer.answer()
    assert opened.headers["connection"] == "keep-alive"
    query = f"EIO=4&transport=polling&sid={next(iter(door.sessions.by_sid))}"
    await peer.stream.send_all(by_1_0(request("POST", query, b"40")) + by_1_0(request(query=query)))
    posted, polled = await peer.answer(), await peer.answer()
    assert (posted.body, polled.body[:3]) == (b"ok", b"40{")
    assert posted.headers["connection"] == polled.headers["connection"] == "keep-alive"
    await peer.stream.send_all(by_1_0(request("PUT", query)))
    assert (await peer.answer()).headers["connection"] == "keep-alive"  # errors too
    await peer.stream.send_all(by_1_0(request(query="EIO=4"), "close"))
    assert (await peer.answer()).headers["connection"] == "close"
    assert await peer.ended()


async def test_who_says_nothing_by_http_1_0_is_hung_up_on(door: Door) -> None:
    peer = await dial(door)
    await peer.stream.send_all(request().replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert (await peer.answer()).headers["connection"] == "close"
    assert await peer.ended()


async def test_by_http_1_1_nothing_is_said_of_a_connection_that_is_kept(door: Door) -> None:
    answer = await ask(door, headers=["Connection: keep-alive"])
    assert "connection" not in answer.headers


# Errors, in the order of the reference


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "query", ["", "EIO=4", *(f"EIO=4&transport={name}" for name in ("webtransport", "constructor"))]
)
async def test_an_unknown_transport_is_the_first_to_be_refused(
    door: Door, method: str, query: str
) -> None:
    answer = await ask(door, method, query + "&sid=nobody")
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.body == b'{"code":0,"message":"Transport unknown"}'


@pytest.mark.parametrize("sid", ["nobody", "__proto__", "constructor"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_an_unknown_sid_is_refused_before_method_and_version(
    door: Door, method: str, sid: str
) -> None:
    answer = await ask(door, method, f"EIO=3&transport=polling&sid={sid}")
    assert (answer.status, answer.body) == (400, UNKNOWN_SID)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_an_opening_by_another_method_is_refused_before_the_version(
    door: Door, method: str
) -> None:
    answer = await ask(door, method, "EIO=3&transport=polling")
    assert (answer.status, answer.body) == (
        400,
        b'{"code":2,"message":"Bad handshake method"}',
    )


async def test_the_answer_to_head_has_no_body(door: Door) -> None:
    peer = await dial(door)
    await peer.send("HEAD")
    answer = await peer.answer(to_head=True)
    assert answer.status == 400
    await open_poller(door, peer)


@pytest.mark.parametrize("version", ["", "&EIO=3", "&EIO=5", "&EIO=abc"])
async def test_another_version_is_refused(door: Door, version: str) -> None:
    answer = await ask(door, query="transport=polling" + version)
    assert (answer.status, answer.body) == (
        400,
        b'{"code":5,"message":"Unsupported protocol version"}',
    )


async def test_the_version_of_a_request_with_a_sid_does_not_matter(door: Door) -> None:
    poller = await open_poller(door)
    answer = await ask(door, "POST", f"EIO=3&transport=polling&sid={poller.sid}", b"40")
    assert (answer.status, answer.body) == (200, b"ok")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_session_on_a_websocket_cannot_be_polled(door: Door, method: str) -> None:
    peer = await door.join()
    sid = next(iter(door.sessions.by_sid))
    answer = await ask(door, method, f"EIO=4&transport=polling&sid={sid}", b"40")
    assert (answer.status, answer.body) == (400, BAD_REQUEST)
    await peer.echo()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_another_method_is_refused_and_the_session_lives(door: Door, method: str) -> None:
    poller = await join(door)
    answer = await ask(door, method, poller.query)
    assert (answer.status, answer.body) == (400, BAD_REQUEST)
    await poller.echo()


async def test_head_with_a_sid_takes_nothing_from_the_session(door: Door) -> None:
    poller = await join(door)
    await poller.say(b'42["echo",1]')
    peer = await dial(door)
    await peer.send("HEAD", poller.query)
    assert (await peer.answer(to_head=True)).status == 400
    assert (await poller.get()).body == b'42["echo",1]'


# Payloads


async def test_a_post_is_answered_with_ok(door: Door) -> None:
    poller = await open_poller(door)
    answer = await poller.post(b"40")
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.headers == {
        "content-type": "text/html",
        "content-length": "2",
        "cache-control": "no-store",
        "vary": "Origin",
    }


async def test_several_packets_travel_in_one_payload_both_ways(door: Door) -> None:
    poller = await join(door)
    packets = [b'42["echo","%b"]' % text for text in (b"a", "ü€😀".encode(), b"")]
    await poller.say(RS.join(packets))
    answer = await poller.get()
    assert answer.body == RS.join(packets)
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"


async def test_a_poll_that_waits_is_answered_by_the_event(door: Door) -> None:
    poller = await join(door)
    poll = await poller.poll()
    await poller.say(b'42["echo",1]')
    assert (await poll.answer()).body == b'42["echo",1]'


async def test_binary_travels_as_base64(door: Door) -> None:
    poller = await join(door)
    payload = RS.join([BINARY, *ATTACHMENTS])
    await poller.say(payload)
    assert (await poller.get()).body == payload


async def test_a_binary_event_may_come_in_several_posts(door: Door) -> None:
    poller = await join(door)
    for piece in (BINARY, ATTACHMENTS[0], RS.join(ATTACHMENTS[1:])):
        await poller.say(piece)
    assert (await poller.get()).body == RS.join([BINARY, *ATTACHMENTS])


async def test_a_response_holds_at_most_sixteen_packets(door: Door) -> None:
    poller = await join(door)
    packets = [b'42["echo",%d]' % number for number in range(35)]
    await poller.say(RS.join(packets))
    for some in (packets[:16], packets[16:32], packets[32:]):
        assert (await poller.get()).body == RS.join(some)


async def test_attachments_count_as_packets_and_are_not_parted_from_their_event(
    door: Door,
) -> None:
    poller = await join(door)
    event = RS.join([BINARY, *ATTACHMENTS])
    await poller.say(RS.join([b'42["echo",1]', *[event] * 4]))
    assert (await poller.get()).body == RS.join([b'42["echo",1]', *[event] * 3])
    assert (await poller.get()).body == event


async def test_a_response_holds_at_most_max_payload_bytes() -> None:
    async with open_door(max_payload_bytes=200) as door:
        poller = await join(door)
        packets = [b'42["echo","%b"]' % (b"x" * 80) for _ in range(5)]
        for packet in packets:
            await poller.say(packet)
        sizes = []
        for some in (packets[:2], packets[2:4], packets[4:]):
            answer = await poller.get()
            assert answer.body == RS.join(some)
            sizes.append(len(answer.body))
        assert max(sizes) <= 200


async def test_a_packet_larger_than_max_payload_goes_alone() -> None:
    async with open_door(max_payload_bytes=200) as door:
        poller = await join(door)
        await poller.say(b'42["catch up",1000]' + RS + b'42["echo",1]')
        assert (await poller.get()).body == b'42["page","%b"]' % (b"x" * 1000)
        assert (await poller.get()).body == b'42["echo",1]'


async def test_what_was_asked_for_comes_whole_however_large_it_is(door: Door) -> None:
    poller = await join(door)
    await poller.say(b'42["catch up",4000000]' + RS + b'42["echo",1]')
    assert (await poller.get()).body == b'42["page","%b"]' % (b"x" * 4_000_000)
    assert (await poller.get()).body == b'42["echo",1]'
    await poller.echo()


async def test_no_answer_is_compressed(door: Door) -> None:
    poller = await join(door)
    await poller.say(b'42["echo","%b"]' % (b"x" * 5000))
    answer = await ask(door, "GET", poller.query, headers=["Accept-Encoding: gzip, deflate, br"])
    assert "content-encoding" not in answer.headers
    assert len(answer.body) > 5000


# The size of a body


def sized(total: int) -> bytes:
    """A payload of two packets of exactly `total` bytes."""
    return b'42["echo",1]' + RS + b'42["echo","%b"]' % (b"x" * (total - 26))


async def test_a_body_of_exactly_max_payload_is_taken() -> None:
    async with open_door(max_payload_bytes=200) as door:
        poller = await join(door)
        body = sized(200)
        assert len(body) == 200
        await poller.say(body)
        assert (await poller.get()).body == body


async def test_a_chunked_body_of_exactly_max_payload_is_taken() -> None:
    async with open_door(max_payload_bytes=200) as door:
        poller = await join(door)
        peer, body = await dial(door), sized(200)
        await peer.send("POST", poller.query, headers=["Transfer-Encoding: chunked"])
        await peer.stream.send_all(chunked(body[:7], body[7:150], body[150:]))
        assert (await peer.answer()).body == b"ok"
        assert (await poller.get()).body == body


async def test_a_body_of_one_byte_more_is_refused_and_the_session_lives() -> None:
    async with open_door(max_payload_bytes=200) as door:
        poller = await join(door)
        answer = await poller.post(sized(201))
        assert (answer.status, answer.body) == (413, b"")
        await poller.echo()


async def test_a_chunked_body_of_one_byte_more_is_refused_and_the_session_lives() -> None:
    async with open_door(max_payload_bytes=200) as door:
        poller = await join(door)
        peer, body = await dial(door), sized(201)
        await peer.send("POST", poller.query, headers=["Transfer-Encoding: chunked"])
        await peer.stream.send_all(chunked(body[:200], body[200:]))
        answer = await peer.answer()
        assert (answer.status, answer.body) == (413, b"")
        await poller.echo()


async def test_a_declared_length_is_refused_before_the_body_comes(door: Door) -> None:
    poller = await join(door)
    peer = await dial(door)
    await peer.send("POST", poller.query, headers=["Content-Length: 100000000"])
    answer = await peer.answer()
    assert (answer.status, answer.body) == (413, b"")
    assert await peer.ended()
    await poller.echo()


async def test_a_body_that_is_too_large_is_not_read_as_the_next_request() -> None:
    async with open_door(max_payload_bytes=200) as door:
        poller = await join(door)
        peer = await dial(door)
        inside = request("POST", poller.query, b'42["echo","smuggled"]') + b"x" * 200
        await peer.send("POST", poller.query, inside)
        assert (await peer.answer()).status == 413
        assert await peer.ended()
        await poller.echo()


async def test_of_the_body_of_a_refused_request_nothing_is_kept(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[RequestReader] = []

    class NotedReader(RequestReader):
        def __init__(self, max_head_bytes: int) -> None:
            super().__init__(max_head_bytes)
            readers.append(self)

    monkeypatch.setattr(connection, "RequestReader", NotedReader)
    peer = await dial(door)
    unknown = "EIO=4&transport=polling&sid=nobody"
    await peer.send("POST", unknown, headers=["Content-Length: 900000"])
    assert (await peer.answer()).body == UNKNOWN_SID
    await peer.stream.send_all(bytes(899_999))
    [reader] = readers
    await until(lambda: reader._left == 1)
    assert reader.waiting_bytes == 0
    await peer.stream.send_all(b"x")
    await peer.send()
    assert (await peer.answer()).status == 200


async def test_the_body_of_a_refused_request_is_dropped_as_it_comes() -> None:
    async with open_door(max_payload_bytes=200) as door:
        peer = await dial(door)
        headers = ["Content-Length: 150"]
        await peer.send("POST", "EIO=4&transport=polling&sid=nobody", headers=headers)
        answer = await peer.answer()
        assert answer.body == UNKNOWN_SID
        assert "connection" not in answer.headers
        await peer.stream.send_all(b"x" * 150)
        await peer.send()
        assert (await peer.answer()).status == 200


@pytest.mark.parametrize(
    "headers",
    [["Transfer-Encoding: chunked"], ["Content-Length: 150", "Expect: 100-continue"]],
)
async def test_a_refused_request_is_the_last_where_nobody_knows_how_long_it_is(
    door: Door, headers: list[str]
) -> None:
    peer = await dial(door)
    await peer.send("POST", "EIO=4&transport=polling&sid=nobody", headers=headers)
    answer = await peer.answer()
    assert (answer.body, answer.headers["connection"]) == (UNKNOWN_SID, "close")
    assert await peer.ended()


async def test_the_answer_to_a_refused_request_arrives_though_its_body_is_too_large() -> None:
    async with open_door(max_payload_bytes=200) as door:
        peer = await dial(door)
        body = b"x" * 1_000_000
        await peer.send("POST", "EIO=4&transport=polling&sid=nobody", body)
        assert (await peer.answer()).body == UNKNOWN_SID
        assert await peer.ended()


async def test_chunks_with_an_endless_trailer_are_refused_and_the_session_lives() -> None:
    async with open_door(max_head_bytes=1000) as door:
        poller, peer = await join(door), await dial(door)
        await peer.send("POST", poller.query, headers=["Transfer-Encoding: chunked"])
        await peer.stream.send_all(b"1\r\n3\r\n0\r\nX-Endless: " + b"x" * 2000)
        answer = await peer.answer()
        assert (answer.status, answer.body) == (431, b"")
        assert await peer.ended()
        await poller.echo()


# What breaks a session, and what does not


@pytest.mark.parametrize(
    "broken",
    [b"", b"3" + RS, b"3" + RS + b"9", b"abc", b"9", b"4\xff", b"2", b"2probe", b"4abc", b"47"],
)
async def test_a_broken_payload_is_a_bad_request_and_ends_the_session(
    door: Door, broken: bytes
) -> None:
    poller = await join(door)
    answer = await poller.post(broken)
    assert (answer.status, answer.body) == (400, BAD_REQUEST)
    await poller.gone()
    assert door.app.ended == [("/", "parse error")]


@pytest.mark.parametrize("base64", [b"AQI", b"AQI=x", b"A", b"!!!!", b"AQ ID", b"AQID\n"])
async def test_base64_is_read_strictly(door: Door, base64: bytes) -> None:
    poller = await join(door)
    answer = await poller.post(b'451-["echo",%b]' % (PLACEHOLDER % 0) + RS + b"b" + base64)
    assert (answer.status, answer.body) == (400, BAD_REQUEST)
    await poller.gone()


async def test_a_poll_that_waits_is_closed_by_a_broken_payload(door: Door) -> None:
    poller = await join(door)
    poll = await poller.poll()
    assert (await poller.post(b"abc")).status == 400
    answer = await poll.answer()
    assert (answer.status, answer.body) == (200, b"1")
    await poller.gone()


async def test_the_packets_before_a_broken_one_are_handled_and_those_behind_are_not(
    door: Door,
) -> None:
    listener, poller = await door.join(), await join(door)
    await listener.send('420["join","r"]')
    assert await listener.message() == "430[]"
    said = RS.join([b'42["say","r",1]', b"abc", b'42["say","r",2]'])
    assert (await poller.post(said)).status == 400
    assert await listener.message() == '42["said",1]'
    await listener.echo()


async def test_bytes_as_an_octet_stream_end_the_session(door: Door) -> None:
    poller = await join(door)
    headers = ["Content-Type: application/octet-stream"]
    answer = await poller.post(b'42["echo",1]', headers=headers)
    assert (answer.status, answer.body) == (400, BAD_REQUEST)
    await poller.gone()


@pytest.mark.parametrize("packet", [b"0", b"0{}", b"5", b"6", b"3", b"3foo"])
async def test_packets_without_a_meaning_here_are_ignored(door: Door, packet: bytes) -> None:
    poller = await join(door)
    await poller.say(packet)
    await poller.echo()


# The client's close


async def test_a_close_by_the_client_ends_its_poll_with_a_noop(door: Door) -> None:
    poller = await join(door)
    poll = await poller.poll()
    await poller.say(RS.join([b"1", b'42["echo","ignored"]', b"abc"]))
    answer = await poll.answer()
    assert (answer.status, answer.body) == (200, b"6")
    assert door.app.ended == [("/", "transport close")]
    await poller.gone()


async def test_a_poll_that_crosses_the_clients_close_is_answered_with_a_noop_once(
    door: Door,
) -> None:
    poller = await join(door)
    await poller.say(b"1")
    assert not poller.is_alive
    answer = await poller.get()
    assert (answer.status, answer.body) == (200, b"6")
    await poller.gone()


async def test_a_poll_long_after_the_clients_close_finds_nobody(mock_clock: MockClock) -> None:
    async with open_door() as door:
        poller = await join(door)
        await poller.say(b"1")
        mock_clock.jump(3)
        await poller.gone()


# The server's close


async def test_a_close_by_the_server_ends_the_poll_that_waits(door: Door) -> None:
    poller = await join(door)
    poll = await poller.poll()
    poller.session.end(DisconnectReason.FORCED_CLOSE)
    answer = await poll.answer()
    assert (answer.status, answer.body) == (200, b"1")
    await poller.gone()


async def test_a_close_by_the_server_waits_for_the_next_poll_behind_what_is_owed(
    door: Door,
) -> None:
    poller = await join(door)
    await poller.say(b'42["echo",1]')
    poller.session.end(DisconnectReason.FORCED_CLOSE)
    said = b""
    while not said.endswith(b"1") or said.endswith(b"]"):
        answer = await poller.get()
        assert answer.status == 200
        said += (RS if said else b"") + answer.body
    assert said == b'42["echo",1]' + RS + b"1"
    await poller.gone()


async def test_the_last_words_of_the_server_are_kept_for_a_while(mock_clock: MockClock) -> None:
    async with open_door(last_words_s=3.0) as door:
        early, late = await join(door), await join(door)
        for poller in (early, late):
            poller.session.end(DisconnectReason.FORCED_CLOSE)
        mock_clock.jump(2.9)
        assert (await early.get()).body == b"1"
        mock_clock.jump(0.2)
        await late.gone()


# Heartbeat


async def test_the_ping_goes_out_on_the_poll_and_a_pong_keeps_the_session(
    mock_clock: MockClock,
) -> None:
    async with open_door(heartbeat=QUICK) as door:
        poller = await join(door)
        for _ in range(3):
            poll = await poller.poll()
            mock_clock.jump(0.3)
            assert (await poll.answer()).body == b"2"
            await poller.say(b"3")
        await poller.echo()


async def test_a_poll_that_waits_is_closed_when_no_pong_comes(mock_clock: MockClock) -> None:
    async with open_door(heartbeat=QUICK) as door:
        poller = await join(door)
        poll = await poller.poll()
        mock_clock.jump(0.3)
        assert (await poll.answer()).body == b"2"
        poll = await poller.poll()
        mock_clock.jump(0.2)
        answer = await poll.answer()
        assert (answer.status, answer.body) == (200, b"1")
        assert door.app.ended == [("/", "ping timeout")]
        await poller.gone()


async def test_who_never_polls_is_ended_by_the_heartbeat(mock_clock: MockClock) -> None:
    async with open_door(heartbeat=QUICK) as door:
        poller = await open_poller(door)
        mock_clock.jump(0.3)
        await until(lambda: poller.session.pending)
        mock_clock.jump(0.2)
        await poller.gone()
        assert door.reasons == ["ping timeout"]


async def test_a_poll_after_the_time_out_finds_nobody_however_late_the_timers_are(
    mock_clock: MockClock,
) -> None:
    async with open_door(heartbeat=QUICK) as door:
        poller = await open_poller(door)
        mock_clock.jump(0.3)
        await until(lambda: poller.session.pending)
        door.sessions.deadlines.schedule(poller.session, math.inf)
        mock_clock.jump(0.2)
        answer = await poller.get()
        assert (answer.status, answer.body) == (400, UNKNOWN_SID)
        assert door.reasons == ["ping timeout"]


async def test_any_pong_begins_the_interval_again(mock_clock: MockClock) -> None:
    async with open_door(heartbeat=QUICK) as door:
        poller = await join(door)
        mock_clock.jump(0.25)
        await poller.say(b"3")
        poll = await poller.poll()
        mock_clock.jump(0.25)
        await poller.say(b'42["echo",1]')
        assert (await poll.answer()).body == b'42["echo",1]'


async def test_who_joins_nothing_is_told_by_the_poll(mock_clock: MockClock) -> None:
    async with open_door(connect_timeout_s=1.0) as door:
        poller = await open_poller(door)
        poll = await poller.poll()
        mock_clock.jump(1.0)
        assert (await poll.answer()).body == b"1"
        assert door.reasons == ["connect timeout"]


# HTTP


async def test_one_connection_carries_a_whole_session(door: Door) -> None:
    peer = await dial(door)
    poller = await open_poller(door, peer)
    assert (await peer.ask("POST", poller.query, b"40")).body == b"ok"
    assert (await peer.ask("GET", poller.query)).body.startswith(b"40{")
    for number in range(5):
        packet = b'42["echo",%d]' % number
        assert (await peer.ask("POST", poller.query, packet)).body == b"ok"
        assert (await peer.ask("GET", poller.query)).body == packet
    assert door.admission.connections == 1


async def test_a_connection_that_is_to_close_is_closed(door: Door) -> None:
    peer = await dial(door)
    answer = await peer.ask(headers=["Connection: close"])
    assert answer.headers["connection"] == "close"
    assert await peer.ended()


async def test_a_post_and_a_get_may_be_pipelined(door: Door) -> None:
    poller = await join(door)
    peer = await dial(door)
    both = request("POST", poller.query, b'42["echo",1]') + request("GET", poller.query)
    await peer.stream.send_all(both * 3)
    for _ in range(3):
        assert (await peer.answer()).body == b"ok"
        assert (await peer.answer()).body == b'42["echo",1]'


async def test_a_request_behind_a_poll_that_waits_is_served_after_it(door: Door) -> None:
    poller = await join(door)
    poll = await poller.poll()
    await poll.send("POST", poller.query, b'42["echo",2]')
    await poller.say(b'42["echo",1]')
    assert (await poll.answer()).body == b'42["echo",1]'
    assert (await poll.answer()).body == b"ok"
    assert (await poller.get()).body == b'42["echo",2]'


@pytest.mark.parametrize("pieces", [[b'42["echo",1]'], [b"4", b"2", b'["echo",', b"1]"]])
async def test_a_body_may_come_in_chunks(door: Door, pieces: list[bytes]) -> None:
    poller = await join(door)
    peer = await dial(door)
    await peer.send("POST", poller.query, headers=["Transfer-Encoding: chunked"])
    await peer.stream.send_all(chunked(*pieces))
    assert (await peer.answer()).body == b"ok"
    assert (await peer.ask("GET", poller.query)).body == b'42["echo",1]'


async def test_head_and_body_may_come_in_two_segments(door: Door) -> None:
    poller = await join(door)
    peer = await dial(door)
    sent = request("POST", poller.query, b'42["echo",1]')
    end = sent.index(b"\r\n\r\n") + 4
    await peer.stream.send_all(sent[:end])
    await until(lambda: poller.transport._post is not None)
    await peer.stream.send_all(sent[end:])
    assert (await peer.answer()).body == b"ok"


async def test_who_expects_to_be_told_to_go_on_is_told(door: Door) -> None:
    poller = await join(door)
    peer = await dial(door)
    headers = ["Expect: 100-continue", "Content-Length: 12"]
    await peer.send("POST", poller.query, headers=headers)
    assert (await peer.answer()).status == 100
    await peer.stream.send_all(b'42["echo",1]')
    assert (await peer.answer()).body == b"ok"
    assert (await peer.ask("GET", poller.query)).body == b'42["echo",1]'


async def test_who_expects_to_be_told_to_send_too_much_is_refused_at_once(door: Door) -> None:
    poller = await join(door)
    peer = await dial(door)
    headers = ["Expect: 100-continue", "Content-Length: 1000001"]
    answer = await peer.ask("POST", poller.query, headers=headers)
    assert (answer.status, answer.body) == (413, b"")


async def test_a_get_may_have_a_body_that_nobody_wants(door: Door) -> None:
    poller = await join(door)
    peer = await dial(door)
    await poller.say(b'42["echo",1]')
    assert (await peer.ask("GET", poller.query, b"whatever")).body == b'42["echo",1]'
    assert (await peer.ask("POST", poller.query, b"3")).body == b"ok"


async def test_after_polling_a_connection_may_ask_for_anything_else_as_its_last(
    door: Door,
) -> None:
    peer = await dial(door)
    poller = await open_poller(door, peer)
    assert (await peer.ask("POST", poller.query, b"40")).body == b"ok"
    health = await peer.ask("GET", "", path="/api/websocket/health")
    assert (health.status, health.headers["connection"]) == (200, "close")
    assert await peer.ended()
    assert (await poller.get()).body.startswith(b"40{")


@pytest.mark.parametrize(
    "framing",
    [
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\n4xxx\r\n0\r\n\r\n",
    ],
)
async def test_a_body_in_broken_chunks_ends_connection_and_session(
    door: Door, framing: bytes
) -> None:
    poller = await join(door)
    peer = await dial(door)
    head = request("POST", poller.query).removesuffix(b"\r\n")
    follow_up = request("GET", "EIO=4&transport=polling")
    await peer.stream.send_all(head + framing + follow_up)
    answer = await peer.answer()
    assert (answer.status, answer.body) == (400, BAD_REQUEST)
    assert await peer.ended()
    await poller.gone()
    assert door.sessions.by_sid == {}


async def test_a_body_that_breaks_off_ends_the_session_and_is_answered(door: Door) -> None:
    poller, peer = await join(door), await dial(door)
    await peer.stream.send_all(request("POST", poller.query, b'42["echo",1]')[:-3])
    await peer.stream.send_eof()
    answer = await peer.answer()
    assert (answer.status, answer.body) == (400, BAD_REQUEST)
    assert await peer.ended()
    await poller.gone()


async def test_a_body_that_stalls_ends_the_session(mock_clock: MockClock) -> None:
    async with open_door(head_timeout_s=1.0) as door:
        poller = await join(door)
        peer, transport = await dial(door), poller.transport
        await peer.send("POST", poller.query, headers=["Content-Length: 10"])
        await until(lambda: transport._post is not None)
        mock_clock.jump(1.0)
        assert (await peer.answer()).status == 408
        assert await peer.ended()
        await poller.gone()


# Overload


async def test_too_many_sessions_of_an_address_are_told_when_to_come_back() -> None:
    async with open_door(sessions_per_address=1) as door:
        poller = await open_poller(door)
        door.identify()
        answer = await ask(door)
        assert answer.status == 503
        assert re.fullmatch(r"[1-9]\d*", answer.headers["retry-after"])
        await poller.say(b"1")
        await open_poller(door)


async def test_while_draining_a_handshake_is_refused_and_a_session_goes_on(door: Door) -> None:
    poller = await join(door)
    door.admission.is_draining = True
    answer = await ask(door)
    assert answer.status == 503
    assert "retry-after" in answer.headers
    await poller.echo()


# One client costs the others nothing


async def test_a_post_whose_event_waits_delays_only_itself(door: Door) -> None:
    other, poller = await join(door), await join(door)
    peer = await dial(door)
    await peer.send("POST", poller.query, b'42["wait"]' + RS + b'42["echo","behind"]')
    await door.app.waiting.wait()
    await other.echo()
    poll = await poller.poll()
    door.app.gate.set()
    assert (await peer.answer()).body == b"ok"
    assert (await poll.answer()).body == b'42["echo","behind"]'


async def test_while_an_event_waits_silence_is_no_fault_of_the_client(
    mock_clock: MockClock,
) -> None:
    async with open_door(heartbeat=QUICK) as door:
        poller = await join(door)
        peer = await dial(door)
        await peer.send("POST", poller.query, b'42["wait"]')
        await door.app.waiting.wait()
        for _ in range(5):
            mock_clock.jump(0.3)
            await trio.testing.wait_all_tasks_blocked()
        door.app.gate.set()
        assert (await peer.answer()).body == b"ok"
        assert poller.is_alive


async def test_who_does_not_poll_is_ended_at_the_bound_of_what_it_is_owed() -> None:
    async with open_door(backlog_bytes=5_000) as door:
        deaf, other = await join(door), await door.join()
        await deaf.say(b'420["join","r"]')
        assert (await deaf.get()).body == b"430[]"
        await other.send('420["join","r"]')
        assert await other.message() == "430[]"
        said = 0
        while deaf.is_alive:
            assert said < 10, "the bound does not hold"
            assert sum(outgoing.size for outgoing in deaf.session.pending) <= 5_000
            await other.send(f'42["say","r","{"x" * 1000}"]')
            await other.message()
            said += 1
        assert said >= 5
        assert door.reasons == ["slow consumer"]
        answer = await deaf.get()
        assert (answer.status, answer.body) == (200, b"1")
        await deaf.gone()
        await other.echo()


async def test_a_mistake_of_the_application_ends_that_session_alone(door: Door) -> None:
    door.faults_expected = True
    other = await join(door)
    for name in (b"crash", b"fail later"):
        poller = await join(door)
        poll = await poller.poll()
        await poller.post(b'42["%b"]' % name)
        assert (await poll.answer()).body == b"1"
        await other.echo()
    assert door.reasons == ["internal error", "internal error"]

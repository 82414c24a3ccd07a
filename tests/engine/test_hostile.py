"""What has hurt other servers, over polling: that session ends, and nothing else."""

import math
import re

import pytest
import trio
from trio.testing import MockClock

from tests.engine.listeners import Door, open_door
from tests.engine.polls import BAD_REQUEST, RS, HttpPeer, ask, dial, join, open_poller, request
from tests.net.peers import upgrade_request


def placeholder(number: str) -> bytes:
    return b'{"_placeholder":true,"num":%b}' % number.encode()


DEEP = b'42["echo",' + b"[" * 5000 + b"]" * 5000 + b"]"


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b'451-["echo",%b]' % placeholder("1") + RS + b"bAQID", id="num too large"),
        pytest.param(b'451-["echo",%b]' % placeholder("-1") + RS + b"bAQID", id="num negative"),
        pytest.param(b'451-["echo",%b]' % placeholder('"splice"') + RS + b"bAQID", id="num text"),
        pytest.param(b'451-["echo",{"_placeholder":true}]' + RS + b"bAQID", id="num missing"),
        pytest.param(b'4511-["echo",1]', id="too many attachments"),
        pytest.param(b'4599999999999-["echo",1]', id="endless attachments"),
        pytest.param(b'451-["echo",1]' + RS + b'42["echo",1]', id="text for an attachment"),
        pytest.param(b"bAQID", id="bytes that nobody announced"),
        pytest.param(b'42["disconnect"]', id="a reserved name"),
        pytest.param(b"42[null]", id="no name"),
        pytest.param(b'42["echo",NaN]', id="no JSON"),
        pytest.param(b'42["echo",1e400]', id="an infinite number"),
        pytest.param(b'4299999999999999999999["ack"]', id="an ack id of 20 digits"),
        pytest.param(b"42" + b"9" * 5000 + b'["ack"]', id="an ack id of 5000 digits"),
        pytest.param(b"40/" + b"x" * 100 + b',"text"', id="auth that is no object"),
    ],
)
async def test_a_breach_ends_that_session_alone(door: Door, payload: bytes) -> None:
    other, poller = await join(door), await join(door)
    answer = await poller.post(payload)
    assert (answer.status, answer.body) == (400, BAD_REQUEST)
    await poller.gone()
    await other.echo()


@pytest.mark.parametrize("name", ["__proto__", "constructor", "toString", "hasOwnProperty"])
async def test_odd_names_of_events_and_namespaces_are_only_names(door: Door, name: str) -> None:
    poller = await join(door)
    await poller.say(b'42["%b",{"__proto__":{"x":1}}]' % name.encode())
    await poller.echo()
    await poller.say(b"40/%b," % name.encode())
    assert (await poller.get()).status == 200


async def test_deep_json_ends_nobody_else(door: Door) -> None:
    other, poller = await join(door), await join(door)
    await poller.post(DEEP)
    if poller.is_alive:
        assert (await poller.get()).body == DEEP
    await other.echo()


async def test_a_million_separators_end_that_session_alone(door: Door) -> None:
    other, poller = await join(door), await join(door)
    assert (await poller.post(RS * 999_999)).status == 400
    await poller.gone()
    await other.echo()


async def test_half_a_million_pongs_in_one_body_let_others_have_their_turn() -> None:
    async with open_door(idle_waits_max=10) as door:
        other, poller = await join(door), await join(door)
        peer = await dial(door)
        await peer.send("POST", poller.query, RS.join([b"3"] * 400_000))
        await other.echo()
        assert (await peer.answer()).body == b"ok"
        await other.echo()
        while "packet flood" not in door.reasons:
            await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("are_timers_late", [False, True])
async def test_openings_that_never_join_are_ended_in_time(
    mock_clock: MockClock, are_timers_late: bool
) -> None:
    async with open_door(connect_timeout_s=1.0) as door:
        pollers = [await open_poller(door) for _ in range(10)]
        if are_timers_late:
            for poller in pollers:
                door.sessions.deadlines.schedule(poller.session, math.inf)
        mock_clock.jump(1.0)
        for poller in pollers:
            assert (await poller.get()).body == b"1"
            await poller.gone()
        assert door.reasons == ["connect timeout"] * 10


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\r\n\r\n\r\n", id="empty lines"),
        pytest.param(b"GET", id="half a method"),
        pytest.param(request()[:-2], id="a head without its end"),
        pytest.param(request().replace(b"HTTP/1.1", b"HTTP/9.9"), id="another version"),
        pytest.param(request(headers=["Content-Length: -1"]), id="a negative length"),
        pytest.param(request(headers=["Content-Length: 9" * 2]), id="a length of words"),
        pytest.param(request(headers=["Content-Length: " + "9" * 40]), id="an endless length"),
        pytest.param(
            request("POST", headers=["Transfer-Encoding: chunked", "Content-Length: 3"]),
            id="two lengths",
        ),
        pytest.param(request(headers=["Transfer-Encoding: gzip"]), id="another encoding"),
        pytest.param(upgrade_request()[:-2], id="half a handshake"),
    ],
)
async def test_requests_that_are_none_end_their_connection_alone(door: Door, sent: bytes) -> None:
    other = await join(door)
    peer = await dial(door)
    await peer.stream.send_all(sent)
    await peer.stream.send_eof()
    await peer.ended()
    assert re.match(rb"HTTP/1\.1 (400|505) ", peer.seen) or not sent.strip()
    await other.echo()


async def test_a_header_cannot_break_out_of_the_answer(door: Door) -> None:
    for value in ("http://localhost\rX-Evil: 1", "http://localhost\nX-Evil: 1"):
        peer = HttpPeer(await door.dial())
        await peer.send(headers=[f"Origin: {value}", "Connection: close"])
        await peer.ended()
        assert b"x-evil: 1" not in peer.seen.lower()


async def test_a_sid_of_any_size_is_unknown(door: Door) -> None:
    for sid in ("x" * 10_000, "%00", "%FF%FE", "../../etc", "a%0d%0ab"):
        answer = await ask(door, query=f"EIO=4&transport=polling&sid={sid}")
        assert answer.status == 400
        assert answer.body.startswith(b'{"code":1,')

"""Requests that cross each other, and connections that break."""

import socket
import struct

import pytest
import trio
import trio.testing

from chatd.engine.polling import WAITING_BYTES_MAX, WAITING_POSTS_MAX
from chatd.engine.throttle import IDLE_BURST
from chatd.net.disconnects import DisconnectReason
from tests.engine.listeners import Door, open_door
from tests.engine.polls import (
    RS,
    UNKNOWN_SID,
    HttpPeer,
    Poller,
    ask,
    chunked,
    dial,
    join,
    open_poller,
    request,
    until,
)


async def reset(peer: HttpPeer) -> None:
    """Go away with a RST."""
    peer.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await peer.stream.aclose()


async def fin(peer: HttpPeer) -> None:
    """Say that nothing more will be sent, and go on reading."""
    await peer.stream.send_eof()


async def half_a_post(poller: Poller, body: bytes = b'42["echo",1]') -> HttpPeer:
    """A POST that the server has begun to read."""
    peer = await dial(poller.door)
    await peer.stream.send_all(request("POST", poller.query, body)[:-3])
    transport = poller.transport
    await until(lambda: transport._post is not None)
    return peer


# Twice the same


async def test_a_second_poll_ends_both_and_the_session(door: Door) -> None:
    poller = await join(door)
    first, second = await poller.poll(), await dial(door)
    answer = await second.ask("GET", poller.query)
    assert (answer.status, answer.body) == (400, b"")
    answer = await first.answer()
    assert (answer.status, answer.body) == (200, b"1")
    assert door.app.ended == [("/", "transport error")]
    await poller.gone()


async def test_a_second_post_is_refused_and_the_first_is_cut(door: Door) -> None:
    poller = await join(door)
    first = await half_a_post(poller)
    answer = await poller.post(b'42["echo",2]')
    assert (answer.status, answer.body) == (400, b"")
    assert await first.ended()
    assert door.app.ended == [("/", "transport error")]
    await poller.gone()


async def test_a_post_is_answered_before_what_its_event_waits_for(door: Door) -> None:
    poller = await join(door)
    first = await dial(door)
    answer = await first.ask("POST", poller.query, b'42["wait"]' + RS + b'42["echo","behind"]')
    assert (answer.status, answer.body) == (200, b"ok")
    assert "connection" not in answer.headers  # it goes on, and another task with the packets
    assert not door.app.gate.is_set()
    door.app.gate.set()
    assert (await poller.get()).body == b'42["echo","behind"]'


async def test_what_an_event_waits_for_may_come_on_the_same_connection(door: Door) -> None:
    poller = await join(door)
    peer = await dial(door)
    post = request("POST", poller.query, b'42["until taken"]' + RS + b'42["echo",1]')
    await peer.stream.send_all(post + request(query=poller.query) + request(query=poller.query))
    assert (await peer.answer()).body == b"ok"
    assert (await peer.answer()).body == b'42["owed"]'
    said = (await peer.answer()).body
    if RS not in said:
        said += RS + (await poller.get()).body
    assert said == b'42["taken"]' + RS + b'42["echo",1]'


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_what_is_pipelined_behind_posts_that_wait_is_answered(
    door: Door, is_chunked: bool
) -> None:
    poller = await join(door)
    peer = await dial(door)

    first = b'42["wait"]' + RS + b'42["echo",1]'
    chunks = ["Transfer-Encoding: chunked"]
    await peer.stream.send_all(
        request("POST", poller.query, headers=chunks) + chunked(first)
        if is_chunked
        else request("POST", poller.query, first)
    )
    await peer.stream.send_all(
        request("POST", poller.query, b'42["echo",2]')
        + request("HEAD", poller.query)
        + request(query="EIO=3&transport=polling")
        + request(query=poller.query)
    )
    assert [(await peer.answer()).body for _ in range(2)] == [b"ok", b"ok"]
    assert (await peer.answer(to_head=True)).status == 400
    assert (await peer.answer()).body.startswith(b'{"code":5,')
    await door.app.waiting.wait()
    door.app.gate.set()
    said = (await peer.answer()).body
    if RS not in said:
        said += RS + (await poller.get()).body
    assert said == b'42["echo",1]' + RS + b'42["echo",2]'


async def test_a_post_whose_packets_wait_may_ask_before_it_sends(door: Door) -> None:
    poller = await join(door)
    peer = await dial(door)
    expects = ["Expect: 100-continue", "Content-Length: 10"]
    await peer.send("POST", poller.query, headers=expects)
    assert (await peer.answer()).status == 100
    await peer.stream.send_all(b'42["wait"]')
    answer = await peer.answer()
    assert (answer.status, answer.headers.get("connection")) == (200, None)
    door.app.gate.set()
    assert (await peer.ask("POST", poller.query, b'42["echo",1]')).body == b"ok"
    assert (await peer.ask(query=poller.query)).body == b'42["echo",1]'


async def test_posts_of_one_connection_behind_an_event_that_waits_keep_their_order(
    door: Door,
) -> None:
    poller = await join(door)
    peer = await dial(door)
    numbers = range(WAITING_POSTS_MAX)
    posts = [request("POST", poller.query, b'42["echo",%d]' % number) for number in numbers]
    await peer.stream.send_all(
        request("POST", poller.query, b'42["wait"]') + b"".join(posts) + request("PUT")
    )
    for _ in range(1 + WAITING_POSTS_MAX):
        assert (await peer.answer()).body == b"ok"
    assert (await peer.answer()).status == 400
    await peer.stream.aclose()  # what was taken in is handled all the same
    poll = await poller.poll()
    door.app.gate.set()
    said = (await poll.answer()).body
    while said.count(RS) < WAITING_POSTS_MAX - 1:
        said += RS + (await poller.get()).body
    assert said.split(RS) == [b'42["echo",%d]' % number for number in numbers]


async def test_a_client_that_floods_and_pipelines_is_answered_on_its_connection(
    door: Door,
) -> None:
    poller = await join(door)
    peer = await dial(door)
    flood = RS.join([b"3"] * (IDLE_BURST + 5))
    await peer.stream.send_all(
        request("POST", poller.query, flood) + request("POST", poller.query, b'42["echo",1]')
    )
    assert [(await peer.answer()).body for _ in range(2)] == [b"ok", b"ok"]
    assert (await peer.ask(query=poller.query)).body == b'42["echo",1]'


async def test_a_breach_behind_an_event_that_waits_ends_the_session(door: Door) -> None:
    poller = await join(door)
    peer = await dial(door)
    await peer.send("POST", poller.query, b'42["wait"]' + RS + b"nonsense")
    assert (await peer.answer()).body == b"ok"
    door.app.gate.set()
    await poller.gone()
    assert door.reasons[-1] == "parse error"


async def test_posts_behind_an_event_that_waits_are_taken_in_their_order(door: Door) -> None:
    poller = await join(door)
    await poller.say(b'42["wait"]' + RS + b'42["echo",1]')
    for number in (2, 3):
        await poller.say(b'42["echo",%d]' % number)
    poll = await poller.poll()
    door.app.gate.set()
    said = (await poll.answer()).body
    while said.count(RS) < 2:
        said += RS + (await poller.get()).body
    assert said.split(RS) == [b'42["echo",1]', b'42["echo",2]', b'42["echo",3]']


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_too_much_behind_an_event_that_waits_is_read_in_its_turn(
    door: Door, is_chunked: bool
) -> None:
    poller = await join(door)
    await poller.say(b'42["wait"]')
    large = b'42["echo","%b"]' % (b"x" * WAITING_BYTES_MAX)
    last = await dial(door)
    if is_chunked:
        await last.send("POST", poller.query, headers=["Transfer-Encoding: chunked"])
        large = b"%x\r\n%b\r\n0\r\n\r\n" % (len(large), large)
    else:
        await last.send("POST", poller.query, headers=[f"Content-Length: {len(large)}"])
    await until(lambda: poller.transport._post is not None)
    await last.stream.send_all(large)
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert poller.transport._waiting == []
    assert max(one._reader.waiting_bytes for one in door.door._requesting.values()) == 0
    door.app.gate.set()
    assert (await last.answer()).body == b"ok"
    assert (await poller.get()).body.startswith(b'42["echo","xxx')


async def test_a_post_beside_one_that_waits_to_be_read_ends_both(door: Door) -> None:
    poller = await join(door)
    await poller.say(b'42["wait"]')
    large = b'42["echo","%b"]' % (b"x" * (WAITING_BYTES_MAX // 2))
    await poller.say(large)
    last = await dial(door)
    await last.send("POST", poller.query, large)
    await until(lambda: poller.transport._post is not None)
    assert (await poller.post(b"3")).status == 400  # as for any POST that has not ended
    assert await last.ended()
    door.app.gate.set()
    await poller.gone()


async def test_so_many_posts_wait_their_turn_and_no_more(door: Door) -> None:
    poller = await join(door)
    await poller.say(b'42["wait"]')
    for _ in range(WAITING_POSTS_MAX):
        await poller.say(b"3")
    last = await dial(door)
    await last.send("POST", poller.query, b"3")
    await until(lambda: poller.transport._post is not None)
    door.app.gate.set()
    assert (await last.answer()).body == b"ok"


async def test_what_waits_its_turn_is_dropped_with_its_session(door: Door) -> None:
    poller = await join(door)
    await poller.say(b'42["wait"]')
    await poller.say(b'42["echo",1]')
    poller.session.lost(DisconnectReason.TRANSPORT_ERROR)
    door.app.gate.set()
    await poller.gone()


async def test_a_second_post_on_a_kept_connection_is_the_last_on_it(door: Door) -> None:
    poller = await join(door)
    first, second = await half_a_post(poller), await dial(door)
    opening = request()
    await second.stream.send_all(request("POST", poller.query, b"3") + opening)
    assert (await second.answer()).status == 400
    assert await second.ended()
    assert await first.ended()
    assert door.sessions.by_sid == {}


# Connections that break


@pytest.mark.parametrize("break_off", [fin, reset])
async def test_a_poll_whose_connection_breaks_ends_the_session(
    door: Door, break_off: object
) -> None:
    assert callable(break_off)
    other, poller = await join(door), await join(door)
    poll = await poller.poll()
    await break_off(poll)
    await poller.gone()
    assert door.app.ended == [("/", "transport error")]
    await other.echo()


@pytest.mark.parametrize("break_off", [fin, reset])
async def test_a_poll_that_is_cancelled_at_once_ends_the_session(
    door: Door, break_off: object
) -> None:
    """Nobody waits here for the server to see the request before its end."""
    assert callable(break_off)
    poller = await join(door)
    poll = await dial(door)
    await until(lambda: door.admission.connections == 4)
    await poll.send("GET", poller.query)
    await break_off(poll)
    if break_off is fin:
        await poller.gone()
    else:  # the reset may have overtaken the request, which then was never made
        await until(lambda: door.admission.connections == 3)


@pytest.mark.parametrize("break_off", [fin, reset])
async def test_a_post_that_breaks_off_half_way_ends_the_session(
    door: Door, break_off: object
) -> None:
    assert callable(break_off)
    poller = await join(door)
    await break_off(await half_a_post(poller))
    await poller.gone()
    assert door.app.ended == [("/", "transport error")]


@pytest.mark.parametrize("break_off", [fin, reset])
async def test_a_post_that_breaks_off_ends_the_poll_that_waits_elsewhere(
    door: Door, break_off: object
) -> None:
    assert callable(break_off)
    poller = await join(door)
    poll = await poller.poll()
    await break_off(await half_a_post(poller))
    answer = await poll.answer()
    assert (answer.status, answer.body) == (200, b"1")
    await poller.gone()


async def test_a_second_post_ends_the_poll_that_waits_elsewhere(door: Door) -> None:
    poller = await join(door)
    poll = await poller.poll()
    await half_a_post(poller)
    assert (await poller.post(b"3")).status == 400
    assert (await poll.answer()).body == b"1"


async def test_a_poll_with_too_much_behind_it_ends_the_session() -> None:
    async with open_door(pipelined_bytes=1000) as door:
        poller = await join(door)
        poll = await poller.poll()
        await poll.stream.send_all(request("POST", poller.query, bytes(2000)))
        await poller.gone()


async def test_the_end_of_input_behind_a_post_does_not_end_the_session(door: Door) -> None:
    poller = await join(door)
    peer = await dial(door)
    await peer.send("POST", poller.query, b'42["echo",1]')
    await peer.stream.send_eof()
    assert (await peer.answer()).body == b"ok"
    assert await peer.ended()
    assert (await poller.get()).body == b'42["echo",1]'


async def test_an_idle_connection_that_breaks_is_no_concern_of_the_session(door: Door) -> None:
    peer = await dial(door)
    poller = await open_poller(door, peer)
    assert (await peer.ask("POST", poller.query, b"40")).body == b"ok"
    await reset(peer)
    assert (await poller.get()).body.startswith(b"40{")
    await poller.echo()


async def test_a_request_that_was_answered_no_longer_matters_to_the_session(door: Door) -> None:
    poller = await join(door)
    poll = await poller.poll()
    await poller.say(b'42["echo",1]')
    await reset(poll)
    assert (await poll_elsewhere(poller)) == b'42["echo",2]'


async def poll_elsewhere(poller: Poller) -> bytes:
    poll = await poller.poll()
    await poller.say(b'42["echo",2]')
    return (await poll.answer()).body


# Requests that come when all is over


async def test_the_body_of_a_session_that_ended_meanwhile_is_not_handled(door: Door) -> None:
    poller = await open_poller(door)
    post = await half_a_post(poller, b"40xxx")
    sockets = len(door.app.sockets)
    poll = await poller.poll()
    await fin(poll)
    await until(lambda: not poller.is_alive)
    await post.stream.send_all(b"xxx")
    answer = await post.answer()
    assert (answer.status, answer.body) == (400, UNKNOWN_SID)
    assert len(door.app.sockets) == sockets


async def test_nobody_joins_by_a_post_of_a_session_that_ended_meanwhile(door: Door) -> None:
    poller = await open_poller(door)
    peer = await dial(door)
    await peer.stream.send_all(request("POST", poller.query, b"40")[:-1])
    transport = poller.transport
    await until(lambda: transport._post is not None)
    poller.session.end(DisconnectReason.FORCED_CLOSE)
    await peer.stream.send_all(b"0")
    assert (await peer.answer()).status == 400
    assert door.app.sockets == []


@pytest.mark.parametrize("turn", range(20))
async def test_a_poll_and_a_close_on_two_connections_may_come_in_either_order(
    door: Door, turn: int
) -> None:
    poller = await join(door)
    polling, posting = await dial(door), await dial(door)
    first, second = (polling, posting) if turn % 2 else (posting, polling)
    sent = {
        polling: request("GET", poller.query),
        posting: request("POST", poller.query, b"1"),
    }
    await first.stream.send_all(sent[first])
    await second.stream.send_all(sent[second])
    answer = await polling.answer()
    assert (answer.status, answer.body) == (200, b"6")
    assert (await posting.answer()).body == b"ok"
    await poller.gone()


async def test_a_session_that_ends_gives_back_its_place(door: Door) -> None:
    async with open_door(sessions_per_address=1) as small:
        for how in ("breaks", "twice", "broken", "closes"):
            poller = await open_poller(small)
            small.identify()
            assert (await ask(small)).status == 503
            match how:
                case "breaks":
                    await fin(await poller.poll())
                case "twice":
                    await poller.poll()
                    assert (await poller.get()).status == 400
                case "broken":
                    assert (await poller.post(b"abc")).status == 400
                case "closes":
                    await poller.say(b"1")
            await until(lambda: small.admission._by_address == {})


async def test_many_polls_that_break_at_once_leave_nothing(door: Door) -> None:
    pollers = [await join(door) for _ in range(20)]
    polls = [await poller.poll() for poller in pollers]
    async with trio.open_nursery() as nursery:
        for poll in polls:
            nursery.start_soon(reset, poll)
    await until(lambda: door.sessions.by_sid == {})
    assert set(door.reasons) == {"transport error"}

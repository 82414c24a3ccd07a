"""WebSocket as raw bytes, and its heartbeat (docs/architecture, "What real peers send")."""

import pytest
import trio
from trio.testing import MockClock
from wsproto.events import CloseConnection, Pong

from chatd.engineio.heartbeat import HeartbeatSettings
from chatd.net.poller import EpollPoller, TrioPoller
from chatd.observe import InternalError
from tests.engine.listeners import Door, open_door, opening
from tests.net.peers import (
    BINARY,
    CLOSE,
    CONTINUATION,
    HARD_LIMIT_S,
    NO_CODE,
    PING,
    PONG,
    TEXT,
    Peer,
    frame,
    upgrade_request,
)

QUICK = HeartbeatSettings(0.3, 0.2)


async def test_the_open_packet_says_what_a_client_must_know(door: Door) -> None:
    peer = await door.open()
    packet = await opening(peer)
    sid = packet.pop("sid")
    assert sid in door.sessions.by_sid
    assert packet == {
        "upgrades": [],
        "pingInterval": 25000,
        "pingTimeout": 20000,
        "maxPayload": 1_000_000,
    }


async def test_no_extension_is_taken_although_one_is_offered(door: Door) -> None:
    offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
    peer = await door.open(headers=[offer])
    assert b"sec-websocket-extensions" not in peer.head.lower()


async def test_the_first_subprotocol_that_is_offered_is_taken(door: Door) -> None:
    peer = await door.open(headers=["Sec-WebSocket-Protocol: chat.v1, chat.v2"])
    assert b"Sec-WebSocket-Protocol: chat.v1" in peer.head.split(b"\r\n")


@pytest.mark.parametrize("readiness", [EpollPoller, TrioPoller])
async def test_both_ways_to_wait_carry_a_session(
    readiness: type[EpollPoller] | type[TrioPoller],
) -> None:
    async with open_door(readiness=readiness) as door:
        peer = await door.join()
        for number in range(3):
            await peer.echo(f"round {number}")


async def test_frames_that_came_with_the_request_are_read(door: Door) -> None:
    stream = await door.dial()
    await stream.send_all(upgrade_request() + frame(TEXT, b"40"))
    head, rest = b"", b""
    while b"\r\n\r\n" not in head:
        head += await stream.receive_some()
    head, _, rest = head.partition(b"\r\n\r\n")
    peer = Peer(stream, head, rest)
    await opening(peer)
    assert str(await peer.message()).startswith('40{"sid":')


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(frame(TEXT, b"40", masked=False), 1002, id="unmasked"),
        pytest.param(frame(0x3), 1002, id="reserved opcode"),
        pytest.param(frame(0xB), 1002, id="reserved control opcode"),
        pytest.param(frame(TEXT, b"40", rsv=4), 1002, id="RSV1"),
        pytest.param(frame(TEXT, b"40", rsv=2), 1002, id="RSV2"),
        pytest.param(frame(TEXT, b"40", rsv=1), 1002, id="RSV3"),
        pytest.param(frame(CONTINUATION, b"40"), 1002, id="continuation of nothing"),
        pytest.param(frame(PING, b"", fin=False), 1002, id="fragmented ping"),
        pytest.param(frame(PING, bytes(126)), 1002, id="ping too long"),
        pytest.param(frame(TEXT, b"4", fin=False) + frame(TEXT, b"0"), 1002, id="text in text"),
        pytest.param(frame(TEXT, b"4\xff\xfe"), 1007, id="not UTF-8"),
        pytest.param(frame(TEXT, b"4\xed\xa0\x80"), 1007, id="a surrogate in UTF-8"),
        pytest.param(frame(TEXT, b"", claimed_size=1_000_001), 1009, id="too large"),
        pytest.param(frame(TEXT, b"", claimed_size=2**62), 1009, id="absurdly large"),
        pytest.param(frame(CLOSE, b"\x03"), 1002, id="half a close code"),
        pytest.param(frame(CLOSE, b"\x03\xed"), 1002, id="a close code that is never sent"),
    ],
)
async def test_a_breach_of_the_framing_closes_with_its_code(
    door: Door, sent: bytes, code: int
) -> None:
    other, peer = await door.join(), await door.open()
    await opening(peer)
    await peer.stream.send_all(sent)
    assert await peer.end() == code
    await other.echo()
    assert door.reasons == ["transport error"]


async def test_fragments_together_beyond_the_payload_close_with_1009() -> None:
    async with open_door(max_payload_bytes=100) as door:
        peer = await door.open()
        await opening(peer)
        await peer.stream.send_all(frame(TEXT, b"4" * 60, fin=False))
        await peer.stream.send_all(frame(CONTINUATION, b"4" * 60))
        assert await peer.end() == 1009


async def test_a_message_of_exactly_the_payload_is_taken() -> None:
    async with open_door(max_payload_bytes=100) as door:
        peer = await door.join()
        text = "x" * (100 - len('42["echo",""]'))
        await peer.echo(text)


@pytest.mark.parametrize("text", ["2", "2probe", "abc", "", "7", "40x"])
async def test_an_engine_packet_out_of_place_closes_without_a_code(door: Door, text: str) -> None:
    other, peer = await door.join(), await door.open()
    await opening(peer)
    await peer.send(text)
    assert await peer.end() == NO_CODE
    await other.echo()
    assert door.reasons == ["parse error"]


async def test_a_close_packet_ends_the_session_at_once(door: Door) -> None:
    peer = await door.join()
    await peer.send("1")
    assert await peer.end() == NO_CODE
    assert door.app.ended == [("/", "transport close")]


@pytest.mark.parametrize("text", ["0", "5", "6", "0{}", "6noop", "3", "3foo"])
async def test_packets_without_a_meaning_here_are_ignored(door: Door, text: str) -> None:
    peer = await door.join()
    await peer.send(text)
    await peer.echo()


async def test_a_binary_message_that_nobody_announced_closes(door: Door) -> None:
    other, peer = await door.join(), await door.join()
    await peer.send(b"\x01\x02\x03")
    assert await peer.end() == NO_CODE
    await other.echo()
    assert door.app.ended == [("/", "parse error")]


async def test_a_ping_is_answered_with_its_payload(door: Door) -> None:
    peer = await door.join()
    await peer.stream.send_all(frame(PING, b"are you there") + frame(PONG, b"unasked"))
    event = await peer.event()
    assert isinstance(event, Pong)
    assert event.payload == b"are you there"
    await peer.echo()


async def test_a_ping_may_stand_between_fragments(door: Door) -> None:
    peer = await door.join()
    await peer.stream.send_all(
        frame(TEXT, b'42["ec', fin=False)
        + frame(PING)
        + frame(CONTINUATION, b'ho","', fin=False)
        + frame(CONTINUATION, b'x"]')
    )
    assert isinstance(await peer.event(), Pong)
    assert await peer.message() == '42["echo","x"]'


async def test_a_fragmented_attachment_is_put_together(door: Door) -> None:
    peer = await door.join()
    await peer.send('451-["echo",{"_placeholder":true,"num":0}]')
    await peer.stream.send_all(frame(BINARY, b"\x01\x02", fin=False) + frame(CONTINUATION, b"\x03"))
    assert await peer.message() == '451-["echo",{"_placeholder":true,"num":0}]'
    assert await peer.message() == b"\x01\x02\x03"


@pytest.mark.parametrize(
    ("payload", "code"), [(b"\x03\xe8", 1000), (b"\x03\xe9going", 1001), (b"", NO_CODE)]
)
async def test_a_close_frame_is_answered_with_its_code(
    door: Door, payload: bytes, code: int
) -> None:
    peer = await door.join()
    await peer.stream.send_all(frame(CLOSE, payload))
    assert await peer.end() == code
    assert door.reasons == ["transport close"]


async def test_input_behind_a_close_has_no_meaning(door: Door) -> None:
    """What python-socketio sends in one go, and its second close frame."""
    peer = await door.join()
    sent = b"".join(
        [
            frame(TEXT, b"41"),
            frame(TEXT, b"1"),
            frame(CLOSE, b"\x03\xe8"),
            frame(TEXT, b'42["echo","too late"]'),
            frame(CLOSE, b"\x03\xe8"),
        ]
    )
    await peer.stream.send_all(sent)
    event = await peer.event()
    assert isinstance(event, CloseConnection)
    assert await peer.stream.receive_some() == b""
    assert door.app.ended == [("/", "client namespace disconnect")]


async def test_a_second_websocket_for_a_session_leaves_the_first_alone(door: Door) -> None:
    first = await door.open()
    sid = (await opening(first))["sid"]
    await first.connect()
    second = await door.dial()
    await second.send_all(upgrade_request(f"EIO=4&transport=websocket&sid={sid}"))
    seen = b""
    while piece := await second.receive_some():
        seen += piece
        if seen.endswith(b"\x88\x00"):
            break
    assert b"echo" not in seen
    assert list(door.sessions.by_sid) == [sid]
    await first.echo()


async def test_the_server_pings_and_a_pong_keeps_the_session(mock_clock: MockClock) -> None:
    async with open_door(heartbeat=QUICK) as door:
        peer = await door.join()
        for _ in range(3):
            mock_clock.jump(0.3)
            assert await peer.message() == "2"
            await peer.send("3")
            await peer.echo()


async def test_silence_after_a_ping_closes_without_a_code(mock_clock: MockClock) -> None:
    async with open_door(heartbeat=QUICK) as door:
        peer = await door.join()
        mock_clock.jump(0.3)
        assert await peer.message() == "2"
        mock_clock.jump(0.2)
        assert await peer.end() == NO_CODE
        assert door.app.ended == [("/", "ping timeout")]


async def test_who_joins_nothing_is_closed_in_time(mock_clock: MockClock) -> None:
    async with open_door(connect_timeout_s=1.0) as door:
        peer = await door.open()
        await opening(peer)
        await peer.send("40/nowhere")
        assert await peer.message() == '44/nowhere,{"message":"Invalid namespace"}'
        mock_clock.jump(1.0)
        assert await peer.end() == NO_CODE
        assert door.reasons == ["connect timeout"]


async def test_an_event_that_waits_holds_back_those_behind_it(door: Door) -> None:
    other, peer = await door.join(), await door.join()
    await peer.send('42["wait"]', '42["echo","behind"]')
    await door.app.waiting.wait()
    await peer.send('42["echo","far behind"]')
    await other.echo()
    door.app.gate.set()
    assert await peer.message() == '42["echo","behind"]'
    assert await peer.message() == '42["echo","far behind"]'


async def test_a_mistake_of_the_application_ends_that_session_alone(door: Door) -> None:
    door.faults_expected = True
    other = await door.join()
    for name in ("crash", "fail later"):
        peer = await door.join()
        await peer.send(f'42["{name}"]')
        assert await peer.end() == NO_CODE
        await other.echo()
    assert door.reasons == ["internal error", "internal error"]
    assert [it.where for it in door.recorder.of(InternalError)] == ["session.receive", "event"]


async def test_a_peer_that_never_hangs_up_after_the_close_is_hung_up_on() -> None:
    async with open_door(linger_s=0.05) as door:
        peer = await door.join()
        await peer.send("1")
        with trio.fail_after(HARD_LIMIT_S):
            await door.admission.emptied()

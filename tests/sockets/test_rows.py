"""Socket.IO packets over a WebSocket, row by row (docs/architecture, "What real peers send"); each
ends its own session at most.
"""

import orjson
import pytest
import trio
from trio.testing import MockClock

from chatd.engineio.heartbeat import HeartbeatSettings
from chatd.sockets.connection import SocketIOConnection
from tests.engine.listeners import Door, open_door, opening
from tests.net.peers import NO_CODE, Ended

PLACEHOLDER = '{"_placeholder":true,"num":%d}'

CLOSING_BEFORE_CONNECT = [
    "40[]",
    '40"text"',
    "40null",
    "40{",
    '41{"a":1}',
    "41",
    '42["echo",1]',
    '420["echo",1]',
    "430[]",
    '42/custom,["echo",1]',
    "44",
    '44{"message":"no"}',
    "40/custom,[1]",
    '451-["echo",{"_placeholder":true,"num":0}]',
    "461-1[]",
]
CLOSING_AFTER_CONNECT = [
    "40",
    "40{}",
    '42/custom,["echo",1]',
    "43/custom,1[]",
    "41/custom,",
    '44{"message":"no"}',
    '41{"a":1}',
    "42[]",
    "42{}",
    "42[true]",
    "42[null]",
    '42["m",1]x',
    '47["m"]',
    "49",
    "4",
    "4abc",
    '42["connect"]',
    '42["connect_error"]',
    '42["disconnect","x"]',
    '42["disconnecting"]',
    '42["newListener"]',
    '42["removeListener"]',
    '42-1["echo"]',
    '421.5["echo"]',
    '42abc["echo"]',
    '4299999999999999999999["echo"]',
    '431{"a":1}',
    '42["echo",NaN]',
    '42["echo",Infinity]',
    '42["echo",1e999]',
    '451["echo"]',
    '45-["echo"]',
    '45a-["echo"]',
    '451.5-["echo"]',
    '45-1-["echo"]',
    '4511-["echo"]',
    '451-["echo",{"_placeholder":true,"num":1}]\x1e',
    "42" + "[" * 5000 + "]" * 5000,
    '42["echo",' + "[" * 5000 + "]" * 5000 + "]",
    '42["echo",' + '{"a":' * 5000 + "1" + "}" * 5000 + "]",
    '42["echo",' + "[" * 100_000,
]


def short(text: str) -> str:
    return ascii(text[:40])


@pytest.mark.parametrize("connect", ["40", "40/", "40/,", "40{}", '40{"a":1}'])
async def test_all_spellings_of_connect_join_the_main_namespace(door: Door, connect: str) -> None:
    peer = await door.open()
    engine_sid = (await opening(peer))["sid"]
    reply = await peer.connect(connect)
    assert list(reply) == ["sid"]
    assert reply["sid"] != engine_sid
    await peer.echo()


@pytest.mark.parametrize("connect", ["40/custom", "40/custom,", "40/custom,{}"])
async def test_another_namespace_is_joined_without_the_main_one(door: Door, connect: str) -> None:
    peer = await door.open()
    await opening(peer)
    await peer.send(connect)
    assert str(await peer.message()).startswith('40/custom,{"sid":"')
    await peer.send('42/custom,["echo","x"]')
    assert await peer.message() == '42/custom,["echo","x"]'


async def test_each_namespace_gives_an_id_of_its_own(door: Door) -> None:
    peer = await door.open()
    await opening(peer)
    main = await peer.connect("40")
    custom = await peer.connect("40/custom,")
    assert main["sid"] != custom["sid"]


async def test_a_namespace_that_is_not_there_is_refused_and_the_session_stays(door: Door) -> None:
    peer = await door.open()
    await opening(peer)
    for name in ("/nowhere", "/custom?token=abc"):
        await peer.send(f"40{name},")
        assert await peer.message() == f'44{name},{{"message":"Invalid namespace"}}'
    await peer.connect()
    await peer.echo()


async def test_a_namespace_that_refuses_may_be_asked_again(door: Door) -> None:
    peer = await door.open()
    await opening(peer)
    for _ in range(2):
        await peer.send("40/auth,")
        assert await peer.message() == (
            '44/auth,{"message":"unauthorized","data":{"code":"E_AUTH","retry":false}}'
        )
    await peer.connect()
    await peer.echo()


@pytest.mark.parametrize("text", CLOSING_BEFORE_CONNECT, ids=short)
async def test_before_connect_this_ends_that_session_alone(door: Door, text: str) -> None:
    other, peer = await door.join(), await door.open()
    await opening(peer)
    await peer.send(text)
    assert await peer.end() == NO_CODE
    await other.echo()
    assert door.reasons == ["parse error"]


@pytest.mark.parametrize("text", CLOSING_AFTER_CONNECT, ids=short)
async def test_after_connect_this_ends_that_session_alone(door: Door, text: str) -> None:
    other, peer = await door.join(), await door.join()
    await peer.send(*text.removesuffix("\x1e").split("\x1f"))
    if text.endswith("\x1e"):
        await peer.send(b"attachment")
    assert await peer.end() == NO_CODE
    await other.echo()
    assert door.app.ended == [("/", "parse error")]


@pytest.mark.parametrize(
    "num", ["1", "-1", '"0"', "null", "0.5", "1e9"], ids=lambda num: f"num {num}"
)
async def test_a_placeholder_for_no_attachment_ends_that_session_alone(
    door: Door, num: str
) -> None:
    other, peer = await door.join(), await door.join()
    await peer.send(f'451-["echo",{{"_placeholder":true,"num":{num}}}]', b"one")
    assert await peer.end() == NO_CODE
    await other.echo()


@pytest.mark.parametrize("between", ["40", "41", '42["echo",1]', "40/custom,", "430[]"])
async def test_text_while_attachments_are_due_ends_that_session_alone(
    door: Door, between: str
) -> None:
    other, peer = await door.join(), await door.join()
    await peer.send(f'451-["echo",{PLACEHOLDER % 0}]', between)
    assert await peer.end() == NO_CODE
    await other.echo()


async def test_one_attachment_too_many_ends_that_session(door: Door) -> None:
    peer = await door.join()
    await peer.send(f'451-["ack",{PLACEHOLDER % 0}]', b"due", b"not due")
    assert await peer.end() == NO_CODE


async def test_a_pong_between_attachments_is_fine(door: Door) -> None:
    peer = await door.join()
    await peer.send(f'452-["echo",{PLACEHOLDER % 1},{PLACEHOLDER % 0}]', b"a", "3", b"b")
    assert await peer.message() == f'452-["echo",{PLACEHOLDER % 0},{PLACEHOLDER % 1}]'
    assert [await peer.message(), await peer.message()] == [b"b", b"a"]


async def test_ten_attachments_are_taken(door: Door) -> None:
    peer = await door.join()
    places = ",".join(PLACEHOLDER % number for number in range(10))
    await peer.send(f'4510-["echo",{places}]', *(bytes([number]) for number in range(10)))
    assert await peer.message() == f'4510-["echo",{places}]'
    assert [await peer.message() for _ in range(10)] == [bytes([n]) for n in range(10)]


async def test_the_attachments_of_a_packet_are_together_no_larger_than_a_payload() -> None:
    async with open_door(max_payload_bytes=200) as door:
        peer, text = await door.join(), f'452-["echo",{PLACEHOLDER % 0},{PLACEHOLDER % 1}]'
        await peer.send(text, bytes(100), bytes(100))
        assert [await peer.message() for _ in range(3)] == [text, bytes(100), bytes(100)]
        await peer.send(text, bytes(100), bytes(101))
        assert await peer.end() == NO_CODE
        assert door.app.ended == [("/", "parse error")]


async def test_who_has_left_the_namespace_may_announce_no_attachments(door: Door) -> None:
    peer = await door.join()
    await peer.send("41", f'451-["echo",{PLACEHOLDER % 0}]')
    assert await peer.end() == NO_CODE


async def test_attachments_that_do_not_come_end_the_session_though_it_answers_pings(
    mock_clock: MockClock,
) -> None:
    async with open_door(heartbeat=HeartbeatSettings(5.0, 4.0), attachments_due_s=4.0) as door:
        peer = await door.join()
        [session] = door.sessions.by_sid.values()
        assert isinstance(session.upper, SocketIOConnection)
        await peer.send(f'452-["echo",{PLACEHOLDER % 0},{PLACEHOLDER % 1}]', b"one")
        while not session.upper._decoder.is_waiting_for_attachments:
            await trio.lowlevel.checkpoint()
        mock_clock.jump(5.0)
        assert await peer.message() == "2"
        await peer.send("3")
        while session._heartbeat.awaiting_pong:
            await trio.lowlevel.checkpoint()
        mock_clock.jump(5.0)
        assert await peer.end() == NO_CODE
        assert door.app.ended == [("/", "parse error")]


@pytest.mark.parametrize("text", ["42", '42["nobody listens",1]', "43999[1]", "43[1]", "43"])
async def test_what_nobody_waits_for_is_ignored(door: Door, text: str) -> None:
    peer = await door.join()
    await peer.send(text)
    await peer.echo()


async def test_an_unknown_event_is_never_acknowledged(door: Door) -> None:
    peer = await door.join()
    await peer.send('425["nobody listens",1]', '42["connection",1]', '42["error"]', '42["ping"]')
    await peer.echo()


async def test_the_name_of_an_event_may_be_a_number(door: Door) -> None:
    peer = await door.join()
    await peer.send('42[1,"x"]')
    assert await peer.message() == '42[1,"x"]'


@pytest.mark.parametrize(
    ("sent", "ack_id"), [("420", 0), ("42007", 7), ("429007199254740992", 2**53)]
)
async def test_ids_of_acks_are_numbers(door: Door, sent: str, ack_id: int) -> None:
    peer = await door.join()
    await peer.send(sent + '["ack",{"a":1},null]')
    assert await peer.message() == f'43{ack_id}[{{"a":1}},null]'


async def test_an_answer_counts_once(door: Door) -> None:
    peer = await door.join()
    await peer.send('42["question"]')
    assert await peer.message() == '420["question",42]'
    await peer.send('430["yes"]', '430["no"]', '431["who asked"]')
    await peer.echo()
    assert door.app.answers == [["yes"]]


async def test_who_leaves_the_namespace_may_come_back_with_a_new_id(door: Door) -> None:
    peer = await door.open()
    await opening(peer)
    first = await peer.connect()
    await peer.send("41")
    second = await peer.connect()
    assert first["sid"] != second["sid"]
    await peer.echo()
    assert door.app.ended == [("/", "client namespace disconnect")]


async def test_after_leaving_an_event_ends_the_session(door: Door) -> None:
    peer = await door.join()
    await peer.send("41", '42["echo",1]')
    assert await peer.end() == NO_CODE


async def test_after_the_servers_disconnect_the_session_stays(door: Door) -> None:
    peer = await door.join()
    await peer.send('42["leave me"]')
    assert await peer.message() == "41"
    await peer.connect()
    await peer.echo()
    assert door.app.ended == [("/", "server namespace disconnect")]


async def test_json_may_be_500_levels_deep(door: Door) -> None:
    peer = await door.join()
    deep = "[" * 500 + "]" * 500
    await peer.send(f'42["echo",{deep}]')
    assert await peer.message() == f'42["echo",{deep}]'


async def test_a_lone_surrogate_comes_back_escaped(door: Door) -> None:
    peer = await door.join()
    await peer.send('42["echo","\\ud800"]')
    answer = await peer.message()
    assert isinstance(answer, str)
    assert answer.lower() == '42["echo","\\ud800"]'


async def test_prototype_keys_are_plain_keys(door: Door) -> None:
    peer = await door.join()
    payload = orjson.dumps({"__proto__": {"x": 1}, "constructor": 1, "toString": 2}).decode()
    await peer.send(f'42["echo",{payload}]', '42["__proto__",1]', '42["hasOwnProperty"]')
    assert await peer.message() == f'42["echo",{payload}]'
    await peer.echo()


async def test_refused_namespaces_are_forgotten_and_an_endless_name_ends_the_session() -> None:
    async with open_door() as door:
        peer = await door.open()
        await opening(peer)
        for number in range(100):
            await peer.send(f"40/none{number},")
            assert str(await peer.message()).startswith("44")
        await peer.connect()
        await peer.send("40" + "/" + "n" * 100_000 + ",")
        with pytest.raises(Ended):
            await peer.message()

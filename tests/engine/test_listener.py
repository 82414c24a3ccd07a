"""From the first byte to the route: refusals byte for byte, and heads that never end."""

import re
import resource
import socket
import struct

import pytest
import trio
import trio.testing

from chatd.engineio.handshake import Refusal
from chatd.net.acceptor import ACCEPT_PAUSE_S
from chatd.net.addresses import as_network
from chatd.net.disconnects import DisconnectReason
from chatd.net.http.cors import CorsPolicy
from chatd.net.proxies import FORBIDDEN_PER_MINUTE
from chatd.observe import HandshakeRefused, LimitHit, RequestForbidden, SessionOpened
from tests.engine.listeners import Door, open_door, open_websocket, opening
from tests.engine.polls import ask, dial, join, open_poller, until
from tests.net.peers import HARD_LIMIT_S, PONG, Ended, frame, read_to_end, upgrade_request

NO_UPGRADE = b'{"code":3,"message":"%b"}' % Refusal.NO_UPGRADE.message.encode()


async def answer_to(door: Door, request: bytes) -> bytes:
    stream = await door.dial()
    await stream.send_all(request)
    return await read_to_end(stream)


def bare(sentence: str) -> bytes:
    """The refusal of a WebSocket: the sentence alone."""
    return (
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: %d\r\n"
        b"Connection: close\r\n\r\n%b"
    ) % (len(sentence), sentence.encode())


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("EIO=4", "Transport unknown"),
        ("EIO=4&transport=webtransport", "Transport unknown"),
        ("EIO=4&transport=constructor", "Transport unknown"),
        ("EIO=4&transport=websocket&sid=nobody", "Session ID unknown"),
        ("EIO=4&transport=websocket&sid=__proto__", "Session ID unknown"),
        ("transport=websocket", "Unsupported protocol version"),
        ("EIO=3&transport=websocket", "Unsupported protocol version"),
        ("EIO=5&transport=websocket", "Unsupported protocol version"),
        ("EIO=abc&transport=websocket", "Unsupported protocol version"),
    ],
)
async def test_a_websocket_is_refused_before_the_upgrade(
    door: Door, query: str, sentence: str
) -> None:
    assert await answer_to(door, upgrade_request(query)) == bare(sentence)
    assert [event.reason for event in door.recorder.of(HandshakeRefused)] == [sentence]


async def test_an_empty_sid_is_a_new_handshake(door: Door) -> None:
    await opening(await door.open(query="EIO=4&transport=websocket&sid="))


@pytest.mark.parametrize(("node", "begins"), [("", ""), ("a", "a."), ("fra1", "fra1.")])
async def test_a_sid_names_its_node_and_a_log_shows_no_more_of_it_for_that(
    node: str, begins: str
) -> None:
    async with open_door(node=node) as door:
        sid = (await opening(await open_websocket(await door.dial())))["sid"]
        assert re.fullmatch(re.escape(begins) + r"[\w-]{20}", sid)
        (opened,) = door.recorder.of(SessionOpened)
        assert opened.session_id == sid[: len(begins) + 8]


async def test_unknown_and_repeated_parameters_are_ignored(door: Door) -> None:
    await opening(await door.open(query="transport=websocket&t=abc&EIO=4&EIO=3&t=def"))


@pytest.mark.parametrize("path", ["/socket.io/anything", "/socket.io"])
async def test_whatever_follows_the_slash_is_ours_and_the_slash_may_be_missing(
    door: Door, path: str
) -> None:
    await opening(await door.open(path=path))


async def test_websocket_by_a_plain_get_is_a_bad_request(door: Door) -> None:
    line = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
    answer = await answer_to(door, line + b"Host: 127.0.0.1\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nContent-Type: application/json" in head
    assert body == NO_UPGRADE


@pytest.mark.parametrize("changes", [{"without": "upgrade"}, {"without": "connection"}])
async def test_who_lost_the_headers_of_an_upgrade_hears_that_a_proxy_has_to_pass_them_on(
    door: Door, changes: dict[str, str]
) -> None:
    answer = await answer_to(door, upgrade_request(headers=["Connection: close"], **changes))
    assert answer.endswith(NO_UPGRADE)
    assert b"Upgrade and Connection" in answer
    by_version = upgrade_request().replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n")
    assert (await answer_to(door, by_version)).endswith(NO_UPGRADE)
    assert {one.reason for one in door.recorder.of(HandshakeRefused)} == {
        Refusal.NO_UPGRADE.message
    }


async def test_an_upgrade_header_without_connection_upgrade_asks_for_nothing(door: Door) -> None:
    request = upgrade_request(headers=["Connection: close"])
    answer = await answer_to(door, request)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(NO_UPGRADE)


async def test_connection_may_hold_more_than_upgrade(door: Door) -> None:
    await opening(await door.open(headers=["Connection: keep-alive, Upgrade"]))


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": ["Sec-WebSocket-Version: 8"]},
        {"without": "sec-websocket-version"},
        {"without": "sec-websocket-key"},
        {"headers": ["Sec-WebSocket-Key: short"]},
        {"headers": ["Sec-WebSocket-Protocol: not a token"]},
        {"headers": ["Content-Length: 6"]},
        {"headers": ["Transfer-Encoding: chunked"]},
    ],
)
async def test_what_is_no_websocket_handshake_is_a_bad_request(
    door: Door, changes: dict[str, object]
) -> None:
    answer = await answer_to(door, upgrade_request(**changes))  # type: ignore[arg-type]
    assert answer == bare("Bad request")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_a_websocket_by_another_method_is_a_bad_handshake(door: Door, method: str) -> None:
    answer = await answer_to(door, upgrade_request(method=method))
    assert answer == bare("Bad handshake method")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://evil.example:8765"])
async def test_a_strangers_page_is_refused(door: Door, origin: str) -> None:
    answer = await answer_to(door, upgrade_request(headers=[f"Origin: {origin}"]))
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"\r\n\r\nForbidden: " in answer
    assert origin.encode() in answer
    assert b"server.origins" in answer


async def test_an_origin_of_bytes_that_no_header_has_is_a_bad_request(door: Door) -> None:
    assert b" 400 " in (await answer_to(door, upgrade_request(headers=["Origin: a\x7fb"])))[:16]


async def test_pages_of_localhost_and_programs_come_in(door: Door) -> None:
    for headers in (["Origin: http://localhost:5173"], ["Origin: http://127.0.0.1"], []):
        await opening(await door.open(headers=headers))


async def test_by_a_strangers_name_nobody_comes_in_on_loopback(door: Door) -> None:
    request = upgrade_request(headers=["Host: evil.example", "Origin: http://evil.example"])
    assert (await answer_to(door, request)).startswith(b"HTTP/1.1 403 ")


def forbidden(door: Door) -> list[RequestForbidden]:
    return door.recorder.of(RequestForbidden)


async def test_the_log_says_once_by_which_name_the_server_was_called_and_what_to_do(
    door: Door,
) -> None:
    for _ in range(3):
        await answer_to(door, upgrade_request(headers=["Host: chat.example"]))
        await ask(door, host="chat.example")
    [told] = forbidden(door)
    assert (told.address, told.host, told.origin) == ("127.0.0.1", "chat.example", None)
    assert told.key == "server.origins"
    assert "server.trusted_proxies" in told.advice
    assert [one.reason for one in door.recorder.of(HandshakeRefused)] == ["Forbidden"] * 6
    await ask(door, headers=["Origin: https://evil.example"])
    assert forbidden(door)[1].origin == "https://evil.example"


async def test_a_stranger_with_many_names_does_not_fill_the_log(door: Door) -> None:
    peer = await dial(door)
    for number in range(3 * FORBIDDEN_PER_MINUTE):
        answer = await peer.ask(host=f"evil{number}.example")
        assert answer.status == 403
    assert len(forbidden(door)) == FORBIDDEN_PER_MINUTE


LOCAL_PROXY = (as_network("127.0.0.1"),)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["Host: chat.example"], 200),
        (["Host: chat.example", "Origin: https://chat.example"], 200),
        (["Host: inside", "X-Forwarded-Host: chat.example", "Origin: https://chat.example"], 200),
        (["Host: inside", "Forwarded: host=chat.example", "Origin: https://chat.example"], 403),
        (["Host: chat.example", "X-Forwarded-Port: 81", "Origin: http://chat.example:81"], 200),
        (["Host: chat.example", "Origin: https://evil.example"], 403),
        (["Host: chat.example", "Origin: http://localhost:5173"], 403),
        (["Host: localhost", "X-Forwarded-Host: chat.example", "Origin: http://localhost"], 403),
        (["Host: chat.example", "X-Forwarded-Host: a@b"], 403),
        (
            ["Host: chat.example", "X-Forwarded-Proto: https", "Origin: http://chat.example"],
            403,
        ),
    ],
)
async def test_what_a_trusted_proxy_passes_on_is_judged_by_the_host_that_was_called(
    headers: list[str], status: int
) -> None:
    rules = CorsPolicy((), is_loopback=True, trusted_proxies=LOCAL_PROXY)
    async with open_door(origins=rules) as door:
        host, more = headers[0].removeprefix("Host: "), headers[1:]
        assert (await ask(door, host=host, headers=more)).status == status
        stream = await door.dial()
        await stream.send_all(upgrade_request(headers=headers))
        answer = await stream.receive_some()
        assert answer.startswith(b"HTTP/1.1 %d " % (101 if status == 200 else status))


@pytest.mark.parametrize(
    ("host", "headers", "status"),
    [
        ("evil.example", ["X-Forwarded-Host: localhost"], 403),
        ("evil.example", ["Forwarded: host=localhost"], 403),
        ("localhost", ["X-Forwarded-Host: evil.example"], 200),
        ("localhost", ["X-Forwarded-Host: evil.example", "Origin: https://evil.example"], 403),
        ("localhost", ["X-Forwarded-For: 203.0.113.9", "Origin: http://localhost:5173"], 403),
        ("localhost", ["Origin: http://localhost:5173"], 200),
    ],
)
async def test_of_a_stranger_no_header_of_proxies_opens_the_door(
    door: Door, host: str, headers: list[str], status: int
) -> None:
    assert (await ask(door, host=host, headers=headers)).status == status


async def test_a_configured_origin_comes_in_from_afar() -> None:
    rules = CorsPolicy(("https://app.example",), is_loopback=False)
    async with open_door(origins=rules) as door:
        headers = ["Origin: https://app.example", "Host: chat.example"]
        await opening(await door.open(headers=headers))


async def test_too_many_handshakes_are_told_when_to_come_back() -> None:
    async with open_door(handshakes_per_second=1) as door:
        await opening(await door.open())
        answer = await answer_to(door, upgrade_request())
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert re.search(rb"\r\nRetry-After: [1-9]\d*\r\n", answer)


async def test_too_many_sessions_of_an_address_are_told_when_to_come_back() -> None:
    async with open_door(sessions_per_address=1) as door:
        peer = await door.open()
        await opening(peer)
        door.identify()
        assert (await answer_to(door, upgrade_request())).startswith(b"HTTP/1.1 503 ")
        await peer.send("1")
        await peer.end()
        await peer.stream.aclose()
        await door.emptied()
        await opening(await door.open())


async def test_too_many_connections_are_told_when_to_come_back() -> None:
    async with open_door(max_connections=1) as door:
        await opening(await door.open())
        door.identify()
        answer = await read_to_end(await door.dial())
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 1\r\n" in answer
        assert door.recorder.of(HandshakeRefused) == [
            HandshakeRefused("127.0.0.1", "max_connections")
        ]


async def test_too_many_connections_of_an_address_are_told_when_to_come_back() -> None:
    async with open_door(connections_per_address=2, sessions_per_address=2) as door:
        first, second = await door.join(), await door.join()
        door.identify()
        answer = await read_to_end(await door.dial())
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 5\r\n" in answer
        assert [one.reason for one in door.recorder.of(HandshakeRefused)] == [
            "connections_per_address"
        ]
        await first.echo()
        await second.stream.aclose()
        await until(lambda: door.admission.connections == 1)
        await opening(await door.open())


async def test_where_descriptors_run_out_it_is_said_once_and_who_waited_is_served(
    door: Door,
) -> None:
    waiting = socket.create_connection(door.address)  # in the kernel: nobody else had a turn
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (waiting.fileno(), hard))
    try:
        await trio.sleep(2.5 * ACCEPT_PAUSE_S)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert door.recorder.of(LimitHit) == [LimitHit("descriptors", None, None)]
    waiting.setblocking(False)
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(waiting))
    door.streams.append(stream)
    await opening(await open_websocket(stream))


async def test_while_draining_a_handshake_is_told_when_to_come_back(door: Door) -> None:
    door.admission.is_draining = True
    answer = await answer_to(door, upgrade_request())
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: " in answer


async def test_garbage_is_a_bad_request(door: Door) -> None:
    answer = await answer_to(door, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("name", ["Host", "Origin", "Authorization", "Sec-WebSocket-Key"])
async def test_a_header_that_may_be_there_once_may_not_be_there_twice(
    door: Door, name: str
) -> None:
    twice = f"{name}: a\r\n{name}: b"
    answer = await answer_to(door, upgrade_request(headers=[twice]))
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_head_that_never_ends_is_too_large(door: Door) -> None:
    stream = await door.dial()
    await stream.send_all(b"GET /socket.io/ HTTP/1.1\r\nX-Endless: " + b"x" * 40_000)
    assert (await read_to_end(stream)).startswith(b"HTTP/1.1 431 ")


async def test_a_large_head_is_too_large_also_when_it_comes_at_once() -> None:
    async with open_door(max_head_bytes=1000) as door:
        answer = await answer_to(door, upgrade_request(headers=["X-Large: " + "x" * 2000]))
        assert answer.startswith(b"HTTP/1.1 431 ")


async def test_frames_behind_a_small_head_do_not_make_it_large() -> None:
    async with open_door(max_head_bytes=1000) as door:
        stream = await door.dial()
        await stream.send_all(upgrade_request() + frame(PONG, b"x" * 100) * 20)
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 101 ")


async def test_a_head_that_is_not_completed_in_time_is_answered_and_closed() -> None:
    async with open_door(head_timeout_s=0.1) as door:
        stream = await door.dial()
        await stream.send_all(b"GET /socket.io/?EIO=4 HTTP/1.1\r\n")
        assert (await read_to_end(stream)).startswith(b"HTTP/1.1 408 ")


async def test_a_peer_that_says_nothing_is_closed_in_time() -> None:
    async with open_door(head_timeout_s=0.1) as door:
        assert (await read_to_end(await door.dial())).startswith(b"HTTP/1.1 408 ")


async def test_a_head_may_come_byte_by_byte(door: Door) -> None:
    stream = await door.dial()
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in upgrade_request():
        await stream.send_all(bytes([byte]))
    assert (await stream.receive_some()).startswith(b"HTTP/1.1 101 ")


async def test_a_reset_while_the_head_is_read_harms_nobody(door: Door) -> None:
    other = await door.join()
    for sent in (b"", b"GET /sock", upgrade_request()):
        stream = await door.dial()
        await stream.send_all(sent)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await stream.aclose()
        await other.echo()


async def test_the_end_of_input_in_the_middle_of_a_head_is_a_bad_request(door: Door) -> None:
    stream = await door.dial()
    await stream.send_all(b"GET /socket.io/")
    await stream.send_eof()
    assert (await read_to_end(stream)).startswith(b"HTTP/1.1 400 ")
    silent = await door.dial()
    await silent.send_eof()
    assert await read_to_end(silent) == b""


async def test_everything_else_is_answered_as_http(door: Door) -> None:
    request = b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    assert (await answer_to(door, request)).startswith(b"HTTP/1.1 404 ")
    request = request.replace(b"/nothing", b"/socket.iox?EIO=4&transport=websocket")
    assert (await answer_to(door, request)).startswith(b"HTTP/1.1 404 ")


async def test_sever_ends_every_connection() -> None:
    async with open_door() as door:
        peers = [await door.join() for _ in range(3)]
        silent = await door.dial()
        door.door.sever()
        for peer in peers:
            assert await peer.end() == 1006
        await read_to_end(silent)
        with trio.fail_after(HARD_LIMIT_S):
            await door.emptied()


POST_BROKEN_OFF = (
    "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\n"
    "Host: 127.0.0.1\r\nContent-Length: 99\r\n\r\n40"
)


async def test_strangers_are_severed_and_users_are_not() -> None:
    async with open_door() as door:
        user, user_by_polling = await door.join(), await join(door)
        door.identify()
        waiting_user = await user_by_polling.poll()
        stranger, waiting = await door.open(), await open_poller(door)
        await opening(stranger)
        poll = await waiting.poll()
        poster = await open_poller(door)
        silent = {
            "nothing": b"",
            "half a head": b"GET /socket.io/?EIO=4&tra",
            "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01",
            "a body of an unknown session": POST_BROKEN_OFF.format(sid="x").encode(),
            "a body of nobody's session": POST_BROKEN_OFF.format(sid=poster.sid).encode(),
            "a page": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        }
        streams = [await door.dial() for _ in silent]
        for stream, said in zip(streams, silent.values(), strict=True):
            await stream.send_all(said)
        await trio.testing.wait_all_tasks_blocked(0.05)

        door.door.sever_strangers()
        with trio.fail_after(HARD_LIMIT_S):
            assert (await poll.answer()).body == b"1"
            with pytest.raises(Ended):
                await stranger.message()
            for stream in streams:
                await read_to_end(stream)
        assert set(door.reasons) == {"server shutting down"}
        await user.echo()
        await user_by_polling.say(b'42["echo","still here"]')
        assert (await waiting_user.answer()).body == b'42["echo","still here"]'


async def test_no_request_is_waited_for_after_stop_accepting() -> None:
    """A user whose session has ended: one connection waits for the end of a body, one for the next
    head after its last answer."""
    async with open_door(head_timeout_s=HARD_LIMIT_S) as door:
        poller = await join(door)
        door.identify()
        waiting, half = await poller.poll(), await door.dial()
        await half.send_all(POST_BROKEN_OFF.format(sid=poller.sid).encode())
        await trio.testing.wait_all_tasks_blocked(0.05)
        poller.session.end(DisconnectReason.SERVER_SHUTDOWN)
        door.door.stop_accepting()
        assert (await waiting.answer()).body == b"1"
        with trio.fail_after(HARD_LIMIT_S / 2):
            await door.admission.emptied()


async def test_after_stop_accepting_open_sessions_go_on_and_heads_do_not(door: Door) -> None:
    peer = await door.join()
    half = await door.dial()
    await half.send_all(b"GET /")
    await peer.echo()
    await trio.testing.wait_all_tasks_blocked()
    door.door.stop_accepting()
    assert await read_to_end(half) == b""
    await peer.echo()

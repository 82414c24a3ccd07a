"""Sessions and connections without a token, as many as anybody likes: they keep nobody out."""

from pathlib import Path

import orjson
import pytest
import trio

from chatd.net.proxies import PROXIES_LOGGED_MAX
from chatd.observe import (
    AuthenticationFailed,
    HandshakeRefused,
    LimitHit,
    ProxyNotTrusted,
    ProxyUnread,
)
from tests.engine.listeners import Door, open_door, opening
from tests.engine.polls import UNKNOWN_SID, ask, join, open_poller, until
from tests.net.peers import NO_CODE, Ended, read_to_end
from tests.service.chats import Chat, connected, open_chat, refused, token

PENDING = 5


async def test_a_client_that_connects_at_once_gets_in_whatever_the_flood() -> None:
    async with open_door(pending_sessions_per_address=PENDING) as door:
        for _ in range(3):
            for _ in range(2 * PENDING):
                await open_poller(door)
            newcomer = await open_poller(door)
            for _ in range(PENDING - 1):
                await open_poller(door)
            await newcomer.say(b"40")
            newcomer.session.identify("ada")
            for _ in range(2 * PENDING):
                await open_poller(door)
            await newcomer.get()  # the answer to its CONNECT
            await newcomer.echo()
        assert len(door.sessions.by_sid) == 3 + PENDING
        assert door.recorder.of(HandshakeRefused) == []
        assert {hit.limit for hit in door.recorder.of(LimitHit)} == {"pending_sessions_per_address"}
        assert set(door.reasons) == {"overloaded"}


async def test_users_get_in_beside_a_flood_and_are_not_put_out_by_it(tmp_path: Path) -> None:
    limits: dict[str, object] = {"pending_sessions_per_address": PENDING, "sessions_per_address": 8}
    async with open_chat(tmp_path, limits=limits) as chat:
        users = []
        for number in range(3):
            strangers = [await chat.open() for _ in range(PENDING)]
            users.append(await chat.enter(f"user {number}"))
            strangers += [await chat.open() for _ in range(PENDING)]
            with pytest.raises(Ended):
                await strangers[0].message()
        for user in users:
            assert (await user.call("chat:history:get", {"connectionId": "sales"}))["ok"]


async def test_whoever_gives_way_while_it_polls_is_told_to_close() -> None:
    async with open_door(pending_sessions_per_address=1) as door:
        poller = await open_poller(door)
        waiting = await poller.poll()
        await open_poller(door)
        answer = await waiting.answer()
        assert (answer.status, answer.body) == (200, b"1")


async def test_whoever_gives_way_between_two_polls_is_told_to_close_at_the_next() -> None:
    async with open_door(pending_sessions_per_address=1) as door:
        poller = await open_poller(door)
        await open_poller(door)
        answer = await poller.post(b"40")
        assert (answer.status, answer.body) == (400, UNKNOWN_SID)
        answer = await poller.get()
        assert (answer.status, answer.body) == (200, b"1")


async def test_whoever_gives_way_on_a_websocket_gets_a_close_frame() -> None:
    async with open_door(pending_sessions_per_address=1) as door:
        peer = await door.open()
        await opening(peer)
        await open_poller(door)
        with pytest.raises(Ended) as ended:
            await peer.message()
        assert ended.value.code == NO_CODE


async def test_whoever_gives_way_while_its_post_is_under_way_is_answered() -> None:
    async with open_door(pending_sessions_per_address=1) as door:
        poller = await open_poller(door)
        stream = await door.dial()
        head = f"POST /socket.io/?{poller.query} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        await stream.send_all(f"{head}Content-Length: 2\r\nConnection: close\r\n\r\n4".encode())
        transport = poller.transport
        await until(lambda: transport._post is not None)
        await open_poller(door)
        await stream.send_all(b"0")
        assert UNKNOWN_SID in await read_to_end(stream)


async def test_connections_of_nobody_keep_nobody_from_the_address() -> None:
    async with open_door(connections_per_address=6, sessions_per_address=6) as door:
        user = await door.join()
        poller = await join(door)
        door.identify()
        waiting = await poller.poll()
        silent = [await door.dial() for _ in range(12)]
        await until(lambda: len(door.recorder.of(LimitHit)) >= 8)
        newcomer = await door.join()
        await newcomer.echo()
        await user.echo()
        await poller.say(b'42["echo","x"]')
        assert (await waiting.answer()).body == b'42["echo","x"]'
        answer = await read_to_end(silent[0])
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 5\r\n" in answer
        assert {hit.limit for hit in door.recorder.of(LimitHit)} == {"connections_per_address"}
        assert door.recorder.of(HandshakeRefused) == []


async def test_sessions_of_nobody_give_way_with_their_connection() -> None:
    async with open_door(max_connections=2) as door:
        peer = await door.open()
        await opening(peer)
        poller = await open_poller(door)
        waiting = await poller.poll()  # for it the WebSocket gives way, which is older
        with pytest.raises(Ended) as ended:
            await peer.message()
        assert ended.value.code == NO_CODE
        await door.dial()  # the connection on which the session was opened, and kept alive
        await door.dial()
        answer = await waiting.answer()
        assert (answer.status, answer.body) == (200, b"1")
        assert {hit.limit for hit in door.recorder.of(LimitHit)} == {"max_connections"}


def from_proxy(address: str) -> dict[str, list[str]]:
    return {"headers": [f"X-Forwarded-For: {address}"]}


async def test_a_proxy_that_is_not_trusted_is_told_of_once(door: Door) -> None:
    for number in range(3):
        await ask(door, **from_proxy(f"192.0.2.{number}"))  # type: ignore[arg-type]
    await door.open(**from_proxy("192.0.2.9"))
    [notice] = door.recorder.of(ProxyNotTrusted)
    assert (notice.address, notice.key) == ("127.0.0.1", "server.trusted_proxies")
    assert "trusted_proxies" in notice.advice


async def test_of_proxies_that_are_not_trusted_a_few_are_told(door: Door) -> None:
    for number in range(3 * PROXIES_LOGGED_MAX):
        door.door._engine._proxies.heard_from(f"192.0.2.{number % (2 * PROXIES_LOGGED_MAX)}")
    assert len(door.recorder.of(ProxyNotTrusted)) == PROXIES_LOGGED_MAX


async def test_nothing_is_told_of_a_trusted_proxy_nor_where_there_is_none(tmp_path: Path) -> None:
    server: dict[str, object] = {"trusted_proxies": ("127.0.0.1",)}
    async with open_chat(tmp_path, server=server) as chat:
        await connected(await chat.connect({"token": token()}, **from_proxy("192.0.2.1")))
        await connected(await chat.connect({"token": token()}))
        assert chat.recorder.of(ProxyNotTrusted) == []
    async with open_chat(tmp_path / "direct") as chat:
        await connected(await chat.connect({"token": token()}))
        assert chat.recorder.of(ProxyNotTrusted) == []


@pytest.mark.parametrize(
    ("read", "written"),
    [
        ("x-forwarded", "Forwarded: for=192.0.2.1"),
        ("forwarded", "X-Forwarded-For: 192.0.2.1"),
    ],
)
async def test_a_trusted_proxy_whose_headers_are_not_read_is_told_of_once(
    tmp_path: Path, read: str, written: str
) -> None:
    server: dict[str, object] = {"trusted_proxies": ("127.0.0.1",), "proxy_headers": read}
    async with open_chat(tmp_path, server=server) as chat:
        for _ in range(2):
            await connected(await chat.connect({"token": token()}, headers=[written]))
        [notice] = chat.recorder.of(ProxyUnread)
        assert (notice.address, notice.key) == ("127.0.0.1", "server.proxy_headers")
        assert "proxy_headers" in notice.advice


BEHIND_A_PROXY: dict[str, object] = {"trusted_proxies": ("127.0.0.1",)}


async def test_bad_tokens_from_all_over_a_network_back_off_as_one_address(tmp_path: Path) -> None:
    async with open_chat(tmp_path, server=BEHIND_A_PROXY) as chat:
        codes = [await code_of(chat, "bad", f"2001:db8:0:1::{number:x}") for number in range(12)]
        assert codes[0] == "token_invalid"
        assert codes[-1] == "rate_limited"
        for same in ("[2001:DB8:0:1::FFFF]:443", "2001:db8:0000:0001:1:1:1:1%eth0"):
            assert await code_of(chat, "bad", same) == "rate_limited"
        assert await code_of(chat, "bad", "2001:db8:0:2::1") == "token_invalid"


async def test_while_bad_tokens_back_off_others_hear_what_is_wrong_with_theirs(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path) as chat:
        while await code_of(chat, "bad") != "rate_limited":
            pass
        assert await code_of(chat, token(now_s=1_000_000_000)) == "token_expired"
        assert await code_of(chat, None) == "unauthorized"
        assert await code_of(chat, "bad") == "rate_limited"
        await connected(await chat.connect({"token": token()}))
        codes = {event.code for event in chat.recorder.of(AuthenticationFailed)}
        assert codes == {"token_invalid", "token_expired", "unauthorized"}


async def code_of(chat: Chat, user_token: str | None, address: str | None = None) -> str:
    """Why a CONNECT with this token, from this address, is refused."""
    request = {} if address is None else from_proxy(address)
    auth: dict[str, object] | None = None if user_token is None else {"token": user_token}
    return str((await refused(await chat.connect(auth, **request)))["data"]["code"])


async def test_sessions_of_a_network_are_counted_together(tmp_path: Path) -> None:
    limits: dict[str, object] = {"sessions_per_address": 2}
    async with open_chat(tmp_path, limits=limits, server=BEHIND_A_PROXY) as chat:
        for number in range(2):
            peer = await chat.connect(
                {"token": token(f"user {number}")}, **from_proxy(f"2001:db8::{number}")
            )
            await connected(peer)
        stream = await trio.open_tcp_stream(*chat.address)
        chat.streams.append(stream)
        request = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n"
        await stream.send_all(f"{request}X-Forwarded-For: 2001:db8::abcd\r\n\r\n".encode())
        answer = bytes(await stream.receive_some())
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert orjson.loads(answer.rpartition(b"\r\n")[2])

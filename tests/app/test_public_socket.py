"""The public port as a unix socket, and behind a proxy that passes on TCP: of a real daemon."""

import json
import os
import re
import socket
import stat
from pathlib import Path

import trio

from chatd.net.proxy_protocol import LOCAL_HEADER
from tests.app.client import token_for
from tests.app.daemon import Daemon, House, fetch_inside
from tests.net.peers import Peer, read_head, read_to_end, upgrade_request
from tests.net.test_proxy_protocol import TLVS, block, inet

SECRET = "a secret for the tests, of more than 32 bytes"
ANN = b"PROXY TCP4 203.0.113.9 192.0.2.1 50123 443\r\n"
BOB = block(0x11, inet("198.51.100.7"), tlvs=TLVS)


def at(path: Path, **more: str) -> dict[str, str]:
    """The environment of a daemon that listens there."""
    return {
        "CHATD_SERVER__HOST": f"unix:{path}",
        "CHATD_AUTH__JWT_SECRET": SECRET,
        "CHATD_LOG__LEVEL": "debug",
        **{f"CHATD_SERVER__{key.upper()}": value for key, value in more.items()},
    }


async def begin(house: House, env: dict[str, str]) -> Daemon:
    """A daemon without a port, once it has started."""
    daemon = await house.begin(env=env)
    await daemon.event("daemon.started")
    return daemon


async def enter(stream: trio.SocketStream, user: str, *headers: str) -> Peer:
    """A user over a WebSocket, on a connection that is there."""
    await stream.send_all(upgrade_request(headers=["Host: localhost", *headers]))
    head, rest = await read_head(stream)
    assert head.startswith(b"HTTP/1.1 101 "), head + rest
    peer = Peer(stream, head, rest)
    assert str(await peer.message()).startswith("0{")
    await peer.connect("40" + json.dumps({"token": token_for(SECRET, user)}))
    return peer


async def addresses(daemon: Daemon, count: int) -> list[str]:
    """Whose sessions were opened, once the log tells of so many."""
    return [event["address"] for event in await daemon.events_of("session.opened", count)]


async def test_a_proxy_at_the_socket_is_trusted_as_unix_and_clients_count_by_their_addresses(
    house: House,
) -> None:
    path = house.path / "chatd.sock"
    daemon = await begin(
        house,
        {
            **at(path, trusted_proxies="unix:", socket_mode="0666"),
            "CHATD_LIMITS__SESSIONS_PER_ADDRESS": "1",
        },
    )
    [started] = daemon.events("daemon.started")
    assert (started["host"], started["port"]) == (f"unix:{path}", None)
    mode = path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o666
    named = ["X-Forwarded-For: 203.0.113.9, unix:", "X-Forwarded-Host: chat.example"]
    async with await trio.open_unix_socket(str(path)) as stream:
        ann = await enter(stream, "ann", *named, "Origin: https://chat.example")
        async with await trio.open_unix_socket(str(path)) as other:
            await other.send_all(upgrade_request(headers=named))
            assert (await read_to_end(other)).startswith(b"HTTP/1.1 503 ")
        async with await trio.open_unix_socket(str(path)) as other:
            await enter(other, "bob", "X-Forwarded-For: 2001:db8::1")
        assert await addresses(daemon, 2) == ["203.0.113.9", "2001:db8::1"]
        page, _, _ = await fetch_inside(path, "/")
        assert page == 200
        health = await house.run("health", env=at(path))
        assert (health.code, json.loads(health.out)["status"]) == (0, "ok")
        daemon.send_signal(15)
        while '"server:draining"' not in str(await ann.message()):
            pass
        await ann.end()
    assert await daemon.ended() == 0
    assert not path.exists()
    health = await house.run("health", env=at(path))
    assert health.code == 1
    assert health.err.startswith(f"chatd: no daemon answers at unix:{path}: ")


async def test_without_trust_a_socket_is_this_machine_and_nothing_else(house: House) -> None:
    path = house.path / "chatd.sock"
    env = at(path)
    del env["CHATD_AUTH__JWT_SECRET"]  # nobody from elsewhere comes in
    daemon = await begin(house, env)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    await daemon.out.having(rf"Get a token for unix:{re.escape(str(path))} with: chatd token mint")
    for headers, status in (
        (["Host: localhost"], b"101"),
        (["Host: chat.example"], b"403"),
        (["Host: chat.example", "X-Forwarded-For: 203.0.113.9"], b"403"),
        (["Host: localhost", "Origin: https://evil.example"], b"403"),
    ):
        async with await trio.open_unix_socket(str(path)) as stream:
            await stream.send_all(upgrade_request(headers=headers))
            answer = await stream.receive_some()
            assert answer.startswith(b"HTTP/1.1 " + status), (headers, answer)
    assert await addresses(daemon, 1) == ["local"]
    await daemon.stop()


async def test_a_socket_that_was_left_behind_is_replaced_and_nothing_else_is(house: House) -> None:
    path = house.path / ("deep" * 20) / "chatd.sock"  # longer than the name of a socket may be
    path.parent.mkdir()
    daemon = await begin(house, at(path))
    await daemon.kill()
    assert path.is_socket()
    umask = os.umask(0o077)
    try:
        again = await begin(house, at(path))
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    second = await house.begin(env={**at(path), "XDG_STATE_HOME": str(house.path / "other")})
    assert await second.ended() == 1
    assert f"The socket {path} cannot be opened: something is there already" in second.err.text
    assert (await house.run("health", env=at(path))).code == 0
    await again.stop()
    path.write_text("a file of somebody's")
    third = await house.begin(env=at(path))
    assert await third.ended() == 1
    assert "set server.host." in third.err.text
    assert path.read_text() == "a file of somebody's"
    nowhere = await house.begin(env=at(house.path / "nowhere" / "chatd.sock"))
    assert await nowhere.ended() == 1
    assert "No such file or directory" in nowhere.err.text


async def test_behind_a_proxy_that_passes_on_tcp_log_and_limits_know_the_client(
    house: House,
) -> None:
    env = {
        "CHATD_AUTH__JWT_SECRET": SECRET,
        "CHATD_LOG__LEVEL": "debug",
        "CHATD_SERVER__PROXY_PROTOCOL": "true",
        "CHATD_SERVER__TRUSTED_PROXIES": "127.0.0.1",
        "CHATD_LIMITS__SESSIONS_PER_ADDRESS": "1",
    }
    daemon = await house.start(env=env)

    async def dial(header: bytes) -> trio.SocketStream:
        stream = await trio.open_tcp_stream("127.0.0.1", daemon.port)
        await stream.send_all(header)
        return stream

    async with await dial(ANN) as first, await dial(BOB) as second, await dial(ANN) as third:
        await enter(first, "ann", "Host: chat.example", "X-Forwarded-For: 6.6.6.6")
        await enter(second, "bob", "Origin: https://chat.example", "Host: chat.example")
        await third.send_all(upgrade_request())
        assert (await read_to_end(third)).startswith(b"HTTP/1.1 503 ")
        assert await addresses(daemon, 2) == ["203.0.113.9", "198.51.100.7"]
        refused = await daemon.event("handshake.refused")
        assert (refused["address"], refused["reason"]) == ("203.0.113.9", "sessions_per_address")
    async with await dial(ANN) as stream:  # what is ordinary HTTP is hers, too
        lines = ["GET /api/web/config HTTP/1.1", "Host: chat.example", "Origin: http://localhost"]
        await stream.send_all("\r\n".join([*lines, "", ""]).encode())
        assert (await read_to_end(stream)).startswith(b"HTTP/1.1 403 ")
    forbidden = await daemon.event("request.forbidden")
    assert (forbidden["address"], forbidden["host"]) == ("203.0.113.9", "chat.example")
    async with await dial(LOCAL_HEADER) as stream:
        await stream.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert (await read_to_end(stream)).startswith(b"HTTP/1.1 200 ")
    async with await dial(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") as stream:
        assert await read_to_end(stream) == b""
    env["CHATD_SERVER__PORT"] = str(daemon.port)
    health = await house.run("health", env=env)
    assert (health.code, json.loads(health.out)["status"]) == (0, "ok")
    await daemon.stop()
    assert daemon.events("internal.error") == []


async def test_a_peer_that_hangs_at_the_socket_keeps_no_drain_from_its_end(house: House) -> None:
    path = house.path / "chatd.sock"
    daemon = await begin(house, at(path, proxy_protocol="true", trusted_proxies="unix:"))
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(path))
        silent.sendall(ANN[:10])
        await daemon.stop()
    assert not path.exists()

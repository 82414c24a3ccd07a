"""`chatd admin` beside a running daemon: what it shows, what it does, and who may."""

import json
import os
import re
from typing import Any

import pytest
import trio

from tests.app.client import Client, Refused, token_for
from tests.app.daemon import NO_LIMITS, PAUSE_S, Finished, House, fetch, fetch_inside
from tests.app.test_errors import sentence
from tests.app.test_kill import SECRET
from tests.peers.servers import free_port

ENV = {**NO_LIMITS, "CHATD_AUTH__JWT_SECRET": SECRET}


async def admin(house: House, *arguments: str) -> Any:
    done = await house.run("admin", *arguments, "--json")
    assert (done.code, done.err) == (0, ""), done
    return json.loads(done.out)


async def test_an_administrator_sees_the_daemon_and_no_content(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    alice = await Client.connect(
        nursery, daemon.port, token_for(SECRET, "alice", user_metadata={"name": "Alice"})
    )
    await alice.say("marmalade")
    status, rooms, users = [await admin(house, name) for name in ("status", "rooms", "users")]
    assert (status["status"], status["users"], status["sockets"]) == ("ok", 1, 1)
    assert rooms == {
        "total": 1,
        "rooms": [{"connectionId": "demo", "present": 1, "members": 1, "lastSeq": 1}],
    }
    [user] = users["users"]
    assert (user["userId"], user["name"], user["rooms"]) == ("alice", "Alice", ["demo"])
    assert user["sockets"][0]["address"] == "127.0.0.1"
    for name in ("status", "rooms", "users"):
        shown = await house.run("admin", name)
        assert shown.code == 0
        assert "marmalade" not in shown.out
    assert "alice" in shown.out
    await daemon.stop()


async def test_what_an_administrator_does_is_done_logged_and_audited(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    token = token_for(SECRET, "bob")
    bob = await Client.connect(nursery, daemon.port, token)
    for user in (alice, bob):
        await user.caught_up(["demo"])
    assert await admin(house, "say", "Down at six", "--room", "demo") == {"rooms": 1}
    said = await alice.hear("chat:message")
    assert (said["userId"], said["name"]) == ("chatd:system", "Administrator")
    assert said["content"] == "Down at six"
    [socket_id] = [
        user["sockets"][0]["socketId"]
        for user in (await admin(house, "users"))["users"]
        if user["userId"] == "alice"
    ]
    assert await admin(house, "kick", socket_id) == {"kicked": 1, "outcome": "done"}
    await alice.gone()
    assert await admin(house, "revoke", "bob") == {
        "revoked": "bob",
        "kicked": 1,
        "isKnown": True,
    }
    mistyped = await house.run("admin", "revoke", "Bob")
    assert "Nobody with the id Bob is connected or a member of a room." in mistyped.out
    await bob.gone()
    with pytest.raises(Refused) as caught:
        await Client.connect(nursery, daemon.port, token)
    assert caught.value.code == "token_revoked"
    assert "[api.tokens]" in sentence(await house.run("admin", "revoke", "bot:alerts"), 1)
    assert "A user id" in sentence(await house.run("admin", "revoke", "chatd:system"), 1)
    assert "no such room" in sentence(await house.run("admin", "say", "x", "--room", "nowhere"), 1)
    actions = [(one["action"], one["outcome"]) for one in daemon.events("admin.acted")]
    assert actions == [(one, "done") for one in ("say", "kick", "revoke", "revoke")]
    audited = await house.run("audit", "--json")
    entries = [json.loads(line) for line in audited.out.splitlines()]
    assert [one["action"] for one in entries] == ["say", "kick", "revoke", "revoke"]
    assert {one["userId"] for one in entries} == {f"uid:{os.getuid()}"}
    assert "Down at six" not in daemon.err.text + audited.out
    await daemon.stop()


async def test_the_log_is_followed_live(house: House, nursery: trio.Nursery) -> None:
    daemon = await house.start(env=ENV)
    place = str(house.state_dir / "internal.sock")
    stream = await trio.open_unix_socket(place)
    async with stream:
        await stream.send_all(b"GET /admin/tail HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b""
        with trio.fail_after(60):
            while b"\r\n\r\n" not in received:
                received += await stream.receive_some()
            alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
            await alice.say("marmalade")
            while b'"event":"message.sent"' not in received:
                received += await stream.receive_some()
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b'"event":"socket.connected"' in received
    assert b"marmalade" not in received
    assert (await fetch_inside(place, "/admin/status"))[0] == 200
    await daemon.stop()


async def test_the_command_that_follows_the_log_shows_lines_and_ends_with_the_daemon(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    done: list[Finished] = []

    async def follow() -> None:
        done.append(await house.run("admin", "tail"))

    async with trio.open_nursery() as following:
        following.start_soon(follow)
        with trio.fail_after(60):
            while not await _is_followed(house):  # noqa: ASYNC110 - of a process
                await trio.sleep(PAUSE_S)
        alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
        await alice.say("marmalade")
        await daemon.stop()
    [ended] = done
    assert "socket.connected" in ended.out
    assert "user_id=alice" in ended.out
    assert "marmalade" not in ended.out


async def _is_followed(house: House) -> bool:
    """Whether somebody has a connection to the private socket."""
    _, _, body = await fetch_inside(house.state_dir / "internal.sock", "/admin/status")
    return int(json.loads(body)["followers"]) > 0


async def test_no_port_takes_orders_unless_the_configuration_says_so(house: House) -> None:
    port = free_port()
    env = {**ENV, "CHATD_SERVER__INTERNAL": f"127.0.0.1:{port}"}
    daemon = await house.start(env=env)
    assert (await fetch(port, "/livez"))[0] == 200
    assert (await fetch(port, "/admin/status"))[0] == 404
    refused = await house.run("admin", "status", env=env)
    assert "set server.internal_admin" in sentence(refused, 1)
    assert (await fetch(daemon.port, "/admin/status"))[0] == 404
    await daemon.stop()
    env["CHATD_SERVER__INTERNAL_ADMIN"] = "true"
    daemon = await house.start(env=env)
    assert (await house.run("admin", "status", env=env)).code == 0
    await daemon.stop()


async def test_hostile_requests_are_refused_in_a_sentence(house: House) -> None:
    daemon = await house.start(env=ENV)
    place = house.state_dir / "internal.sock"
    for path in ("/admin/", "/admin/nothing", "/admin/status/"):
        assert (await fetch_inside(place, path))[0] == 404
    assert (await fetch_inside(place, "/admin/kick"))[0] == 405
    assert (await fetch_inside(place, "/admin/tail?level=loud"))[0] == 400
    for body, status in (
        (b"", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"target": 1}', 400),
        (b'{"target": ""}', 400),
        (b'{"target": "<b>"}', 400),
        (b'{"target": "%b"}' % (b"x" * 300), 400),
        (b'{"target": "%b"}' % (b"x" * 200_000), 413),
    ):
        answered = await _post(house, "/admin/kick", body)
        assert answered.startswith(f"HTTP/1.1 {status} "), (body[:40], answered)
        assert re.search(r'"message":"[A-Za-z][^"]*\."', answered) or status == 413
    await daemon.stop()


async def _post(house: House, path: str, body: bytes) -> str:
    stream = await trio.open_unix_socket(str(house.state_dir / "internal.sock"))
    async with stream:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        await stream.send_all(head.encode() + body)
        return b"".join([piece async for piece in stream]).decode()

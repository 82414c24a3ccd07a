"""SIGHUP takes a changed configuration over while users stay: all of it or nothing."""

import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.app.client import Client, Refused, message, token_for
from tests.app.daemon import (
    NO_LIMITS,
    PAUSE_S,
    START_S,
    Daemon,
    House,
    fetch,
    fetch_inside,
)
from tests.app.questions import answer
from tests.app.service_manager import NoticeSocket
from tests.app.test_kill import SECRET

OTHER_SECRET = "another secret of the same project, long enough"
OUTCOME = "configuration.re"  # reloaded, or refused
TOLD = f'"event":"{OUTCOME}'
ALL = ["alice", "bob"]


def written(
    *,
    secret: str = SECRET,
    sales: list[str] = ALL,
    stock: list[str] = ALL,
    more: str = "",
    server: str = "",
) -> str:
    return f"""
        [server]
        {server}
        [auth]
        jwt_secret = "{secret}"
        [directory]
        source = "file"
        [directory.connections.sales]
        users = {sales}
        [directory.connections.stock]
        users = {stock}
        {more}
    """


async def reload(daemon: Daemon) -> dict[str, Any]:
    """Have the configuration read again; the line of the log that tells what came of it."""
    told = daemon.err.text.count(TOLD)
    daemon.send_signal(signal.SIGHUP)
    with trio.fail_after(START_S):
        while daemon.err.text.count(TOLD) == told:  # noqa: ASYNC110 - the log is a file to a test
            await trio.sleep(PAUSE_S)
    await daemon.err.having(r"\n\Z")  # the whole line
    line: dict[str, Any] = [line for line in daemon.events() if line["event"].startswith(OUTCOME)][
        told
    ]
    return line


async def enter(nursery: trio.Nursery, daemon: Daemon, user: str, secret: str = SECRET) -> Client:
    client = await Client.connect(nursery, daemon.port, token_for(secret, user))
    await client.hear("connection:status", status="connected")
    return client


async def opened_from(origin: str, port: int) -> int:
    """The status of a handshake by polling from a page of this origin."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(
            b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Connection: close\r\nOrigin: %b\r\n\r\n" % origin.encode()
        )
        head = b""
        while b"\r\n" not in head:
            head += await stream.receive_some()
    return int(head.split()[1])


async def test_who_loses_a_room_is_told_and_leaves_it_and_nobody_else_notices(
    house: House, nursery: trio.Nursery
) -> None:
    house.config(written())
    daemon = await house.start()
    alice, again, bob = [await enter(nursery, daemon, user) for user in ("alice", "alice", "bob")]
    for client in (alice, again, bob):
        for room in ("sales", "stock"):
            await client.hear("chat:history", connectionId=room)
    house.config(written(sales=["bob"]))
    line = await reload(daemon)
    assert (line["event"], line["changed"]) == (
        "configuration.reloaded",
        ["directory.connections"],
    )
    assert (line["needs_restart"], line["sockets"]) == ([], 2)
    for client in (alice, again):
        left = await client.hear("connection:left")
        assert left == {"connectionId": "sales", "code": "forbidden_room"}
    assert not bob.said("connection:left")
    refused = await alice.ask("chat:message", message("may I?", "sales"))
    assert refused["error"]["code"] == "forbidden_room"
    refused = await alice.ask("connection:join", {"connectionId": "sales"})
    assert refused["error"]["code"] == "forbidden_room"
    assert (await bob.ask("chat:message", message("only we two now", "sales")))["ok"]
    assert (await bob.ask("chat:message", message("for all", "stock")))["ok"]
    await alice.hear("chat:message", content="for all")
    assert not [told for told in alice.said("chat:message") if told["connectionId"] == "sales"]
    house.config(written())
    assert (await reload(daemon))["sockets"] == 0
    joined = await alice.ask("connection:join", {"connectionId": "sales"})
    assert joined["ok"]
    assert not any(client.is_gone for client in (alice, again, bob))
    await daemon.stop()


async def test_tokens_limits_origins_and_the_log_are_taken_over(
    house: House, nursery: trio.Nursery
) -> None:
    house.config(written())
    daemon = await house.start()
    alice = await enter(nursery, daemon, "alice")
    assert await opened_from("https://app.example", daemon.port) == 403
    house.config(
        written(
            secret=OTHER_SECRET,
            server='origins = ["https://app.example"]',
            more='[limits]\nuser_messages_per_minute = 2\n[log]\nlevel = "debug"\n',
        )
    )
    line = await reload(daemon)
    assert line["changed"] == [
        "server.origins",
        "auth.jwt_secret",
        "limits.user_messages_per_minute",
        "log.level",
    ]
    assert OTHER_SECRET not in daemon.err.text
    with pytest.raises(Refused) as refused:
        await enter(nursery, daemon, "bob")
    assert refused.value.code == "token_invalid"
    assert await opened_from("https://app.example", daemon.port) == 200
    bob = await enter(nursery, daemon, "bob", OTHER_SECRET)
    [(_, status)] = [told for told in bob.heard if told[0] == "connection:status"]
    assert status["limits"]["messagesPerMinute"] == 2
    acks = [await alice.ask("chat:message", message("spam", "sales")) for _ in range(4)]
    assert [ack["ok"] for ack in acks] == [True, True, False, False]
    await daemon.event("message.received")  # which is of the level debug
    house.config(written(secret=OTHER_SECRET, more='[log]\nformat = "logfmt"\n'))
    daemon.send_signal(signal.SIGHUP)
    await daemon.err.having(r"event=configuration.reloaded.*log.format")
    assert not alice.is_gone
    await daemon.stop()


async def test_the_page_learns_who_makes_tokens_now(house: House) -> None:
    house.config(written())
    daemon = await house.start()

    async def mints() -> bool:
        told = json.loads((await fetch(daemon.port, "/api/web/config"))[2])
        return bool(told["mints"])

    assert await mints()
    (house.path / "keys.json").write_text('{"keys": []}')
    issued = f'jwks = "{house.path / "keys.json"}"'
    house.config(written().replace(f'jwt_secret = "{SECRET}"', issued))
    await reload(daemon)
    assert not await mints()
    await daemon.stop()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(
            written(sales=["bob"], more="[limits]\nmessages = 1\n"), "not a key", id="key"
        ),
        pytest.param(written(sales=["bob"], secret="short"), "needs at least 32", id="secret"),
        pytest.param(written(sales=["bob"]) + "[", "chatd.toml", id="no TOML"),
        pytest.param(None, "chatd.toml", id="no file"),
    ],
)
async def test_a_mistake_leaves_all_as_it_is_and_is_told(
    house: House, nursery: trio.Nursery, text: str | None, sentence: str
) -> None:
    path = house.config(written())
    address = f"@chatd tests {os.getpid()} {house.path.name}"
    async with NoticeSocket(address) as manager:
        daemon = await house.start("--config", str(path), env={"NOTIFY_SOCKET": address})
        alice = await enter(nursery, daemon, "alice")
        await alice.hear("chat:history", connectionId="sales")
        await manager.hear("READY")
        if text is None:
            path.unlink()
        else:
            path.write_text(text)
        line = await reload(daemon)
        assert line["event"] == "configuration.refused"
        assert any(sentence in mistake for mistake in line["mistakes"]), line
        reloading = await manager.hear("RELOADING")
        assert int(reloading["MONOTONIC_USEC"]) > 0
        ready = await manager.hear("READY")
        assert ready["STATUS"].startswith("The new configuration is refused: ")
        assert (await alice.ask("chat:message", message("still here", "sales")))["ok"]
        assert not alice.said("connection:left")
        path.write_text(written(sales=["bob"]))
        assert (await reload(daemon))["sockets"] == 1
        assert (await manager.hear("READY"))["STATUS"].startswith("Serves on ")
        await daemon.stop()


async def test_what_needs_a_restart_is_named_each_time_and_the_rest_is_taken_over(
    house: House,
) -> None:
    house.config(written())
    daemon = await house.start("--log-level", "info")
    before = (await fetch(daemon.port, "/api/web/config"))[2]
    house.config(
        written(
            server='host = "127.0.0.9"\nmax_connections = 5',
            more='[web]\ntitle = "new"\n[log]\nlevel = "error"\n[limits]\nrooms_per_socket = 7\n',
        )
    )
    for changed in (["limits.rooms_per_socket"], []):
        line = await reload(daemon)
        assert line["changed"] == changed  # the flag for the level is over the file
        assert line["needs_restart"] == ["server.host", "server.max_connections", "web.title"]
    assert (await fetch(daemon.port, "/api/web/config"))[2] == before
    await daemon.stop()


async def test_reloads_under_load_lose_nothing_and_drop_nobody(
    house: House, nursery: trio.Nursery
) -> None:
    house.config(written())
    daemon = await house.start(env={**NO_LIMITS, "CHATD_STATE__DURABILITY": "write"})
    clients = [await enter(nursery, daemon, user) for user in ("alice", "bob", "alice", "bob")]
    acknowledged: list[str] = []
    is_over = False

    async def talk(client: Client) -> None:
        while not is_over:
            ack = await client.ask("chat:message", message("on and on", "stock"))
            assert ack["ok"], ack
            acknowledged.append(ack["messageId"])

    async with trio.open_nursery() as talking:
        for client in clients:
            talking.start_soon(talk, client)
        for number in range(6):
            sales = ALL[number % 2 :]
            house.config(written(sales=sales, more=f"[limits]\nrooms_per_socket = {number + 5}\n"))
            assert (await reload(daemon))["event"] == "configuration.reloaded"
        is_over = True
    assert not any(client.is_gone for client in clients)
    kept = [shown["messageId"] for shown in await clients[0].whole_room("stock")]
    assert sorted(kept) == sorted(acknowledged)
    for _ in range(20):  # as many as come while one is under way are one or two
        daemon.send_signal(signal.SIGHUP)
    await reload(daemon)
    assert not daemon.events("internal.error")
    await daemon.stop()


@pytest.mark.answers
async def test_databases_come_go_and_change_while_others_answer_on(
    house: House, nursery: trio.Nursery
) -> None:
    def with_databases(*tables: str) -> str:
        return written(more="[answers]\ncache_ttl_s = 600\n" + "\n".join(tables))

    sample, other = "[databases.{}]\nsample = true\n", "[databases.{}]\nsqlite = '{}'\n"
    file = house.path / "other.db"
    make_database(file, "a_table_of_its_own")
    house.config(with_databases(sample.format("sales")))
    daemon = await house.start()
    alice = await enter(nursery, daemon, "alice")
    assert "orders" in str(await answer(alice, "/tables", "sales"))
    assert (await alice.ask("chat:message", message("/tables", "stock")))["ok"]
    await alice.hear("chat:hint")
    house.config(with_databases(sample.format("sales"), other.format("stock", file)))
    assert (await reload(daemon))["changed"] == ["databases.stock"]
    assert "a_table_of_its_own" in str(await answer(alice, "/tables", "stock"))
    house.config(with_databases(other.format("sales", file), other.format("stock", file)))
    assert (await reload(daemon))["changed"] == ["databases.sales"]
    shown = str(await answer(alice, "/tables", "sales"))  # not what the cache has of the first one
    assert "a_table_of_its_own" in shown
    assert "orders" not in shown
    _, _, metrics = await fetch_inside(house.state_dir / "internal.sock", "/metrics")
    rooms = [line for line in metrics.decode().split("\n") if line.startswith("chatd_database_up")]
    assert len(rooms) == 2
    house.config(with_databases(other.format("sales", file)))
    assert (await reload(daemon))["changed"] == ["databases.stock"]
    hints = len(alice.said("chat:hint"))
    assert (await alice.ask("chat:message", message("/tables", "stock")))["ok"]
    while len(alice.said("chat:hint")) == hints:
        await alice.ask("connection:leave", {"connectionId": "a room that is not there"})
    assert "a_table_of_its_own" in str(await answer(alice, "/tables", "sales"))
    newcomer = await enter(nursery, daemon, "bob")
    [status] = [told for told in newcomer.said("connection:status") if "rooms" in told]
    assert {room["connectionId"]: "database" in room for room in status["rooms"]} == {
        "sales": True,
        "stock": False,
    }
    assert not daemon.events("internal.error")
    await daemon.stop()


@pytest.mark.answers
async def test_the_sample_is_made_where_a_reload_is_the_first_to_name_it(
    house: House, nursery: trio.Nursery
) -> None:
    file = house.path / "own.db"
    make_database(file, "a_table_of_its_own")
    own = f"[databases.sales]\nsqlite = '{file}'\n"
    house.config(written(more=own))
    daemon = await house.start()
    assert not (house.state_dir / "sample.sqlite3").exists()
    house.config(written(more=f"{own}[databases.stock]\nsample = true\n"))
    await reload(daemon)
    alice = await enter(nursery, daemon, "alice")
    assert "orders" in str(await answer(alice, "/tables", "stock"))
    await daemon.stop()


def make_database(path: Path, table: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY)")

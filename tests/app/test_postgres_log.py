"""A daemon whose log is in PostgreSQL: `kill -9`, a server that crashes, and what stops a start."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from chatd.postgres_store.sessions import LogAddress
from tests.app.client import Client, token_for
from tests.app.daemon import NO_LIMITS, House
from tests.app.test_errors import sentence
from tests.app.test_kill import ROOMS, SECRET, Flood
from tests.postgres import Postgres, a_server, program
from tests.postgres_store.logs import new_address, rows_of, run_in

PASSWORD = "hunter2-of-the-log"
LIMIT_S = 240.0  # only what hangs takes so long
TOOLS = {"backup": "pg_dump", "restore": "pg_restore"}
BLOCKED = """
import sys
sys.modules["psycopg"] = None
from chatd.cli import main
main()
"""
NEWER = """
import psycopg
psycopg.__version__ = "3.4.0"
from chatd.cli import main
main()
"""
IMPORTED = """
import chatd.app.build, chatd.app.tree, chatd.app.logs, chatd.app.daemon, sys
print(sorted(name for name in sys.modules if "postgres_" in name or name == "psycopg"))
"""


def settings(address: LogAddress, **more: str) -> dict[str, str]:
    return {
        **NO_LIMITS,
        "CHATD_AUTH__JWT_SECRET": SECRET,
        "CHATD_STATE__URL": address.url.replace("postgres@", f"postgres:{PASSWORD}@"),
        "CHATD_STATE__DURABILITY": "fsync" if address.is_synced else "write",
        "CHATD_ANSWERS__ENABLED": "false",
        **more,
    }


@pytest.fixture
def own_server() -> Iterator[Postgres]:
    with a_server(fsync="on") as server:
        yield server


async def flood(port: int, what: Flood, nursery: trio.Nursery) -> None:
    for number in range(3):
        user = f"user{number}"
        client = await Client.connect(nursery, port, token_for(SECRET, user, ROOMS))
        for lane in range(3):
            nursery.start_soon(what.send, client, user, ROOMS[(number + lane) % 2])


def is_kept(address: LogAddress, what: Flood) -> None:
    """What was acknowledged is there once, at its seq, and rooms are dense."""
    for room in ROOMS:
        rows = rows_of(
            address,
            "SELECT seq, encode(message_id, 'hex') FROM messages JOIN rooms USING (room_id)"
            f" WHERE connection_id = '{room}' ORDER BY seq",
        )
        assert [seq for seq, _ in rows] == list(range(1, len(rows) + 1))
        kept = dict(rows)
        for seq, message_id in what.acked[room].items():
            assert kept[seq] == message_id.replace("-", "")


async def test_what_was_acknowledged_outlives_kill_9_and_a_crash_of_the_server(
    house: House, own_server: Postgres
) -> None:
    address = LogAddress(own_server.url(own_server.new_database(), "postgres"), "chatd")
    daemon = await house.start(env=settings(address))
    what = Flood(is_patient=True)  # a server may recover for longer than the daemon waits for it
    with trio.fail_after(LIMIT_S):
        async with trio.open_nursery() as nursery:
            await flood(daemon.port, what, nursery)
            await what.reached(60)
            own_server.crash()
            before = what.count
            await trio.to_thread.run_sync(own_server.start)
            await what.reached(before + 60)
            assert what.refused == set()
            await daemon.kill()
            nursery.cancel_scope.cancel()
        is_kept(address, what)
        daemon = await house.start(env=settings(address))
        again = Flood()
        async with trio.open_nursery() as nursery:
            await flood(daemon.port, again, nursery)
            await again.reached(10)
            nursery.cancel_scope.cancel()
        await daemon.stop()
    is_kept(address, what)
    is_kept(address, again)
    assert PASSWORD not in daemon.err.text


async def test_a_start_that_cannot_have_the_database_says_why_and_shows_no_secret(
    house: House, postgres: Postgres
) -> None:
    address = new_address(postgres)
    daemon = await house.start(env=settings(address))
    serve = ("serve", "--port", "0", "--state-dir", "other")
    taken = await house.run(*serve, env=settings(address))
    assert "[state] url (schema_in_use): Another chatd" in sentence(taken, 1)
    await daemon.stop()
    for url, code, says in (
        (f"postgresql://chat:{PASSWORD}@127.0.0.1:1/app", 1, "(log_unreachable): "),
        (f"postgresql://chat:{PASSWORD}@x@db/app", 78, "(state_url_invalid): "),
        (f"mysql://chat:{PASSWORD}@db/app", 78, "state.url must be the address"),
    ):
        env = settings(address) | {"CHATD_STATE__URL": url}
        done = await house.run(*serve, env=env)
        assert says in sentence(done, code)
        assert PASSWORD not in done.err + done.out
    missing = await house.run(
        *serve, env=settings(address), program=(sys.executable, "-c", BLOCKED)
    )
    assert 'pip install ".[postgres]"' in sentence(missing, 78)


async def test_the_commands_for_operators_work_on_it_or_say_what_to_use(
    house: House, postgres: Postgres, tmp_path: Path
) -> None:
    address = new_address(postgres)
    env = settings(address)
    daemon = await house.start(env=env)
    async with trio.open_nursery() as nursery:
        client = await Client.connect(nursery, daemon.port, token_for(SECRET, "ada"))
        await client.say("hello")
        verified = await house.run("store", "verify", env=env)  # beside the daemon
        assert (verified.code, verified.err) == (0, "")
        assert "The store in the schema chatd of PostgreSQL is sound: 1 message," in verified.out
        nursery.cancel_scope.cancel()
    erased = await house.run("user", "erase", "eve", "--yes", env=env)
    assert (erased.code, erased.err) == (0, "")
    await daemon.stop()
    for what, name in (("user", "ada"), ("room", "demo")):
        target = tmp_path / what
        exported = await house.run(what, "export", name, str(target), env=env)
        assert (exported.code, exported.err) == (0, "")
        assert b'"hello"' in target.read_bytes()
    offline = await house.run("room", "delete", "demo", "--yes", env=env)
    assert offline.code == 0
    told = await house.run("audit", env=env)
    assert [line.split("  ")[2] for line in told.out.splitlines()] == ["erase user", "delete room"]
    target = str(tmp_path / "copy")
    for command in ("backup", "restore"):
        done = await house.run("store", command, target, env=env)
        assert f"use {TOOLS[command]} (chatd docs" in sentence(done, 78)
    run_in(address, "UPDATE chatd.rooms SET last_seq = 9")
    damaged = await house.run("store", "verify", env=env)
    assert damaged.code == 74
    assert "Room 'demo' is said to have come to seq 9" in damaged.out
    assert PASSWORD not in damaged.out + damaged.err


async def test_a_dump_of_a_log_in_use_is_restored_into_another_database_and_served(
    house: House, postgres: Postgres, tmp_path: Path
) -> None:
    """As docs/operations has it, by the tools of PostgreSQL."""
    address, other = new_address(postgres), new_address(postgres)
    dump = tmp_path / "monday.dump"
    daemon = await house.start(env=settings(address))
    what = Flood()
    with trio.fail_after(LIMIT_S):
        async with trio.open_nursery() as nursery:
            await flood(daemon.port, what, nursery)
            await what.reached(30)
            at_dump = {room: dict(what.acked[room]) for room in ROOMS}
            await tool(
                "pg_dump", "--format=custom", "--schema=chatd", f"--file={dump}", address.url
            )
            await what.reached(what.count + 30)
            nursery.cancel_scope.cancel()
        await daemon.stop()
        await tool(
            *("pg_restore", "--exit-on-error", "--single-transaction", "--no-owner"),
            *(f"--dbname={other.url}", str(dump)),
        )
        for statement in (
            "UPDATE chatd.meta SET epoch = substr(md5(random()::text), 1, 16)",
            "UPDATE chatd.members SET version = 1",
            "DELETE FROM chatd.removals",
        ):
            run_in(other, statement)
        verified = await house.run("store", "verify", env=settings(other))
        assert verified.code == 0, verified.out
        daemon = await house.start(env=settings(other))
        for room in ROOMS:
            kept = dict(
                rows_of(
                    other,
                    "SELECT seq, encode(message_id, 'hex') FROM messages JOIN rooms USING (room_id)"
                    f" WHERE connection_id = '{room}'",
                )
            )
            for seq, message_id in at_dump[room].items():
                assert kept[seq] == message_id.replace("-", "")
        again = Flood()
        async with trio.open_nursery() as nursery:
            await flood(daemon.port, again, nursery)
            await again.reached(10)
            nursery.cancel_scope.cancel()
        await daemon.stop()
    verified = await house.run("store", "verify", env=settings(other))
    assert verified.code == 0, verified.out
    epochs = {rows_of(one, "SELECT epoch FROM meta")[0] for one in (address, other)}
    assert len(epochs) == 2


async def tool(*command: str) -> None:
    """Run a program of PostgreSQL, of the server's version."""
    done = await trio.run_process(
        [program(command[0]), *command[1:]], capture_stderr=True, check=False
    )
    assert done.returncode == 0, done.stderr


async def test_with_another_psycopg_connections_take_threads_and_keep_all_promises(
    house: House, postgres: Postgres
) -> None:
    address = new_address(postgres)
    bus = {"CHATD_BUS__URL": address.url, "CHATD_CLUSTER__NODE": "a"}
    program = (sys.executable, "-c", NEWER, "serve")
    daemon = await house.start(env=settings(address) | bus, program=program)
    [event] = daemon.events("postgres.threaded")
    assert event["reason"] == "psycopg 3.4.0 is not 3.3.x"
    what = Flood()
    with trio.fail_after(LIMIT_S):
        async with trio.open_nursery() as nursery:
            client = await Client.connect(nursery, daemon.port, token_for(SECRET, "eve", ROOMS))
            assert (await client.say("hello", ROOMS[0]))["ok"]
            found = await client.ask("chat:search", {"query": "hello", "limit": 3})
            assert (found["ok"], len(found["hits"])) == (True, 1), found
            await flood(daemon.port, what, nursery)
            await what.reached(60)
            await daemon.kill()
            nursery.cancel_scope.cancel()
    is_kept(address, what)


async def test_nothing_of_postgres_is_imported_where_the_log_is_in_sqlite(house: House) -> None:
    done = await house.run(program=(sys.executable, "-c", IMPORTED))
    assert (done.out, done.err) == ("[]\n", "")

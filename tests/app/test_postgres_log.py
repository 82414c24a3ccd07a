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
from tests.postgres import Postgres, a_server
from tests.postgres_store.logs import new_address, rows_of

PASSWORD = "hunter2-of-the-log"
LIMIT_S = 90.0
BLOCKED = """
import sys
sys.modules["psycopg"] = None
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
    what = Flood()
    with trio.fail_after(LIMIT_S):
        async with trio.open_nursery() as nursery:
            await flood(daemon.port, what, nursery)
            await what.reached(60)
            own_server.crash()
            before = what.count
            await trio.to_thread.run_sync(own_server.start)
            await what.reached(before + 60)  # nobody was refused
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
    assert 'pip install "chatd[postgres]"' in sentence(missing, 78)


async def test_the_audit_is_told_and_commands_that_know_files_alone_say_so(
    house: House, postgres: Postgres, tmp_path: Path
) -> None:
    address = new_address(postgres)
    env = settings(address)
    daemon = await house.start(env=env)
    erased = await house.run("user", "erase", "eve", "--yes", env=env)
    assert (erased.code, erased.err) == (0, "")
    await daemon.stop()
    offline = await house.run("room", "delete", "demo", "--yes", env=env)
    assert offline.code == 0
    told = await house.run("audit", env=env)
    assert [line.split("  ")[2] for line in told.out.splitlines()] == ["erase user", "delete room"]
    target = str(tmp_path / "copy")
    for command in (
        ("store", "verify"),
        ("store", "backup", target),
        ("user", "export", "ada", target),
        ("room", "export", "demo", target),
    ):
        done = await house.run(*command, env=env)
        assert "the log is in PostgreSQL" in sentence(done, 78)


async def test_nothing_of_postgres_is_imported_where_the_log_is_in_sqlite(house: House) -> None:
    done = await house.run(program=(sys.executable, "-c", IMPORTED))
    assert (done.out, done.err) == ("[]\n", "")

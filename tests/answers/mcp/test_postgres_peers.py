"""A real Postgres behind the db-mcp of somebody else: its locks hold, and nothing runs on."""

import os
import signal
from collections.abc import Iterator
from typing import Any, Final

import attrs
import psycopg
import pytest
import trio

from chatd.answers.mcp.inspection import inspect
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.mcp.stdio import WARDEN
from chatd.answers.requests import (
    DatabaseFailed,
    DescribeTable,
    ExplainStatement,
    ListTables,
    RunStatement,
    SampleTable,
    Stopped,
    Terms,
)
from chatd.answers.sql.guard import check_statement
from chatd.answers.sql.verdicts import Allowed, Policy
from tests.answers.mcp.pools import LIMIT_S, Plate, running
from tests.answers.mcp.test_others import venv
from tests.app.questions import children
from tests.postgres import Postgres

SCHEMA: Final = """
    CREATE TABLE orders (id int, total numeric);
    INSERT INTO orders VALUES (1, 9.5), (2, 0.1);
    CREATE TABLE written (at timestamptz);
    -- Called by a dot: o.purge. The guard cannot tell it from a column.
    CREATE FUNCTION purge(orders) RETURNS int LANGUAGE sql SECURITY DEFINER
        AS $$ INSERT INTO written VALUES (now()); SELECT 1 $$;
    DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reader')
        THEN CREATE ROLE reader LOGIN; END IF; END $$;
    GRANT SELECT ON orders TO reader;
"""
ENDLESS: Final = "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b"


@attrs.frozen
class Shop:
    """A database of Postgres, and the configuration of a db-mcp that asks it."""

    connection: "psycopg.Connection[Any]"
    url: str

    def configured(
        self, environment: dict[str, str] | None = None, **more: Any
    ) -> DatabaseSettings:
        return DatabaseSettings(
            **{
                "command": (venv("mcp-alchemy"),),
                "environment": {"DB_URL": self.url, **(environment or {})},
                "dialect": "postgres",
                "mapping": "mcp-alchemy",
                "credentials": "read-only",
                "connections": 1,
                "start_timeout_s": 60.0,
                **more,
            }
        )

    def running_statements(self) -> int:
        row = self.connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND usename = 'reader' "
            "AND datname = current_database() AND query LIKE '%generate_series%'"
        ).fetchone()
        assert row is not None
        return int(row[0])

    async def until_running(self, count: int) -> None:
        """Until `ENDLESS` runs so often for the db-mcp; a server cannot be waited for otherwise."""
        with trio.fail_after(LIMIT_S):
            while self.running_statements() != count:  # noqa: ASYNC110  # the server sets no event
                await trio.sleep(0.05)


@pytest.fixture
def shop(postgres: Postgres) -> Iterator[Shop]:
    name = postgres.new_database()
    with postgres.connect(name) as connection:
        connection.execute(SCHEMA)
        yield Shop(connection, postgres.url(name, "reader", "postgresql+psycopg"))


def sent(sql: str) -> str:
    verdict = check_statement(sql, Policy("postgres"))
    assert isinstance(verdict, Allowed), verdict
    return verdict.sql


async def test_every_kind_of_request_is_carried_out(shop: Shop) -> None:
    async with running(shop.configured()) as peer:
        _, plate = await peer.ask(ListTables())
        assert {"orders", "written"} <= {row[0] for row in plate.rows_}
        _, plate = await peer.ask(DescribeTable("orders"))
        assert "total" in str(plate.rows_)
        _, plate = await peer.ask(SampleTable("orders"))
        assert plate.rows_ == [[1, 9.5], [2, 0.1]]
        sql = "SELECT count(*), sum(total)::text, date '2026-01-01' AS day FROM orders"
        _, plate = await peer.ask(sent(sql))
        assert (plate.names, plate.rows_) == (["count", "sum", "day"], [[2, "9.6", "2026-01-01"]])
        _, plate = await peer.ask(ExplainStatement(sent(sql)))
        assert "Seq Scan on orders" in str(plate.rows_)


async def test_what_is_not_understood_is_told_with_its_place_and_the_nearest_names(
    shop: Shop,
) -> None:
    async with running(shop.configured()) as peer:
        with pytest.raises(DatabaseFailed) as caught:
            await peer.ask(sent("SELECT id,\n totl FROM orders"))
        assert 'column "totl" does not exist (line 2, at totl)' in caught.value.sentence
        assert "orders.total" in caught.value.sentence
        assert "SQL:" not in caught.value.sentence
        with pytest.raises(DatabaseFailed) as caught:
            await peer.ask(sent("SELECT * FROM ordrs"))
        assert caught.value.sentence.endswith("(line 1, at ordrs); did you mean orders?")


async def test_a_function_that_the_guard_cannot_see_may_not_write(shop: Shop) -> None:
    sql = sent("SELECT o.purge FROM orders o")
    async with running(shop.configured()) as peer:
        with pytest.raises(DatabaseFailed, match="read-only transaction"):
            await peer.ask(sql)
    assert shop.connection.execute("SELECT count(*) FROM written").fetchone() == (0,)


async def test_a_variable_of_the_configuration_comes_before_the_locks(shop: Shop) -> None:
    given = {"PGOPTIONS": "-c statement_timeout=7s"}
    async with running(shop.configured(given)) as peer:
        sql = (
            "SELECT current_setting('statement_timeout') AS a, "
            "current_setting('default_transaction_read_only') AS b"
        )
        _, plate = await peer.ask(sql)
        assert plate.rows_ == [["7s", "off"]]


async def test_a_statement_that_is_given_up_ends_in_the_database(shop: Shop) -> None:
    # Its db-mcp does not stop it: the server notices that nobody waits any more.
    async with running(shop.configured(call_timeout_s=600.0)) as peer:
        stop = trio.Event()
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                request = RunStatement(ENDLESS)
                end = await peer.database.ask(request, Terms(), Plate(), stop)
                assert end == Stopped(is_confirmed=False)

            nursery.start_soon(ask)
            await shop.until_running(1)
            stop.set()
        await shop.until_running(0)


async def test_a_statement_that_takes_too_long_ends_in_the_database(shop: Shop) -> None:
    async with running(shop.configured(call_timeout_s=1.0)) as peer:
        with pytest.raises(DatabaseFailed):
            await peer.ask(ENDLESS)
        await shop.until_running(0)


async def test_nothing_runs_on_in_the_database_when_the_daemon_has_ended(shop: Shop) -> None:
    async with (
        running(shop.configured(call_timeout_s=600.0)) as peer,
        trio.open_nursery() as asking,
    ):
        asking.start_soon(peer.ask, ENDLESS)
        await shop.until_running(1)
        asking.cancel_scope.cancel()
    await shop.until_running(0)


async def test_nothing_runs_on_in_the_database_when_the_db_mcp_was_killed(shop: Shop) -> None:
    async with (
        running(shop.configured(call_timeout_s=600.0)) as peer,
        trio.open_nursery() as asking,
    ):

        async def ask() -> None:
            with pytest.raises(DatabaseFailed):
                await peer.ask(ENDLESS)

        asking.start_soon(ask)
        await shop.until_running(1)
        [warden] = children(os.getpid(), WARDEN)
        os.kill(warden, signal.SIGKILL)
    await shop.until_running(0)


# --- chatd config check --databases --------------------------------------------------------------


async def test_a_database_with_its_locks_is_fine(shop: Shop) -> None:
    found = await inspect("sales", shop.configured())
    assert found.is_usable
    assert found.wrong == ()
    assert found.line == (
        "databases.sales: fine: 2 tables, read-only transactions, statements end after 1min."
    )


async def test_a_database_without_its_locks_is_told_with_what_to_do(shop: Shop) -> None:
    found = await inspect("sales", shop.configured({"PGOPTIONS": ""}))
    assert found.is_usable
    for words in (
        "functions that have the rights of their owners (1)",
        "default_transaction_read_only=on",
        "statement_timeout",
        "client_connection_check_interval",
    ):
        assert words in found.line


async def test_credentials_that_can_write_are_told(shop: Shop) -> None:
    shop.connection.execute("GRANT INSERT ON orders TO reader")
    found = await inspect("sales", shop.configured({"PGOPTIONS": ""}))
    assert "may write to tables (1)" in found.line
    superuser = shop.url.replace("reader", "postgres")
    found = await inspect("sales", shop.configured({"DB_URL": superuser}))
    assert "superuser" in found.line


async def test_a_database_that_cannot_be_reached_cannot_be_asked(shop: Shop) -> None:
    nowhere = "postgresql+psycopg://reader:a%20secret@/none?host=/nowhere"
    found = await inspect("sales", shop.configured({"DB_URL": nowhere}))
    assert not found.is_usable
    assert "secret" not in found.line

"""`McpDatabase` over the real `chatd db-mcp --postgres`, as a room asks it."""

from typing import Any

import pytest
import trio

from chatd.answers.mcp.contract import CHUNK_ROWS_MAX
from chatd.answers.mcp.inspection import inspect
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.requests import (
    Answered,
    DatabaseFailed,
    DescribeTable,
    ExplainStatement,
    ListTables,
    SampleTable,
    Stopped,
)
from chatd.answers.table import Column
from chatd.wire.codes import Code
from tests.answers.mcp.conftest import late_confirmations
from tests.answers.mcp.pools import LIMIT_S, running
from tests.postgres_mcp.shops import Shop

__all__ = ["late_confirmations"]  # a fixture

RUNNING = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE state = 'active' AND application_name = 'chatd' AND datname = current_database()"
)


def configured(shop: Shop, **more: Any) -> DatabaseSettings:
    return DatabaseSettings(
        postgres=shop.postgres.url(shop.database, "shopper"),
        dialect="postgres",
        connections=1,
        **more,
    )


async def test_every_kind_of_request_is_answered(shop: Shop) -> None:
    async with running(configured(shop)) as peer:
        _, tables = await peer.ask(ListTables())
        assert ["customers", "public", "table", 2] in tables.rows_
        _, described = await peer.ask(DescribeTable("orders", "sales"))
        assert described.rows_[2][:2] == ["total", "numeric(10,2)"]
        _, sampled = await peer.ask(SampleTable("customers"), max_rows=1)
        assert sampled.rows_ == [[1, "Ann"]]
        end, asked = await peer.ask("SELECT total FROM sales.orders ORDER BY total DESC")
        assert end == Answered()
        assert asked.columns_ == [Column("total", "numeric(10,2)")]
        assert asked.rows_ == [["191.90"], ["98.70"]]
        _, plan = await peer.ask(ExplainStatement("SELECT * FROM customers"))
        assert "customers" in plan.rows_[0][0]


async def test_a_context_narrows_what_is_listed_and_described(shop: Shop) -> None:
    async with running(configured(shop)) as peer:
        _, tables = await peer.ask(ListTables(), schema="sales", tables=("orders",))
        assert [row[0] for row in tables.rows_] == ["orders"]
        _, described = await peer.ask(DescribeTable("orders"), schema="sales")
        assert described.rows_[0][0] == "id"
        _, asked = await peer.ask("SELECT count(*) FROM orders", schema="sales")
        assert asked.rows_ == [[2]]


async def test_a_table_that_is_not_there_is_told_with_the_nearest_one(shop: Shop) -> None:
    async with running(configured(shop)) as peer:
        for request in (DescribeTable("orderz", "sales"), SampleTable("orderz"), "TABLE orderz"):
            with pytest.raises(DatabaseFailed, match=r"orderz.*; did you mean sales.orders\?$"):
                await peer.ask(request)


async def test_rows_of_many_chunks_come_in_order(shop: Shop) -> None:
    count = 12 * CHUNK_ROWS_MAX + 7
    async with running(configured(shop)) as peer:
        sql = f"SELECT n FROM generate_series(1, {count}) n"
        end, plate = await peer.ask(sql, max_rows=count)
        assert end == Answered()
        assert plate.rows_ == [[number] for number in range(1, count + 1)]


async def test_a_stop_is_confirmed_and_nothing_runs_on(
    shop: Shop, late_confirmations: None
) -> None:
    endless = "SELECT n, pg_sleep(CASE WHEN n > 2 THEN 100 ELSE 0 END) FROM generate_series(1, 9) n"
    async with running(configured(shop)) as peer:
        end, _ = await peer.ask_and_stop(endless)
        assert end == Stopped(is_confirmed=True)
        with shop.postgres.connect(shop.database) as connection:
            assert connection.execute(RUNNING).fetchone() == (0,)
        assert (await peer.ask("SELECT 1"))[1].rows_ == [[1]]


async def test_a_write_needs_the_configuration_and_the_message(shop: Shop) -> None:
    sql = "UPDATE customers SET name = 'x'"
    async with running(configured(shop)) as peer:
        with pytest.raises(DatabaseFailed) as refused:
            await peer.ask(sql, read_only=False)
        assert refused.value.code is Code.DB_READ_ONLY
    async with running(configured(shop, read_only=False, max_rows_written=1)) as peer:
        with pytest.raises(DatabaseFailed, match="changes 2 rows and may change 1"):
            await peer.ask(sql, read_only=False)
        await peer.ask(f"{sql} WHERE id = 1", read_only=False)
        assert (await peer.ask("SELECT name FROM customers WHERE id = 1"))[1].rows_ == [["x"]]


async def test_an_inspection_finds_its_locks_in_force(shop: Shop) -> None:
    with trio.fail_after(LIMIT_S):
        found = await inspect("shop", configured(shop))
    assert found.is_usable
    assert found.wrong == ()
    assert "read-only transactions" in found.fine


async def test_an_inspection_tells_what_may_be_written_and_that_no_table_is_seen(
    shop: Shop,
) -> None:
    with shop.postgres.connect(shop.database) as connection:
        connection.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public, sales FROM shopper")
    with trio.fail_after(LIMIT_S):
        found = await inspect("shop", configured(shop, read_only=False))
    assert found.line.startswith(
        "databases.shop: can be asked (0 tables, written where a message asks for it, "
    )
    assert "it shows no table: let its role" in found.line

"""Connections of psycopg on Trio, with a real server: no thread, and cancelled at once."""

import inspect
import socket
import threading

import psycopg
import pytest
import trio
from psycopg.pq import TransactionStatus

from chatd.postgres_client.connection import TrioConnection, _Opening
from tests.postgres import Postgres

LIMIT_S = 30.0


async def opened(postgres: Postgres) -> TrioConnection:
    address = postgres.url("postgres", "postgres")
    return await TrioConnection.open(address, trio.CapacityLimiter(2))


def rows(cursor: psycopg.AsyncCursor[tuple[object, ...]]) -> list[bytes | None]:
    assert cursor.pgresult is not None
    return [cursor.pgresult.get_value(row, 0) for row in range(cursor.pgresult.ntuples)]


async def test_a_query_waits_without_a_thread_and_others_go_on(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await opened(postgres)
    monkeypatch.delattr(trio.to_thread, "run_sync")
    order = []
    with trio.fail_after(LIMIT_S):
        async with trio.open_nursery() as nursery:

            async def query() -> None:
                cursor = await connection.execute(b"SELECT pg_sleep(0.2), 1")
                order.append("answer")
                assert rows(cursor) == [b""]

            nursery.start_soon(query)
            for _ in range(3):
                await trio.lowlevel.checkpoint()
            order.append("others")
    assert order == ["others", "answer"]
    connection.drop()


async def test_a_long_statement_is_written_as_the_server_takes_it(postgres: Postgres) -> None:
    connection = await opened(postgres)
    text = "x" * 8_000_000
    with trio.fail_after(LIMIT_S):
        cursor = psycopg.AsyncRawCursor(connection)
        await cursor.execute(b"SELECT length($1::text)", [text])
    assert rows(cursor) == [b"8000000"]
    connection.drop()


async def test_what_is_cancelled_closes_the_connection_at_once(postgres: Postgres) -> None:
    connection = await opened(postgres)
    with trio.fail_after(LIMIT_S):
        with trio.move_on_after(0.1) as scope:
            await connection.execute(b"SELECT pg_sleep(600)")
        assert scope.cancelled_caught
    assert connection.closed
    with pytest.raises(psycopg.OperationalError):
        await connection.execute(b"SELECT 1")
    with postgres.connect("postgres") as other:  # what the server was asked goes on there
        other.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '600\\)$'")


async def test_an_error_leaves_the_connection_open(postgres: Postgres) -> None:
    connection = await opened(postgres)
    with pytest.raises(psycopg.errors.DivisionByZero):
        await connection.execute(b"SELECT 1/0")
    assert connection.pgconn.transaction_status == TransactionStatus.IDLE
    assert rows(await connection.execute(b"SELECT 7")) == [b"7"]
    connection.drop()
    connection.drop()


async def test_each_statement_is_committed_and_nothing_is_prepared(postgres: Postgres) -> None:
    connection = await opened(postgres)
    for _ in range(10):
        cursor = psycopg.AsyncRawCursor(connection)
        await cursor.execute(b"SELECT $1::text", ["a"])
    assert connection.pgconn.transaction_status == TransactionStatus.IDLE
    assert rows(await connection.execute(b"SELECT count(*) FROM pg_prepared_statements")) == [b"0"]
    connection.drop()


async def test_who_gives_up_while_it_connects_waits_for_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        threads = trio.CapacityLimiter(1)
        began_s = trio.current_time()
        with trio.move_on_after(0.1) as scope:
            await TrioConnection.open(f"postgresql://ada@127.0.0.1:{port}/sales", threads)
        assert scope.cancelled_caught
        assert trio.current_time() - began_s < LIMIT_S
        silent.close()
        with trio.fail_after(LIMIT_S):
            while threads.borrowed_tokens:  # noqa: ASYNC110  # the thread ends by itself
                await trio.sleep(0.05)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_connection_that_comes_when_nobody_waits_is_closed(
    postgres: Postgres, is_first: bool
) -> None:
    opening = _Opening(postgres.url("postgres", "postgres"))
    made: list[psycopg.Connection[object]] = []
    connect = psycopg.connect
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg, "connect", lambda address: made.append(connect(address)) or made[0])
        if is_first:
            opening.abandon()
        opening.run()
    if not is_first:
        opening.abandon()
    assert made[0].closed


async def test_settings_of_the_address_count_and_utf8_is_spoken(postgres: Postgres) -> None:
    address = postgres.url("postgres", "postgres") + "&application_name=mine"
    connection = await TrioConnection.open(address, trio.CapacityLimiter(1))
    assert rows(await connection.execute(b"SHOW application_name")) == [b"mine"]
    assert rows(await connection.execute(b"SHOW client_encoding")) == [b"UTF8"]
    connection.drop()


def test_psycopg_waits_by_the_one_method_that_is_replaced() -> None:
    """The half private part of psycopg that is relied on; its minor version is pinned for it."""
    theirs = inspect.signature(psycopg.AsyncConnection.wait)
    ours = inspect.signature(TrioConnection.wait)
    assert (
        list(theirs.parameters) == list(ours.parameters) == ["self", "gen", "interval", "timeout"]
    )
    assert psycopg.__version__.startswith("3.3.")


async def test_a_connection_that_is_dropped_leaves_no_thread(postgres: Postgres) -> None:
    before = threading.active_count()
    connection = await opened(postgres)
    connection.drop()
    assert threading.active_count() <= before + 1  # Trio keeps the thread for the next one

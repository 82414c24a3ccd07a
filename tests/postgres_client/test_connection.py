"""Connections of psycopg on Trio, with a real server: those that Trio drives and those that a
thread waits for, which do the same."""

import importlib
import inspect
import socket
import threading

import psycopg
import pytest
import trio
from psycopg.pq import TransactionStatus

from chatd.postgres_client import choice
from chatd.postgres_client.driven import DrivenConnection
from chatd.postgres_client.opening import Opening
from chatd.postgres_client.threaded import ThreadedConnection, ThreadedCursor
from tests.postgres import Postgres

LIMIT_S = 30.0


Kind = type[DrivenConnection] | type[ThreadedConnection]
Cursor = psycopg.AsyncCursor[tuple[object, ...]] | ThreadedCursor[tuple[object, ...]]


@pytest.fixture(params=[DrivenConnection, ThreadedConnection])
def kind(request: pytest.FixtureRequest) -> Kind:
    made: Kind = request.param
    return made


async def opened(postgres: Postgres, kind: Kind) -> DrivenConnection | ThreadedConnection:
    address = postgres.url("postgres", "postgres")
    return await kind.open(address, trio.CapacityLimiter(2))


def rows(cursor: Cursor) -> list[bytes | None]:
    assert cursor.pgresult is not None
    return [cursor.pgresult.get_value(row, 0) for row in range(cursor.pgresult.ntuples)]


async def test_others_go_on_while_a_query_waits_in_a_thread_or_without_one(
    postgres: Postgres, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await opened(postgres, kind)
    if kind is DrivenConnection:
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


async def test_a_long_statement_is_written_as_the_server_takes_it(
    postgres: Postgres, kind: Kind
) -> None:
    connection = await opened(postgres, kind)
    text = "x" * 8_000_000
    with trio.fail_after(LIMIT_S):
        cursor = await connection.execute_raw(b"SELECT length($1::text)", [text])
    assert rows(cursor) == [b"8000000"]
    connection.drop()


async def test_what_is_cancelled_closes_the_connection_at_once(
    postgres: Postgres, kind: Kind
) -> None:
    connection = await opened(postgres, kind)
    with trio.fail_after(LIMIT_S):
        with trio.move_on_after(0.1) as scope:
            await connection.execute(b"SELECT pg_sleep(600)")
        assert scope.cancelled_caught
    assert connection.closed
    with pytest.raises(psycopg.OperationalError):
        await connection.execute(b"SELECT 1")
    with postgres.connect("postgres") as other:  # what the server was asked goes on there
        other.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '600\\)$'")


async def test_an_error_leaves_the_connection_open(postgres: Postgres, kind: Kind) -> None:
    connection = await opened(postgres, kind)
    with pytest.raises(psycopg.errors.DivisionByZero):
        await connection.execute(b"SELECT 1/0")
    assert connection.pgconn.transaction_status == TransactionStatus.IDLE
    assert rows(await connection.execute(b"SELECT 7")) == [b"7"]
    connection.drop()
    connection.drop()


async def test_each_statement_is_committed_and_nothing_is_prepared(
    postgres: Postgres, kind: Kind
) -> None:
    connection = await opened(postgres, kind)
    for _ in range(10):
        await connection.execute_raw(b"SELECT $1::text", ["a"])
    assert connection.pgconn.transaction_status == TransactionStatus.IDLE
    assert rows(await connection.execute(b"SELECT count(*) FROM pg_prepared_statements")) == [b"0"]
    connection.drop()


async def test_who_gives_up_while_it_connects_waits_for_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        threads = trio.CapacityLimiter(1)
        began_s = trio.current_time()
        with trio.move_on_after(0.1) as scope:
            await DrivenConnection.open(f"postgresql://ada@127.0.0.1:{port}/sales", threads)
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
    opening = Opening(postgres.url("postgres", "postgres"))
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


async def test_settings_of_the_address_count_and_utf8_is_spoken(
    postgres: Postgres, kind: Kind
) -> None:
    address = postgres.url("postgres", "postgres") + "&application_name=mine"
    connection = await kind.open(address, trio.CapacityLimiter(1))
    assert rows(await connection.execute(b"SHOW application_name")) == [b"mine"]
    assert rows(await connection.execute(b"SHOW client_encoding")) == [b"UTF8"]
    connection.drop()


def test_psycopg_waits_by_the_one_method_that_is_replaced() -> None:
    """The half private part of psycopg that is relied on; its minor version is pinned for it."""
    theirs = inspect.signature(psycopg.AsyncConnection.wait)
    ours = inspect.signature(DrivenConnection.wait)
    assert (
        list(theirs.parameters) == list(ours.parameters) == ["self", "gen", "interval", "timeout"]
    )
    assert psycopg.__version__.startswith("3.3.")


def test_a_thread_waits_where_psycopg_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choice.why_not_driven() is None
    assert choice.WHY_THREADED is None
    assert choice.TrioConnection is DrivenConnection

    async def wait(self: object, generator: object) -> None: ...

    for where, name, value, why in (
        (psycopg, "__version__", "3.4.1", "psycopg 3.4.1 is not 3.3.x"),
        (psycopg.AsyncConnection, "wait", wait, "takes other parameters"),
        (psycopg.AsyncConnection, "wait", None, "has no wait"),
        (psycopg.waiting, "Ready", object, "knows other states"),
        (psycopg.waiting, "Wait", None, "knows other states"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(where, name, value)
            assert why in (choice.why_not_driven() or "")
            chosen = importlib.reload(choice)
            assert chosen.TrioConnection.__name__ == "ThreadedConnection"
            assert why in (chosen.WHY_THREADED or "")
    importlib.reload(choice)


async def test_notifications_come_while_nothing_is_asked_and_with_an_answer(
    postgres: Postgres, kind: Kind
) -> None:
    connection = await opened(postgres, kind)
    heard: list[str] = []
    threads = set()

    def hear(one: psycopg.Notify) -> None:
        heard.append(one.payload)
        threads.add(threading.current_thread())

    connection.add_notify_handler(hear)
    await connection.execute(b"LISTEN here")
    with trio.fail_after(LIMIT_S), postgres.connect("postgres") as other:
        with trio.move_on_after(0.05):
            await connection.notified()
        other.execute("SELECT pg_notify('here', 'one')")
        while heard != ["one"]:
            await connection.notified()
        other.execute("SELECT pg_notify('here', 'two')")
        assert rows(await connection.execute(b"SELECT pg_sleep(0.05), pg_notify('here', 'three')"))
        assert heard == ["one", "two", "three"]
    assert threads == {threading.current_thread()}
    connection.drop()


async def test_rows_come_one_by_one_and_all_together(postgres: Postgres, kind: Kind) -> None:
    connection = await opened(postgres, kind)
    for binary in (False, True):
        cursor = await connection.execute(
            "SELECT * FROM generate_series(1, %s)", [3], binary=binary
        )
        assert await cursor.fetchone() == (1,)
        assert await cursor.fetchall() == [(2,), (3,)]
    connection.drop()


async def test_one_that_blocks_is_adopted(postgres: Postgres, kind: Kind) -> None:
    connection = await kind.adopt(psycopg.connect(postgres.url("postgres", "postgres")))
    await connection.execute(b"SELECT 1")
    assert connection.pgconn.transaction_status == TransactionStatus.IDLE
    assert not connection.closed
    connection.drop()
    assert connection.closed


async def test_a_server_that_ends_the_connection_is_an_error(
    postgres: Postgres, kind: Kind
) -> None:
    connection = await opened(postgres, kind)
    with pytest.raises(psycopg.OperationalError), trio.fail_after(LIMIT_S):
        await connection.execute(b"SELECT pg_terminate_backend(pg_backend_pid())")
    assert connection.closed
    connection.drop()


async def test_a_connection_that_is_dropped_leaves_no_thread(postgres: Postgres) -> None:
    before = threading.active_count()
    connection = await opened(postgres, DrivenConnection)
    connection.drop()
    assert threading.active_count() <= before + 1  # Trio keeps the thread for the next one

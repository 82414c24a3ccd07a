"""Statements that write, where the configuration and the call both allow it."""

from contextlib import suppress
from typing import Any

import psycopg
import pytest

from chatd.answers.requests import DatabaseFailed, RunStatement, Terms
from chatd.db_mcp.collecting import KeptRows
from chatd.db_mcp.interrupt import Interrupt
from chatd.postgres_mcp.reading import answer
from chatd.postgres_mcp.server import Connection
from chatd.wire.codes import Code
from tests.postgres_mcp.shops import ROWS_WRITTEN_MAX, Shop, call
from tests.rows import rows

INSERT_TWO = "INSERT INTO customers VALUES (3, 'C'), (4, 'D')"


def count(shop: Shop) -> int:
    (number,) = shop.ask("SELECT count(*) FROM customers").rows[0]
    return int(number)


@pytest.mark.parametrize(
    ("sql", "written", "returned"),
    [
        ("INSERT INTO customers VALUES (3, 'Cem')", 1, []),
        ("INSERT INTO customers VALUES (3, 'Cem') RETURNING id", 1, [[3]]),
        ("UPDATE customers SET name = upper(name)", 2, []),
        (f"WITH a AS ({INSERT_TWO} RETURNING id) SELECT sum(id) FROM a", 2, [[7]]),
        ("CREATE TABLE made (id int)", None, []),
        ("WITH a AS (SELECT 1 AS n) SELECT n FROM a", 0, [[1]]),
    ],
)
def test_a_write_is_carried_out_and_tells_its_rows(
    shop: Shop, sql: str, written: int | None, returned: list[list[object]]
) -> None:
    got = shop.write(sql)
    assert (got.outcome.rows_written, got.rows) == (written, returned)


@rows(
    ("sql", "has_written"),
    [
        ("INSERT INTO customers VALUES (3, 'Cem')", True),
        ("CREATE TABLE made (id int)", True),
        ("INSERT INTO customers VALUES (1, 'twice')", False),
        ("SELECT * FROM customers", False),
    ],
)
def test_a_stop_comes_too_late_once_a_write_stands(shop: Shop, sql: str, has_written: bool) -> None:
    interrupt = Interrupt()
    with suppress(DatabaseFailed):
        answer(shop.writing, RunStatement(sql), Terms(read_only=False), KeptRows(), interrupt)
    assert interrupt.has_written is has_written


def test_a_commit_that_is_not_confirmed_may_stand(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = psycopg.Connection.execute

    def lost(self: Connection, query: Any, *rest: Any, **more: Any) -> Any:
        if query == "COMMIT":
            raise psycopg.OperationalError("the connection is lost")
        return execute(self, query, *rest, **more)

    monkeypatch.setattr(psycopg.Connection, "execute", lost)
    interrupt = Interrupt()
    with pytest.raises(DatabaseFailed):
        answer(
            shop.writing,
            RunStatement("INSERT INTO customers VALUES (3, 'Cem')"),
            Terms(read_only=False),
            KeptRows(),
            interrupt,
        )
    assert interrupt.has_written


def test_a_write_is_there_for_others_when_it_was_answered(shop: Shop) -> None:
    shop.write("INSERT INTO customers VALUES (3, 'Cem')")
    assert count(shop) == 3


def test_more_rows_than_may_be_written_are_undone_those_of_triggers_included(shop: Shop) -> None:
    with shop.postgres.connect(shop.database) as connection:
        connection.execute("""
            CREATE TABLE audit (id int); GRANT ALL ON audit TO shopper;
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN INSERT INTO audit VALUES (new.id); RETURN new; END $$;
            CREATE TRIGGER noted AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION note();
        """)
    rows_of = "INSERT INTO customers SELECT n, 'x' FROM generate_series(10, {}) n"
    assert shop.write(rows_of.format(11)).outcome.rows_written == 4
    failure = shop.write_failure(rows_of.format(20).replace("(10", "(12"))
    assert failure.code is Code.DB_STATEMENT_REJECTED
    assert failure.sentence == (
        f"The statement changes 18 rows and may change {ROWS_WRITTEN_MAX}; change fewer."
    )
    assert count(shop) == 4


def test_rows_that_are_not_shown_are_written_all_the_same(shop: Shop) -> None:
    got = shop.write(f"{INSERT_TWO} RETURNING id", max_rows=1)
    assert (got.rows, got.outcome.is_truncated, got.outcome.rows_written) == ([[3]], True, 2)
    assert count(shop) == 4


@rows(
    ("sql", "code"),
    [
        ("DELETE FROM customers; SELECT 1", Code.DB_STATEMENT_REJECTED),
        ("INSERT INTO customers VALUES (1, 'again')", Code.DB_ERROR),
        ("TRUNCATE customers", Code.DB_STATEMENT_REJECTED),
        ("DROP TABLE hidden", Code.DB_ERROR),
    ],
)
def test_what_fails_leaves_no_trace(shop: Shop, sql: str, code: Code) -> None:
    assert shop.write_failure(sql).code is code
    assert count(shop) == 2


def test_neither_the_configuration_alone_nor_the_call_alone_allows_a_write(shop: Shop) -> None:
    sql = "DELETE FROM sales.orders"
    assert shop.failure(sql, read_only=False).code is Code.DB_READ_ONLY
    hidden = "WITH a AS (DELETE FROM sales.orders RETURNING id) SELECT * FROM a"
    for server, terms in ((shop.writing, Terms()), (shop.reading, Terms(read_only=False))):
        for statement in (sql, hidden):
            with pytest.raises(DatabaseFailed) as failed:
                call(server, statement, terms)
            assert failed.value.code is Code.DB_READ_ONLY


def test_a_lock_of_the_role_holds_where_writes_are_allowed(shop: Shop) -> None:
    with shop.postgres.connect("postgres") as connection:
        connection.execute(f"ALTER DATABASE {shop.database} SET default_transaction_read_only = on")
    assert shop.write_failure("DELETE FROM sales.orders").code is Code.DB_READ_ONLY

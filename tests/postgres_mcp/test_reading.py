"""Statements that read: exact values, types, bounds, and nothing that writes."""

import re
import threading
from contextlib import suppress
from typing import Any

import pytest

from chatd.answers.mcp.contract import CHUNK_ROWS_MAX
from chatd.answers.requests import DatabaseFailed, ExplainStatement, RunStatement, Terms
from chatd.db_mcp.collecting import KeptRows
from chatd.db_mcp.interrupt import Interrupt, Interrupted
from chatd.postgres_mcp.reading import answer
from chatd.wire.codes import Code
from tests.postgres_mcp.shops import Shop
from tests.rows import rows


@rows(
    ("sql", "value", "kind"),
    [
        (
            "123456789012345678901234567890.50::numeric",
            "123456789012345678901234567890.50",
            "numeric",
        ),
        ("'NaN'::numeric", "NaN", "numeric"),
        ("1.10::numeric(10,2)", "1.10", "numeric(10,2)"),
        ("9007199254740991::bigint", 9007199254740991, "bigint"),
        ("9007199254740993::bigint", "9007199254740993", "bigint"),
        ("7::smallint", 7, "smallint"),
        ("0.1::float8", 0.1, "double precision"),
        ("0.1::float4", 0.1, "real"),
        ("'-Infinity'::float8", "-Infinity", "double precision"),
        ("'NaN'::float4", "NaN", "real"),
        ("'-0'::float8", -0.0, "double precision"),
        ("NULL::int", None, "integer"),
        ("'NULL'", "NULL", "text"),
        ("true", True, "boolean"),
        ("'\\x00ff'::bytea", {"$bytes": "AP8="}, "bytea"),
        ("''::bytea", {"$bytes": ""}, "bytea"),
        ("'a\tb\n🐘 <b>'", "a\tb\n🐘 <b>", "text"),
        ("'ab'::char(4)", "ab  ", "character(4)"),
        ("'2026-11-28'::date", "2026-11-28", "date"),
        ("'infinity'::date", "infinity", "date"),
        ("'0044-03-15 BC'::date", "0044-03-15 BC", "date"),
        (
            "'2026-11-28 19:00:00.123456+01'::timestamptz AT TIME ZONE 'UTC'",
            "2026-11-28T18:00:00.123456",
            "timestamp without time zone",
        ),
        (
            "'2026-11-28 19:00:00+00'::timestamptz",
            "2026-11-28T19:00:00+00:00",
            "timestamp with time zone",
        ),
        ("'infinity'::timestamptz", "infinity", "timestamp with time zone"),
        ("'20260-01-01'::timestamp", "20260-01-01 00:00:00", "timestamp without time zone"),
        ("'12:00+02'::timetz", "12:00:00+02:00", "time with time zone"),
        ("'12:00:00.5'::time", "12:00:00.5", "time without time zone"),
        ("'1 year 2 mons 3 days 04:05:06'::interval", "1 year 2 mons 3 days 04:05:06", "interval"),
        ("'{1,NULL}'::int[]", "{1,NULL}", "integer[]"),
        ("'{\"a\":9007199254740993}'::json", '{"a":9007199254740993}', "json"),
        ("'null'::jsonb", "null", "jsonb"),
        ("int4range(1, 5)", "[1,5)", "int4range"),
        (
            "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "uuid",
        ),
        ("'10.0.0.1/8'::inet", "10.0.0.1/8", "inet"),
        ("row(1, 'a')", "(1,a)", "record"),
    ],
)
def test_a_value_is_what_the_server_holds(shop: Shop, sql: str, value: Any, kind: str) -> None:
    got = shop.ask(f"SELECT {sql} AS it")
    assert got.columns == [("it", kind)]
    assert repr(got.rows) == repr([[value]])


def test_settings_of_the_role_do_not_change_how_values_are_written(shop: Shop) -> None:
    with shop.postgres.connect("postgres") as connection:
        for setting in (
            "bytea_output = 'escape'",
            "datestyle = 'German'",
            "intervalstyle = 'iso_8601'",
        ):
            connection.execute(f"ALTER DATABASE {shop.database} SET {setting}")
    got = shop.ask("SELECT '\\xff'::bytea, '2026-11-28'::date, '1 day'::interval")
    assert got.rows == [[{"$bytes": "/w=="}, "2026-11-28", "1 day"]]


def test_columns_are_told_where_no_row_comes_and_two_may_have_one_name(shop: Shop) -> None:
    got = shop.ask('SELECT id, id, name AS "Price [EUR]" FROM customers WHERE false')
    assert got.columns == [
        ("id", "integer"),
        ("id", "integer"),
        ("Price [EUR]", "character varying(20)"),
    ]
    assert got.rows == []


@rows(
    ("sql", "first"),
    [
        ("(SELECT 1)", 1),
        ("TABLE customers", 1),
        ("VALUES (3), (4)", 3),
        ("-- a\n/* b */ SELECT 5;", 5),
        ("WITH a AS (SELECT 6 AS n) SELECT n FROM a", 6),
        ("SELECT '{\"a\":1}'::jsonb ->> 'a'", "1"),
        ("SELECT '%s %(x)s 50%' LIKE '%:ok%'", False),
    ],
)
def test_what_reads_is_answered(shop: Shop, sql: str, first: Any) -> None:
    assert shop.ask(sql).rows[0][0] == first


@rows(
    ("sql", "code"),
    [
        ("DELETE FROM customers", Code.DB_READ_ONLY),
        ("WITH a AS (DELETE FROM customers RETURNING id) SELECT * FROM a", Code.DB_READ_ONLY),
        ("SELECT * FROM customers FOR UPDATE", Code.DB_READ_ONLY),
        ("SELECT nextval('sales.orders_id_seq')", Code.DB_READ_ONLY),
        ("SELECT set_config('transaction_read_only', 'off', false)", Code.DB_ERROR),
        ("SELECT 1 INTO made", Code.DB_SYNTAX),
        ("SELECT 1; DELETE FROM customers", Code.DB_STATEMENT_REJECTED),
        ("SELECT 1; COMMIT; DELETE FROM customers", Code.DB_STATEMENT_REJECTED),
        ("COPY customers TO STDOUT", Code.DB_STATEMENT_REJECTED),
        ("COPY (SELECT 1) TO PROGRAM 'true'", Code.DB_STATEMENT_REJECTED),
        ("SET transaction_read_only = off", Code.DB_STATEMENT_REJECTED),
        ("DO $$ BEGIN DELETE FROM customers; END $$", Code.DB_STATEMENT_REJECTED),
        ("COMMIT", Code.DB_STATEMENT_REJECTED),
        ("EXPLAIN ANALYZE DELETE FROM customers", Code.DB_STATEMENT_REJECTED),
        ("HELLO", Code.DB_SYNTAX),
        ("", Code.DB_STATEMENT_REJECTED),
        ("SELECT '\0'", Code.DB_STATEMENT_REJECTED),
        ("SELECT '\udfff'", Code.DB_STATEMENT_REJECTED),
        ("SELECT $1", Code.DB_STATEMENT_REJECTED),
        ("SELECT $1::int", Code.DB_STATEMENT_REJECTED),
        ("SELECT * FORM customers", Code.DB_SYNTAX),
        ("SELECT nam FROM customers", Code.DB_ERROR),
        ("SELECT * FROM hidden", Code.DB_ERROR),
        ("SELECT 1/0", Code.DB_ERROR),
    ],
)
def test_what_may_not_run_is_refused_and_changes_nothing(shop: Shop, sql: str, code: Code) -> None:
    assert shop.failure(sql).code is code
    with shop.postgres.connect(shop.database) as connection:
        assert connection.execute("SELECT count(*) FROM customers").fetchone() == (2,)
    assert shop.ask("SELECT 1").rows == [[1]]


def test_what_a_server_lets_a_reading_transaction_do_is_undone(shop: Shop) -> None:
    with suppress(DatabaseFailed):  # PostgreSQL 16 and newer refuse it
        shop.ask("SELECT lo_create(4711)")
    with shop.postgres.connect(shop.database) as connection:
        found = connection.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone()
    assert found == (0,)


def test_an_error_is_one_sentence_in_the_words_of_the_server(shop: Shop) -> None:
    assert shop.failure("SELECT * FORM customers").sentence == (
        'The database says: syntax error at or near "FORM".'
    )
    assert shop.failure("SELECT nam FROM customers").sentence == (
        'The database says: column "nam" does not exist. Perhaps you meant to reference the column '
        '"customers.name".'
    )
    assert shop.failure("SELECT * FROM hidden").sentence == (
        "The database says: permission denied for table hidden."
    )


def test_an_internal_error_is_the_fault_of_the_statement_that_brings_it_about(shop: Shop) -> None:
    # As an aggregate of more than 1 GB does, which takes seconds.
    failed = shop.failure("SELECT array_in('{1}'::cstring, 0, -1)")
    assert failed.code is Code.DB_ERROR
    assert failed.sentence == "The database says: cache lookup failed for type 0."


def test_temporary_files_beyond_their_limit_are_the_fault_of_the_statement(shop: Shop) -> None:
    with shop.postgres.connect(shop.database) as connection:
        connection.execute("ALTER ROLE shopper SET temp_file_limit = '64kB'")
    try:
        failed = shop.failure("SELECT g FROM generate_series(1, 1000000) g ORDER BY g DESC")
    finally:
        with shop.postgres.connect(shop.database) as connection:
            connection.execute("ALTER ROLE shopper RESET temp_file_limit")
    assert failed.code is Code.DB_ERROR
    assert "temp_file_limit" in failed.sentence


def test_more_than_the_terms_allow_is_left_out_and_said(shop: Shop) -> None:
    numbers = "SELECT n FROM generate_series(1, 100000) n"
    few = shop.ask(numbers, max_rows=3)
    assert (few.rows, few.outcome.is_truncated) == ([[1], [2], [3]], True)
    assert not shop.ask("SELECT n FROM generate_series(1, 3) n", max_rows=3).outcome.is_truncated
    short = shop.ask(numbers, max_bytes=100)
    assert (len(short.rows), short.outcome.is_truncated) == (21, True)
    cut = shop.ask("SELECT repeat('x', 1000000)", max_bytes=100)
    assert re.fullmatch("x{50,95}", cut.rows[0][0])
    assert cut.outcome.is_truncated
    many = 3 * CHUNK_ROWS_MAX + 7
    assert len(shop.ask(numbers, max_rows=many).rows) == many


def test_a_plan_is_told_and_nothing_runs(shop: Shop) -> None:
    plan = shop.ask(ExplainStatement("SELECT * FROM customers WHERE id = 1"))
    assert plan.columns == [("plan", "text")]
    assert "customers" in plan.rows[0][0]
    for sql in ("ANALYZE SELECT 1", "SELECT 1; SELECT 2"):
        assert shop.failure(ExplainStatement(sql)).code is Code.DB_STATEMENT_REJECTED
    # The options are written already, so that Postgres takes none from the statement.
    options = ExplainStatement("(ANALYZE) SELECT nextval('sales.orders_id_seq')")
    assert shop.failure(options).code is Code.DB_SYNTAX
    deletes = ExplainStatement("(ANALYZE) DELETE FROM customers")
    assert shop.write_failure(deletes).code is Code.DB_SYNTAX
    assert shop.ask("SELECT count(*) > 0 FROM customers").rows == [[True]]


def test_a_schema_is_where_names_without_one_are_looked_up(shop: Shop) -> None:
    sql = "SELECT total FROM orders ORDER BY total"
    assert shop.failure(sql).code is Code.DB_ERROR
    assert shop.ask(sql, schema="sales").rows == [["98.70"], ["191.90"]]
    assert shop.failure(sql).code is Code.DB_ERROR  # it holds for one call


def test_a_statement_that_takes_too_long_is_given_up_by_the_server_too(shop: Shop) -> None:
    failure = shop.failure("SELECT pg_sleep(100)", timeout_s=-0.9)  # and one second more
    assert failure.code is Code.DB_TIMEOUT


def test_a_stop_ends_what_the_server_runs(shop: Shop) -> None:
    interrupt = Interrupt()
    rows_ = KeptRows()
    started = """
        SELECT count(*) FROM pg_stat_activity WHERE application_name = 'chatd'
        AND datname = current_database() AND state = 'active' AND query LIKE 'FETCH%'
    """

    def stop_when_it_runs() -> None:
        with shop.postgres.connect(shop.database) as connection:
            while connection.execute(started).fetchone() != (1,):
                pass
        interrupt.stop()

    stopping = threading.Thread(target=stop_when_it_runs)
    stopping.start()
    with pytest.raises(Interrupted):
        answer(shop.reading, RunStatement("SELECT pg_sleep(100)"), Terms(), rows_, interrupt)
    stopping.join()
    assert shop.ask("SELECT 1").rows == [[1]]


def test_a_call_that_was_stopped_before_it_began_asks_nothing(shop: Shop) -> None:
    interrupt = Interrupt()
    interrupt.stop()
    with pytest.raises(Interrupted):
        answer(shop.reading, RunStatement("SELECT 1"), Terms(), KeptRows(), interrupt)

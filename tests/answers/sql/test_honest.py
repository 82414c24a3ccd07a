"""What analysts send passes, and its database takes it as it is sent."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from chatd.answers.requests import DatabaseFailed, DescribeTable, RunStatement, SampleTable
from chatd.answers.sql.functions import FUNCTIONS
from chatd.answers.sql.guard import check_statement, check_table
from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.scopes import TableName
from chatd.answers.sql.verdicts import Allowed, Policy, Rejected
from chatd.wire.codes import Code
from tests.answers.sql import honest_postgres, honest_sqlite
from tests.answers.sql.corpus import DIALECTS
from tests.postgres import Postgres
from tests.rows import rows
from tests.sqlite_mcp.databases import Answer, ask, query

ROWS_BYTES: Final = 1_000_000


@pytest.fixture
def shop(postgres: Postgres) -> Iterator["psycopg.Connection[Any]"]:
    name = postgres.new_database()
    with postgres.connect(name) as connection:
        connection.execute(honest_postgres.SCHEMA)
    with postgres.connect(name, options="-c default_transaction_read_only=on") as connection:
        yield connection


@rows("sql", honest_postgres.STATEMENTS)
def test_postgres_takes_what_analysts_send(shop: "psycopg.Connection[Any]", sql: str) -> None:
    verdict = check_statement(sql, Policy("postgres"))
    assert isinstance(verdict, Allowed), verdict
    expected = shop.execute(sql.encode())
    sent = shop.execute(verdict.sql.encode())
    assert [one.name for one in sent.description or ()] == [
        one.name for one in expected.description or ()
    ]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(honest_sqlite.SCHEMA)
    return path


def names(answer: Answer) -> list[str]:
    return [column.name for column in answer.columns]


@rows("sql", honest_sqlite.STATEMENTS)
def test_the_db_mcp_takes_what_analysts_send(file: Path, sql: str) -> None:
    verdict = check_statement(sql, Policy("sqlite"))
    assert isinstance(verdict, Allowed), verdict
    sent = query(file, verdict.sql, max_bytes=ROWS_BYTES)
    with closing(sqlite3.connect(file)) as connection:
        expected = connection.execute(verdict.sql)
        assert names(sent) == [name for name, *_ in expected.description]


@rows(
    ("dialect", "sql"),
    [
        ("mysql", "SELECT j->'$.a', coalesce(j->>'$.b', 0), json_length(j->'$.c') FROM t"),
        ("mysql", "SELECT truncate(a, 2), round(a, 2), insert_date FROM t"),
        ("mysql", 'SELECT 1 AS `Price [EUR]`, 2 AS `Customer\'s name`, 3 AS `say "hi"`'),
        ("mysql", "SELECT `back``tick` FROM `My Table (2024)`"),
        ("mysql", "(SELECT 1)"),
        ("mysql", "SELECT a FROM t WHERE b % 2 = 0 LIMIT 2"),
        ("postgres", f"SELECT {', '.join(f'(tags)[{number}]' for number in range(1, 150))} FROM t"),
        ("postgres", "SELECT m.load, m.set, m.copy, m.call FROM machines m"),
        ("sqlite", "SELECT o.call, o.load FROM orders o"),
        ("mysql", "SELECT o.lock, o.update FROM orders o"),
    ],
)
def test_the_guard_lets_other_honest_statements_through(dialect: Dialect, sql: str) -> None:
    assert isinstance(check_statement(sql, Policy(dialect)), Allowed)


def calls_of(function: str) -> Iterator[str]:
    """Calls as people write them; which of them the server takes is another question."""
    for arguments in (
        ("a", "b", "c", "d"),
        ("'x'", "'y'", "'z'"),
        ("1", "2", "3"),
        ("j->'k'", "1"),
    ):
        for count in range(len(arguments) + 1):
            yield f"SELECT {function}({', '.join(arguments[:count])}) FROM t"
    yield f"SELECT {function}(DISTINCT a) FROM t"
    yield f"SELECT {function}(*) FROM t"
    yield f"SELECT {function}(a ORDER BY b) FROM t"
    yield f"SELECT {function}(a) FILTER (WHERE a > 1) OVER (PARTITION BY b ORDER BY c) FROM t"
    yield f"SELECT {function}(a) WITHIN GROUP (ORDER BY b) FROM t"
    yield f"SELECT * FROM {function}(a, b) AS q"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_the_grammar_makes_of_a_function_of_the_list_is_no_reason(dialect: Dialect) -> None:
    for function in sorted(FUNCTIONS[dialect]):
        verdicts = [check_statement(sql, Policy(dialect)) for sql in calls_of(function)]
        refused = [one.sentence for one in verdicts if isinstance(one, Rejected)]
        assert not [one for one in refused if "A part of the statement" in one], function


@rows(
    "sql",
    [
        "SELECT pg_total_relation_size('secret')",
        "SELECT 'secret'::regclass",
        "SELECT to_regclass('secret')",
        "SELECT pg_get_viewdef('secret'::regclass)",
        "SELECT has_table_privilege('secret', 'SELECT')",
    ],
)
def test_no_function_tells_of_a_table_outside_of_the_context(sql: str) -> None:
    assert isinstance(check_statement(sql, Policy("postgres")), Allowed)
    for policy in (Policy("postgres", schema="public"), Policy("postgres", tables=("orders",))):
        assert isinstance(check_statement(sql, policy), Rejected)


@rows(
    "argument",
    [
        "'data_directory'",
        "'app.jwt_secret'",
        "'ssl_key_file'",
        "'primary_conninfo'",
        "name",
        "'time' || 'zone'",
        "E'TimeZone'",
        "$$TimeZone$$",
        "",
    ],
)
def test_other_settings_cannot_be_asked_for(argument: str) -> None:
    verdict = check_statement(f"SELECT current_setting({argument}) FROM t", Policy("postgres"))
    assert isinstance(verdict, Rejected)
    assert "current_setting('TimeZone')" in verdict.sentence


@rows(
    "sql",
    [
        "SELECT * FROM t TABLESAMPLE pg_sleep (1)",
        "SELECT bernoulli(50) FROM t",
        "SELECT system(10)",
        'SELECT * FROM t TABLESAMPLE "bernoulli" (1)',
        "SELECT * FROM t TABLESAMPLE bernoulli (pg_sleep(1))",
        "SELECT 'pg_sleep'::regproc",
        "SELECT x.a FROM json_to_record('{}') AS x(a my_domain)",
        "SELECT x.b FROM json_to_record('{}') AS x(a int)",
        "SELECT coalesce(j->'k', pg_sleep(1)) FROM t",
        "SELECT min(a -> pg_sleep(1)) FROM t",
        "SELECT f(x -> 'a') FROM t",
        "SELECT t. set FROM t",
        "SELECT 1.set",
        "SELECT .set FROM t",
        "SELECT t.copy('x') FROM t",
        "SELECT t.a INTO copied FROM t",
        "SELECT t.into INTO copied FROM t",
        "SELECT t.* FOR UPDATE",
        "SELECT t.call; call f()",
    ],
)
def test_what_passes_now_hides_nothing(sql: str) -> None:
    assert isinstance(check_statement(sql, Policy("postgres")), Rejected)


def test_the_functions_of_a_sample_are_named_by_their_catalogue() -> None:
    verdict = check_statement("SELECT * FROM t TABLESAMPLE BERNOULLI (1)", Policy("postgres"))
    assert isinstance(verdict, Allowed)
    assert verdict.sql == "SELECT * FROM t TABLESAMPLE pg_catalog.BERNOULLI (1)"


# --- names -------------------------------------------------------------------------------------


@rows(
    ("named", "table"),
    [
        ('"My Table (2024)"', "My Table (2024)"),
        ("My Table (2024)", "My Table (2024)"),
        ("[My Table (2024)]", "My Table (2024)"),
        ('main."My Table (2024)"', "My Table (2024)"),
        ("my table (2024)", "my table (2024)"),
        ("it's", "it's"),
        ('"it\'s"', "it's"),
    ],
)
def test_a_command_finds_a_table_of_any_name(file: Path, named: str, table: str) -> None:
    found = check_table(named, Policy("sqlite"))
    assert isinstance(found, TableName)
    assert found.name == table
    place = found.as_argument("sqlite")
    assert ask(file, DescribeTable(place.name)).rows
    assert names(ask(file, SampleTable(place.name)))
    # A client of the db-mcp itself writes it as it likes.
    assert ask(file, DescribeTable(named)).rows
    assert ask(file, DescribeTable(named), tables=(named,)).rows


ENTRIES: Final = (
    '"My Table (2024)"',
    "My Table (2024)",
    "my table (2024)",
    '"MY TABLE (2024)"',
    "[My Table (2024)]",
    'main."My Table (2024)"',
    'MAIN."my table (2024)"',
)


@rows("entry", ENTRIES)
def test_a_context_means_the_same_table_in_every_place(file: Path, entry: str) -> None:
    policy = Policy("sqlite", tables=(entry,))
    for named in ENTRIES:
        assert isinstance(check_table(named, policy), TableName), named
    assert isinstance(check_table("it's", policy), Rejected)
    sql = 'SELECT "a.b" FROM "My Table (2024)"'
    assert isinstance(check_statement(sql, policy), Allowed)
    assert isinstance(check_statement('SELECT a FROM "it\'s"', policy), Rejected)
    assert names(query(file, sql, tables=(entry,))) == ["a.b"]
    with pytest.raises(DatabaseFailed, match="outside"):
        query(file, 'SELECT a FROM "it\'s"', tables=(entry,))


# --- sentences ---------------------------------------------------------------------------------


@rows(
    ("dialect", "sql", "sentence"),
    [
        (
            "sqlite",
            "SELECT * FORM products",
            "FORM (line 1, column 10) is not understood as SQLite; did you mean FROM?",
        ),
        (
            "sqlite",
            "SELECT * FORM orders",
            "FORM (line 1, column 10) is not understood as SQLite; did you mean FROM?",
        ),
        (
            "postgres",
            "SELECT *\nFROM orders\nWHRE id = 1",
            "WHRE (line 3, column 1) is not understood as PostgreSQL; did you mean WHERE?",
        ),
        (
            "sqlite",
            "SELECT a FROM t /* é */ ODER BY a",
            "ODER (line 1, column 25) is not understood as SQLite; did you mean ORDER?",
        ),
        (
            "sqlite",
            "select count(* from orders",
            "The ( at line 1, column 13 is not closed; close it.",
        ),
        ("sqlite", "SELECT a)\nFROM t", "The ) at line 1, column 9 closes nothing; remove it."),
        (
            "mysql",
            "SELECT 'it''s', 'b' FROM t WHERE a = = 2",
            (
                "= (line 1, column 38) is not understood "
                "there as MySQL; correct it, or what stands before it."
            ),
        ),
        (
            "sqlite",
            "SELECT * FROM orders WHERE",
            (
                "Something is missing at the end, after WHERE "
                "(line 1, column 22); complete the statement."
            ),
        ),
        (
            "sqlite",
            "SELEC * FROM t",
            "SELEC (line 1, column 1) begins no statement; did you mean SELECT?",
        ),
        (
            "postgres",
            "SELECT a FROM t\nWHERE b = {x}",
            (
                "No value is put in for a { here; write the value itself, or leave the sign out "
                "(line 2, column 11)."
            ),
        ),
        *(
            (
                dialect,
                f"SELECT a FROM t WHERE b = {sign}",
                (
                    f"No value is put in for a {sign[0]} here; write the value itself, or leave "
                    "the sign out (line 1, column 27)."
                ),
            )
            for dialect, sign in (
                *(("sqlite", sign) for sign in ("?", "$1", ":id", "@id", "%s", "#{id}")),
                *(("postgres", sign) for sign in ("?", "$1", ":id", "@id", "%s", "%(id)s")),
            )
        ),
        (
            "sqlite",
            "SELECT id FROM t WHERE a = 'x",
            "A string has no end; a ' is missing (line 1, column 28).",
        ),
        (
            "sqlite",
            "SELECT a::int FROM t",
            "SQLite has no ::; write CAST(x AS INTEGER) for x::integer (line 1, column 9).",
        ),
        (
            "sqlite",
            "SELECT TOP 10 * FROM t",
            "SQLite has no TOP; write LIMIT 10 at the end for TOP 10 (line 1, column 8).",
        ),
        (
            "postgres",
            "SELECT `a` FROM t",
            (
                "PostgreSQL has no `; write double quotes around a name, "
                'as in "my name" (line 1, column 8).'
            ),
        ),
        (
            "sqlite",
            "(SELECT 1) UNION (SELECT 2)",
            (
                "SQLite takes no parentheses around a part of a "
                "UNION; write SELECT * FROM (...) for that part."
            ),
        ),
        ("sqlite", "TABLE products", "Write SELECT * FROM for TABLE."),
        (
            "postgres",
            "SELECT * FROM orders o JOIN t ON t.id = orders.t_id",
            "orders is called o in this statement; write o.t_id.",
        ),
    ],
)
def test_an_error_of_syntax_names_the_place(dialect: Dialect, sql: str, sentence: str) -> None:
    verdict = check_statement(sql, Policy(dialect))
    assert isinstance(verdict, Rejected)
    assert verdict.sentence == sentence


@rows(
    "sql",
    ["(SELECT 1)", "((SELECT 1))", "( /* x */ (SELECT 1) )", "(SELECT 1);", "(SELECT (1))"],
)
def test_sqlite_gets_a_statement_without_the_parentheses_around_it(file: Path, sql: str) -> None:
    verdict = check_statement(sql, Policy("sqlite"))
    assert isinstance(verdict, Allowed)
    assert query(file, verdict.sql).rows == [[1]]


@rows(
    "sql", ["()", "(", "((DELETE FROM t))", "(SELECT 1); DELETE FROM t", "(SELECT 1) DELETE FROM t"]
)
def test_parentheses_hide_nothing(sql: str) -> None:
    for dialect in DIALECTS:
        assert isinstance(check_statement(sql, Policy(dialect)), Rejected)
        assert isinstance(check_statement(sql, Policy(dialect, read_only=False)), Rejected)


def test_a_refused_write_says_that_only_reading_is_allowed() -> None:
    for sql in ("DELETE FROM t", "WITH x AS (SELECT 1) DELETE FROM t", "SELECT 1 INTO x FROM t"):
        verdict = check_statement(sql, Policy("sqlite"))
        assert isinstance(verdict, Rejected)
        assert verdict.code is Code.DB_READ_ONLY
        assert "Only reading is allowed here" in verdict.sentence


def test_a_statement_for_a_plan_is_unwrapped_too() -> None:
    assert RunStatement("SELECT 1") == RunStatement(
        check_statement("(SELECT 1)", Policy("sqlite")).sql  # type: ignore[union-attr]
    )

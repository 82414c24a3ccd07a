"""What a database has for a function of others: it has it, and not the function."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import psycopg
import pytest

from chatd.answers.sql.elsewhere import _ELSEWHERE, alternative, instead_of_table
from chatd.answers.sql.functions import FUNCTIONS
from chatd.answers.sql.guard import check_statement
from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.verdicts import Allowed, Policy, Rejected
from tests.answers.sql.corpus import DIALECTS
from tests.postgres import Postgres
from tests.rows import rows

# What a person puts for the letters of an answer; the first that the database takes counts.
VALUES: Final = (
    ("'2026-01-31 10:00:00'", "'2026-01-30 10:00:00'"),
    ("65", "2"),
    ("'{\"a\": 1}'", "'{\"a\": 2}'"),
    ("1", "'a'"),
)


def answers(dialect: Dialect) -> list[tuple[str, str]]:
    return sorted(_ELSEWHERE[dialect].items())


def statements(answer: str, dialect: Dialect) -> Iterator[tuple[str, ...]]:
    """The alternatives of an answer, each as statements of which one has to work."""
    answer = re.sub(r",? (?:for|of|in|which|where|as a) (?!x)[^()]*$", "", answer)
    for one in re.split(r", or | of a \w+, or ", answer):
        part = re.sub(
            r" (?:of a number|of a date|of seconds|of a text.*|for the text|for zeros)$",
            "",
            one.strip().removeprefix("or "),
        )
        yield tuple(_written(part, x, y, dialect) for x, y in VALUES)


def _written(part: str, x: str, y: str, dialect: Dialect) -> str:
    if part.startswith("WITH RECURSIVE"):
        return f"{part} SELECT n FROM s"
    if part.startswith("SELECT"):
        source = f"(SELECT {x} AS x)"
        return (
            part.replace("FROM t", f"FROM {source} t")
            if " t" in part
            else part.replace("(x)", f"({x})")
        )
    # `x` and `y` as columns; literals within the part keep their letters.
    columns = f"{x} AS x, {y} AS y, {x} AS a, {y} AS b, 1 AS m, 1 AS d"
    return f"SELECT {part} FROM (SELECT {columns}) t"


def takes(connection: "sqlite3.Connection | psycopg.Connection[Any]", sql: str) -> bool:
    try:
        connection.execute(sql)  # type: ignore[arg-type]
    except (sqlite3.Error, psycopg.Error):
        return False
    return True


def test_sqlite_takes_each_answer() -> None:
    wrong = []
    with closing(sqlite3.connect(":memory:")) as connection:
        for name, answer in answers("sqlite"):
            if "in FROM" in answer:
                assert takes(connection, "SELECT value FROM json_each('[1]')")
                continue
            for tries in statements(answer, "sqlite"):
                if not any(takes(connection, sql) for sql in tries):
                    wrong.append((name, tries[0]))
    assert not wrong


def test_postgres_takes_each_answer(postgres: Postgres) -> None:
    types = (
        ("timestamp '2026-01-31 10:00'", "timestamp '2026-01-30 10:00'"),
        ("65", "2"),
        ("'65'::text", "'a,b'::text"),
        ("'{\"a\": 1}'::jsonb", "'{\"a\": 1}'::jsonb"),
        ("'[1]'::jsonb", "'[1]'::jsonb"),
        ("true", "false"),
        ("2.5::numeric", "'a'::text"),
    )
    wrong = []
    with postgres.connect("postgres") as connection:
        for name, answer in answers("postgres"):
            if "in FROM" in answer:
                continue
            for tries in statements(answer, "postgres"):
                part = tries[0].removeprefix("SELECT ").rsplit(" FROM (SELECT", 1)[0]
                sources = [
                    f"SELECT {part} FROM (SELECT {x} AS x, {y} AS y, {x} AS a, {y} AS b) t"
                    for x, y in types
                ]
                if not any(takes(connection, sql) for sql in sources):
                    wrong.append((name, part))
    assert not wrong


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_guard_says_it_where_the_function_is_called(dialect: Dialect) -> None:
    for name, answer in answers(dialect):
        verdict = check_statement(f"SELECT {name}(a, b) FROM t", Policy(dialect))
        if name.upper() in FUNCTIONS[dialect]:  # newer servers have it
            assert alternative(name, dialect) == answer
        elif isinstance(verdict, Rejected):
            assert f"write {answer}." in verdict.sentence, (name, verdict)
        else:
            assert name in ("if", "regexp", "rlike", "year", "datetime", "char"), name


@rows(
    ("dialect", "sql", "sentence"),
    [
        ("sqlite", "SELECT now()", "SQLite has no now(); write datetime('now')."),
        ("sqlite", "SELECT NOW ()", "SQLite has no now(); write datetime('now')."),
        ("sqlite", "SELECT left(a, 2) FROM t", "SQLite has no left(); write substr(x, 1, 3)."),
        (
            "postgres",
            "SELECT ifnull(a, 0) FROM t",
            "PostgreSQL has no ifnull(); write coalesce(x, y).",
        ),
        ("mysql", "SELECT nvl(a, 0) FROM t", "MySQL has no nvl(); write ifnull(x, y)."),
    ],
)
def test_a_refusal_says_what_to_write(dialect: Dialect, sql: str, sentence: str) -> None:
    verdict = check_statement(sql, Policy(dialect))
    assert isinstance(verdict, Rejected)
    assert verdict.sentence == sentence


@rows(
    "sql", ["SELECT pg_sleep(1)", 'SELECT "now"()', "SELECT s.now()", "SELECT load_extension('x')"]
)
def test_what_nobody_has_is_only_refused(sql: str) -> None:
    verdict = check_statement(sql, Policy("sqlite"))
    assert isinstance(verdict, Rejected)
    assert "may not be called here" in verdict.sentence


@rows(
    ("dialect", "table", "instead"),
    [
        ("sqlite", "information_schema.tables", "/tables"),
        ("sqlite", "pg_tables", "/tables"),
        ("sqlite", "sys.tables", "/tables"),
        ("sqlite", "DUAL", "leave FROM DUAL out"),
        ("sqlite", "pg_orders", None),
        ("sqlite", "tables", None),
        ("postgres", "sqlite_master", "information_schema.tables"),
        ("postgres", "orders", None),
    ],
)
def test_a_table_of_other_databases_has_something_in_its_place(
    dialect: Dialect, table: str, instead: str | None
) -> None:
    said = instead_of_table(table, dialect)
    assert said is None if instead is None else instead in (said or "")


def test_a_join_from_the_left_stays_one() -> None:
    sql = "SELECT * FROM a LEFT JOIN b ON (a.x = b.x)"
    assert isinstance(check_statement(sql, Policy("sqlite")), Allowed)


@rows(
    "dialect, condition, sentence",
    [
        ("sqlite", "a =< 5", "SQLite has no =<; write <= for =< (line 1, column 25)."),
        ("mysql", "a => 5", "MySQL has no =>; write >= for => (line 1, column 25)."),
        ("sqlite", "a !< 5", "SQLite has no !<; write >= for !< (line 1, column 25)."),
        ("sqlite", "a && b", "SQLite has no &&; write AND for && (line 1, column 25)."),
        ("postgres", "a =< 5", "PostgreSQL has no =<; write <= for =<."),
        ("postgres", "a == 5", "PostgreSQL has no ==; write = for ==."),
        *(
            (
                dialect,
                "d = 31.01.2024",
                (
                    "31.01.2024 (line 1, column 27) is no date here; write a date as "
                    "'YYYY-MM-DD', in quotes."
                ),
            )
            for dialect in DIALECTS
        ),
    ],
)
def test_signs_and_dates_of_others_are_told_with_what_to_write(
    dialect: Dialect, condition: str, sentence: str
) -> None:
    verdict = check_statement(f"SELECT * FROM t WHERE {condition}", Policy(dialect))
    assert isinstance(verdict, Rejected)
    assert verdict.sentence == sentence


def test_a_named_argument_of_postgres_is_no_sign_of_others() -> None:
    verdict = check_statement("SELECT make_interval(days => 1) FORM t", Policy("postgres"))
    assert isinstance(verdict, Rejected)
    assert "FORM" in verdict.sentence

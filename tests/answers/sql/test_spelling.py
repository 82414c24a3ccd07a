"""The functions that misspelt ones may be; a function of the server is never taken for one."""

import sqlite3
from contextlib import closing

from chatd.answers.sql.functions import FUNCTIONS
from chatd.answers.sql.guard import check_statement
from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.spelling import nearest_functions, slips_between
from chatd.answers.sql.verdicts import Policy, Rejected
from tests.postgres import Postgres
from tests.rows import rows


@rows(
    ("one", "other", "count"),
    [
        ("FORM", "FROM", 1),
        ("FRM", "FROM", 1),
        ("FROMM", "FROM", 1),
        ("FRON", "FROM", 1),
        ("LENGHT", "LENGTH", 1),
        ("SALES", "VALUES", 2),
        ("", "ON", 2),
        ("ON", "ON", 0),
    ],
)
def test_slips_are_counted_in_both_directions(one: str, other: str, count: int) -> None:
    assert slips_between(one, other) == slips_between(other, one) == count


@rows(
    ("dialect", "name", "meant"),
    [
        ("sqlite", "cuont", "count"),
        ("sqlite", "cout", "count"),
        ("sqlite", "lenght", "length"),
        ("sqlite", "Uper", "upper"),
        ("sqlite", "exits", "exists"),
        ("sqlite", "colaesce", "coalesce"),
        ("postgres", "string_ag", "string_agg"),
        ("postgres", "date_trnuc", "date_trunc"),
        ("mysql", "date_fromat", "date_format"),
    ],
)
def test_a_misspelt_function_is_told_with_the_one_that_was_meant(
    dialect: Dialect, name: str, meant: str
) -> None:
    verdict = check_statement(f"SELECT {name}(a) FROM t", Policy(dialect))
    assert isinstance(verdict, Rejected)
    assert verdict.sentence.startswith(f"There is no function {name}; did you mean {meant}")


@rows(
    ("dialect", "call"),
    [
        ("sqlite", "load_extension('x')"),
        ("sqlite", "readfile('x')"),
        ("sqlite", '"lenght"(a)'),
        ("sqlite", "main.lenght(a)"),
        ("sqlite", "fx(a)"),
        ("postgres", "pg_sleep(1)"),
        ("postgres", "pg_read_file('x')"),
        ("postgres", "nextval('s')"),
        ("postgres", "set_config('a', 'b', true)"),
        ("mysql", "sleep(1)"),
        ("mysql", "load_file('x')"),
        ("mysql", "get_lock('a', 1)"),
        ("mysql", "benchmark(1, 1)"),
    ],
)
def test_a_function_that_nobody_may_call_is_only_refused(dialect: Dialect, call: str) -> None:
    verdict = check_statement(f"SELECT {call} FROM t", Policy(dialect))
    assert isinstance(verdict, Rejected)
    assert "may not be called here" in verdict.sentence


def test_no_function_of_sqlite_is_said_to_be_missing() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        known = {name for (name,) in connection.execute("SELECT name FROM pragma_function_list")}
    unlisted = {name for name in known if name.upper() not in FUNCTIONS["sqlite"]}
    assert {name: near for name in unlisted if (near := nearest_functions(name, "sqlite"))} == {}


def test_no_function_of_postgres_is_said_to_be_missing(postgres: Postgres) -> None:
    with postgres.connect("postgres") as connection:
        known = {name for (name,) in connection.execute("SELECT proname FROM pg_proc").fetchall()}
    unlisted = {name for name in known if name.upper() not in FUNCTIONS["postgres"]}
    near = {name for name in unlisted if nearest_functions(name, "postgres")}
    assert sorted(near) == []

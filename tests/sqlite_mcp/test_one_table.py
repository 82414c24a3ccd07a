"""One table of functions for the guard and the db-mcp: what one lets through, the other does."""

import sqlite3
from contextlib import closing
from typing import Final

import apsw

from chatd.answers.sql.functions import SQLITE_FUNCTIONS, SQLITE_ROW_SOURCES
from chatd.answers.sql.guard import check_statement
from chatd.answers.sql.verdicts import Allowed, Policy, Rejected
from chatd.sqlite_mcp.catalog import Catalog
from chatd.sqlite_mcp.permissions import FUNCTIONS as OF_DB_MCP
from chatd.sqlite_mcp.permissions import ROW_SOURCES, Authorizer, TableScope
from tests.rows import rows

CALLS: Final = {
    name: f"{name}{arguments}"
    for names, arguments in (
        ("abs ceil ceiling floor round sign sqrt exp ln log likely unlikely", "(1)"),
        ("sin cos tan asin acos atan sinh cosh tanh asinh atanh degrees radians", "(0.5)"),
        ("log2 log10 trunc acosh", "(1.5)"),
        ("power pow mod atan2 nullif ifnull coalesce", "(2, 3)"),
        ("avg count max min sum total group_concat median", "(a)"),
        ("json_group_array jsonb_group_array", "(a)"),
        ("row_number rank dense_rank percent_rank cume_dist", "() OVER (ORDER BY a)"),
        ("lag lead first_value last_value", "(a) OVER (ORDER BY a)"),
        ("nth_value", "(a, 1) OVER (ORDER BY a)"),
        ("ntile", "(2) OVER (ORDER BY a)"),
        ("lower upper length trim ltrim rtrim hex unicode octet_length quote", "('x')"),
        ("soundex typeof unistr unistr_quote", "('x')"),
        ("concat concat_ws instr like glob", "('x', 'y')"),
        ("substr substring", "('x', 1, 1)"),
        ("format printf", "('%s', 'x')"),
        ("date time datetime julianday unixepoch", "('now')"),
        ("timediff", "('now', 'now')"),
        ("strftime", "('%Y', 'now')"),
        ("iif if replace", "('a', 'a', 'b')"),
        ("percentile", "(a, 50)"),
        ("percentile_cont percentile_disc likelihood", "(1, 0.5)"),
        ("string_agg", "(a, ',')"),
        ("randomblob zeroblob char", "(65)"),
        ("unhex", "('41')"),
        ("pi random sqlite_version", "()"),
        ("current_date current_time current_timestamp", ""),
        ("json json_array json_array_length json_type json_error_position", "('[1]')"),
        ("json_pretty json_quote json_valid jsonb jsonb_array", "('[1]')"),
        ("json_extract jsonb_extract json_remove", "('[1]', '$[0]')"),
        ("json_insert json_replace json_set", "('[1]', '$[0]', 2)"),
        ("json_object jsonb_object json_group_object jsonb_group_object", "('a', 1)"),
        ("bm25", "(f)"),
        ("highlight", "(f, 0, '<', '>')"),
        ("snippet", "(f, 0, '<', '>', '', 5)"),
    )
    for name in names.split()
} | {"match": "a"}
"""How each function of the table is called; `match` is an operator, which SQLite calls so."""
OF_TEXT_SEARCH: Final = ("bm25", "highlight", "snippet", "match")


def statement(name: str) -> str:
    source = "f WHERE f MATCH 'x'" if name in OF_TEXT_SEARCH else "t"
    return f"SELECT {CALLS[name]} FROM {source}"


def library() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (a)")
    connection.execute("CREATE VIRTUAL TABLE f USING fts5 (a)")
    connection.execute("INSERT INTO t VALUES (1)")
    connection.execute("INSERT INTO f VALUES ('x')")
    return connection


def names_of(connection: "sqlite3.Connection | apsw.Connection") -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM pragma_function_list")}


def test_every_function_of_the_table_is_tried() -> None:
    assert {name.upper() for name in CALLS} == SQLITE_FUNCTIONS
    assert not SQLITE_FUNCTIONS & SQLITE_ROW_SOURCES
    assert frozenset(name.upper() for name in ROW_SOURCES) == SQLITE_ROW_SOURCES


def test_every_function_of_the_table_is_one_of_sqlite() -> None:
    with closing(library()) as connection, closing(apsw.Connection(":memory:")) as newest:
        known = names_of(connection) | names_of(newest)
    assert set(CALLS) <= known


@rows("name", sorted(CALLS))
def test_guard_and_db_mcp_let_a_function_through_which_sqlite_runs(name: str) -> None:
    verdict = check_statement(statement(name), Policy("sqlite"))
    assert isinstance(verdict, Allowed), verdict
    with closing(library()) as connection:
        if name not in names_of(connection):
            return  # a library that is older than the function
        authorizer = Authorizer(Catalog.read(connection, None).scope, may_write=False)
        connection.set_authorizer(authorizer)
        connection.execute(verdict.sql).fetchall()
        assert authorizer.denial is None


def test_neither_lets_any_other_function_of_sqlite_through() -> None:
    with closing(library()) as connection:
        others = names_of(connection) - set(CALLS) - {"->", "->>"}
    assert {"json_patch", "load_extension"} <= others
    assert not others & OF_DB_MCP
    authorizer = Authorizer(TableScope({"t": "table"}), may_write=False)
    for name in others:
        assert isinstance(check_statement(f"SELECT {name}(a) FROM t", Policy("sqlite")), Rejected)
        assert authorizer(sqlite3.SQLITE_FUNCTION, None, name, None, None) == sqlite3.SQLITE_DENY


@rows("name", sorted(ROW_SOURCES))
def test_both_let_a_source_of_rows_through(name: str) -> None:
    sql = f"SELECT value FROM {name}('[1, 2]')"
    assert isinstance(check_statement(sql, Policy("sqlite")), Allowed)
    with closing(library()) as connection:
        connection.execute(sql)  # as the catalogue does: SQLite sets it up
        connection.set_authorizer(Authorizer(TableScope({}), may_write=False))
        assert (1,) in connection.execute(sql).fetchall()

"""What chatd makes of a statement for a peer is what the peer makes the statement of again."""

import re
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.mcp.statements import describe_statement, rows_as_json, without_parameters
from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.scopes import TableName
from tests.rows import rows

PARAMETERS: Final = re.compile(r"(?<![:\w\$\x5c]):([\w\$]+)(?![:\w\$])")
ESCAPED: Final = re.compile(r"\x5c(:[\w\$]*)(?![:\w\$])")
"""As in SQLAlchemy's `sql.compiler` (BIND_PARAMS and BIND_PARAMS_ESC of 2.0)."""


def as_sqlalchemy_sends(text: str) -> str:
    assert PARAMETERS.search(text) is None
    return ESCAPED.sub(lambda match: match.group(1), text)


@rows(
    "sql",
    [
        """SELECT value FROM jsonb_each_text('{"a":1,"b":2}')""",
        "SELECT '%:ok%'",
        "SELECT 'a::b' || ':c' || '12:30:45'",
        "SELECT x::int, (ARRAY[1,2,3])[1:2], a[:n]",
        r"SELECT '\:x', '\\:x', '\: ', 'a\:b:c', E'\\:'",
        "SELECT ':', '::', ':::a', ':$1', ':é', ':a:', ':a:b'",
        "SELECT $$:x$$, $tag$ :y $tag$",
    ],
)
def test_a_colon_stays_a_colon(sql: str) -> None:
    assert as_sqlalchemy_sends(without_parameters(sql)) == sql


@given(sql=st.text(alphabet=":\\ab1$ '_é") | st.text())
def test_no_statement_has_parameters(sql: str) -> None:
    assert as_sqlalchemy_sends(without_parameters(sql)) == sql


def test_what_needs_no_mark_gets_none() -> None:
    sql = "SELECT x::text FROM t WHERE at > '12:30'"
    assert without_parameters(sql) == sql


@rows(
    ("sql", "does_ask"),
    [
        ("SELECT 1", True),
        ("(SELECT 1) UNION (SELECT 2)", True),
        ("with a as (select 1) select * from a", True),
        ("VALUES (1)", True),
        ("TABLE orders", True),
        ("SHOW work_mem", False),
        ("EXPLAIN SELECT 1", False),
        ("INSERT INTO t VALUES (1)", False),
    ],
)
def test_rows_are_asked_for_as_json_where_there_are_rows(sql: str, does_ask: bool) -> None:
    asked = rows_as_json(sql)
    assert (asked is not None) == does_ask
    assert asked is None or f"({sql}\n)" in asked


@rows(
    ("dialect", "table", "part"),
    [
        ("sqlite", TableName("it's", "main"), "pragma_table_info('it''s', 'main')"),
        ("sqlite", TableName("t"), "pragma_table_info('t')"),
        ("postgres", TableName("it's", 'a"b'), """'"a""b"."it''s"'::pg_catalog.regclass"""),
        ("mysql", TableName("it's\\", "s"), "table_schema = 's' AND table_name = 'it''s\\\\'"),
        ("mysql", TableName("t"), "table_schema = database() AND table_name = 't'"),
    ],
)
def test_the_name_of_a_table_is_a_literal(dialect: Dialect, table: TableName, part: str) -> None:
    assert part in describe_statement(table, dialect)

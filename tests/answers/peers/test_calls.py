"""From a request to the call of a tool."""

import pytest

from chatd.answers.peers.calls import ToolCall, quoted_table, tool_call
from chatd.answers.peers.mapping import READY, Call, Form, Mapping
from chatd.answers.requests import (
    DescribeTable,
    ExplainStatement,
    ListTables,
    RunStatement,
    SampleTable,
    Terms,
)

QUERY = Call("run", "sql", as_statement=True)
TERMS = Terms(schema="main", tables=("a", "b"), max_rows=7, max_bytes=99, timeout_s=1.5)


def test_each_request_goes_to_its_tool() -> None:
    mapping = Mapping(
        list_tables=Call("list"),
        describe_table=Call("describe", "name", Form.TEXT, is_list=True),
        query=Call("run", "sql", Form.TABS, "x.y", {"mode": "ro"}),
    )
    told = [
        tool_call(mapping, "sqlite", request, Terms())
        for request in (ListTables(), DescribeTable("t"), RunStatement("SELECT 1"))
    ]
    assert told == [
        ToolCall("list", {}),
        ToolCall("describe", {"name": ["t"]}, Form.TEXT, table="t"),
        ToolCall("run", {"mode": "ro", "sql": "SELECT 1"}, Form.TABS, "x.y"),
    ]
    assert mapping.tools == {"list", "describe", "run"}


def test_what_a_peer_cannot_do_is_none() -> None:
    for request in (ListTables(), DescribeTable("t"), SampleTable("t"), ExplainStatement("x")):
        assert tool_call(Mapping(query=QUERY), "sqlite", request, Terms()) is None


@pytest.mark.parametrize(
    ("dialect", "statement"),
    [
        ("sqlite", "EXPLAIN QUERY PLAN SELECT 1"),
        ("postgres", "EXPLAIN SELECT 1"),
        ("mysql", "EXPLAIN SELECT 1"),
    ],
)
def test_a_plan_is_asked_for_by_a_statement_that_runs_nothing(dialect: str, statement: str) -> None:
    call = tool_call(Mapping(explain=QUERY), dialect, ExplainStatement("SELECT 1"), Terms())
    assert call == ToolCall("run", {"sql": statement})


def test_a_sample_is_asked_for_by_a_statement_within_the_terms() -> None:
    for rows, limit in [(1000, 10), (3, 3)]:
        call = tool_call(
            Mapping(sample_table=QUERY), "sqlite", SampleTable("t"), Terms(max_rows=rows)
        )
        assert call is not None
        assert call.arguments == {"sql": f'SELECT * FROM "t" LIMIT {limit}'}


@pytest.mark.parametrize(
    ("table", "schema", "dialect", "quoted"),
    [
        ("t", None, "sqlite", '"t"'),
        ("t", "s", "postgres", '"s"."t"'),
        ("s.t", "other", "postgres", '"s"."t"'),
        ('a"; DROP TABLE b; --', None, "sqlite", '"a""; DROP TABLE b; --"'),
        ("a`b", None, "mysql", "`a``b`"),
        ('a"b', None, "mysql", '`a"b`'),
    ],
)
def test_the_name_of_a_table_stays_a_name(
    table: str, schema: str | None, dialect: str, quoted: str
) -> None:
    assert quoted_table(table, schema, dialect) == quoted


def test_the_terms_go_under_the_names_of_the_peer() -> None:
    call = tool_call(READY["chatd"], "sqlite", RunStatement("SELECT 1"), TERMS)
    assert call is not None
    assert call.arguments == {
        "sql": "SELECT 1",
        "readOnly": True,
        "schema": "main",
        "tables": ["a", "b"],
        "maxRows": 7,
        "maxBytes": 99,
        "timeoutMs": 1500,
    }


def test_terms_that_do_not_narrow_are_left_out() -> None:
    call = tool_call(READY["chatd"], "sqlite", RunStatement("SELECT 1"), Terms())
    assert call is not None
    assert not {"schema", "tables"} & set(call.arguments)

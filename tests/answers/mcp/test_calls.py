"""From a request to the call of a tool."""

import pytest

from chatd.answers.mcp.calls import ToolCall, tool_call
from chatd.answers.mcp.mapping import READY, Call, Form, PeerMapping
from chatd.answers.mcp.statements import quoted_table
from chatd.answers.requests import (
    DatabaseFailed,
    DescribeTable,
    ExplainStatement,
    ListTables,
    RunStatement,
    SampleTable,
    Terms,
)
from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.scopes import TableName
from chatd.wire.codes import Code

QUERY = Call("run", "sql", as_statement=True)
TERMS = Terms(schema="main", tables=("a", "b"), max_rows=7, max_bytes=99, timeout_s=1.5)


def test_each_request_goes_to_its_tool() -> None:
    mapping = PeerMapping(
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
        ToolCall("describe", {"name": ["t"]}, Form.TEXT, table=TableName("t")),
        ToolCall("run", {"mode": "ro", "sql": "SELECT 1"}, Form.TABS, "x.y"),
    ]
    assert mapping.tools == {"list", "describe", "run"}


def test_what_a_peer_cannot_do_is_none() -> None:
    for request in (ListTables(), DescribeTable("t"), SampleTable("t"), ExplainStatement("x")):
        assert tool_call(PeerMapping(query=QUERY), "sqlite", request, Terms()) is None


@pytest.mark.parametrize(
    ("dialect", "statement"),
    [
        ("sqlite", "EXPLAIN QUERY PLAN SELECT 1"),
        ("postgres", "EXPLAIN SELECT 1"),
        ("mysql", "EXPLAIN SELECT 1"),
    ],
)
def test_a_plan_is_asked_for_by_a_statement_that_runs_nothing(
    dialect: Dialect, statement: str
) -> None:
    call = tool_call(PeerMapping(explain=QUERY), dialect, ExplainStatement("SELECT 1"), Terms())
    assert call == ToolCall("run", {"sql": statement})


def test_a_sample_is_asked_for_by_a_statement_within_the_terms() -> None:
    for rows, limit in [(1000, 10), (3, 3)]:
        call = tool_call(
            PeerMapping(sample_table=QUERY), "sqlite", SampleTable("t"), Terms(max_rows=rows)
        )
        assert call is not None
        assert call.arguments == {"sql": f'SELECT * FROM "t" LIMIT {limit}'}


@pytest.mark.parametrize("sql", ["VALUES (1, 2)", "values(1), (2)"])
def test_values_are_selected_where_a_tool_has_rows_for_nothing_else(sql: str) -> None:
    for does_wrap, sent in [(True, f"SELECT * FROM ({sql}) AS answer"), (False, sql)]:
        mapping = PeerMapping(query=Call("run", "sql", wraps_values=does_wrap))
        call = tool_call(mapping, "sqlite", RunStatement(sql), Terms())
        assert call is not None
        assert call.arguments == {"sql": sent}


def test_other_statements_are_sent_as_they_are() -> None:
    mapping = PeerMapping(query=Call("run", "sql", wraps_values=True))
    for sql in ("SELECT 1", "WITH a AS (VALUES (1)) SELECT * FROM a", "INSERT INTO t VALUES (1)"):
        call = tool_call(mapping, "sqlite", RunStatement(sql), Terms())
        assert call is not None
        assert call.arguments == {"sql": sql}


@pytest.mark.parametrize(
    ("table", "dialect", "quoted"),
    [
        (TableName("t"), "sqlite", '"t"'),
        (TableName("t", "s"), "postgres", '"s"."t"'),
        (TableName("s.t"), "postgres", '"s.t"'),
        (TableName('a"; DROP TABLE b; --'), "sqlite", '"a""; DROP TABLE b; --"'),
        (TableName("a`b", "s`"), "mysql", "`s```.`a``b`"),
        (TableName('a"b'), "mysql", '`a"b`'),
    ],
)
def test_the_name_of_a_table_stays_a_name(table: TableName, dialect: Dialect, quoted: str) -> None:
    assert quoted_table(table, dialect) == quoted


@pytest.mark.parametrize(
    ("table", "schema", "terms", "dialect", "quoted"),
    [
        ("t", "sales", Terms(), "postgres", '"sales"."t"'),
        ("t", "main", Terms(), "sqlite", '"main"."t"'),
        ("t", None, Terms(schema="public"), "postgres", '"public"."t"'),
        ("t", None, Terms(tables=("t",)), "postgres", '"t"'),  # as a statement would ask
        ("t", "sales", Terms(tables=("sales.t",)), "postgres", '"sales"."t"'),
        ("t", None, Terms(tables=("t",)), "mysql", "`t`"),
    ],
)
def test_a_sample_is_of_the_table_in_its_schema(
    table: str, schema: str | None, terms: Terms, dialect: Dialect, quoted: str
) -> None:
    mapping = PeerMapping(sample_table=QUERY)
    call = tool_call(mapping, dialect, SampleTable(table, schema), terms)
    assert call is not None
    assert call.arguments == {"sql": f"SELECT * FROM {quoted} LIMIT 10"}


@pytest.mark.parametrize(
    ("table", "dialect", "argument"),
    [
        (TableName("t"), "postgres", "t"),
        (TableName("t", "sales"), "postgres", "sales.t"),
        (TableName("t", "main"), "sqlite", "t"),
        (TableName("t", "other"), "sqlite", "other.t"),
    ],
)
def test_a_tool_for_tables_gets_the_name_with_the_schema_that_was_given(
    table: TableName, dialect: Dialect, argument: str
) -> None:
    mapping = PeerMapping(describe_table=Call("describe", "name"))
    request = DescribeTable(table.name, table.schema)
    call = tool_call(mapping, dialect, request, Terms(schema=table.schema))
    assert call is not None
    assert call.arguments == {"name": argument}


def test_a_name_that_a_tool_puts_into_a_statement_is_quoted() -> None:
    mapping = PeerMapping(describe_table=Call("describe", "name", is_quoted=True))
    call = tool_call(mapping, "mysql", DescribeTable("order items", "shop"), Terms())
    assert call is not None
    assert call.arguments == {"name": "`shop`.`order items`"}


@pytest.mark.parametrize(
    ("schema", "terms", "dialect", "arguments"),
    [
        (None, Terms(), "postgres", {"name": "t"}),
        ("sales", Terms(), "postgres", {"name": "t", "schema": "sales"}),
        (None, Terms(tables=("t",)), "postgres", {"name": "t", "schema": "public"}),
        ("main", Terms(), "sqlite", {"name": "t"}),
    ],
)
def test_a_schema_has_its_own_argument_where_the_tool_has_one(
    schema: str | None, terms: Terms, dialect: Dialect, arguments: dict[str, str]
) -> None:
    mapping = PeerMapping(describe_table=Call("describe", "name", schema_argument="schema"))
    call = tool_call(mapping, dialect, DescribeTable("t", schema), terms)
    assert call is not None
    assert call.arguments == arguments
    assert call.table == TableName("t", arguments.get("schema"))


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


@pytest.mark.parametrize(
    ("dialect", "context", "told"),
    [
        ("sqlite", ("orders", "Main.Items", '"main"."x"', "[a b]", "`y`"), "orders Items x a b y"),
        ("sqlite", ("orders", '"orders"', "main.orders", ""), "orders"),
        ("sqlite", ("Customer's orders", "a.b c", '"a.b"'), "Customer's orders a.b c a.b"),
        ("sqlite", ("other.orders",), "other.orders"),
        ("postgres", ('"Orders"', 'sales."Items"'), "Orders sales.Items"),
        ("postgres", ("Orders",), "orders Orders"),
    ],
)
def test_the_tables_of_a_context_are_told_without_quotes(
    dialect: Dialect, context: tuple[str, ...], told: str
) -> None:
    terms = Terms(tables=context)
    call = tool_call(READY["chatd"], dialect, RunStatement("SELECT 1"), terms)
    assert call is not None
    assert " ".join(call.arguments["tables"]) == told  # type: ignore[call-overload]  # JSON


@pytest.mark.parametrize("name", ["a;b", 'say "hi"', "x)", "Price [EUR]", "it's"])
def test_a_name_with_other_signs_goes_to_tools_that_take_it_as_a_value_alone(name: str) -> None:
    def asked(call: Call) -> dict[str, object]:
        made = tool_call(
            PeerMapping(describe_table=call), "postgres", DescribeTable(name, "s"), Terms()
        )
        assert made is not None
        return dict(made.arguments)

    with pytest.raises(DatabaseFailed, match="letters, digits, spaces") as caught:
        asked(Call("d", "table"))
    assert caught.value.code is Code.DB_STATEMENT_REJECTED
    assert asked(Call("d", "table", takes_any_name=True)) == {"table": f"s.{name}"}
    doubled = name.replace('"', '""')
    assert asked(Call("d", "table", is_quoted=True)) == {"table": f'"s"."{doubled}"'}


def test_terms_that_do_not_narrow_are_left_out() -> None:
    call = tool_call(READY["chatd"], "sqlite", RunStatement("SELECT 1"), Terms())
    assert call is not None
    assert not {"schema", "tables"} & set(call.arguments)

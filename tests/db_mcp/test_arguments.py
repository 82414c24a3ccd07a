from typing import Any

import pytest

from chatd.answers.mcp.contract import Argument, Tool
from chatd.answers.requests import (
    DescribeTable,
    ExplainStatement,
    ListColumns,
    ListTables,
    Request,
    RunStatement,
    SampleTable,
    Terms,
)
from chatd.db_mcp.arguments import (
    BYTES_MAX,
    CHUNKED_ROWS_MAX,
    ROWS_MAX,
    TIMEOUT_MS_MAX,
    WHOLE_BYTES_MAX,
    WrongArgument,
    input_schema,
    read_arguments,
)
from tests.rows import rows


@pytest.mark.parametrize(
    ("tool", "arguments", "request_"),
    [
        (Tool.LIST_TABLES, {}, ListTables()),
        (Tool.LIST_COLUMNS, {}, ListColumns()),
        (Tool.DESCRIBE_TABLE, {"table": "x"}, DescribeTable("x")),
        (Tool.SAMPLE_TABLE, {"table": "x"}, SampleTable("x")),
        (Tool.QUERY, {"sql": "SELECT 1"}, RunStatement("SELECT 1")),
        (Tool.QUERY, {"sql": "SELECT 1", "dryRun": False}, RunStatement("SELECT 1")),
        (Tool.QUERY, {"sql": "SELECT 1", "dryRun": True}, ExplainStatement("SELECT 1")),
        (Tool.EXPLAIN, {"sql": "SELECT 1"}, ExplainStatement("SELECT 1")),
    ],
)
def test_a_tool_makes_its_request_on_the_usual_terms(
    tool: Tool, arguments: dict[str, Any], request_: Request
) -> None:
    assert read_arguments(tool, arguments, in_chunks=True) == (request_, Terms())


def test_all_terms_may_be_given() -> None:
    given = {
        "schema": "main",
        "tables": ["a", "b"],
        "maxRows": 5,
        "maxBytes": 6,
        "timeoutMs": 1_500,
        "readOnly": False,
        "unknown": "is ignored",
    }
    terms = Terms(False, "main", ("a", "b"), 5, 6, 1.5)
    assert read_arguments(Tool.LIST_TABLES, given, in_chunks=True) == (ListTables(), terms)


def test_null_is_absence_and_no_table_is_a_narrowing() -> None:
    given = {name: None for name in Argument if name not in (Argument.SQL, Argument.TABLE)}
    assert read_arguments(Tool.LIST_TABLES, given, True) == (ListTables(), Terms())
    assert read_arguments(Tool.LIST_TABLES, {"tables": []}, True)[1].tables == ()


@pytest.mark.parametrize(
    ("in_chunks", "most"),
    [(True, (CHUNKED_ROWS_MAX, BYTES_MAX)), (False, (ROWS_MAX, WHOLE_BYTES_MAX))],
)
def test_a_number_beyond_its_ceiling_is_the_ceiling(in_chunks: bool, most: tuple[int, int]) -> None:
    given = {"maxRows": 10**18, "maxBytes": 10**18, "timeoutMs": 10**18}
    terms = read_arguments(Tool.LIST_TABLES, given, in_chunks)[1]
    assert (terms.max_rows, terms.max_bytes) == most
    assert terms.timeout_s == TIMEOUT_MS_MAX / 1000


@rows(
    ("tool", "arguments", "named"),
    [
        (Tool.QUERY, {}, "sql"),
        (Tool.QUERY, {"sql": None}, "sql"),
        (Tool.QUERY, {"sql": 1}, "sql"),
        (Tool.EXPLAIN, {"sql": ["SELECT 1"]}, "sql"),
        (Tool.SAMPLE_TABLE, {}, "table"),
        (Tool.DESCRIBE_TABLE, {"table": ""}, "table"),
        (Tool.DESCRIBE_TABLE, {"table": "x\0"}, "table"),
        (Tool.DESCRIBE_TABLE, {"table": "x" * 256}, "table"),
        (Tool.LIST_TABLES, {"schema": 1}, "schema"),
        (Tool.LIST_TABLES, {"tables": "people"}, "tables"),
        (Tool.LIST_TABLES, {"tables": [1]}, "tables"),
        (Tool.LIST_TABLES, {"tables": ["x"] * 101}, "tables"),
        (Tool.LIST_TABLES, {"maxRows": 0}, "maxRows"),
        (Tool.LIST_TABLES, {"maxRows": "10"}, "maxRows"),
        (Tool.LIST_TABLES, {"maxRows": True}, "maxRows"),
        (Tool.LIST_TABLES, {"maxBytes": 1.5}, "maxBytes"),
        (Tool.LIST_TABLES, {"timeoutMs": -1}, "timeoutMs"),
        (Tool.LIST_TABLES, {"readOnly": 0}, "readOnly"),
        (Tool.LIST_TABLES, {"readOnly": "false"}, "readOnly"),
        (Tool.QUERY, {"sql": "SELECT 1", "dryRun": "true"}, "dryRun"),
        (Tool.QUERY, {"sql": "SELECT 1", "dryRun": 1}, "dryRun"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(
    tool: Tool, arguments: dict[str, Any], named: str
) -> None:
    with pytest.raises(WrongArgument, match=f"^{named} must be"):
        read_arguments(tool, arguments, in_chunks=True)


@pytest.mark.parametrize("tool", Tool)
def test_a_schema_names_what_the_tool_takes(tool: Tool) -> None:
    schema = input_schema(tool)
    assert set(schema["required"]) == {"sql", "table"} & set(schema["properties"])
    assert len(schema["required"]) == (0 if tool in (Tool.LIST_TABLES, Tool.LIST_COLUMNS) else 1)
    assert ("dryRun" in schema["properties"]) is (tool is Tool.QUERY)
    assert {"schema", "tables", "maxRows", "maxBytes", "timeoutMs", "readOnly"} <= set(
        schema["properties"]
    )

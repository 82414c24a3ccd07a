"""From a request to the call of a tool, in the terms of a `Mapping`; pure."""

from collections.abc import Mapping as Dictionary
from types import MappingProxyType
from typing import Final, assert_never

import attrs

from chatd.answers.peers.mapping import Call, Form, Mapping
from chatd.answers.requests import (
    DescribeTable,
    ExplainStatement,
    ListTables,
    Request,
    RunStatement,
    SampleTable,
    Terms,
)

SAMPLE_ROWS: Final = 10
"""Rows of a sample where the peer has no tool for it, and a statement asks for them."""

EXPLAIN: Final[Dictionary[str, str]] = MappingProxyType(
    {"sqlite": "EXPLAIN QUERY PLAN ", "postgres": "EXPLAIN ", "mysql": "EXPLAIN "}
)
"""What stands before a statement so that its plan is told and it does not run, by dialect."""


@attrs.frozen
class ToolCall:
    """A tool, what it is called with, and how it answers; `table` is what "*" stands for."""

    tool: str
    arguments: Dictionary[str, object]
    form: Form = Form.JSON
    rows: str = ""
    table: str | None = None


def tool_call(mapping: Mapping, dialect: str, request: Request, terms: Terms) -> ToolCall | None:
    """The call that carries out a request; None where the peer has no tool for it."""
    call: Call | None
    subject: str | None
    match request:
        case ListTables():
            call, subject = mapping.list_tables, None
        case DescribeTable(table=table):
            call, subject = mapping.describe_table, table
        case SampleTable(table=table):
            call, subject = mapping.sample_table, table
            if call is not None and call.as_statement:
                name = quoted_table(table, terms.schema, dialect)
                subject = f"SELECT * FROM {name} LIMIT {min(SAMPLE_ROWS, terms.max_rows)}"
        case RunStatement(sql=sql):
            call, subject = mapping.query, sql
        case ExplainStatement(sql=sql):
            call, subject = mapping.explain, sql
            if call is not None and call.as_statement:
                subject = f"{EXPLAIN[dialect]}{sql}"
        case _:
            assert_never(request)
    if call is None:
        return None
    arguments: dict[str, object] = dict(call.fixed)
    if call.argument is not None and subject is not None:
        arguments[call.argument] = [subject] if call.is_list else subject
    told = _told(terms)
    for term, argument in mapping.terms.items():
        if told[term] is not None:
            arguments[argument] = told[term]
    named = request.table if isinstance(request, DescribeTable | SampleTable) else None
    return ToolCall(call.tool, arguments, call.form, call.rows, named)


def _told(terms: Terms) -> dict[str, object]:
    """The terms by the names that a mapping has for them, as JSON."""
    return {
        "read_only": terms.read_only,
        "schema": terms.schema,
        "tables": None if terms.tables is None else list(terms.tables),
        "max_rows": terms.max_rows,
        "max_bytes": terms.max_bytes,
        "timeout_ms": round(terms.timeout_s * 1000),
    }


def quoted_table(table: str, schema: str | None, dialect: str) -> str:
    """The name of a table in SQL, quoted, whatever is in it.

    A dot parts schema and table; where there is none, and a schema is given, it is that one.
    """
    parts = table.split(".", 1) if "." in table else [schema, table] if schema else [table]
    quote = "`" if dialect == "mysql" else '"'
    return ".".join(quote + part.replace(quote, quote * 2) + quote for part in parts)

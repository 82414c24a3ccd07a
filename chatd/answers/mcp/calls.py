"""Turns a request into the call of a tool, in the terms of a `Mapping`; pure."""

import re
from collections.abc import Mapping
from typing import Final, assert_never

import attrs

from chatd.answers.mcp.listing import Narrowing
from chatd.answers.mcp.mapping import Call, Form, PeerMapping
from chatd.answers.mcp.statements import (
    COLUMNS,
    EXPLAIN,
    LIST,
    describe_statement,
    quoted_table,
    rows_as_json,
    sample_statement,
    without_parameters,
)
from chatd.answers.requests import (
    DatabaseFailed,
    DescribeTable,
    ExplainStatement,
    ListColumns,
    ListTables,
    Request,
    RunStatement,
    SampleTable,
    Terms,
)
from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.scopes import ContextScope, TableName, argument_names
from chatd.wire.codes import Code

_PLAIN_NAME: Final = re.compile(r"[\w $-]+")
_VALUES: Final = re.compile(r"VALUES\b", re.IGNORECASE)


@attrs.frozen
class ToolCall:
    """A tool, what it is called with, and how it answers.

    `table` is what "*" stands for, in any schema if its own is None. `narrowing` says which part of
    a list of tables may be seen, None if all of it. `is_json_rows`: each row is asked for as JSON.
    `is_description`: without rows there is no such table.
    """

    tool: str
    arguments: Mapping[str, object]
    form: Form = Form.JSON
    rows: str = ""
    table: TableName | None = None
    narrowing: Narrowing | None = None
    is_json_rows: bool = False
    is_description: bool = False


def tool_call(
    mapping: PeerMapping, dialect: Dialect, request: Request, terms: Terms
) -> ToolCall | None:
    """The call that carries out a request; None if the peer has no tool for it.

    Raises `DatabaseFailed` if its tool cannot be given the name of the table.
    """
    call: Call | None
    subject: str | None = None
    table: TableName | None = None
    narrowing: Narrowing | None = None
    match request:
        case ListTables():
            call = mapping.list_tables
            if call is not None and call.as_statement:
                subject = LIST[dialect]
            narrowing = _narrowing(mapping, dialect, terms)
        case ListColumns():
            call = mapping.list_columns
            if call is not None and call.as_statement:
                subject = f"{COLUMNS[dialect]} LIMIT {terms.max_rows + 1}"
            narrowing = _narrowing(mapping, dialect, terms)
        case DescribeTable(name, schema):
            call, table = mapping.describe_table, TableName(name, schema)
            if call is not None and call.as_statement:
                subject = describe_statement(TableName(name, schema or terms.schema), dialect)
        case SampleTable(name, schema):
            call, table = mapping.sample_table, TableName(name, schema)
            if call is not None and call.as_statement:
                placed = TableName(name, schema or terms.schema)
                subject = sample_statement(placed, dialect, terms.max_rows)
        case RunStatement(sql):
            call, subject = mapping.query, sql
            if call is not None and call.wraps_values and _VALUES.match(sql):
                subject = f"SELECT * FROM ({sql}) AS answer"
        case ExplainStatement(sql):
            call, subject = mapping.explain, sql
            if call is not None and call.as_statement:
                subject = f"{EXPLAIN[dialect]}{sql}"
        case _:
            assert_never(request)
    if call is None:
        return None
    arguments: dict[str, object] = dict(call.fixed)
    is_json_rows = False
    takes_sql = call.as_statement or isinstance(request, RunStatement)
    if takes_sql and subject is not None:
        if call.asks_for_json and dialect == "postgres" and terms.read_only:
            as_json = None if isinstance(request, ExplainStatement) else rows_as_json(subject)
            is_json_rows, subject = as_json is not None, as_json or subject
        if call.reads_parameters:
            subject = without_parameters(subject)
    if table is not None:
        _check_name(table, call)
        subject = subject or _named(table.as_argument(dialect), call, dialect)
        if _narrows(terms):  # with the schema in which the guard took it to be
            table = table.placed(dialect, terms.schema)
        table = table.as_argument(dialect)
        if call.schema_argument is not None and table.schema is not None:
            arguments[call.schema_argument] = table.schema
    if call.argument is not None and subject is not None:
        arguments[call.argument] = [subject] if call.is_list else subject
    values = _term_values(terms, dialect)
    for term, argument in mapping.terms.items():
        if values[term] is not None:
            arguments[argument] = values[term]
    is_description = call.as_statement and isinstance(request, DescribeTable)
    return ToolCall(
        call.tool,
        arguments,
        call.form,
        call.rows,
        table,
        narrowing,
        is_json_rows,
        is_description,
    )


def _check_name(table: TableName, call: Call) -> None:
    """Raise `DatabaseFailed` if the name goes to a tool as it is, and the tool may not take it."""
    if call.takes_any_name or call.is_quoted or call.as_statement:
        return
    if not all(_PLAIN_NAME.fullmatch(part) for part in (table.name, table.schema or "x")):
        raise DatabaseFailed(
            Code.DB_STATEMENT_REJECTED,
            "The server of this database takes names of letters, digits, spaces and _ $ - only; "
            "ask for this table with SELECT.",
        )


def _narrowing(mapping: PeerMapping, dialect: Dialect, terms: Terms) -> Narrowing | None:
    """Which part of a list of tables the terms let clients see; None if all of it."""
    if not _narrows(terms):
        return None
    home = terms.schema if "schema" in mapping.terms else None
    return Narrowing(ContextScope.of(dialect, terms.schema, terms.tables), home)


def _narrows(terms: Terms) -> bool:
    return terms.schema is not None or terms.tables is not None


def _named(table: TableName, call: Call, dialect: Dialect) -> str:
    """The table as the argument of a tool."""
    if call.schema_argument is not None:
        table = TableName(table.name)
    return quoted_table(table, dialect) if call.is_quoted else table.text


def _term_values(terms: Terms, dialect: Dialect) -> dict[str, object]:
    """The terms by the names that a mapping has for them, as JSON."""
    return {
        "read_only": terms.read_only,
        "schema": terms.schema,
        "tables": None if terms.tables is None else argument_names(terms.tables, dialect),
        "max_rows": terms.max_rows,
        "max_bytes": terms.max_bytes,
        "timeout_ms": round(terms.timeout_s * 1000),
    }

"""From a request to the call of a tool, in the terms of a `Mapping`; pure."""

import re
from collections.abc import Mapping
from typing import Final, assert_never

import attrs

from chatd.answers.mcp.listing import Narrowing
from chatd.answers.mcp.mapping import Call, Form, PeerMapping
from chatd.answers.requests import (
    DatabaseFailed,
    DescribeTable,
    ExplainStatement,
    ListTables,
    Request,
    RunStatement,
    SampleTable,
    Terms,
)
from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.scopes import ContextScope, TableName, argument_names
from chatd.wire.codes import Code

SAMPLE_ROWS: Final = 10
"""Rows of a sample where the peer has no tool for it, and a statement asks for them."""

EXPLAIN: Final[Mapping[Dialect, str]] = {
    "sqlite": "EXPLAIN QUERY PLAN ",
    "postgres": "EXPLAIN ",
    "mysql": "EXPLAIN ",
}
"""What stands before a statement so that its plan is told and it does not run, by dialect."""

_PLAIN_NAME: Final = re.compile(r"[\w $-]+")
_VALUES: Final = re.compile(r"VALUES\b", re.IGNORECASE)


@attrs.frozen
class ToolCall:
    """A tool, what it is called with, and how it answers.

    `table` is what "*" stands for, in any schema where its own is None. `narrowing` is what of a
    list of tables may be seen, None where that is all.
    """

    tool: str
    arguments: Mapping[str, object]
    form: Form = Form.JSON
    rows: str = ""
    table: TableName | None = None
    narrowing: Narrowing | None = None


def tool_call(
    mapping: PeerMapping, dialect: Dialect, request: Request, terms: Terms
) -> ToolCall | None:
    """The call that carries out a request; None where the peer has no tool for it.

    Raises `DatabaseFailed` where its tool cannot be given the name of the table.
    """
    call: Call | None
    subject: str | None = None
    table: TableName | None = None
    narrowing: Narrowing | None = None
    match request:
        case ListTables():
            call = mapping.list_tables
            if _narrows(terms):
                home = terms.schema if "schema" in mapping.terms else None
                narrowing = Narrowing(ContextScope.of(dialect, terms.schema, terms.tables), home)
        case DescribeTable(name, schema):
            call, table = mapping.describe_table, TableName(name, schema)
        case SampleTable(name, schema):
            call, table = mapping.sample_table, TableName(name, schema)
            if call is not None and call.as_statement:
                quoted = quoted_table(TableName(name, schema or terms.schema), dialect)
                subject = f"SELECT * FROM {quoted} LIMIT {min(SAMPLE_ROWS, terms.max_rows)}"
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
    return ToolCall(call.tool, arguments, call.form, call.rows, table, narrowing)


def _check_name(table: TableName, call: Call) -> None:
    """Raise `DatabaseFailed` where the name goes to a tool as it is, which may not take it."""
    if call.takes_any_name or call.is_quoted or call.as_statement:
        return
    if not all(_PLAIN_NAME.fullmatch(part) for part in (table.name, table.schema or "x")):
        raise DatabaseFailed(
            Code.DB_STATEMENT_REJECTED,
            "The server of this database takes names of letters, digits, spaces and _ $ - only; "
            "ask for this table with SELECT.",
        )


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


def quoted_table(table: TableName, dialect: Dialect) -> str:
    """The name of a table in SQL, its parts in quotes, whatever is in them."""
    quote = "`" if dialect == "mysql" else '"'
    parts = (table.name,) if table.schema is None else (table.schema, table.name)
    return ".".join(quote + part.replace(quote, quote * 2) + quote for part in parts)

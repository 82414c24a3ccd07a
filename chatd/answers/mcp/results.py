"""Turns a tool's answer into columns and rows, or into `DatabaseFailed`; pure.

Every `Form` of `mapping` has a reader here; those of JSON share `documents`. A reader takes
anything: what it does not understand is an answer "in an unexpected form", never another exception.
Texts are bounded by their receivers (`stdio`, `http`), and rows by `meter`, as they travel.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from chatd.answers.mcp.calls import ToolCall
from chatd.answers.mcp.documents import (
    ResultTable,
    document_table,
    no_table,
    refuse,
    shaped,
    table_of,
)
from chatd.answers.mcp.exact_json import from_json
from chatd.answers.mcp.failures import coded_failure, complaint_of, failure
from chatd.answers.mcp.listing import TEXT
from chatd.answers.mcp.literals import BadLiteral, parse
from chatd.answers.mcp.mapping import Binary, Form, PeerMapping
from chatd.answers.mcp.records import NO_ROWS, are_records, read_json_rows, read_records
from chatd.answers.requests import DatabaseFailed
from chatd.answers.table import Cell, Column, Row, common_type
from chatd.wire.codes import Code

_RULE: Final = re.compile(r"\s*:?-+:?\s*")


@attrs.frozen
class ToolResult:
    """What came back from a tool; `structured` is None if there was none."""

    text: str
    structured: object = None
    is_error: bool = False


def read(result: ToolResult, call: ToolCall, mapping: PeerMapping, max_rows: int) -> ResultTable:
    """The table of a result, with at most `max_rows` rows and one more, which tells that there are
    more.

    Raises `DatabaseFailed` if the peer says so, or its answer does not have the form of the
    mapping.
    """
    text = result.text
    if result.is_error:
        raise coded_failure(result.structured) or failure(complaint_of(text, mapping))
    if text.lstrip().startswith(mapping.error_prefixes):
        raise failure(complaint_of(text, mapping))
    try:
        table = _READERS[call.form](result, call, mapping.binary, max_rows + 1)
    except (ValueError, TypeError, RecursionError, BadLiteral) as error:
        raise DatabaseFailed(Code.DB_ERROR, UNEXPECTED) from error
    if call.is_description and call.table is not None and not table.rows:
        raise no_table(call.table)
    return _with_types(table) if call.form in _TYPED_FORMS else table


UNEXPECTED: Final = "The database's server answered in a form that is not the configured one."
_TYPED_FORMS: Final = (Form.STRUCTURED, Form.JSON, Form.PYTHON)
"""Forms in which a number is not a text. A text may be anything there: a decimal, a date."""


def _with_types(table: ResultTable) -> ResultTable:
    """The table with types for columns of numbers, truth values or bytes that have none."""
    columns = tuple(
        one if one.type else Column(one.name, _type_of([row[at] for row in table.rows]))
        for at, one in enumerate(table.columns)
    )
    return attrs.evolve(table, columns=columns)


def _type_of(cells: Sequence[Cell]) -> str | None:
    return common_type({_kind(one) for one in cells if one is not None})


def _kind(value: Cell) -> str | None:
    match value:
        case bool():
            return "BOOLEAN"
        case int():
            return "INTEGER"
        case float():
            return "REAL"
        case Mapping():
            return "BLOB"
    return None


def _structured(result: ToolResult, call: ToolCall, binary: Binary, most: int) -> ResultTable:
    if result.structured is None:
        refuse("no structured content")
    return document_table(result.structured, call, binary, most)


def _json(result: ToolResult, call: ToolCall, binary: Binary, most: int) -> ResultTable:
    return document_table(from_json(result.text), call, binary, most)


def _python(result: ToolResult, call: ToolCall, binary: Binary, most: int) -> ResultTable:
    document = parse(result.text)
    if not isinstance(document, list):
        refuse("no list")
    return shaped(document, binary, most)


def _markdown(result: ToolResult, call: ToolCall, binary: Binary, most: int) -> ResultTable:
    """The first table of a text: a line of names, a rule, rows; text around it is skipped."""
    lines = [line.strip() for line in result.text.splitlines()]
    for at in range(len(lines) - 1):
        names, rule = _pipes(lines[at]), _pipes(lines[at + 1])
        if names and len(rule) == len(names) and all(_RULE.fullmatch(part) for part in rule):
            break
    else:
        refuse("no Markdown table")
    rows: list[Row] = []
    for line in lines[at + 2 :]:
        if "|" not in line or len(rows) == most:
            break
        parts = _pipes(line)
        if len(parts) > len(names):
            refuse("a row that is wider than its table")
        rows.append([*parts, *[""] * (len(names) - len(parts))])
    return table_of(names, rows)


def _pipes(line: str) -> list[str]:
    """The cells of a line of a Markdown table; an escaped pipe is part of a cell."""
    if "|" not in line:
        return []
    inner = line.removeprefix("|")
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1]
    return [part.strip().replace("\\|", "|") for part in re.split(r"(?<!\\)\|", inner)]


def _tabs(result: ToolResult, call: ToolCall, binary: Binary, most: int) -> ResultTable:
    lines = result.text.removesuffix("\n").split("\n")
    names = lines[0].split("\t")
    rows = [line.split("\t") for line in lines[1 : most + 1]]
    if any(len(row) != len(names) for row in rows):
        refuse("a row of another width")
    return table_of(names, rows)


def _records(result: ToolResult, call: ToolCall, binary: Binary, most: int) -> ResultTable:
    text = result.text
    if text.strip() == NO_ROWS:
        return ResultTable((), ())
    if not are_records(text):
        return _text(result, call, binary, most)
    found = (read_json_rows if call.is_json_rows else read_records)(text, most)
    return table_of(found.names, found.rows, is_truncated=found.is_truncated)


def _names(result: ToolResult, call: ToolCall, binary: Binary, most: int) -> ResultTable:
    names = [name.strip() for name in result.text.split(",") if name.strip()]
    return table_of(["name"], [[name] for name in names[:most]])


def _text(result: ToolResult, call: ToolCall, binary: Binary, most: int) -> ResultTable:
    lines = result.text.splitlines()
    return table_of([TEXT], [[line] for line in lines[:most]])


_READERS: Final[Mapping[Form, Callable[[ToolResult, ToolCall, Binary, int], ResultTable]]] = {
    Form.STRUCTURED: _structured,
    Form.JSON: _json,
    Form.MARKDOWN: _markdown,
    Form.TABS: _tabs,
    Form.PYTHON: _python,
    Form.RECORDS: _records,
    Form.NAMES: _names,
    Form.TEXT: _text,
}

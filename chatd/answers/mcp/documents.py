"""Tables in JSON documents, which may have many shapes; pure.

A document may hold anything. If it is not a table, `ValueError` is raised; if it says that it is an
error, `DatabaseFailed`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

import attrs

from chatd.answers.cut import WHOLE, Cut
from chatd.answers.mcp.calls import ToolCall
from chatd.answers.mcp.exact_json import json_cell
from chatd.answers.mcp.failures import failure, sentence_in
from chatd.answers.mcp.mapping import Binary
from chatd.answers.requests import DatabaseFailed
from chatd.answers.sql.scopes import TableName
from chatd.answers.table import Column, Row
from chatd.wire.codes import Code
from chatd.wire.names import RowsCut

COLUMNS_MAX: Final = 2_000
"""Columns of a table; SQLite's default and more than Postgres has. Beyond: unexpected form."""
VALUE: Final = "value"
"""The column of a list of plain values."""


@attrs.frozen
class ResultTable:
    """A result; `is_truncated`: the peer says that it left rows out."""

    columns: tuple[Column, ...]
    rows: Sequence[Row]
    is_truncated: bool = False

    @property
    def cut(self) -> Cut:
        """What the peer has left out."""
        return Cut(RowsCut.DATABASE) if self.is_truncated else WHOLE


def document_table(document: object, call: ToolCall, binary: Binary, most: int) -> ResultTable:
    """The first `most` rows of the table at the place in a document that the call names."""
    if isinstance(document, Mapping) and document.get("success") is False:
        raise failure(sentence_in(document) or "")
    truncated = isinstance(document, Mapping) and document.get("truncated") is True
    for step in call.rows.split(".") if call.rows else ():
        document = _step(document, step, call)
        truncated = truncated or (
            isinstance(document, Mapping) and document.get("truncated") is True
        )
    table = shaped(document, binary, most)
    return attrs.evolve(table, is_truncated=True) if truncated else table


def _step(document: object, step: str, call: ToolCall) -> object:
    if isinstance(document, Mapping):
        return document[step] if step in document else refuse(f"no {step}")
    if not isinstance(document, list):
        refuse("no object and no list")
    if step == "*" and call.table is not None:
        for one in document:
            if isinstance(one, Mapping) and _is_called(one, call.table):
                return one
        raise no_table(call.table)
    return document[int(step)] if int(step) < len(document) else refuse(f"no member {step}")


def no_table(table: TableName) -> DatabaseFailed:
    """What is reported if a database has no such table."""
    return DatabaseFailed(Code.DB_ERROR, f"There is no table {json.dumps(table.text)}.")


def _is_called(described: Mapping[object, object], table: TableName) -> bool:
    """Whether it is the table: it has the name and, if both tell a schema, the schema."""
    schema = table.schema or described.get("schema")
    return described.get("name") == table.name and described.get("schema", schema) == schema


def shaped(document: object, binary: Binary, most: int) -> ResultTable:
    """A table from any of the shapes that JSON has for one."""
    match document:
        case {"columns": list() as columns, "rows": list() as rows}:
            return _with_columns(columns, rows, binary, most)
        case {"rows": list() as rows} | {"data": list() as rows}:
            return shaped(rows, binary, most)
        case list() if all(isinstance(row, Mapping) for row in document):
            return _objects(document, binary, most)
        case list() if all(isinstance(row, list) for row in document):
            width = max(len(row) for row in document)
            names = [f"column {number}" for number in range(1, width + 1)]
            return _with_columns(names, document, binary, most)
        case list():
            plain = [[json_cell(value, binary)] for value in document[:most]]
            return ResultTable((Column(VALUE),), plain)
        case Mapping():
            return _objects([document], binary, most)
    return refuse("no table")


def _with_columns(
    columns: Sequence[object], rows: Sequence[object], binary: Binary, most: int
) -> ResultTable:
    named = tuple(named_column(column) for column in columns)
    if len(named) > COLUMNS_MAX:
        refuse("too many columns")
    cells: list[Row] = []
    for row in rows[:most]:
        if isinstance(row, Mapping):
            values = [row.get(column.name) for column in named]
        elif isinstance(row, list) and len(row) == len(named):
            values = row
        else:
            refuse("a row of another width")
        cells.append([json_cell(value, binary) for value in values])
    return ResultTable(named, cells)


def named_column(column: object) -> Column:
    """A column as its name, or as an object with a name and perhaps a type. Raises `ValueError`."""
    match column:
        case str():
            return Column(column)
        case {"name": str() as name, "type": str() as kind}:
            return Column(name, kind)
        case {"name": str() as name}:
            return Column(name)
    return refuse("a column without a name")


def _objects(rows: Sequence[object], binary: Binary, most: int) -> ResultTable:
    """Rows as objects; a column is any name that one of them has, in the order of appearance."""
    names: dict[str, None] = {}
    objects = [row for row in rows[:most] if isinstance(row, Mapping)]
    for row in objects:
        names.update(dict.fromkeys(row))
        if len(names) > COLUMNS_MAX:
            refuse("too many columns")
    cells = [[json_cell(row.get(name), binary) for name in names] for row in objects]
    return table_of(list(names), cells)


def table_of(
    names: Sequence[str], rows: Sequence[Row], *, is_truncated: bool = False
) -> ResultTable:
    """The table of these. Raises `ValueError` if it has too many columns."""
    if len(names) > COLUMNS_MAX:
        refuse("too many columns")
    return ResultTable(tuple(map(Column, names)), rows, is_truncated)


def refuse(why: str) -> NoReturn:
    """Raise `ValueError`: this is not a table."""
    raise ValueError(why)

"""From what a tool answers to columns and rows, or to `DatabaseFailed`; pure.

Every `Form` of `mapping` has a reader here. A reader takes anything: what it does not understand is
an answer "in an unexpected form", never another exception. Texts are bounded by their receivers
(`stdio`, `http`); rows and bytes are counted here, by a `Meter`, as they travel.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final, NoReturn

import attrs
import orjson

from chatd.answers.cut import WHOLE, Cut, shortened
from chatd.answers.mcp.calls import ToolCall
from chatd.answers.mcp.contract import Field, columns_as_json
from chatd.answers.mcp.listing import TEXT
from chatd.answers.mcp.literals import BadLiteral, parse
from chatd.answers.mcp.mapping import Binary, Form, PeerMapping
from chatd.answers.mcp.records import NO_ROWS, are_records, read_json_rows, read_records
from chatd.answers.requests import DatabaseFailed, Sink
from chatd.answers.sql.scopes import TableName
from chatd.answers.table import BYTES, Cell, Column, Row, cell
from chatd.wire.codes import Code
from chatd.wire.names import RowsCut

COLUMNS_MAX: Final = 2_000
"""Columns of a table; SQLite's default and more than Postgres has. Beyond: unexpected form."""
COLUMNS_BYTES: Final = 131_072
"""Bytes of the columns of an answer, as JSON; beyond: their names and types are cut."""
SENTENCE_CHARS: Final = 500
"""Characters of a database's own error that are passed on; the rest is cut."""
VALUE: Final = "value"
"""The column of a list of plain values."""

_CODES: Final = frozenset(code for code in Code if code.startswith("db_"))
_PASSWORD: Final = re.compile(r"(://[^/\s:@]*):[^@\s]*@")
_SYNTAX: Final = re.compile(
    r"syntax error|error in your SQL syntax|incomplete input", re.IGNORECASE
)
# Where Postgres shows the place of an error: a line of the statement, and a mark below it.
_POINTER: Final = re.compile(r"\n?(LINE \d+): ([^\n]*)\n( *)\^")
_POINTED: Final = re.compile(r"[\w.]+|\"[^\"]*\"|\S")
_RULE: Final = re.compile(r"\s*:?-+:?\s*")


@attrs.frozen
class ToolResult:
    """What came back from a tool; `structured` is None where there was none."""

    text: str
    structured: object = None
    is_error: bool = False


@attrs.frozen
class ResultTable:
    """A result; `is_truncated`: the peer says that it left rows out. `cut_values` is how many
    values it says that it has shortened."""

    columns: tuple[Column, ...]
    rows: Sequence[Row]
    is_truncated: bool = False
    cut_values: int = 0

    @property
    def cut(self) -> Cut:
        """What the peer has left out."""
        return Cut(RowsCut.DATABASE if self.is_truncated else None, self.cut_values)


class Meter:
    """Lets pass to the sink of one answer what its terms allow; `cut` is what was left out.

    `is_full` once a row did not pass: no more is wanted. Where the first row alone is too large,
    its values are shortened. A text with half a surrogate pair, which is no Unicode, cannot travel;
    it is mended here.
    """

    def __init__(self, sink: Sink, max_rows: int, max_bytes: int) -> None:
        self._sink = sink
        self._rows_left = max_rows
        self._bytes_left = max_bytes
        self._has_passed = False
        self.cut = WHOLE

    @property
    def is_full(self) -> bool:
        """Whether a row was left out, and so will be all that come."""
        return self.cut.rows is not None

    def columns(self, columns: Sequence[Column]) -> None:
        """The columns, once, before the first rows."""
        sound = [Column(_sound(one.name), one.type and _sound(one.type)) for one in columns]
        fitting = _fitting(sound)
        names = sum(new != old for new, old in zip(fitting, sound, strict=True))
        self.cut = attrs.evolve(self.cut, names=names)
        self._sink.columns(fitting)

    def rows(self, rows: Sequence[Row]) -> None:
        """The next rows; the first that does not fit, and all after it, are left out."""
        passed: list[Row] = []
        for row in rows:
            try:
                size = len(orjson.dumps(row)) + 1
            except TypeError:
                row = [_sound(value) if isinstance(value, str) else value for value in row]
                size = len(orjson.dumps(row)) + 1
            if self.is_full:
                break
            if self._rows_left < 1:
                self.cut = attrs.evolve(self.cut, rows=RowsCut.MAX_ROWS)
                break
            if size > self._bytes_left:
                fitting = None if self._has_passed else shortened(row, self._bytes_left)
                if fitting is None:
                    self.cut = attrs.evolve(self.cut, rows=RowsCut.MAX_BYTES)
                    break
                row, values = fitting
                self.cut = attrs.evolve(self.cut, values=values)
                size = self._bytes_left
            self._has_passed = True
            self._rows_left -= 1
            self._bytes_left -= size
            passed.append(row)
        if passed:
            self._sink.rows(passed)


def _fitting(columns: Sequence[Column]) -> Sequence[Column]:
    """The columns, with the names and types that are longest cut, until all of them fit."""
    chars_max = COLUMNS_BYTES
    while len(orjson.dumps(columns_as_json(columns))) > COLUMNS_BYTES:
        chars_max //= 2
        columns = [
            Column(_cut(one.name, chars_max), one.type and _cut(one.type, chars_max))
            for one in columns
        ]
    return columns


def _cut(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else f"{text[: chars_max - 1]}…"


def _sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def read(result: ToolResult, call: ToolCall, mapping: PeerMapping, max_rows: int) -> ResultTable:
    """The table of a result, of at most `max_rows` and one more, which tells that there are more.

    Raises `DatabaseFailed` where the peer says so, or its answer has not the form of the mapping.
    """
    text = result.text
    if result.is_error:
        raise _coded_failure(result.structured) or failure(_complaint(text, mapping))
    if text.lstrip().startswith(mapping.error_prefixes):
        raise failure(_complaint(text, mapping))
    try:
        table = _READERS[call.form](result, call, mapping.binary, max_rows + 1)
    except (ValueError, TypeError, RecursionError, BadLiteral) as error:
        raise DatabaseFailed(Code.DB_ERROR, UNEXPECTED) from error
    if call.is_description and call.table is not None and not table.rows:
        raise _no_table(call.table)
    return _with_types(table) if call.form in _TYPED_FORMS else table


UNEXPECTED: Final = "The database's server answered in a form that is not the configured one."


_TYPED_FORMS: Final = (Form.STRUCTURED, Form.JSON, Form.PYTHON)
"""Forms in which a number is no text. A text may be anything there: a decimal, a date."""


def _with_types(table: ResultTable) -> ResultTable:
    """The table with types for columns of numbers, truth values or bytes that have none."""
    columns = tuple(
        one if one.type else Column(one.name, _type_of([row[at] for row in table.rows]))
        for at, one in enumerate(table.columns)
    )
    return attrs.evolve(table, columns=columns)


def _type_of(cells: Sequence[Cell]) -> str | None:
    kinds = {_kind(one) for one in cells if one is not None}
    if kinds == {"INTEGER", "REAL"}:
        return "REAL"
    return kinds.pop() if len(kinds) == 1 else None


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


def failure(complaint: str) -> DatabaseFailed:
    """The failure that a database's own words tell: cut, on one line, without passwords."""
    cut = _POINTER.sub(_pointed, complaint[: 4 * SENTENCE_CHARS])
    line = " ".join("".join(char if char.isprintable() else " " for char in cut).split())
    words = _PASSWORD.sub(r"\1:***@", line)
    if len(words) > SENTENCE_CHARS:
        words = words[:SENTENCE_CHARS] + "..."
    code = Code.DB_SYNTAX if _SYNTAX.search(words) else Code.DB_ERROR
    return DatabaseFailed(code, words or "The database gave an error without words.")


def _pointed(pointer: re.Match[str]) -> str:
    """The line and the word at the mark; the mark alone means nothing once lines are joined."""
    line, text, blank = pointer.groups()
    at = len(blank) - len(f"{line}: ")
    word = _POINTED.match(text, max(0, at))
    return f" ({line.lower()}{'' if word is None else f', at {word.group()}'})"


def _coded_failure(structured: object) -> DatabaseFailed | None:
    """The failure of a peer that knows the codes: `{code, message}` in structured content."""
    match structured:
        case {Field.CODE: str() as code, Field.MESSAGE: str() as message} if code in _CODES:
            return DatabaseFailed(Code(code), failure(message).sentence)
    return None


def _complaint(text: str, mapping: PeerMapping) -> str:
    """What an error says: the text, or `error` or `message` of the JSON that it is."""
    for end in mapping.error_ends:
        text = text.partition(end)[0]
    if text.lstrip().startswith("{"):
        try:
            return _said(from_json(text)) or text
        except (ValueError, RecursionError):
            return text
    return text


def _said(document: object) -> str | None:
    if isinstance(document, Mapping):
        for key in ("error", "message"):
            said = document.get(key)
            if isinstance(said, Mapping):
                said = said.get("message")
            if isinstance(said, str):
                return said
    return None


def from_json(text: str) -> object:
    """JSON with every digit: a number that no float holds is the text that it was.

    Raises `ValueError` or `RecursionError`.
    """
    return json.loads(text, parse_float=_float, parse_int=_int, parse_constant=str)


def _float(text: str) -> float | str:
    number = float(text)
    try:
        return number if Decimal(repr(number)) == Decimal(text) else text
    except InvalidOperation:  # an infinite float, or an exponent beyond all reach
        return text


def _int(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:  # more digits than Python converts
        return text


def json_cell(value: object, binary: Binary) -> Cell:
    """A value of JSON as a cell; lists and objects that are no bytes are their JSON."""
    if not isinstance(value, Mapping | list):
        return cell(value)
    match value, binary:
        case {"$bytes": str() as text}, _ if len(value) == 1:
            return {BYTES: text}
        case {"type": "Buffer", "data": list() as numbers}, Binary.BUFFER:
            raw = _bytes(numbers)
        case Mapping(), Binary.INDEXED if value:
            keys = [str(index) for index in range(len(value))]
            raw = _bytes(list(value.values())) if list(value) == keys else None
        case _:
            raw = None
    return json.dumps(value, ensure_ascii=False) if raw is None else cell(raw)


def _bytes(numbers: list[object]) -> bytes | None:
    small = [number for number in numbers if type(number) is int and 0 <= number <= 255]
    return bytes(small) if len(small) == len(numbers) else None


def _structured(result: ToolResult, call: ToolCall, binary: Binary, most: int) -> ResultTable:
    if result.structured is None:
        _refuse("no structured content")
    return _document(result.structured, call, binary, most)


def _json(result: ToolResult, call: ToolCall, binary: Binary, most: int) -> ResultTable:
    return _document(from_json(result.text), call, binary, most)


def _document(document: object, call: ToolCall, binary: Binary, most: int) -> ResultTable:
    if isinstance(document, Mapping) and document.get("success") is False:
        raise failure(_said(document) or "")
    truncated = isinstance(document, Mapping) and document.get("truncated") is True
    for step in call.rows.split(".") if call.rows else ():
        document = _step(document, step, call)
        truncated = truncated or (
            isinstance(document, Mapping) and document.get("truncated") is True
        )
    table = _shaped(document, binary, most)
    return attrs.evolve(table, is_truncated=True) if truncated else table


def _step(document: object, step: str, call: ToolCall) -> object:
    if isinstance(document, Mapping):
        return document[step] if step in document else _refuse(f"no {step}")
    if not isinstance(document, list):
        _refuse("no object and no list")
    if step == "*" and call.table is not None:
        for one in document:
            if isinstance(one, Mapping) and _is_called(one, call.table):
                return one
        raise _no_table(call.table)
    return document[int(step)] if int(step) < len(document) else _refuse(f"no member {step}")


def _no_table(table: TableName) -> DatabaseFailed:
    return DatabaseFailed(Code.DB_ERROR, f"There is no table {json.dumps(table.text)}.")


def _is_called(described: Mapping[object, object], table: TableName) -> bool:
    """Whether it is the table: of its name and, as far as both tell one, of its schema."""
    schema = table.schema or described.get("schema")
    return described.get("name") == table.name and described.get("schema", schema) == schema


def _shaped(document: object, binary: Binary, most: int) -> ResultTable:
    """A table from any of the shapes that JSON has for one."""
    match document:
        case {"columns": list() as columns, "rows": list() as rows}:
            return _with_columns(columns, rows, binary, most)
        case {"rows": list() as rows} | {"data": list() as rows}:
            return _shaped(rows, binary, most)
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
    return _refuse("no table")


def _with_columns(
    columns: Sequence[object], rows: Sequence[object], binary: Binary, most: int
) -> ResultTable:
    named = tuple(named_column(column) for column in columns)
    if len(named) > COLUMNS_MAX:
        _refuse("too many columns")
    cells: list[Row] = []
    for row in rows[:most]:
        if isinstance(row, Mapping):
            values = [row.get(column.name) for column in named]
        elif isinstance(row, list) and len(row) == len(named):
            values = row
        else:
            _refuse("a row of another width")
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
    return _refuse("a column without a name")


def _objects(rows: Sequence[object], binary: Binary, most: int) -> ResultTable:
    """Rows as objects; a column is any name that one of them has, in the order of appearance."""
    names: dict[str, None] = {}
    objects = [row for row in rows[:most] if isinstance(row, Mapping)]
    for row in objects:
        names.update(dict.fromkeys(row))
        if len(names) > COLUMNS_MAX:
            _refuse("too many columns")
    cells = [[json_cell(row.get(name), binary) for name in names] for row in objects]
    return _table(list(names), cells)


def _python(result: ToolResult, call: ToolCall, binary: Binary, most: int) -> ResultTable:
    document = parse(result.text)
    if not isinstance(document, list):
        _refuse("no list")
    return _shaped(document, binary, most)


def _markdown(result: ToolResult, call: ToolCall, binary: Binary, most: int) -> ResultTable:
    """The first table of a text: a line of names, a rule, rows; text around it is passed over."""
    lines = [line.strip() for line in result.text.splitlines()]
    for at in range(len(lines) - 1):
        names, rule = _pipes(lines[at]), _pipes(lines[at + 1])
        if names and len(rule) == len(names) and all(_RULE.fullmatch(part) for part in rule):
            break
    else:
        _refuse("no Markdown table")
    rows: list[Row] = []
    for line in lines[at + 2 :]:
        if "|" not in line or len(rows) == most:
            break
        parts = _pipes(line)
        if len(parts) > len(names):
            _refuse("a row that is wider than its table")
        rows.append([*parts, *[""] * (len(names) - len(parts))])
    return _table(names, rows)


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
        _refuse("a row of another width")
    return _table(names, rows)


def _records(result: ToolResult, call: ToolCall, binary: Binary, most: int) -> ResultTable:
    text = result.text
    if text.strip() == NO_ROWS:
        return ResultTable((), ())
    if not are_records(text):
        return _text(result, call, binary, most)
    found = (read_json_rows if call.is_json_rows else read_records)(text, most)
    return _table(found.names, found.rows, is_truncated=found.is_truncated)


def _names(result: ToolResult, call: ToolCall, binary: Binary, most: int) -> ResultTable:
    names = [name.strip() for name in result.text.split(",") if name.strip()]
    return _table(["name"], [[name] for name in names[:most]])


def _text(result: ToolResult, call: ToolCall, binary: Binary, most: int) -> ResultTable:
    lines = result.text.splitlines()
    return _table([TEXT], [[line] for line in lines[:most]])


def _table(names: Sequence[str], rows: Sequence[Row], *, is_truncated: bool = False) -> ResultTable:
    if len(names) > COLUMNS_MAX:
        _refuse("too many columns")
    return ResultTable(tuple(map(Column, names)), rows, is_truncated)


def _refuse(why: str) -> NoReturn:
    raise ValueError(why)


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

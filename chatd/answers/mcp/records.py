"""Rows as mcp-alchemy writes them: "1. row", then "name: value" per line, and the end; pure.

A value may go on over several lines, and one of these may look like a name or like the next row. So
a name counts as a column only if every record has it, in the same order, and there must be as many
rows as the end says; otherwise there is no answer, rather than a wrong one. A row that was asked
for as JSON has no line break that could be taken for one.
"""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

import attrs

from chatd.answers.mcp.statements import JSON_ROW
from chatd.answers.requests import DatabaseFailed
from chatd.answers.table import Cell, Row, cell
from chatd.wire.codes import Code

NO_ROWS: Final = "No rows returned"
_START: Final = re.compile(r"^(\d+)\. row$", re.MULTILINE)
_END: Final = re.compile(r"Result: (showing first )?(\d+) rows(?P<cut> \(output truncated\))?\s*\Z")
_END_CHARS: Final = 100
"""Characters at the end of records in which that end is found."""
_NAME_CHARS: Final = 200
"""Characters of a column's name in records; a longer text is not a name."""
_SPACE: Final = " \t\r\n"

TOO_LONG: Final = (
    "The first row is longer than the server of this database writes; ask for fewer columns."
)
MIXED_UP: Final = (
    "The rows cannot be told apart, as a value has lines that look like rows; "
    "ask for it without line breaks."
)


@attrs.frozen
class Records:
    """What was read; `is_truncated`: rows were left out."""

    names: Sequence[str]
    rows: Sequence[Row]
    is_truncated: bool = False


def are_records(text: str) -> bool:
    """Whether a text is written so; otherwise it says what a statement did."""
    return text.startswith("1. row") or _is_cut_at_once(text)


def read_records(text: str, most: int) -> Records:
    """The first `most` records. Raises `ValueError`, or `DatabaseFailed` if they cannot be read for
    what was asked."""
    bodies, is_truncated = _bodies(text)
    parts = [body.split("\n") for body in bodies]
    names = _common_names(parts)
    rows = [_record(lines, names) for lines in parts[:most]]
    return Records(names, rows, is_truncated)


def read_json_rows(text: str, most: int) -> Records:
    """The same if each record is a row as JSON: its names, in their order, and its values."""
    bodies, is_truncated = _bodies(text)
    names: list[str] | None = None
    rows: list[list[_Value]] = []
    for body in bodies[:most]:
        before, separator, document = body.partition(": ")
        if before != JSON_ROW or not separator:
            raise ValueError("a record without its row")
        members = list(_members(document))
        names = names or [name for name, _ in members]
        if [name for name, _ in members] != names:
            raise ValueError("a row of other columns")
        rows.append([value for _, value in members])
    columns = [_column(list(column)) for column in zip(*rows, strict=True)]
    cells = [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in rows]
    return Records(names or [], cells, is_truncated)


def _is_cut_at_once(text: str) -> bool:
    end = _END.match(text)
    return end is not None and end.group("cut") is not None and end.group(2) == "0"


def _bodies(text: str) -> tuple[list[str], bool]:
    """What is between the starts of records; whether some were left out."""
    if _is_cut_at_once(text):
        raise DatabaseFailed(Code.DB_ERROR, TOO_LONG)
    end = _END.search(text, max(0, len(text) - _END_CHARS))
    if end is None:
        raise ValueError("records without an end")
    body = text[: end.start()].rstrip("\n")
    starts: list[re.Match[str]] = []
    for match in _START.finditer(body):  # another number is a line of a value
        if match.group(1) == str(len(starts) + 1):
            starts.append(match)
    is_truncated = end.group("cut") is not None
    is_counted = not is_truncated or end.group(1) is not None  # else it tells how many there were
    if is_counted and len(starts) != int(end.group(2)):
        raise DatabaseFailed(Code.DB_ERROR, MIXED_UP)
    found: list[str] = []
    for match, following in zip_longest(starts, starts[1:]):
        until = len(body) if following is None else following.start() - 1
        part = body[match.end() + 1 : until]
        found.append(part if following is None else part.removesuffix("\n"))
    return found, is_truncated


def _common_names(records: Sequence[Sequence[str]]) -> list[str]:
    """The names that every record has, in the order of the first."""
    names = _starts(records[0])
    for lines in records[1:]:
        there = set(_starts(lines))
        names = [name for name in names if name in there]
    return names


def _starts(lines: Sequence[str]) -> list[str]:
    """What stands before a colon at the start of lines."""
    return [line.partition(": ")[0] for line in lines if ": " in line[: _NAME_CHARS + 2]]


def _record(lines: Sequence[str], names: Sequence[str]) -> Row:
    values: list[list[str]] = []
    for line in lines:
        if len(values) < len(names) and line.startswith(f"{names[len(values)]}: "):
            values.append([line[len(names[len(values)]) + 2 :]])
        elif values:
            values[-1].append(line)
    if len(values) != len(names):
        raise ValueError("a record of another width")
    texts = ["\n".join(parts) for parts in values]
    return [None if text == "NULL" else text for text in texts]


@attrs.frozen
class _Number:
    """A JSON number with all of its digits."""

    text: str

    @property
    def is_exact(self) -> bool:
        """Whether JavaScript writes a number like that."""
        if self.text.lstrip("-").isdecimal():
            return True
        return repr(float(self.text)) == self.text


_Value = str | bool | None | _Number


def _members(document: str) -> Iterator[tuple[str, _Value]]:
    """The members of an object, even if names repeat; a list or an object in it stays text. Raises
    `ValueError`."""
    decoder = json.JSONDecoder(parse_float=_Number, parse_int=_Number, parse_constant=str)
    at = _after(document, 0, "{")
    while document[at : at + 1] != "}":
        name, at = decoder.raw_decode(document, at)
        if not isinstance(name, str):
            raise ValueError("a member without a name")  # noqa: TRY004  # what all readers raise
        at = _after(document, at, ":")
        value, end = decoder.raw_decode(document, at)
        yield name, document[at:end] if isinstance(value, list | dict) else value
        at = _past_space(document, end)
        if document[at : at + 1] == ",":
            at = _past_space(document, at + 1)
    if document[at:].strip(_SPACE) != "}":
        raise ValueError("more than an object")


def _after(document: str, at: int, mark: str) -> int:
    at = _past_space(document, at)
    if document[at : at + 1] != mark:
        raise ValueError(f"{mark} is missing")
    return _past_space(document, at + 1)


def _past_space(document: str, at: int) -> int:
    while document[at : at + 1] and document[at] in _SPACE:
        at += 1
    return at


def _column(values: Sequence[_Value]) -> list[Cell]:
    """The values of a column as cells. JSON does not tell a decimal from a float: if one number has
    digits that a float does not keep, as 1.50 has, all of them are texts."""
    numbers = [value for value in values if isinstance(value, _Number)]
    are_texts = not all(number.is_exact for number in numbers)
    return [
        (value.text if are_texts else _number(value.text)) if isinstance(value, _Number) else value
        for value in values
    ]


def _number(text: str) -> Cell:
    if not text.lstrip("-").isdecimal():
        return float(text)
    return cell(int(text)) if len(text) < _DIGITS_MAX else text


_DIGITS_MAX: Final = 4_000
"""Digits of an integer that Python reads."""

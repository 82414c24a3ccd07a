"""The formats in which an answer is a file, and what each is called.

CSV is `csv_lines`, .xlsx is `workbook`; the others are here. In JSON a row is an object, and cells
are as they travel; if columns share a name, the later ones get a number. Markdown is for people.

A header tells what is cut, and the file's name that something is. The file itself says so only
where no program takes it for a row: below the table in Markdown, on a separate sheet in .xlsx; not
in CSV, JSON and NDJSON.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

import attrs
import orjson

from chatd.answers.csv_lines import CsvLines
from chatd.answers.cut import WHOLE, Cut
from chatd.answers.markdown import table_line, whole_cell_text
from chatd.answers.table import Column, Row

PIECE_BYTES: Final = 65_536
"""Bytes of a piece of a file, at most; a longer row is split into several pieces."""

XLSX_ROWS_MAX: Final = 1_048_575
"""Rows of a sheet, without the one that has the names."""

_NOT_IN_FILE_NAME: Final = re.compile(r"[^A-Za-z0-9_]+")
_ROOM_CHARS_MAX: Final = 100
"""Characters of a room in the name of a file, at most: systems take 255 bytes."""


class LineWriter(Protocol):
    """Makes the bytes of a file out of rows that come one after the other."""

    def begin(self, columns: Sequence[Column]) -> bytes:
        """What comes before the rows."""
        ...

    def rows(self, rows: Iterable[Row]) -> bytes:
        """The next rows."""
        ...

    def end(self, row_count: int, cut: Cut) -> bytes:
        """What follows so many rows, from which `cut` is missing."""
        ...


class NdjsonLines:
    """An object per line."""

    def __init__(self) -> None:
        self._names: list[str] = []

    def begin(self, columns: Sequence[Column]) -> bytes:
        self._names = distinct_names(columns)
        return b""

    def rows(self, rows: Iterable[Row]) -> bytes:
        return b"".join(self.object(row) + b"\n" for row in rows)

    def end(self, row_count: int, cut: Cut) -> bytes:
        return b""

    def object(self, row: Row) -> bytes:
        """A row as JSON."""
        return orjson.dumps(dict(zip(self._names, row, strict=True)))


class JsonList(NdjsonLines):
    """A list of objects."""

    def __init__(self) -> None:
        super().__init__()
        self._before = b"[\n"

    def rows(self, rows: Iterable[Row]) -> bytes:
        pieces: list[bytes] = []
        for row in rows:
            pieces += (self._before, self.object(row))
            self._before = b",\n"
        return b"".join(pieces)

    def end(self, row_count: int, cut: Cut) -> bytes:
        return b"\n]\n" if self._before == b",\n" else b"[]\n"


class MarkdownLines:
    """A table, and below it what is cut."""

    def begin(self, columns: Sequence[Column]) -> bytes:
        names = [whole_cell_text(column.name) for column in columns]
        return f"{table_line(names)}\n{table_line(['---'] * len(names))}\n".encode()

    def rows(self, rows: Iterable[Row]) -> bytes:
        return "".join(table_line(list(map(whole_cell_text, row))) + "\n" for row in rows).encode()

    def end(self, row_count: int, cut: Cut) -> bytes:
        return "".join(f"\n{sentence}\n" for sentence in cut.sentences(row_count)).encode()


@attrs.frozen
class FileFormat:
    """How a file is written; `lines` makes a writer, or is None for .xlsx, which has no lines."""

    media_type: str
    lines: Callable[[], LineWriter] | None


FORMATS: Final[Mapping[str, FileFormat]] = {
    "csv": FileFormat("text/csv; charset=utf-8; header=present", CsvLines),
    "json": FileFormat("application/json", JsonList),
    "md": FileFormat("text/markdown; charset=utf-8; variant=GFM", MarkdownLines),
    "ndjson": FileFormat("application/x-ndjson", NdjsonLines),
    "xlsx": FileFormat("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", None),
}
"""The formats, by how the names of their files end."""

WITH_BYTE_ORDER_MARK: Final = FileFormat(
    FORMATS["csv"].media_type, lambda: CsvLines(has_byte_order_mark=True)
)
"""CSV as Excel reads it without being told the encoding."""


def file_name(room: str, answered_ms: int, extension: str, cut: Cut) -> str:
    """What the file of an answer is called that was given in a room at a time (wall time): by its
    minute in UTC, as "demo-2026-11-30-1542.csv", and the name says if the file is cut."""
    name = _NOT_IN_FILE_NAME.sub("-", room)[:_ROOM_CHARS_MAX].strip("-") or "answer"
    minute = datetime.fromtimestamp(answered_ms / 1000, UTC).strftime("%Y-%m-%d-%H%M")
    what = "-truncated" if cut else ""
    return f"{name}-{minute}{what}.{extension}"


def pieces(
    writer: LineWriter, columns: Sequence[Column], rows: Iterable[Row], cut: Cut = WHOLE
) -> Iterator[bytes]:
    """The file of these rows, in pieces of at most `PIECE_BYTES`, made while they are read."""
    waiting = bytearray(writer.begin(columns))
    row_count = 0
    for row in rows:
        waiting += writer.rows((row,))
        row_count += 1
        while len(waiting) >= PIECE_BYTES:
            yield bytes(waiting[:PIECE_BYTES])
            del waiting[:PIECE_BYTES]
    waiting += writer.end(row_count, cut)
    for start in range(0, len(waiting), PIECE_BYTES):
        yield bytes(waiting[start : start + PIECE_BYTES])


def distinct_names(columns: Sequence[Column]) -> list[str]:
    """The names of the columns, the later ones of the same name with a number: id, id_2, id_3."""
    taken = {column.name for column in columns}
    seen: dict[str, int] = {}
    names: list[str] = []
    for column in columns:
        name = column.name
        if name in seen:
            number = seen[name]
            while (name := f"{column.name}_{number + 1}") in taken:
                number += 1
            seen[column.name] = number + 1
            taken.add(name)
        else:
            seen[name] = 1
        names.append(name)
    return names

"""Where the rows of a call go while they are read: all into the result, or in chunks on the way.

A database may declare no type for a column, as SQLite does for a computed one. Then it is derived
from the values: from all of them if the rows are kept, and from those of the first chunk if they
are sent in chunks.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from chatd.answers.mcp.contract import CHUNK_BYTES_MAX, CHUNK_ROWS_MAX, chunk_message
from chatd.answers.table import Column, Row, common_type

IDLE_TICKS_MAX = 100
"""After so many ticks without a new row, what waits is sent."""
TYPING_ROWS_MAX = 20
"""So many rows wait for the first value of a column without a type; a tick may send them
earlier."""
_GROWTH = 4
_TYPES: Mapping[type, str] = {int: "INTEGER", float: "REAL", str: "TEXT", bytes: "BLOB"}


class ValueTypes:
    """The types of the columns of an answer, as far as they are known so far."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._found: dict[int, set[str]] = {
            number: set() for number, column in enumerate(columns) if column.type is None
        }

    @property
    def is_complete(self) -> bool:
        """Whether each column has a type, or at least a value."""
        return all(self._found.values())

    def note(self, values: Sequence[object]) -> None:
        """Take the next row, as the database gives it; a NULL tells nothing."""
        for number, found in self._found.items():
            kind = _TYPES.get(type(values[number]))
            if kind is not None:
                found.add(kind)

    def columns(self) -> Sequence[Column]:
        """The columns. Whole and real numbers together are REAL; other mixtures have no type."""
        types = {number: common_type(found) for number, found in self._found.items()}
        return [
            Column(column.name, types.get(number, column.type))
            for number, column in enumerate(self._columns)
        ]


class KeptRows:
    """Keeps all rows of one call."""

    def __init__(self) -> None:
        self._types = ValueTypes(())
        self.kept: list[Row] = []

    @property
    def header(self) -> Sequence[Column]:
        """The columns."""
        return self._types.columns()

    def columns(self, columns: Sequence[Column]) -> None:
        """Take the columns, once, before the first row."""
        self._types = ValueTypes(columns)

    def row(self, row: Row, as_json: bytes, values: Sequence[object]) -> None:
        """Take the next row: as cells, as JSON, and as the database gives it."""
        self._types.note(values)
        self.kept.append(row)

    def tick(self) -> None:
        """The statement is at work; called often, between rows."""


class ChunkedRows:
    """Sends rows on in chunks: the first row at once, then more and more of them together.

    `send` gets the message of a chunk, and may wait until it is on its way. Rows that come slowly
    do not wait for others: see `tick`.
    """

    def __init__(self, send: Callable[[str], None]) -> None:
        self._send = send
        self._types = ValueTypes(())
        self._rows: list[bytes] = []
        self._bytes = 0
        self._rows_wanted = 1
        self._idle_ticks = 0
        self.sent = 0

    def columns(self, columns: Sequence[Column]) -> None:
        self._types = ValueTypes(columns)

    def row(self, row: Row, as_json: bytes, values: Sequence[object]) -> None:
        self._idle_ticks = 0
        if self._rows and self._bytes + len(as_json) > CHUNK_BYTES_MAX:
            self._flush()
        self._rows.append(as_json)
        self._bytes += len(as_json) + 1
        if self.sent == 0:
            self._types.note(values)
            is_typed = self._types.is_complete or len(self._rows) >= TYPING_ROWS_MAX
            self._rows_wanted = 1 if is_typed else TYPING_ROWS_MAX
        if len(self._rows) >= self._rows_wanted:
            self._flush()

    def tick(self) -> None:
        self._idle_ticks += 1
        if self._rows and self._idle_ticks >= IDLE_TICKS_MAX:
            self._flush()

    def finish(self) -> None:
        """Send what is left; the columns are sent even if no row came."""
        if self._rows or self.sent == 0:
            self._flush()

    def _flush(self) -> None:
        index, rows = self.sent, self._rows
        self.sent += 1
        self._rows, self._bytes = [], 0
        self._rows_wanted = min(self._rows_wanted * _GROWTH, CHUNK_ROWS_MAX)
        self._send(chunk_message(index, self._types.columns() if index == 0 else None, rows))


Rows: TypeAlias = KeptRows | ChunkedRows
"""Takes the rows of one call, in the thread that reads them."""

"""Where the rows of a call go while they are read: all into the result, or in chunks on the way."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from chatd.answers.mcp.contract import CHUNK_BYTES_MAX, CHUNK_ROWS_MAX, chunk_message
from chatd.answers.table import Column, Row

IDLE_TICKS_MAX = 100
"""After so many ticks without a new row, what waits is sent."""
_GROWTH = 4


class KeptRows:
    """Keeps all rows of one call."""

    def __init__(self) -> None:
        self.header: Sequence[Column] = ()
        self.kept: list[Row] = []

    def columns(self, columns: Sequence[Column]) -> None:
        """Take the columns, once, before the first row."""
        self.header = columns

    def row(self, row: Row, as_json: bytes) -> None:
        """Take the next row, and the same as JSON."""
        self.kept.append(row)

    def tick(self) -> None:
        """The statement is at work; comes often, between rows."""


class ChunkedRows:
    """Sends rows on in chunks: the first row at once, then more and more of them together.

    `send` gets the message of a chunk, and may wait until it is on its way. Rows
    that come slowly are not held back for others: see `tick`.
    """

    def __init__(self, send: Callable[[str], None]) -> None:
        self._send = send
        self._columns: Sequence[Column] | None = None
        self._rows: list[bytes] = []
        self._bytes = 0
        self._rows_wanted = 1
        self._idle_ticks = 0
        self.sent = 0

    def columns(self, columns: Sequence[Column]) -> None:
        self._columns = columns

    def row(self, row: Row, as_json: bytes) -> None:
        self._idle_ticks = 0
        if self._rows and self._bytes + len(as_json) > CHUNK_BYTES_MAX:
            self._flush()
        self._rows.append(as_json)
        self._bytes += len(as_json) + 1
        if len(self._rows) >= self._rows_wanted:
            self._flush()

    def tick(self) -> None:
        self._idle_ticks += 1
        if self._rows and self._idle_ticks >= IDLE_TICKS_MAX:
            self._flush()

    def finish(self) -> None:
        """Send what is left; the columns are sent even where no row came."""
        if self._rows or self.sent == 0:
            self._flush()

    def _flush(self) -> None:
        index, rows, columns = self.sent, self._rows, self._columns
        self.sent += 1
        self._rows, self._bytes, self._columns = [], 0, None
        self._rows_wanted = min(self._rows_wanted * _GROWTH, CHUNK_ROWS_MAX)
        self._send(chunk_message(index, columns if index == 0 else None, rows))


Rows: TypeAlias = KeptRows | ChunkedRows
"""Takes the rows of one call, in the thread that reads them."""

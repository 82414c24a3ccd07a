"""Rows of a database on their way to the caller: as many and as long as the terms allow."""

from collections.abc import Iterable, Sequence

import attrs
import orjson

from chatd.answers.cut import WHOLE, Cut, shortened
from chatd.answers.requests import Terms
from chatd.answers.table import Row, cell
from chatd.db_mcp.collecting import Rows
from chatd.db_mcp.interrupt import Interrupt
from chatd.wire.names import RowsCut


@attrs.frozen
class Outcome:
    """How a call ended; `rows_written`, if it could write, includes changes by triggers."""

    row_count: int
    cut: Cut = WHOLE
    rows_written: int | None = None

    @property
    def is_truncated(self) -> bool:
        """Whether anything was left out."""
        return bool(self.cut)


@attrs.define
class Feeder:
    """Feeds the rows of one call; `count` is how many it has passed on, `shortened_values` how many
    of their values are not whole. `largest_row_bytes`: the least size of the longest row that was
    not sent."""

    _rows: Rows
    _terms: Terms
    _interrupt: Interrupt
    count: int = attrs.field(default=0, init=False)
    shortened_values: int = attrs.field(default=0, init=False)
    largest_row_bytes: int = attrs.field(default=0, init=False)

    def feed(self, source: Iterable[Sequence[object]]) -> Outcome:
        """Pass rows on from `source`. Raises what `source` raises; `count` is right even then.

        A row that would be too long is not sent; if it is the first one, its texts and bytes are
        shortened, so that there is something to see.
        """
        left = self._terms.max_bytes
        for read in source:
            self._interrupt.check()
            if self.count == self._terms.max_rows:
                return self.outcome(RowsCut.MAX_ROWS)
            if (least := _least_bytes(read)) > left:
                # It is not written as JSON, as one value may have a gigabyte.
                self.largest_row_bytes = max(self.largest_row_bytes, least)
                if self.count:
                    return self.outcome(RowsCut.MAX_BYTES)
                read = [_beginning(value, left) for value in read]
            row: Row = [cell(value) for value in read]
            as_json = orjson.dumps(row)
            if len(as_json) + 1 > left:  # with the comma
                fitting = None if self.count else shortened(row, left)
                if fitting is None:
                    return self.outcome(RowsCut.MAX_BYTES)
                row, self.shortened_values = fitting
                as_json = orjson.dumps(row)
                left = 0  # and nothing after it
            left -= len(as_json) + 1
            self._rows.row(row, as_json, read)
            self.count += 1
        return self.outcome()

    def outcome(self, rows: RowsCut | None = None) -> Outcome:
        """The outcome as it is now; `rows`: why no more rows come, None if all came."""
        return Outcome(self.count, Cut(rows, self.shortened_values))


def _least_bytes(row: Sequence[object]) -> int:
    """How many bytes the texts and bytes of a row take as JSON, at least."""
    return sum(len(value) for value in row if isinstance(value, str | bytes))


def _beginning(value: object, length: int) -> object:
    """The part of a value that is looked at; a shorter value is whole, a longer one will be
    shortened."""
    return value[:length] if isinstance(value, str | bytes) else value

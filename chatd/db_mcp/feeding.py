"""Rows of a database on their way to the caller: as many and as long as the terms allow."""

from collections.abc import Iterable, Sequence

import attrs
import orjson

from chatd.answers.requests import Terms
from chatd.answers.table import Row, cell
from chatd.db_mcp.collecting import Rows
from chatd.db_mcp.interrupt import Interrupt


@attrs.frozen
class Outcome:
    """How a call ended; `rows_written` where it could write, counting those of triggers."""

    row_count: int
    is_truncated: bool
    rows_written: int | None = None


@attrs.define
class Feeder:
    """Feeds the rows of one call; `count` is how many it has passed on."""

    _rows: Rows
    _terms: Terms
    _interrupt: Interrupt
    count: int = attrs.field(default=0, init=False)

    def feed(self, source: Iterable[Sequence[object]]) -> Outcome:
        """Pass rows on from `source`. What that raises is raised; `count` holds then, too.

        A row that would be too long is not sent; where it is the first one, its texts and bytes are
        cut, so that there is something to see.
        """
        left = self._terms.max_bytes
        for values in source:
            self._interrupt.check()
            if self.count == self._terms.max_rows:
                return self.truncated()
            row = [cell(value) for value in values]
            as_json = orjson.dumps(row)
            left -= len(as_json) + 1  # and the comma
            if left < 0:
                if self.count == 0 and (cut := cut_row(values, self._terms.max_bytes)) is not None:
                    self._rows.row(cut, orjson.dumps(cut))
                    self.count = 1
                return self.truncated()
            self._rows.row(row, as_json)
            self.count += 1
        return Outcome(self.count, is_truncated=False)

    def truncated(self) -> Outcome:
        """The outcome where the database has more than what was passed on."""
        return Outcome(self.count, is_truncated=True)


def cut_row(values: Sequence[object], max_bytes: int) -> Row | None:
    """The row with its texts and blobs cut to fit into `max_bytes` as JSON; None where none fits.

    All are cut to the same length, and whole where they are shorter.
    """
    share = max_bytes
    while share > 0:
        row = [cell(_cut(value, share)) for value in values]
        if len(orjson.dumps(row)) < max_bytes:
            return row
        share //= 2
    return None


def _cut(value: object, share: int) -> object:
    return value[:share] if isinstance(value, str | bytes) else value

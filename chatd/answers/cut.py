"""What is missing from a result, and the words that say so.

Rows are left out at the end of a result, beyond a bound. If the first row alone is too large, its
values are shortened, so that there is something to see. Very long names of columns are shortened.
The three are reported separately, all the way: by a db-mcp, in the text of an answer, in its `cut`,
and by every export (docs/answers, "What is cut").
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final

import attrs
import orjson

from chatd.answers.table import BYTES, Cell, Row
from chatd.counts import counted
from chatd.wire.events import AnswerCut
from chatd.wire.names import RowsCut


@attrs.frozen
class Cut:
    """What is missing: why rows at the end are left out; how many values and names are
    shortened."""

    rows: RowsCut | None = None
    values: int = 0
    names: int = 0

    def __bool__(self) -> bool:
        """Whether anything is missing."""
        return self.rows is not None or self.values > 0 or self.names > 0

    def joined(self, other: "Cut") -> "Cut":
        """What is missing once something was left out at two places, one after the other."""
        return Cut(self.rows or other.rows, self.values + other.values, self.names + other.names)

    @property
    def payload(self) -> AnswerCut | None:
        """The same as a client gets it; None if nothing is missing."""
        return AnswerCut(self.rows, self.values or None, self.names or None) if self else None

    @property
    def header(self) -> str:
        """The same as the value of `X-Chatd-Truncated`: a dictionary of RFC 8941.

        >>> Cut(RowsCut.MAX_BYTES, values=2).header
        'rows=max_bytes, values=2'
        """
        shown = {"rows": self.rows, "values": self.values, "names": self.names}
        return ", ".join(f"{name}={value}" for name, value in shown.items() if value)

    def sentences(self, row_count: int) -> list[str]:
        """The same in sentences for people, about a result that has so many rows."""
        said = []
        if self.rows is not None:
            said.append(f"Cut after {counted(row_count, 'row')}{_WHY[self.rows]}")
        if self.values:
            are = "is" if self.values == 1 else "are"
            said.append(f"{counted(self.values, 'value')} {are} shortened to fit.")
        if self.names:
            said.append(f"Names or types of {counted(self.names, 'column')} are shortened to fit.")
        return said


WHOLE: Final = Cut()
"""Nothing is missing."""

_WHY: Final[Mapping[RowsCut, str]] = {
    RowsCut.MAX_ROWS: ", as many as fit; there are more in the database.",
    RowsCut.MAX_BYTES: ", as many bytes as fit; there are more in the database.",
    RowsCut.LARGE_VALUE: ": a value in the next row is too large to be handed out.",
    RowsCut.DATABASE: " by the database's server; there are more in the database.",
}


def cut_of_json(answer: Mapping[Any, object]) -> Cut:
    """What the `cut` of a stored answer, or of a db-mcp's result, says, whatever it holds.

    An answer that says only that it is truncated has left out rows, for an unknown reason.
    """
    match answer.get("cut"):
        case {**told}:
            rows = told.get("rows")
            cut = Cut(
                RowsCut(rows) if isinstance(rows, str) and rows in _WHY else None,
                _count(told.get("values")),
                _count(told.get("names")),
            )
            if cut:
                return cut
    return Cut(RowsCut.DATABASE) if answer.get("truncated") is True else WHOLE


def _count(value: object) -> int:
    return value if type(value) is int and 0 < value < 2**31 else 0


def shortened(row: Row, max_bytes: int) -> tuple[Row, int] | None:
    """The row with its texts and bytes shortened, so that it has fewer than `max_bytes` as JSON,
    and how many of them were shortened; None if nothing helps.

    All are shortened to the same length; those that are shorter stay whole.
    """
    share = max_bytes
    while share > 0:
        cells = [_shortened(cell, share) for cell in row]
        if len(orjson.dumps(cells)) < max_bytes:
            return cells, sum(new != old for new, old in zip(cells, row, strict=True))
        share //= 2
    return None


def _shortened(cell: Cell, share: int) -> Cell:
    match cell:
        case str():
            return cell[:share]
        case {"$bytes": str() as encoded}:
            if len(encoded) <= share:
                return cell
            kept = b64decode(encoded[: share // 4 * 4])  # groups of four are whole bytes
            return {BYTES: b64encode(kept).decode("ascii")}
    return cell

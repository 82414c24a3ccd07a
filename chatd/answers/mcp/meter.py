"""The rows of an answer on their way to its sink: no more of them than its terms allow; pure.

Rows and bytes are counted as they travel. What is left out is known here (`Cut`).
"""

from collections.abc import Sequence
from typing import Final

import attrs
import orjson

from chatd.answers.cut import WHOLE, shortened
from chatd.answers.mcp.contract import columns_as_json
from chatd.answers.requests import Sink
from chatd.answers.table import Column, Row
from chatd.wire.names import RowsCut

COLUMNS_BYTES: Final = 131_072
"""Bytes of the columns of an answer, as JSON; beyond: their names and types are cut."""


class Meter:
    """Passes on to the sink of one answer what its terms allow; `cut` is what was left out.

    `is_full` once a row did not pass: no more is wanted. If the first row alone is too large, its
    values are shortened. A text with half a surrogate pair, which is not valid Unicode, cannot
    travel; it is mended here.
    """

    def __init__(self, sink: Sink, max_rows: int, max_bytes: int) -> None:
        self._sink = sink
        self._rows_left = max_rows
        self._bytes_left = max_bytes
        self._has_passed = False
        self.cut = WHOLE

    @property
    def is_full(self) -> bool:
        """Whether a row was left out, as all later ones will be."""
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
    """The columns; the longest names and types are cut until all of them fit."""
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

"""What a database answers with: columns, and rows of cells as they travel.

A cell is what JSON holds exactly in every client: integers beyond 2^53 and decimals are strings,
NULL is null, bytes are `{"$bytes": base64}`. What has no form in JSON travels as its text.
"""

import math
from base64 import b64encode
from collections.abc import Set
from datetime import date, datetime, time

import attrs

from chatd.wire.converter import SAFE_INTEGER
from chatd.wire.events import Cell, Row

__all__ = ["BYTES", "Cell", "Column", "Row", "cell", "common_type"]

BYTES = "$bytes"  # the one key of the object that bytes travel as


@attrs.frozen
class Column:
    """A column of a result; `type` is the database's own word for it, or what its values are if it
    has none; None if these are of several kinds, or that is not known."""

    name: str
    type: str | None = None


def cell(value: object) -> Cell:
    """A Python value as a cell."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes() | bytearray() | memoryview():
            return {BYTES: b64encode(value).decode("ascii")}
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return str(value)


def common_type(kinds: Set[str | None]) -> str | None:
    """The one type of values of these kinds; None is a kind that has no type.

    >>> common_type({"INTEGER", "REAL"}), common_type({"INTEGER", "TEXT"})
    ('REAL', None)
    """
    if kinds == {"INTEGER", "REAL"}:
        return "REAL"
    return next(iter(kinds)) if len(kinds) == 1 else None

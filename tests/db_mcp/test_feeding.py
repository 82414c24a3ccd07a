"""Rows on their way to the caller: what is too long is cut, and never copied whole."""

from typing import Any

import orjson
import pytest

from chatd.answers.cut import Cut
from chatd.answers.requests import Terms
from chatd.db_mcp import feeding
from chatd.db_mcp.collecting import KeptRows
from chatd.db_mcp.feeding import Feeder, Outcome
from chatd.db_mcp.interrupt import Interrupt
from chatd.wire.names import RowsCut
from tests.rows import rows

MAX_BYTES = 1_000
LONG = 10_000_000


@rows(
    ("source", "outcome", "kept"),
    [
        ([["x" * LONG]], Outcome(1, Cut(values=1)), [["x" * 500]]),
        ([["é" * LONG, 7, None]], Outcome(1, Cut(values=1)), [["é" * 250, 7, None]]),
        ([["a"], ["x" * LONG]], Outcome(1, Cut(RowsCut.MAX_BYTES)), [["a"]]),
        ([["x" * 600, "y" * 600]], Outcome(1, Cut(values=2)), [["x" * 250, "y" * 250]]),
        ([["x" * 980], ["y" * 20]], Outcome(1, Cut(RowsCut.MAX_BYTES)), [["x" * 980]]),
    ],
)
def test_a_long_value_is_shortened_and_not_written_whole(
    source: list[list[object]], outcome: Outcome, kept: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    class Recorded:
        @staticmethod
        def dumps(value: object) -> bytes:
            written.append(orjson.dumps(value))
            return written[-1]

    monkeypatch.setattr(feeding, "orjson", Recorded)
    taken = KeptRows()
    taken.columns(())
    feeder = Feeder(taken, Terms(max_bytes=MAX_BYTES), Interrupt())
    assert feeder.feed(source) == outcome
    assert taken.kept == kept
    assert max(map(len, written)) < 10 * MAX_BYTES
    assert (feeder.largest_row_bytes >= LONG) == any(len(str(row)) >= LONG for row in source)

"""What passes a meter, and what of the rest is said."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from chatd.answers.cut import WHOLE, Cut
from chatd.answers.mcp.contract import columns_as_json
from chatd.answers.mcp.documents import COLUMNS_MAX
from chatd.answers.mcp.meter import COLUMNS_BYTES, Meter
from chatd.answers.table import Column, Row
from chatd.wire.names import RowsCut


class Plate:
    """A sink that keeps what it gets, and demands that it can travel."""

    def __init__(self) -> None:
        self.columns_: list[Column] = []
        self.table: list[list[Any]] = []

    def columns(self, columns: Sequence[Column]) -> None:
        assert not self.columns_
        self.columns_ = list(columns)
        orjson.dumps(columns_as_json(columns))

    def rows(self, rows: Sequence[Row]) -> None:
        orjson.dumps(rows)
        self.table += [list(row) for row in rows]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns_]


@pytest.mark.parametrize(
    "columns",
    [
        [Column("\x01" * 500, "\N{ROCKET}" * 500)] * COLUMNS_MAX,
        [Column("x" * 1_000_000), Column("id", "y" * 1_000_000)],
    ],
    ids=["many", "long"],
)
def test_names_that_are_too_long_together_are_cut(columns: list[Column]) -> None:
    plate = Plate()
    Meter(plate, 3, 1000).columns(columns)
    told = columns_as_json(plate.columns_)
    assert len(told) == len(columns)
    assert len(orjson.dumps(told)) <= COLUMNS_BYTES
    assert plate.names[0][:2] == columns[0].name[:2]
    assert plate.names[0].endswith("…")
    assert plate.names[-1] in ("id", plate.names[0])


def test_names_that_fit_together_stay_as_long_as_they_are() -> None:
    plate = Plate()
    Meter(plate, 3, 1000).columns([Column("x" * 100_000)])
    assert plate.names == ["x" * 100_000]


def test_a_meter_lets_pass_what_the_terms_allow() -> None:
    plate = Plate()
    meter = Meter(plate, 3, 1000)
    meter.columns([Column("a")])
    meter.rows([[1], [2]])
    assert not meter.is_full
    meter.rows([[3], [4]])
    meter.rows([[5]])
    assert meter.is_full
    assert (plate.names, plate.table) == (["a"], [[1], [2], [3]])


def test_a_meter_counts_bytes_as_json() -> None:
    plate = Plate()
    meter = Meter(plate, 100, len("[12]\n") * 2)
    meter.rows([[12], [12], [1]])
    assert plate.table == [[12], [12]]
    assert meter.is_full


def test_half_a_surrogate_pair_is_mended() -> None:
    plate = Plate()
    meter = Meter(plate, 100, 1000)
    meter.columns([Column("\ud800", "\udfff")])
    meter.rows([["a\ud800", 1]])
    assert (plate.names, plate.table) == (["?"], [["a?", 1]])


def metered(rows: Sequence[Row], *, max_rows: int = 9, max_bytes: int = 100) -> tuple[Cut, Plate]:
    """What a meter says is missing of these rows, and what it let pass."""
    plate = Plate()
    meter = Meter(plate, max_rows, max_bytes)
    meter.columns([Column("a")])
    meter.rows(rows)
    return meter.cut, plate


def test_rows_beyond_the_terms_are_left_out_and_it_is_said_by_which() -> None:
    assert metered([[1], [2]])[0] == WHOLE
    assert metered([[1], [2]], max_rows=1)[0] == Cut(RowsCut.MAX_ROWS)
    assert metered([[1], ["x" * 200]])[0] == Cut(RowsCut.MAX_BYTES)


def test_a_first_row_that_is_too_long_is_shortened_and_no_row_is_said_to_be_missing() -> None:
    cut, plate = metered([["x" * 200]])
    assert cut == Cut(values=1)
    [[text]] = plate.table
    assert isinstance(text, str)
    assert 10 < len(text) < 100
    cut, plate = metered([["x" * 200], [1]])
    assert (cut, len(plate.table)) == (Cut(RowsCut.MAX_BYTES, values=1), 1)


def test_names_that_are_shortened_are_counted() -> None:
    meter = Meter(plate := Plate(), 9, 100)
    meter.columns([Column("x" * COLUMNS_BYTES), Column("y")])
    assert meter.cut == Cut(names=1)
    assert not meter.is_full
    assert plate.names[1] == "y"

"""One answer, one end: whatever comes, in whatever order."""

from typing import Any

import orjson
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chatd.answers.answer import ENDS, AnswerContent, AnswerState, Ending
from chatd.answers.cut import Cut
from chatd.answers.table import Column, Row
from chatd.wire.codes import Code
from chatd.wire.names import RowsCut

COLUMNS = (Column("id", "integer"), Column("name"))
PHASES = (AnswerState.QUEUED, AnswerState.RUNNING, AnswerState.FETCHING)
ENDINGS = (
    Ending(),
    Ending(cut=Cut(RowsCut.DATABASE), is_cached=True),
    Ending(text="Ask in SQL."),
    Ending.failed(Code.DB_ERROR, "No such table."),
    Ending.failed(Code.DB_TIMEOUT, "Too slow."),
    Ending.cancelled(is_confirmed=True),
    Ending.cancelled(is_confirmed=False),
    Ending.failed(Code.DB_TIMEOUT),
    Ending.interrupted(),
)


def answer(max_rows: int = 3, max_bytes: int = 1_000) -> AnswerContent:
    return AnswerContent(max_rows, max_bytes)


def shown(one: AnswerContent) -> dict[str, Any]:
    return orjson.loads(one.as_json(12))  # type: ignore[no-any-return]


def test_phases_follow_each_other_and_never_go_back() -> None:
    one = answer()
    assert [one.go_to(phase) for phase in PHASES] == [True, True, True]
    assert [one.go_to(phase) for phase in PHASES] == [False, False, False]
    assert one.state is AnswerState.FETCHING


def test_a_phase_may_be_left_out() -> None:
    one = answer()
    assert one.go_to(AnswerState.FETCHING)
    assert not one.go_to(AnswerState.QUEUED)


@pytest.mark.parametrize("end", sorted(ENDS))
def test_an_end_is_no_phase(end: AnswerState) -> None:
    one = answer()
    assert not one.go_to(end)
    assert one.state is AnswerState.ASKED


def test_rows_are_taken_up_to_the_bound_and_the_rest_is_said_to_be_missing() -> None:
    one = answer(max_rows=2)
    one.set_columns(COLUMNS)
    assert one.add_rows([[1, "a"], [2, "b"]]) == [[1, "a"], [2, "b"]]
    assert not one.cut
    assert one.add_rows([[3, "c"]]) == []
    one.end(Ending())
    assert (shown(one)["rowCount"], shown(one)["truncated"]) == (2, True)
    assert shown(one)["cut"] == {"rows": "max_rows"}


def test_a_row_that_is_too_large_ends_the_rows() -> None:
    one = answer(max_bytes=20)
    one.set_columns(COLUMNS)
    assert one.add_rows([[1, "a"], [2, "x" * 30], [3, "b"]]) == [[1, "a"]]
    assert one.add_rows([[4, "c"]]) == []
    assert one.cut == Cut(RowsCut.MAX_BYTES)


def test_rows_before_columns_and_columns_twice_are_not_taken() -> None:
    one = answer()
    assert one.add_rows([[1]]) == []
    one.set_columns(COLUMNS)
    one.set_columns(())
    assert one.columns == COLUMNS


def test_what_came_before_an_end_stays_and_nothing_comes_after_it() -> None:
    one = answer()
    one.set_columns(COLUMNS)
    one.add_rows([[1, None]])
    assert one.end(Ending.cancelled(is_confirmed=True))
    assert not one.end(Ending())
    assert one.add_rows([[2, "b"]]) == []
    assert shown(one) == {
        "state": "cancelled",
        "rowCount": 1,
        "truncated": False,
        "elapsedMs": 12,
        "cached": False,
        "error": {
            "code": "db_cancelled",
            "message": "The answer was cancelled.",
            "retryable": True,
        },
        "columns": [{"name": "id", "type": "integer"}, {"name": "name", "type": None}],
        "rows": [[1, None]],
    }


def test_a_database_that_was_too_slow_is_a_timeout() -> None:
    assert Ending.failed(Code.DB_TIMEOUT, "Too slow.").state is AnswerState.TIMEOUT
    assert Ending.failed(Code.DB_BUSY, "Later.").state is AnswerState.ERROR


def test_a_cancel_that_was_not_confirmed_says_so() -> None:
    unconfirmed = Ending.cancelled(is_confirmed=False).sentence
    assert unconfirmed is not None
    assert "did not say" in unconfirmed
    assert Ending.cancelled(is_confirmed=None) == Ending.cancelled(is_confirmed=True)


class Lives(RuleBasedStateMachine):
    """Whatever comes: one end, within the bounds."""

    def __init__(self) -> None:
        super().__init__()
        self.one = answer(max_rows=4, max_bytes=60)
        self.taken: list[Row] = []
        self.first_end: Ending | None = None

    @rule(phase=st.sampled_from(list(AnswerState)))
    def go_to(self, phase: AnswerState) -> None:
        before = self.one.state
        if not self.one.go_to(phase):
            assert self.one.state is before

    @rule()
    def columns(self) -> None:
        self.one.set_columns(COLUMNS)

    @rule(rows=st.lists(st.tuples(st.integers(0, 9), st.text("a", max_size=30)), max_size=3))
    def rows(self, rows: list[tuple[int, str]]) -> None:
        taken = self.one.add_rows(rows)
        assert list(taken) == list(rows[: len(taken)])
        self.taken += taken

    @rule(ending=st.sampled_from(ENDINGS))
    def end(self, ending: Ending) -> None:
        assert self.one.end(ending) is (self.first_end is None)
        self.first_end = self.first_end or ending

    @invariant()
    def one_end_within_the_bounds(self) -> None:
        assert (self.one.state in ENDS) is (self.first_end is not None)
        assert self.one.rows == self.taken
        assert len(self.taken) <= 4
        assert sum(len(orjson.dumps(row)) for row in self.taken) <= 60
        if self.first_end is not None:
            assert self.one.state is self.first_end.state
            assert shown(self.one)["rows"] == [list(row) for row in self.taken]


TestLives = Lives.TestCase

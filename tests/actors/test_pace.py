"""The window between two commits: whole while the loop has time to spare, gone while it is busy."""

import pytest

from chatd.actors.pace import BUSY, MEMORY_S, SPARE, WINDOW_S, Pace


def paced(
    share: float, *, for_s: float = 10 * MEMORY_S, now_s: float = 100.0
) -> tuple[Pace, float]:
    """A pace that has seen a loop work for this share of its time, and when it began last."""
    pace, busy_s = Pace(now_s, 7.0), 7.0
    for _ in range(100):
        now_s += for_s / 100
        busy_s += share * for_s / 100
        pace.begin(now_s, busy_s)
    return pace, now_s


def test_the_first_commit_begins_at_once() -> None:
    assert Pace(100.0, 0.0).due_s() < 100.0


def test_the_next_one_waits_for_the_window() -> None:
    pace = Pace(100.0, 0.0)
    pace.begin(100.5, 0.0)
    assert pace.due_s() == pytest.approx(100.5 + WINDOW_S)


@pytest.mark.parametrize(
    ("share", "part"),
    [(0.0, 1.0), (SPARE / 2, 1.0), ((SPARE + BUSY) / 2, 0.5), (BUSY + 0.05, 0.0), (1.0, 0.0)],
)
def test_the_window_shrinks_as_the_loop_gets_busier(share: float, part: float) -> None:
    pace, began_s = paced(share)
    assert pace.due_s() - began_s == pytest.approx(WINDOW_S * part, abs=WINDOW_S / 100)


def test_what_was_long_ago_counts_little() -> None:
    pace, now_s = paced(1.0)
    assert pace.due_s() == now_s
    pace.begin(now_s + 30 * MEMORY_S, 7.0 + 10 * MEMORY_S)
    assert pace.due_s() > now_s + 30 * MEMORY_S


def test_a_clock_that_stands_still_changes_nothing() -> None:
    pace = Pace(100.0, 0.0)
    pace.begin(100.0, 5.0)
    pace.begin(100.0, 9.0)
    assert pace.due_s() == pytest.approx(100.0 + WINDOW_S)

"""The window between two commits: whole while the loop has time to spare, gone while it is busy."""

import pytest

from chatd.actors.group_commit import BUSY, MEMORY_S, SPARE, WINDOW_S, GroupCommit


def paced(
    share: float, *, for_s: float = 10 * MEMORY_S, now_s: float = 100.0
) -> tuple[GroupCommit, float]:
    """A pace that has seen a loop work for this share of its time, and when it began last."""
    pace, busy_s = GroupCommit(now_s, 7.0), 7.0
    for _ in range(100):
        now_s += for_s / 100
        busy_s += share * for_s / 100
        pace.begin(now_s, busy_s)
    return pace, now_s


def test_the_first_commit_begins_at_once() -> None:
    assert GroupCommit(100.0, 0.0).due_s() < 100.0


def test_the_next_one_waits_for_the_window() -> None:
    pace = GroupCommit(100.0, 0.0)
    pace.begin(100.5, 0.0)
    assert pace.due_s() == pytest.approx(100.5 + WINDOW_S)


@pytest.mark.parametrize(
    ("share", "part"),
    [(0.0, 1.0), (SPARE / 2, 1.0), (SPARE, 1.0), (3 * BUSY, 0.0), (1.0, 0.0)],
)
def test_the_window_is_whole_for_a_light_load_and_gone_for_a_heavy_one(
    share: float, part: float
) -> None:
    pace, began_s = paced(share)
    assert pace.due_s() - began_s == pytest.approx(WINDOW_S * part, abs=WINDOW_S / 100)


def test_a_light_load_gets_the_window_back_although_it_costs_more_without_it() -> None:
    pace, now_s = paced(1.0)
    assert pace.due_s() == now_s
    busy_s = 7.0 + 10 * MEMORY_S
    for _ in range(500):
        is_eager = pace.due_s() - now_s < WINDOW_S / 2
        now_s, busy_s = now_s + 0.01, busy_s + (0.3 if is_eager else 0.1) * 0.01
        pace.begin(now_s, busy_s)
    assert pace.due_s() - now_s == pytest.approx(WINDOW_S)


def test_what_was_long_ago_counts_little() -> None:
    pace, now_s = paced(1.0)
    assert pace.due_s() == now_s
    pace.begin(now_s + 30 * MEMORY_S, 7.0 + 10 * MEMORY_S)
    assert pace.due_s() > now_s + 30 * MEMORY_S


def test_a_clock_that_stands_still_changes_nothing() -> None:
    pace = GroupCommit(100.0, 0.0)
    pace.begin(100.0, 5.0)
    pace.begin(100.0, 9.0)
    assert pace.due_s() == pytest.approx(100.0 + WINDOW_S)

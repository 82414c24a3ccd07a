"""The time that ages go by: no jump of a clock makes anything old."""

import pytest

from chatd.chat.steady_time import AGREES_MS, SEEN_S, SteadyTime

NOW_MS = 1_700_000_000_000
YEAR_MS = 365 * 86_400_000
HOUR_S = 3_600.0
DAY_MS = 86_400_000


def run(time: SteadyTime, ahead_ms: int, from_s: float, to_s: float) -> list[int]:
    """Look each hour while the clock is ahead of the true time; what was surely over each time."""
    seen = []
    now_s = from_s
    while now_s <= to_s:
        true_ms = NOW_MS + round(now_s * 1000)
        seen.append(time.look(true_ms + ahead_ms, now_s) - true_ms)
        now_s += HOUR_S
    return seen


def test_a_clock_that_goes_on_is_the_time() -> None:
    time = SteadyTime(NOW_MS, NOW_MS, 0.0)
    assert set(run(time, 0, 0.0, 100 * HOUR_S)) == {0}
    assert time.look(NOW_MS + 100 * 3_600_000 + AGREES_MS // 2, 100 * HOUR_S) > 0
    assert time.ahead_ms == 0


def test_without_evidence_the_clock_is_the_time() -> None:
    assert SteadyTime(None, NOW_MS, 7.0).look(NOW_MS, 7.0) == NOW_MS


@pytest.mark.parametrize("ahead_ms", [YEAR_MS, 70 * YEAR_MS, 2 * AGREES_MS])
def test_a_jump_forward_counts_once_it_was_seen_for_a_day(ahead_ms: int) -> None:
    time = SteadyTime(NOW_MS, NOW_MS, 0.0)
    run(time, 0, 0.0, 10 * HOUR_S)
    assert set(run(time, ahead_ms, 11 * HOUR_S, 34 * HOUR_S)) == {0}
    assert time.ahead_ms == ahead_ms
    assert run(time, ahead_ms, 35 * HOUR_S, 35 * HOUR_S) == [ahead_ms]
    assert time.ahead_ms == 0
    assert SEEN_S == 24 * HOUR_S


def test_a_jump_forward_that_is_taken_back_in_time_never_counts() -> None:
    time = SteadyTime(NOW_MS, NOW_MS, 0.0)
    for at_h in range(0, 200, 20):
        assert set(run(time, YEAR_MS, at_h * HOUR_S, (at_h + 18) * HOUR_S)) == {0}
        assert run(time, 0, (at_h + 19) * HOUR_S, (at_h + 19) * HOUR_S) == [0]


def test_a_clock_that_jumps_on_and_on_is_never_believed() -> None:
    time = SteadyTime(NOW_MS, NOW_MS, 0.0)
    for at_h in range(100):
        now_s = at_h * HOUR_S
        true_ms = NOW_MS + round(now_s * 1000)
        assert time.look(true_ms + at_h * DAY_MS, now_s) <= true_ms


def test_a_machine_that_boots_in_the_future_makes_nothing_old() -> None:
    """The evidence is that of the last snapshot; the clock is corrected after an hour."""
    time = SteadyTime(NOW_MS - DAY_MS, NOW_MS + 70 * YEAR_MS, 0.0)
    assert max(run(time, 70 * YEAR_MS, 0.0, HOUR_S)) <= -DAY_MS
    after = run(time, 0, 2 * HOUR_S, 30 * HOUR_S)
    assert (after[0], after[-1]) == (-DAY_MS, 0)


def test_a_machine_that_boots_in_1970_and_is_corrected_is_right_at_once() -> None:
    time = SteadyTime(NOW_MS, 0, 0.0)
    assert time.look(1_000, 1.0) == 1_000
    assert time.look(NOW_MS + 60_000, 60.0) == NOW_MS + 60_000


def test_a_time_that_was_too_late_is_left_again() -> None:
    time = SteadyTime(NOW_MS + 70 * YEAR_MS, NOW_MS, 0.0)
    run(time, 0, 0.0, 26 * HOUR_S)
    assert abs(time.freeze() - (NOW_MS + 26 * 3_600_000)) < AGREES_MS
    assert max(run(time, YEAR_MS, 27 * HOUR_S, 40 * HOUR_S)) <= 0

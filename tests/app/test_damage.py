"""Parts of the daemon that watch over its state: what they tell, and how often."""

import trio
import trio.testing

from chatd.app.ages import Ages, evidence_of
from chatd.app.damage import FAILED_FOR_S, ROWS_REPORTED, DamageFound
from chatd.observe import ClockDoubted, ReadFailed, Recorder, RowDamaged
from chatd.store import Damaged, StoreReadFailed
from tests.clocks import SetClock

NOW_MS = 1_700_000_000_000
YEAR_MS = 365 * 86_400_000


async def test_a_damaged_row_is_told_once_and_shows_for_good(
    autojump_clock: trio.testing.MockClock,
) -> None:
    recorder = Recorder()
    found = DamageFound(recorder, [Damaged("members", "sales")])
    assert found.is_damaged
    for seq in (1, 2, 1, 2):
        found.damaged(Damaged("messages", "sales", seq))
    assert recorder.of(RowDamaged) == [
        RowDamaged("members", "sales", None),
        RowDamaged("messages", "sales", 1),
        RowDamaged("messages", "sales", 2),
    ]
    for seq in range(2 * ROWS_REPORTED):
        found.damaged(Damaged("messages", "other", seq))
    assert len(recorder.of(RowDamaged)) == ROWS_REPORTED
    await trio.sleep(10 * FAILED_FOR_S)
    assert found.is_damaged


async def test_a_read_that_fails_shows_for_a_while_and_for_good_where_it_is_damage(
    autojump_clock: trio.testing.MockClock,
) -> None:
    recorder = Recorder()
    found = DamageFound(recorder, [])
    assert (found.is_failing, found.is_damaged) == (False, False)
    found.read_failed(StoreReadFailed("No descriptor."))
    assert (found.is_failing, found.is_damaged) == (True, False)
    await trio.sleep(FAILED_FOR_S)
    assert not found.is_failing
    found.read_failed(StoreReadFailed("Broken.", is_damage=True))
    assert found.is_damaged
    assert recorder.of(ReadFailed) == [
        ReadFailed(False, "No descriptor."),
        ReadFailed(True, "Broken."),
    ]


def test_a_clock_that_jumps_is_told_once() -> None:
    recorder = Recorder()
    clock = SetClock(wall=NOW_MS / 1000)
    ages = Ages(NOW_MS, recorder, clock)
    assert ages.now_ms() == NOW_MS
    clock.wall += 10 * YEAR_MS / 1000
    assert ages.now_ms() == ages.now_ms() == NOW_MS
    assert recorder.of(ClockDoubted) == [ClockDoubted(10 * YEAR_MS)]
    clock.wall -= 10 * YEAR_MS / 1000
    assert ages.now_ms() == ages.freeze() == NOW_MS
    assert len(recorder.of(ClockDoubted)) == 1


def test_the_time_of_a_snapshot_goes_before_that_of_a_message() -> None:
    assert evidence_of(5, 7) == 5
    assert evidence_of(None, 7) == 7
    assert evidence_of("no time", None) is None

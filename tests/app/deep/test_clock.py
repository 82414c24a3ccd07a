"""What is found of the clock."""

import os
import time
from pathlib import Path

import pytest

from chatd.app.deep import clock
from chatd.app.deep.check import Verdict
from chatd.app.deep.clock import is_synchronised, look_at_clock
from tests.app.deep.surroundings import SetClock, here


def test_a_clock_that_is_kept_right_is_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kept in (True, None):
        monkeypatch.setattr(clock, "is_synchronised", lambda kept=kept: kept)
        assert look_at_clock(here(tmp_path)).verdict is Verdict.FINE
    monkeypatch.setattr(clock, "is_synchronised", lambda: False)
    found = look_at_clock(here(tmp_path))
    assert found.verdict is Verdict.DOUBTFUL
    assert "nothing keeps the clock right" in found.sentence


def test_a_clock_that_is_behind_what_was_written_is_wrong(tmp_path: Path) -> None:
    found = look_at_clock(here(tmp_path, clock=SetClock(-1e9)))
    assert found.verdict is Verdict.WRONG
    assert "but this version of chatd is from " in found.sentence
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "log.sqlite3").write_text("")
    ahead_s = time.time() + 7200
    os.utime(tmp_path / "state" / "log.sqlite3", (ahead_s, ahead_s))
    found = look_at_clock(here(tmp_path))
    assert found.verdict is Verdict.WRONG
    assert f"but the newest file in {tmp_path}/state is from " in found.sentence


def test_the_system_says_whether_its_clock_is_kept_right_or_does_not() -> None:
    assert is_synchronised() in (True, False, None)

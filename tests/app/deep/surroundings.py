"""A place to look at, and a clock that a test sets."""

import time
from pathlib import Path
from typing import Any

from chatd.app.deep.check import Surroundings
from chatd.config import Config, StateConfig
from chatd.observe.clock import Clock


class SetClock(Clock):
    """A clock that is so many seconds off."""

    __slots__ = ("off_s",)

    def __init__(self, off_s: float = 0.0) -> None:
        self.off_s = off_s

    def wall_s(self) -> float:
        return time.time() + self.off_s


def here(
    tmp_path: Path, place: str = "state", clock: Clock | None = None, **sections: Any
) -> Surroundings:
    """A configuration whose state is below `tmp_path`."""
    config = Config(state=StateConfig(dir=str(tmp_path / place)), **sections)
    return Surroundings(config, {"TMPDIR": str(tmp_path)}, tmp_path, clock or SetClock())

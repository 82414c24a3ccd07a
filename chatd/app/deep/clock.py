"""The clock: tokens expire by it, and messages are dated by it.

No server is asked for the time. The clock is wrong if it is behind what was already written, and
doubtful if the system says that nothing keeps it right.
"""

import ctypes
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import chatd
from chatd.app.deep.check import Found, Surroundings, doubtful, fine, wrong
from chatd.app.deep.state import newest_s
from chatd.config import state_directory

AHEAD_S: Final = 60.0
"""Seconds by which something may be newer than now: file systems round, and clocks are adjusted."""
_UNSYNCHRONISED: Final = 5  # TIME_ERROR, adjtimex(2)
_TIMEX_BYTES: Final = 512  # more than a `struct timex` has on any system


def look_at_clock(surroundings: Surroundings) -> Found:
    """Whether the time can be right, and whether something keeps it so."""
    now_s = surroundings.clock.wall_s()
    directory = state_directory(surroundings.config, surroundings.environment, surroundings.cwd)
    written_s = {
        f"the newest file in {directory}": newest_s(directory),
        "this version of chatd": Path(chatd.__file__).stat().st_mtime,
    }
    for what, at_s in written_s.items():
        if at_s is not None and at_s > now_s + AHEAD_S:
            return wrong(
                f"It is {_moment(now_s)} here, but {what} is from {_moment(at_s)}: set the clock, "
                "or tokens are accepted after they have expired."
            )
    if is_synchronised() is False:
        return doubtful(
            f"It is {_moment(now_s)} here, and nothing keeps the clock right: have the system "
            "synchronise it (NTP)."
        )
    return fine(f"It is {_moment(now_s)}.")


def is_synchronised() -> bool | None:
    """Whether the kernel considers its clock synchronised; None if it does not say."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _UNSYNCHRONISED


def _moment(at_s: float) -> str:
    return f"{datetime.fromtimestamp(int(at_s), UTC):%Y-%m-%d %H:%M:%S} UTC"

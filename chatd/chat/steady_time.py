"""The time that ages are measured by: one that has been seen for a while.

What is removed because of its age is gone for good, and clocks are wrong at times: a machine boots
in 1970, or in 2099, and is corrected later. So age is not measured by the wall clock alone. Beside
it a second time goes on with the monotonic clock; the earlier of the two counts, so that nothing
becomes old because a clock jumps, forward or back.

    the clock, against the time that goes on    what becomes of it
    agrees, within `AGREES_MS`                  that is the time
    is further, or behind                       it is taken over once it has been seen for `SEEN_S`
                                                seconds; another jump begins that anew

A time before `PLAUSIBLE_FROM_MS` is that of a clock which was never set, and is no evidence of age.
"""

import math
from typing import Final

AGREES_MS: Final = 10 * 60 * 1000  # corrections of a clock that is right, and a short sleep
SEEN_S: Final = 24 * 3600.0  # how long a time must be seen before anything goes by it
PLAUSIBLE_FROM_MS: Final = 1_577_836_800_000  # 2020: before there was a chatd


class SteadyTime:
    """Goes on from `evidence_ms`, a time that is surely past, if any is known: that of the last
    snapshot, or of the newest message. None: the clock is taken as it is, as there is nothing to
    lose yet."""

    def __init__(self, evidence_ms: int | None, wall_ms: int, now_s: float) -> None:
        """`now_s` is monotonic, in seconds."""
        self._time_ms = wall_ms if evidence_ms is None else evidence_ms
        self._at_s = now_s
        # Since when the clock has shown another time, and gone on steadily.
        self._other_since_s = math.inf
        self._ahead_ms = 0  # by how much the clock is ahead then
        self.look(wall_ms, now_s)

    @property
    def ahead_ms(self) -> int:
        """By how much the clock is ahead of the time that goes on; negative if it is behind; 0 if
        they agree."""
        return self._ahead_ms if self._other_since_s < math.inf else 0

    def look(self, wall_ms: int, now_s: float) -> int:
        """The latest time that is surely past, in milliseconds, while the clock says `wall_ms`."""
        self._time_ms += round((now_s - self._at_s) * 1000)
        self._at_s = now_s
        ahead_ms = wall_ms - self._time_ms
        if abs(ahead_ms) <= AGREES_MS:
            self._take_over(wall_ms)
        elif self._other_since_s == math.inf or abs(ahead_ms - self._ahead_ms) > AGREES_MS:
            self._other_since_s, self._ahead_ms = now_s, ahead_ms
        elif now_s - self._other_since_s >= SEEN_S:
            self._take_over(wall_ms)
        return min(wall_ms, self._time_ms)

    def freeze(self) -> int:
        """The time that goes on, for a snapshot."""
        return self._time_ms

    def _take_over(self, wall_ms: int) -> None:
        self._time_ms, self._other_since_s, self._ahead_ms = wall_ms, math.inf, 0

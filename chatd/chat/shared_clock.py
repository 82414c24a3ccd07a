"""The clock by which nodes agree on what was decided later.

It gives stamps that only grow: milliseconds of the wall clock, or one more than the largest stamp
that this node gave or heard. So a decision by somebody who knows of another one is later than that
one, whatever the clocks of the machines say.

Source: Kulkarni et al., "Logical Physical Clocks", 2014.
"""

from typing import Final

AHEAD_MAX_MS: Final = 24 * 60 * 60 * 1000
"""The most for a stamp that is heard; one further ahead is refused: it would take all clocks
there."""


class SharedClock:
    """Gives stamps, and follows those of other nodes."""

    def __init__(self) -> None:
        self._last = 0

    def stamp(self, wall_ms: int) -> int:
        """A stamp for what is decided now."""
        self._last = max(wall_ms, self._last + 1)
        return self._last

    def witness(self, stamp: int, wall_ms: int) -> int:
        """Be later than this stamp from now on; returns it. Raises ValueError for what is not a
        stamp."""
        if type(stamp) is not int or not 0 <= stamp <= wall_ms + AHEAD_MAX_MS:
            raise ValueError("no stamp of a node")
        self._last = max(self._last, stamp)
        return stamp

"""A clock that a test sets."""

from chatd.observe.clock import Clock


class SetClock(Clock):
    """Shows what it was set to, on each of its faces, until it is set again.

    `wall` is seconds since the epoch, `elapsed` and `worked` are seconds of clocks that nobody
    sets. `advance` moves the wall and what elapsed by as much.
    """

    __slots__ = ("elapsed", "wall", "worked")

    def __init__(self, wall: float = 1_700_000_000.0, elapsed: float = 0.0) -> None:
        self.wall = wall
        self.elapsed = elapsed
        self.worked = 0.0

    def wall_ms(self) -> int:
        return round(self.wall * 1000)

    def wall_s(self) -> float:
        return self.wall

    def elapsed_s(self) -> float:
        return self.elapsed

    def worked_s(self) -> float:
        return self.worked

    def advance(self, by_s: float) -> None:
        self.wall += by_s
        self.elapsed += by_s

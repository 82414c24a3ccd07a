"""The time that ages go by, over this machine's clocks; see `chatd.chat.steady_time`."""

from collections.abc import Callable

from chatd.chat.steady_time import SteadyTime
from chatd.observe import ClockDoubted, EventLog
from chatd.observe.clock import elapsed_s, wall_ms


class Ages:
    """`evidence_ms`: a time that was, where one is known (of the last snapshot, of a message)."""

    def __init__(
        self,
        evidence_ms: int | None,
        event_log: EventLog,
        *,
        wall_ms: Callable[[], int] = wall_ms,
        elapsed_s: Callable[[], float] = elapsed_s,
    ) -> None:
        self._wall_ms = wall_ms
        self._elapsed_s = elapsed_s
        self._event_log = event_log
        self._told_ms = 0
        self._time = SteadyTime(evidence_ms, wall_ms(), elapsed_s())

    def now_ms(self) -> int:
        """The time that is surely over. To be asked now and then: so a jump is seen as one."""
        now_ms = self._time.look(self._wall_ms(), self._elapsed_s())
        if self._time.ahead_ms != self._told_ms:
            self._told_ms = self._time.ahead_ms
            if self._told_ms:
                self._event_log.record(ClockDoubted(self._told_ms))
        return now_ms

    def freeze(self) -> int:
        """What a snapshot keeps of it."""
        return self._time.freeze()


def evidence_of(frozen: object, newest_ms: int | None) -> int | None:
    """The time that was, at the start: what a snapshot kept, or that of the newest message."""
    return frozen if isinstance(frozen, int) and frozen > 0 else newest_ms

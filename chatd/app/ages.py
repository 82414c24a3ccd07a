"""The time by which ages are counted, on top of this machine's clocks; see
`chatd.chat.steady_time`."""

from chatd.chat.steady_time import SteadyTime
from chatd.observe import ClockDoubted, EventLog
from chatd.observe.clock import Clock


class Ages:
    """`evidence_ms`: a time that is surely past, if one is known (from the last snapshot, or a
    message)."""

    def __init__(self, evidence_ms: int | None, event_log: EventLog, clock: Clock) -> None:
        self._clock = clock
        self._event_log = event_log
        self._reported_ms = 0
        self._time = SteadyTime(evidence_ms, clock.wall_ms(), clock.elapsed_s())

    def now_ms(self) -> int:
        """The time that has surely passed. Call it now and then, so that a jump is noticed."""
        now_ms = self._time.look(self._clock.wall_ms(), self._clock.elapsed_s())
        if self._time.ahead_ms != self._reported_ms:
            self._reported_ms = self._time.ahead_ms
            if self._reported_ms:
                self._event_log.record(ClockDoubted(self._reported_ms))
        return now_ms

    def freeze(self) -> int:
        """What a snapshot keeps of it."""
        return self._time.freeze()


def evidence_of(frozen: object, newest_ms: int | None) -> int | None:
    """A time that is surely past at the start: what a snapshot kept, or the newest message's."""
    return frozen if isinstance(frozen, int) and frozen > 0 else newest_ms

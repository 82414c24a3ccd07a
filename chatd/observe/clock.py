"""The clocks of the system, read in this one place and passed to what needs the time.

Rules take the time as an argument; shells take a `Clock`. Spans of time are measured with
`trio.current_time`, which tests can hold still.
"""

import time


class Clock:
    """The system's clocks; `chatd.app` makes one, a test passes one that it sets itself."""

    __slots__ = ()

    def wall_ms(self) -> int:
        """Milliseconds since the epoch, the form that times have on the wire and in the log."""
        return time.time_ns() // 1_000_000

    def wall_s(self) -> float:
        """Seconds since the epoch, the form that tokens use for `exp` and `iat`."""
        return time.time()  # noqa: TID251 - the one home of the wall clock

    def elapsed_s(self) -> float:
        """Seconds on a clock that nobody sets, and that goes on while the machine sleeps, if the
        system has such a clock."""
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

    def worked_s(self) -> float:
        """Seconds that the caller's thread has had the processor; it never goes back."""
        return time.thread_time()

    def monotonic_us(self) -> int:
        """Microseconds on the clock that systemd compares notices by."""
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000

"""The wall clock, read in this one place.

Rules take the time as an argument; shells that need it on the wire or on disk ask here. Spans of
time are measured with `trio.current_time`, which tests can hold still.
"""

import time


def wall_ms() -> int:
    """Milliseconds since the epoch, the form that times have on the wire and in the log."""
    return time.time_ns() // 1_000_000


def wall_s() -> float:
    """Seconds since the epoch, the form that tokens use for `exp` and `iat`."""
    return time.time()  # noqa: TID251 - the one home of the wall clock


def elapsed_s() -> float:
    """Seconds on a clock that nobody sets, and which goes on while the machine sleeps, where the
    system has such a one."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


def worked_s() -> float:
    """Seconds that the thread of the caller has had the processor; it never goes back."""
    return time.thread_time()

"""Waking at a moment, to the microsecond: a timer of Linux behind a descriptor.

Trio and epoll wait in whole milliseconds, rounded up, and a generator that is a millisecond late
with each message would measure that. Whoever waits in an epoll waits for the descriptor, too.
Python has these timers from 3.13 on; the C library has them everywhere on Linux.
"""

import contextlib
import ctypes
import os
import time
from typing import Final

_ABSOLUTE: Final = 1  # TFD_TIMER_ABSTIME
_US_PER_S: Final = 1_000_000


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Timer:
    """A timer whose `descriptor` can be read once its moment has come."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        flags = os.O_NONBLOCK | os.O_CLOEXEC  # TFD_NONBLOCK and TFD_CLOEXEC are these
        self.descriptor: int = self._libc.timerfd_create(time.CLOCK_MONOTONIC, flags)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "the system has no timer to give")

    def set(self, at_us: int) -> None:
        """Set its moment to this microsecond of the monotonic clock, in place of any other."""
        value = _Timespec(at_us // _US_PER_S, at_us % _US_PER_S * 1000)
        when = _Itimerspec(_Timespec(0, 0), value)
        self._libc.timerfd_settime(self.descriptor, _ABSOLUTE, ctypes.byref(when), None)

    def clear(self) -> None:
        """Take note that its moment has come and is over."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.descriptor, 8)

    def close(self) -> None:
        os.close(self.descriptor)

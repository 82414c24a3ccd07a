"""Waking at a moment, to the microsecond: a timer of Linux behind a descriptor.

Trio and epoll wait in whole milliseconds, rounded up, and a generator that is a millisecond late
with each message would measure that. Python has these timers from 3.13 on; the C library has them
everywhere on Linux.
"""

import ctypes
import os
import time
from typing import Final

import trio

_ABSOLUTE: Final = 1  # TFD_TIMER_ABSTIME
_US_PER_S: Final = 1_000_000


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Timer:
    """A timer for one task at a time."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        flags = os.O_NONBLOCK | os.O_CLOEXEC  # TFD_NONBLOCK and TFD_CLOEXEC are these
        self._descriptor = self._libc.timerfd_create(time.CLOCK_MONOTONIC, flags)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "the system has no timer to give")

    async def until(self, at_us: int) -> None:
        """Return at this microsecond of the monotonic clock, or at once where it is over."""
        value = _Timespec(at_us // _US_PER_S, at_us % _US_PER_S * 1000)
        when = _Itimerspec(_Timespec(0, 0), value)
        self._libc.timerfd_settime(self._descriptor, _ABSOLUTE, ctypes.byref(when), None)
        await trio.lowlevel.wait_readable(self._descriptor)
        os.read(self._descriptor, 8)

    def close(self) -> None:
        os.close(self._descriptor)

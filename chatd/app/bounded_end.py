"""The end of the process by force, if it does not end by itself in time."""

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from chatd.app.listen import remove_sockets
from chatd.observe import DaemonStopped, EventLog

LAST_LINE_S = 0.5  # of the drain's time, for the last line of the log: a pipe may have no reader
REMOVAL_S = 0.1  # of it, for removing the files of sockets: the disk may hang
SHORT_S = 4.0  # a drain of less time than this keeps proportionally less
EXIT_UNCLEAN = 1
ECHO_S = 0.2
"""Seconds within which a second order to stop is an echo of the first: `timeout` and shells signal
a process and then its group, which is one order. A person who insists does so later."""


def part_of(bound_s: float) -> float:
    """The share of those times that a drain keeps for its end: a short one needs its time for
    draining."""
    return min(1.0, bound_s / SHORT_S)


class BoundedEnd:
    """The end of the process, in time whatever hangs: the disk, a peer, the event loop itself.

    The time runs from the signal, not from when a task notices it: a loop that is late, or stuck,
    must not stretch it. So a handler starts the clock; it runs between two bytecodes of the main
    thread, wherever that is, and leaves everything else to threads.
    """

    def __init__(
        self, bound_s: float, event_log: EventLog, socket_files: Sequence[Path] = ()
    ) -> None:
        """`bound_s` seconds after it began, the process is ended by force, the last line written
        and these socket files removed by then."""
        self._after_s = bound_s - part_of(bound_s) * (LAST_LINE_S + REMOVAL_S)
        self._event_log = event_log
        self._socket_files = socket_files
        self._began_s: float | None = None
        self._timer: threading.Timer | None = None
        self._claimed = threading.Lock()  # by whoever ends the process, and for good

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began."""
        return 0.0 if self._began_s is None else time.perf_counter() - self._began_s

    def begin(self) -> None:
        """Call in a handler: the time runs from now on."""
        if self._began_s is None:
            self._began_s = time.perf_counter()
            self._end_after(self._after_s)

    def now(self) -> None:
        """Call in a handler: end at once, unless the signal is the echo of the first one."""
        if self.elapsed_s > ECHO_S:
            self._end_after(0.0)

    def over(self) -> None:
        """Everything has ended by itself: nothing is ended by force any more. Does not return if
        that is already under way."""
        self._claimed.acquire()
        if self._timer is not None:
            self._timer.cancel()

    def _end_after(self, after_s: float) -> None:
        self._timer = threading.Timer(after_s, self._end_process)
        self._timer.daemon = True
        self._timer.start()

    def _end_process(self) -> None:
        """End now. The last line gets only a little time: a pipe without a reader takes nothing."""
        if not self._claimed.acquire(blocking=False):
            return
        remove_sockets(self._socket_files, REMOVAL_S)
        self._event_log.record(DaemonStopped(clean=False))
        self._event_log.settle(LAST_LINE_S)
        os._exit(EXIT_UNCLEAN)

"""What the process does about signals, from its first moment to its last.

Every signal that would kill it undrained is caught, except for faults:

    SIGTERM, SIGINT, SIGQUIT     drain; another one ends at once
    SIGXCPU, SIGPWR              drain: the kernel, or what holds the machine, is about to end it
    SIGHUP                       reloads the configuration; where the terminal that the daemon was
                                 started from is gone, drains: somebody has closed a window
    SIGUSR1                      writes the tasks into the log
    the other ones that kill     are noted in the log, and change nothing

They are caught by handlers, never ignored or blocked, since programs that the daemon starts would
inherit that. Faults, job control, signals that do nothing by themselves, and those that Python
ignores in every program and restores in the programs that it starts (SIGPIPE, SIGXFSZ) are left
alone.

Until the daemon serves, no client has been promised anything: a signal that drains ends the
process, cleanly and at once, from a separate thread, whatever the main thread waits for (a large
log, a slow disk, a FIFO). Once it serves, handlers start the clock of the end, in the main thread,
and wake the main task.

This module is imported before everything else, and imports next to nothing itself.
"""

import contextlib
import fcntl
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from types import FrameType

NOTED_MAX: Final = 16
"""Signals that change nothing and wait to be logged; beyond: the oldest are forgotten."""
STANDARD_STREAMS: Final = 3
"""Lower descriptors are not ours to use, even if a launcher has closed them."""
EXIT_STOPPED: Final = 0

# Signals of a person or a service manager: a second one does not wait for the drain.
INSISTENT: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})
DRAINS: Final = INSISTENT | {signal.SIGXCPU, signal.SIGPWR}
WISHES: Final = frozenset({signal.SIGHUP, signal.SIGUSR1})
"""Signals that ask the daemon for something, and end nothing."""
TERMINAL: Final = "/dev/tty"  # the one that controls this process, if any
LEFT_ALONE: Final = frozenset(
    {
        *(signal.SIGKILL, signal.SIGSTOP),  # they cannot be caught
        *(signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL),
        *(signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS),
        *(signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCONT),
        *(signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH),
        *(signal.SIGPIPE, signal.SIGXFSZ),
    }
)


class ProcessEnd(Protocol):
    """The end of the process, in time."""

    def begin(self) -> None:
        """Start its time: it has to end within that."""
        ...

    def now(self) -> None:
        """End it at once, unless it has just begun to end."""
        ...


class Signals:
    """The signals of this process; made once, in its main thread."""

    def __init__(self) -> None:
        """Catch them from now on."""
        self._on_early_stop: Callable[[str], None] = _complain
        self._end: ProcessEnd | None = None
        self._stopped_by: int | None = None
        self._insisted = False
        self._noted: deque[int] = deque(maxlen=NOTED_MAX)
        self._wished: set[int] = set()
        self._wake: Callable[[], None] = _wake_nothing
        self._passing = threading.Lock()  # held while the process passes from starting to serving
        self._is_starting = True
        self._draining = frozenset(filter(_drains, DRAINS))
        self._has_terminal = _drains(signal.SIGHUP) and _has_terminal()
        # Signals that the launcher has blocked would never come, and would be blocked in our
        # programs too.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        reading, self._writing = _pipe()
        for number in signal.valid_signals() - LEFT_ALONE:
            signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        threading.Thread(
            target=self._watch_the_start, args=[reading], name="chatd-signals", daemon=True
        ).start()

    def on_early_stop(self, notify: Callable[[str], None]) -> None:
        """Have `notify` called in a thread, with the name of the signal, before a signal ends the
        process while it starts. Until this is called, only a line is written."""
        self._on_early_stop = notify

    def begin_serving(self, end: ProcessEnd) -> None:
        """From now on the main task carries out a stop; `end` makes sure that it does so in
        time."""
        with self._passing:
            self._is_starting = False
        signal.set_wakeup_fd(-1)
        os.close(self._writing)
        self._end = end
        if self._stopped_by is not None:
            end.begin()

    @contextlib.contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Have handlers call `wake`, while the block runs, when `noted`, `wishes` or `stopped_by`
        has news."""
        self._wake = wake
        try:
            yield
        finally:
            self._wake = _wake_nothing

    def noted(self) -> list[str]:
        """The names of the signals that came and changed nothing; each is given once."""
        return [_name(self._noted.popleft()) for _ in range(len(self._noted))]

    def wishes(self, number: signal.Signals) -> bool:
        """Whether this one of `WISHES` came since the last call; several count as one."""
        if number not in self._wished:
            return False
        self._wished.remove(number)
        return True

    @property
    def stopped_by(self) -> str | None:
        """The name of the signal that was the first to end the daemon."""
        return None if self._stopped_by is None else _name(self._stopped_by)

    def _on_signal(self, number: int, _frame: "FrameType | None") -> None:
        if self._ends(number):
            self._drain(number)
        elif number in WISHES:
            self._wished.add(number)
        else:
            self._noted.append(number)
        self._wake()

    def _ends(self, number: int) -> bool:
        """Whether a signal drains the daemon. A hang-up does if a terminal is gone that was there
        at first."""
        if number == signal.SIGHUP:
            return self._has_terminal and not _has_terminal()
        return number in self._draining

    def _drain(self, number: int) -> None:
        is_first, is_insistent = self._stopped_by is None, number in INSISTENT
        if is_first:
            self._stopped_by = number
        if self._end is not None:
            if is_first:
                self._end.begin()
            elif is_insistent and self._insisted:
                self._end.now()
        self._insisted = self._insisted or is_insistent

    def _watch_the_start(self, reading: int) -> None:
        """Python's handlers wait for the main thread; this one hears of a signal at once."""
        while numbers := os.read(reading, 64):
            for number in numbers:
                if self._ends(number):
                    with self._passing:
                        if self._is_starting:
                            self._stop_early(number)
        os.close(reading)

    def _stop_early(self, number: int) -> None:
        try:
            self._on_early_stop(_name(number))
        finally:
            os._exit(EXIT_STOPPED)


def _drains(number: int) -> bool:
    """Whether a signal drains. One that a launcher has ignored (`nohup`, or a shell for its
    background jobs) does not, unless it is a plain order to stop."""
    is_ignored = signal.getsignal(number) is signal.SIG_IGN
    return not is_ignored or number in (signal.SIGTERM, signal.SIGINT)


def _has_terminal() -> bool:
    """Whether a terminal controls this process; a terminal that was closed no longer does."""
    try:
        os.close(os.open(TERMINAL, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def _pipe() -> tuple[int, int]:
    """A pipe above the standard streams, whose writing end never waits."""
    low = os.pipe()
    reading, writing = (fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, STANDARD_STREAMS) for one in low)
    for one in low:
        os.close(one)
    os.set_blocking(writing, False)
    return reading, writing


def _wake_nothing() -> None:
    """The wake-up while no task waits."""


def _complain(name: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"chatd: {name} came before the daemon was ready, and ended it.\n".encode())


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name of their own
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"

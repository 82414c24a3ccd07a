"""How a call in one thread is stopped from another.

A database may forget an interrupt that comes between two statements, and heeds none during some
long steps. So there is an interrupt, and also a flag, which the thread looks at now and then.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Interrupted(Exception):
    """The call was stopped; nothing of it runs on."""


class Interrupt:
    """Stops one call, from any thread, before or while it runs.

    The call sets `has_written` where what it wrote stands, or may: a stop comes too late then.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interrupt: Callable[[], None] | None = None
        self.is_stopped = False
        self.has_written = False

    def stop(self) -> None:
        """Have the call end. It may block as long as the connection's own interrupt does."""
        with self._lock:
            self.is_stopped = True
            if self._interrupt is not None:
                self._interrupt()

    @contextmanager
    def reaching(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """While the block runs, a stop calls `interrupt`, which ends what a connection runs. Raises
        `Interrupted` if there was a stop already, which found nothing to end."""
        with self._lock:
            self.check()
            self._interrupt = interrupt
        try:
            yield
        finally:
            with self._lock:
                self._interrupt = None

    @contextmanager
    def ending(self, errors: type[Exception]) -> Iterator[None]:
        """Raise an error of the block that a stop has caused as `Interrupted`."""
        try:
            yield
        except errors:
            self.check()
            raise

    def check(self) -> None:
        """Raise `Interrupted` if the call has to end."""
        if self.is_stopped:
            raise Interrupted

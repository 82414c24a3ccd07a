"""How a call in one thread is stopped from another.

SQLite forgets an interrupt that comes between two statements, and calls no handler during some long
steps. So there is a flag, which the thread looks at now and then, and an interrupt as well.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupted(Exception):
    """The call was stopped; nothing of it runs on."""


class Interrupt:
    """Stops one call, from any thread, before or while it runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self.is_stopped = False

    def stop(self) -> None:
        """Have the call end."""
        with self._lock:
            self.is_stopped = True
            if self._connection is not None:
                self._connection.interrupt()

    @contextmanager
    def reaching(self, connection: sqlite3.Connection) -> Iterator[None]:
        """While the block runs, a stop interrupts what runs on `connection`."""
        with self._lock:
            self._connection = connection
        try:
            yield
        finally:
            with self._lock:
                self._connection = None

    def check(self) -> None:
        """Raise `Interrupted` where the call is to end."""
        if self.is_stopped:
            raise Interrupted

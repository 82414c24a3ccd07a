"""Threads that read the log beside its writer, on connections that only read.

Each question is answered from one view of the log. Damage that is met is reported to a `Witness`.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import trio

from chatd.chat.commits import StoreClosed, StoreReadFailed
from chatd.store.connections import connect_to_read
from chatd.store.damage import WRONG_VALUE, Damaged, is_corrupt, words_of
from chatd.store.errors import StoreDisplaced
from chatd.store.open_files import OpenFiles

_T = TypeVar("_T")
_P = ParamSpec("_P")


class Witness(Protocol):
    """Is told of damage, in the task whose read met it."""

    def damaged(self, row: Damaged) -> None:
        """A row was skipped: what it said is lost."""
        ...

    def read_failed(self, failure: StoreReadFailed) -> None:
        """A read failed."""
        ...


class ReaderPool:
    """Answers questions about the log, at most as many at once as it has threads.

    The threads cannot be stopped, so a cancelled question still waits for its end; each is short.
    `witness` may be set at any time.
    """

    def __init__(self, path: Path, threads: int, files: OpenFiles | None = None) -> None:
        """`files` make sure that a new connection is to the log that is open, and to no other."""
        self.witness: Witness | None = None
        self._path = path
        self._files = files
        self._limiter = trio.CapacityLimiter(threads)
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    def close(self) -> None:
        """Close the idle connections; the others are closed when they come back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    async def read(
        self,
        question: Callable[Concatenate[sqlite3.Connection, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """Ask `question` in a thread, in one view of the log, on a connection that only reads; its
        other arguments follow.

        What it raises at a value of a wrong form is damage of the log. Raises `StoreReadFailed`.
        """
        if self._closed:
            raise StoreClosed("The readers of the log are closed.")

        def ask() -> _T:
            connection = self._acquire()
            try:
                connection.execute("BEGIN")
                answer = question(connection, *args, **kwargs)
            except BaseException:
                connection.close()  # whatever state it is in: a new one costs little
                raise
            try:
                connection.execute("COMMIT")
            except sqlite3.Error:  # damage that was passed over is raised once more
                connection.close()
            else:
                self._release(connection)
            return answer

        try:
            return await trio.to_thread.run_sync(
                ask, limiter=self._limiter, abandon_on_cancel=False
            )
        except (UnicodeEncodeError, OverflowError):
            raise  # from the arguments: reading raises no such error
        except (sqlite3.Error, *WRONG_VALUE, StoreDisplaced) as error:
            words = str(error) if isinstance(error, StoreDisplaced) else words_of(error)
            is_damage = is_corrupt(error) or isinstance(error, WRONG_VALUE)
            failure = StoreReadFailed(f"The log could not be read: {words}.", is_damage=is_damage)
            if self.witness is not None:
                self.witness.read_failed(failure)
            raise failure from error

    def _acquire(self) -> sqlite3.Connection:
        # In several threads at once: `pop` and `append` of a list are atomic.
        try:
            return self._idle.pop()
        except IndexError:
            pass
        if self._files is not None:
            self._files.require()
        return connect_to_read(self._path)

    def _release(self, connection: sqlite3.Connection) -> None:
        self._idle.append(connection)
        if self._closed:
            self.close()

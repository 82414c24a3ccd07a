"""The writer of the log as a child of a supervisor: started again, it is a new writer.

Callers hold the service, and do not see which writer it uses. No second writer starts while one
hangs in the disk: the restart fails, and the supervisor gives up (docs/architecture, "Store").
"""

import contextlib
import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import trio

from chatd.actors.log_keeper import LogKeeper
from chatd.chat.commits import CommitFailed, CommitOutcome, StoreClosed
from chatd.chat.records import Record
from chatd.store import LogWriter, Store
from chatd.store.audit import remove_old
from chatd.store.pending_work import PendingWork
from chatd.store.retention import Surplus

_T = TypeVar("_T")

RESTART_S = 5.0  # a writer has so long to finish what is queued, before another is started
REWRITE_S = 3_600.0  # writing the log anew is expected to take no longer


class LogService(LogKeeper):
    """Commits records and runs jobs over the log, through whichever writer there is."""

    def __init__(
        self,
        store: Store,
        committed: Callable[[float], None] = lambda _took_s: None,
        synced: Callable[[float], None] = lambda _took_s: None,
    ) -> None:
        """`committed` gets the seconds that each commit took; `synced`, called in the writer's
        thread, the part of them that the disk took."""
        self._store = store
        self._committed = committed
        self._synced = synced
        self._writer: LogWriter | None = None
        self._is_closed = False
        self.is_failing = False  # the disk did not take the last of what it was given
        self.displaced: str | None = None  # which file of the log is not where it was
        self._pending = PendingWork()
        self._rewriting_since_s = -math.inf

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep a writer until cancelled. Raises StoreClosed if it ended by itself."""
        writer = self._store.start_writer(trio.lowlevel.current_trio_token(), self._synced)
        self._writer = writer
        task_status.started()
        try:
            await writer.ended()
            if self._is_closed:
                await trio.sleep_forever()  # no other writer is to be started
            raise StoreClosed("The writer of the log ended by itself.")
        finally:
            await writer.close(RESTART_S)

    async def commit(self, records: Sequence[Record]) -> CommitOutcome:
        """As `LogWriter.commit`."""
        began_s = trio.current_time()
        try:
            with self._pending.asking():
                outcome = await self._current().commit(records)
        except CommitFailed as failure:
            self._failed(failure)
            raise
        self.is_failing = False
        self.displaced = None
        self._committed(trio.current_time() - began_s)
        return outcome

    async def maintain(self, job: Callable[[sqlite3.Connection], _T]) -> _T:
        """As `LogWriter.maintain`."""
        with self._noting_displacement():
            return await self._current().maintain(job)

    async def rewrite(self) -> None:
        """As `LogWriter.rewrite`."""
        self._rewriting_since_s = trio.current_time()
        try:
            with self._noting_displacement():
                await self._current().rewrite()
        finally:
            self._rewriting_since_s = -math.inf

    async def remove(self, surplus: Sequence[Surplus]) -> int:
        """As `LogWriter.remove`."""
        with self._noting_displacement():
            return await self._current().remove(surplus)

    async def remove_old_audit(self, before_ms: int, most: int) -> int:
        """As `LogKeeper.remove_old_audit`."""
        return await self.maintain(partial(remove_old, before_ms=before_ms, most=most))

    async def index_until(self, until_s: float) -> None:
        """As `LogWriter.index_until`."""
        with self._noting_displacement():
            await self._current().index_until(until_s)

    async def index_older_until(self, until_s: float) -> int:
        """As `LogWriter.index_older_until`."""
        with self._noting_displacement():
            return await self._current().index_older_until(until_s)

    def waits_s(self, now_s: float) -> float:
        """For how many seconds the writer has been at the first thing that was asked of it; 0 if
        nothing was. It does one thing after the other."""
        return self._pending.waits_s(now_s)

    @property
    def is_rewriting(self) -> bool:
        """Whether everything waits for the log to be written anew, which takes longer the larger it
        is."""
        return trio.current_time() - self._rewriting_since_s < REWRITE_S

    async def close(self, timeout_s: float) -> bool:
        """As `LogWriter.close`; nothing is committed after that."""
        self._is_closed = True
        return self._writer is None or await self._writer.close(timeout_s)

    @contextlib.contextmanager
    def _noting_displacement(self) -> Iterator[None]:
        try:
            with self._pending.asking():
                yield
        except CommitFailed as failure:
            if failure.is_displaced:
                self._failed(failure)
            raise

    def _failed(self, failure: CommitFailed) -> None:
        self.is_failing = True
        self.displaced = failure.what if failure.is_displaced else None

    def _current(self) -> LogWriter:
        if self._writer is None:
            raise StoreClosed("The writer of the log was not started.")
        return self._writer

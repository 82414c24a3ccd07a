"""The log for Trio: one OS thread of our own, and tasks that wait for what it says.

A queue into a thread that stands ready, and one `run_sync_soon` back, cost half to three quarters
of a hop through `trio.to_thread` (measured), and are paid once for a whole group of requests.

**Group commit**: what is queued while a commit runs goes into the next transaction together.
**No cancel**: a task that waits for its commit cannot be cancelled, as the result must be known. So
a disk that hangs holds these tasks; only the end of the process helps (DESIGN, "Store").
"""

import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import outcome
import trio

from chatd.chat.records import Record
from chatd.store.errors import CommitFailed, FailureCode, RecordRefused, StoreClosed
from chatd.store.log import CommitOutcome, Request

# Records in one transaction, at which a group is closed: bounds how long the first one waits for
# the last. A single request may be larger.
MAX_GROUP_RECORDS = 4_096


# Commits begin so many seconds apart, at least. The first after a quiet moment begins at once;
# under load, what comes meanwhile is decided and committed together, and shares the sync of the
# disk, the hop between threads and a round of writes to sockets. (A timer of Trio's for the same
# costs more than half of what the sharing saves; a thread sleeps for nothing.)
COMMIT_WINDOW_S = 0.010


class WritesLog(Protocol):
    """The part of `Log` that the thread uses."""

    def commit(self, requests: Sequence[Request]) -> list[CommitOutcome | RecordRefused]: ...

    def close(self) -> None: ...


class _Waiting:
    """A request and the task that is parked for it. Slots: one for every commit."""

    __slots__ = ("records", "task")

    def __init__(self, records: Request, task: trio.lowlevel.Task) -> None:
        self.records = records
        self.task = task


class LogWriter:
    """Commits records for tasks of one Trio run, through a thread that owns `log` from now on."""

    def __init__(
        self,
        log: WritesLog,
        token: trio.lowlevel.TrioToken,
        window_s: float = COMMIT_WINDOW_S,
    ) -> None:
        self._log = log
        self._token = token
        self._window_s = window_s
        self._requests: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._closing = False
        self._has_log = True
        self._ended = trio.Event()
        self._thread = threading.Thread(target=self._run, name="chatd-log", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread has the log, be it that it hangs: then no other may be started."""
        return self._has_log

    async def commit(self, records: Sequence[Record]) -> CommitOutcome:
        """Make `records` durable, all of them or none, and return what became of them.

        Cannot be cancelled: a task in a cancelled scope gets its result too, and meets the
        cancellation at its next checkpoint. Requests are committed in the order of the calls.

        Raises `CommitFailed` (the disk; worth a retry), `RecordRefused` (the records do not fit the
        log), `StoreClosed` after `close`.
        """
        if self._closing:
            raise StoreClosed("The writer of the log is closed.")
        self._requests.put(_Waiting(records, trio.lowlevel.current_task()))
        result: CommitOutcome = await trio.lowlevel.wait_task_rescheduled(_cannot_abort)
        return result

    async def close(self, timeout_s: float) -> bool:
        """End the thread after what is queued, and say whether it ended within `timeout_s`.

        False means that it hangs in the disk: its tasks stay parked, the log stays its own. Not
        cut short by a cancellation, which has the bound instead.
        """
        if not self._closing:
            self._closing = True
            self._requests.put(None)
        with trio.move_on_after(timeout_s, shield=True):
            await self._ended.wait()
        return self._ended.is_set()

    def _run(self) -> None:
        began_s = -math.inf
        try:
            while (first := self._requests.get()) is not None:
                time.sleep(max(0.0, began_s + self._window_s - time.perf_counter()))
                began_s = time.perf_counter()
                group = self._group_of(first)
                self._answer(group, self._results(group))
        finally:
            try:
                self._log.close()
            finally:
                self._has_log = False
                self._tell(self._ended.set)

    def _group_of(self, first: _Waiting) -> list[_Waiting]:
        """What is committed together: the first request, and what else is queued by now."""
        group = [first]
        room_left = MAX_GROUP_RECORDS - len(first.records)
        while room_left > 0:
            try:
                waiting = self._requests.get_nowait()
            except queue.Empty:
                break
            if waiting is None:
                self._requests.put(None)  # nothing comes after it: seen again after this group
                break
            group.append(waiting)
            room_left -= len(waiting.records)
        return group

    def _results(self, group: list[_Waiting]) -> list[outcome.Outcome[CommitOutcome]]:
        try:
            results = self._log.commit([waiting.records for waiting in group])
        except CommitFailed as failure:
            # One error for each: a traceback grows with every task that raises it.
            return [outcome.Error(_again(failure)) for _ in group]
        except Exception as error:  # a fault of ours: told to the callers, the thread lives on
            return [outcome.Error(_unexpected(error)) for _ in group]
        return [
            outcome.Error(result) if isinstance(result, RecordRefused) else outcome.Value(result)
            for result in results
        ]

    def _answer(self, group: list[_Waiting], results: list[outcome.Outcome[CommitOutcome]]) -> None:
        def wake() -> None:
            for waiting, result in zip(group, results, strict=True):
                trio.lowlevel.reschedule(waiting.task, result)

        self._tell(wake)

    def _tell(self, call: Callable[[], None]) -> None:
        with contextlib.suppress(trio.RunFinishedError):  # then nobody is left to be told
            self._token.run_sync_soon(call)


def _cannot_abort(_: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED


def _again(failure: CommitFailed) -> CommitFailed:
    copy = CommitFailed(failure.code, failure.what)
    copy.__cause__ = failure.__cause__
    return copy


def _unexpected(error: Exception) -> CommitFailed:
    failure = CommitFailed(FailureCode.STORAGE_ERROR, f"{type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure

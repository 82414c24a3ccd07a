"""The log for Trio: one OS thread of our own, and tasks that wait for what it says.

A queue into a thread that stands ready, and one `run_sync_soon` back, cost half to three quarters
of a hop through `trio.to_thread` (measured), and are paid once for a whole group of requests.

**Group commit**: what is queued while a commit runs goes into the next transaction together.
**Upkeep**: a job has a transaction of its own, between two groups, in the order of the calls.
**No cancel**: a task that waits for its commit cannot be cancelled, as the result must be known. So
a disk that hangs holds these tasks; only the end of the process helps.
**No task is left waiting**: if the thread ends by a fault, the tasks that wait for it get an error.
"""

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

import outcome
import trio

from chatd.chat.commits import CommitFailed, CommitOutcome, RecordRefused, StoreClosed
from chatd.chat.records import Record
from chatd.store.errors import FailedCommitFound
from chatd.store.log import Log, Request
from chatd.store.retention import Surplus, remove
from chatd.store.search_index import index_older, index_some
from chatd.wire.codes import Code

# Records in one transaction, at which a group is closed: bounds how long the first one waits for
# the last. A single request may be larger.
MAX_GROUP_RECORDS = 4_096

_T = TypeVar("_T")


class _Parked:
    """The task that is parked for something; None once it was woken. Slots: one for every commit.

    Looked at by Trio's thread alone.
    """

    __slots__ = ("task",)

    def __init__(self) -> None:
        self.task: trio.lowlevel.Task | None = trio.lowlevel.current_task()

    def wake(self, result: outcome.Outcome[Any]) -> None:
        if self.task is not None:
            task, self.task = self.task, None
            trio.lowlevel.reschedule(task, result)


class _Commit(_Parked):
    __slots__ = ("records",)

    def __init__(self, records: Request) -> None:
        super().__init__()
        self.records = records


class _Job(_Parked):
    __slots__ = ("job",)

    def __init__(self, job: Callable[[Log], object]) -> None:
        super().__init__()
        self.job = job


_Queued: TypeAlias = _Commit | _Job | None  # None: the end


class LogWriter:
    """Commits records for tasks of one Trio run, through a thread that owns `log` from now on."""

    def __init__(self, log: Log, token: trio.lowlevel.TrioToken) -> None:
        self._log = log
        self._token = token
        self._queue: queue.SimpleQueue[_Queued] = queue.SimpleQueue()
        self._put_back: list[_Queued] = []  # one at most: taken too early, and next in turn
        self._at_hand: Sequence[_Parked] = ()  # what the thread is at
        self._fault: BaseException | None = None  # that ended the thread
        self._closing = False
        self._has_log = True
        self._ended = trio.Event()
        self._thread = threading.Thread(target=self._run, name="chatd-log", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread still has the log: then no other may be started."""
        return self._has_log

    async def commit(self, records: Sequence[Record]) -> CommitOutcome:
        """Make `records` durable, all of them or none, and return what became of them.

        Cannot be cancelled: a task in a cancelled scope gets its result too, and meets the
        cancellation at its next checkpoint. Requests are committed in the order of the calls.

        Without records, it tests the disk, which is written to and synced.

        Raises `CommitFailed` (the disk; worth a retry), `RecordRefused` (the records do not fit the
        log), `StoreClosed` after `close`, or if the thread ended by a fault before this had its
        turn. The request that the thread was working on gets `CommitFailed`, although it may be in
        the log: this writer is gone, and the next one begins with what the log holds.
        """
        if self._closing:
            raise self._is_closed()
        self._queue.put(_Commit(records))
        result: CommitOutcome = await trio.lowlevel.wait_task_rescheduled(_cannot_abort)
        return result

    async def maintain(self, job: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run `job` in a transaction of its own, in its turn, and return what it returns.

        It runs in the writer's thread, and commits wait for it: keep it short, and call again for
        the rest. It neither begins nor ends a transaction. Cannot be cancelled, like a commit.

        Raises what the job raises, except that an error of the database is a `CommitFailed`;
        nothing of the job was written then. `StoreClosed` as for a commit.
        """
        return await self._have_done(lambda log: log.maintain(job))

    async def rewrite(self) -> None:
        """As `Log.rewrite`, in its turn. Cannot be cancelled."""
        await self._have_done(Log.rewrite)

    async def _have_done(self, job: Callable[[Log], _T]) -> _T:
        if self._closing:
            raise self._is_closed()
        self._queue.put(_Job(job))
        result: _T = await trio.lowlevel.wait_task_rescheduled(_cannot_abort)
        return result

    async def remove(self, surplus: Sequence[Surplus]) -> int:
        """Remove messages as `maintain` does a job; returns how many there were."""
        return await self.maintain(partial(remove, surplus=surplus))

    async def index_until(self, until_s: float) -> None:
        """Bring the index of the search forward, until it is up to date or `trio.current_time` is
        `until_s`. Raises as `maintain` does."""
        while trio.current_time() < until_s and await self.maintain(index_some) > 0:
            pass

    async def index_older_until(self, until_s: float) -> int:
        """Index what a renewed index lacks, until it lacks nothing or `trio.current_time` is
        `until_s`; returns how many messages that was. Raises as `maintain` does."""
        indexed = 0
        while trio.current_time() < until_s and (some := await self.maintain(index_older)):
            indexed += some
        return indexed

    async def ended(self) -> None:
        """Wait until the thread has ended; raises `StoreClosed` if it ended by a fault."""
        await self._ended.wait()
        if self._fault is not None:
            raise self._is_closed()

    async def close(self, timeout_s: float) -> bool:
        """End the thread after what is queued, and say whether it ended within `timeout_s`.

        False means that it hangs in the disk: its tasks stay parked, the log stays its own. Not
        cut short by a cancellation, which has the bound instead.
        """
        if not self._closing:
            self._closing = True
            self._queue.put(None)
        with trio.move_on_after(timeout_s, shield=True):
            await self._ended.wait()
        return self._ended.is_set()

    def _run(self) -> None:
        try:
            try:
                self._serve()
            finally:
                self._log.close()
        except BaseException as fault:  # nothing is above the thread: `_end` wakes its tasks
            self._fault = fault
        finally:
            self._has_log = False
            self._call_in_trio(self._end)

    def _serve(self) -> None:
        while (first := self._take()) is not None:
            self._at_hand = [first]
            if isinstance(first, _Job):
                self._answer([first], [self._result(first)])
                continue
            group = self._group_of(first)
            self._answer(group, self._results(group))

    def _take(self) -> _Queued:
        return self._put_back.pop() if self._put_back else self._queue.get()

    def _group_of(self, first: _Commit) -> list[_Commit]:
        """What is committed together: the first request, and whatever else is queued by now."""
        self._at_hand = group = [first]
        room_left = MAX_GROUP_RECORDS - len(first.records)
        while room_left > 0:
            try:
                asked = self._queue.get_nowait()
            except queue.Empty:
                break
            if not isinstance(asked, _Commit):
                self._put_back.append(asked)
                break
            group.append(asked)
            room_left -= len(asked.records)
        return group

    def _results(self, group: list[_Commit]) -> list[outcome.Outcome[CommitOutcome]]:
        try:
            results = self._log.commit([commit.records for commit in group])
        except CommitFailed as failure:
            # One error for each: a traceback grows with every task that raises it.
            return [outcome.Error(_again(failure)) for _ in group]
        except FailedCommitFound:
            raise  # it ends the thread: the actor begins again with what the log holds
        except Exception as error:  # a fault of ours: the callers get it, the thread lives on
            return [outcome.Error(_unexpected(error)) for _ in group]
        return [
            outcome.Error(result) if isinstance(result, RecordRefused) else outcome.Value(result)
            for result in results
        ]

    def _result(self, job: _Job) -> outcome.Outcome[object]:
        try:
            return outcome.Value(job.job(self._log))
        except FailedCommitFound:
            raise
        except Exception as error:
            return outcome.Error(error)

    def _answer(self, parked: Sequence[_Parked], results: Sequence[outcome.Outcome[Any]]) -> None:
        answers = list(zip(parked, results, strict=True))

        def wake() -> None:
            for one, result in answers:
                one.wake(result)

        self._call_in_trio(wake)
        self._at_hand = ()

    def _end(self) -> None:
        """The last call of the thread, on Trio's: no task is parked for it from here on."""
        self._closing = True
        if self._fault is not None:
            for parked in self._at_hand:
                parked.wake(outcome.Error(_unexpected(self._fault)))
        while self._put_back or not self._queue.empty():
            asked = self._take()
            if asked is not None:
                asked.wake(outcome.Error(self._is_closed()))
        self._ended.set()

    def _is_closed(self) -> StoreClosed:
        if self._fault is None:
            return StoreClosed("The writer of the log is closed.")
        closed = StoreClosed("The writer of the log ended by a fault.")
        closed.__cause__ = self._fault
        return closed

    def _call_in_trio(self, call: Callable[[], None]) -> None:
        with contextlib.suppress(trio.RunFinishedError):  # then no task is left
            self._token.run_sync_soon(call)


def _cannot_abort(_: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED


def _again(failure: CommitFailed) -> CommitFailed:
    copy = CommitFailed(failure.code, failure.what, is_displaced=failure.is_displaced)
    copy.__cause__ = failure.__cause__
    return copy


def _unexpected(error: BaseException) -> CommitFailed:
    failure = CommitFailed(Code.STORAGE_ERROR, f"the writer met {type(error).__name__}")
    failure.__cause__ = error
    return failure

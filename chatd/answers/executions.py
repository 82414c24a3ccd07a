"""Requests at work: equal ones are carried out once, for all answers that want them.

An answer attaches to an execution, and is given what came so far and all that comes. An answer that
is cancelled, or out of time, detaches; if no other is attached, the execution is stopped. The
database gets more time than one answer has, for the answers that join late. Results of requests
that only read are cached (docs/answers, "Questions").
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeAlias

import attrs
import trio

from chatd.answers.active import ActiveAnswer
from chatd.answers.answer import AnswerState
from chatd.answers.cache import Cache, CachedResult
from chatd.answers.requests import Answered, Database, DatabaseFailed, Request, Stopped, Terms
from chatd.answers.table import Column, Row
from chatd.observe import EventLog, InternalError
from chatd.wire.codes import Code

TIMES = 2  # as long as an answer may take, an execution may: others join it on its way
STOP_S = 2.0  # for a database to stop what it was told to stop; then it is left alone

Key: TypeAlias = tuple[str, Request, Terms]
"""The connectionId, what is asked, and on what terms."""


class Execution:
    """One request at work. It is a `WatchingSink`; `outcome` is there once `ended` is set.

    `terms` are the terms of one answer. `tell_runs_on` is told the user who began it, and until
    when it runs on after it was given up.
    """

    def __init__(
        self, request: Request, terms: Terms, tell_runs_on: Callable[[str, trio.Event], None]
    ) -> None:
        self._tell_runs_on = tell_runs_on
        self._begun_by: str | None = None
        self.request = request
        self.terms = terms
        self.outcome: Answered | Stopped | DatabaseFailed
        self.ended = trio.Event()
        self.stop = trio.Event()
        self.came_columns: tuple[Column, ...] | None = None
        self.came_rows: list[Row] = []
        self._timeout_s = TIMES * terms.timeout_s
        self._until_s = trio.current_time() + self._timeout_s
        self._is_running = False
        self._listeners: dict[ActiveAnswer, None] = {}

    def may_be_joined(self, until_s: float) -> bool:
        """Whether it can go on for an answer that has time until then."""
        return not self.stop.is_set() and until_s <= self._until_s

    @property
    def is_out_of_time(self) -> bool:
        """Whether the database gave it up because it took too long."""
        return (
            self.ended.is_set()
            and isinstance(self.outcome, DatabaseFailed)
            and self.outcome.code is Code.DB_TIMEOUT
        )

    def attach(self, listener: ActiveAnswer) -> None:
        """Give the listener what came, and from now on what comes."""
        self._begun_by = self._begun_by or listener.of.user_id
        self._listeners[listener] = None
        if self._is_running:
            listener.status(AnswerState.RUNNING)
        if self.came_columns is not None:
            listener.columns(self.came_columns)
        if self.came_rows:
            listener.rows(list(self.came_rows))

    def detach(self, listener: ActiveAnswer) -> bool:
        """The listener wants nothing more. If others listen, it gets nothing more. If none does,
        the execution is stopped, the listener gets what still comes, and this returns True."""
        if self._listeners.keys() == {listener}:
            self.stop.set()
            return True
        del self._listeners[listener]
        return False

    def columns(self, columns: Sequence[Column]) -> None:
        self.came_columns = tuple(columns)
        for listener in list(self._listeners):
            listener.columns(self.came_columns)

    def rows(self, rows: Sequence[Row]) -> None:
        self.came_rows += rows
        for listener in list(self._listeners):
            listener.rows(rows)

    def runs_on(self, ended: trio.Event) -> None:
        if self._begun_by is not None:
            self._tell_runs_on(self._begun_by, ended)

    async def carry_out(self, database: Database, event_log: EventLog) -> None:
        """Ask the database, until it has answered, failed or was stopped; never raises."""
        self.outcome = Stopped(is_confirmed=False)
        if not database.is_starting:
            self._runs()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._give_up, nursery.cancel_scope)
                if database.is_starting:
                    nursery.start_soon(self._run_once_started, database)
                terms = attrs.evolve(self.terms, timeout_s=self._timeout_s)
                try:
                    self.outcome = await database.ask(self.request, terms, self, self.stop)
                except DatabaseFailed as failed:
                    self.outcome = failed
                nursery.cancel_scope.cancel()
        except* Exception as error:
            event_log.record(InternalError.of("database", error))
            self.outcome = DatabaseFailed(Code.DB_ERROR)
        finally:
            self.ended.set()
            for listener in list(self._listeners):
                listener.over()

    def _runs(self) -> None:
        self._is_running = True
        for listener in list(self._listeners):
            listener.status(AnswerState.RUNNING)

    async def _run_once_started(self, database: Database) -> None:
        await database.started()
        self._runs()

    async def _give_up(self, scope: trio.CancelScope) -> None:
        """Stop waiting for a database that does not stop when it is told to."""
        await self.stop.wait()
        await trio.sleep(STOP_S)
        scope.cancel()


class Executions:
    """The executions that further answers may join, and the results that are kept. `tell_written`
    is called once a room may have been written to; `tell_runs_on` if a statement runs on after it
    was given up, with the user who began it, the room, and the event of its end."""

    def __init__(self, cache: Cache, event_log: EventLog) -> None:
        self.tell_written: Callable[[str], None] = lambda _connection_id: None
        self.tell_runs_on: Callable[[str, str, trio.Event], None] = lambda *_: None
        self._cache = cache
        self._event_log = event_log
        self._joinable: dict[Key, Execution] = {}
        self._writes: Counter[str] = Counter()  # by room, so far

    def forget_results(self) -> None:
        """Forget all results."""
        self._cache.clear()

    def clear(self) -> None:
        """Forget all executions: none of them goes on."""
        self._joinable.clear()

    def writes(self, connection_id: str) -> int:
        """How often a room was written to so far: results read before the last time are out of
        date."""
        return self._writes[connection_id]

    def cached(self, key: Key) -> CachedResult | None:
        """The result of an equal request a short time ago."""
        connection_id, _, terms = key
        return self._cache.get(connection_id, key, trio.current_time()) if terms.read_only else None

    def joinable(self, key: Key, until_s: float) -> Execution | None:
        """The execution of an equal request that can go on until then."""
        execution = self._joinable.get(key)
        return execution if execution is not None and execution.may_be_joined(until_s) else None

    def begin(
        self, nursery: trio.Nursery, key: Key, database: Database, free: Callable[[], None]
    ) -> Execution:
        """Have a request carried out; `free` is called when the database is done with it."""
        connection_id, request, terms = key

        def tell_runs_on(user_id: str, ended: trio.Event) -> None:
            self.tell_runs_on(user_id, connection_id, ended)

        execution = Execution(request, terms, tell_runs_on)
        if terms.read_only:
            self._joinable[key] = execution
        nursery.start_soon(self._carry_out, execution, key, database, free)
        return execution

    async def _carry_out(
        self, execution: Execution, key: Key, database: Database, free: Callable[[], None]
    ) -> None:
        connection_id = key[0]
        writes = self._writes[connection_id]
        try:
            await execution.carry_out(database, self._event_log)
        finally:
            free()
            if self._joinable.get(key) is execution:
                del self._joinable[key]
        if not execution.terms.read_only:
            self.forget(connection_id)
            self.tell_written(connection_id)
            return
        is_fresh = self._writes[connection_id] == writes
        outcome, columns = execution.outcome, execution.came_columns
        if is_fresh and isinstance(outcome, Answered) and columns is not None:
            self._cache.put(
                connection_id,
                key,
                columns,
                execution.came_rows,
                cut=outcome.cut,
                now_s=trio.current_time(),
            )

    def forget(self, connection_id: str) -> None:
        """Drop all results of a room that was written to, or has another database now, including
        those that are still being read."""
        self._writes[connection_id] += 1
        self._cache.forget_room(connection_id)
        for key in [key for key in self._joinable if key[0] == connection_id]:
            del self._joinable[key]

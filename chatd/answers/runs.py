"""Requests under way: equal ones are carried out once, for all who asked (SPEC 6, "Cache").

Whoever asks attaches to a run, and is given what came so far and all that comes. Whoever is
cancelled, or out of time, detaches; where nobody else is attached, the run is stopped. So it goes
on for as long as anybody has time left, and the database is told to allow for those who come late.
"""

from collections.abc import Sequence
from typing import Protocol

import attrs
import trio

from chatd.answers.requests import Answered, Database, DatabaseFailed, Request, Stopped, Terms
from chatd.answers.table import Column, Row
from chatd.observe import EventLog, InternalError
from chatd.wire.codes import EXPLANATIONS, Code

TIMES = 2  # as long as an answer may take is what a run may: others join it on its way
STOP_S = 2.0  # that a database has to stop what it was told to stop; then it is left alone


class Listener(Protocol):
    """An answer that grows."""

    def running(self) -> None:
        """The database is at it."""
        ...

    def columns(self, columns: Sequence[Column]) -> None:
        """As `Sink.columns`."""
        ...

    def rows(self, rows: Sequence[Row]) -> None:
        """As `Sink.rows`."""
        ...

    def over(self) -> None:
        """Nothing more comes."""
        ...


class Run:
    """One request on its way. A `Sink`; `outcome` is there once `ended` is set.

    `terms` are those of one answer.
    """

    def __init__(self, request: Request, terms: Terms) -> None:
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
        self._listeners: dict[Listener, None] = {}

    def may_be_joined(self, until_s: float) -> bool:
        """Whether it can go on for somebody who has time until then."""
        return not self.stop.is_set() and until_s <= self._until_s

    @property
    def is_out_of_time(self) -> bool:
        """Whether the database gave it up, as it took too long."""
        return (
            self.ended.is_set()
            and isinstance(self.outcome, DatabaseFailed)
            and self.outcome.code is Code.DB_TIMEOUT
        )

    def attach(self, listener: Listener) -> None:
        """Tell the listener what came, and from now on what comes."""
        self._listeners[listener] = None
        if self._is_running:
            listener.running()
        if self.came_columns is not None:
            listener.columns(self.came_columns)
        if self.came_rows:
            listener.rows(list(self.came_rows))

    def detach(self, listener: Listener) -> bool:
        """The listener wants nothing more. Where others do, it is told nothing more; where nobody
        does, the run is stopped, and the listener is told what still comes: then it is True."""
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

    async def carry_out(self, database: Database, event_log: EventLog) -> None:
        """Ask the database, until it has answered, failed or was stopped; never raises."""
        self._is_running = True
        for listener in list(self._listeners):
            listener.running()
        self.outcome = Stopped(is_confirmed=False)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._give_up, nursery.cancel_scope)
                terms = attrs.evolve(self.terms, timeout_s=self._timeout_s)
                self.outcome = await database.ask(self.request, terms, self, self.stop)
                nursery.cancel_scope.cancel()
        except* DatabaseFailed as failed:
            self.outcome = _first(failed)
        except* Exception as error:
            event_log.record(InternalError.of("database", error))
            self.outcome = DatabaseFailed(Code.DB_ERROR, EXPLANATIONS[Code.DB_ERROR].sentence)
        finally:
            self.ended.set()
            for listener in list(self._listeners):
                listener.over()

    async def _give_up(self, scope: trio.CancelScope) -> None:
        """A database that does not stop when it is told to is waited for no longer."""
        await self.stop.wait()
        await trio.sleep(STOP_S)
        scope.cancel()


def _first(group: BaseExceptionGroup[DatabaseFailed]) -> DatabaseFailed:
    one: BaseException = group
    while isinstance(one, BaseExceptionGroup):
        one = one.exceptions[0]
    assert isinstance(one, DatabaseFailed)
    return one

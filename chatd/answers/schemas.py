"""The schemas of databases for clients: read when somebody asks, kept for a short time.

One run reads a room's schema for everybody who asks meanwhile; once nobody waits any more, it is
stopped. It takes places as an answer does, those of the user who asked first. A run that fails is
not remembered: the next one who asks begins another.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, TypeAlias

import attrs
import trio

from chatd.answers.life import RETRY_BUSY_MS, STILL_STARTING, AnswerLife
from chatd.answers.requests import (
    Answered,
    Database,
    DatabaseFailed,
    DescribeTable,
    ListColumns,
    ListTables,
    Request,
    Sink,
    Terms,
)
from chatd.answers.schema import (
    BYTES_MAX,
    TABLES_MAX,
    ColumnRows,
    Schema,
    SchemaTables,
    TableRows,
)
from chatd.answers.slots import DATABASE, ROOM, USER
from chatd.observe import EventLog, InternalError
from chatd.wire.codes import Code, Refusal

KEPT_S: Final = 60.0
"""How long a schema is kept."""
KEPT_MAX: Final = 32
"""Schemas that are kept; the one that was read longest ago goes first."""
COLUMNS_MAX: Final = 10_000
"""Columns of all tables that are read; beyond: they are left out."""
DESCRIBED_MAX: Final = 100
"""Tables that are described one by one, if a db-mcp does not list all columns at once."""
TABLE_COLUMNS_MAX: Final = 1_000
"""Columns of such a table; beyond: they are left out."""
DESCRIBE_S: Final = 10.0
"""How long describing may take; the tables that are left then have no columns."""
TIMES_AS_ROWS: Final = 4
"""How many times the bytes of a schema its rows may have: each row names its table again."""

NO_DATABASE: Final = "No database answers in this room, so there is no schema."
_GONE: Final = (Code.DB_UNAVAILABLE, Code.DB_TIMEOUT, Code.DB_BUSY)

Outcome: TypeAlias = Schema | Refusal
Told: TypeAlias = Callable[[Outcome], None]


@attrs.define(eq=False)
class Run:
    """A schema that is being read, and what to call when that has ended."""

    connection_id: str
    told: dict["Wait", Told] = attrs.field(factory=dict)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)


@attrs.define(eq=False)
class Wait:
    """Somebody waits for a run."""

    run: Run

    def give_up(self) -> None:
        """Wait no longer; the run stops if nobody else waits for it."""
        self.run.told.pop(self, None)
        if not self.run.told:
            self.run.scope.cancel()


@attrs.frozen
class _Kept:
    schema: Schema
    until_s: float
    writes: int  # how often the room had been written to when it was read


class Schemas:
    """Reads the schemas of rooms; `run` is the life of a child of a supervisor."""

    def __init__(self, life: AnswerLife, event_log: EventLog) -> None:
        self._life = life
        self._event_log = event_log
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._runs: dict[str, Run] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Read what is asked for, until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None

    def known(self, connection_id: str) -> Outcome | None:
        """The schema of a room, if it was read a short time ago and nothing was written since; a
        refusal if the room has no database."""
        if connection_id not in self._life.databases:
            return Refusal(Code.NOT_FOUND, NO_DATABASE, path="connectionId")
        kept = self._kept.get(connection_id)
        if kept is None:
            return None
        writes = self._life.executions.writes(connection_id)
        if kept.until_s <= trio.current_time() or kept.writes != writes:
            del self._kept[connection_id]
            return None
        return kept.schema

    def read(self, user_id: str, connection_id: str, told: Told) -> Wait | Refusal:
        """Have the schema of a room with a database read, and `told` called with what comes of it,
        unless the wait is given up before."""
        if self._nursery is None:
            return Refusal(Code.DRAINING)
        run = self._runs.get(connection_id)
        if run is None or run.scope.cancel_called:
            run = self._runs[connection_id] = Run(connection_id)
            self._nursery.start_soon(self._carry_out, run, user_id)
        wait = Wait(run)
        run.told[wait] = told
        return wait

    async def _carry_out(self, run: Run, user_id: str) -> None:
        outcome: Outcome = Refusal(Code.DB_INTERRUPTED)
        try:
            with run.scope:
                outcome = await self._outcome(user_id, run.connection_id)
        except* Exception as error:
            self._event_log.record(InternalError.of("schema", error))
            outcome = Refusal(Code.INTERNAL)
        finally:
            if self._runs.get(run.connection_id) is run:
                del self._runs[run.connection_id]
            for told in list(run.told.values()):
                told(outcome)

    async def _outcome(self, user_id: str, connection_id: str) -> Outcome:
        life = self._life
        room, bounds = life.databases.get(connection_id), life.rules.bounds
        if room is None:  # it was there when the run was asked for
            return Refusal(Code.NOT_FOUND, NO_DATABASE, path="connectionId")
        database = room.database
        writes = life.executions.writes(connection_id)
        slots = [(USER, user_id), (ROOM, connection_id), (DATABASE, connection_id)]
        with trio.move_on_after(bounds.timeout_s):
            if not await life.slots.acquire_in_time(user_id, slots):
                return Refusal(Code.DB_BUSY, retry_after_ms=RETRY_BUSY_MS)
            try:
                schema = await _read(database, bounds.timeout_s)
            except DatabaseFailed as failed:
                return Refusal(failed.code, failed.sentence)
            finally:
                life.slots.release(user_id, slots)
            self._keep(connection_id, schema, writes)
            return schema
        return Refusal(Code.DB_TIMEOUT, STILL_STARTING if database.is_starting else None)

    def _keep(self, connection_id: str, schema: Schema, writes: int) -> None:
        self._kept.pop(connection_id, None)
        self._kept[connection_id] = _Kept(schema, trio.current_time() + KEPT_S, writes)
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)


async def _read(database: Database, timeout_s: float) -> Schema:
    """The schema of a database: all columns at once, or else table by table. Raises
    `DatabaseFailed`."""
    tables = SchemaTables()
    terms = Terms(max_rows=COLUMNS_MAX, max_bytes=TIMES_AS_ROWS * BYTES_MAX, timeout_s=timeout_s)
    try:
        await _ask(database, ListColumns(), terms, tables, TableRows(tables))
    except DatabaseFailed as failed:
        if failed.code in _GONE:
            raise
        tables = SchemaTables()  # it has no tool for that, or not for such tables
        terms = attrs.evolve(terms, max_rows=TABLES_MAX)
        await _ask(database, ListTables(), terms, tables, TableRows(tables))
        await _describe(database, terms, tables)
    return tables.finished()


async def _describe(database: Database, terms: Terms, tables: SchemaTables) -> None:
    """Find the columns of tables, as far as there is time; the others have none."""
    terms = attrs.evolve(terms, max_rows=TABLE_COLUMNS_MAX)
    with trio.move_on_after(DESCRIBE_S) as describing:
        for number, table in enumerate(tables):
            if number == DESCRIBED_MAX:
                tables.is_truncated = True
                return
            sink = ColumnRows(tables, table)
            try:
                request = DescribeTable(table.name, table.schema)
                await _ask(database, request, terms, tables, sink)
            except DatabaseFailed as failed:
                tables.is_truncated = True
                if failed.code in _GONE:
                    return
    tables.is_truncated |= describing.cancelled_caught


async def _ask(
    database: Database, request: Request, terms: Terms, tables: SchemaTables, sink: Sink
) -> None:
    """Have the database answer into a sink of these tables. Raises `DatabaseFailed`."""
    outcome = await database.ask(request, terms, sink, trio.Event())
    if not isinstance(outcome, Answered) or outcome.is_truncated:
        tables.is_truncated = True

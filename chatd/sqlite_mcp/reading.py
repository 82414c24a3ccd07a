"""Answers one call from start to end in one thread: open, look, check, run, close.

The statement is compiled once before it runs (by `EXPLAIN`), so that anything forbidden or not
understood is known before anything has run. A call that writes is one transaction: it is committed
if all went well and it stayed within its limits, and leaves no trace otherwise.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import TypeAlias, assert_never

import attrs

from chatd.answers.requests import (
    DatabaseFailed,
    DescribeTable,
    ExplainStatement,
    ListColumns,
    ListTables,
    Request,
    RunStatement,
    SampleTable,
    Terms,
)
from chatd.answers.sql.nearest import with_nearest
from chatd.answers.sql.scopes import fold
from chatd.answers.table import Column
from chatd.db_mcp.collecting import Rows
from chatd.db_mcp.feeding import Feeder, Outcome
from chatd.db_mcp.interrupt import Interrupt
from chatd.db_mcp.statement import (
    SAMPLE_ROWS,
    StatementKind,
    check_rows_written,
    first_word,
    kind_of,
    may_change,
    quoted,
    rejected,
    rows_written,
    shown,
)
from chatd.sqlite_mcp.catalog import (
    ALL_COLUMNS_COLUMNS,
    DESCRIPTION_COLUMNS,
    TABLES_COLUMNS,
    Catalog,
)
from chatd.sqlite_mcp.failures import as_failure, primary_code
from chatd.sqlite_mcp.handle import (
    DatabaseFile,
    bound_growth,
    bound_values,
    bytes_beside,
    forbid_writes,
    open_handle,
)
from chatd.sqlite_mcp.permissions import MAIN, Authorizer, TableScope
from chatd.sqlite_mcp.statement import KINDS
from chatd.wire.codes import Code
from chatd.wire.names import RowsCut

TICK_OPERATIONS = 5_000
"""Operations of SQLite's virtual machine between two checks whether to go on: less than a
millisecond."""

PLAN_COLUMNS = (Column("id", "INTEGER"), Column("parent", "INTEGER"), Column("detail", "TEXT"))
_TYPING_VIEW = "chatd_columns"

# What reading from `sqlite3` raises: its errors, its warnings (before Python 3.12, about a second
# statement), text or names that Python does not accept, too little memory.
_ERRORS = (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError, MemoryError)


Work: TypeAlias = Callable[[sqlite3.Connection, Catalog, str], Outcome]
"""Answers on a connection, about a statement or the name of a table."""


def answer(
    place: DatabaseFile, request: Request, terms: Terms, rows: Rows, interrupt: Interrupt
) -> Outcome:
    """Carry a request out and feed its rows to `rows`.

    Raises `DatabaseFailed`; `Interrupted` if it was stopped, once nothing of it runs any more. The
    caller keeps the time in `terms`, and stops the call through `interrupt`.
    """
    if terms.schema is not None and fold(terms.schema) != MAIN:
        sentence = f"There is no schema {shown(terms.schema)} here; the only one is {MAIN}."
        raise DatabaseFailed(Code.DB_ERROR, sentence)
    return _Call(place, terms, rows, interrupt).answer(request)


@attrs.define
class _Call:
    _place: DatabaseFile
    _terms: Terms
    _rows: Rows
    _interrupt: Interrupt
    _catalog: Catalog | None = None
    _authorizer: Authorizer | None = None
    _is_compiling: bool = False
    _fault: BaseException | None = None  # of `rows` or of a write, raised within SQLite
    _most_beside: int | None = None  # bytes beside the file; None if nothing is written

    def answer(self, request: Request) -> Outcome:
        work: Work
        subject, will_write = "", False
        match request:
            case RunStatement(subject):
                kind = kind_of(subject, KINDS, self._may_write)
                will_write = self._may_write and may_change(subject, kind)
                work = self._write if will_write else self._read
            case ExplainStatement(subject):
                kind = kind_of(subject, KINDS, self._may_write)
                if kind is StatementKind.EXPLAINING or first_word(subject) == "PRAGMA":
                    raise rejected("Only a statement that reads or writes rows has a plan.")
                work = self._explain
            case ListTables():
                work = self._list
            case ListColumns():
                work = self._list_columns
            case DescribeTable(subject):
                work = self._describe
            case SampleTable(subject):
                work = self._sample
            case _:
                assert_never(request)
        return self._guarded(will_write, work, subject)

    @property
    def _may_write(self) -> bool:
        return self._place.is_writable and not self._terms.read_only

    def _guarded(self, will_write: bool, work: Work, subject: str) -> Outcome:
        """Do `work` in one transaction on its own connection, and turn its errors into failures."""
        self._interrupt.check()
        try:
            connection = open_handle(self._place, will_write)
        except _ERRORS as error:
            raise as_failure(error, is_compiling=False) from None
        try:
            with self._interrupt.reaching(connection.interrupt):
                connection.set_progress_handler(self._tick, TICK_OPERATIONS)
                if will_write:
                    self._patiently(connection, "BEGIN IMMEDIATE")
                else:
                    connection.execute("BEGIN")
                    self._patiently(connection, "SELECT 1 FROM sqlite_schema")  # takes the lock
                self._catalog = Catalog.read(connection, self._terms.tables)
                return work(connection, self._catalog, subject)
        except _ERRORS as error:
            if self._fault is not None:
                raise self._fault from None
            self._interrupt.check()
            if self._authorizer is not None and self._authorizer.denial is not None:
                raise self._authorizer.denial from None
            if will_write and primary_code(error) == sqlite3.SQLITE_FULL:
                raise self._too_large() from None
            raise self._failure(error, connection, subject) from None
        finally:
            connection.close()  # what was not committed is undone

    def _failure(
        self, error: BaseException, connection: sqlite3.Connection, subject: str
    ) -> DatabaseFailed:
        """What to say about an error, with the names that may have been meant."""
        failed = as_failure(error, self._is_compiling)
        if self._catalog is None:
            return failed
        connection.set_authorizer(None)
        try:
            names = self._catalog.nearest(connection, str(error), subject)
        except _ERRORS:
            return failed
        return DatabaseFailed(failed.code, with_nearest(failed.sentence, names))

    def _tick(self) -> int:
        """Whether the statement has to end; SQLite asks now and then."""
        if self._interrupt.is_stopped:
            return 1
        if self._most_beside is not None and bytes_beside(self._place.path) > self._most_beside:
            self._fault = self._too_large()
            return 1
        try:
            self._rows.tick()
        except BaseException as error:  # `sqlite3` would drop it
            self._fault = error
            return 1
        return 0

    def _patiently(self, connection: sqlite3.Connection, sql: str) -> None:
        """Execute a statement that needs a lock, as soon as others have released it."""
        while True:
            self._interrupt.check()
            try:
                connection.execute(sql).close()
            except sqlite3.OperationalError as error:
                if primary_code(error) != sqlite3.SQLITE_BUSY:
                    raise
            else:
                return

    # What may be asked

    def _sample(self, connection: sqlite3.Connection, catalog: Catalog, name: str) -> Outcome:
        table = catalog.find(name)
        most = min(self._terms.max_rows, SAMPLE_ROWS)
        sql = f"SELECT * FROM {MAIN}.{quoted(table.name)} LIMIT {most}"
        return self._read(connection, catalog, sql)

    def _read(self, connection: sqlite3.Connection, catalog: Catalog, sql: str) -> Outcome:
        scope = catalog.scope
        self._check(connection, sql, Authorizer(scope, may_write=False))
        connection.set_authorizer(None)
        types = self._types(connection, sql, scope)
        forbid_writes(connection)
        self._authorize(connection, Authorizer(scope, may_write=False))
        return self._run(connection, sql, types)

    def _write(self, connection: sqlite3.Connection, catalog: Catalog, sql: str) -> Outcome:
        word = first_word(sql)
        bound_growth(connection, self._place)
        self._most_beside = bytes_beside(self._place.path) + self._place.max_growth_bytes
        self._check(connection, sql, Authorizer(catalog.scope, True, word))
        self._authorize(connection, Authorizer(catalog.scope, True, word, is_running=True))
        outcome = self._run(connection, sql, ())
        connection.set_authorizer(None)
        written = connection.total_changes
        check_rows_written(written, self._place.max_rows_written)
        self._patiently(connection, "COMMIT")
        self._interrupt.has_written = True
        return attrs.evolve(outcome, rows_written=rows_written(sql, written))

    def _too_large(self) -> DatabaseFailed:
        """The failure of a write that was undone: SQLite does not say which of the two happened."""
        most = self._place.max_growth_bytes
        return rejected(
            f"The statement writes more than the {most:,} bytes that it may, or the disk of the "
            "database is full; write less at once."
        )

    def _explain(self, connection: sqlite3.Connection, catalog: Catalog, sql: str) -> Outcome:
        forbid_writes(connection)
        word = first_word(sql)
        self._check(connection, sql, Authorizer(catalog.scope, self._may_write, word))
        self._authorize(connection, Authorizer(catalog.scope, self._may_write, word))
        with closing(connection.execute(f"EXPLAIN QUERY PLAN {sql}")) as plan:
            self._rows.columns(PLAN_COLUMNS)
            return self._feed((step, parent, detail) for step, parent, _, detail in plan)

    def _list(self, connection: sqlite3.Connection, catalog: Catalog, _: str) -> Outcome:
        self._rows.columns(TABLES_COLUMNS)
        return self._feed(catalog.tables())

    def _list_columns(self, connection: sqlite3.Connection, catalog: Catalog, _: str) -> Outcome:
        self._rows.columns(ALL_COLUMNS_COLUMNS)
        return self._feed(catalog.columns(connection))

    def _describe(self, connection: sqlite3.Connection, catalog: Catalog, table: str) -> Outcome:
        described = catalog.describe(connection, table)
        self._rows.columns(DESCRIPTION_COLUMNS)
        return self._feed(described)

    # How a statement runs

    def _check(self, connection: sqlite3.Connection, sql: str, authorizer: Authorizer) -> None:
        """Have SQLite compile the statement, and not run it."""
        self._authorize(connection, authorizer)
        self._is_compiling = True
        explained = sql if first_word(sql) == "EXPLAIN" else f"EXPLAIN {sql}"
        connection.execute(explained).close()
        self._is_compiling = False
        bound_values(connection, authorizer.calls)

    def _authorize(self, connection: sqlite3.Connection, authorizer: Authorizer) -> None:
        """From now on, have SQLite ask `authorizer` about what it compiles."""
        self._authorizer = authorizer
        connection.set_authorizer(authorizer)

    def _types(
        self, connection: sqlite3.Connection, sql: str, scope: TableScope
    ) -> Sequence[str | None]:
        """The declared types of the columns of a statement; empty if SQLite does not tell.

        `sqlite3` has no way to ask for them. SQLite tells them for the columns of a view, and finds
        them without running anything.
        """
        if first_word(sql) in ("EXPLAIN", "PRAGMA"):
            return ()
        connection.set_authorizer(Authorizer(scope, may_write=False, typing_view=_TYPING_VIEW))
        try:
            connection.execute(f"CREATE TEMP VIEW {_TYPING_VIEW} AS {sql}").close()
            columns = connection.execute(f"PRAGMA temp.table_info({_TYPING_VIEW})").fetchall()
            return [kind or None for _, _, kind, *_ in columns]
        except sqlite3.Error:
            self._interrupt.check()
            return ()
        finally:
            connection.set_authorizer(None)
            connection.execute(f"DROP VIEW IF EXISTS temp.{_TYPING_VIEW}").close()

    def _run(
        self, connection: sqlite3.Connection, sql: str, types: Sequence[str | None]
    ) -> Outcome:
        with closing(connection.execute(sql)) as cursor:
            names = [name for name, *_ in cursor.description or ()]
            declared = types if len(types) == len(names) else [None] * len(names)
            self._rows.columns([Column(*pair) for pair in zip(names, declared, strict=True)])
            return self._feed(cursor)

    def _feed(self, source: Iterable[Sequence[object]]) -> Outcome:
        """Rows from `source` to the caller, as many and as long as the terms allow.

        `sqlite3` looks for the next row before it hands one out. So a row comes when the one after
        it is found, or there is none; and it is lost if that search fails or is interrupted.
        """
        feeder = Feeder(self._rows, self._terms, self._interrupt)
        try:
            return feeder.feed(source)
        except sqlite3.DataError as error:
            # The next row has a value that SQLite does not hand out.
            if feeder.count == 0 or primary_code(error) != sqlite3.SQLITE_TOOBIG:
                raise
            return feeder.outcome(RowsCut.LARGE_VALUE)

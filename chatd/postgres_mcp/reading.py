"""Answers one call from start to end in one thread and one transaction of Postgres.

A transaction that reads is READ ONLY, and its rows come through a cursor: Postgres then takes only
one statement, which can only read, says what its columns are before it runs, and computes no more
rows than are fetched. A call that writes is committed if all went well and it stayed within its
limits, and leaves no trace otherwise.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, assert_never

import attrs
import psycopg
from psycopg.pq.abc import PGresult
from psycopg.sql import SQL, Literal

from chatd.answers.mcp.contract import CHUNK_ROWS_MAX
from chatd.answers.requests import (
    DescribeTable,
    ExplainStatement,
    ListColumns,
    ListTables,
    Request,
    RunStatement,
    SampleTable,
    Terms,
)
from chatd.answers.table import Column
from chatd.db_mcp.collecting import Rows
from chatd.db_mcp.feeding import Feeder, Outcome
from chatd.db_mcp.interrupt import Interrupt
from chatd.db_mcp.statement import (
    SAMPLE_ROWS,
    check_rows_written,
    kind_of,
    may_change,
    quoted,
    rows_written,
)
from chatd.postgres_mcp import catalog
from chatd.postgres_mcp.failures import as_failure
from chatd.postgres_mcp.server import Connection, PostgresServer, cancel
from chatd.postgres_mcp.statement import KINDS

CURSOR: Final = "chatd_rows"
EXPLAIN: Final = "EXPLAIN (ANALYZE FALSE) "
"""With its options written out, so that a statement cannot bring its own."""
PLAN_COLUMNS: Final = (Column("plan", "text"),)
LATER_S: Final = 1.0
"""So long after the time of a call, when it is cancelled, the server itself gives up the
statement."""
LARGE_ROW_BYTES: Final = 16_777_216
"""A longer row leaves a buffer of its size in the connection, which is then closed."""
_GROWTH: Final = 4
"""The first row is fetched alone, so that it is there at once, then more and more rows together."""

# Each holds for the transaction only. A server before PostgreSQL 14 does not know the last one.
_BEGIN: Final = SQL("""
    BEGIN {access};
    SELECT pg_catalog.set_config(s.name, s.value, true)
    FROM (VALUES
        ('statement_timeout', {timeout_ms}), ('lock_timeout', {timeout_ms}),
        ('idle_in_transaction_session_timeout', {timeout_ms}),
        ('bytea_output', 'hex'), ('DateStyle', 'ISO'), ('IntervalStyle', 'postgres'),
        ('cursor_tuple_fraction', '1'), ('client_connection_check_interval', '2000')
    ) AS s(name, value)
    WHERE pg_catalog.current_setting(s.name, true) IS NOT NULL
""")
_SEARCH_PATH: Final = SQL("; SELECT pg_catalog.set_config('search_path', {path}, true)")
# Rows that the session has changed lately, including changes by triggers.
_CHANGED: Final = """
    SELECT COALESCE(pg_catalog.sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint
    FROM pg_catalog.pg_stat_xact_user_tables
"""


def answer(
    server: PostgresServer, request: Request, terms: Terms, rows: Rows, interrupt: Interrupt
) -> Outcome:
    """Carry a request out and feed its rows to `rows`; see `db_mcp.calls.Answer`.

    The tables in `terms` are for the guard in front.
    """
    return _Call(server, terms, rows, interrupt).answer(request)


@attrs.define
class _Call:
    _server: PostgresServer
    _terms: Terms
    _rows: Rows
    _interrupt: Interrupt

    def answer(self, request: Request) -> Outcome:
        will_write = False
        if isinstance(request, RunStatement | ExplainStatement):
            kind = kind_of(request.sql, KINDS, self._may_write)
            is_change = isinstance(request, RunStatement) and may_change(request.sql, kind)
            will_write = self._may_write and is_change
        with self._transaction(will_write) as connection:
            match request:
                case RunStatement(sql):
                    run = self._write if will_write else self._read
                    return run(connection, sql)
                case ExplainStatement(sql):
                    return self._explain(connection, sql)
                case ListTables():
                    found = catalog.tables(connection, self._terms.schema)
                    return self._feed(catalog.TABLES_COLUMNS, found)
                case ListColumns():
                    most = self._terms.max_rows + 1  # and one more, which tells that there are more
                    listed = catalog.columns(connection, self._terms.schema, most)
                    return self._feed(catalog.ALL_COLUMNS_COLUMNS, listed)
                case DescribeTable(table):
                    described = catalog.describe(connection, table, self._terms.schema)
                    return self._feed(catalog.DESCRIPTION_COLUMNS, described)
                case SampleTable(table):
                    named = catalog.quoted_table(connection, table, self._terms.schema)
                    most = min(self._terms.max_rows, SAMPLE_ROWS)
                    return self._read(connection, f"SELECT * FROM {named} LIMIT {most}")
                case _:
                    assert_never(request)

    @property
    def _may_write(self) -> bool:
        return self._server.is_writable and not self._terms.read_only

    @contextmanager
    def _transaction(self, will_write: bool) -> Iterator[Connection]:
        """A connection in a transaction, which is committed if it wrote; errors become failures."""
        self._interrupt.check()
        try:
            with (
                self._server.connection() as connection,
                self._interrupt.ending(psycopg.Error),
                self._interrupt.reaching(partial(cancel, connection)),
            ):
                self._begin(connection, will_write)
                yield connection
                self._interrupt.check()
                if will_write:
                    self._commit(connection)
        except (psycopg.Error, MemoryError, UnicodeError) as error:
            self._interrupt.check()
            raise as_failure(error) from None

    def _commit(self, connection: Connection) -> None:
        """Commit. If the server does not say what became of it, what was written may stand."""
        self._interrupt.has_written = True
        try:
            connection.execute("COMMIT")
        except psycopg.Error as error:
            self._interrupt.has_written = error.sqlstate is None
            raise

    def _begin(self, connection: Connection, will_write: bool) -> None:
        timeout_ms = Literal(str(round((self._terms.timeout_s + LATER_S) * 1000)))
        # If the call may write, a read-only setting of the role or the database is left as it is.
        access = SQL("" if will_write else "READ ONLY")
        begin = _BEGIN.format(access=access, timeout_ms=timeout_ms)
        if self._terms.schema is not None:
            path = Literal(quoted(self._terms.schema))
            begin += _SEARCH_PATH.format(path=path)
        connection.execute(begin)

    def _read(self, connection: Connection, sql: str) -> Outcome:
        with connection.cursor(name=CURSOR, scrollable=False) as cursor:
            cursor.execute(sql)
            feeder = self._feeder(self._columns(connection, cursor.pgresult))
            outcome = feeder.feed(self._fetched(cursor))
        if feeder.largest_row_bytes > LARGE_ROW_BYTES:
            connection.close()
        return outcome

    def _fetched(self, cursor: psycopg.ServerCursor[tuple[Any, ...]]) -> Iterator[Sequence[object]]:
        count = 1
        while rows := cursor.fetchmany(count):
            yield from rows
            self._rows.tick()
            count = min(count * _GROWTH, CHUNK_ROWS_MAX)

    def _write(self, connection: Connection, sql: str) -> Outcome:
        before = _changed(connection)
        with connection.cursor() as cursor:
            returned: list[tuple[object, ...]] = []
            result: PGresult | None = None
            for row in _returned(cursor, sql):  # to its end: a statement given up writes nothing
                self._interrupt.check()
                result = result or cursor.pgresult
                if len(returned) <= self._terms.max_rows:  # and one more: there are more
                    returned.append(row)
        outcome = self._feed(self._columns(connection, result), returned)
        changed = _changed(connection) - before
        check_rows_written(changed, self._server.max_rows_written)
        return attrs.evolve(outcome, rows_written=rows_written(sql, changed))

    def _explain(self, connection: Connection, sql: str) -> Outcome:
        with connection.cursor() as cursor:
            return self._feed(PLAN_COLUMNS, cursor.stream(EXPLAIN + sql))

    def _columns(self, connection: Connection, result: PGresult | None) -> Sequence[Column]:
        """The columns of a result, with the words of Postgres for their types."""
        if result is None:
            return ()
        places = range(result.nfields)
        names = [(result.fname(place) or b"").decode(errors="replace") for place in places]
        types = [(result.ftype(place), result.fmod(place)) for place in places]
        return [
            Column(*pair) for pair in zip(names, catalog.type_names(connection, types), strict=True)
        ]

    def _feed(self, columns: Sequence[Column], source: Iterable[Sequence[object]]) -> Outcome:
        return self._feeder(columns).feed(source)

    def _feeder(self, columns: Sequence[Column]) -> Feeder:
        self._rows.columns(columns)
        return Feeder(self._rows, self._terms, self._interrupt)


def _changed(connection: Connection) -> int:
    [(rows,)] = connection.execute(_CHANGED).fetchall()
    return int(rows)


def _returned(cursor: psycopg.Cursor[tuple[Any, ...]], sql: str) -> Iterator[tuple[object, ...]]:
    """Run one statement, and give the rows that it returns, if it is one that returns rows.

    psycopg sends it in the form in which Postgres takes only one statement.
    """
    try:
        yield from cursor.stream(sql)
    except psycopg.ProgrammingError as error:
        if error.sqlstate is not None:
            raise
        # It says that there are no rows, when the statement has run.

"""A log in PostgreSQL that is copied, or made by a copy.

The rows of a new log come in one transaction, and are compared before its commit: whatever cuts it
off, none of them is left. A table that was committed before, and is dropped in that transaction,
keeps daemons away meanwhile (`migrations.UNFINISHED_COPY`).
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import psycopg
from psycopg import sql

from chatd import __version__
from chatd.postgres_store.errors import DatabaseUnfit, Unfit
from chatd.postgres_store.long_session import long_session, require_log
from chatd.postgres_store.migrations import (
    UNFINISHED_COPY,
    is_unfinished_copy,
    migrate,
    version_of,
)
from chatd.postgres_store.opening import lock_log, require_fit
from chatd.postgres_store.sessions import LogAddress
from chatd.store.copied_rows import COLUMNS, Column, Head, Kind, Row, Table
from chatd.store.log_copy import CopyFailed

_TYPES: Final[Mapping[Kind, str]] = {
    Kind.NUMBER: "int8",
    Kind.FLAG: "bool",
    Kind.TEXT: "text",
    Kind.KEY: "bytea",
    Kind.DOCUMENT: "text",
    Kind.LIST: "text",
}
_ORDERS: Final[Mapping[Table, str]] = {
    Table.ROOMS: "room_id",
    Table.MESSAGES: "position",
    Table.MENTIONS: "room_id, seq",
    Table.CHANGES: "room_id, rev",
    Table.CHANGED: "room_id, seq",
    Table.MEMBERS: "room_id, user_id",
    Table.ANSWERS: "room_id, question_id",
    Table.AUDIT: "position",
}
_HEAD: Final = """
    SELECT epoch, created_ms, has_scoped_ids, greatest(
        (SELECT coalesce(max(position), 0) FROM messages),
        (SELECT coalesce(max(position), 0) FROM audit),
        (SELECT coalesce(sum(last_rev), 0) FROM rooms))::bigint
    FROM meta
"""
# Each goes on after the last number that was given.
_IDENTITIES: Final = (
    ("rooms", "room_id"),
    ("messages", "position"),
    ("audit", "position"),
)
_GO_ON: Final = """
    SELECT setval(pg_get_serial_sequence({name}, {column}),
                  greatest(max({field}), 1), max({field}) IS NOT NULL)
    FROM {table}
"""

# If a daemon was killed, its members were still present. The first start sees to such a life.
_END_OF_ONE: Final = """
    INSERT INTO nodes (name, version)
    SELECT '', %s WHERE EXISTS (SELECT FROM members WHERE away_seq IS NULL)
"""
_LEFT_BEHIND: Final = "SELECT EXISTS (SELECT FROM members WHERE stays <> '{}')"


class PostgresRows:
    """The log in the schema that a connection uses."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection

    def head(self) -> Head:
        row = self._connection.execute(_HEAD).fetchone()
        assert row is not None
        return Head(*row)

    def rows(self, table: Table) -> Iterator[Row]:
        columns = COLUMNS[table]
        query = sql.SQL("COPY (SELECT {} FROM {} ORDER BY {}) TO STDOUT").format(
            sql.SQL(", ").join(map(_read, columns)),
            sql.Identifier(table),
            sql.SQL(_ORDERS[table]),
        )
        with self._connection.cursor() as cursor, cursor.copy(query) as copied:
            copied.set_types([_TYPES[column.kind] for column in columns])
            yield from copied.rows()


class NewPostgresLog(PostgresRows):
    """A log that is being made, in a schema that is locked and has no rows."""

    def __init__(self, connection: "psycopg.Connection[Any]", schema: str) -> None:
        super().__init__(connection)
        self._connection = connection
        self._schema = schema

    def begin(self, head: Head) -> None:
        migrate(self._connection, self._schema, head.epoch, head.created_ms)
        self._connection.execute("BEGIN")
        self._connection.execute(
            "UPDATE meta SET epoch = %s, created_ms = %s, has_scoped_ids = %s",
            (head.epoch, head.created_ms, head.has_scoped_ids),
        )

    def write(self, table: Table, rows: Iterable[Row]) -> None:
        names = [sql.Identifier(column.name) for column in COLUMNS[table]]
        query = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table), sql.SQL(", ").join(names)
        )
        with self._connection.cursor() as cursor, cursor.copy(query) as copying:
            for row in rows:
                copying.write_row(row)

    def finish(self) -> None:
        """Finish a log whose rows are all there and were compared; a daemon will index it for the
        search, the newest messages first."""
        for table, column in _IDENTITIES:
            self._connection.execute(
                sql.SQL(_GO_ON).format(
                    name=sql.Literal(f'"{self._schema}".{table}'),
                    column=sql.Literal(column),
                    field=sql.Identifier(column),
                    table=sql.Identifier(table),
                )
            )
        self._connection.execute(_END_OF_ONE, (__version__,))
        self._connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(UNFINISHED_COPY)))
        self._connection.execute("COMMIT")
        for table in Table:
            self._connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))


@contextlib.contextmanager
def postgres_log_to_copy(address: LogAddress) -> Iterator[PostgresRows]:
    """The log at `address`, which no daemon uses meanwhile; it is not changed. Raises
    `DatabaseUnfit`, `StoreTooOld`, `StoreUnavailable`, and `CopyFailed` if nodes that died have
    left users in rooms."""
    with long_session(address) as connection:
        require_log(connection, address.schema)
        lock_log(connection, address)
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if connection.execute(_LEFT_BEHIND).fetchone() == (True,):
            raise CopyFailed(
                "nodes_not_ended",
                "Nodes that ended without a word have left users in rooms, who would be owed too "
                "little in a copy; start one node on this log, stop it, and copy then.",
            )
        yield PostgresRows(connection)


@contextlib.contextmanager
def new_postgres_log(address: LogAddress) -> Iterator[NewPostgresLog]:
    """A log in a schema that has none; it is there once the block has ended well. Raises
    `DatabaseUnfit`."""
    schema = address.schema
    with long_session(address) as connection:
        require_fit(address, connection)
        _require_empty(connection, schema)
        lock_log(connection, address)
        _require_empty(connection, schema)
        if not is_unfinished_copy(connection, schema):
            with connection.transaction():
                name = sql.Identifier(schema)
                if connection.execute(_HAS_SCHEMA, (schema,)).fetchone() is None:
                    connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
                connection.execute(
                    sql.SQL("CREATE TABLE {}.{} ()").format(name, sql.Identifier(UNFINISHED_COPY))
                )
        log = NewPostgresLog(connection, schema)
        yield log
        log.finish()


_HAS_SCHEMA: Final = "SELECT FROM pg_namespace WHERE nspname = %s"


def _require_empty(connection: "psycopg.Connection[Any]", schema: str) -> None:
    if version_of(connection, schema) and not is_unfinished_copy(connection, schema):
        raise DatabaseUnfit(
            Unfit.SCHEMA_NOT_EMPTY,
            f"There is a log in the schema {schema} already, and a copy replaces nothing; name "
            f'another schema, or run DROP SCHEMA "{schema}" CASCADE to do without that log.',
        )


def _read(column: Column) -> sql.Composable:
    """A list is read as text, since each engine writes it in its own way."""
    name = sql.Identifier(column.name)
    return sql.SQL("{}::text").format(name) if column.kind is Kind.LIST else name

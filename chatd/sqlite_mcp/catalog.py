"""The tables of a database, as people ask for them; all statements here are our own.

They run before an authorizer is set. Looking up the tables also makes SQLite set up every virtual
table, which the authorizer would deny.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence

import attrs

from chatd.answers.requests import DatabaseFailed
from chatd.answers.sql.nearest import nearest, unknown_column, unknown_table, with_nearest
from chatd.answers.sql.scopes import TableName, fold
from chatd.answers.table import Column
from chatd.db_mcp.statement import quoted, shown
from chatd.sqlite_mcp.failures import primary_code
from chatd.sqlite_mcp.permissions import MAIN, ROW_SOURCES, TableScope, outside
from chatd.wire.codes import Code

_KINDS_SHOWN = {"table": "table", "view": "view", "virtual": "table"}

TABLES_COLUMNS = (Column("name", "TEXT"), Column("kind", "TEXT"), Column("columns", "INTEGER"))
ALL_COLUMNS_COLUMNS = (
    Column("name", "TEXT"),
    Column("kind", "TEXT"),
    Column("column_name", "TEXT"),
    Column("column_type", "TEXT"),
)
DESCRIPTION_COLUMNS = (
    Column("name", "TEXT"),
    Column("type", "TEXT"),
    Column("nullable", "BOOLEAN"),
    Column("default", "TEXT"),
    Column("primaryKey", "INTEGER"),
    Column("references", "TEXT"),
)

Values = tuple[object, ...]


@attrs.frozen
class CatalogTable:
    """A table by its name; `kind` is SQLite's word: table, view, virtual or shadow."""

    name: str
    kind: str
    column_count: int


class Catalog:
    """The tables that a connection finds, and which of them a call may touch."""

    def __init__(self, tables: Sequence[CatalogTable], narrowing: Sequence[str] | None) -> None:
        self._tables = {fold(table.name): table for table in tables}
        self.scope = TableScope.of({key: one.kind for key, one in self._tables.items()}, narrowing)

    @classmethod
    def read(cls, connection: sqlite3.Connection, narrowing: Sequence[str] | None) -> "Catalog":
        """Look up the tables. Raises `sqlite3.Error`."""
        rows = connection.execute(f"PRAGMA {MAIN}.table_list").fetchall()
        for source in sorted(ROW_SOURCES):
            with contextlib.suppress(sqlite3.OperationalError):  # an SQLite without JSON
                connection.execute(f"SELECT 1 FROM {source}('[]')").fetchall()
        return cls(
            [CatalogTable(name, kind, count) for _, name, kind, count, *_ in rows], narrowing
        )

    def tables(self) -> list[Values]:
        """The tables and views in scope, by name, without those that SQLite keeps for itself."""
        return [
            (table.name, _KINDS_SHOWN[table.kind], table.column_count)
            for key, table in sorted(self._tables.items())
            if table.kind in _KINDS_SHOWN
            and not key.startswith("sqlite_")
            and self.scope.holds(key)
        ]

    def columns(self, connection: sqlite3.Connection) -> Iterator[Values]:
        """The columns of all tables and views in scope, each with its table. A view that can no
        longer be read has no columns, but is listed all the same. Raises `sqlite3.Error`."""
        for name, kind, _ in self.tables():
            statement = f"PRAGMA {MAIN}.table_xinfo({quoted(str(name))})"
            try:
                columns = connection.execute(statement).fetchall()
            except sqlite3.OperationalError as error:
                if primary_code(error) != sqlite3.SQLITE_ERROR:
                    raise
                columns = []
            shown = [(column, type_) for _, column, type_, *_, hidden in columns if hidden != 1]
            for column, type_ in shown or [(None, None)]:
                yield name, kind, column, type_ or None

    def find(self, name: str) -> CatalogTable:
        """The table of that name, which may be in quotes and have its schema before it.

        Raises `DatabaseFailed` if there is none, or it is out of scope.
        """
        key = fold(name)
        written = None if key in self._tables else TableName.read(name, "sqlite")
        if written is not None:
            key = fold(written.as_argument("sqlite").text)
        if not self.scope.holds(key):
            raise outside(name)
        table = self._tables.get(key)
        if table is None:
            sentence = f"There is no table {shown(name)} here."
            near = nearest(name.rpartition(".")[2], self._names())
            raise DatabaseFailed(Code.DB_ERROR, with_nearest(sentence, list(map(shown, near))))
        return table

    def nearest(self, connection: sqlite3.Connection, complaint: str, sql: str) -> list[str]:
        """The names in scope that are nearest to the one that SQLite says is missing.

        Columns are taken from the tables that the statement names. Raises `sqlite3.Error`.
        """
        table, column = unknown_table(complaint), unknown_column(complaint)
        if table is not None:
            return list(map(shown, nearest(table.rpartition(".")[2], self._names())))
        if column is None:
            return []
        folded = fold(sql)
        known = [
            row[1]
            for name in self._names()
            if fold(name) in folded
            for row in connection.execute(f"PRAGMA {MAIN}.table_xinfo({quoted(name)})")
        ]
        is_there = fold(column) in map(fold, known)  # so the table name before it is wrong
        return [] if is_there else list(map(shown, nearest(column, known)))

    def _names(self) -> list[str]:
        return [str(name) for name, *_ in self.tables()]

    def describe(self, connection: sqlite3.Connection, name: str) -> list[Values]:
        """The columns of a table. Raises `DatabaseFailed`, `sqlite3.Error`."""
        table = quoted(self.find(name).name)
        references: dict[str, list[str]] = {}
        for key in connection.execute(f"PRAGMA {MAIN}.foreign_key_list({table})"):
            other, column, far = key[2], key[3], key[4]
            references.setdefault(fold(column), []).append(
                other if far is None else f"{other}.{far}"
            )
        return [
            (
                column,
                kind or None,
                not is_not_null and not key,
                default,
                key or None,
                ", ".join(references.get(fold(column), ())) or None,
            )
            for _, column, kind, is_not_null, default, key, hidden in connection.execute(
                f"PRAGMA {MAIN}.table_xinfo({table})"
            )
            if hidden != 1  # a column of a virtual table that serves only for queries
        ]

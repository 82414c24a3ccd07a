"""What of a list of tables a question may see, whatever its db-mcp has listed; pure.

A context narrows, and few db-mcps know of that. So each row of the list is judged here, as a
statement is that names its table (`scopes`). The columns of the table's name and its schema are
found by the words that the catalogues of databases have for them.
"""

from collections.abc import Sequence
from typing import Final

import attrs

from chatd.answers.requests import DatabaseFailed, Sink
from chatd.answers.sql.scopes import ContextScope, TableName
from chatd.answers.table import Column, Row
from chatd.wire.codes import Code

TEXT: Final = "text"
"""The column of a text for people, in which the places of the names are not known."""

_NAMES: Final = ("name", "table_name", "tablename", "table")
_SCHEMAS: Final = ("schema", "table_schema", "schemaname", "schema_name")


LISTED_MAX: Final = 10_000
"""Rows that are looked through at once, for less than 0.1 s; a longer list is refused."""


@attrs.frozen
class Narrowing:
    """What a context lets be seen; `home` is the schema of tables that are listed without one.

    It is None where the database was not asked for one schema: then it is that of the dialect.
    """

    scope: ContextScope
    home: str | None = None

    def holds(self, table: TableName) -> bool:
        """Whether the context lets the table be touched."""
        return self.scope.holds(TableName(table.name, table.schema or self.home))

    @property
    def holds_home(self) -> bool:
        """Whether it lets any table be touched that is listed without a schema."""
        by_schema = attrs.evolve(self.scope, tables=None)
        return by_schema.holds(TableName("any", self.home))


class Narrowed:
    """A sink that lets the rows of tables within pass to another sink, and no others.

    Raises `DatabaseFailed` where the rows do not tell which tables they are about, or are too many.
    """

    def __init__(self, sink: Sink, narrowing: Narrowing) -> None:
        self._sink = sink
        self._narrowing = narrowing
        self._name_at: int | None = None
        self._schema_at: int | None = None

    def columns(self, columns: Sequence[Column]) -> None:
        """The columns, once, before the first rows."""
        self._name_at, self._schema_at = places([column.name for column in columns])
        if self._schema_at is None and not self._narrowing.holds_home:
            self._name_at = None
        self._sink.columns(columns)

    def rows(self, rows: Sequence[Row]) -> None:
        """The next rows, in order."""
        if rows and (self._name_at is None or len(rows) > LISTED_MAX):
            raise DatabaseFailed(
                Code.DB_ERROR,
                "The list of tables cannot be narrowed to the context of the question; "
                "ask without schema and tables.",
            )
        self._sink.rows([row for row in rows if self._is_within(row)])

    def _is_within(self, row: Row) -> bool:
        assert self._name_at is not None
        name = row[self._name_at]
        schema = None if self._schema_at is None else row[self._schema_at]
        if not isinstance(name, str) or not isinstance(schema, str | None):
            return False
        if schema is None:  # some write it before the name
            schema, _, name = name.rpartition(".")
        return self._narrowing.holds(TableName(name, schema or None))


@attrs.define
class ListedNames:
    """A sink of a list of tables, of which it keeps the names, without their schemas."""

    names: list[str] = attrs.field(factory=list)
    _name_at: int | None = None

    def columns(self, columns: Sequence[Column]) -> None:
        """The columns, once, before the first rows."""
        self._name_at, _ = places([column.name for column in columns])

    def rows(self, rows: Sequence[Row]) -> None:
        """The next rows, in order."""
        if self._name_at is not None:
            self.names += [str(row[self._name_at]).rpartition(".")[2] for row in rows]


def places(columns: Sequence[str]) -> tuple[int | None, int | None]:
    """Where in a list of tables the names stand, and where their schemas, by the columns."""
    words = [column.lower() for column in columns]
    name_at = _first(_NAMES, words)
    if name_at is None and len(words) == 1 and words != [TEXT]:
        name_at = 0
    return name_at, _first(_SCHEMAS, words)


def _first(known: Sequence[str], words: Sequence[str]) -> int | None:
    """Where the first of the known words stands."""
    return next((words.index(word) for word in known if word in words), None)

"""Which part of a list of tables a question may see, whatever its db-mcp has listed; pure.

A context may narrow what can be seen, but few db-mcps know that. So each row of the list is judged
here, like a statement that names its table (`scopes`). The columns that hold the table's name and
its schema are found by the words that databases' catalogues use for them.
"""

import re
from collections.abc import Sequence
from typing import Final

import attrs

from chatd.answers.mcp.statements import quoted_table
from chatd.answers.requests import DatabaseFailed, Sink
from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.nearest import NAMES_MAX, nearest
from chatd.answers.sql.scopes import ContextScope, TableName
from chatd.answers.table import Column, Row
from chatd.wire.codes import Code

TEXT: Final = "text"
"""The column of a text for people, in which the places of the names are not known."""

_NAMES: Final = ("name", "table_name", "tablename", "table")
_SCHEMAS: Final = ("schema", "table_schema", "schemaname", "schema_name")


HOME_SCHEMAS: Final = (None, "", "main", "public")
"""Schemas whose tables need no schema before their names."""
_PLAIN: Final = re.compile(r"[^\W\d]\w*")
_PLAIN_FOLDED: Final = re.compile(r"[a-z_][a-z0-9_]*")
"""Names that need no quotes; without quotes, Postgres takes others for their lower-case form."""
LISTED_MAX: Final = 10_000
"""Rows that are looked through at once, for less than 0.1 s; a longer list is refused."""


@attrs.frozen
class Narrowing:
    """What a context lets a question see; `home` is the schema of tables that are listed without
    one. If it is None, the database was not asked for one schema, and the dialect's own counts.
    """

    scope: ContextScope
    home: str | None = None

    def holds(self, table: TableName) -> bool:
        """Whether the context allows the table to be touched."""
        return self.scope.holds(TableName(table.name, table.schema or self.home))

    @property
    def holds_home(self) -> bool:
        """Whether it allows any table that is listed without a schema to be touched."""
        by_schema = attrs.evolve(self.scope, tables=None)
        return by_schema.holds(TableName("any", self.home))


class Narrowed:
    """A sink that passes rows of allowed tables, and no others, to another sink.

    Raises `DatabaseFailed` if the rows do not tell which tables they are about, or are too many.
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
class ListedTables:
    """A sink of a list of tables, which it keeps."""

    tables: list[TableName] = attrs.field(factory=list)
    _name_at: int | None = None
    _schema_at: int | None = None

    def columns(self, columns: Sequence[Column]) -> None:
        """The columns, once, before the first rows."""
        self._name_at, self._schema_at = places([column.name for column in columns])

    def rows(self, rows: Sequence[Row]) -> None:
        """The next rows, in order."""
        if self._name_at is not None:
            self.tables += [_listed(row, self._name_at, self._schema_at) for row in rows]

    def nearest(self, missing: str, dialect: Dialect) -> list[str]:
        """The tables that may have been meant by one that is not there, as a statement names them.

        Of those that are equally near, only the ones in the schema that is before `missing` are
        told, if there are any.
        """
        schema, _, name = missing.rpartition(".")
        near = [one.casefold() for one in nearest(name, [table.name for table in self.tables])]
        found = [table for table in self.tables if table.name.casefold() in near]
        found = [table for table in found if table.schema == (schema or None)] or found
        found.sort(key=lambda table: near.index(table.name.casefold()))
        return [_as_named(table, dialect) for table in found[:NAMES_MAX]]


def _listed(row: Row, name_at: int, schema_at: int | None) -> TableName:
    name = str(row[name_at])
    if schema_at is None:  # some write it before the name
        schema, _, name = name.rpartition(".")
        return TableName(name, schema or None)
    return TableName(name, None if row[schema_at] is None else str(row[schema_at]))


def _as_named(table: TableName, dialect: Dialect) -> str:
    schema = None if table.schema in HOME_SCHEMAS else table.schema
    parts = [table.name] if schema is None else [schema, table.name]
    plain = _PLAIN_FOLDED if dialect == "postgres" else _PLAIN
    return ".".join(
        part if plain.fullmatch(part) else quoted_table(TableName(part), dialect) for part in parts
    )


def places(columns: Sequence[str]) -> tuple[int | None, int | None]:
    """Which columns of a list of tables hold the names, and which the schemas."""
    words = [column.lower() for column in columns]
    name_at = _first(_NAMES, words)
    if name_at is None and len(words) == 1 and words != [TEXT]:
        name_at = 0
    return name_at, _first(_SCHEMAS, words)


def _first(known: Sequence[str], words: Sequence[str]) -> int | None:
    """The index of the first known word that is there."""
    return next((words.index(word) for word in known if word in words), None)

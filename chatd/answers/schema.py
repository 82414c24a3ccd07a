"""The tables and columns of a database, as far as a client is given them; values only.

They come as rows, whose columns each db-mcp names in its own words. Names serve to complete what
somebody types, so they are exact or absent: a name that is very long, or holds a control character,
is left out.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final, TypeGuard

import attrs
import orjson

from chatd.answers.requests import DatabaseFailed
from chatd.answers.table import Column, Row
from chatd.wire.acks import SchemaColumn, SchemaTable
from chatd.wire.codes import Code
from chatd.wire.encoder import encode

TABLES_MAX: Final = 500
"""Tables of a schema; beyond: they are left out."""
BYTES_MAX: Final = 262_144
"""Bytes of a schema as JSON; beyond: columns are left out, and then tables."""
NAME_CHARS_MAX: Final = 255
"""Code points of a name; a longer one is left out."""
TYPE_CHARS_MAX: Final = 100
"""Code points of a type, or of the kind of a table; beyond: it is cut."""

UNREADABLE: Final = (
    "The server of this database lists its tables as a text for people, which cannot be read."
)

_TABLE_NAMES: Final = ("name", "table_name", "tablename", "table")
_SCHEMA_NAMES: Final = ("schema", "table_schema", "schemaname", "schema_name")
_KIND_NAMES: Final = ("kind", "type", "table_type", "object_type")
_LISTED_NAMES: Final = ("column_name",)
_LISTED_TYPES: Final = ("column_type",)
_COLUMN_NAMES: Final = ("name", "column_name", "column", "field")
_COLUMN_TYPES: Final = ("type", "data_type", "column_type")
_TABLE: Final = "table"
_PLAIN_KINDS: Final = {"base table": _TABLE}


@attrs.frozen
class Schema:
    """A schema as it goes out: each table as JSON."""

    tables: tuple[orjson.Fragment, ...]
    is_truncated: bool


@attrs.define
class KnownTable:
    """A table, and the names and types of its columns."""

    name: str
    schema: str | None
    kind: str
    columns: list[SchemaColumn] = attrs.field(factory=list)


@attrs.define
class SchemaTables:
    """The tables that have come so far. `is_truncated` once anything of them was left out."""

    is_truncated: bool = False
    _tables: dict[tuple[str | None, str], KnownTable] = attrs.field(factory=dict)

    def __iter__(self) -> Iterator[KnownTable]:
        return iter(self._tables.values())

    def add(self, name: object, schema: object, kind: object) -> KnownTable | None:
        """The table of this name, known or new; None if it is left out."""
        if not _is_name(name) or not (schema is None or _is_name(schema)):
            self.is_truncated = True
            return None
        known = self._tables.get((schema, name))
        if known is None:
            if len(self._tables) == TABLES_MAX:
                self.is_truncated = True
                return None
            known = self._tables[schema, name] = KnownTable(name, schema, _kind(kind))
        return known

    def add_column(self, table: KnownTable, name: object, type_: object) -> None:
        """Add a column to a table, after those that are known."""
        if not _is_name(name):
            self.is_truncated = True
            return
        word = _word(type_) if isinstance(type_, str) else ""
        table.columns.append(SchemaColumn(name, word or None))

    def finished(self) -> Schema:
        """All of it as it goes out."""
        left, is_truncated = BYTES_MAX, self.is_truncated
        tables: list[orjson.Fragment] = []
        for table in self:
            written = _written(table)
            if len(written) > left:
                is_truncated = True
                written = _written(attrs.evolve(table, columns=[]))
                if len(written) > left:
                    break
            left -= len(written) + 1  # with the comma
            tables.append(orjson.Fragment(written))
        return Schema(tuple(tables), is_truncated)


@attrs.define
class TableRows:
    """A sink for rows that each describe a table, and perhaps one of its columns."""

    _tables: SchemaTables
    _name_at: int | None = None
    _schema_at: int | None = None
    _kind_at: int | None = None
    _column_at: int | None = None
    _type_at: int | None = None

    def columns(self, columns: Sequence[Column]) -> None:
        """The columns, once, before the first rows. Raises `DatabaseFailed` for a text."""
        words = [column.name.lower() for column in columns]
        self._name_at = _first(_TABLE_NAMES, words)
        if self._name_at is None and len(words) == 1 and words != ["text"]:
            self._name_at = 0
        if self._name_at is None and words:
            raise DatabaseFailed(Code.DB_ERROR, UNREADABLE)
        self._schema_at = _first(_SCHEMA_NAMES, words)
        self._kind_at = _first(_KIND_NAMES, words)
        self._column_at = _first(_LISTED_NAMES, words)
        self._type_at = _first(_LISTED_TYPES, words)

    def rows(self, rows: Sequence[Row]) -> None:
        """The next rows, in order."""
        for row in rows:
            name, schema = _cell(row, self._name_at), _cell(row, self._schema_at)
            if self._schema_at is None and self._column_at is None and isinstance(name, str):
                schema, _, name = name.rpartition(".")  # some write it before the name
            table = self._tables.add(name, schema or None, _cell(row, self._kind_at))
            column = _cell(row, self._column_at)
            if table is not None and column is not None:
                self._tables.add_column(table, column, _cell(row, self._type_at))


@attrs.define
class ColumnRows:
    """A sink for rows that each describe a column of one table."""

    _tables: SchemaTables
    _table: KnownTable
    _name_at: int | None = None
    _type_at: int | None = None

    def columns(self, columns: Sequence[Column]) -> None:
        """The columns, once, before the first rows."""
        words = [column.name.lower() for column in columns]
        self._name_at = _first(_COLUMN_NAMES, words)
        self._type_at = _first(_COLUMN_TYPES, words)
        self._tables.is_truncated |= self._name_at is None and bool(words)

    def rows(self, rows: Sequence[Row]) -> None:
        """The next rows, in order."""
        if self._name_at is not None:
            for row in rows:
                name, type_ = row[self._name_at], _cell(row, self._type_at)
                self._tables.add_column(self._table, name, type_)


def _written(table: KnownTable) -> bytes:
    return encode(
        SchemaTable(name=table.name, schema=table.schema, kind=table.kind, columns=table.columns)
    )


def _is_name(value: object) -> TypeGuard[str]:
    """Whether it is a name that somebody can type."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= NAME_CHARS_MAX
        and not any(unicodedata.category(character) in ("Cc", "Cs") for character in value)
    )


def _kind(word: object) -> str:
    """The kind of a table: the database's own word, except for the plainest."""
    kind = _word(word).lower() if isinstance(word, str) else ""
    return _PLAIN_KINDS.get(kind, kind) or _TABLE


def _word(text: str) -> str:
    """A word of a database for people, in one line."""
    return " ".join(text.encode("utf-8", "replace").decode().split())[:TYPE_CHARS_MAX]


def _first(known: Sequence[str], words: Sequence[str]) -> int | None:
    """The index of the first known word that is there."""
    return next((words.index(word) for word in known if word in words), None)


def _cell(row: Row, at: int | None) -> object:
    return None if at is None else row[at]

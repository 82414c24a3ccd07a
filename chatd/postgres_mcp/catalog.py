"""The tables of a database, as people ask for them; all statements here are our own.

They name everything with its schema, so that nothing in the search path can take its place.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from chatd.answers.requests import DatabaseFailed
from chatd.answers.table import Column
from chatd.db_mcp.statement import quoted, shown
from chatd.postgres_mcp.server import Connection
from chatd.wire.codes import Code

TABLES_COLUMNS: Final = (
    Column("name", "text"),
    Column("schema", "text"),
    Column("kind", "text"),
    Column("columns", "bigint"),
)
ALL_COLUMNS_COLUMNS: Final = (
    Column("name", "text"),
    Column("schema", "text"),
    Column("kind", "text"),
    Column("column_name", "text"),
    Column("column_type", "text"),
)
DESCRIPTION_COLUMNS: Final = (
    Column("name", "text"),
    Column("type", "text"),
    Column("nullable", "boolean"),
    Column("default", "text"),
    Column("primaryKey", "integer"),
    Column("references", "text"),
)

Values = tuple[object, ...]

# Tables that the role may read. The table that a partition is part of stands for it.
_READABLE: Final = """
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
    AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
    AND (pg_catalog.has_table_privilege(c.oid, 'SELECT')
        OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT'))
"""
_NOT_OF_THE_SYSTEM: Final = """
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%%'
"""
_KIND: Final = """
        CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
            WHEN 'f' THEN 'foreign table' ELSE 'table' END
"""
_TABLES: Final = f"""
    SELECT c.relname::text, n.nspname::text, {_KIND},
        (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
    {_READABLE} {_NOT_OF_THE_SYSTEM} AND (%(schema)s::text IS NULL OR n.nspname = %(schema)s)
    ORDER BY NOT pg_catalog.pg_table_is_visible(c.oid), 2, 1
"""
# A table without columns is listed all the same.
_ALL_COLUMNS: Final = f"""
    SELECT t.name, t.schema, t.kind, a.attname::text,
        pg_catalog.format_type(a.atttypid, a.atttypmod)
    FROM (
        SELECT c.oid, c.relname::text AS name, n.nspname::text AS schema, {_KIND} AS kind,
            NOT pg_catalog.pg_table_is_visible(c.oid) AS is_elsewhere
        {_READABLE} {_NOT_OF_THE_SYSTEM} AND (%(schema)s::text IS NULL OR n.nspname = %(schema)s)
    ) AS t
    LEFT JOIN pg_catalog.pg_attribute a
        ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY t.is_elsewhere, 2, 1, a.attnum LIMIT %(most)s
"""
# Tables with exactly this name come before those that differ in case, and those that need no schema
# before those that do. The system's own tables are found only if their schema is named.
_FOUND: Final = f"""
    SELECT c.oid, n.nspname::text, c.relname::text,
        c.relname <> %(name)s, NOT pg_catalog.pg_table_is_visible(c.oid)
    {_READABLE.replace("AND NOT c.relispartition", "")}
    AND pg_catalog.lower(c.relname) = pg_catalog.lower(%(name)s)
    AND (n.nspname = %(schema)s OR (%(schema)s::text IS NULL {_NOT_OF_THE_SYSTEM}))
    ORDER BY 4, 5, 2, 3 LIMIT 2
"""
_COLUMNS: Final = """
    SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
        CASE
            WHEN a.attidentity <> '' THEN 'identity'
            WHEN a.attgenerated <> ''
                THEN 'generated as ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid)
            ELSE pg_catalog.pg_get_expr(d.adbin, d.adrelid)
        END,
        (SELECT pg_catalog.array_position(p.conkey, a.attnum) FROM pg_catalog.pg_constraint p
            WHERE p.conrelid = a.attrelid AND p.contype = 'p'),
        (SELECT pg_catalog.string_agg(f.confrelid::pg_catalog.regclass::text || '.' || (
                SELECT o.attname FROM pg_catalog.pg_attribute o
                WHERE o.attrelid = f.confrelid
                AND o.attnum = f.confkey[pg_catalog.array_position(f.conkey, a.attnum)]
            ), ', ' ORDER BY f.conname)
            FROM pg_catalog.pg_constraint f
            WHERE f.conrelid = a.attrelid AND f.contype = 'f' AND a.attnum = ANY (f.conkey))
    FROM pg_catalog.pg_attribute a
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = %(table)s::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_TYPES: Final = """
    SELECT pg_catalog.format_type(t.oid::oid, t.modifier::integer)
    FROM ROWS FROM (
        pg_catalog.unnest(%(oids)s::text[]), pg_catalog.unnest(%(modifiers)s::text[])
    ) WITH ORDINALITY AS t(oid, modifier, place) ORDER BY t.place
"""


def tables(connection: Connection, schema: str | None) -> list[Values]:
    """The tables and views that the role may read, those in its search path first."""
    return connection.execute(_TABLES, {"schema": schema}).fetchall()


def columns(connection: Connection, schema: str | None, most: int) -> list[Values]:
    """The first `most` columns of the tables and views that the role may read, in the same order,
    each with its table."""
    return connection.execute(_ALL_COLUMNS, {"schema": schema, "most": most}).fetchall()


def describe(connection: Connection, name: str, schema: str | None) -> list[Values]:
    """The columns of a table. Raises `DatabaseFailed` if there is none of that name."""
    oid, _, _ = _find(connection, name, schema)
    return connection.execute(_COLUMNS, {"table": str(oid)}).fetchall()


def quoted_table(connection: Connection, name: str, schema: str | None) -> str:
    """A table as it stands in a statement. Raises `DatabaseFailed` if there is none."""
    _, home, found = _find(connection, name, schema)
    return f"{quoted(home)}.{quoted(found)}"


def _find(connection: Connection, name: str, schema: str | None) -> tuple[int, str, str]:
    """The one table that is meant: its oid, schema and name."""
    parameters = {"name": name, "schema": schema}
    found = connection.execute(_FOUND, parameters).fetchall()
    if not found:
        place = "" if schema is None else f" in the schema {shown(schema)}"
        raise DatabaseFailed(Code.DB_ERROR, f"There is no table {shown(name)} here{place}.")
    if len(found) > 1 and found[0][3:] == found[1][3:]:
        both = " and ".join(f"{shown(home)}.{shown(table)}" for _, home, table, *_ in found)
        sentence = f"More than one table can be meant, as {both}; write its schema before it."
        raise DatabaseFailed(Code.DB_ERROR, sentence)
    oid, home, table, *_ = found[0]
    return oid, home, table


def type_names(connection: Connection, types: Sequence[tuple[int, int]]) -> list[str | None]:
    """The words for types, such as `numeric(10,2)`, each by its oid and modifier."""
    parameters = {
        "oids": _array(oid for oid, _ in types),
        "modifiers": _array(modifier for _, modifier in types),
    }
    return [word for (word,) in connection.execute(_TYPES, parameters)]


def _array(numbers: Iterable[int]) -> str:
    return "{" + ",".join(map(str, numbers)) + "}"

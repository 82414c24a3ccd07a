"""Statements that chatd writes for a db-mcp that takes SQL and has no better tool; pure.

A question's statement is sent as the guard left it, with two exceptions: where a peer would see
parameters that are not parameters, and where it would write values other than as they are.
"""

import re
from collections.abc import Mapping
from typing import Final

from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.scopes import TableName

SAMPLE_ROWS: Final = 10
"""Rows of a sample if the peer has no tool for samples, and a statement asks for them."""

EXPLAIN: Final[Mapping[Dialect, str]] = {
    "sqlite": "EXPLAIN QUERY PLAN ",
    "postgres": "EXPLAIN ",
    "mysql": "EXPLAIN ",
}
"""What goes before a statement so that its plan is told and it does not run, by dialect."""

LIST: Final[Mapping[Dialect, str]] = {
    "sqlite": (
        "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    ),
    "postgres": (
        "SELECT c.relname AS name, n.nspname AS schema, "
        "CASE WHEN c.relkind IN ('v', 'm') THEN 'view' ELSE 'table' END AS type "
        "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' "
        "AND n.nspname !~ '^pg_' ORDER BY n.nspname <> 'public', n.nspname, c.relname"
    ),
    "mysql": (
        "SELECT table_name AS name, table_type AS type FROM information_schema.tables "
        "WHERE table_schema = database() ORDER BY table_name"
    ),
}
"""The tables and views of a database, by dialect."""

COLUMNS: Final[Mapping[Dialect, str]] = {
    "sqlite": (
        "SELECT m.name AS name, m.type AS kind, p.name AS column_name, p.type AS column_type "
        "FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS p "
        "WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
        "ORDER BY m.name, p.cid"
    ),
    "postgres": (
        "SELECT c.relname AS name, n.nspname AS schema, "
        "CASE WHEN c.relkind IN ('v', 'm') THEN 'view' ELSE 'table' END AS kind, "
        "a.attname AS column_name, "
        "pg_catalog.format_type(a.atttypid, a.atttypmod) AS column_type "
        "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' "
        "AND n.nspname !~ '^pg_' AND a.attnum > 0 AND NOT a.attisdropped "
        "ORDER BY n.nspname <> 'public', n.nspname, c.relname, a.attnum"
    ),
    "mysql": (
        "SELECT c.table_name AS name, t.table_type AS kind, c.column_name AS column_name, "
        "c.column_type AS column_type FROM information_schema.columns c "
        "JOIN information_schema.tables t "
        "ON t.table_schema = c.table_schema AND t.table_name = c.table_name "
        "WHERE c.table_schema = database() ORDER BY c.table_name, c.ordinal_position"
    ),
}
"""The columns of all tables and views of a database, by dialect; a limit follows."""

JSON_ROW: Final = "row"
"""The one column of rows that are asked for as JSON."""
_ANSWER: Final = '"the answer of chatd"'
"""What such rows are called in a statement; a column of that name would be taken for them."""

_ASKS_FOR_ROWS: Final = re.compile(r"[\s(]*(?:SELECT|VALUES|TABLE|WITH)\b", re.IGNORECASE)
_PARAMETER: Final = re.compile(r"(?<![:\w$\\]):(?=[\w$]+(?![:\w$]))|\\(?=:[\w$]*(?![:\w$]))")


def quoted_table(table: TableName, dialect: Dialect) -> str:
    """The name of a table in SQL, its parts in quotes, whatever is in them."""
    quote = "`" if dialect == "mysql" else '"'
    parts = (table.name,) if table.schema is None else (table.schema, table.name)
    return ".".join(quote + part.replace(quote, quote * 2) + quote for part in parts)


def sample_statement(table: TableName, dialect: Dialect, max_rows: int) -> str:
    """Some rows of a table."""
    return f"SELECT * FROM {quoted_table(table, dialect)} LIMIT {min(SAMPLE_ROWS, max_rows)}"


def describe_statement(table: TableName, dialect: Dialect) -> str:
    """The columns of a table or view: name, type, nullable, default. No rows, or an error, if it is
    not there."""
    match dialect:
        case "sqlite":
            names = ", ".join(
                _literal(part, dialect) for part in (table.name, table.schema) if part is not None
            )
            return (
                'SELECT name, type, NOT "notnull" AS nullable, dflt_value AS "default" '
                f"FROM pragma_table_info({names}) ORDER BY cid"
            )
        case "postgres":
            name = _literal(quoted_table(table, dialect), dialect)
            return (
                "SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) "
                "AS type, NOT a.attnotnull AS nullable, pg_catalog.pg_get_expr(d.adbin, "
                'd.adrelid) AS "default" FROM pg_catalog.pg_attribute a LEFT JOIN '
                "pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
                f"WHERE a.attrelid = {name}::pg_catalog.regclass AND a.attnum > 0 "
                "AND NOT a.attisdropped ORDER BY a.attnum"
            )
        case "mysql":
            schema = "database()" if table.schema is None else _literal(table.schema, dialect)
            return (
                "SELECT column_name AS name, column_type AS type, is_nullable AS nullable, "
                "column_default AS `default` FROM information_schema.columns WHERE table_schema "
                f"= {schema} AND table_name = {_literal(table.name, dialect)} "
                "ORDER BY ordinal_position"
            )


def _literal(text: str, dialect: Dialect) -> str:
    if dialect == "mysql":
        text = text.replace("\\", "\\\\")
    quoted = text.replace("'", "''")
    return f"'{quoted}'"


def rows_as_json(sql: str) -> str | None:
    """A statement that gives each row of a statement for Postgres as JSON, in a column of text.
    None if it does not ask for rows.

    JSON keeps every digit, tells NULL from a text, has its own lists and objects, and no line
    break. Only Postgres can make it of rows whose columns nobody knows. A statement that writes
    cannot be wrapped like that.
    """
    if _ASKS_FOR_ROWS.match(sql) is None:
        return None
    return (
        f"SELECT pg_catalog.row_to_json({_ANSWER})::pg_catalog.text AS {JSON_ROW} "
        f"FROM ({sql}\n) AS {_ANSWER}"  # its lines keep their numbers
    )


def without_parameters(sql: str) -> str:
    """A statement in which SQLAlchemy's `text()` finds no parameters, and which it turns into the
    statement that was meant.

    To it `:name` is a parameter, even in a literal, and `\\:name` is one that is not; it takes that
    backslash away. So each of the two gets a backslash.
    """
    return _PARAMETER.sub(lambda match: f"\\{match.group()}", sql)

"""The files of `schema`, run one after the other; their number is the version of a log in
PostgreSQL.

`001_log.sql` makes version 1, and so on; a file that was released is never edited. Each runs in a
transaction of its own, which also sets the version, under a lock that lets one node at a time
migrate.
"""

import re
from collections.abc import Sequence
from importlib import resources
from typing import Any, Final

import attrs
import psycopg
from psycopg import sql

from chatd.postgres_store.errors import DatabaseUnfit, Unfit
from chatd.postgres_store.sessions import LOCK_CLASS

_NAME: Final = re.compile(r"(\d{3})_\w+\.sql")
_MIGRATING: Final = "chatd migrates "  # and the schema: the name of the lock
_MIGRATE_S: Final = 600  # for a step: it may have to rewrite a table
UNFINISHED_COPY: Final = "unfinished_copy"
"""A table that is in the schema until `chatd store copy` has finished there."""
_TABLES: Final = f"""
    SELECT count(*), count(*) FILTER (WHERE c.relname = 'meta')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm')
          AND c.relname <> '{UNFINISHED_COPY}'
"""
_IS_UNFINISHED: Final = f"""
    SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = '{UNFINISHED_COPY}'
"""


@attrs.frozen
class Step:
    """The step to one version."""

    version: int
    statements: str


def all_steps() -> Sequence[Step]:
    """The steps of this chatd, in order."""
    folder = resources.files("chatd.postgres_store") / "schema"
    named = sorted(
        (match[1], entry)
        for entry in folder.iterdir()
        if (match := _NAME.fullmatch(entry.name)) is not None
    )
    return [Step(int(number), entry.read_text("utf-8")) for number, entry in named]


def migrate(
    connection: "psycopg.Connection[Any]",
    schema: str,
    epoch: str,
    created_ms: int,
    steps: Sequence[Step] | None = None,
) -> None:
    """Bring the schema to this chatd's version; if it is not there, make it, as a log with this
    `epoch`. Raises DatabaseUnfit, and `psycopg.Error`."""
    steps = all_steps() if steps is None else steps
    found = version_of(connection, schema)
    if found > steps[-1].version:
        raise DatabaseUnfit(
            Unfit.SCHEMA_TOO_NEW,
            f"The schema {schema} has version {found}, of a newer chatd, and this one knows "
            f"{steps[-1].version}; start the newer one.",
        )
    if found == steps[-1].version:
        return
    timeout = connection.execute("SHOW statement_timeout").fetchone()
    connection.execute(f"SET statement_timeout = '{_MIGRATE_S}s'")
    lock = (LOCK_CLASS, f"{_MIGRATING}{schema}")
    connection.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", lock)
    try:
        connection.execute(
            sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema))
            if not _has_schema(connection, schema)
            else "SELECT 1"
        )
        found = version_of(connection, schema)  # another node may have been faster
        for step in steps[found:]:
            with connection.transaction():
                connection.execute(step.statements.encode())
                if step.version == 1:
                    connection.execute(
                        "INSERT INTO meta (version, epoch, created_ms) VALUES (1, %s, %s)",
                        (epoch, created_ms),
                    )
                connection.execute("UPDATE meta SET version = %s", (step.version,))
    finally:
        if not connection.broken:
            connection.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", lock)
            connection.execute("SELECT set_config('statement_timeout', %s, false)", timeout)


def version_of(connection: "psycopg.Connection[Any]", schema: str) -> int:
    """How many steps a schema has taken; 0 if it does not exist or is empty. Raises DatabaseUnfit
    if it holds tables that are not chatd's."""
    row = connection.execute(_TABLES, (schema,)).fetchone()
    tables, metas = row or (0, 0)
    if not tables:
        return 0
    try:
        row = connection.execute("SELECT version, epoch FROM meta").fetchone() if metas else None
    except psycopg.errors.UndefinedColumn:
        row = None
    if row is None:
        raise DatabaseUnfit(
            Unfit.SCHEMA_FOREIGN,
            f"The schema {schema} holds tables that are not chatd's; give chatd one of its own by "
            "[state] schema.",
        )
    return int(row[0])


def is_unfinished_copy(connection: "psycopg.Connection[Any]", schema: str) -> bool:
    """Whether a copy of a log into this schema was begun, and not finished."""
    return connection.execute(_IS_UNFINISHED, (schema,)).fetchone() is not None


def require_finished_copy(connection: "psycopg.Connection[Any]", schema: str) -> None:
    """Raises DatabaseUnfit if a copy into this schema was not finished."""
    if is_unfinished_copy(connection, schema):
        raise DatabaseUnfit(
            Unfit.COPY_UNFINISHED,
            f"A copy of a log into the schema {schema} was not finished. Run chatd store "
            f'copy again; or, to start without it, run DROP SCHEMA "{schema}" CASCADE.',
        )


def _has_schema(connection: "psycopg.Connection[Any]", schema: str) -> bool:
    query = "SELECT 1 FROM pg_namespace WHERE nspname = %s"
    return connection.execute(query, (schema,)).fetchone() is not None

"""Opening the log in PostgreSQL: from an address to a database that is checked, locked and up to
date, with a life of this node in it.

The first connection stays open, and holds the lock that keeps a second chatd out; later it is the
one that writes. A chatd that has lost it, and finds the log taken over, writes nothing any more:
its row in `nodes` is gone.
"""

import contextlib
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import attrs
import psycopg

from chatd.observe.ids import new_uuid
from chatd.postgres_client import why_misread, why_unreached
from chatd.postgres_store.errors import DatabaseUnfit, Unfit
from chatd.postgres_store.lives import begin_life, connect_for_life
from chatd.postgres_store.migrations import migrate, require_finished_copy, version_of
from chatd.postgres_store.recovery import RecoveredLog, recover
from chatd.postgres_store.requirements import ServerFacts, why_unfit
from chatd.postgres_store.sessions import LOCK_CLASS, STATEMENT_S, LogAddress, connect

LOCK_TRIES: Final = 50
"""Tries to take the lock, 0.1 s apart: the server notices a killed chatd in milliseconds."""
_LOCK_AGAIN_S: Final = 0.1
_LOOKS: Final = 3  # at each of two connections, for a pooler

_FACTS: Final = """
    SELECT current_setting('server_version_num')::int, current_setting('server_version'),
           current_setting('server_encoding'),
           pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean,
           current_setting('fsync')::boolean, current_user::text, current_database()::text,
           n.nspname IS NOT NULL,
           has_database_privilege(current_database(), 'CREATE'),
           coalesce(has_schema_privilege(n.oid, 'USAGE'), false)
    FROM (SELECT 1) one LEFT JOIN pg_namespace n ON n.nspname = %s
"""
_MAY_WRITE: Final = """
    SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT (
        has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
        AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
    ORDER BY c.relname LIMIT 1
"""
SESSION: Final = """
    SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()
"""
_TAKE: Final = "SELECT pg_try_advisory_lock(%s, hashtext(%s))"
_SHARE: Final = "SELECT pg_try_advisory_lock_shared(%s, hashtext(%s))"
_CLAIM_ANSWERS: Final = "SELECT claim_answers(%s)"


@attrs.frozen
class LifeBegun:
    """The connection that a node lives by, and its session in the server."""

    connection: "psycopg.Connection[Any]"
    session: tuple[int, datetime]


@attrs.define(eq=False)
class OpenedLog:
    """A log that this node has opened: the connection that holds its lock, and its session in the
    server; the number of this node's life, which changes when `Life` begins anew; what the log
    held; how the node lives."""

    address: LogAddress
    connection: "psycopg.Connection[Any]"
    session: tuple[int, datetime]
    node_id: int
    log: RecoveredLog
    life: LifeBegun | None = None

    def close(self) -> None:
        """Close what is still open of it."""
        self.connection.close()
        if self.life is not None:
            self.life.connection.close()


def open_log(address: LogAddress, now_ms: int) -> OpenedLog:
    """Open the log, or make one if there is none. Blocks, once, at the start. Nodes with a name
    (`LogAddress.node`) share it; a node without one has it alone.

    If it raises DatabaseUnfit, the database is as it was.
    """
    connection = connected(address)
    try:
        with explained(address):
            return _opened(address, connection, now_ms)
    except BaseException:
        connection.close()
        raise


def connected(address: LogAddress, statement_s: float = STATEMENT_S) -> "psycopg.Connection[Any]":
    """A blocking connection, set up. Raises DatabaseUnfit."""
    misread = why_misread(address.url)
    if misread is not None:
        raise DatabaseUnfit(Unfit.URL_INVALID, misread)
    try:
        return connect(address, statement_s)
    except psycopg.Error as error:
        raise DatabaseUnfit(Unfit.UNREACHABLE, why_unreached(address.url, error)) from None


def new_epoch() -> str:
    """A name for a log that no other log has: 16 hex digits."""
    return new_uuid().replace("-", "")[-16:]


def take_lock(address: LogAddress) -> tuple[str, tuple[int, str]]:
    """The statement that takes the lock of a log if it is free, and its parameters."""
    return _SHARE if address.node else _TAKE, (LOCK_CLASS, address.schema)


def _opened(address: LogAddress, connection: "psycopg.Connection[Any]", now_ms: int) -> OpenedLog:
    schema = address.schema
    require_fit(address, connection)
    version_of(connection, schema)  # before the lock, which a foreign schema does not need
    lock_log(connection, address)
    require_finished_copy(connection, schema)
    migrate(connection, schema, new_epoch(), now_ms)
    row = connection.execute(_MAY_WRITE, (schema,)).fetchone()
    if row is not None:
        raise DatabaseUnfit(
            Unfit.RIGHT_MISSING,
            f"The user of the database may not read and write the table {row[0]} of the schema "
            f"{schema}; let its owner grant SELECT, INSERT, UPDATE and DELETE on all its tables.",
        )
    [session] = connection.execute(SESSION)
    living = connect_for_life(address)
    try:
        life = LifeBegun(living, *living.execute(SESSION))
        node_id = begin_life(address, living)
        connection.execute(_CLAIM_ANSWERS, (node_id,))
        return OpenedLog(address, connection, session, node_id, recover(connection, node_id), life)
    except BaseException:
        living.close()
        raise


def require_fit(address: LogAddress, connection: "psycopg.Connection[Any]") -> None:
    """Raises DatabaseUnfit unless the database may have a log, and `psycopg.Error`."""
    facts = _facts(address, connection)
    unfit = why_unfit(facts, address.schema, needs_fsync=address.is_synced)
    if unfit is not None:
        raise unfit


def _facts(address: LogAddress, connection: "psycopg.Connection[Any]") -> ServerFacts:
    row = connection.execute(_FACTS, (address.schema,)).fetchone()
    assert row is not None
    with connect(address) as other:
        backends = tuple((_backend(connection), _backend(other)) for _ in range(_LOOKS))
    return ServerFacts(backends, *row)


def _backend(connection: "psycopg.Connection[Any]") -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])


def lock_log(connection: "psycopg.Connection[Any]", address: LogAddress) -> None:
    """Take the lock of a log, for as long as the session lasts. Raises DatabaseUnfit if others have
    it, and `psycopg.Error`."""
    for _ in range(LOCK_TRIES):
        if connection.execute(*take_lock(address)).fetchone() == (True,):
            return
        time.sleep(_LOCK_AGAIN_S)
    schema = address.schema
    raise DatabaseUnfit(
        Unfit.SCHEMA_IN_USE,
        f"Another chatd keeps its log in the schema {schema} of this database; end it, or give "
        "this one a schema of its own by [state] schema. Nodes that share a log have a name each, "
        "by [cluster] node.",
    )


@contextlib.contextmanager
def explained(address: LogAddress) -> Iterator[None]:
    """Turn errors of the server into DatabaseUnfit, with a sentence for people."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        said = error.diag.message_primary or "permission denied"
        raise DatabaseUnfit(
            Unfit.RIGHT_MISSING,
            f"The user of the database lacks a right that chatd needs ({said}); let the owner of "
            f"the schema {address.schema} grant it.",
        ) from None
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise DatabaseUnfit(Unfit.UNREACHABLE, why_unreached(address.url, error)) from None
        raise DatabaseUnfit(
            Unfit.UNREACHABLE,
            f"The database has failed ({error.sqlstate}, {type(error).__name__}); see its own log.",
        ) from None

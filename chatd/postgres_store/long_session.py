"""Sessions for commands that read or write a whole log, which takes as long as the log is large."""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import psycopg

from chatd.postgres_store.migrations import all_steps, require_finished_copy, version_of
from chatd.postgres_store.opening import connected, explained
from chatd.postgres_store.sessions import LogAddress
from chatd.store.errors import StoreTooOld, StoreUnavailable

_UNBOUNDED_S: Final = 0.0


@contextlib.contextmanager
def long_session(address: LogAddress) -> "Iterator[psycopg.Connection[Any]]":
    """A connection whose statements may take as long as they need; after the block, what is not
    committed is gone."""
    connection = connected(address, _UNBOUNDED_S)
    with contextlib.closing(connection), explained(address):
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        yield connection


def require_log(connection: "psycopg.Connection[Any]", schema: str) -> None:
    """Raises `StoreUnavailable` if there is no log in the schema, `StoreTooOld` if it is not of
    this chatd's version, and `DatabaseUnfit`."""
    require_finished_copy(connection, schema)
    found, newest = version_of(connection, schema), all_steps()[-1].version
    if not found:
        raise StoreUnavailable(f"There is no log in the schema {schema} of this database.")
    if found != newest:
        raise StoreTooOld(
            f"The schema {schema} has version {found}, and this chatd reads {newest}; start the "
            "newest one once."
        )

"""The database server, and the connections to it.

A call has a connection to itself, and gives it back when it has ended well: opening one, with TLS
and over a distance, takes many times longer than most statements. What a call may have left in the
session is discarded; a connection that had an error of its own is closed.
"""

import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeAlias

import attrs
import psycopg

from chatd.answers.mcp.contract import ROWS_WRITTEN_MAX
from chatd.answers.requests import DatabaseFailed
from chatd.postgres_client import conninfo_of, why_unreached
from chatd.postgres_mcp.values import exact_values

KEPT_MAX: Final = 2
"""Connections that are kept open when no call runs."""
CANCEL_S: Final = 4.0
"""How long a request to cancel may take; the process ends if a call does not heed it
(`STUCK_S`)."""
MEMORY_BYTES_MAX: Final = 2_147_483_648
"""The most address space of the process. libpq reads a row as a whole, and rows of Postgres can
have 1 GB: a statement that gives such a row fails, and takes no memory from others."""

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]


@attrs.define(eq=False)
class PostgresServer:
    """A database of a server, whether calls may ask to write to it, and how much each may.

    `address` is a connection string or URL of libpq, which holds secrets; libpq takes what it
    leaves out from the PG variables of the environment.
    """

    address: str = attrs.field(repr=False)
    is_writable: bool = False
    max_rows_written: int = ROWS_WRITTEN_MAX
    _kept: list[Connection] = attrs.field(factory=list, init=False, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection without a transaction, for one call. Raises `psycopg.Error`."""
        connection = self._take() or self._open()
        try:
            yield connection
        except (psycopg.Error, DatabaseFailed) as error:
            if isinstance(error, psycopg.Error) and error.sqlstate is None:
                connection.close()  # it had an error of its own: it is broken, or out of memory
            else:
                self._give_back(connection)
            raise
        except BaseException:  # stopped: a request to cancel may still be on its way
            connection.close()
            raise
        self._give_back(connection)

    def _open(self) -> Connection:
        connection: Connection = psycopg.connect(
            conninfo_of(self.address),
            autocommit=True,
            context=exact_values(),
            prepare_threshold=None,  # a pooler may give each transaction another server's session
        )
        return connection

    def _take(self) -> Connection | None:
        """A kept connection that still answers, or None."""
        while True:
            with self._lock:
                if not self._kept:
                    return None
                connection = self._kept.pop()
            try:
                connection.execute("")
            except psycopg.Error:
                connection.close()
            else:
                return connection

    def _give_back(self, connection: Connection) -> None:
        if connection.closed:
            return
        try:
            connection.execute("ROLLBACK")
            connection.execute("DISCARD ALL")
        except psycopg.Error:
            connection.close()
            return
        with self._lock:
            if len(self._kept) < KEPT_MAX:
                self._kept.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            kept, self._kept = self._kept, []
        for connection in kept:
            connection.close()


def cancel(connection: Connection) -> None:
    """Have the server end what the connection is running; call it from any thread."""
    with suppress(psycopg.Error, OSError):
        connection.cancel_safe(timeout=CANCEL_S)


def bound_memory() -> None:
    """Set the limit of the process's memory; it cannot be raised again."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = MEMORY_BYTES_MAX if hard == resource.RLIM_INFINITY else min(hard, MEMORY_BYTES_MAX)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def check_reached(server: PostgresServer) -> None:
    """Connect once, and if that fails, end the process with a sentence on standard error."""
    try:
        with server.connection():
            pass
    except psycopg.Error as error:
        sys.exit(why_unreached(server.address, error))

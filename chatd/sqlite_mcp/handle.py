"""A connection to the database file for one call, with everything that bounds what a statement can
do.

The file is opened read-only unless the call may write. What SQLite would spill to temporary files
stays in memory, and SQLite's memory in the whole process has one hard limit: a statement that wants
more fails.
"""

import contextlib
import sqlite3
from pathlib import Path

import attrs

from chatd.answers.mcp.contract import GROWTH_BYTES_MAX, ROWS_WRITTEN_MAX
from chatd.sqlite_mcp.functions import VALUE_BYTES_MAX, bound_functions

HEAP_BYTES_MAX = 134_217_728
"""SQLite's memory in the whole process, for all calls together; beyond it a statement fails."""
CALLS_WITH_LONG_VALUES = 100
"""In a statement with at most so many calls of functions, each value may have `VALUE_BYTES_MAX`.
Nothing stops SQLite between two calls, and the slowest (`json_set`) takes 0.08 s for such a value:
if there are more calls, values must be shorter, so that the calls for one row never take longer
than 8 s."""
EXPRESSION_DEPTH_MAX = 1_000
"""How deep the parts of an expression may be nested: `a OR b OR c` has three levels. SQLite's own
limit."""
COMPOUND_TERMS_MAX = 500
"""How many SELECTs UNION and the like may put together. SQLite's own limit."""
PATTERN_BYTES_MAX = 100
"""The longest pattern of LIKE or GLOB; see below."""
LOCK_WAIT_S = 0.25
"""How long SQLite waits for a lock in one go: nothing interrupts it meanwhile."""

_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: VALUE_BYTES_MAX,
    # More than a statement may have, as SQLite also reads the statements that made the tables.
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: EXPRESSION_DEPTH_MAX,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: COMPOUND_TERMS_MAX,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 1_000_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    # The time of LIKE and GLOB grows with the length of the pattern, and nothing stops them.
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: PATTERN_BYTES_MAX,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 100,  # full-text search has statements with some
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 50,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}


@attrs.frozen
class DatabaseFile:
    """The database file, whether calls may ask to write to it, and how much each may."""

    path: Path
    is_writable: bool = False
    max_rows_written: int = ROWS_WRITTEN_MAX
    max_growth_bytes: int = GROWTH_BYTES_MAX


def bound_memory() -> None:
    """Set the limit of SQLite's memory for the process; it cannot be raised again."""
    connection = sqlite3.connect(":memory:")
    connection.execute(f"PRAGMA hard_heap_limit = {HEAP_BYTES_MAX}")
    connection.close()


class Handle(sqlite3.Connection):
    """A connection to the file, and beside it one to no file, for functions that need it."""

    aside: sqlite3.Connection

    def close(self) -> None:
        """Close both."""
        self.aside.close()
        super().close()


def open_handle(place: DatabaseFile, will_write: bool) -> Handle:
    """Open the file; it must be there. Raises `sqlite3.Error`.

    Loading extensions is off in SQLite, and nothing here turns it on.
    """
    mode = "rw" if will_write else "ro"
    connection = sqlite3.connect(
        f"{place.path.absolute().as_uri()}?mode={mode}",
        uri=True,
        factory=Handle,
        timeout=LOCK_WAIT_S,
        isolation_level=None,
        cached_statements=0,  # a statement is compiled under the authorizer of its call, each time
    )
    connection.aside = sqlite3.connect(":memory:")
    try:
        _bound(connection, will_write)
    except BaseException:
        connection.close()
        raise
    return connection


def _bound(connection: Handle, will_write: bool) -> None:
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")  # else U+FFFD
    for limit, value in _LIMITS.items():
        connection.setlimit(limit, value)
    connection.aside.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)
    for pragma in (
        "trusted_schema = OFF",
        "temp_store = MEMORY",
        "cell_size_check = ON",
        f"foreign_keys = {'ON' if will_write else 'OFF'}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    bound_functions(connection, connection.aside)


def bound_values(connection: sqlite3.Connection, calls: int) -> None:
    """Bound the values of a statement with so many calls of functions."""
    if calls > CALLS_WITH_LONG_VALUES:
        most = VALUE_BYTES_MAX * CALLS_WITH_LONG_VALUES // calls
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, most)


def bound_growth(connection: sqlite3.Connection, place: DatabaseFile) -> None:
    """From now on no statement on the connection may make the file longer than allowed."""
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    most = pages + -(-place.max_growth_bytes // page_bytes)
    connection.execute(f"PRAGMA max_page_count = {most}").close()


def bytes_beside(path: Path) -> int:
    """The size of what SQLite writes beside a file until a change is part of it."""
    total = 0
    for suffix in ("-journal", "-wal"):
        with contextlib.suppress(OSError):
            total += path.with_name(path.name + suffix).stat().st_size
    return total


def forbid_writes(connection: sqlite3.Connection) -> None:
    """From now on no statement on the connection may write, not even to temporary tables."""
    connection.execute("PRAGMA query_only = ON")

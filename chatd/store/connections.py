"""Connections to the log's file, with the settings that its promises rest on.

Why these: SQLite's documentation on WAL and on each pragma.

- WAL: readers and the writer do not wait for each other, a commit is one append.
- `synchronous`: see `Durability`.
- No memory map: an I/O error in one is a SIGBUS, which kills the daemon; a failed read is an error.
- The checkpoint runs in the commit that fills 1,000 pages (4 MB): bounded work, every few hundred
  commits. A WAL that a long read had let grow is cut back to `WAL_KEPT_BYTES`.
"""

import enum
import sqlite3
from pathlib import Path

from chatd.store.damage import text_or_broken

BUSY_TIMEOUT_S = 5.0  # another process at the file: `store backup`, the sqlite3 shell
WAL_AUTOCHECKPOINT_PAGES = 1_000
WAL_KEPT_BYTES = 32 * 1024 * 1024
WRITER_CACHE_KIB = 16 * 1024
READER_CACHE_KIB = 4 * 1024


class Durability(enum.StrEnum):
    """What a commit survives.

    `FSYNC`: a cut of power, as far as the disk keeps its word. `WRITE`: a killed process only;
    after a cut of power the log is whole but may lack its last commits. (`synchronous=NORMAL`;
    `OFF` is hardly faster, and could leave a damaged file.)
    """

    FSYNC = "fsync"
    WRITE = "write"


_SYNCHRONOUS = {Durability.FSYNC: "FULL", Durability.WRITE: "NORMAL"}


def connect_to_write(
    path: Path,
    durability: Durability,
    *,
    cache_kib: int = WRITER_CACHE_KIB,
    checkpoint_pages: int = WAL_AUTOCHECKPOINT_PAGES,
) -> sqlite3.Connection:
    """A connection that commits to the existing file `path`. Raises `sqlite3.Error`."""
    connection = _connect(path, "rw", cache_kib)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {checkpoint_pages}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that can change nothing. Raises `sqlite3.Error`."""
    return _connect(path, "ro", READER_CACHE_KIB)


def connect_to_unused(path: Path) -> sqlite3.Connection:
    """A connection that reads a file without a writer, as it lies. Raises `sqlite3.Error`.

    It takes no lock and makes no file beside it: so it does not check who has the log now
    (`log_file.look`), and does not see a WAL.
    """
    return _connect(path, "ro&immutable=1", READER_CACHE_KIB)


def connect_to_create(path: Path) -> sqlite3.Connection:
    """A connection to an empty file, in a rollback journal: closed, it leaves one whole file."""
    connection = _connect(path, "rw", WRITER_CACHE_KIB)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _connect(path: Path, mode: str, cache_kib: int) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,  # transactions are begun by us, as IMMEDIATE
        check_same_thread=False,  # handed from thread to thread, never used by two at once
    )
    try:
        connection.text_factory = text_or_broken  # one broken text costs its row alone
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA mmap_size = 0")
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    except BaseException:
        connection.close()
        raise
    return connection

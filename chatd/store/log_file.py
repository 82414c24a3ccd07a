"""The log as a file: what can be seen of it before SQLite looks, and what its errors mean.

Shared by all that open one: the start, `store verify`, `backup` and `restore`.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from chatd.store import schema
from chatd.store.errors import StoreDamaged, StoreUnavailable

LOG_NAME = "log.sqlite3"
_PRIMARY_CODE = 0xFF
_HEADER_BYTES = 100
# The surroundings of the file are at fault, not its bytes.
_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_AUTH,
    }
)


def require_whole_or_absent(path: Path) -> None:
    """Look at the sizes before SQLite does, which would empty a WAL that it finds no log for."""
    wal = path.with_name(f"{path.name}-wal")
    wal_bytes = wal.stat().st_size if wal.exists() else 0
    if not path.exists():
        if wal_bytes:
            raise StoreDamaged(path, f"it is missing, while its {wal.name} is there")
        return
    if path.stat().st_size == 0:
        raise StoreDamaged(path, "it is empty")
    _require_header(path, of_full_length=not wal_bytes)


def _require_header(path: Path, *, of_full_length: bool) -> None:
    """Read the first 100 bytes (SQLite's file format, 1.3) before a connection may change them.

    With no WAL, the file is as long as they say; with one, its pages may still be in there.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
        size = file.seek(0, os.SEEK_END)
    if len(header) < _HEADER_BYTES or not header.startswith(b"SQLite format 3\0"):
        raise StoreDamaged(path, "it does not begin as an SQLite file does")
    if int.from_bytes(header[68:72], "big") != schema.APPLICATION_ID:
        raise StoreDamaged(path, "it is an SQLite file, but not a log of chatd")
    if not of_full_length:
        return
    page_size = int.from_bytes(header[16:18], "big")
    page_bytes = 65_536 if page_size == 1 else page_size
    pages = int.from_bytes(header[28:32], "big")
    if size < pages * page_bytes:
        raise StoreDamaged(path, f"it was cut off, {pages * page_bytes - size} bytes are missing")


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Errors of SQLite and of the system become those of the store."""
    try:
        yield
    except OSError as error:
        raise unavailable(path, error) from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
        if code in _UNAVAILABLE:
            raise unavailable(path, error) from error
        raise StoreDamaged(path, str(error)) from error
    except ValueError as error:
        raise StoreDamaged(path, str(error)) from error


def unavailable(path: Path, error: Exception) -> StoreUnavailable:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return StoreUnavailable(
        f"{path} cannot be used: {reason}. The state directory must be a directory that chatd may "
        "write to, on a disk with space left."
    )

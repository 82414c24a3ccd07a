"""The log as a file: what can be seen of it before SQLite looks, and what its errors mean.

Shared by everything that opens a log: the start, `store verify`, `backup` and `restore`.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from chatd.counts import counted
from chatd.files import fault_of_folder, open_file, require_file
from chatd.store import schema
from chatd.store.connections import connect_to_read, connect_to_unused
from chatd.store.damage import WRONG_VALUE, is_unavailable, words_of
from chatd.store.errors import StoreDamaged, StoreTooNew, StoreUnavailable

LOG_NAME = "log.sqlite3"
_T = TypeVar("_T")
_SUFFIXES = ("", "-wal", "-shm", "-journal")  # of a log, and of what SQLite keeps beside it
_HEADER_BYTES = 100


def files_of(path: Path) -> tuple[Path, ...]:
    """A log, and what SQLite may keep beside it."""
    return tuple(path.with_name(path.name + suffix) for suffix in _SUFFIXES)


def wal_of(path: Path) -> Path:
    """The write-ahead log of a log; SQLite removes it when its last user leaves."""
    return path.with_name(f"{path.name}-wal")


def look(path: Path, question: Callable[[sqlite3.Connection], _T]) -> _T:
    """Ask `question` in one view of the log, whether a daemon has it open or not.

    Without a WAL no process has it open, and the file is read as it lies. No file is made beside
    it, as a daemon of another user could not open that. Should a daemon start meanwhile, the
    question is asked again by way of the WAL. Changes nothing. Raises what the question raises.
    """
    if not wal_of(path).exists():
        before = _traces(path)
        try:
            answer = _ask(connect_to_unused(path), question)
        except (sqlite3.Error, *WRONG_VALUE):
            if _traces(path) == before:
                raise
        else:
            if _traces(path) == before:
                return answer
    return _ask(connect_to_read(path), question)


@contextlib.contextmanager
def look_while_unused(path: Path) -> Iterator[sqlite3.Connection]:
    """One view of a log in a directory that is locked, so that no daemon starts meanwhile."""
    connect = connect_to_read if wal_of(path).exists() else connect_to_unused
    with contextlib.closing(connect(path)) as connection:
        keep_copies_on_disk(connection)
        connection.execute("BEGIN")
        yield connection


def _ask(connection: sqlite3.Connection, question: Callable[[sqlite3.Connection], _T]) -> _T:
    with contextlib.closing(connection):
        keep_copies_on_disk(connection)
        connection.execute("BEGIN")
        return question(connection)


def keep_copies_on_disk(connection: sqlite3.Connection) -> None:
    """Let temporary tables lie in files: a full check copies the index of the search."""
    connection.execute("PRAGMA temp_store = FILE")


def _traces(path: Path) -> tuple[bool, int, int, int]:
    """What tells that a writer is at work: its WAL is there, or what it wrote is in the file."""
    status = path.stat()
    return wal_of(path).exists(), status.st_ino, status.st_size, status.st_mtime_ns


def require_known_form(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the tables. Raises `StoreTooNew`, or `StoreDamaged` if there is no version."""
    version = schema.version(connection)
    if version < 1:
        raise StoreDamaged(path, "it has no version of its tables")
    if version > schema.CURRENT_VERSION:
        raise StoreTooNew(
            f"The log {path} has the form {version}, which a newer chatd wrote; this one knows "
            f"forms up to {schema.CURRENT_VERSION}. Start the newer chatd, or restore a backup "
            "from before its first start."
        )
    return version


def require_whole_or_absent(path: Path) -> None:
    """Look at the files before SQLite does, which would empty a WAL that it finds no log for, and
    may wait for ever if this is not a regular file. Raises `StoreDamaged`, and `OSError`."""
    for one in files_of(path):
        if os.path.lexists(one):
            require_file(one)
    wal = wal_of(path)
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
    with open(open_file(path, os.O_RDONLY), "rb") as file:
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
        lacks = counted(pages * page_bytes - size, "byte")
        raise StoreDamaged(path, f"it was cut off, and lacks {lacks}")


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Errors of SQLite and of the system become those of the store, without a word of a row."""
    try:
        yield
    except OSError as error:
        raise unavailable(path, error) from error
    except (sqlite3.Error, *WRONG_VALUE) as error:
        if isinstance(error, sqlite3.Error) and is_unavailable(error):
            raise unavailable(path, error) from error
        raise StoreDamaged(path, words_of(error)) from error


def no_log(directory: Path, wanted_for: str) -> StoreUnavailable:
    """The sentence for a state directory without a log, which was wanted "to verify"."""
    fault = fault_of_folder(directory)
    if fault is None:
        return StoreUnavailable(f"There is no log in {directory}: nothing {wanted_for}.")
    return StoreUnavailable(
        f"There is no log in {directory}, and nothing {wanted_for}: {fault}; name the daemon's "
        "state directory with --state-dir."
    )


def unavailable(path: Path, error: Exception) -> StoreUnavailable:
    """The sentence for a path that cannot be used now."""
    named = getattr(error, "filename", None) or path
    return StoreUnavailable(
        f"{named} cannot be used: {words_of(error)}. The state directory must be a directory that "
        "chatd may write to, on a disk with space left, and what is in it must be files."
    )

"""`chatd store backup`: a whole copy of the log in one file, while a daemon writes to it or not.

The copy is made by SQLite's online backup, in steps, from one view of the log: what is committed
meanwhile is not in it, and does not make it begin anew. It is made under another name, checked,
synced and renamed, so that what has the name of a backup is one. A `kill -9` leaves an unfinished
copy as `TARGET.unfinished`, which the next backup to TARGET takes over.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import attrs

from chatd.files import fault_of_folder, sync_directory
from chatd.store.connections import connect_to_create
from chatd.store.damage import is_unavailable, words_of
from chatd.store.errors import BackupFailed, StoreDamaged
from chatd.store.log_file import (
    LOG_NAME,
    explained,
    files_of,
    look,
    no_log,
    require_known_form,
    require_whole_or_absent,
)
from chatd.store.replacement import require_in_place

PAGES_PER_STEP = 1_000  # 4 MB; between two steps a signal is heard
_UNFINISHED_SUFFIX = ".unfinished"


@attrs.frozen
class BackedUp:
    """A finished backup, and how much is in it."""

    path: Path
    size_bytes: int
    message_count: int


def back_up_store(directory: Path, target: Path) -> BackedUp:
    """Copy the log of a state directory to the new file `target`, which its user alone may read.

    Raises `BackupFailed` if there is something at `target`, or it cannot be written;
    `StoreUnavailable` if there is no log; `StoreTooNew`; or `StoreDamaged`: a damaged copy is not
    kept as a backup.
    """
    source = directory / LOG_NAME
    with explained(source):
        require_in_place(directory)
        require_whole_or_absent(source)
    if not source.exists():
        raise no_log(directory, "to back up")
    _require_free(target)
    fault = fault_of_folder(target.parent)
    if fault is not None:
        raise BackupFailed(
            f"The backup {target} was not made: {fault}; make that folder, or name another one."
        )
    unfinished = target.with_name(target.name + _UNFINISHED_SUFFIX)
    try:
        with _reserved(unfinished):
            message_count = copy_log(source, unfinished)
            _require_free(target)
            unfinished.rename(target)
        sync_directory(target.parent)
        return BackedUp(target, target.stat().st_size, message_count)
    except OSError as error:
        raise BackupFailed(
            f"The backup {target} was not made: {error.strerror or error}."
        ) from error


def copy_log(source: Path, target: Path) -> int:
    """Copy a log into the empty file `target`, check and sync it; returns how many messages it
    holds.

    Raises `BackupFailed`, `StoreTooNew` or `StoreDamaged`, which name `source`, and `OSError`.
    """
    try:
        message_count = look(source, lambda connection: _copy(connection, source, target))
    except (sqlite3.Error, ValueError) as error:
        if isinstance(error, sqlite3.Error) and is_unavailable(error):
            words = words_of(error)
            raise BackupFailed(f"The log {source} was not copied to {target}: {words}.") from error
        raise StoreDamaged(source, words_of(error)) from error
    sync_file(target)
    return message_count


def _copy(log: sqlite3.Connection, source: Path, target: Path) -> int:
    require_known_form(log, source)  # the view begins with this read
    with contextlib.closing(connect_to_create(target)) as copy:
        copy.execute("PRAGMA synchronous = OFF")  # until it is whole it is worth nothing
        log.backup(copy, pages=PAGES_PER_STEP)
        # The copy has the mode of the log, and would need a WAL to be read: one file is wanted.
        copy.execute("PRAGMA journal_mode = DELETE").fetchall()
        for (line,) in copy.execute("PRAGMA quick_check(1)"):
            if line != "ok":
                raise StoreDamaged(source, " ".join(str(line).split()))
        [(message_count,)] = copy.execute("SELECT count(*) FROM messages")
        return int(message_count)


def sync_file(path: Path) -> None:
    """Make what was written to a file durable. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_log(path: Path) -> None:
    """Remove an unfinished log, with what SQLite may have left beside it. Raises `OSError`."""
    for one in files_of(path):
        one.unlink(missing_ok=True)


def _require_free(target: Path) -> None:
    if os.path.lexists(target):
        raise BackupFailed(f"{target} is there already; a backup replaces nothing.")


@contextlib.contextmanager
def _reserved(unfinished: Path) -> Iterator[None]:
    """An empty file that no other backup writes to; it is removed if the block fails."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(unfinished, flags, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupFailed(f"Another backup writes to {unfinished} just now.") from None
        try:
            os.fchmod(descriptor, 0o600)
            os.ftruncate(descriptor, 0)
            yield
        except BaseException:
            with contextlib.suppress(OSError):
                remove_log(unfinished)
            raise
    finally:
        os.close(descriptor)

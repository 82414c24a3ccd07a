"""`chatd store restore`: a backup becomes the log of a state directory in which no daemon runs.

It is copied, checked in full and given a new epoch before anything else is touched. By the epoch,
clients see that what they know is of another log (`reset` in docs/protocol, "History"), and a start
sees that the snapshots there are not of this log. The position goes on from the backup's.
"""

import contextlib
import os
from pathlib import Path

import attrs

from chatd.files import fault_of_folder, give_to_owner_of, require_file, sync_directory
from chatd.store import schema
from chatd.store.backup import copy_log, remove_log, sync_file
from chatd.store.connections import connect_to_create
from chatd.store.errors import BackupDamaged, BackupFailed, StoreDamaged
from chatd.store.integrity import faults
from chatd.store.lock import LOCK_NAME, DirectoryLock
from chatd.store.log_file import (
    LOG_NAME,
    explained,
    keep_copies_on_disk,
    require_whole_or_absent,
)
from chatd.store.recovery import Recovered, recover
from chatd.store.replacement import put_in_place, restored_path
from chatd.store.state_directory import make_directory

_UNFINISHED_NAME = f"{LOG_NAME}.restoring"


@attrs.frozen
class Restored:
    """What the log holds now, and where the files that were there before are, if any were."""

    recovered: Recovered
    replaced: Path | None


def restore_store(directory: Path, backup: Path, now_ms: int) -> Restored:
    """Make the log of `directory`, which is made if it is not there, from the file `backup`.

    Raises `StoreLocked` while a daemon runs in it, `BackupFailed`, `BackupDamaged` or
    `StoreTooNew`: then the directory is as it was.
    """
    try:
        require_file(backup)
    except OSError as error:
        raise BackupFailed(f"There is no backup at {backup}: {_why_not(backup, error)}.") from error
    with explained(directory):
        make_directory(directory)
        lock = DirectoryLock.acquire(directory)
        try:
            put_in_place(directory)  # an earlier restore may have been cut off
            restored = restored_path(directory, now_ms)
            recovered = _prepare(directory / _UNFINISHED_NAME, backup, restored)
            replaced = put_in_place(directory)
            _hand_over(directory, directory / LOCK_NAME, *([replaced] if replaced else []))
        finally:
            lock.release()
    return Restored(recovered, replaced)


def _why_not(backup: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return fault_of_folder(backup.parent) or "that file does not exist"
    return error.strerror or type(error).__name__


def _prepare(unfinished: Path, backup: Path, restored: Path) -> Recovered:
    """A log that waits for its place, as durable as it will ever be."""
    remove_log(unfinished)
    try:
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        recovered = _copy_whole(backup, unfinished)
        _hand_over(unfinished.parent, unfinished)
        sync_file(unfinished)
        unfinished.rename(restored)
    except BaseException:
        with contextlib.suppress(OSError):
            remove_log(unfinished)
        raise
    sync_directory(restored.parent)
    return recovered


def _copy_whole(backup: Path, unfinished: Path) -> Recovered:
    try:
        require_whole_or_absent(backup)
        copy_log(backup, unfinished)
    except StoreDamaged as damaged:
        raise _damaged(backup, damaged.what) from damaged
    except OSError as error:
        raise BackupFailed(
            f"The backup {backup} was not copied: {error.strerror or error}."
        ) from error
    with contextlib.closing(connect_to_create(unfinished)) as connection:
        keep_copies_on_disk(connection)
        schema.migrate(connection, schema.version(connection))
        for fault in faults(connection):
            raise _damaged(backup, fault.removesuffix("."))
        schema.name_anew(connection, schema.another_epoch(connection))
        return recover(connection)


def _damaged(backup: Path, what: str) -> BackupDamaged:
    return BackupDamaged(f"The backup {backup} is damaged: {what}. Nothing was changed.")


def _hand_over(directory: Path, *made: Path) -> None:
    """Give what root made to the directory's owner, the user of the daemon, who may have put a link
    to another file in its place: that is not followed."""
    for path in made:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            give_to_owner_of(directory, descriptor)
        finally:
            os.close(descriptor)

"""The state directory before it is opened: there, and locked."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from chatd.files import sync_directory
from chatd.store.lock import DirectoryLock
from chatd.store.log_file import unavailable


@contextlib.contextmanager
def locked_to_open(directory: Path) -> Iterator[DirectoryLock]:
    """Make the state directory if there is none, and lock it; the lock is released if the block
    fails. Raises `StoreUnavailable`, `StoreLocked`."""
    try:
        make_directory(directory)
        lock = DirectoryLock.acquire(directory)
    except OSError as error:
        raise unavailable(directory, error) from error
    try:
        yield lock
    except BaseException:
        lock.release()
        raise


def make_directory(directory: Path) -> None:
    """Make a state directory if there is none, for its user alone. Raises `OSError`."""
    if directory.is_dir():
        return
    if directory.exists():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(directory))
    directory.mkdir(mode=0o700, parents=True)
    sync_directory(directory.parent)

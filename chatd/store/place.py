"""Whether the files of an open log are still where it will be looked for.

SQLite goes on writing to a file that has lost its name: what is committed then is gone with the
process. So whoever commits asks here before anybody is told, by comparing what the paths lead to
with what was opened. That is a `stat` for each file (2 us, measured): of the log and its WAL,
before a commit, so that none is made that is refused then, and after it.

The index in shared memory is looked at now and then (`require_all`): without it nothing is lost,
but a process that finds none makes another one, and may remove the WAL as it leaves.
"""

import os
from pathlib import Path
from typing import TypeAlias

from chatd.store.errors import StoreDisplaced

_File: TypeAlias = tuple[str, int, int]  # the path, and which file it led to: device and number
_WAL, _INDEX = "-wal", "-shm"  # there as long as somebody has the log open


class Place:
    """Of one log, from its opening on. Each `require` may be called from any thread.

    They raise `StoreDisplaced` where a path does not lead to the file that was opened.
    """

    def __init__(self, path: Path) -> None:
        """The log is open, or nobody else can replace it. Raises `OSError`."""
        self._path = str(path)
        self._log = _file(self._path)
        self._wal: _File | None = None
        self._index: _File | None = None

    def learn(self) -> None:
        """A connection that writes has just been opened: these are its files.

        A file system that has no shared memory has neither of those beside the log.
        """
        self.require_log()
        self._wal, self._index = (self._beside(suffix) for suffix in (_WAL, _INDEX))

    def forget(self) -> None:
        """The connection that writes is about to be closed: what lies beside the log may go."""
        self._wal = self._index = None

    def require_log(self) -> None:
        """Look at the log."""
        _require(self._log)

    def require(self) -> None:
        """Look at all that a commit lies in."""
        _require(self._log)
        if self._wal is not None:
            _require(self._wal)

    def require_all(self) -> None:
        """Look at all that SQLite has open."""
        self.require()
        if self._index is not None:
            _require(self._index)

    def _beside(self, suffix: str) -> _File | None:
        try:
            return _file(self._path + suffix)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _displaced(self._path + suffix, error) from error


def _file(path: str) -> _File:
    status = os.stat(path)
    return path, status.st_dev, status.st_ino


def _require(file: _File) -> None:
    path, device, number = file
    try:
        now = os.stat(path)
    except OSError as error:
        raise _displaced(path, error) from error
    if now.st_ino != number or now.st_dev != device:
        raise StoreDisplaced(f"{path} is another file than the one that chatd has open")


def _displaced(path: str, error: OSError) -> StoreDisplaced:
    if isinstance(error, FileNotFoundError):
        return StoreDisplaced(f"{path} is gone, while chatd has it open")
    return StoreDisplaced(f"{path} cannot be looked at any more: {error.strerror}")

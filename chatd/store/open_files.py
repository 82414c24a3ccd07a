"""Whether the files of an open log are still where it will be looked for, and whole.

SQLite goes on writing to a file that has lost its name: what is committed then is gone with the
process. So a commit is checked here before it is reported, by comparing what the paths lead to
with what was opened. That is a `stat` for each file (2 us, measured): of the log and its WAL,
before a commit, so that none is made that is refused then, and after it.

The same look shows a file that was cut: SQLite makes the log shorter only where it was written anew
(`may_shrink_to`), and cuts its WAL to `WAL_KEPT_BYTES` at the least. It would go on behind the cut,
in a file with a hole. What is left of such a WAL must not be brought into the log, as the last
connection to close would do: so the connection that writes stays open then, to the end of the
process (`left_open`).

What costs more is looked at now and then (`require_all`): the beginning of both files, which
may have been overwritten, and the index in shared memory. Without that nothing is lost, but a
process that finds none makes another one, and may remove the WAL as it leaves.
"""

import os
from pathlib import Path
from typing import Final

import attrs

from chatd.files import open_file
from chatd.store.connections import WAL_KEPT_BYTES
from chatd.store.errors import StoreDisplaced

_WAL, _INDEX = "-wal", "-shm"  # there as long as somebody has the log open
_LOG_BEGINS: Final = (b"SQLite format 3\0",)
_WAL_BEGINS: Final = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")  # its two orders of bytes


@attrs.define(eq=False)
class _File:
    """A file that is open: its path, and which file that led to. Never shorter than
    `least_bytes`, which follows its growth as far as `follows_to`."""

    path: str
    device: int
    number: int
    least_bytes: int
    follows_to: int | None = None


class OpenFiles:
    """The files of one log, from its opening on. Each `require` may be called from any thread.

    They raise `StoreDisplaced` where a path does not lead to the file that was opened; those for
    the writer (`require_whole`, `require_all`), in whose thread no file grows meanwhile, also where
    the file was cut or overwritten.
    """

    def __init__(self, path: Path) -> None:
        """The log is open, or no other process can replace it. Raises `OSError`."""
        self._path = str(path)
        self._log = _file(self._path)
        self._wal: _File | None = None
        self._index: _File | None = None
        self.is_cut = False  # it stays so: nothing brings back what was in the file
        self.left_open: list[object] = []

    def learn(self) -> None:
        """A connection that writes has just been opened: these are its files.

        A file system that has no shared memory has neither of those beside the log.
        """
        _require(self._log)
        before, self._log = self._log, _file(self._path)
        if before.follows_to is not None and self._log.least_bytes > before.follows_to:
            self.may_shrink_to(before.follows_to)
        self._wal, self._index = (self._beside(suffix) for suffix in (_WAL, _INDEX))
        if self._wal is not None:
            self._wal.follows_to = WAL_KEPT_BYTES
            self._wal.least_bytes = min(self._wal.least_bytes, WAL_KEPT_BYTES)

    def may_shrink_to(self, size: int) -> None:
        """The log was written anew: SQLite makes its file so short as soon as nobody reads what it
        was before, perhaps only with a later commit."""
        self._log.follows_to = size
        self._log.least_bytes = min(self._log.least_bytes, size)

    def forget(self) -> None:
        """The connection that writes is about to be closed: what lies beside the log may go."""
        self._wal = self._index = None

    def require(self) -> None:
        """Look at all that a commit lies in."""
        _require(self._log)
        if self._wal is not None:
            _require(self._wal)

    def require_whole(self) -> None:
        """Look at all that a commit lies in, and whether it was cut."""
        self._require_whole(self._log)
        if self._wal is not None:
            self._require_whole(self._wal)

    def require_all(self) -> None:
        """Look at all that SQLite has open, and at how the files begin."""
        self.require_whole()
        self._require_beginning(self._log, _LOG_BEGINS)
        if self._wal is not None:
            self._require_beginning(self._wal, _WAL_BEGINS)
        if self._index is not None:
            _require(self._index)

    def _require_whole(self, file: _File) -> None:
        size = _require(file)
        if size < file.least_bytes:
            self.is_cut = True
            raise StoreDisplaced(f"{file.path} was cut, while chatd has it open")
        if self.is_cut:
            raise StoreDisplaced(f"{self._path} has lost a part, while chatd has it open")
        limit = file.follows_to
        file.least_bytes = size if limit is None or size < limit else limit

    def _require_beginning(self, file: _File, beginnings: tuple[bytes, ...]) -> None:
        try:
            descriptor = open_file(file.path, os.O_RDONLY)
        except OSError as error:
            raise _displaced(file.path, error) from error
        try:
            begins = os.pread(descriptor, len(beginnings[0]), 0)
        except OSError as error:
            raise _displaced(file.path, error) from error
        finally:
            os.close(descriptor)
        if begins and begins not in beginnings:
            self.is_cut = True
            raise StoreDisplaced(f"{file.path} was overwritten, while chatd has it open")

    def _beside(self, suffix: str) -> _File | None:
        try:
            return _file(self._path + suffix)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _displaced(self._path + suffix, error) from error


def _file(path: str) -> _File:
    status = os.stat(path)
    return _File(path, status.st_dev, status.st_ino, status.st_size)


def _require(file: _File) -> int:
    """The size of the file, if it is the one that was opened."""
    try:
        now = os.stat(file.path)
    except OSError as error:
        raise _displaced(file.path, error) from error
    if now.st_ino != file.number or now.st_dev != file.device:
        raise StoreDisplaced(f"{file.path} is another file than the one that chatd has open")
    return now.st_size


def _displaced(path: str, error: OSError) -> StoreDisplaced:
    if isinstance(error, FileNotFoundError):
        return StoreDisplaced(f"{path} is gone, while chatd has it open")
    return StoreDisplaced(f"{path} cannot be looked at any more: {error.strerror}")

"""Opening a state directory: from a path to a store that is locked, checked and up to date.

A new log is made under another name and renamed, so that a log is whole or absent: an empty file
under its name is damage, not a beginning. A start after `kill -9` is an ordinary start: SQLite
takes up the WAL by itself, and the newest whole snapshot is brought forward by the log.
"""

import contextlib
import os
import threading
from pathlib import Path

import attrs
import trio

from chatd.observe.clock import wall_ms
from chatd.store import schema
from chatd.store.connections import Durability, connect_to_create, connect_to_write
from chatd.store.errors import StoreClosed, StoreLocked
from chatd.store.lock import DirectoryLock
from chatd.store.log import Log
from chatd.store.log_file import (
    LOG_NAME,
    explained,
    require_known_form,
    require_whole_or_absent,
    unavailable,
)
from chatd.store.readers import LogReaders
from chatd.store.recovery import (
    Recovered,
    SnapshotOfMembers,
    probe,
    read_epoch,
    read_position,
    recover,
)
from chatd.store.replacement import put_in_place
from chatd.store.snapshots import (
    MEMBERS,
    Found,
    Snapshot,
    newest_snapshot,
    put_aside,
    sync_directory,
    write_snapshot,
)
from chatd.store.writer import LogWriter

SEARCH_THREADS = 2  # searches at once; they never keep others from reading history
_UNFINISHED_NAME = f"{LOG_NAME}.new"


class Store:
    """An open state directory: its log's name, what the log held at the start, and ways in and out.

    `epoch` names the log: 16 hex digits, new when it was created. `recovered` is what was committed
    when the store was opened, its members as of then too. `snapshot` is the one that it began with:
    what the other actors were then, without the members. `passed_over` are the snapshots that were
    of no use. `readers` answer from the log as it is now.
    """

    def __init__(
        self,
        path: Path,
        durability: Durability,
        lock: DirectoryLock,
        epoch: str,
        recovered: Recovered,
        found: Found,
    ) -> None:
        self.path = path
        self.epoch = epoch
        self.recovered = recovered
        self.snapshot = found.snapshot
        self.passed_over = found.passed_over
        self.readers = LogReaders(path)
        self.search_readers = LogReaders(path, SEARCH_THREADS)
        self._durability = durability
        self._lock = lock
        self._writer: LogWriter | None = None
        self._closed = False
        self._writing_snapshot = threading.Lock()

    def start_writer(self, token: trio.lowlevel.TrioToken) -> LogWriter:
        """Start the thread that commits, for the Trio run of `token`. Blocks for some milliseconds.

        Raises `StoreLocked` while an earlier writer still lives (it may hang in the disk, and come
        back), `StoreUnavailable` or `StoreDamaged` when the log cannot be opened again.
        """
        if self._closed:
            raise StoreClosed(f"The store {self.path.parent} is closed.")
        if self._writer is not None and self._writer.alive:
            raise StoreLocked(
                f"The log {self.path} still has a writer, which may hang in the disk: a second one "
                "is not started beside it."
            )
        with explained(self.path):
            log = Log(lambda: connect_to_write(self.path, self._durability))
        self._writer = LogWriter(log, token)
        return self._writer

    def write_snapshot(self, snapshot: Snapshot) -> Path:
        """Write a snapshot of the actors, of this log (`epoch`), and return its path.

        Blocks, and is meant for a thread; a second call waits for the first. Nothing in it may
        change meanwhile. Raises `OSError` where the disk does not take it: those that were there
        are as they were. `StoreClosed` after `close`.
        """
        if self._closed:
            raise StoreClosed(f"The store {self.path.parent} is closed.")
        if snapshot.epoch != self.epoch:
            raise ValueError(f"a snapshot of the log {snapshot.epoch}, not of {self.epoch}")
        with self._writing_snapshot:
            return write_snapshot(self.path.parent, snapshot)

    def reread(self) -> Recovered:
        """The summary of the log as it is now, for an actor that recovers; from the log alone.

        Blocks as opening does. Raises `StoreUnavailable` or `StoreDamaged`.
        """
        with explained(self.path):
            connection = connect_to_write(self.path, self._durability)
            with contextlib.closing(connection):
                return recover(connection)

    def close(self) -> bool:
        """Close the readers and give the directory free; the writer is to be closed before.

        Returns False where the writer's thread still lives: the directory then stays locked until
        the process ends, so that no other daemon writes beside a thread that may come back.
        """
        self._closed = True
        self.readers.close()
        self.search_readers.close()
        if self._writer is not None and self._writer.alive:
            return False
        self._lock.release()
        return True


def open_store(directory: Path, durability: str) -> Store:
    """Open the state directory, which is made where there is none, with the log in it.

    `durability` is "fsync" or "write" (see `Durability`; `ValueError` for others). Blocks: it is
    called once, at the start; the time does not grow with the number of messages.

    Raises `StoreUnavailable`, `StoreLocked`, `StoreTooNew` or `StoreDamaged`, and leaves the files
    as they are.
    """
    level = Durability(durability)
    try:
        make_directory(directory)
        lock = DirectoryLock.take(directory)
    except OSError as error:
        raise unavailable(directory, error) from error
    path = directory / LOG_NAME
    try:
        with explained(path):
            put_in_place(directory)
            require_whole_or_absent(path)
            if not path.exists():
                _create(directory)
            connection = connect_to_write(path, level)
            with contextlib.closing(connection):
                schema.migrate(connection, require_known_form(connection, path))
                probe(connection)
                epoch = read_epoch(connection)
                found = newest_snapshot(directory, epoch, read_position(connection))
                put_aside(directory, found.passed_over)
                recovered = recover(connection, _base(found))
    except BaseException:
        lock.release()
        raise
    return Store(path, level, lock, epoch, recovered, _without_members(found))


def _base(found: Found) -> SnapshotOfMembers | None:
    snapshot = found.snapshot
    if snapshot is None or MEMBERS not in snapshot.parts:
        return None
    return SnapshotOfMembers(snapshot.position, snapshot.members)


def _without_members(found: Found) -> Found:
    """What is left for the actors: the members are in `Recovered`, and newer there."""
    if found.snapshot is None:
        return found
    parts = {name: part for name, part in found.snapshot.parts.items() if name != MEMBERS}
    return attrs.evolve(found, snapshot=attrs.evolve(found.snapshot, parts=parts))


def make_directory(directory: Path) -> None:
    """Make a state directory where there is none, for its user alone. Raises `OSError`."""
    if directory.is_dir():
        return
    directory.mkdir(mode=0o700, parents=True)
    sync_directory(directory.parent)


def _create(directory: Path) -> None:
    unfinished = directory / _UNFINISHED_NAME
    for leftover in (unfinished, directory / f"{_UNFINISHED_NAME}-journal"):
        leftover.unlink(missing_ok=True)
    # Made by us, for its mode: SQLite gives the WAL that of the file.
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    with contextlib.closing(connect_to_create(unfinished)) as connection:
        schema.create(connection, wall_ms())
    unfinished.rename(directory / LOG_NAME)
    sync_directory(directory)

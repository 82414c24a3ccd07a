"""Opening a state directory: from a path to a store that is locked, checked and up to date.

A new log is made under another name and renamed, so that a log is whole or absent: an empty file
under its name is damage, not a beginning. A start after `kill -9` is an ordinary start: SQLite
takes up the WAL by itself, and the newest whole snapshot is brought forward by the log.
"""

import contextlib
import os
import sqlite3
import threading
from pathlib import Path

import attrs
import trio

from chatd.chat.commits import StoreClosed
from chatd.files import sync_directory
from chatd.observe.clock import Clock
from chatd.store import schema
from chatd.store.connections import Durability, connect_to_create, connect_to_write
from chatd.store.damage import Damaged
from chatd.store.errors import StoreLocked
from chatd.store.lock import LOCK_NAME, DirectoryLock
from chatd.store.log import Log
from chatd.store.log_file import (
    LOG_NAME,
    explained,
    require_known_form,
    require_whole_or_absent,
    unavailable,
)
from chatd.store.loss import Loss, LossKind, find_loss
from chatd.store.mark import MARK_NAME, Mark, MarkDamagedError, Noted, Reached, read_mark
from chatd.store.open_files import OpenFiles
from chatd.store.reader_pool import ReaderPool, Witness
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
    FoundSnapshot,
    PassedOver,
    PassedOverFor,
    Snapshot,
    furthest_of_any,
    newest_snapshot,
    put_aside,
    write_snapshot,
)
from chatd.store.writer import LogWriter

READER_THREADS = 4  # reads of history at once; more wait their turn
SEARCH_THREADS = 2  # searches at once
_UNFINISHED_NAME = f"{LOG_NAME}.new"


@attrs.frozen
class _Opened:
    """What the log was found to be."""

    epoch: str
    recovered: Recovered
    found: FoundSnapshot
    damaged: tuple[Damaged, ...]
    loss: Loss | None
    mark: Mark


class Store:
    """An open state directory: its log's name, what the log held at the start, and ways in and out.

    `epoch` names the log: 16 hex digits, new when it was created. `recovered` is what was committed
    when the store was opened, its members as of then too. `snapshot` is the one that it began with:
    what the other actors were then, without the members. `passed_over` are the snapshots that were
    of no use, and the mark where it was. `loss` is what the log had lost, by then; `damaged` are
    rows that could not be read. `readers` answer from the log as it is now.
    """

    def __init__(
        self, path: Path, durability: Durability, lock: DirectoryLock, opened: _Opened
    ) -> None:
        self.path = path
        self.epoch = opened.epoch
        self.recovered = opened.recovered
        self.snapshot = opened.found.snapshot
        self.passed_over = opened.found.passed_over
        self.loss = opened.loss
        self.damaged = opened.damaged
        self._files = OpenFiles(path)
        self._mark = opened.mark
        self.readers = LogReaders(
            ReaderPool(path, READER_THREADS, self._files),
            ReaderPool(path, SEARCH_THREADS, self._files),
            self._index_until,
        )
        self._durability = durability
        self._lock = lock
        self._writer: LogWriter | None = None
        self._closed = False
        self._writing_snapshot = threading.Lock()

    def set_witness(self, witness: Witness) -> None:
        """Have `witness` hear of what the readers find damaged."""
        self.readers.witness = witness

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
        self._writer = LogWriter(self.open_log(), token)
        return self._writer

    def open_log(self) -> Log:
        """The side of the log that writes, for one thread; there is one at a time.

        Raises `StoreUnavailable`, `StoreDamaged` or `StoreDisplaced`.
        """
        with explained(self.path):
            return Log(self._connect, self._files, self._mark)

    def _connect(self) -> sqlite3.Connection:
        self._files.require()
        return connect_to_write(self.path, self._durability)

    async def _index_until(self, until_s: float) -> None:
        if self._writer is None:
            raise StoreClosed("The writer of the log was not started.")
        await self._writer.index_until(until_s)

    def renew(self) -> list[str]:
        """Make the files of the lock and of the mark again where somebody removed them; the names
        of those. Blocks.

        Raises `StoreLocked` where another process has taken the lock meanwhile, and `OSError`.
        """
        renewed: list[str] = []
        if self._closed:
            return renewed
        if self._lock.renew():
            renewed.append(LOCK_NAME)
        if self._lock.is_directory_at() and self._mark.renew():
            renewed.append(MARK_NAME)
        return renewed

    @property
    def is_cut(self) -> bool:
        """Whether the log was cut or overwritten under this process, which then must end without
        letting SQLite close the log (`chatd.store.open_files`)."""
        return self._files.is_cut

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
            self._files.require()
            self._mark.sync()
            return write_snapshot(self.path.parent, snapshot)

    def reread(self) -> Recovered:
        """The summary of the log as it is now, for an actor that recovers; from the log alone.

        Blocks as opening does. Raises `StoreUnavailable`, `StoreDamaged` or `StoreDisplaced`.
        """
        with explained(self.path), contextlib.closing(self._connect()) as connection:
            return recover(connection)

    def close(self) -> bool:
        """Close the readers and give the directory free; the writer is to be closed before.

        Returns False where the writer's thread still lives: the directory then stays locked until
        the process ends, so that no other daemon writes beside a thread that may come back.
        """
        self._closed = True
        self.readers.close()
        if self._writer is not None and self._writer.alive:
            return False
        with contextlib.suppress(OSError):
            self._mark.sync()
        self._mark.close()
        self._lock.release()
        return True


def open_store(directory: Path, durability: str, clock: Clock | None = None) -> Store:
    """Open the state directory, which is made where there is none, with the log in it.

    `durability` is "fsync" or "write" (see `Durability`; `ValueError` for others). Blocks: it is
    called once, at the start; the time does not grow with the number of messages.

    Raises `StoreUnavailable`, `StoreLocked`, `StoreTooNew` or `StoreDamaged`, and leaves the files
    as they are.
    """
    level, now_ms = Durability(durability), (clock or Clock()).wall_ms()
    try:
        make_directory(directory)
        lock = DirectoryLock.acquire(directory)
    except OSError as error:
        raise unavailable(directory, error) from error
    path = directory / LOG_NAME
    try:
        with explained(path):
            opened = _open(directory, level, now_ms)
            return Store(path, level, lock, opened)
    except BaseException:
        lock.release()
        raise


def _open(directory: Path, level: Durability, now_ms: int) -> _Opened:
    """Look at the log, and have it ready. The directory is locked."""
    path = directory / LOG_NAME
    put_in_place(directory)
    require_whole_or_absent(path)
    noted, passed_over = _noted(directory)
    marked = None if noted is None else noted.reached
    loss = None
    if not path.exists():
        loss = find_loss(None, marked, furthest_of_any(directory))
        _create(directory, now_ms)
        marked = None
    with contextlib.closing(connect_to_write(path, level)) as connection:
        schema.migrate(connection, require_known_form(connection, path))
        damaged = probe(connection)
        epoch = read_epoch(connection)
        found = newest_snapshot(directory, epoch, read_position(connection))
        recovered = recover(connection, _base(found))
        reached = recovered.reached(epoch)
        if marked is not None and noted is not None:
            marked = noted.reached_by(epoch)
        loss = loss or find_loss(reached, marked, found.ahead)
        mark = _go_on(directory, connection, noted, reached, loss, now_ms)
    put_aside(directory, found.passed_over)
    return _Opened(
        mark.epoch,
        recovered,
        _for_actors(found, passed_over),
        (*damaged, *recovered.damaged),
        loss,
        mark,
    )


def _noted(directory: Path) -> tuple[Noted | None, tuple[PassedOver, ...]]:
    try:
        return read_mark(directory), ()
    except MarkDamagedError:
        return None, (PassedOver(MARK_NAME, PassedOverFor.DAMAGED),)


def _go_on(
    directory: Path,
    connection: sqlite3.Connection,
    noted: Noted | None,
    reached: Reached,
    loss: Loss | None,
    now_ms: int,
) -> Mark:
    """The mark from here on. A log that has lost its end goes on under a new epoch, as its next
    records take the places of those that clients may know.

    The mark is in step with it last. Cut off before that, at whatever moment, the next start finds
    the same loss: the mark holds the proof under the epoch that the log has, and beside it under
    the one that it is about to get. What is missing of another log is not known anyway.
    """
    write = 0 if noted is None else noted.write
    found = None if noted is None else noted.loss
    if loss is None:
        if noted is not None and noted.reached.epoch != reached.epoch:
            found = None  # of the log that was here before
        return Mark(directory, Noted(reached, found, write))
    found = loss.found_at(now_ms)
    if loss.kind is not LossKind.GONE:
        epoch = schema.another_epoch(connection)
        if loss.kind is LossKind.END:
            messages = reached.messages + (loss.messages or 0)
            proven = attrs.evolve(reached, position=loss.reached, messages=messages)
            for named in (proven, attrs.evolve(proven, epoch=epoch)):
                mark = Mark(directory, Noted(named, None, write))
                with contextlib.closing(mark):
                    mark.sync()
                write += 1
        schema.name_anew(connection, epoch)
        reached = attrs.evolve(reached, epoch=epoch)
    return Mark(directory, Noted(reached, found, write))


def _base(found: FoundSnapshot) -> SnapshotOfMembers | None:
    snapshot = found.snapshot
    if snapshot is None or MEMBERS not in snapshot.parts:
        return None
    return SnapshotOfMembers(snapshot.position, snapshot.members)


def _for_actors(found: FoundSnapshot, passed_over: tuple[PassedOver, ...]) -> FoundSnapshot:
    """What is left for the actors: the members are in `Recovered`, and newer there."""
    found = attrs.evolve(found, passed_over=(*passed_over, *found.passed_over))
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


def _create(directory: Path, now_ms: int) -> None:
    unfinished = directory / _UNFINISHED_NAME
    for leftover in (unfinished, directory / f"{_UNFINISHED_NAME}-journal"):
        leftover.unlink(missing_ok=True)
    # Made by us, for its mode: SQLite gives the WAL that of the file.
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    with contextlib.closing(connect_to_create(unfinished)) as connection:
        schema.create(connection, now_ms)
    unfinished.rename(directory / LOG_NAME)
    sync_directory(directory)

"""Opening a state directory: from a path to a store that is locked, checked and up to date."""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import trio

from chatd.chat.commits import StoreClosed
from chatd.observe.clock import Clock
from chatd.store.connections import Durability, connect_to_write
from chatd.store.errors import StoreLocked
from chatd.store.lock import LOCK_NAME, DirectoryLock
from chatd.store.log import Log
from chatd.store.log_file import LOG_NAME, explained
from chatd.store.mark import MARK_NAME
from chatd.store.open_files import OpenFiles
from chatd.store.preparation import PreparedLog, prepare_log
from chatd.store.reader_pool import ReaderPool
from chatd.store.readers import LogReaders
from chatd.store.recovery import Recovered, recover
from chatd.store.retention import Keep, Surplus
from chatd.store.snapshots import Snapshot, remove_all, write_snapshot
from chatd.store.state_directory import locked_to_open
from chatd.store.writer import LogWriter

READER_THREADS = 4  # reads of history at once; more wait their turn
SEARCH_THREADS = 2  # searches at once


class Store:
    """An open state directory: its log's name, what the log held at the start, and ways in and out.

    `epoch` names the log: 16 hex digits, new when it was created. `recovered` is what was committed
    when the store was opened, its members as of then too. `snapshot` is the one that it began with:
    what the other actors were then, without the members. `passed_over` are the snapshots that were
    of no use, and the mark where it was. `loss` is what the log had lost, by then; `damaged` are
    rows that could not be read. `readers` answer from the log as it is now.
    """

    def __init__(
        self,
        path: Path,
        connect: Callable[[], sqlite3.Connection],
        lock: DirectoryLock,
        prepared: PreparedLog,
    ) -> None:
        self.path = path
        self.epoch = prepared.epoch
        self.recovered = prepared.recovered
        self.snapshot = prepared.found.snapshot
        self.passed_over = prepared.found.passed_over
        self.loss = prepared.loss
        self.damaged = prepared.damaged
        self._files = OpenFiles(path)
        self._mark = prepared.mark
        self.readers = LogReaders(
            ReaderPool(path, READER_THREADS, self._files),
            ReaderPool(path, SEARCH_THREADS, self._files),
            self._index_until,
        )
        self._connect_to_path = connect
        self._lock = lock
        self._writer: LogWriter | None = None
        self._closed = False
        self._writing_snapshot = threading.Lock()

    def start_writer(
        self,
        token: trio.lowlevel.TrioToken,
        synced: Callable[[float], None] = lambda _took_s: None,
    ) -> LogWriter:
        """Start the thread that commits, for the Trio run of `token`. Blocks for some milliseconds.
        `synced` as for `Log`.

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
        self._writer = LogWriter(self.open_log(synced), token)
        return self._writer

    def open_log(self, synced: Callable[[float], None] = lambda _took_s: None) -> Log:
        """The side of the log that writes, for one thread; there is one at a time.

        Raises `StoreUnavailable`, `StoreDamaged` or `StoreDisplaced`.
        """
        with explained(self.path):
            return Log(self._connect, self._files, self._mark, synced)

    def _connect(self) -> sqlite3.Connection:
        self._files.require()
        return self._connect_to_path()

    async def _index_until(self, until_s: float) -> None:
        if self._writer is None:
            raise StoreClosed("The writer of the log was not started.")
        await self._writer.index_until(until_s)

    async def surplus(self, keep: Keep, most: int) -> Sequence[Surplus]:
        """As `LogReaders.surplus`."""
        return await self.readers.surplus(keep, most)

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

    def renew_snapshot(self, snapshot: Snapshot) -> None:
        """As `write_snapshot`, and no other one is left."""
        if self._closed:
            raise StoreClosed(f"The store {self.path.parent} is closed.")
        with self._writing_snapshot:
            self._files.require()
            remove_all(self.path.parent)
        self.write_snapshot(snapshot)

    def reread(self) -> Recovered:
        """The summary of the log as it is now, for an actor that recovers; from the log alone.

        Blocks as opening does. Raises `StoreUnavailable`, `StoreDamaged` or `StoreDisplaced`.
        """
        with explained(self.path), contextlib.closing(self._connect()) as connection:
            return recover(connection)

    def close(self) -> bool:
        """Close the readers and release the directory; the writer has to be closed before.

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


def open_store(
    directory: Path,
    durability: str,
    clock: Clock | None = None,
    connect_to_write: Callable[[Path, Durability], sqlite3.Connection] = connect_to_write,
) -> Store:
    """Open the state directory, and make it if it is not there, with the log in it.

    `durability` is "fsync" or "write" (see `Durability`; `ValueError` for others). Blocks: it is
    called once, at the start; the time does not grow with the number of messages.

    Raises `StoreUnavailable`, `StoreLocked`, `StoreTooNew` or `StoreDamaged`, and leaves the files
    as they are.
    """
    path = directory / LOG_NAME
    connect = partial(connect_to_write, path, Durability(durability))
    with locked_to_open(directory) as lock, explained(path):
        prepared = prepare_log(directory, connect, (clock or Clock()).wall_ms())
        return Store(path, connect, lock, prepared)

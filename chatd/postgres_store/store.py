"""A log in PostgreSQL, with what a state directory beside it holds: the counterpart of
`chatd.store.opening`.

The directory has what belongs to this machine: the lock, by which one daemon at a time uses it, and
snapshots of who was present and who typed; nothing that was acknowledged depends on these.
"""

import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

import attrs
import psycopg

from chatd.chat.commits import CommitFailed, StoreClosed, StoreReadFailed
from chatd.observe.clock import Clock
from chatd.postgres_store.life import Life
from chatd.postgres_store.log import PostgresLog
from chatd.postgres_store.members import PostgresMembers
from chatd.postgres_store.opening import OpenedLog, open_log
from chatd.postgres_store.readers import PostgresReaders
from chatd.postgres_store.recovery import recover
from chatd.postgres_store.room_log import PostgresRoomLog
from chatd.postgres_store.search_index import SearchIndex, pool_to_index
from chatd.postgres_store.sessions import LogAddress, connect
from chatd.store.errors import StoreUnavailable
from chatd.store.lock import LOCK_NAME, DirectoryLock
from chatd.store.log_file import LOG_NAME, unavailable
from chatd.store.loss import Loss
from chatd.store.opened_store import OpenedStore
from chatd.store.recovery import Recovered
from chatd.store.retention import Keep, Surplus
from chatd.store.snapshots import (
    MEMBERS,
    NAMES,
    READ_SEQS,
    FoundSnapshot,
    PassedOverFor,
    Snapshot,
    newest_snapshot,
    put_aside,
    remove_all,
    write_snapshot,
)
from chatd.store.state_directory import locked_to_open

REREAD_TRIES: Final = 20
REREAD_AGAIN_S: Final = 0.5
"""Seconds between two tries to read the log for an actor that recovers: ten seconds in all."""
_OF_MEMBERS: Final = frozenset({MEMBERS, READ_SEQS, NAMES})  # the log has them


class PostgresStore(OpenedStore):
    """An open store. `path` is where the log would be in SQLite."""

    def __init__(
        self, directory: Path, lock: DirectoryLock, opened: OpenedLog, found: FoundSnapshot
    ) -> None:
        self.path = directory / LOG_NAME
        self.epoch = opened.log.epoch
        self.recovered = opened.log.recovered
        self.snapshot = found.snapshot
        self.passed_over = tuple(
            one for one in found.passed_over if one.reason is not PassedOverFor.AHEAD
        )
        self.loss: Loss | None = None
        self.damaged = opened.log.recovered.damaged
        self._lock = lock
        self._opened = opened
        self._database = opened.connection.info.dbname
        self._index_pool = pool_to_index(opened.address)
        self._index = SearchIndex(self._index_pool)
        self._readers = PostgresReaders.at(opened.address, self._index.index_until)
        self.life = Life(opened)
        self._log: PostgresLog | None = None
        self._room_log: PostgresRoomLog | None = None
        self._closed = False

    @property
    def readers(self) -> PostgresReaders:
        """Answer from the log as it is now."""
        return self._readers

    @property
    def is_cut(self) -> bool:
        """There are no files that could be cut."""
        return False

    def start_log(self, committed: Callable[[float], None] = lambda _took_s: None) -> PostgresLog:
        """The writing side of the log; there is only one. `committed` is as for `PostgresLog`."""
        self._log = PostgresLog(self._opened, committed, self._index, self.life)
        return self._log

    @property
    def members(self) -> PostgresMembers:
        """The members as the log has them now."""
        return PostgresMembers(self._readers.pool)

    @property
    def member_mark(self) -> int:
        """The mark from which to look for members that are written."""
        return self._opened.log.member_mark

    def read_rooms(self, log: PostgresLog) -> PostgresRoomLog:
        """What any node commits; `log` is the writing side."""
        self._room_log = PostgresRoomLog.at(
            self._opened.address, log, self.epoch, self._readers.witness
        )
        return self._room_log

    @property
    def cluster(self) -> str:
        """What all nodes on this log share, and nodes on other logs do not: 32 hex digits."""
        named = "\0".join((self._database, self._opened.address.schema, self.epoch))
        return blake2b(named.encode(), digest_size=16).hexdigest()

    async def surplus(self, keep: Keep, most: int) -> Sequence[Surplus]:
        if self._log is None:
            raise StoreClosed("The log was not started.")
        try:
            return await self._log.surplus(keep, most)
        except CommitFailed as failure:
            raise StoreReadFailed(f"The log could not be read: {failure.what}.") from failure

    def renew(self) -> list[str]:
        return [LOCK_NAME] if not self._closed and self._lock.renew() else []

    def write_snapshot(self, snapshot: Snapshot) -> Path:
        if self._closed:
            raise StoreClosed(f"The store {self.path.parent} is closed.")
        parts = {name: part for name, part in snapshot.parts.items() if name not in _OF_MEMBERS}
        beside = attrs.evolve(snapshot, position=0, parts=parts)
        return write_snapshot(self.path.parent, beside)

    def renew_snapshot(self, snapshot: Snapshot) -> None:
        remove_all(self.path.parent)
        self.write_snapshot(snapshot)

    def reread(self) -> Recovered:
        for left in reversed(range(REREAD_TRIES)):
            try:
                with connect(self._opened.address) as connection:
                    return recover(connection, self._opened.node_id).recovered
            except psycopg.Error as error:
                if not left:
                    raise StoreUnavailable(
                        f"The log could not be read again ({type(error).__name__})."
                    ) from None
            time.sleep(REREAD_AGAIN_S)
        raise AssertionError

    def close(self) -> bool:
        self._closed = True
        self._readers.close()
        if self._room_log is not None:
            self._room_log.close()
        self._index_pool.close()
        self.life.close()
        self._opened.close()
        self._lock.release()
        return True


def open_postgres_store(
    directory: Path, address: LogAddress, clock: Clock | None = None
) -> PostgresStore:
    """Open the log at `address`, and the state directory; make each of them if it is not there.
    Blocks, once, at the start.

    Raises `StoreUnavailable`, `StoreLocked`, `DatabaseUnfit`.
    """
    with locked_to_open(directory) as lock:
        opened = open_log(address, (clock or Clock()).wall_ms())
        try:
            found = newest_snapshot(directory, opened.log.epoch, 0)
            # They belong to the log in SQLite from which this one was copied.
            put_aside(directory, found.passed_over)
        except OSError as error:
            opened.close()
            raise unavailable(directory, error) from error
        return PostgresStore(directory, lock, opened, found)

"""The write side of the log, synchronous: many requests in, one transaction, a result for each.

Every request is optimistic: all are written together. Only when the database objects to something
are they taken back and written one after the other, each with a savepoint, to find the one at
fault. So the usual case pays for no look-up and no savepoint.

An error of the disk ends a commit for all of its requests: nothing was written. After anything but
a full disk the connection is no longer trusted, and the next commit starts with a new one. A log
whose files were taken away writes nothing until the same files are back.

Upkeep (retention, the index of the search) is a job in a transaction of its own, in the same way.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias, TypeVar

from chatd.chat.commits import (
    CommitFailed,
    CommitOutcome,
    Committed,
    Conflict,
    RecordRefused,
)
from chatd.chat.ids import scoped_id
from chatd.chat.records import Message, MessageStored, Record
from chatd.store.batch import Batch, Heads
from chatd.store.damage import primary_code, words_of
from chatd.store.errors import FailedCommitFound, StoreDisplaced
from chatd.store.mark import Mark
from chatd.store.open_files import OpenFiles
from chatd.store.rows import SELECT_MESSAGES, ids_from, message_from_row, uuid_bytes
from chatd.wire.codes import Code

Request: TypeAlias = Sequence[Record]

_T = TypeVar("_T")

# Errors that are the fault of the records, as sqlite3 and `rows` raise them; all others are the
# disk's.
_FAULTS_OF_RECORDS = (
    RecordRefused,
    ValueError,  # UnicodeEncodeError (a lone surrogate) is one
    OverflowError,
    TypeError,
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)


class Log:
    """Owns the connection that writes. Used by one thread at a time; there is one at a time."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        files: OpenFiles | None = None,
        mark: Mark | None = None,
        synced: Callable[[float], None] = lambda _took_s: None,
    ) -> None:
        """`connect` makes a write connection, now and after a failure. Raises `sqlite3.Error`.

        `files` are checked before and after each commit: records in files that no start would find
        do not count as stored. `mark` then notes each commit. `synced` is told how many seconds the
        disk took to take each transaction of records, in the thread that commits.
        """
        self._connect = connect
        self._files = files
        self._mark = mark
        self._synced = synced
        self._connection = connect()
        try:
            self._heads = Heads.read(self._connection)
            if files is not None:
                files.learn()
        except BaseException:
            self._connection.close()
            raise
        self._heads_stale = False
        self._connection_suspect = False
        self._has_doubtful = False  # a commit ran, and its files were not found after it

    def commit(self, requests: Sequence[Request]) -> list[CommitOutcome | RecordRefused]:
        """Commit the requests in one transaction, and say for each what became of it, in order.

        A request without records writes nothing new, but tests the disk, which is written to and
        synced. Raises `CommitFailed` when the disk failed: then nothing of any request was written;
        but see `CommitFailed.is_displaced`. Raises `FailedCommitFound` if such a commit is found
        again: then this log object cannot be used any longer.
        """
        with self._or_taken_back():
            try:
                return self._commit_together(requests)
            except _FAULTS_OF_RECORDS:
                self._roll_back()
                return self._commit_apart(requests)

    def maintain(self, job: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run `job` in a transaction, commit it, and return what it returns.

        The job changes no position, no room's number and no last seq, which are known here, and
        neither begins nor ends a transaction. Raises `CommitFailed` when the database failed it,
        and what else the job raises as it is; then nothing of it was written.
        """
        with self._or_taken_back():
            if self._files is not None:
                self._files.require_all()
            self._connection.execute("BEGIN IMMEDIATE")
            result = job(self._connection)
            self._connection.execute("COMMIT")
            return result

    def rewrite(self) -> None:
        """Write the log anew, and empty its WAL: what was removed is no longer in its files.

        It takes as long as copying the log, and as much space again; nothing else is written
        meanwhile. Raises `CommitFailed` if that did not work; nothing is lost then.
        """
        with self._or_taken_back():
            if self._files is not None:
                self._files.require_all()
            connection = self._connection
            connection.execute("PRAGMA temp_store = FILE")  # else all of it lies in memory
            try:
                connection.execute("VACUUM")
            finally:
                connection.execute("PRAGMA temp_store = MEMORY")
            if self._files is not None:
                [(pages,)] = connection.execute("PRAGMA page_count")
                [(page_bytes,)] = connection.execute("PRAGMA page_size")
                self._files.may_shrink_to(pages * page_bytes)
            [(is_busy, _, _)] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if is_busy:
                raise CommitFailed(Code.STORAGE_ERROR, "somebody else reads the log for long")
            if self._files is not None:
                self._files.learn()

    def close(self) -> None:
        """Close the connection; SQLite brings the WAL into the file if no other connection has it
        open.

        Not if something is missing in either: the next start has to find them as they are.
        """
        if self._files is not None:
            if self._files.is_cut:
                self._files.left_open.append(self._connection)
                return
            self._files.forget()
        self._connection.close()

    def _sync(self, connection: sqlite3.Connection) -> None:
        """Commit the transaction: the disk has it then."""
        began_s = time.perf_counter()
        connection.execute("COMMIT")
        self._synced(time.perf_counter() - began_s)

    def _commit_together(self, requests: Sequence[Request]) -> list[CommitOutcome | RecordRefused]:
        batch = Batch(self._heads)
        results: list[CommitOutcome | RecordRefused] = []
        for records in requests:
            batch.add(records)
            results.append(Committed(batch.position))
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        batch.write(connection)
        self._sync(connection)
        self._heads.advance(batch)
        return results

    def _commit_apart(self, requests: Sequence[Request]) -> list[CommitOutcome | RecordRefused]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        self._heads_stale = True  # they run ahead of the disk until the commit
        results = [self._write_one(records) for records in requests]
        self._sync(connection)
        self._heads_stale = False
        return results

    def _write_one(self, records: Request) -> CommitOutcome | RecordRefused:
        connection = self._connection
        connection.execute("SAVEPOINT request")
        try:
            batch = Batch(self._heads)
            batch.add(records)
            batch.write(connection)
        except _FAULTS_OF_RECORDS as error:
            connection.execute("ROLLBACK TO request")
            connection.execute("RELEASE request")
            existing = self._find_existing(records)
            if existing:
                return Conflict(existing)
            if isinstance(error, RecordRefused):
                return error
            refused = RecordRefused(f"A record does not fit the log: {error}.")
            refused.__cause__ = error
            return refused
        connection.execute("RELEASE request")
        self._heads.advance(batch)
        return Committed(batch.position)

    def _find_existing(self, records: Request) -> dict[str, Message]:
        existing: dict[str, Message] = {}
        for record in records:
            if not isinstance(record, MessageStored):
                continue
            try:
                key = uuid_bytes(record.message.message_id)
            except ValueError:
                continue
            rows = self._connection.execute(SELECT_MESSAGES, ids_from(key)).fetchall()
            found = {message.message_id: message for message in map(message_from_row, rows)}
            own_id = record.message.message_id
            twin = scoped_id(own_id, record.message.connection_id)
            if own_id in found or twin in found:  # else it was refused for another reason
                existing.update(found)
        return existing

    @contextlib.contextmanager
    def _or_taken_back(self) -> Iterator[None]:
        """A connection that is ready; what fails on it leaves nothing behind."""
        try:
            self._make_ready()
            yield
            if self._files is not None:
                self._has_doubtful = True
                self._files.require_whole()
                self._has_doubtful = False
        except sqlite3.Error as error:
            code = failure_code(error)
            self._take_back(trusted=code is Code.STORAGE_FULL)
            raise CommitFailed(code, words_of(error)) from error
        except StoreDisplaced as displaced:
            self._heads_stale = True
            raise CommitFailed(Code.STORAGE_ERROR, str(displaced), is_displaced=True) from displaced
        except BaseException:
            # A fault of ours, or of a job: the disk is as it was, but the heads may be wrong.
            self._heads_stale = True
            self._take_back(trusted=True)
            raise
        if self._mark is not None:
            heads = self._heads
            self._mark.note(heads.position, heads.messages, len(heads.room_ids))

    def _make_ready(self) -> None:
        if self._files is not None:  # what is removed before a commit takes no commit with it
            self._files.require_whole()
            if self._has_doubtful:
                raise FailedCommitFound("The log holds a commit that was reported as failed.")
        if self._connection_suspect:
            # The new one is opened before the old one goes: while one is open, SQLite does not
            # recover the WAL anew, which could bring back a commit that we said had failed.
            fresh = self._connect()
            old, self._connection = self._connection, fresh
            self._connection_suspect = False
            self._heads_stale = True
            old.close()
            if self._files is not None:
                self._files.learn()
        if self._heads_stale:
            self._heads = Heads.read(self._connection)
            self._heads_stale = False

    def _roll_back(self) -> None:
        # SQLite rolls back by itself on some errors, a full disk among them.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _take_back(self, *, trusted: bool) -> None:
        try:
            self._roll_back()
        except sqlite3.Error:
            trusted = False
        if not trusted:
            self._connection_suspect = True


def failure_code(error: sqlite3.Error) -> Code:
    """The code that a sender gets for an error of the database."""
    is_full = primary_code(error) == sqlite3.SQLITE_FULL
    return Code.STORAGE_FULL if is_full else Code.STORAGE_ERROR

"""A log in SQLite as one that is copied, or made by a copy.

A log that is being made has a name of its own. While a file of that name is there, no daemon starts
in the directory: it would begin an empty log in the place of the one to come.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from chatd.files import sync_directory
from chatd.store import schema
from chatd.store.audit import require_current_form
from chatd.store.backup import remove_log, sync_file
from chatd.store.connections import connect_to_create
from chatd.store.copied_rows import COLUMNS, Head, Kind, Row, Table
from chatd.store.errors import EXIT_DAMAGED
from chatd.store.lock import DirectoryLock
from chatd.store.log_copy import CopyFailed
from chatd.store.log_file import (
    LOG_NAME,
    explained,
    look_while_unused,
    no_log,
    require_whole_or_absent,
)
from chatd.store.loss import find_loss
from chatd.store.mark import MARK_NAME, MarkDamagedError, read_mark
from chatd.store.preparation import COPYING_NAME
from chatd.store.recovery import recover
from chatd.store.replacement import require_in_place
from chatd.store.rows import LAST_REV, LAST_SEQ
from chatd.store.search_index import renew_form
from chatd.store.snapshots import furthest, newest_snapshot, snapshots_of
from chatd.store.state_directory import make_directory

_WITHOUT_POSITION: Final = f"snapshot-{0:020}-"
# Rows about a message that is not there are left out.
_NO_SEQ: Final = "CASE WHEN m.room_id = {table}.room_id THEN m.seq END"
_ROWS: Final[Mapping[Table, str]] = {
    Table.ROOMS: f"""
        SELECT r.room_id, r.connection_id, {LAST_SEQ}, r.forgotten_seq, {LAST_REV}
        FROM rooms r ORDER BY r.room_id
    """,
    Table.MESSAGES: """
        SELECT room_id, seq, position, message_id, thread_id, timestamp_ms, delivered_ms,
               delivered_by, user_id, name, context, content, reply_to, answer
        FROM messages ORDER BY position
    """,
    Table.MENTIONS: f"""
        SELECT n.room_id, {_NO_SEQ.format(table="n")}, n.author, n.users
        FROM mentions n LEFT JOIN messages m ON m.position = n.message ORDER BY n.room_id, n.seq
    """,
    Table.CHANGES: f"""
        SELECT c.room_id, c.rev, {_NO_SEQ.format(table="c")}, c.kind, c.user_id, c.at_ms, c.written
        FROM changes c LEFT JOIN messages m ON m.position = c.message ORDER BY c.room_id, c.rev
    """,
    Table.CHANGED: f"""
        SELECT c.room_id, {_NO_SEQ.format(table="c")}, c.rev, c.at_ms, c.edited_rev, c.edited_ms,
               c.content, c.deleted_ms, c.reactions
        FROM changed c LEFT JOIN messages m ON m.position = c.message ORDER BY c.room_id, c.seq
    """,
    Table.MEMBERS: """
        SELECT room_id, user_id, joined_ms, read_seq, name, away_seq, away_ms, gaps, fallen
        FROM members WHERE is_member ORDER BY room_id, user_id
    """,
    Table.ANSWERS: """
        SELECT room_id, question_id, answer_id, user_id, thread_id, opened_ms, state, is_to_read,
               address
        FROM answers ORDER BY room_id, question_id
    """,
    Table.AUDIT: """
        SELECT position, at_ms, action, user_id, outcome, address, room, message_id, statement,
               target, format, code, rows, size_bytes, elapsed_ms, span
        FROM audit ORDER BY position
    """,
}
# A parameter for each column of a row, in their order, and then the position.
_OF_MESSAGE: Final = "FROM messages WHERE room_id = ?1 AND seq = {seq}"
_WRITE: Final[Mapping[Table, str]] = {
    Table.ROOMS: """
        INSERT INTO rooms (room_id, connection_id, forgotten_seq, last_rev)
        VALUES (?1, ?2, ?4, ?5)
    """,
    Table.MESSAGES: """
        INSERT INTO messages (room_id, seq, position, message_id, thread_id, timestamp_ms,
            delivered_ms, delivered_by, user_id, name, context, content, reply_to, answer)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
    """,
    Table.MENTIONS: f"""
        INSERT INTO mentions (message, room_id, seq, author, users)
        SELECT position, ?1, ?2, ?3, ?4 {_OF_MESSAGE.format(seq="?2")}
    """,
    Table.CHANGES: f"""
        INSERT INTO changes (message, room_id, rev, kind, user_id, at_ms, written, position)
        SELECT position, ?1, ?2, ?4, ?5, ?6, ?7, ?8 {_OF_MESSAGE.format(seq="?3")}
    """,
    Table.CHANGED: f"""
        INSERT INTO changed (message, room_id, seq, rev, at_ms, edited_rev, edited_ms, content,
            deleted_ms, reactions)
        SELECT position, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 {_OF_MESSAGE.format(seq="?2")}
    """,
    Table.MEMBERS: """
        INSERT INTO members (room_id, user_id, joined_ms, read_seq, name, away_seq, away_ms, gaps,
            fallen, position)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    """,
    Table.ANSWERS: """
        INSERT INTO answers (room_id, question_id, answer_id, user_id, thread_id, opened_ms, state,
            is_to_read, address)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    """,
    Table.AUDIT: """
        INSERT INTO audit (position, at_ms, action, user_id, outcome, address, room, message_id,
            statement, target, format, code, rows, size_bytes, elapsed_ms, span)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
    """,
}


class SqliteRows:
    """The log that a connection has in its view."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def head(self) -> Head:
        [(epoch, created_ms, has_scoped, position)] = self._connection.execute(
            "SELECT epoch, created_ms, has_scoped_ids, position FROM meta"
        )
        return Head(epoch, created_ms, bool(has_scoped), position)

    def rows(self, table: Table) -> Iterator[Row]:
        return iter(self._connection.execute(_ROWS[table]))


class NewSqliteLog(SqliteRows):
    """A log that is being made, which no other process knows of.

    Changes get the positions after those of all messages, each room's in the order of its revs: no
    log says which change came before a message of another room.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._connection = connection
        self._position = 0

    def begin(self, head: Head) -> None:
        self._position = head.position
        schema.create(self._connection, head.created_ms)
        self._connection.execute(
            "UPDATE meta SET epoch = ?, has_scoped_ids = ?, position = ?",
            (head.epoch, head.has_scoped_ids, head.position),
        )

    def write(self, table: Table, rows: Iterable[Row]) -> None:
        self._connection.execute("BEGIN")
        self._connection.executemany(_WRITE[table], self._positioned(table, rows))
        self._connection.execute("UPDATE meta SET position = ?", (self._position,))
        self._connection.execute("COMMIT")

    def _positioned(self, table: Table, rows: Iterable[Row]) -> Iterator[Row]:
        documents = [at for at, column in enumerate(COLUMNS[table]) if column.kind is Kind.DOCUMENT]
        for row in rows:
            if table is Table.CHANGES:
                self._position += 1
                yield (*row, self._position)
            elif table is Table.MEMBERS:
                yield (*row, self._position)
            elif documents:
                values = list(row)
                for at in documents:
                    values[at] = None if row[at] is None else row[at].encode()
                yield tuple(values)
            else:
                yield row

    def finish(self) -> None:
        """All of it is there; a daemon indexes it for the search, the newest messages first."""
        self._connection.execute("UPDATE meta SET indexed_position = position")
        renew_form(self._connection)


@contextlib.contextmanager
def sqlite_log_to_copy(directory: Path) -> Iterator[SqliteRows]:
    """The log of a state directory, in which no daemon runs meanwhile; it is not changed.

    Raises `StoreLocked`, `StoreUnavailable`, `StoreTooOld`, `StoreTooNew`, `StoreDamaged`, and
    `CopyFailed` if the log has lost its end: under its epoch the copy would be wrong.
    """
    path = directory / LOG_NAME
    with explained(path):
        require_in_place(directory)
        require_whole_or_absent(path)
    if not path.exists():
        raise no_log(directory, "to copy")
    with explained(path), _locked(directory), look_while_unused(path) as connection:
        require_current_form(connection, path)
        _require_its_end(directory, connection)
        yield SqliteRows(connection)


def _require_its_end(directory: Path, connection: sqlite3.Connection) -> None:
    rows = SqliteRows(connection)
    epoch = rows.head().epoch
    try:
        noted = read_mark(directory)
    except MarkDamagedError:
        noted = None
    found = newest_snapshot(directory, epoch, rows.head().position)
    loss = find_loss(
        recover(connection).reached(epoch),
        noted.reached_by(epoch) if noted else None,
        furthest(found.passed_over),
    )
    if loss is not None:
        raise CopyFailed(
            "log_lost_its_end",
            f"{loss.sentence} Put back what was moved away, or start chatd once on it: the log "
            "goes on under a new epoch then, and can be copied.",
            EXIT_DAMAGED,
        )


@contextlib.contextmanager
def new_sqlite_log(directory: Path) -> Iterator[NewSqliteLog]:
    """A log for a state directory that has none; it is there once the block has ended well.

    Raises `StoreLocked`, `StoreUnavailable`, and `CopyFailed` if there is a log.
    """
    path, unfinished = directory / LOG_NAME, directory / COPYING_NAME
    with explained(directory):
        make_directory(directory)
        with _locked(directory):
            require_in_place(directory)
            _require_free(directory)
            remove_log(unfinished)
            os.close(
                os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            )
            sync_directory(directory)
            with contextlib.closing(connect_to_create(unfinished)) as connection:
                connection.execute("PRAGMA synchronous = OFF")  # until it is whole, it is nothing
                log = NewSqliteLog(connection)
                yield log
                log.finish()
            sync_file(unfinished)
            unfinished.rename(path)
            sync_directory(directory)


def _require_free(directory: Path) -> None:
    """Snapshots of a daemon whose log was in PostgreSQL may stay: they stand at no position."""
    found = [directory / LOG_NAME, directory / MARK_NAME, *snapshots_of(directory)]
    for path in found:
        if path.exists() and not path.name.startswith(_WITHOUT_POSITION):
            raise CopyFailed(
                "target_not_empty",
                f"{directory} has files of a log already ({path.name}), and a copy replaces "
                f"nothing; name another directory, or move {LOG_NAME}* and snapshot-* away.",
            )


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    lock = DirectoryLock.acquire(directory)
    try:
        yield
    finally:
        lock.release()

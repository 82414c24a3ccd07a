"""All that is known of a user, or that a room holds, from a log in PostgreSQL: the same file as
`chatd.store.knowledge` makes.

It reads in one view of the log, whether daemons run or not.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.rows import tuple_row

from chatd.chat.audit import AuditEntry
from chatd.postgres_store.audit import read_audit
from chatd.postgres_store.long_session import long_session, require_log
from chatd.postgres_store.sessions import LogAddress
from chatd.store.audit import AuditQuery
from chatd.store.known_lines import (
    AskedBy,
    KnownLog,
    Line,
    OfRoom,
    OfUser,
    Row,
    export_to,
    lines_of_room,
    lines_of_user,
)

_READ_ROWS: Final = 100
"""Rows that are in memory at once."""

_HEAD: Final = "SELECT epoch, (SELECT coalesce(max(position), 0) FROM messages) FROM meta"
_MESSAGES: Final = """
    SELECT ARRAY[m.room_id, m.seq], m.message_id, r.connection_id, m.seq, m.timestamp_ms, m.user_id,
           m.name, m.content, m.context, m.thread_id, m.reply_to, m.answer, m.delivered_ms,
           m.delivered_by, n.users::text
    FROM messages m JOIN rooms r USING (room_id)
    LEFT JOIN mentions n ON n.room_id = m.room_id AND n.seq = m.seq
    WHERE {which} ORDER BY m.position
"""
_CHANGES: Final = """
    SELECT rev, kind, at_ms, user_id, written FROM changes WHERE room_id = %s AND seq = %s
    ORDER BY rev
"""
# A queue as text, without the spaces that PostgreSQL writes: it holds only numbers.
_MEMBERS: Final = """
    SELECT r.connection_id, m.user_id, true, m.joined_ms, m.read_seq, m.name, m.away_seq,
           m.away_ms, replace(m.gaps::text, ' ', ''), replace(m.fallen::text, ' ', '')
    FROM members m JOIN rooms r USING (room_id) WHERE {which} ORDER BY 1, 2
"""
_ANSWERS: Final = """
    SELECT r.connection_id, a.user_id, a.question_id, a.answer_id, a.opened_ms, a.state
    FROM answers a JOIN rooms r USING (room_id) WHERE {which} ORDER BY a.opened_ms
"""
_DONE_TO_OTHERS: Final = """
    SELECT r.connection_id, c.seq, m.message_id, c.kind, c.at_ms, c.written
    FROM changes c JOIN messages m ON m.room_id = c.room_id AND m.seq = c.seq
    JOIN rooms r ON r.room_id = c.room_id
    WHERE c.user_id = %(user)s AND m.user_id <> %(user)s ORDER BY c.at_ms, c.room_id, c.rev
"""
_RECEIPTS: Final = """
    SELECT r.connection_id, m.seq, m.message_id, m.delivered_ms
    FROM messages m JOIN rooms r USING (room_id) WHERE m.delivered_by = %(user)s
    ORDER BY m.position
"""
_MENTIONS: Final = """
    SELECT r.connection_id, n.seq, m.message_id, n.author
    FROM mentions n JOIN messages m ON m.room_id = n.room_id AND m.seq = n.seq
    JOIN rooms r ON r.room_id = n.room_id
    WHERE n.users @> to_jsonb(%(user)s::text) ORDER BY m.position
"""
_ASKED_BY: Final = "m.message_id IN (SELECT a.answer_id FROM answers a WHERE a.user_id = %(name)s)"


class _PostgresLog(KnownLog):
    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection
        self._numbers = itertools.count()
        [(self.epoch, self.position)] = connection.execute(_HEAD)
        self.snapshots_at = 0  # snapshots beside a log in PostgreSQL have no position

    def messages(self, which: OfUser | OfRoom | AskedBy) -> Iterable[Row]:
        return self._narrowed(_MESSAGES, which, "m")

    def changes(self, message: list[int]) -> Iterable[Row]:
        return self._connection.execute(_CHANGES, message).fetchall()

    def members(self, which: OfUser | OfRoom) -> Iterable[Row]:
        return self._narrowed(_MEMBERS, which, "m")

    def answers(self, which: OfUser | OfRoom) -> Iterable[Row]:
        return self._narrowed(_ANSWERS, which, "a")

    def done_to_others(self, user_id: str) -> Iterable[Row]:
        return self._ask(_DONE_TO_OTHERS, user=user_id)

    def receipts(self, user_id: str) -> Iterable[Row]:
        return self._ask(_RECEIPTS, user=user_id)

    def mentions(self, user_id: str) -> Iterable[Row]:
        return self._ask(_MENTIONS, user=user_id)

    def audit(self, query: AuditQuery) -> Iterable[AuditEntry]:
        return read_audit(self._connection, query)

    def _narrowed(
        self, statement: str, which: OfUser | OfRoom | AskedBy, table: str
    ) -> Iterable[Row]:
        match which:
            case OfUser(user_id):
                narrowed, name = f"{table}.user_id = %(name)s", user_id
            case OfRoom(connection_id):
                narrowed, name = "r.connection_id = %(name)s", connection_id
            case AskedBy(user_id):
                narrowed, name = _ASKED_BY, user_id
        return self._ask(statement.format(which=narrowed), name=name)

    def _ask(self, statement: str, **parameters: str) -> Iterator[Row]:
        """The rows, only some of which are in memory at a time."""
        name = f"known_{next(self._numbers)}"
        with self._connection.cursor(name, row_factory=tuple_row) as cursor:
            cursor.itersize = _READ_ROWS
            yield from cursor.execute(statement.encode(), parameters)


def export_user_from_postgres(
    address: LogAddress, directory: Path, user_id: str, target: Path
) -> int:
    """As `chatd.store.knowledge.export_user`; the directory has the snapshots of this machine.
    Raises `BackupFailed`, `NothingKnown`, `DatabaseUnfit`, `StoreTooOld`, `StoreUnavailable`."""
    return _export(address, target, lambda log: lines_of_user(log, directory, user_id))


def export_room_from_postgres(address: LogAddress, connection_id: str, target: Path) -> int:
    """As `chatd.store.knowledge.export_room`. Raises as `export_user_from_postgres`."""
    return _export(address, target, lambda log: lines_of_room(log, connection_id))


def _export(address: LogAddress, target: Path, lines: Callable[[KnownLog], Iterator[Line]]) -> int:
    with export_to(target) as write, long_session(address) as connection:
        require_log(connection, address.schema)
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return write(lines(_PostgresLog(connection)))

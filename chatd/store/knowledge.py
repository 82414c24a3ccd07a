"""Everything that is known of a user, or that a room holds, as one file: one JSON object per line
(docs/administration, "Erasure"), from a log in SQLite.

Read in one view of the log, whether a daemon runs or not. Nothing is left out: texts as they were
first written, what they were changed to, and what was taken back.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import orjson

from chatd.chat.audit import AuditEntry
from chatd.store.audit import AuditQuery, read_audit, require_current_form
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
from chatd.store.log_file import LOG_NAME, explained, look, no_log, require_whole_or_absent
from chatd.store.recovery import read_epoch, read_position
from chatd.store.replacement import require_in_place

_MESSAGES: Final = """
    SELECT m.position, m.message_id, r.connection_id, m.seq, m.timestamp_ms, m.user_id, m.name,
           m.content, m.context, m.thread_id, m.reply_to, m.answer, m.delivered_ms, m.delivered_by,
           n.users
    FROM messages m JOIN rooms r USING (room_id) LEFT JOIN mentions n ON n.message = m.position
    WHERE {which} ORDER BY m.position
"""
_CHANGES: Final = """
    SELECT rev, kind, at_ms, user_id, written FROM changes WHERE message = ? ORDER BY position
"""
_MEMBERS: Final = """
    SELECT r.connection_id, m.user_id, m.is_member, m.joined_ms, m.read_seq, m.name, m.away_seq,
           m.away_ms, m.gaps, m.fallen
    FROM members m JOIN rooms r USING (room_id) WHERE {which} ORDER BY 1, 2
"""
_ANSWERS: Final = """
    SELECT r.connection_id, a.user_id, a.question_id, a.answer_id, a.opened_ms, a.state
    FROM answers a JOIN rooms r USING (room_id) WHERE {which} ORDER BY a.opened_ms
"""
_DONE_TO_OTHERS: Final = """
    SELECT r.connection_id, m.seq, m.message_id, c.kind, c.at_ms, c.written
    FROM changes c JOIN messages m ON m.position = c.message JOIN rooms r ON r.room_id = m.room_id
    WHERE c.user_id = ?1 AND m.user_id <> ?1 ORDER BY c.position
"""
_RECEIPTS: Final = """
    SELECT r.connection_id, m.seq, m.message_id, m.delivered_ms
    FROM messages m JOIN rooms r USING (room_id) WHERE m.delivered_by = ? ORDER BY m.position
"""
_MENTIONS: Final = """
    SELECT r.connection_id, n.seq, m.message_id, n.author, n.users
    FROM mentions n JOIN messages m ON m.position = n.message JOIN rooms r ON r.room_id = n.room_id
    WHERE instr(n.users, ?) ORDER BY n.message
"""
_ASKED_BY: Final = "m.message_id IN (SELECT a.answer_id FROM answers a WHERE a.user_id = ?)"


class _SqliteLog(KnownLog):
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.epoch = read_epoch(connection)
        self.position = self.snapshots_at = read_position(connection)

    def messages(self, which: OfUser | OfRoom | AskedBy) -> Iterable[Row]:
        return self._ask(_MESSAGES, which, "m")

    def changes(self, message: int) -> Iterable[Row]:
        return self._connection.execute(_CHANGES, (message,)).fetchall()

    def members(self, which: OfUser | OfRoom) -> Iterable[Row]:
        return self._ask(_MEMBERS, which, "m")

    def answers(self, which: OfUser | OfRoom) -> Iterable[Row]:
        return self._ask(_ANSWERS, which, "a")

    def done_to_others(self, user_id: str) -> Iterable[Row]:
        return self._connection.execute(_DONE_TO_OTHERS, (user_id,))

    def receipts(self, user_id: str) -> Iterable[Row]:
        return self._connection.execute(_RECEIPTS, (user_id,))

    def mentions(self, user_id: str) -> Iterator[Row]:
        quoted = orjson.dumps(user_id).decode()
        for *place, users in self._connection.execute(_MENTIONS, (quoted,)):
            if user_id in orjson.loads(users):
                yield place

    def audit(self, query: AuditQuery) -> Iterable[AuditEntry]:
        return read_audit(self._connection, query)

    def _ask(self, statement: str, which: OfUser | OfRoom | AskedBy, table: str) -> Iterable[Row]:
        match which:
            case OfUser(user_id):
                narrowed, name = f"{table}.user_id = ?", user_id
            case OfRoom(connection_id):
                narrowed, name = "r.connection_id = ?", connection_id
            case AskedBy(user_id):
                narrowed, name = _ASKED_BY, user_id
        return self._connection.execute(statement.format(which=narrowed), (name,))


def export_user(directory: Path, user_id: str, target: Path) -> int:
    """Write everything that is known of a user to the new file `target`; returns how many lines
    there are.

    Raises `BackupFailed` if the file cannot be written, `NothingKnown` if it would be empty, and
    what `look_at_audit` raises.
    """
    return _export(directory, target, lambda log: lines_of_user(log, directory, user_id))


def export_room(directory: Path, connection_id: str, target: Path) -> int:
    """Write all that a room holds to the new file `target`, as `export_user` does."""
    return _export(directory, target, lambda log: lines_of_room(log, connection_id))


def _export(directory: Path, target: Path, lines: Callable[[KnownLog], Iterator[Line]]) -> int:
    path = directory / LOG_NAME
    with explained(path):
        require_in_place(directory)
        require_whole_or_absent(path)
    if not path.exists():
        raise no_log(directory, "to export")
    with export_to(target) as write:

        def write_all(connection: sqlite3.Connection) -> int:
            require_current_form(connection, path)
            return write(lines(_SqliteLog(connection)))

        with explained(path):
            return look(path, write_all)

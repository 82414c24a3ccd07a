"""The audit in the log: rows that are appended, read by `chatd audit`, and removed when old.

`read_audit` is for one view of the log on a connection of its own; `remove_old` runs in the
transaction of its caller.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from chatd.chat.audit import AuditAction, AuditEnd, AuditEntry
from chatd.store import schema
from chatd.store.errors import StoreTooOld
from chatd.store.log_file import (
    LOG_NAME,
    explained,
    look,
    no_log,
    require_known_form,
    require_whole_or_absent,
)
from chatd.store.replacement import require_in_place

OPEN: Final = "open"
"""The outcome of a question whose answer has not ended."""

APPEND_AUDIT: Final = """
    INSERT INTO audit (position, at_ms, action, user_id, outcome, address, room, message_id,
                       statement, target, format, code, rows, size_bytes, elapsed_ms, span)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
ENTRIES_WITH_ENDS: Final = """
        SELECT a.position, a.at_ms, a.action, a.user_id, coalesce(e.outcome, a.outcome), a.address,
               a.room, a.message_id, a.statement, a.target, a.format, a.code,
               coalesce(e.rows, a.rows), coalesce(e.size_bytes, a.size_bytes),
               coalesce(e.elapsed_ms, a.elapsed_ms)
        FROM audit a LEFT JOIN audit e ON e.span = a.span AND e.action IS NULL
        WHERE a.action IS NOT NULL
"""
"""Each entry, with what its end says if it has one."""
_ENTRIES = f"""
    SELECT * FROM ({ENTRIES_WITH_ENDS}
        UNION ALL
        SELECT NULL, n.opened_ms, 'ask', n.user_id, 'open', n.address, r.connection_id,
               lower(hex(n.question_id)), m.content, NULL, NULL, NULL, NULL, NULL, NULL
        FROM answers n INDEXED BY answers_open JOIN rooms r USING (room_id)
        LEFT JOIN messages m ON m.message_id = n.question_id
        WHERE n.state IS NULL AND NOT n.is_to_read)
    WHERE (?1 IS NULL OR room = ?1) AND (?2 IS NULL OR user_id = ?2 OR target = ?2)
          AND (?3 IS NULL OR at_ms >= ?3) AND (?4 IS NULL OR at_ms < ?4)
    ORDER BY at_ms, position IS NULL, position
"""
# From the oldest end only: what was written after something young is young, whatever its time says.
_REMOVE_OLD = """
    DELETE FROM audit WHERE position IN (
        SELECT position FROM audit
        WHERE position < coalesce(
            (SELECT min(position) FROM audit WHERE at_ms >= ?1), 9223372036854775807)
        ORDER BY position LIMIT ?2)
"""


@attrs.frozen
class AuditQuery:
    """What narrows the audit: a room, a user who did something or was the target of it, times in
    ms, `since_ms` included and `until_ms` excluded. None does not narrow."""

    connection_id: str | None = None
    user_id: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


def audit_row(position: int, entry: AuditEntry | AuditEnd) -> tuple[object, ...]:
    """An entry as `APPEND_AUDIT` takes it."""
    match entry:
        case AuditEnd():
            return (
                *(position, entry.at_ms, None, None, entry.outcome),
                *(None, None, None, None, None, None, None),
                *(entry.rows, entry.size_bytes, entry.elapsed_ms, entry.span),
            )
        case AuditEntry():
            return (
                *(position, entry.at_ms, str(entry.action), entry.user_id, entry.outcome),
                *(entry.address, entry.connection_id, entry.message_id, entry.statement),
                *(entry.target, entry.format, entry.code),
                *(entry.rows, entry.size_bytes, entry.elapsed_ms, entry.span),
            )


def read_audit(connection: sqlite3.Connection, query: AuditQuery) -> Iterator[AuditEntry]:
    """The entries, the oldest first, each with its end if it has one; questions that are being
    answered are among them, as `OPEN`. A broken row is skipped."""
    narrowed = query.connection_id, query.user_id, query.since_ms, query.until_ms
    for row in connection.execute(_ENTRIES, narrowed):
        entry = entry_of(*row[1:])
        if entry is not None:
            yield entry


def entry_of(
    at_ms: int, action: object, user_id: str, outcome: str, address: str | None, room: str | None,
    message_id: str | None, statement: str | None, *rest: Any,
) -> AuditEntry | None:  # fmt: skip
    """The entry in a row; None if the row is broken."""
    if action not in frozenset(AuditAction):
        return None  # of a newer chatd, or broken
    if outcome == OPEN and message_id is not None and "-" not in message_id:
        parts = message_id[:8], message_id[8:12], message_id[12:16], message_id[16:20]
        message_id = "-".join((*parts, message_id[20:32]))
    return AuditEntry(
        AuditAction(str(action)),
        at_ms,
        user_id,
        outcome,
        address,
        room,
        message_id,
        statement,
        *rest,
    )


def remove_old(connection: sqlite3.Connection, before_ms: int, most: int) -> int:
    """Remove the oldest entries from before a time, `most` at most; returns how many there were."""
    return connection.execute(_REMOVE_OLD, (before_ms, most)).rowcount


def look_at_audit(directory: Path, query: AuditQuery) -> list[AuditEntry]:
    """The entries in the log of a state directory, whether a daemon runs or not.

    Raises `StoreUnavailable`, `StoreTooNew`, `StoreTooOld` or `StoreDamaged`.
    """
    path = directory / LOG_NAME
    with explained(path):
        require_in_place(directory)
        require_whole_or_absent(path)
        if not path.exists():
            raise no_log(directory, "to audit")

        def ask(connection: sqlite3.Connection) -> list[AuditEntry]:
            require_current_form(connection, path)
            return list(read_audit(connection, query))

        return look(path, ask)


def require_current_form(connection: sqlite3.Connection, path: Path) -> None:
    """Raises `StoreTooOld` if an older chatd was the last to write the log, and `StoreTooNew`."""
    version = require_known_form(connection, path)
    if version < schema.CURRENT_VERSION:
        raise StoreTooOld(
            f"The log {path} has the form {version} of an older chatd. Start this one once, which "
            f"brings it to form {schema.CURRENT_VERSION}."
        )

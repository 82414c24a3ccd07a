"""All that is known of a user, or that a room holds, as one file: a JSON object a line
(docs/administration, "Erasure").

Read in one view of the log, whether a daemon runs or not. Nothing is left out: texts as they were
first written, what they were changed to, and what was taken back.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import orjson

from chatd.chat.ids import written_id
from chatd.files import fault_of_folder, sync_directory
from chatd.store.audit import AuditQuery, read_audit, require_current_form
from chatd.store.errors import BackupFailed
from chatd.store.log_file import LOG_NAME, explained, look, no_log, require_whole_or_absent
from chatd.store.recovery import read_epoch, read_position
from chatd.store.replacement import require_in_place
from chatd.store.rows import uuid_text
from chatd.store.snapshots import newest_snapshot

Line = dict[str, Any]

_UNFINISHED: Final = ".unfinished"
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


def export_user(directory: Path, user_id: str, target: Path) -> int:
    """Write all that is known of a user to the new file `target`; how many lines these are.

    Raises `BackupFailed` where the file cannot be written, and what `look_at_audit` raises.
    """

    def lines(log: sqlite3.Connection) -> Iterator[Line]:
        yield _head(log, "user", user_id)
        yield from _members(log, "m.user_id = ?", user_id)
        yield from _messages(log, "message", "m.user_id = ?", user_id)
        yield from _answers(log, "a.user_id = ?", user_id)
        yield from _messages(log, "answer_message", _ASKED_BY, user_id)
        for room, seq, message_id, kind, at_ms, written in log.execute(_DONE_TO_OTHERS, (user_id,)):
            yield {"kind": kind, **_place(room, seq, message_id), "at": at_ms, "written": written}
        for room, seq, message_id, at_ms in log.execute(_RECEIPTS, (user_id,)):
            yield {"kind": "receipt", **_place(room, seq, message_id), "at": at_ms}
        quoted = orjson.dumps(user_id).decode()
        for room, seq, message_id, author, users in log.execute(_MENTIONS, (quoted,)):
            if user_id in orjson.loads(users):
                yield {"kind": "mention", **_place(room, seq, message_id), "by": author}
        for entry in read_audit(log, AuditQuery(user_id=user_id)):
            yield {"kind": "audit", **attrs.asdict(entry)}
        yield from _presence(log, directory, user_id)

    return _write(directory, target, lines)


def export_room(directory: Path, connection_id: str, target: Path) -> int:
    """Write all that a room holds to the new file `target`, as `export_user` does."""

    def lines(log: sqlite3.Connection) -> Iterator[Line]:
        yield _head(log, "room", connection_id)
        yield from _members(log, "r.connection_id = ?", connection_id)
        yield from _messages(log, "message", "r.connection_id = ?", connection_id)
        yield from _answers(log, "r.connection_id = ?", connection_id)
        for entry in read_audit(log, AuditQuery(connection_id=connection_id)):
            yield {"kind": "audit", **attrs.asdict(entry)}

    return _write(directory, target, lines)


def _head(log: sqlite3.Connection, kind: str, name: str) -> Line:
    return {"kind": kind, "id": name, "epoch": read_epoch(log), "position": read_position(log)}


def _members(log: sqlite3.Connection, which: str, name: str) -> Iterator[Line]:
    for room, user, is_member, joined_ms, read_seq, called, *queue in log.execute(
        _MEMBERS.format(which=which), (name,)
    ):
        yield {
            "kind": "membership",
            "connectionId": room,
            "userId": user,
            "isMember": bool(is_member),
            "joinedAt": joined_ms,
            "readSeq": read_seq,
            "name": called,
            "queue": dict(zip(("awaySeq", "awayAt", "gaps", "fallen"), queue, strict=True)),
        }


def _messages(log: sqlite3.Connection, kind: str, which: str, name: str) -> Iterator[Line]:
    for row in log.execute(_MESSAGES.format(which=which), (name,)):
        position, message_id, room, seq, at_ms, user, called, content, context = row[:9]
        thread_id, reply_to, answer, delivered_ms, delivered_by, users = row[9:]
        changes = log.execute(_CHANGES, (position,)).fetchall()
        yield {
            "kind": kind,
            **_place(room, seq, message_id),
            "at": at_ms,
            "userId": user,
            "name": called,
            "content": content,
            "context": _document(context),
            "threadId": _id(thread_id),
            "replyTo": _id(reply_to),
            "answer": _document(answer),
            "deliveredAt": delivered_ms,
            "deliveredBy": delivered_by,
            "mentions": _document(users),
            "changes": [
                dict(zip(("rev", "kind", "at", "userId", "written"), one, strict=True))
                for one in changes
            ],
        }


def _answers(log: sqlite3.Connection, which: str, name: str) -> Iterator[Line]:
    for room, user, question_id, answer_id, opened_ms, state in log.execute(
        _ANSWERS.format(which=which), (name,)
    ):
        yield {
            "kind": "question",
            "connectionId": room,
            "userId": user,
            "messageId": _id(question_id),
            "answerId": _id(answer_id),
            "at": opened_ms,
            "state": state,
        }


def _presence(log: sqlite3.Connection, directory: Path, user_id: str) -> Iterator[Line]:
    """Where the newest snapshot has seen the user."""
    found = newest_snapshot(directory, read_epoch(log), read_position(log)).snapshot
    parts = {} if found is None else found.parts
    for part in ("presence", "typing"):
        rooms = parts.get(part)
        for room, entries in rooms.items() if isinstance(rooms, dict) else ():
            for entry in entries:
                if isinstance(entry, list) and entry[:1] == [user_id]:
                    yield {"kind": part, "connectionId": room, "entry": entry}


def _place(room: object, seq: object, message_id: object) -> Line:
    return {"connectionId": room, "seq": seq, "messageId": _id(message_id)}


def _id(key: object) -> str | None:
    return written_id(uuid_text(key)) if isinstance(key, bytes) else None


def _document(written: object) -> Any:
    """A JSON value as it was written; text where it is none."""
    if not isinstance(written, bytes | str):
        return None
    try:
        return orjson.loads(written)
    except ValueError:
        return written.decode(errors="replace") if isinstance(written, bytes) else written


def _write(
    directory: Path, target: Path, lines: Callable[[sqlite3.Connection], Iterator[Line]]
) -> int:
    path = directory / LOG_NAME
    with explained(path):
        require_in_place(directory)
        require_whole_or_absent(path)
    if not path.exists():
        raise no_log(directory, "to export")
    if os.path.lexists(target):
        raise BackupFailed(f"{target} is there already; an export replaces nothing.")
    fault = fault_of_folder(target.parent)
    if fault is not None:
        raise BackupFailed(f"{target} was not made: {fault}; make that folder, or name another.")
    unfinished = target.with_name(target.name + _UNFINISHED)

    def write(log: sqlite3.Connection) -> int:
        require_current_form(log, path)
        count = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(unfinished, flags, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            for line in lines(log):
                file.write(orjson.dumps(line, default=str) + b"\n")
                count += 1
            file.flush()
            os.fsync(file.fileno())
        return count

    try:
        with explained(path):
            count = look(path, write)
        unfinished.rename(target)
        sync_directory(target.parent)
    except OSError as error:
        raise BackupFailed(f"{target} was not made: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return count

"""The lines of an export, in whichever engine the log is: a JSON object each (docs/administration,
"Erasure")."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import attrs
import orjson

from chatd.chat.audit import AuditEntry
from chatd.chat.ids import written_id
from chatd.files import fault_of_folder, sync_directory
from chatd.store.audit import AuditQuery
from chatd.store.errors import BackupFailed, NothingKnown
from chatd.store.rows import uuid_text
from chatd.store.snapshots import newest_snapshot

Line = dict[str, Any]
Row = Sequence[Any]

_UNFINISHED: Final = ".unfinished"
_HEAD_LINES: Final = 1  # of an export, which say what it is about


@attrs.frozen
class OfUser:
    """Rows of a user."""

    user_id: str


@attrs.frozen
class OfRoom:
    """Rows of a room."""

    connection_id: str


@attrs.frozen
class AskedBy:
    """Messages that answer a question of a user."""

    user_id: str


class KnownLog(Protocol):
    """A log in one view. `snapshots_at` is the position up to which snapshots beside it are of
    use."""

    epoch: str
    position: int
    snapshots_at: int

    def messages(self, which: OfUser | OfRoom | AskedBy) -> Iterable[Row]:
        """First the argument for `changes`; then id, room, seq, time, user, name, content, context,
        thread, what it replies to, answer, when and to whom it was delivered, and whom it
        mentions."""
        ...

    def changes(self, message: Any) -> Iterable[Row]:
        """Rev, kind, time, user, what was written."""
        ...

    def members(self, which: OfUser | OfRoom) -> Iterable[Row]:
        """Room, user, whether it is a member, when it joined, up to where it has read, name; then
        away_seq, away_ms, gaps and fallen, the last two as JSON."""
        ...

    def answers(self, which: OfUser | OfRoom) -> Iterable[Row]:
        """Room, user, question, answer, time, state."""
        ...

    def done_to_others(self, user_id: str) -> Iterable[Row]:
        """What a user did to messages of others: room, seq, id, kind, time, what was written."""
        ...

    def receipts(self, user_id: str) -> Iterable[Row]:
        """Room, seq, id, time."""
        ...

    def mentions(self, user_id: str) -> Iterable[Row]:
        """Room, seq, id, author."""
        ...

    def audit(self, query: AuditQuery) -> Iterable[AuditEntry]: ...


def lines_of_user(log: KnownLog, directory: Path, user_id: str) -> Iterator[Line]:
    """All that is known of a user, in the log and in the snapshots of a state directory."""
    yield _head(log, "user", user_id)
    yield from _members(log, OfUser(user_id))
    yield from _messages(log, "message", OfUser(user_id))
    yield from _answers(log, OfUser(user_id))
    yield from _messages(log, "answer_message", AskedBy(user_id))
    for room, seq, message_id, kind, at_ms, written in log.done_to_others(user_id):
        yield {"kind": kind, **_place(room, seq, message_id), "at": at_ms, "written": written}
    for room, seq, message_id, at_ms in log.receipts(user_id):
        yield {"kind": "receipt", **_place(room, seq, message_id), "at": at_ms}
    for room, seq, message_id, author in log.mentions(user_id):
        yield {"kind": "mention", **_place(room, seq, message_id), "by": author}
    for entry in log.audit(AuditQuery(user_id=user_id)):
        yield {"kind": "audit", **attrs.asdict(entry)}
    yield from _presence(log, directory, user_id)


def lines_of_room(log: KnownLog, connection_id: str) -> Iterator[Line]:
    """All that a room holds."""
    yield _head(log, "room", connection_id)
    yield from _members(log, OfRoom(connection_id))
    yield from _messages(log, "message", OfRoom(connection_id))
    yield from _answers(log, OfRoom(connection_id))
    for entry in log.audit(AuditQuery(connection_id=connection_id)):
        yield {"kind": "audit", **attrs.asdict(entry)}


def _head(log: KnownLog, kind: str, name: str) -> Line:
    return {"kind": kind, "id": name, "epoch": log.epoch, "position": log.position}


def _members(log: KnownLog, which: OfUser | OfRoom) -> Iterator[Line]:
    for room, user, is_member, joined_ms, read_seq, called, *queue in log.members(which):
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


def _messages(log: KnownLog, kind: str, which: OfUser | OfRoom | AskedBy) -> Iterator[Line]:
    for row in log.messages(which):
        message, message_id, room, seq, at_ms, user, called, content, context = row[:9]
        thread_id, reply_to, answer, delivered_ms, delivered_by, users = row[9:]
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
                for one in log.changes(message)
            ],
        }


def _answers(log: KnownLog, which: OfUser | OfRoom) -> Iterator[Line]:
    for room, user, question_id, answer_id, opened_ms, state in log.answers(which):
        yield {
            "kind": "question",
            "connectionId": room,
            "userId": user,
            "messageId": _id(question_id),
            "answerId": _id(answer_id),
            "at": opened_ms,
            "state": state,
        }


def _presence(log: KnownLog, directory: Path, user_id: str) -> Iterator[Line]:
    """Where the newest snapshot has seen the user."""
    found = newest_snapshot(directory, log.epoch, log.snapshots_at).snapshot
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
    """A JSON value as it was written; text if it is not JSON."""
    if not isinstance(written, bytes | str):
        return None
    try:
        return orjson.loads(written)
    except ValueError:
        return written.decode(errors="replace") if isinstance(written, bytes) else written


def require_free(target: Path) -> None:
    """Raises `BackupFailed` if an export cannot become the new file `target`."""
    if os.path.lexists(target):
        raise BackupFailed(f"{target} is there already; an export replaces nothing.")
    fault = fault_of_folder(target.parent)
    if fault is not None:
        raise BackupFailed(f"{target} was not made: {fault}; make that folder, or name another.")


@contextlib.contextmanager
def export_to(target: Path) -> Iterator[Callable[[Iterable[Line]], int]]:
    """A file for the user alone, which has its name once the block has ended well; lines are
    written to it, and counted. Raises `BackupFailed`, and `NothingKnown` if nothing follows the
    head."""
    require_free(target)
    unfinished = target.with_name(target.name + _UNFINISHED)

    def write(lines: Iterable[Line]) -> int:
        count = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(unfinished, flags, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            for line in lines:
                file.write(orjson.dumps(line, default=str) + b"\n")
                count += 1
            if count <= _HEAD_LINES:
                raise NothingKnown(f"Nothing is known of it, so {target} was not made.")
            file.flush()
            os.fsync(file.fileno())
        return count

    try:
        yield write
        unfinished.rename(target)
        sync_directory(target.parent)
    except OSError as error:
        raise BackupFailed(f"{target} was not made: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)

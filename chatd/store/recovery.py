"""What a start learns from the log: whether it is sound, and what memory begins with.

Nothing here grows with the number of messages, so that a log of millions opens at once: rooms are
looked at by their ends, and soundness by samples. `chatd store verify` is the full check. Members
are read whole, or, where a snapshot knows them as of a position, only those that changed since.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from chatd.chat.queue import Queue
from chatd.chat.records import OpenAnswer
from chatd.store.rows import (
    MESSAGE_COLUMNS,
    QUEUE_COLUMNS,
    SELECT_HEADS,
    message_from_row,
    queue_from_row,
    uuid_text,
)

SAMPLES = 64  # places, evenly over the log, that are read at a start: a cut or zeroed part shows

_MESSAGE_AT = f"""
    SELECT {MESSAGE_COLUMNS} FROM messages m JOIN rooms r USING (room_id)
    WHERE m.position >= ? ORDER BY m.position LIMIT 1
"""
_ALL_MEMBERS = f"""
    SELECT r.connection_id, m.user_id, m.is_member, {QUEUE_COLUMNS}
    FROM members m JOIN rooms r USING (room_id) WHERE m.is_member
"""
# CROSS JOIN fixes the order: the members that changed first, then the room of each.
_MEMBERS_SINCE = f"""
    SELECT r.connection_id, m.user_id, m.is_member, {QUEUE_COLUMNS}
    FROM members m INDEXED BY members_by_position CROSS JOIN rooms r USING (room_id)
    WHERE m.position > ?
"""
_OPEN_ANSWERS = """
    SELECT a.question_id, a.answer_id, r.connection_id, a.user_id, a.thread_id, a.opened_ms,
           a.is_to_read
    FROM answers a INDEXED BY answers_open CROSS JOIN rooms r USING (room_id)
    WHERE a.state IS NULL ORDER BY a.opened_ms
"""

Members = Mapping[str, Mapping[str, Queue]]


@attrs.frozen
class SnapshotOfMembers:
    """The members of all rooms as of a position of this log: by connection id, then by user id.

    They may be newer than `position` says, never older.
    """

    position: int
    members: Members


@attrs.frozen
class Recovered:
    """The log's own summary of what was committed.

    `rooms`: the last seq by connection id, whether its message is still there or not; 0 for a room
    with members and no message ever. `position`: that of the last record. `message_count`: messages
    in the log, without counting them. `members`: what each is owed, by connection id, then by user
    id; a room without members is not in it. `open_answers`: questions whose answer has not ended,
    and messages that are to be read for one.
    """

    rooms: dict[str, int]
    position: int
    message_count: int
    members: dict[str, dict[str, Queue]]
    open_answers: tuple[OpenAnswer, ...] = ()


def read_epoch(connection: sqlite3.Connection) -> str:
    """The name of this log, new when it was created or restored."""
    [(epoch,)] = connection.execute("SELECT epoch FROM meta")
    return str(epoch)


def read_position(connection: sqlite3.Connection) -> int:
    """The position of the last record."""
    [(position,)] = connection.execute("SELECT position FROM meta")
    return int(position)


def recover(connection: sqlite3.Connection, base: SnapshotOfMembers | None = None) -> Recovered:
    """Read the summary, in one view of the log.

    With a `base` of this log, the members are those, brought forward by what is newer; the result
    is the same. Raises `sqlite3.Error` or `ValueError`, also where the file is damaged.
    """
    with _one_view(connection):
        position = read_position(connection)
        rooms: dict[str, int] = {}
        message_count = 0
        for room, _, last_seq, forgotten_seq in connection.execute(SELECT_HEADS):
            rooms[room] = last_seq
            message_count += last_seq - forgotten_seq  # what is there of a room is dense
        members = _read_members(connection, base)
        open_answers = tuple(map(_open_answer, connection.execute(_OPEN_ANSWERS)))
    return Recovered(rooms, position, message_count, members, open_answers)


def _open_answer(row: Sequence[Any]) -> OpenAnswer:
    question_id, answer_id, connection_id, user_id, thread_id, opened_ms, is_to_read = row
    return OpenAnswer(
        uuid_text(question_id),
        uuid_text(answer_id),
        connection_id,
        user_id,
        None if thread_id is None else uuid_text(thread_id),
        opened_ms,
        is_to_read=bool(is_to_read),
    )


def _read_members(
    connection: sqlite3.Connection, base: SnapshotOfMembers | None
) -> dict[str, dict[str, Queue]]:
    if base is None:
        members: dict[str, dict[str, Queue]] = {}
        rows = connection.execute(_ALL_MEMBERS)
    else:
        members = {room: dict(queues) for room, queues in base.members.items()}
        rows = connection.execute(_MEMBERS_SINCE, (base.position,))
    for room, user, is_member, *columns in rows:
        if is_member:
            members.setdefault(room, {})[user] = queue_from_row(*columns)
        else:
            members.get(room, {}).pop(user, None)
    return {room: queues for room, queues in members.items() if queues}


@contextlib.contextmanager
def _one_view(connection: sqlite3.Connection) -> Iterator[None]:
    """All reads see the log at one moment, whatever is committed meanwhile."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:  # SQLite ends it by itself on some errors
            connection.execute("ROLLBACK")


def probe(connection: sqlite3.Connection) -> None:
    """Read a bounded number of places. Raises `sqlite3.DatabaseError` or `ValueError` at damage."""
    [(last,)] = connection.execute("SELECT coalesce(max(position), 0) FROM messages")
    for sample in range(SAMPLES + 1):
        for row in connection.execute(_MESSAGE_AT, (last * sample // SAMPLES,)):
            message = message_from_row(row)
            found = connection.execute(
                "SELECT 1 FROM messages WHERE message_id = ?", (row[0],)
            ).fetchone()
            if found is None:
                raise ValueError(f"message {message.message_id} is not in its index")

"""Look-ups in the log other than pages: messages and answers by id, receipts, what queues hold."""

import heapq
import sqlite3
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import attrs

from chatd.chat.queue import Gap, QueueCut
from chatd.chat.reading import MENTIONING_MAX, Lack, Mentioning, Seqs, Stretch, seqs_of
from chatd.chat.records import (
    Change,
    Message,
    MessageDeleted,
    MessageEdited,
    MessageErased,
    MessagePlace,
    ReactionChanged,
)
from chatd.chat.steady_time import PLAUSIBLE_FROM_MS
from chatd.store.message_reader import StoredAnswer
from chatd.store.pages import find_room, require_damage
from chatd.store.rows import (
    CHANGED,
    FIRST_COLUMNS,
    MESSAGE_COLUMNS,
    ids_from,
    is_uuid,
    mentions_from_json,
    message_from_row,
    uuid_text,
)

# A thread of a room by its id: there is a reply to it, or the message that may open it.
_HAS_THREAD = """
    SELECT EXISTS (SELECT 1 FROM messages m INDEXED BY messages_by_thread
                   WHERE m.room_id = r.room_id AND m.thread_id = ?2)
        OR EXISTS (SELECT 1 FROM messages m INDEXED BY messages_by_id
                   WHERE m.message_id IN (?2, ?3) AND m.room_id = r.room_id
                     AND m.thread_id IS NULL)
    FROM rooms r WHERE r.connection_id = ?1
"""
UNDELIVERED = """
    SELECT m.message_id, r.connection_id, m.seq, m.user_id
    FROM rooms r CROSS JOIN messages m INDEXED BY messages_by_seq
    WHERE r.room_id = ?1 AND m.room_id = ?1 AND m.seq BETWEEN ?2 AND ?3
      AND m.delivered_by IS NULL AND m.user_id <> ?4
    ORDER BY m.seq DESC LIMIT ?5
"""
STRETCH = """
    SELECT m.seq, m.user_id, c.deleted_ms IS NOT NULL
    FROM messages m INDEXED BY messages_by_seq LEFT JOIN changed c ON c.message = m.position
    WHERE m.room_id = ? AND m.seq BETWEEN ? AND ? ORDER BY m.seq
"""
MENTIONING = """
    SELECT n.seq, n.author, n.users FROM mentions n INDEXED BY mentions_by_seq
    WHERE n.room_id = ? ORDER BY n.seq DESC LIMIT ?
"""
NEWEST = """
    SELECT m.position, m.seq, m.timestamp_ms FROM messages m INDEXED BY messages_by_seq
    WHERE m.room_id = ? AND m.seq BETWEEN ? AND ? ORDER BY m.seq DESC
"""
# Which messages have an id, without reading what they hold: the time that takes would reveal it.
_PLACES = """
    SELECT m.position, r.connection_id
    FROM messages m INDEXED BY messages_by_id JOIN rooms r USING (room_id)
    WHERE m.message_id BETWEEN ? AND ? ORDER BY m.message_id
"""
_MESSAGE_AT = f"""
    SELECT {MESSAGE_COLUMNS} FROM messages m JOIN rooms r USING (room_id) {CHANGED}
    WHERE m.position = ?
"""
_FIRST_AT = f"""
    SELECT {FIRST_COLUMNS} FROM messages m JOIN rooms r USING (room_id) WHERE m.position = ?
"""
_CHANGES = """
    SELECT ch.message, ch.rev, ch.kind, ch.user_id, ch.at_ms, ch.written
    FROM rooms r CROSS JOIN changes ch INDEXED BY changes_by_rev
    WHERE r.connection_id = ?1 AND ch.room_id = r.room_id AND ch.rev > ?2 AND ch.rev <= ?3
    ORDER BY ch.rev
"""
_ANSWERS = """
    SELECT a.answer_id, r.connection_id, a.user_id, a.state
    FROM answers a JOIN rooms r USING (room_id)
    WHERE a.question_id BETWEEN ? AND ? ORDER BY a.question_id
"""


def read_message(
    connection: sqlite3.Connection, key: bytes, rooms: Container[str] | None
) -> Message | None:
    return _read_one(connection, _MESSAGE_AT, key, rooms)


def read_written(
    connection: sqlite3.Connection, key: bytes, rooms: Container[str] | None
) -> Message | None:
    return _read_one(connection, _FIRST_AT, key, rooms)


def _read_one(
    connection: sqlite3.Connection, statement: str, key: bytes, rooms: Container[str] | None
) -> Message | None:
    for position, room in connection.execute(_PLACES, ids_from(key)).fetchall():
        if rooms is None or room in rooms:
            return message_from_row(connection.execute(statement, (position,)).fetchone())
    return None


def read_changes(
    connection: sqlite3.Connection, connection_id: str, after_rev: int, up_to_rev: int
) -> tuple[Change, ...]:
    rows = connection.execute(_CHANGES, (connection_id, after_rev, up_to_rev)).fetchall()
    return tuple(one for row in rows if (one := _change_from_row(connection, *row)) is not None)


def _change_from_row(
    connection: sqlite3.Connection,
    position: int,
    rev: int,
    kind: object,
    by: object,
    at_ms: object,
    written: object,
) -> Change | None:
    row = connection.execute(_MESSAGE_AT, (position,)).fetchone()
    if row is None:
        return None
    return change_from(message_from_row(row), rev, kind, by, at_ms, written)


def change_from(
    message: Message, rev: int, kind: object, by: object, at_ms: object, written: object
) -> Change | None:
    """The change in a row, of a message as it is today; None if it is broken, as its message then
    says."""
    if message.changes is None:
        return None
    if not (isinstance(by, str) and isinstance(at_ms, int)):
        return None
    match kind, written:
        case "edit", str():
            changes = attrs.evolve(message.changes, rev=rev, edited_ms=at_ms, deleted_ms=None)
            message = attrs.evolve(message, content=written, changes=changes)
            return MessageEdited(message, rev, by, at_ms)
        case "erase", _:
            return MessageErased(message, rev, by, at_ms)
        case "delete", _:
            return MessageDeleted(message, rev, by, at_ms)
        case "react" | "unreact", str():
            return ReactionChanged(message, rev, by, at_ms, written, kind == "react")
        case _:
            return None


def read_has_thread(
    connection: sqlite3.Connection, connection_id: str, thread: bytes, scoped: bytes
) -> bool:
    row = connection.execute(_HAS_THREAD, (connection_id, thread, scoped)).fetchone()
    return row is not None and bool(row[0])


def read_answer(
    connection: sqlite3.Connection, key: bytes, rooms: Container[str] | None
) -> StoredAnswer | None:
    for answer_id, room, user_id, state in connection.execute(_ANSWERS, ids_from(key)).fetchall():
        if (
            (rooms is None or room in rooms)
            and is_uuid(answer_id)
            and isinstance(user_id, str)
            and isinstance(state, str | None)
        ):
            return StoredAnswer(uuid_text(answer_id), room, user_id, state)
    return None


def read_undelivered(
    connection: sqlite3.Connection,
    connection_id: str,
    user_id: str,
    first_seq: int,
    last_seq: int,
    limit: int,
) -> tuple[MessagePlace, ...]:
    room_id, _ = find_room(connection, connection_id)

    def newest(first: int, last: int) -> list[tuple[Any, ...]]:
        asked = (room_id, first, last, user_id, limit)
        return connection.execute(UNDELIVERED, asked).fetchall()

    def one_by_one() -> Iterator[tuple[Any, ...]]:
        for seq in range(last_seq, first_seq - 1, -1):
            try:
                yield from newest(seq, seq)
            except sqlite3.Error as error:
                require_damage(error)

    try:
        rows = newest(first_seq, last_seq)
    except sqlite3.Error as error:
        require_damage(error)
        rows = list(islice(one_by_one(), limit))
    places = [
        MessagePlace(uuid_text(message_id), room, seq, author)
        for message_id, room, seq, author in rows
        if is_uuid(message_id) and isinstance(author, str)  # else its delivery is not known
    ]
    return tuple(places[::-1])


def read_stretches(connection: sqlite3.Connection, lacks: Sequence[Lack]) -> tuple[Stretch, ...]:
    return tuple(_read_stretch(connection, lack) for lack in lacks)


def _read_stretch(connection: sqlite3.Connection, lack: Lack) -> Stretch:
    room_id, forgotten_seq = find_room(connection, lack.connection_id)
    by_author: dict[str, Seqs] = {}
    deleted = seqs_of()
    for seq, author, is_deleted in _rows_of_stretch(connection, room_id, lack):
        if is_deleted:
            deleted.append(seq)
        elif isinstance(author, str):  # else it is nobody's own
            seqs = by_author.get(author)
            if seqs is None:
                seqs = by_author[author] = seqs_of()
            seqs.append(seq)
    rows = connection.execute(MENTIONING, (room_id, MENTIONING_MAX)).fetchall()
    mentioning = [
        Mentioning(seq, author, users)
        for seq, author, written in reversed(rows)
        if isinstance(author, str) and (users := mentions_from_json(written)) is not None
    ]
    return Stretch(by_author, deleted, forgotten_seq + 1, mentioning)


def _rows_of_stretch(
    connection: sqlite3.Connection, room_id: int, lack: Lack
) -> list[tuple[Any, ...]]:
    """Seq, author and whether it was deleted, of each message that can be read."""

    def read(first: int, last: int) -> list[tuple[Any, ...]]:
        return connection.execute(STRETCH, (room_id, first, last)).fetchall()

    try:
        return read(lack.first_seq, lack.last_seq)
    except sqlite3.Error as error:
        require_damage(error)
    rows: list[tuple[Any, ...]] = []
    for seq in range(lack.first_seq, lack.last_seq + 1):
        try:
            rows += read(seq, seq)
        except sqlite3.Error as error:
            require_damage(error)
    return rows


def read_cuts(
    connection: sqlite3.Connection, owed: Mapping[str, Sequence[Gap]], most: int, oldest_ms: int
) -> dict[str, QueueCut]:
    cuts: dict[str, QueueCut] = {}
    newest: list[tuple[int, str, int, int]] = []  # the next one of each room: a heap of positions
    rest: dict[str, Iterator[tuple[int, int, int]]] = {}

    def offer_next(room: str) -> None:
        for position, seq, timestamp_ms in rest[room]:
            # A value that is not a time may be young: it says nothing, like a clock that was never
            # set.
            if not isinstance(timestamp_ms, int):
                timestamp_ms = oldest_ms
            if timestamp_ms >= oldest_ms or timestamp_ms < PLAUSIBLE_FROM_MS:
                heapq.heappush(newest, (-position, room, seq, timestamp_ms))
            break

    for room, gaps in owed.items():
        if gaps:
            cuts[room] = QueueCut(gaps[-1].last + 1, oldest_ms)
            rest[room] = _newest_first(connection, room, gaps)
            offer_next(room)
    for _ in range(most):
        if not newest:
            break
        _, room, seq, timestamp_ms = heapq.heappop(newest)
        cuts[room] = QueueCut(seq, timestamp_ms)
        offer_next(room)
    return cuts


def _newest_first(
    connection: sqlite3.Connection, connection_id: str, gaps: Sequence[Gap]
) -> Iterator[tuple[int, int, int]]:
    """Position, seq and time of what the gaps hold, read only as far as it is asked for."""
    room_id, forgotten_seq = find_room(connection, connection_id)
    for gap in reversed(gaps):
        if gap.last <= forgotten_seq:
            break
        rows = connection.execute(NEWEST, (room_id, gap.first, gap.last))
        for row in rows:  # noqa: UP028 -- `yield from` may close these after their connection
            yield row

"""Look-ups other than pages: messages, threads and answers by id, changes, receipts."""

from collections.abc import Container
from typing import Final

from chatd.chat.records import Change, Message, MessagePlace
from chatd.postgres_client import TrioConnection
from chatd.postgres_store.pages import read_one_shown
from chatd.postgres_store.rows import (
    CHANGED,
    FIRST_COLUMNS,
    MENTIONED,
    MESSAGE_COLUMNS,
    SHOWN_COLUMNS,
    as_text,
    message,
)
from chatd.store.lookups import change_from
from chatd.store.message_reader import KnownMessage, StoredAnswer
from chatd.store.rows import MESSAGE_WIDTH, ids_from, is_uuid, uuid_text

# Which messages have an id, without reading what they hold: the time for that would reveal them.
_PLACES: Final = """
    SELECT m.room_id, m.seq, r.connection_id
    FROM messages m JOIN rooms r ON r.room_id = m.room_id
    WHERE m.message_id BETWEEN %s AND %s ORDER BY m.message_id
"""
_MESSAGE_AT: Final = f"""
    SELECT {MESSAGE_COLUMNS} FROM messages m JOIN rooms r ON r.room_id = m.room_id
    {CHANGED} {MENTIONED} WHERE m.room_id = %s AND m.seq = %s
"""
_FIRST_AT: Final = f"""
    SELECT {FIRST_COLUMNS} FROM messages m JOIN rooms r ON r.room_id = m.room_id
    WHERE m.room_id = %s AND m.seq = %s
"""
_BY_ID: Final = f"""
    SELECT {SHOWN_COLUMNS} FROM messages m JOIN rooms r ON r.room_id = m.room_id
    {CHANGED} {MENTIONED}
    WHERE m.message_id BETWEEN %s AND %s AND r.connection_id = %s ORDER BY m.message_id LIMIT 1
"""
# A room has a thread with an id if there is a reply in it, or the message that may open it.
_HAS_THREAD: Final = """
    SELECT EXISTS (SELECT FROM messages m
                   WHERE m.room_id = r.room_id AND m.thread_id = %(thread)s)
        OR EXISTS (SELECT FROM messages m
                   WHERE m.message_id IN (%(thread)s, %(scoped)s) AND m.room_id = r.room_id
                     AND m.thread_id IS NULL)
    FROM rooms r WHERE r.connection_id = %(room)s
"""
_CHANGES: Final = f"""
    SELECT {MESSAGE_COLUMNS}, ch.rev, ch.kind, ch.user_id, ch.at_ms, ch.written
    FROM rooms r JOIN changes ch ON ch.room_id = r.room_id
    JOIN messages m ON m.room_id = ch.room_id AND m.seq = ch.seq {CHANGED} {MENTIONED}
    WHERE r.connection_id = %s AND ch.rev > %s AND ch.rev <= %s ORDER BY ch.rev
"""
_ANSWERS: Final = """
    SELECT a.answer_id, r.connection_id, a.user_id, a.state
    FROM answers a JOIN rooms r ON r.room_id = a.room_id
    WHERE a.question_id BETWEEN %s AND %s ORDER BY a.question_id
"""
# LATERAL, so that the planner knows the limit when it chooses the index, which has the order.
UNDELIVERED: Final = """
    SELECT m.message_id, r.connection_id, m.seq, m.user_id
    FROM rooms r CROSS JOIN LATERAL (
        SELECT m.message_id, m.seq, m.user_id FROM messages m
        WHERE m.room_id = r.room_id AND m.seq BETWEEN %(first)s AND %(last)s
          AND m.delivered_by IS NULL AND m.user_id IS DISTINCT FROM %(user)s
        ORDER BY m.seq DESC LIMIT %(limit)s) m
    WHERE r.connection_id = %(room)s ORDER BY m.seq DESC
"""


async def read_message(
    connection: TrioConnection, key: bytes, rooms: Container[str] | None
) -> Message | None:
    return await _read_one(connection, _MESSAGE_AT, key, rooms)


async def read_written(
    connection: TrioConnection, key: bytes, rooms: Container[str] | None
) -> Message | None:
    return await _read_one(connection, _FIRST_AT, key, rooms)


async def _read_one(
    connection: TrioConnection, statement: str, key: bytes, rooms: Container[str] | None
) -> Message | None:
    places = await connection.execute(_PLACES, ids_from(key), binary=True)
    for room_id, seq, room in await places.fetchall():
        if rooms is None or room in rooms:
            found = await connection.execute(statement, (room_id, seq), binary=True)
            row = await found.fetchone()
            return None if row is None else message(row)
    return None


async def read_shown(
    connection: TrioConnection, key: bytes, connection_id: str, answer_rows: int | None
) -> KnownMessage | None:
    asked = (*ids_from(key), as_text(connection_id))
    return await read_one_shown(connection, _BY_ID, asked, answer_rows=answer_rows)


async def read_has_thread(
    connection: TrioConnection, connection_id: str, thread: bytes, scoped: bytes
) -> bool:
    asked = {"room": as_text(connection_id), "thread": thread, "scoped": scoped}
    row = await (await connection.execute(_HAS_THREAD, asked)).fetchone()
    return row is not None and bool(row[0])


async def read_changes(
    connection: TrioConnection, connection_id: str, after_rev: int, up_to_rev: int
) -> tuple[Change, ...]:
    asked = (as_text(connection_id), after_rev, up_to_rev)
    found = await connection.execute(_CHANGES, asked, binary=True)
    made = [change_from(message(row), *row[MESSAGE_WIDTH:]) for row in await found.fetchall()]
    return tuple(one for one in made if one is not None)


async def read_answer(
    connection: TrioConnection, key: bytes, rooms: Container[str] | None
) -> StoredAnswer | None:
    found = await connection.execute(_ANSWERS, ids_from(key), binary=True)
    for answer_id, room, user_id, state in await found.fetchall():
        if (rooms is None or room in rooms) and is_uuid(answer_id):
            return StoredAnswer(uuid_text(answer_id), room, user_id, state)
    return None


async def read_undelivered(
    connection: TrioConnection,
    connection_id: str,
    user_id: str,
    first_seq: int,
    last_seq: int,
    limit: int,
) -> tuple[MessagePlace, ...]:
    asked = {
        "room": as_text(connection_id),
        "first": first_seq,
        "last": last_seq,
        "user": as_text(user_id),
        "limit": limit,
    }
    found = await connection.execute(UNDELIVERED, asked, binary=True)
    places = [
        MessagePlace(uuid_text(message_id), room, seq, author)
        for message_id, room, seq, author in await found.fetchall()
        if is_uuid(message_id)
    ]
    return tuple(places[::-1])

"""Threads in the log: the messages that opened them, and what was replied.

A reply has the id of the thread, which is that of its opener as clients write it. What is read of a
thread goes by the index of threads, and is bounded, however long the thread is.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from itertools import chain

import attrs
import orjson

from chatd.chat.ids import written_id
from chatd.chat.records import Message
from chatd.store import pages
from chatd.store.message_reader import (
    REPLIES_MAX,
    REPLY_USERS_AMONG,
    KnownMessage,
    Page,
    Replies,
)
from chatd.store.rows import (
    CHANGED,
    MESSAGE_COLUMNS,
    MESSAGE_WIDTH,
    MisplacedRowError,
    ids_from,
    message_from_row,
    uuid_bytes,
)

_IN_THREAD = """
    FROM messages m INDEXED BY messages_by_thread
    WHERE m.room_id = r.room_id AND m.thread_id = o.thread_id
"""
# For each opener, named by its room and its id; nothing if it opened no thread. The newest replies
# are a list of [seq, userId].
_REPLIES = f"""
    WITH o (connection_id, thread_id) AS (VALUES {{openers}})
    SELECT o.connection_id, o.thread_id,
        (SELECT count(*) FROM (SELECT 1 {_IN_THREAD} LIMIT {REPLIES_MAX})),
        (SELECT json_group_array(json_array(seq, user_id)) FROM (
            SELECT m.seq, CASE typeof(m.user_id) WHEN 'text' THEN m.user_id END AS user_id
            {_IN_THREAD} ORDER BY m.seq DESC LIMIT {REPLY_USERS_AMONG}))
    FROM o CROSS JOIN rooms r ON r.connection_id = o.connection_id
    WHERE EXISTS (SELECT 1 {_IN_THREAD})
"""
_HAS_THREADS = """
    SELECT 1 FROM rooms r CROSS JOIN messages m INDEXED BY messages_by_thread
    WHERE r.connection_id = ? AND m.room_id = r.room_id AND m.thread_id IS NOT NULL LIMIT 1
"""
_SHOWN = f"""
    SELECT {MESSAGE_COLUMNS}, m.delivered_by IS NOT NULL
    FROM messages m INDEXED BY messages_by_id JOIN rooms r USING (room_id) {CHANGED}
    WHERE m.message_id {{ids}} AND r.connection_id = ?3 {{which}} ORDER BY m.message_id LIMIT 1
"""
_BY_ID = _SHOWN.format(ids="BETWEEN ?1 AND ?2", which="")
_OPENER = _SHOWN.format(ids="IN (?1, ?2)", which="AND m.thread_id IS NULL")


def read_page(
    connection: sqlite3.Connection,
    connection_id: str,
    *,
    before: int | None,
    after: int | None,
    limit: int,
    thread: tuple[bytes, bytes] | None,
    page_bytes: int,
    answer_rows: int | None,
) -> Page:
    """The page of `MessageReader.page`; `thread` are the keys that the opener of a thread may have,
    the first of which is that of the thread."""
    page = pages.read_page(
        connection,
        connection_id,
        before=before,
        after=after,
        limit=limit,
        thread=None if thread is None else thread[0],
        page_bytes=page_bytes,
        answer_rows=answer_rows,
    )
    if thread is not None:
        root = _read_one(connection, _OPENER, (*thread, connection_id), answer_rows)
        return attrs.evolve(page, root=root)
    return _with_replies(connection, page)


def read_changed(
    connection: sqlite3.Connection,
    connection_id: str,
    after_rev: int,
    limit: int,
    page_bytes: int,
    answer_rows: int | None,
) -> Page:
    """The page of `MessageReader.changed`."""
    page = pages.read_changed(connection, connection_id, after_rev, limit, page_bytes, answer_rows)
    return _with_replies(connection, page)


def _with_replies(connection: sqlite3.Connection, page: Page) -> Page:
    replies = read_replies(connection, page.messages)
    return attrs.evolve(page, replies={seq: found for (_, seq), found in replies.items()})


def read_shown(
    connection: sqlite3.Connection, key: bytes, connection_id: str, answer_rows: int | None
) -> KnownMessage | None:
    """The message of `MessageReader.shown`."""
    return _read_one(connection, _BY_ID, (*ids_from(key), connection_id), answer_rows)


def _read_one(
    connection: sqlite3.Connection,
    statement: str,
    parameters: tuple[bytes, bytes, str],
    answer_rows: int | None,
) -> KnownMessage | None:
    try:
        row = connection.execute(statement, parameters).fetchone()
        message = None if row is None else message_from_row(row, answer_rows)
    except (sqlite3.Error, MisplacedRowError) as error:
        pages.require_damage(error)
        return None
    if message is None:
        return None
    replies = read_replies(connection, [message])
    return KnownMessage(
        message,
        bool(row[MESSAGE_WIDTH]),
        replies.get((message.connection_id, message.seq)),
    )


def read_replies(
    connection: sqlite3.Connection, messages: Sequence[Message]
) -> Mapping[tuple[str, int], Replies]:
    """What was replied to those of these messages that opened a thread, by their room and seq.
    If the index of the replies is damaged, nothing is said of any thread."""
    try:
        threaded = {
            room
            for room in {one.connection_id for one in messages}
            if connection.execute(_HAS_THREADS, (room,)).fetchone() is not None
        }
        openers = {
            (one.connection_id, uuid_bytes(written_id(one.message_id))): one.seq
            for one in messages
            if one.thread_id is None and one.connection_id in threaded
        }
        if not openers:
            return {}
        statement = _REPLIES.format(openers=", ".join(["(?, ?)"] * len(openers)))
        rows = connection.execute(statement, tuple(chain.from_iterable(openers))).fetchall()
    except sqlite3.Error as error:
        pages.require_damage(error)
        return {}
    return {
        (room, openers[room, thread_id]): Replies.of(count, orjson.loads(newest))
        for room, thread_id, count, newest in rows
    }

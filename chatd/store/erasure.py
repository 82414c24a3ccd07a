"""Taking the words and the traces of a user, or of a room, out of the log.

The messages of a user are erased one by one, each as a change that clients are told: `scrub` then
leaves nothing of each but its place. `forget_user` takes out what else names the user, and
`forget_room` what names a room's people. What SQLite leaves of removed rows in its files is gone
only when the log is written anew (`Log.rewrite`). Entries of the audit stay, without words and
without addresses.

Each function runs in a transaction or a view of its caller.
"""

import sqlite3
from collections.abc import Sequence

import attrs
import orjson

from chatd.chat.audit import AuditAction
from chatd.chat.ids import written_id
from chatd.chat.records import Message
from chatd.store.rows import CHANGED, MESSAGE_COLUMNS, MESSAGE_WIDTH, message_from_row, uuid_text
from chatd.store.search_index import add_empty, unindex

_PLACE = "SELECT position, message_id, reply_to FROM messages WHERE room_id = ? AND seq = ?"
_EMPTY = """
    UPDATE messages SET user_id = ?, name = NULL, context = NULL, content = '', answer = NULL
    WHERE position = ?
"""
_OF_USER = f"""
    SELECT {MESSAGE_COLUMNS}, m.position FROM messages m JOIN rooms r USING (room_id) {CHANGED}
    WHERE m.user_id = ?1 AND m.position > ?2 ORDER BY m.position LIMIT ?3
"""
_ANSWERS_TO_USER = f"""
    SELECT {MESSAGE_COLUMNS}, m.position FROM answers a
    JOIN messages m ON m.message_id = a.answer_id JOIN rooms r ON r.room_id = m.room_id {CHANGED}
    WHERE a.user_id = ?1 AND a.state IS NOT NULL LIMIT ?2
"""
_REACTED = f"""
    SELECT {MESSAGE_COLUMNS}, m.position
    FROM changed c JOIN messages m ON m.position = c.message JOIN rooms r ON r.room_id = m.room_id
    LEFT JOIN mentions n ON n.message = m.position
    WHERE instr(c.reactions, ?1) AND m.position > ?2 ORDER BY m.position LIMIT ?3
"""
_MENTIONING = "SELECT message, users FROM mentions WHERE instr(users, ?)"
_UNFINISHED = """
    SELECT a.action, coalesce(a.target, a.room), a.user_id, a.span FROM audit a
    WHERE a.action IN (?, ?) AND a.span IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM audit e WHERE e.span = a.span AND e.action IS NULL)
    ORDER BY a.position
"""
_FORGET_ASKED = """
    UPDATE audit SET statement = NULL, address = NULL
    WHERE user_id = ? AND (statement IS NOT NULL OR address IS NOT NULL)
"""
_FORGET_CHANGES = """
    UPDATE changes SET user_id = ?2, written = iif(kind IN ('react', 'unreact'), '', written)
    WHERE user_id = ?1
"""
"""The text of a reaction is free, and may name somebody."""
_MERGE = "INSERT INTO message_text (message_text, rank) VALUES ('merge', ?)"
MERGE_PAGES = 200  # of the index of the search that are merged in one transaction


@attrs.frozen
class Found:
    """Messages, and the position after which the next ones come."""

    messages: tuple[Message, ...]
    position: int


@attrs.frozen
class Unfinished:
    """An erasure that was begun, and has no end: of the user or the room `target`, for `by`."""

    action: AuditAction
    target: str
    by: str
    span: str


def scrub(connection: sqlite3.Connection, erased: Sequence[tuple[int, int, int, str]]) -> None:
    """Leave nothing of messages, which are given as room, seq, rev of the erasure, and who is named
    as their author.

    The search then has them as messages without a word.
    """
    ids: list[str] = []
    for room_id, seq, rev, author in erased:
        for position, message_id, reply_to in connection.execute(_PLACE, (room_id, seq)).fetchall():
            unindex(connection, [position])
            connection.execute(
                "DELETE FROM changes WHERE message = ? AND rev <> ?", (position, rev)
            )
            connection.execute(_EMPTY, (author, position))
            connection.execute("DELETE FROM mentions WHERE message = ?", (position,))
            connection.execute(
                "DELETE FROM answers WHERE question_id IN (?, ?)", (message_id, reply_to)
            )
            add_empty(connection, position)
            ids.append(written_id(uuid_text(message_id)))
    connection.execute(
        "UPDATE audit SET statement = NULL WHERE statement IS NOT NULL"
        " AND message_id IN (SELECT value FROM json_each(?))",
        (orjson.dumps(ids).decode(),),
    )


def messages_of(connection: sqlite3.Connection, user_id: str, after: int, most: int) -> Found:
    """The next messages that a user wrote, whatever became of them."""
    return _found(connection.execute(_OF_USER, (user_id, after, most)).fetchall(), after)


def answers_to(connection: sqlite3.Connection, user_id: str, most: int) -> tuple[Message, ...]:
    """Answers that have ended to what a user asked."""
    rows = connection.execute(_ANSWERS_TO_USER, (user_id, most)).fetchall()
    return _found(rows, 0).messages


def reacted_by(connection: sqlite3.Connection, user_id: str, after: int, most: int) -> Found:
    """The next messages to which a user has put a reaction that is there."""
    bounds = (_as_json(user_id), after, most)
    return _found(connection.execute(_REACTED, bounds).fetchall(), after)


def _found(rows: Sequence[tuple[object, ...]], after: int) -> Found:
    last = rows[-1][MESSAGE_WIDTH] if rows else after
    assert isinstance(last, int)
    return Found(tuple(message_from_row(row) for row in rows), last)


def forget_user(connection: sqlite3.Connection, user_id: str, name: str) -> int:
    """Take out what names a user, except the user's own messages, or put another name there;
    returns how many rows that was."""
    before = connection.total_changes
    for statement in (
        "UPDATE messages SET delivered_by = ?2 WHERE delivered_by = ?1",
        _FORGET_CHANGES,
    ):
        connection.execute(statement, (user_id, name))
    for message, users in connection.execute(_MENTIONING, (_as_json(user_id),)).fetchall():
        left = [one for one in orjson.loads(users) if one != user_id]
        if left:
            written = orjson.dumps(left).decode()
            connection.execute(
                "UPDATE mentions SET users = ? WHERE message = ?", (written, message)
            )
        else:
            connection.execute("DELETE FROM mentions WHERE message = ?", (message,))
    for statement in (
        "DELETE FROM members WHERE user_id = ? AND NOT is_member",
        "DELETE FROM answers WHERE user_id = ?",
        _FORGET_ASKED,
    ):
        connection.execute(statement, (user_id,))
    return connection.total_changes - before


def forget_room(connection: sqlite3.Connection, connection_id: str) -> int:
    """Take out who was a member of a room, and what was asked there; returns how many rows that
    was."""
    before = connection.total_changes
    connection.execute(
        "DELETE FROM members WHERE NOT is_member"
        " AND room_id = (SELECT room_id FROM rooms WHERE connection_id = ?)",
        (connection_id,),
    )
    connection.execute(
        "UPDATE audit SET statement = NULL WHERE room = ? AND statement IS NOT NULL",
        (connection_id,),
    )
    return connection.total_changes - before


def merge_index(connection: sqlite3.Connection, *, begin: bool) -> bool:
    """Take a step towards an index of the search in one piece, which holds no word that was taken
    out; returns whether there is more to do. The first step begins the merge."""
    before = connection.total_changes
    connection.execute(_MERGE, (-MERGE_PAGES if begin else MERGE_PAGES,))
    return connection.total_changes - before >= 2  # SQLite's documentation on FTS5, "merge"


def unfinished_erasures(connection: sqlite3.Connection) -> list[Unfinished]:
    """The erasures that were begun, and have no end."""
    actions = AuditAction.ERASE_USER, AuditAction.DELETE_ROOM
    rows = connection.execute(_UNFINISHED, actions).fetchall()
    return [Unfinished(AuditAction(action), *rest) for action, *rest in rows]


def _as_json(user_id: str) -> str:
    return orjson.dumps(user_id).decode()

"""What is removed because it is too old, or too much for its room (`[messages] keep_...`).

Messages leave a room from its oldest end only, so that what is there stays dense: where clocks went
back, an old message behind a younger one stays until that one is old too. The seqs of what was
removed are never given again (`forgotten_seq`).
"""

import sqlite3
from collections.abc import Sequence

import attrs

from chatd.store.search import unindex

_ROOMS = """
    SELECT r.room_id, r.connection_id, r.forgotten_seq,
           (SELECT max(m.seq) FROM messages m WHERE m.room_id = r.room_id)
    FROM rooms r
"""
_OLDEST = """
    SELECT m.seq, m.timestamp_ms FROM messages m INDEXED BY messages_by_seq
    WHERE m.room_id = ? AND m.seq > ? ORDER BY m.seq LIMIT ?
"""
_BELOW = """
    SELECT m.position, m.content, m.message_id FROM messages m INDEXED BY messages_by_seq
    WHERE m.room_id = ? AND m.seq < ?
"""


@attrs.frozen
class Keep:
    """What stays: nothing older than `oldest_ms`, at most `per_room` of a room; None: no matter."""

    oldest_ms: int | None
    per_room: int | None


@attrs.frozen
class Surplus:
    """What is below `first_kept` in a room may go."""

    connection_id: str
    first_kept: int


def find_surplus(connection: sqlite3.Connection, keep: Keep, most: int) -> list[Surplus]:
    """What may go now, `most` messages in all; more may be left for the next time."""
    found: list[Surplus] = []
    rooms = connection.execute(_ROOMS).fetchall()
    for room_id, connection_id, forgotten_seq, last_seq in rooms:
        if last_seq is None:
            continue
        first_kept = forgotten_seq + 1
        if keep.per_room is not None:
            first_kept = max(first_kept, last_seq - keep.per_room + 1)
        if keep.oldest_ms is not None and first_kept <= forgotten_seq + most:
            for seq, timestamp_ms in connection.execute(_OLDEST, (room_id, first_kept - 1, most)):
                if timestamp_ms >= keep.oldest_ms:
                    break
                first_kept = seq + 1
        first_kept = min(first_kept, forgotten_seq + 1 + most)
        surplus = first_kept - forgotten_seq - 1
        if surplus > 0:
            found.append(Surplus(connection_id, first_kept))
            most -= surplus
        if most <= 0:
            break
    return found


def remove(connection: sqlite3.Connection, surplus: Sequence[Surplus]) -> int:
    """Remove it, in the transaction of the caller; how many messages that were."""
    removed = 0
    for one in surplus:
        [(room_id,)] = connection.execute(
            "SELECT room_id FROM rooms WHERE connection_id = ?", (one.connection_id,)
        )
        rows = connection.execute(_BELOW, (room_id, one.first_kept)).fetchall()
        unindex(connection, [(position, content) for position, content, _ in rows])
        for table, key, column in (("messages", "position", 0), ("answers", "question_id", 2)):
            connection.executemany(
                f"DELETE FROM {table} WHERE {key} = ?", [(row[column],) for row in rows]
            )
        connection.execute(
            "UPDATE rooms SET forgotten_seq = max(forgotten_seq, ?) WHERE room_id = ?",
            (one.first_kept - 1, room_id),
        )
        removed += len(rows)
    return removed

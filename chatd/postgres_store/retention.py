"""Removes what is too old, or too much for its room, by the rules of `chatd.store.retention`."""

from collections.abc import Mapping
from typing import Final

from chatd.store.retention import LogQuery

REMOVE: Final = """
    WITH surplus AS (
        SELECT r.room_id, s.first_kept
        FROM unnest(%s::text[], %s::bigint[]) s(name, first_kept)
        JOIN rooms r ON r.connection_id = s.name
    ), moved AS (
        UPDATE rooms r SET forgotten_seq = greatest(r.forgotten_seq, s.first_kept - 1)
        FROM surplus s WHERE r.room_id = s.room_id
    ), removed AS (
        DELETE FROM messages m USING surplus s
        WHERE m.room_id = s.room_id AND m.seq < s.first_kept RETURNING m.message_id
    ), asked AS (
        DELETE FROM answers a USING removed d WHERE a.question_id = d.message_id
    )
    SELECT count(*) FROM removed
"""
"""Removes the messages below a seq in each of some rooms, with what belongs to them, and counts
them."""

# From the oldest end only: what was written after something young is young, whatever its time.
REMOVE_OLD_AUDIT: Final = """
    WITH old AS (
        SELECT position FROM audit
        WHERE position < coalesce((SELECT min(position) FROM audit WHERE at_ms >= %s),
                                  9223372036854775807)
        ORDER BY position LIMIT %s
    ), removed AS (
        DELETE FROM audit a USING old WHERE a.position = old.position RETURNING 1
    )
    SELECT count(*) FROM removed
"""

FIND: Final[Mapping[LogQuery, str]] = {
    LogQuery.ROOMS: """
        SELECT room_id, connection_id, forgotten_seq,
               CASE WHEN last_seq > forgotten_seq THEN last_seq END
        FROM rooms
    """,
    LogQuery.OLDEST: """
        SELECT seq, timestamp_ms, position FROM messages WHERE room_id = %s AND seq > %s
        ORDER BY seq LIMIT %s
    """,
    LogQuery.FIRST_YOUNG: """
        SELECT min(position) FROM messages
        WHERE position BETWEEN %s AND %s AND timestamp_ms BETWEEN %s AND %s
    """,
}
"""What a search for surplus asks."""

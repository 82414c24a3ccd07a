"""Members of rooms as the log has them now, and what other nodes have made of them since a look."""

from collections.abc import Collection, Sequence
from typing import Any, Final, TypeAlias

import attrs

from chatd.chat.shares import Share, SharedMember
from chatd.postgres_client import TrioConnection
from chatd.store.recovery import fallen_out
from chatd.store.rows import queue_from_fields

Seen: TypeAlias = tuple[str, str, SharedMember | None]
"""A member by connectionId and userId; None for who is none any more."""

MEMBER_COLUMNS: Final = """
    m.read_seq, m.name, m.stays, m.version, r.last_seq, m.away_seq, m.away_ms, m.gaps, m.fallen
"""
OF_BATCH: Final = f"""
    SELECT r.connection_id, i.u, m.user_id IS NOT NULL, {MEMBER_COLUMNS}
    FROM unnest(%s::text[], %s::text[]) AS i(n, u) JOIN rooms r ON r.connection_id = i.n
    LEFT JOIN members m ON m.room_id = r.room_id AND m.user_id = i.u
"""
"""Members by their rooms and users."""
_OF_USER: Final = f"""
    SELECT r.connection_id, m.user_id, true, {MEMBER_COLUMNS}
    FROM members m JOIN rooms r USING (room_id) WHERE m.user_id = %s
"""
_HEADS: Final = """
    SELECT connection_id, last_seq, last_rev, forgotten_seq FROM rooms
    WHERE connection_id = ANY (%s)
"""
# In one statement, and so in one view: what is under way now has no lower number than the mark.
_SINCE: Final = f"""
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, x.*
    FROM (SELECT 1) one LEFT JOIN (
        SELECT r.connection_id, w.user_id, m.user_id IS NOT NULL AS is_member, {MEMBER_COLUMNS}
        FROM (SELECT room_id, user_id FROM members WHERE version >= %(mark)s
              UNION SELECT room_id, user_id FROM removals WHERE version >= %(mark)s) w
        JOIN rooms r USING (room_id)
        LEFT JOIN members m ON m.room_id = w.room_id AND m.user_id = w.user_id
    ) x ON true
"""


@attrs.frozen
class Standings:
    """Where a user stands: how far rooms are, as (seq, rev, forgotten seq), and all its members."""

    heads: dict[str, tuple[int, int, int]]
    members: Sequence[Seen]


@attrs.frozen
class Changed:
    """Members that were written since a mark, and the mark of now."""

    members: Sequence[Seen]
    mark: int


def member_from(columns: Sequence[Any]) -> tuple[SharedMember, bool]:
    """The member in `MEMBER_COLUMNS`, and whether its queue could be read."""
    read_seq, name, stays, version, last_seq, *queue_columns = columns
    is_whole = True
    try:
        queue = queue_from_fields(*queue_columns)
    except (ValueError, TypeError):  # somebody has written into it
        queue, is_whole = fallen_out(queue_columns[0], last_seq), False
    read_seq = min(max(read_seq, 0), last_seq)
    return SharedMember(queue, read_seq, name, Share(frozenset(stays), version)), is_whole


def seen(row: Sequence[Any]) -> Seen:
    """A room, a user, whether it is a member, and then `MEMBER_COLUMNS`."""
    room, user_id, is_member, *columns = row
    return room, user_id, member_from(columns)[0] if is_member else None


async def read_standings(
    connection: TrioConnection, user_id: str, rooms: Collection[str]
) -> Standings:
    """Where a user stands in all rooms that it is a member of, and how far these and `rooms`
    are."""
    cursor = await connection.execute(_OF_USER, (user_id,))
    members = [seen(row) for row in await cursor.fetchall()]
    names = sorted({*rooms, *(room for room, _, _ in members)})
    cursor = await connection.execute(_HEADS, (names,))
    return Standings({room: tuple(head) for room, *head in await cursor.fetchall()}, members)


async def read_changed(connection: TrioConnection, mark: int) -> Changed:
    """The members that were written since `mark`, which is that of the last look; some of them
    again. From 0 on these are all."""
    cursor = await connection.execute(_SINCE, {"mark": mark})
    rows = await cursor.fetchall()
    return Changed([seen(row[1:]) for row in rows if row[1] is not None], rows[0][0])

"""Members of rooms as the log has them now, and which of them were written since an earlier
look."""

from collections.abc import Collection, Sequence
from typing import Any, Final

import attrs

from chatd.chat.order import Place
from chatd.chat.shares import Seen, Share, SharedMember
from chatd.postgres_client import TrioConnection
from chatd.postgres_store.reader_pool import ReaderPool
from chatd.store.member_log import Standings, WrittenMembers
from chatd.store.recovery import fallen_out
from chatd.store.rows import queue_from_fields

MEMBER_COLUMNS: Final = """
    m.read_seq, m.name, m.stays, m.version, m.seen_seq, r.last_seq,
    m.away_seq, m.away_ms, m.gaps, m.fallen
"""
OF_BATCH: Final = f"""
    SELECT r.connection_id, i.u, coalesce(m.version, 0), m.user_id IS NOT NULL, {MEMBER_COLUMNS}
    FROM unnest(%s::text[], %s::text[]) AS i(n, u) JOIN rooms r ON r.connection_id = i.n
    LEFT JOIN members m ON m.room_id = r.room_id AND m.user_id = i.u
"""
"""Members by their rooms and users."""
_OF_USER: Final = f"""
    SELECT r.connection_id, m.user_id, m.version, true, {MEMBER_COLUMNS}
    FROM members m JOIN rooms r USING (room_id) WHERE m.user_id = %s
"""
_HEADS: Final = """
    SELECT connection_id, last_seq, last_rev FROM rooms WHERE connection_id = ANY (%s)
"""
# In one statement, and so in one view: no transaction that is under way now has a number below the
# mark.
_SINCE: Final = f"""
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, x.*
    FROM (SELECT 1) one LEFT JOIN (
        SELECT r.connection_id, w.user_id, coalesce(m.version, w.version) AS seen,
               m.user_id IS NOT NULL AS is_member, {MEMBER_COLUMNS}
        FROM (SELECT room_id, user_id, max(version) AS version
              FROM (SELECT room_id, user_id, version FROM members WHERE version >= %(mark)s
                    UNION ALL
                    SELECT room_id, user_id, version FROM removals WHERE version >= %(mark)s) b
              GROUP BY room_id, user_id) w
        JOIN rooms r USING (room_id)
        LEFT JOIN members m ON m.room_id = w.room_id AND m.user_id = w.user_id
    ) x ON true
"""


def member_from(columns: Sequence[Any]) -> tuple[SharedMember, bool]:
    """The member in `MEMBER_COLUMNS`, and whether its queue could be read."""
    read_seq, name, stays, version, seen_seq, last_seq, *queue_columns = columns
    is_whole = True
    try:
        queue = queue_from_fields(*queue_columns)
    except (ValueError, TypeError):  # somebody has written into it
        queue, is_whole = fallen_out(queue_columns[0], last_seq), False
    read_seq = min(max(read_seq, 0), last_seq)
    share = Share(frozenset(stays), version, seen_seq)
    return SharedMember(queue, read_seq, name, share), is_whole


def seen(row: Sequence[Any]) -> Seen:
    """What a row says: a room, a user, a version, whether the user is a member, then
    `MEMBER_COLUMNS`."""
    room, user_id, version, is_member, *columns = row
    return Seen(room, user_id, member_from(columns)[0] if is_member else None, version)


@attrs.frozen
class PostgresMembers:
    """A `MemberLog` in PostgreSQL."""

    _pool: ReaderPool

    async def standings(self, user_id: str, rooms: Collection[str]) -> Standings:
        return await self._pool.read(_standings, user_id, rooms)

    async def written_since(self, mark: int) -> WrittenMembers:
        return await self._pool.read(_written_since, mark)


async def _standings(connection: TrioConnection, user_id: str, rooms: Collection[str]) -> Standings:
    cursor = await connection.execute(_OF_USER, (user_id,))
    members = [seen(row) for row in await cursor.fetchall()]
    names = sorted({*rooms, *(one.connection_id for one in members)})
    cursor = await connection.execute(_HEADS, (names,))
    heads = {
        room: Place(last_seq, last_rev) for room, last_seq, last_rev in await cursor.fetchall()
    }
    return Standings(heads, members)


async def _written_since(connection: TrioConnection, mark: int) -> WrittenMembers:
    cursor = await connection.execute(_SINCE, {"mark": mark})
    rows = await cursor.fetchall()
    return WrittenMembers([seen(row[1:]) for row in rows if row[1] is not None], rows[0][0])

"""Where the newest of all messages that are owed to a user begin: a merge of rooms, newest first.

Rooms are read in pieces, one statement for all rooms that need one, so that what is read is bounded
by what is kept, plus a piece for each room.
"""

import heapq
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from chatd.chat.queue import Gap, QueueCut
from chatd.chat.steady_time import PLAUSIBLE_FROM_MS
from chatd.postgres_client import TrioConnection
from chatd.postgres_store.rows import as_text

FIRST_PIECE: Final = 32
"""Messages of a room that are read at first; each further piece of the room is twice as long."""

# The newest messages in the gaps of each room. Seqs are dense above what retention removed, so that
# no gap is searched beyond the piece.
NEWEST: Final = """
    SELECT g.room, m.position, m.seq, m.timestamp_ms FROM (
        SELECT g.room, g.room_id, g.first, g.last, g.piece,
               sum(g.last - g.first + 1) OVER (PARTITION BY g.room ORDER BY g.first DESC)
               - (g.last - g.first + 1) AS before
        FROM (
            SELECT g.room, r.room_id, greatest(g.first, r.forgotten_seq + 1) AS first,
                   least(g.last, r.last_seq) AS last, g.piece
            FROM unnest(%(rooms)s::text[], %(firsts)s::bigint[], %(lasts)s::bigint[],
                        %(pieces)s::bigint[]) AS g (room, first, last, piece)
            JOIN rooms r ON r.connection_id = g.room) g
        WHERE g.first <= g.last) g
    CROSS JOIN LATERAL (
        SELECT m.position, m.seq, m.timestamp_ms FROM messages m
        WHERE m.room_id = g.room_id AND m.seq BETWEEN g.first AND g.last
        ORDER BY m.seq DESC LIMIT g.piece) m
    WHERE g.before < g.piece ORDER BY g.room, m.seq DESC
"""


@attrs.define(eq=False)
class _Room:
    """What is owed in a room and was not read yet, and what was read, the oldest first."""

    gaps: Sequence[Gap]
    read: list[tuple[int, int, int]] = attrs.field(factory=list)  # position, seq, timestamp_ms
    piece: int = attrs.field(factory=lambda: FIRST_PIECE)

    def gaps_below(self, seq: int) -> None:
        """Leave nothing to be read at or above `seq`."""
        self.gaps = [
            gap if gap.last < seq else attrs.evolve(gap, last=seq - 1)
            for gap in self.gaps
            if gap.first < seq
        ]


async def read_cuts(
    connection: TrioConnection, owed: Mapping[str, Sequence[Gap]], most: int, oldest_ms: int
) -> dict[str, QueueCut]:
    """What `MessageReader.newest_owed` gives."""
    rooms = {room: _Room(gaps) for room, gaps in owed.items() if gaps}
    cuts = {room: QueueCut(one.gaps[-1].last + 1, oldest_ms) for room, one in rooms.items()}
    newest: list[tuple[int, str, int, int]] = []  # the next one of each room: a heap by position
    wanting = list(rooms)
    left = most
    while left > 0:
        await _read_pieces(connection, {room: rooms[room] for room in wanting})
        for room in wanting:
            _offer_next(newest, room, rooms[room].read, oldest_ms)
        wanting = []
        while newest and left > 0 and not wanting:
            _, room, seq, timestamp_ms = heapq.heappop(newest)
            cuts[room] = QueueCut(seq, timestamp_ms)
            left -= 1
            if rooms[room].read:
                _offer_next(newest, room, rooms[room].read, oldest_ms)
            elif rooms[room].gaps:
                wanting = [room]
        if not wanting:
            break
    return cuts


def _offer_next(
    newest: list[tuple[int, str, int, int]],
    room: str,
    read: list[tuple[int, int, int]],
    oldest_ms: int,
) -> None:
    if not read:
        return
    position, seq, timestamp_ms = read.pop()
    # The time of a clock that was never set says nothing.
    if timestamp_ms >= oldest_ms or timestamp_ms < PLAUSIBLE_FROM_MS:
        heapq.heappush(newest, (-position, room, seq, timestamp_ms))


async def _read_pieces(connection: TrioConnection, rooms: Mapping[str, _Room]) -> None:
    """Read the next messages of these rooms, going back."""
    asked = [(room, gap, one.piece) for room, one in rooms.items() for gap in one.gaps]
    if not asked:
        return
    parameters = {
        "rooms": [as_text(room) for room, _, _ in asked],
        "firsts": [gap.first for _, gap, _ in asked],
        "lasts": [gap.last for _, gap, _ in asked],
        "pieces": [piece for _, _, piece in asked],
    }
    cursor = await connection.execute(NEWEST, parameters, binary=True)
    for room, *found in await cursor.fetchall():
        rooms[room].read.append((found[0], found[1], found[2]))
    for one in rooms.values():
        one.read.reverse()
        # If nothing was found, nothing is left.
        one.gaps_below(one.read[0][1] if one.read else 0)
        one.piece *= 2

"""What is removed because it is too old, or too much for its room (`[messages] keep_...`).

Messages leave a room from its oldest end only, so that what is there stays dense: if a clock went
back, an old message after a younger one stays until that one is old too. The seqs of what was
removed are never given again (`forgotten_seq`).

A time on a message is that of the clock then, which may have been wrong. So no message is old by
its own word alone: old messages go only up to one whose time a set clock may have said, and what
was stored after something young is young.
"""

import enum
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from chatd.chat.steady_time import PLAUSIBLE_FROM_MS
from chatd.store.search_index import unindex

LOOKED_BACK = 1_000  # positions before an old message, in which a young one shows a clock gone back

_ROOMS = """
    SELECT r.room_id, r.connection_id, r.forgotten_seq,
           (SELECT max(m.seq) FROM messages m WHERE m.room_id = r.room_id)
    FROM rooms r
"""
_OLDEST = """
    SELECT m.seq, m.timestamp_ms, m.position FROM messages m INDEXED BY messages_by_seq
    WHERE m.room_id = ? AND m.seq > ? ORDER BY m.seq LIMIT ?
"""
_FIRST_YOUNG_BEFORE = """
    SELECT min(m.position) FROM messages m
    WHERE m.position BETWEEN ? AND ? AND m.timestamp_ms BETWEEN ? AND ?
"""
_BELOW = """
    SELECT m.position, m.message_id FROM messages m INDEXED BY messages_by_seq
    WHERE m.room_id = ? AND m.seq < ?
"""

# What goes with a message: table, its column, and which column of `_BELOW` that is.
_REMOVED_FROM = (
    ("messages", "position", 0),
    ("changes", "message", 0),
    ("changed", "message", 0),
    ("mentions", "message", 0),
    ("answers", "question_id", 1),
)


@attrs.frozen
class Keep:
    """What stays: nothing older than `oldest_ms`, at most `per_room` of a room; None: no bound.

    `now_ms`: no true time is later. `young_from`: what is stored from this position on is young,
    whatever its time says.
    """

    oldest_ms: int | None
    per_room: int | None
    now_ms: int = 2**63 - 1
    young_from: int = 2**63 - 1


@attrs.frozen
class Surplus:
    """What is below `first_kept` in a room may go; the first of it is `first_removed`."""

    connection_id: str
    first_kept: int
    first_removed: int = 1


class LogQuery(enum.Enum):
    """What a search for surplus asks of the log."""

    ROOMS = enum.auto()  # number, connection id, forgotten seq, last seq, None without messages
    OLDEST = enum.auto()  # of a room after a seq, so many: seq, time, position
    FIRST_YOUNG = enum.auto()  # the first position, in a range of these, with a time in a range


Finding: TypeAlias = Generator[
    tuple[LogQuery, tuple[int, ...]], Sequence[Sequence[Any]], list["Surplus"]
]


_STATEMENTS: Final[Mapping[LogQuery, str]] = {
    LogQuery.ROOMS: _ROOMS,
    LogQuery.OLDEST: _OLDEST,
    LogQuery.FIRST_YOUNG: _FIRST_YOUNG_BEFORE,
}


def find_surplus(connection: sqlite3.Connection, keep: Keep, most: int) -> list[Surplus]:
    """What may go now, `most` messages in all; more may be left for the next time."""
    finding = finding_surplus(keep, most)
    try:
        asked, parameters = next(finding)
        while True:
            rows = connection.execute(_STATEMENTS[asked], parameters).fetchall()
            asked, parameters = finding.send(rows)
    except StopIteration as end:
        found: list[Surplus] = end.value
        return found


def finding_surplus(keep: Keep, most: int) -> Finding:
    """The search for surplus, whatever keeps the log: it yields the next question to the log, is
    sent the rows, and returns what may go."""
    found: list[Surplus] = []
    rooms = yield LogQuery.ROOMS, ()
    for room_id, connection_id, forgotten_seq, last_seq in rooms:
        if last_seq is None:
            continue
        first_kept = forgotten_seq + 1
        if keep.per_room is not None:
            first_kept = max(first_kept, last_seq - keep.per_room + 1)
        if keep.oldest_ms is not None and first_kept <= forgotten_seq + most:
            oldest = yield LogQuery.OLDEST, (room_id, first_kept - 1, most)
            old = _surely_old(oldest, keep.oldest_ms, keep)
            if old:
                at = old[-1][1]
                bounds = (at - LOOKED_BACK, at - 1, keep.oldest_ms, keep.now_ms)
                [(young,)] = yield LogQuery.FIRST_YOUNG, bounds
                seqs = [seq for seq, position in old if young is None or position < young]
                first_kept = seqs[-1] + 1 if seqs else first_kept
        first_kept = min(first_kept, forgotten_seq + 1 + most)
        surplus = first_kept - forgotten_seq - 1
        if surplus > 0:
            found.append(Surplus(connection_id, first_kept, forgotten_seq + 1))
            most -= surplus
        if most <= 0:
            break
    return found


def _surely_old(
    oldest: Sequence[Sequence[Any]], oldest_ms: int, keep: Keep
) -> list[tuple[int, int]]:
    """The seqs and positions of the old ones among the oldest messages, which are given as seq,
    time and position."""
    old: list[tuple[int, int]] = []
    sure = 0  # of these, so many are: the last of them has a time that a set clock may have said
    for seq, timestamp_ms, position in oldest:
        if not isinstance(timestamp_ms, int) or timestamp_ms >= oldest_ms:
            break
        if position >= keep.young_from:
            break
        old.append((seq, position))
        if timestamp_ms >= PLAUSIBLE_FROM_MS:
            sure = len(old)
    return old[:sure]


def remove(connection: sqlite3.Connection, surplus: Sequence[Surplus]) -> int:
    """Remove it, in the transaction of the caller; returns how many messages there were."""
    removed = 0
    for one in surplus:
        [(room_id,)] = connection.execute(
            "SELECT room_id FROM rooms WHERE connection_id = ?", (one.connection_id,)
        )
        rows = connection.execute(_BELOW, (room_id, one.first_kept)).fetchall()
        unindex(connection, [position for position, _ in rows])
        for table, key, column in _REMOVED_FROM:
            connection.executemany(
                f"DELETE FROM {table} WHERE {key} = ?", [(row[column],) for row in rows]
            )
        connection.execute(
            "UPDATE rooms SET forgotten_seq = max(forgotten_seq, ?) WHERE room_id = ?",
            (one.first_kept - 1, room_id),
        )
        removed += len(rows)
    return removed

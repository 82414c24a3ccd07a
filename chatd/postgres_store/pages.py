"""Messages of a room, read in the order of their seqs or revs: pages, and what is owed.

One statement reads the room, finds the nearest messages by an index, and gives as many of them as
fit a page, with everything that is shown of each; so a page takes one round trip to the server, and
one view of the log. If answers are cut, the size of a message is known only here: then whole
answers are read, `RAW_BYTES` at a time, until the page is full. Such a page may come from several
views, each later than the one before: no seq is missing because of that, and nothing is older than
`last_rev` says.
"""

from collections.abc import Sequence
from typing import Any, Final

import attrs
import trio

from chatd.chat.queue import Gap
from chatd.chat.records import Message
from chatd.postgres_client import TrioConnection
from chatd.postgres_store.rows import (
    ANSWER_AT,
    CHANGED,
    MENTIONED,
    SHOWN_COLUMNS,
    SHOWN_WIDTH,
    SIZE,
    as_text,
    known_message,
)
from chatd.store.message_reader import KnownMessage, Page
from chatd.store.pages import content_bytes

RAW_BYTES: Final = 8 * 1024 * 1024
"""Bytes of contents and answers that are read at once if answers are cut."""
IN_THREAD_BYTES: Final = 256 * 1024
"""If answers have more bytes together, a thread reads through them: the loop has others to
serve."""

_BEYOND_ANY_SEQ: Final = 2**63 - 1
_FIRST_SEQ: Final = """
    LEFT JOIN LATERAL (
        SELECT o.seq AS first_seq FROM messages o WHERE o.room_id = r.room_id
        ORDER BY o.seq LIMIT 1
    ) o ON true
"""
# The room; how many messages were found nearby; and, for each one on the page, its place in the
# order and what is shown of it. `near` gives room_id, seq, place and size.
_NEAREST: Final = f"""
    SELECT coalesce(o.first_seq, 0), r.last_seq, r.last_rev, x.found, x.place, {SHOWN_COLUMNS}
    FROM rooms r {_FIRST_SEQ}
    LEFT JOIN LATERAL (
        SELECT near.*, sum(near.size) OVER (ORDER BY near.place) AS up_to,
               row_number() OVER (ORDER BY near.place) AS number, count(*) OVER () AS found
        FROM ({{near}}) near
    ) x ON x.up_to <= %(bytes)s OR x.number = 1
    LEFT JOIN messages m ON m.room_id = r.room_id AND m.seq = x.seq
    {CHANGED} {MENTIONED}
    WHERE r.connection_id = %(room)s ORDER BY x.place
"""
_NEAR_SEQ: Final = f"""
    SELECT m.seq, {{sign}}m.seq AS place, {SIZE} AS size FROM messages m {CHANGED}
    WHERE m.room_id = r.room_id {{thread}} AND m.seq {{bound}} %(after)s
    ORDER BY m.seq {{order}} LIMIT %(limit)s
"""
_FORWARD: Final = {"sign": "", "bound": ">", "order": "ASC"}
_BACKWARD: Final = {"sign": "-", "bound": "<", "order": "DESC"}
_ONE_THREAD: Final = "AND m.thread_id = %(thread)s"
_NEAR_REV: Final = f"""
    SELECT c.seq, c.rev AS place, {SIZE} AS size
    FROM changed c JOIN messages m ON m.room_id = c.room_id AND m.seq = c.seq
    WHERE c.room_id = r.room_id AND c.rev > %(after)s ORDER BY c.rev LIMIT %(limit)s
"""
# Seqs are dense above what retention removed, so that no gap is searched beyond the limit.
_NEAR_OWED: Final = f"""
    SELECT m.seq, m.seq AS place, m.size FROM (
        SELECT g.first, g.last,
               sum(g.last - g.first + 1) OVER (ORDER BY g.first) - (g.last - g.first + 1) AS before
        FROM (SELECT greatest(g.first, r.forgotten_seq + 1, %(after)s + 1) AS first, g.last
              FROM unnest(%(firsts)s::bigint[], %(lasts)s::bigint[]) AS g (first, last)) g
        WHERE g.first <= g.last) g
    CROSS JOIN LATERAL (
        SELECT m.seq, {SIZE} AS size FROM messages m {CHANGED}
        WHERE m.room_id = r.room_id AND m.seq BETWEEN g.first AND g.last
        ORDER BY m.seq LIMIT %(limit)s) m
    WHERE g.before < %(limit)s ORDER BY m.seq LIMIT %(limit)s
"""
CHANGED_AFTER: Final = _NEAREST.format(near=_NEAR_REV)
OWED: Final = _NEAREST.format(near=_NEAR_OWED)
_OPENER: Final = f"""
    SELECT {SHOWN_COLUMNS} FROM rooms r JOIN messages m ON m.room_id = r.room_id
    {CHANGED} {MENTIONED}
    WHERE r.connection_id = %s AND m.message_id IN (%s, %s) AND m.thread_id IS NULL
    ORDER BY m.message_id LIMIT 1
"""
_HEAD_WIDTH: Final = 5  # of `_NEAREST`: columns before those of the message


def page_statement(*, backward: bool, of_thread: bool) -> str:
    """The statement for a page; its parameters are room, after, limit, bytes and, for a thread, the
    thread."""
    thread = _ONE_THREAD if of_thread else ""
    near = _NEAR_SEQ.format(**(_BACKWARD if backward else _FORWARD), thread=thread)
    return _NEAREST.format(near=near)


async def read_page(
    connection: TrioConnection,
    connection_id: str,
    *,
    before: int | None,
    after: int | None,
    limit: int,
    thread: tuple[bytes, bytes] | None,
    page_bytes: int,
    answer_rows: int | None,
) -> Page:
    """The page of `MessageReader.page`; `thread` holds the keys that the opener of a thread may
    have, the first of which is the thread's own."""
    backward = after is None
    statement = page_statement(backward=backward, of_thread=thread is not None)
    bound = after if after is not None else _BEYOND_ANY_SEQ if before is None else before
    asked: dict[str, object] = {"room": as_text(connection_id), "after": bound}
    if thread is not None:
        asked["thread"] = thread[0]
    found = await _read_fitting(connection, statement, asked, limit, page_bytes, answer_rows)
    if backward:
        found.known.reverse()
    if thread is None:
        return found.page()
    root = await read_one_shown(
        connection, _OPENER, (as_text(connection_id), *thread), answer_rows=answer_rows
    )
    return attrs.evolve(found.page(), root=root)


async def read_changed(
    connection: TrioConnection,
    connection_id: str,
    after_rev: int,
    limit: int,
    page_bytes: int,
    answer_rows: int | None,
) -> Page:
    """The page of `MessageReader.changed`."""
    asked: dict[str, object] = {"room": as_text(connection_id), "after": after_rev}
    found = await _read_fitting(connection, CHANGED_AFTER, asked, limit, page_bytes, answer_rows)
    return found.page()


async def read_owed(
    connection: TrioConnection,
    connection_id: str,
    gaps: Sequence[Gap],
    after_seq: int,
    limit: int,
    page_bytes: int,
    answer_rows: int | None,
) -> tuple[tuple[Message, bool], ...]:
    asked: dict[str, object] = {
        "room": as_text(connection_id),
        "after": after_seq,
        "firsts": [gap.first for gap in gaps],
        "lasts": [gap.last for gap in gaps],
    }
    found = await _read_fitting(connection, OWED, asked, limit, page_bytes, answer_rows)
    return tuple((one.message, one.is_delivered) for one in found.known)


async def read_one_shown(
    connection: TrioConnection,
    statement: str,
    parameters: Sequence[object],
    *,
    answer_rows: int | None,
) -> KnownMessage | None:
    """The one message that a statement finds, in `SHOWN_COLUMNS`."""
    cursor = await connection.execute(statement, parameters, binary=True)
    row = await cursor.fetchone()
    return None if row is None else known_message(row, answer_rows)


@attrs.define
class _Found:
    """What was found in a room, with what the first statement said about the room; 0 if there is no
    room."""

    first_seq: int = 0
    last_seq: int = 0
    last_rev: int = 0
    known: list[KnownMessage] = attrs.field(factory=list)
    has_more: bool = False

    def page(self) -> Page:
        return Page(
            tuple(one.message for one in self.known),
            self.has_more,
            self.first_seq,
            self.last_seq,
            frozenset(one.message.seq for one in self.known if one.is_delivered),
            self.last_rev,
            {one.message.seq: one.replies for one in self.known if one.replies is not None},
        )


async def _read_fitting(
    connection: TrioConnection,
    statement: str,
    asked: dict[str, object],
    limit: int,
    page_bytes: int,
    answer_rows: int | None,
) -> _Found:
    """The nearest messages of a room, as many as fit a page."""
    found: _Found | None = None
    size = 0
    while True:
        left = limit - (0 if found is None else len(found.known))
        # One more than asked for: whether it is there is `has_more`.
        bounds = {"limit": left + 1, "bytes": page_bytes if answer_rows is None else RAW_BYTES}
        cursor = await connection.execute(statement, asked | bounds, binary=True)
        rows = await cursor.fetchall()
        if found is None:
            found = _Found(*rows[0][:3]) if rows else _Found()
        rows = [row for row in rows if row[3] is not None]  # otherwise there is no message nearby
        for known in await shown_in_turn(rows, _HEAD_WIDTH, answer_rows):
            size += content_bytes(known.message)
            if len(found.known) == limit or (found.known and size > page_bytes):
                found.has_more = True
                return found
            found.known.append(known)
        found.has_more = bool(rows) and rows[0][3] > len(rows)
        if answer_rows is None or not found.has_more:
            return found
        asked = asked | {"after": abs(rows[-1][4])}


async def shown_in_turn(
    rows: Sequence[Sequence[Any]], begin: int, answer_rows: int | None
) -> list[KnownMessage]:
    """The messages in rows whose `SHOWN_COLUMNS` begin at this column."""

    def read() -> list[KnownMessage]:
        return [known_message(row[begin : begin + SHOWN_WIDTH], answer_rows) for row in rows]

    if sum(len(row[begin + ANSWER_AT] or b"") for row in rows) < IN_THREAD_BYTES:
        return read()
    return await trio.to_thread.run_sync(read)

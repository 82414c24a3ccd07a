"""What is missing to count unread messages: who wrote a part of a room, and whom it mentions."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from chatd.chat.reading import MENTIONING_MAX, Lack, Mentioning, Seqs, Stretch, seqs_of
from chatd.postgres_client import TrioConnection
from chatd.postgres_store.rows import as_text
from chatd.store.rows import mentions_from_json

LACKS_AT_ONCE: Final = 16
"""Lacks that one statement reads: between two statements the loop serves others."""

_LACKS: Final = """
    SELECT l.number, r.room_id, r.forgotten_seq, l.first, l.last
    FROM unnest(%(rooms)s::text[], %(firsts)s::bigint[], %(lasts)s::bigint[])
        WITH ORDINALITY AS l (room, first, last, number)
    JOIN rooms r ON r.connection_id = l.room
"""
# Seqs as the text of an array: thousands of numbers are read faster so than one by one.
STRETCHES: Final = f"""
    SELECT l.number, l.forgotten_seq, m.author, m.seqs
    FROM ({_LACKS}) l LEFT JOIN LATERAL (
        SELECT CASE WHEN c.deleted_ms IS NULL THEN m.user_id END AS author,
               array_agg(m.seq ORDER BY m.seq)::text AS seqs
        FROM messages m LEFT JOIN changed c ON c.room_id = m.room_id AND c.seq = m.seq
        WHERE m.room_id = l.room_id AND m.seq BETWEEN l.first AND l.last
        GROUP BY 1
    ) m ON true
"""
MENTIONING: Final = f"""
    SELECT l.number, n.seq, n.author, n.users::text
    FROM ({_LACKS}) l CROSS JOIN LATERAL (
        SELECT n.seq, n.author, n.users FROM mentions n WHERE n.room_id = l.room_id
        ORDER BY n.seq DESC LIMIT {MENTIONING_MAX}
    ) n ORDER BY l.number, n.seq
"""


async def read_stretches(connection: TrioConnection, lacks: Sequence[Lack]) -> tuple[Stretch, ...]:
    """What `MessageReader.stretches` gives."""
    stretches: list[Stretch] = []
    left = iter(lacks)
    while some := list(islice(left, LACKS_AT_ONCE)):
        stretches += await _read_some(connection, some)
    return tuple(stretches)


async def _read_some(connection: TrioConnection, lacks: Sequence[Lack]) -> Iterable[Stretch]:
    asked = {
        "rooms": [as_text(lack.connection_id) for lack in lacks],
        "firsts": [lack.first_seq for lack in lacks],
        "lasts": [lack.last_seq for lack in lacks],
    }
    by_author: list[dict[str, Seqs]] = [{} for _ in lacks]
    deleted = [seqs_of() for _ in lacks]
    first_kept = [1] * len(lacks)
    mentioning: list[list[Mentioning]] = [[] for _ in lacks]
    found = await connection.execute(STRETCHES, asked, binary=True)
    for number, forgotten_seq, author, seqs in await found.fetchall():
        first_kept[number - 1] = forgotten_seq + 1
        if seqs is None:
            continue
        read = seqs_of(map(int, seqs[1:-1].split(",")))
        if author is None:
            deleted[number - 1] = read
        else:
            by_author[number - 1][author] = read
    found = await connection.execute(MENTIONING, asked, binary=True)
    for number, seq, author, written in await found.fetchall():
        users = mentions_from_json(written)
        if users is not None:
            mentioning[number - 1].append(Mentioning(seq, author, users))
    return map(Stretch, by_author, deleted, first_kept, mentioning)

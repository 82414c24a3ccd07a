"""What a step of the search index reads: the texts of messages, and how far it got with them."""

from collections.abc import Sequence
from typing import Any, Final

import attrs

from chatd.chat.words import words_of
from chatd.postgres_client import TrioConnection
from chatd.postgres_store.search_query import indexed_text
from chatd.store.search import LENGTHS_WORDS

# The messages of some stretches of seqs, and of some of revs, each as it is today; as many as fit a
# step. "number" is the seq or the rev.
_TEXTS: Final = """
    SELECT x.found, x.is_change, x.room_id, x.number, x.seq, coalesce(c.edited_rev, 0),
           CASE WHEN c.deleted_ms IS NULL THEN coalesce(c.content, m.content) END
    FROM (
        SELECT y.*, sum(y.size) OVER w AS up_to, row_number() OVER w AS row,
               count(*) OVER () AS found
        FROM (
            SELECT false AS is_change, m.room_id, {sign}m.seq AS number, m.seq,
                   octet_length(m.content) AS size
            FROM unnest(%(rooms)s::int[], %(seqs)s::bigint[], %(last_seqs)s::bigint[])
                AS s (room_id, seq, last_seq)
            JOIN messages m ON m.room_id = s.room_id AND m.seq > s.seq AND m.seq <= s.last_seq
            UNION ALL
            SELECT true, m.room_id, ch.rev, m.seq, coalesce(octet_length(ch.written), 0)
            FROM unnest(%(rooms)s::int[], %(revs)s::bigint[], %(last_revs)s::bigint[])
                AS s (room_id, rev, last_rev)
            JOIN changes ch ON ch.room_id = s.room_id AND ch.rev > s.rev AND ch.rev <= s.last_rev
                AND ch.kind IN ('edit', 'delete', 'erase')
            JOIN messages m ON m.room_id = ch.room_id AND m.seq = ch.seq
        ) y
        WINDOW w AS (ORDER BY y.is_change, y.room_id, y.number)
    ) x
    JOIN messages m ON m.room_id = x.room_id AND m.seq = x.seq
    LEFT JOIN changed c ON c.room_id = x.room_id AND c.seq = x.seq
    WHERE x.up_to <= %(bytes)s OR x.row = 1
    ORDER BY x.is_change, x.room_id, x.number
"""
FORWARD: Final = _TEXTS.format(sign="")
BACKWARD: Final = _TEXTS.format(sign="-")


@attrs.frozen
class Stretch:
    """How far the index of a room has come, and how far a step may take it; afterwards, how far it
    got."""

    room_id: int
    seq: int
    rev: int
    older_seq: int
    new_seq: int
    new_rev: int
    new_older_seq: int


@attrs.frozen
class Text:
    """A message of a step, as of the edit with `edited_rev`; without content if it was deleted.

    `number` is the seq or, for a change, the rev by which it was found; the seq is negative if the
    step goes back.
    """

    is_change: bool
    room_id: int
    number: int
    seq: int
    edited_rev: int
    content: str | None


@attrs.frozen
class Texts:
    """What was read for a step, in order; `is_cut`: not all of what the step was to index."""

    read: Sequence[Text]
    is_cut: bool


async def read_texts(
    connection: TrioConnection,
    statement: str,
    stretches: Sequence[Stretch],
    seqs: Sequence[tuple[int, int]],
    step_bytes: int,
) -> Texts:
    """The messages after the first and up to the second of these seqs, in each room."""
    asked = {
        "rooms": [one.room_id for one in stretches],
        "seqs": [first for first, _ in seqs],
        "last_seqs": [last for _, last in seqs],
        "revs": [one.rev for one in stretches],
        "last_revs": [one.new_rev for one in stretches],
        "bytes": step_bytes,
    }
    rows = await (await connection.execute(statement, asked, binary=True)).fetchall()
    return Texts([Text(*row[1:]) for row in rows], bool(rows) and rows[0][0] > len(rows))


def as_far_as_read(stretches: Sequence[Stretch], texts: Texts) -> Sequence[Stretch]:
    """How far each room is indexed with these texts: messages were read before changes, and both
    room by room."""
    if not texts.is_cut:
        return stretches
    last = texts.read[-1]
    cut: list[Stretch] = []
    for one in stretches:
        new_seq, new_rev = one.new_seq, one.new_rev
        if one.room_id > last.room_id:
            new_seq, new_rev = (one.new_seq if last.is_change else one.seq), one.rev
        elif one.room_id == last.room_id:
            new_seq = one.new_seq if last.is_change else last.seq
            new_rev = last.number if last.is_change else one.rev
        elif not last.is_change:
            new_rev = one.rev
        cut.append(attrs.evolve(one, new_seq=new_seq, new_rev=new_rev))
    return cut


def as_far_back_as_read(stretches: Sequence[Stretch], texts: Texts) -> Sequence[Stretch]:
    if not texts.is_cut:
        return stretches
    last = texts.read[-1]
    cut: list[Stretch] = []
    for one in stretches:
        if one.room_id > last.room_id:
            one = attrs.evolve(one, new_older_seq=one.older_seq)
        elif one.room_id == last.room_id:
            one = attrs.evolve(one, new_older_seq=last.seq - 1)
        cut.append(one)
    return cut


def indexed_rows(texts: Sequence[Text]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of `message_text` that texts make, and the rows to delete because their texts have
    no words."""
    put: dict[tuple[int, int], dict[str, Any]] = {}
    gone: dict[tuple[int, int], dict[str, Any]] = {}
    for one in texts:
        key = {"room_id": one.room_id, "seq": one.seq}
        words = [] if one.content is None else words_of(one.content)
        if words:
            length = sum(len(words) > most for most in LENGTHS_WORDS)
            text = indexed_text(words)
            row = {"edited_rev": one.edited_rev, "length": length, "text": text}
            put[one.room_id, one.seq] = key | row
        else:
            gone[one.room_id, one.seq] = key
    return list(put.values()), list(gone.values())

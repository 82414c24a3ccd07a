"""Messages of a room, read from the log in the order of their seqs: pages, and what is owed.

Each read goes by an index, so its cost depends on what is asked for, never on the length of the
history. **Damage costs what is damaged**: where SQLite finds a page of its file broken, the read is
done once more, one message at a time. Seqs are dense, so that it is known which ones there are.
Only where the way to them is broken too does a read fail.
"""

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import attrs

from chatd.chat.queue import Gap
from chatd.chat.records import Changes, Message
from chatd.store.damage import is_corrupt
from chatd.store.message_reader import Page
from chatd.store.rows import (
    CHANGED,
    LAST_REV,
    LAST_SEQ,
    MENTIONED,
    MESSAGE_COLUMNS,
    MESSAGE_WIDTH,
    MisplacedRowError,
    damaged_message,
    message_from_row,
)

PAGE_BYTES = 2 * 1024 * 1024  # of content and answers on a page; beyond, the rest is on the next

_ROOM = f"""
    SELECT r.room_id,
           coalesce((SELECT min(m.seq) FROM messages m WHERE m.room_id = r.room_id), 0),
           {LAST_SEQ}, r.forgotten_seq, {LAST_REV}
    FROM rooms r WHERE r.connection_id = ?
"""
_ROOM_AND_FORGOTTEN = "SELECT room_id, forgotten_seq FROM rooms WHERE connection_id = ?"
# CROSS JOIN fixes the order: the one room first, then its messages by the index that is named.
_PAGE = f"""
    SELECT {MESSAGE_COLUMNS}, m.delivered_by IS NOT NULL
    FROM rooms r CROSS JOIN messages m {{index}} {CHANGED}
    WHERE r.room_id = ?1 AND m.room_id = ?1 {{thread}} AND m.seq {{bound}} ?2
    ORDER BY m.seq {{order}} LIMIT ?3
"""
_NO_THREAD = {"index": "INDEXED BY messages_by_seq", "thread": ""}
_ONE_THREAD = {"index": "INDEXED BY messages_by_thread", "thread": "AND m.thread_id = ?4"}
_BACKWARD = {"bound": "<", "order": "DESC"}
_FORWARD = {"bound": ">", "order": "ASC"}
OWED = f"""
    SELECT {MESSAGE_COLUMNS}, m.delivered_by IS NOT NULL
    FROM rooms r CROSS JOIN messages m INDEXED BY messages_by_seq {CHANGED}
    WHERE r.room_id = ?1 AND m.room_id = ?1 AND m.seq BETWEEN ?2 AND ?3 ORDER BY m.seq LIMIT ?4
"""
_ONE = f"""
    SELECT {MESSAGE_COLUMNS}, m.delivered_by IS NOT NULL
    FROM rooms r CROSS JOIN messages m INDEXED BY messages_by_seq {CHANGED}
    WHERE r.room_id = ?1 AND m.room_id = ?1 AND m.seq = ?2
"""
CHANGED_AFTER = f"""
    SELECT {MESSAGE_COLUMNS}, m.delivered_by IS NOT NULL
    FROM rooms r CROSS JOIN changed c INDEXED BY changed_by_rev CROSS JOIN messages m {MENTIONED}
    WHERE r.room_id = ?1 AND c.room_id = ?1 AND c.rev > ?2 AND m.position = c.message
    ORDER BY c.rev LIMIT ?3
"""
_PLACES_CHANGED_AFTER = """
    SELECT c.seq, c.rev FROM changed c INDEXED BY changed_by_rev
    WHERE c.room_id = ? AND c.rev > ? ORDER BY c.rev LIMIT ?
"""
_SEQS_OF_THREAD = """
    SELECT m.seq FROM messages m INDEXED BY messages_by_thread
    WHERE m.room_id = ? AND m.thread_id = ? ORDER BY m.seq
"""
_BEYOND_ANY_SEQ = 2**63 - 1


def read_page(
    connection: sqlite3.Connection,
    connection_id: str,
    *,
    before: int | None,
    after: int | None,
    limit: int,
    thread: bytes | None,
    page_bytes: int,
    answer_rows: int | None,
) -> Page:
    """The page of `MessageReader.page`, without what is said of threads; `thread` is the key of a
    thread's id."""
    room = connection.execute(_ROOM, (connection_id,)).fetchone()
    if room is None:
        return Page((), has_more=False, first_seq=0, last_seq=0)
    room_id, first_seq, last_seq, forgotten_seq, last_rev = room
    backward = after is None
    bound = after if after is not None else _BEYOND_ANY_SEQ if before is None else before
    # One more than asked for: if it is there, `has_more` is true.
    parameters: tuple[object, ...] = (room_id, bound, limit + 1)
    if thread is not None:
        parameters = (*parameters, thread)
    statement = page_statement(backward=backward, of_thread=thread is not None)

    def by_index() -> Iterator[tuple[Message, bool]]:
        return _in_rows(connection.execute(statement, parameters), answer_rows)

    def by_seq() -> Iterator[tuple[Message, bool]]:
        seqs: Sequence[int] = range(forgotten_seq + 1, last_seq + 1)
        if thread is not None:
            seqs = [seq for (seq,) in connection.execute(_SEQS_OF_THREAD, (room_id, thread))]
        if backward:
            nearest: Iterable[int] = reversed(seqs[: bisect_left(seqs, bound)])
        else:
            nearest = seqs[bisect_right(seqs, bound) :]
        return _one_by_one(connection, (room_id, connection_id), nearest, answer_rows)

    found, has_more = _fitting(by_index, by_seq, limit, page_bytes)
    if backward:
        found.reverse()
    return _page(found, has_more, first_seq, last_seq, last_rev)


def read_changed(
    connection: sqlite3.Connection,
    connection_id: str,
    after_rev: int,
    limit: int,
    page_bytes: int,
    answer_rows: int | None,
) -> Page:
    """The page of `MessageReader.changed`, without what is said of threads."""
    room = connection.execute(_ROOM, (connection_id,)).fetchone()
    if room is None:
        return Page((), has_more=False, first_seq=0, last_seq=0)
    room_id, first_seq, last_seq, _, last_rev = room
    asked = (room_id, after_rev, limit + 1)

    def by_index() -> Iterator[tuple[Message, bool]]:
        return _in_rows(connection.execute(CHANGED_AFTER, asked), answer_rows)

    def one_by_one() -> Iterator[tuple[Message, bool]]:
        for seq, rev in connection.execute(_PLACES_CHANGED_AFTER, asked).fetchall():
            room = room_id, connection_id
            [(message, is_delivered)] = _one_by_one(connection, room, [seq], answer_rows)
            if message.changes is None:  # nothing of it can be read: its place among the others is
                message = attrs.evolve(message, changes=Changes(rev, at_ms=0))
            yield message, is_delivered

    found, has_more = _fitting(by_index, one_by_one, limit, page_bytes)
    return _page(found, has_more, first_seq, last_seq, last_rev)


def _page(
    found: Sequence[tuple[Message, bool]],
    has_more: bool,
    first_seq: int,
    last_seq: int,
    last_rev: int,
) -> Page:
    """The page of these messages, each with whether it was delivered."""
    delivered = frozenset(message.seq for message, is_delivered in found if is_delivered)
    messages = tuple(message for message, _ in found)
    return Page(messages, has_more, first_seq, last_seq, delivered, last_rev)


def read_owed(
    connection: sqlite3.Connection,
    connection_id: str,
    gaps: Sequence[Gap],
    after_seq: int,
    limit: int,
    page_bytes: int,
    answer_rows: int | None,
) -> tuple[tuple[Message, bool], ...]:
    """The messages of `MessageReader.owed`."""
    room_id, forgotten_seq = find_room(connection, connection_id)
    above = max(after_seq, forgotten_seq)
    ranges = [(max(gap.first, above + 1), gap.last) for gap in gaps if gap.last > above]

    def by_index() -> Iterator[tuple[Message, bool]]:
        rows = (connection.execute(OWED, (room_id, *bounds, limit)) for bounds in ranges)
        return islice(_in_rows(chain.from_iterable(rows), answer_rows), limit)

    def by_seq() -> Iterator[tuple[Message, bool]]:
        seqs = chain.from_iterable(range(first, last + 1) for first, last in ranges)
        room = room_id, connection_id
        return islice(_one_by_one(connection, room, seqs, answer_rows), limit)

    found, _ = _fitting(by_index, by_seq, limit, page_bytes)
    return tuple(found)


def read_at(connection: sqlite3.Connection, connection_id: str, seq: int) -> Message | None:
    """The message at a place that was shown; None if retention has removed it since."""
    room_id, forgotten_seq = find_room(connection, connection_id)
    if seq <= forgotten_seq:
        return None
    [(message, _)] = _one_by_one(connection, (room_id, connection_id), [seq], None)
    return message


def find_room(connection: sqlite3.Connection, connection_id: str) -> tuple[int, int]:
    """The number of a room, 0 for one that the log does not know, and its forgotten seq."""
    row: tuple[int, int] | None = connection.execute(
        _ROOM_AND_FORGOTTEN, (connection_id,)
    ).fetchone()
    return (0, 0) if row is None else row


def page_statement(*, backward: bool, of_thread: bool) -> str:
    """The statement for a page; its parameters are room, bound, limit and, last, the thread."""
    return _PAGE.format(
        **(_ONE_THREAD if of_thread else _NO_THREAD), **(_BACKWARD if backward else _FORWARD)
    )


def content_bytes(message: Message) -> int:
    """What a message counts against the bytes of a page."""
    return len(message.content.encode()) + len(message.answer or b"")


def require_damage(error: Exception) -> None:
    """Raise an error again if reading once more may not meet it."""
    if not (isinstance(error, MisplacedRowError) or is_corrupt(error)):
        raise error


def _fitting(
    by_index: Callable[[], Iterable[tuple[Message, bool]]],
    by_seq: Callable[[], Iterable[tuple[Message, bool]]],
    limit: int,
    page_bytes: int,
) -> tuple[list[tuple[Message, bool]], bool]:
    """The messages that make a page, each with whether it was delivered; whether there are more.

    Read by an index, or, if that meets damage, by their seqs.
    """
    try:
        return _as_far_as_it_fits(by_index(), limit, page_bytes)
    except (sqlite3.Error, MisplacedRowError) as error:
        require_damage(error)
    return _as_far_as_it_fits(by_seq(), limit, page_bytes)


def _as_far_as_it_fits(
    messages: Iterable[tuple[Message, bool]], limit: int, page_bytes: int
) -> tuple[list[tuple[Message, bool]], bool]:
    found: list[tuple[Message, bool]] = []
    size = 0
    for message, is_delivered in messages:
        size += content_bytes(message)
        if len(found) == limit or (found and size > page_bytes):
            return found, True
        found.append((message, is_delivered))
    return found, False


def _in_rows(
    rows: Iterable[Sequence[Any]], answer_rows: int | None
) -> Iterator[tuple[Message, bool]]:
    for row in rows:
        yield message_from_row(row, answer_rows), bool(row[MESSAGE_WIDTH])


def _one_by_one(
    connection: sqlite3.Connection,
    room: tuple[int, str],
    seqs: Iterable[int],
    answer_rows: int | None,
) -> Iterator[tuple[Message, bool]]:
    """The messages of a room, by its number and name, each looked up by itself: one that cannot be
    read is damaged."""
    number, connection_id = room
    for seq in seqs:
        try:
            row = connection.execute(_ONE, (number, seq)).fetchone()
            if row is not None:  # else it is missing from a broken index
                yield from _in_rows([row], answer_rows)
                continue
        except (sqlite3.Error, MisplacedRowError) as error:
            require_damage(error)
        yield damaged_message(connection_id, seq), False

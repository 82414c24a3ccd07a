"""The search: an FTS5 index over the content of messages, brought forward behind the commits.

Indexing costs as much as storing does, and is cheaper in larger pieces than with each commit. So a
commit leaves the index alone; it is brought forward each second (`catch_up`), and before a search,
so that a search finds what was acknowledged before it was asked. `indexed_position` in `meta` says
how far it is, in the same transaction.

Every hit has all that was searched for. The best are those that say little else: the shorter a
message, the better, in classes (`LENGTHS_WORDS`), and within a class the newer. That depends on the
message alone, so the pages of a search hold whatever matched when the first of them was made, each
once, in one order. What was committed since is left out, what was removed since is missing.

Tried before: FTS5's own rank (bm25). It weighs a word by all that was ever said, so each commit
moves the ranks of all hits: a page behind a rank missed some, or had some again. How often a word
occurs in a message FTS5 tells only by way of its content; to read them all takes too long.

A query is bounded in time, as a common word may match all that was ever said.
"""

import contextlib
import functools
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

import attrs
import orjson
import trio

from chatd.chat.records import Message
from chatd.store.damage import Damaged
from chatd.store.errors import CommitFailed
from chatd.store.readers import PAGE_BYTES, LogReaders, content_bytes, require_damage
from chatd.store.rows import (
    MESSAGE_COLUMNS,
    MESSAGE_WIDTH,
    MisplacedRowError,
    message_from_row,
)

SEARCH_TIME_S = 1.0  # that a query may take; beyond: SearchTooBroad
LENGTHS_WORDS = (8, 16, 32, 64, 128)  # the most words of each class of lengths; beyond: the last
CATCH_UP_S = 1.0  # that a search waits for the index at most
STEP_ROWS = 500  # messages indexed in one transaction, for which commits wait
PROGRESS_STEPS = 10_000  # of SQLite's machine, between two looks at the time

# Code points that no text contains: they stand where a match begins and ends.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_MARKS = (_OPEN, _CLOSE)

_T = TypeVar("_T")

_NEXT_ROWS = "SELECT position, content FROM messages WHERE position > ? ORDER BY position LIMIT ?"
_INDEXED = "SELECT indexed_position FROM meta"


def _docsize(words: int) -> str:
    """A number of words as FTS5 keeps it for each content: SQLite's varint, here as a blob in SQL.

    Up to 16,383, in one byte or two, they compare as numbers do. No content has so many.
    """
    return f"x'{words:02x}'" if words < 128 else f"x'{words >> 7 | 128:02x}{words & 127:02x}'"


_LENGTH = "".join(
    f" WHEN d.sz <= {_docsize(most)} THEN {n}" for n, most in enumerate(LENGTHS_WORDS)
)
# CROSS JOIN fixes the order: what matches comes first. Lengths are read from the index, since to
# measure the contents takes the longer, the longer they are.
_FIND = f"""
    SELECT position, length FROM (
        SELECT t.rowid AS position, CASE {_LENGTH} ELSE {len(LENGTHS_WORDS)} END AS length
        FROM message_text t
        CROSS JOIN messages m ON m.position = t.rowid
        CROSS JOIN message_text_docsize d ON d.id = t.rowid
        WHERE message_text MATCH ?1 AND t.rowid <= ?6
          AND m.room_id IN (
              SELECT room_id FROM rooms WHERE connection_id IN (SELECT value FROM json_each(?2)))
          AND (?3 IS NULL OR m.user_id = ?3)
          AND (?4 IS NULL OR m.timestamp_ms < ?4)
          AND (?5 IS NULL OR m.timestamp_ms > ?5))
    WHERE length > ?7 OR (length = ?7 AND position < ?8)
    ORDER BY length, position DESC LIMIT ?9
"""
# All in one pass: FTS5 finds anew what matches for each row that is asked for by its id (hence the
# plus), which takes long where many words begin as was asked.
_HIGHLIGHT = """
    SELECT t.rowid, highlight(message_text, 0, ?5, ?6)
    FROM message_text t
    WHERE message_text MATCH ?1 AND t.rowid BETWEEN ?2 AND ?3
      AND +t.rowid IN (SELECT value FROM json_each(?4))
"""
_SHOW = f"""
    SELECT {MESSAGE_COLUMNS}, m.delivered_by IS NOT NULL
    FROM messages m JOIN rooms r USING (room_id) WHERE m.position = ?
"""
_BEFORE_ALL = -1  # a class of lengths, for where a search begins


class SearchTooBroad(Exception):
    """The query matches more than can be put in order in its time."""


class Maintain(Protocol):
    """`LogWriter.maintain`: runs a job in the writer's thread, in a transaction."""

    def __call__(self, job: Callable[[sqlite3.Connection], _T], /) -> Awaitable[_T]: ...


@attrs.frozen
class Cursor:
    """The last hit of a page: the next page begins behind it.

    `newest` is the last position that the first page knew: the search ends there. `length` is the
    class of the hit's length. None of them is negative, nor above 2**63 - 1.
    """

    newest: int
    length: int
    position: int


@attrs.frozen
class Hit:
    """A message that matches, and where: positions in its content, from and to."""

    message: Message
    is_delivered: bool
    matches: tuple[tuple[int, int], ...]


@attrs.frozen
class Found:
    """Hits, the best first; `cursor` is None where there are no more. `unreadable` is how many more
    there are in this place, of which nothing can be read."""

    hits: tuple[Hit, ...]
    cursor: Cursor | None
    unreadable: int = 0


@attrs.frozen
class Wanted:
    """What is searched for: an expression for MATCH, and what narrows it. Times are in ms."""

    expression: str
    rooms: Sequence[str]
    user_id: str | None = None
    before_ms: int | None = None
    after_ms: int | None = None


class Searcher:
    """Searches, and keeps the index up to date through `maintain`."""

    def __init__(self, readers: LogReaders, maintain: Maintain) -> None:
        """`readers` are of its own: searches must not keep others from reading history."""
        self._readers = readers
        self._maintain = maintain

    async def search(self, wanted: Wanted, limit: int, cursor: Cursor | None = None) -> Found:
        """A page of hits; fewer than `limit`, but one at least, where they hold more than
        `PAGE_BYTES`. Raises SearchTooBroad, StoreReadFailed, StoreClosed.

        Where the disk does not let the index grow, what is in it is searched.
        """
        if await self._readers.read(_is_behind):
            with contextlib.suppress(CommitFailed):
                await self.catch_up(trio.current_time() + CATCH_UP_S)
        found = await self._readers.read(functools.partial(_find, wanted, limit, cursor))
        self._readers.tell_of([hit.message for hit in found.hits])
        if found.unreadable and self._readers.witness is not None:
            self._readers.witness.damaged(Damaged("messages"))
        return found

    async def catch_up(self, until_s: float) -> None:
        """Bring the index forward, until it is up to date or `trio.current_time` is `until_s`.

        Raises CommitFailed, StoreClosed.
        """
        index_next = functools.partial(index_some, most=STEP_ROWS)
        while trio.current_time() < until_s and await self._maintain(index_next) == STEP_ROWS:
            pass


def index_some(connection: sqlite3.Connection, most: int) -> int:
    """Index the next messages, in the transaction of the caller; how many there were."""
    [(indexed,)] = connection.execute(_INDEXED)
    rows = connection.execute(_NEXT_ROWS, (indexed, most)).fetchall()
    if rows:
        connection.executemany(
            "INSERT INTO message_text (rowid, content) VALUES (?, ?)", _readable(rows)
        )
        connection.execute("UPDATE meta SET indexed_position = ?", (rows[-1][0],))
    return len(rows)


def unindex(connection: sqlite3.Connection, rows: Sequence[tuple[int, object]]) -> None:
    """Take messages, as position and content, out of the index, before they are deleted.

    What is indexed of a content that cannot be read stays in there, and is found no more.
    """
    [(indexed,)] = connection.execute(_INDEXED)
    connection.executemany(
        "INSERT INTO message_text (message_text, rowid, content) VALUES ('delete', ?, ?)",
        [row for row in _readable(rows) if row[0] <= indexed],
    )


def _readable(rows: Sequence[tuple[int, object]]) -> list[tuple[int, str]]:
    return [(position, content) for position, content in rows if isinstance(content, str)]


def _is_behind(connection: sqlite3.Connection) -> bool:
    [(is_behind,)] = connection.execute(
        "SELECT coalesce((SELECT max(position) FROM messages), 0) >"
        " (SELECT indexed_position FROM meta)"
    )
    return bool(is_behind)


def _find(
    wanted: Wanted, limit: int, cursor: Cursor | None, connection: sqlite3.Connection
) -> Found:
    deadline_s = time.perf_counter() + SEARCH_TIME_S
    connection.set_progress_handler(lambda: time.perf_counter() > deadline_s, PROGRESS_STEPS)
    try:
        if cursor is None:
            [(newest,)] = connection.execute(_INDEXED)
            cursor = Cursor(newest, length=_BEFORE_ALL, position=0)
        found = connection.execute(
            _FIND,
            (
                wanted.expression,
                orjson.dumps(list(wanted.rooms)).decode(),
                wanted.user_id,
                wanted.before_ms,
                wanted.after_ms,
                cursor.newest,
                cursor.length,
                cursor.position,
                limit + 1,
            ),
        ).fetchall()
        positions = [position for position, _ in found[:limit]]
        hits, unreadable = _show(connection, wanted.expression, positions)
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
            raise SearchTooBroad from error
        raise
    finally:
        connection.set_progress_handler(None, 0)
    seen = len(hits) + unreadable
    if len(found) == seen:
        return Found(tuple(hits), None, unreadable)
    position, length = found[seen - 1]
    return Found(tuple(hits), Cursor(cursor.newest, length, position), unreadable)


def _show(
    connection: sqlite3.Connection, expression: str, positions: list[int]
) -> tuple[list[Hit], int]:
    """The messages at these positions, as far as they make a page, and how many among them could
    not be read at all."""
    if not positions:
        return [], 0
    highlighted = _highlighted(connection, expression, positions)
    hits: list[Hit] = []
    size = unreadable = 0
    for position in positions:
        try:
            row = connection.execute(_SHOW, (position,)).fetchone()
            message = None if row is None else message_from_row(row)
        except (sqlite3.Error, MisplacedRowError) as error:
            require_damage(error)
            message = None
        if message is None:
            unreadable += 1
            continue
        size += content_bytes(message)
        if hits and size > PAGE_BYTES:
            break
        matches = _matches(message.content, highlighted.get(position))
        hits.append(Hit(message, bool(row[MESSAGE_WIDTH]), matches))
    return hits, unreadable


def _highlighted(
    connection: sqlite3.Connection, expression: str, positions: list[int]
) -> dict[int, object]:
    """The contents at these positions with marks in them; none where one of them cannot be read."""
    asked = orjson.dumps(positions).decode()
    parameters = (expression, min(positions), max(positions), asked, *_MARKS)
    try:
        return dict(connection.execute(_HIGHLIGHT, parameters).fetchall())
    except sqlite3.Error as error:
        require_damage(error)
        return {}


def _matches(content: str, highlighted: object) -> tuple[tuple[int, int], ...]:
    """Where the marks stand; none where the content holds such characters itself, or is broken."""
    if not isinstance(highlighted, str) or _OPEN in content or _CLOSE in content:
        return ()
    before, *pieces = highlighted.split(_OPEN)
    matches, at = [], len(before)
    for piece in pieces:
        match, _, rest = piece.partition(_CLOSE)
        matches.append((at, at + len(match)))
        at += len(match) + len(rest)
    return tuple(matches)

"""Searches in the index of words (`search_index`), with the promises of the search in SQLite.

Hits are ordered as in `chatd.store.search`: by classes of length, shorter messages first, and
within a class the newer first. The order depends on the message alone, so a search gives everything
that matched when its first page was made, each message once, in one order. One exception: a message
that another node was storing at that very moment may turn up on a later page, since its position
can be below the newest one.

One statement finds the hits, orders them, and gives as many as fit a page. The server gives up
after `SEARCH_S`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import attrs
import psycopg
import trio

from chatd.chat.matches import matches
from chatd.chat.search import SearchQuery
from chatd.postgres_client import TrioConnection
from chatd.postgres_store.pages import RAW_BYTES
from chatd.postgres_store.rows import (
    CHANGED,
    MENTIONED,
    SHOWN_COLUMNS,
    SHOWN_WIDTH,
    SIZE,
    as_text,
    known_message,
)
from chatd.postgres_store.search_query import Sought, sought
from chatd.store.message_reader import (
    SearchCursor,
    SearchHit,
    SearchPage,
    SearchRequest,
    SearchTooBroad,
)
from chatd.store.pages import content_bytes

SEARCH_S: Final = 1.0
"""Seconds that a query may take; beyond: `SearchTooBroad`."""

_ROOMS: Final = """
    SELECT r.room_id, r.last_seq > coalesce(i.seq, 0) OR r.last_rev > coalesce(i.rev, 0),
           coalesce(i.older_seq, 0) > 0
    FROM rooms r LEFT JOIN indexed i ON i.room_id = r.room_id
    WHERE r.connection_id = ANY (%s)
"""
_NEWEST: Final = "SELECT coalesce(max(position), 0) FROM messages"
_IS_STALE: Final = "(t.edited_rev <> coalesce(c.edited_rev, 0) OR c.deleted_ms IS NOT NULL)"
# What matches, best first; how many matches there are, at most one more than a page has; and, for
# each one on the page, whether its text has changed by now, and what is shown of it.
_FIND: Final = f"""
    SELECT x.found, x.length, x.position, x.is_stale, {SHOWN_COLUMNS}
    FROM (
        SELECT s.*, sum(s.size) OVER (ORDER BY s.length, s.position DESC) AS up_to,
               row_number() OVER (ORDER BY s.length, s.position DESC) AS number,
               count(*) OVER () AS found
        FROM (
            SELECT t.room_id, t.seq, t.length, t.position, {_IS_STALE} AS is_stale,
                   CASE WHEN {_IS_STALE} THEN 0 ELSE {SIZE} END AS size
            FROM (
                SELECT t.room_id, t.seq, t.length, t.position, t.edited_rev FROM message_text t
                WHERE t.words @@ %(words)s::tsquery AND t.room_id = ANY (%(rooms)s)
                      AND t.position <= %(newest)s
                      AND (t.length > %(length)s
                           OR (t.length = %(length)s AND t.position < %(position)s))
                      {{narrowed}}
                ORDER BY t.length, t.position DESC LIMIT %(limit)s
            ) t
            JOIN messages m ON m.room_id = t.room_id AND m.seq = t.seq {CHANGED}
        ) s
    ) x
    JOIN rooms r ON r.room_id = x.room_id
    JOIN messages m ON m.room_id = x.room_id AND m.seq = x.seq
    {CHANGED} {MENTIONED}
    WHERE x.up_to <= %(bytes)s OR x.number = 1
    ORDER BY x.length, x.position DESC
"""
_HEAD_WIDTH: Final = 4  # of `_FIND`: columns before those of the message
_BEFORE_ALL: Final = -1  # a class of lengths below all others, where a search begins


@attrs.frozen
class SearchedRooms:
    """Those rooms of a search that exist, by their numbers; whether some room has messages or
    changes that are not in the index; whether some room's index is being built anew."""

    room_ids: Sequence[int]
    is_behind: bool
    is_incomplete: bool


async def read_rooms(connection: TrioConnection, rooms: Sequence[str]) -> SearchedRooms:
    cursor = await connection.execute(_ROOMS, (list(map(as_text, rooms)),), binary=True)
    found = await cursor.fetchall()
    return SearchedRooms(
        [room_id for room_id, _, _ in found],
        any(is_behind for _, is_behind, _ in found),
        any(is_incomplete for _, _, is_incomplete in found),
    )


async def find(
    connection: TrioConnection,
    request: SearchRequest,
    rooms: SearchedRooms,
    limit: int,
    cursor: SearchCursor | None,
    page_bytes: int,
    answer_rows: int | None,
) -> SearchPage:
    """The page of `MessageReader.search`, in rooms that exist."""
    if not rooms.room_ids:
        return SearchPage((), None)
    with _given_up_in_time():
        if cursor is None:
            [(newest,)] = await (await connection.execute(_NEWEST, binary=True)).fetchall()
            cursor = SearchCursor(newest, length=_BEFORE_ALL, position=0)
        wanted = sought(request.query, rooms.room_ids)
        statement, asked = _statement(wanted, request)
        asked |= {"words": wanted.words, "rooms": list(rooms.room_ids), "newest": cursor.newest}
        asked |= {"bytes": page_bytes if answer_rows is None else RAW_BYTES}
        hits: list[SearchHit] = []
        size, seen = 0, 0
        while True:
            # One more than asked for: whether it is there says whether the search goes on.
            asked |= {
                "length": cursor.length,
                "position": cursor.position,
                "limit": limit - seen + 1,
            }
            rows = await (await connection.execute(statement, asked, binary=True)).fetchall()
            shown = rows[: limit - seen]
            for row, hit in zip(shown, await _hits(shown, request.query, answer_rows), strict=True):
                if hit is not None:
                    size += content_bytes(hit.message)
                    if hits and size > page_bytes:
                        return SearchPage(tuple(hits), cursor, is_incomplete=rooms.is_incomplete)
                    hits.append(hit)
                cursor = SearchCursor(cursor.newest, row[1], row[2])
                seen += 1
            has_more = bool(rows) and rows[0][0] > len(shown)
            if not has_more or seen == limit or answer_rows is None:
                next_cursor = cursor if has_more else None
                return SearchPage(tuple(hits), next_cursor, is_incomplete=rooms.is_incomplete)


@contextmanager
def _given_up_in_time() -> Iterator[None]:
    """Raises `SearchTooBroad` if the server has ended a statement."""
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        raise SearchTooBroad from error


def _statement(wanted: Sought, request: SearchRequest) -> tuple[str, dict[str, object]]:
    """The statement that finds what is wanted, and its parameters except the bounds of a page."""
    asked: dict[str, object] = {}
    narrowed = ""

    def narrow(condition: str, value: object) -> None:
        nonlocal narrowed
        name = f"narrowed_{len(asked)}"
        narrowed += f" AND {condition.format(name)}"
        asked[name] = value

    if request.user_id is not None:
        narrow("t.user_id = %({})s", as_text(request.user_id))
    if request.before_ms is not None:
        narrow("t.timestamp_ms < %({})s", request.before_ms)
    if request.after_ms is not None:
        narrow("t.timestamp_ms > %({})s", request.after_ms)
    for text in wanted.texts:
        narrow("strpos(t.text, %({})s) > 0", text)
    for text in wanted.excluded_texts:
        narrow("strpos(t.text, %({})s) = 0", text)
    return _FIND.format(narrowed=narrowed), asked


async def _hits(
    rows: Sequence[Sequence[Any]], query: SearchQuery, answer_rows: int | None
) -> list[SearchHit | None]:
    """The hits in rows; None for a message whose text differs from the index: the next search finds
    it as it is, if it still matches. A thread reads through the texts."""

    def read() -> list[SearchHit | None]:
        return [None if row[3] else _hit(row, query, answer_rows) for row in rows]

    return await trio.to_thread.run_sync(read)


def _hit(row: Sequence[Any], query: SearchQuery, answer_rows: int | None) -> SearchHit:
    known = known_message(row[_HEAD_WIDTH : _HEAD_WIDTH + SHOWN_WIDTH], answer_rows)
    one = known.message
    found = () if one.is_damaged else matches(one.content, query.required)
    return SearchHit(one, known.is_delivered, found, known.replies)

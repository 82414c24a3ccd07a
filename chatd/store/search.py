"""Searches in the log's FTS5 index (`search_index`).

Every hit has all that was searched for. The best are those that say little else: shorter messages
come first, by classes of length (`LENGTHS_WORDS`), and within a class the newer ones. That depends
on the message alone, so the pages of a search hold whatever matched when the first of them was
made, each once, in one order. What was committed since is left out, what was removed or deleted
since is missing, and what was edited since is where its new text puts it.

Tried before: FTS5's own rank (bm25). It weighs a word by all that was ever said, so each commit
moves the ranks of all hits: a page behind a rank missed some, or had some again. FTS5 can only
learn from its content how often a word occurs in a message; reading all contents takes too long.

A query is bounded in time, as a common word may match all that was ever said.
"""

import sqlite3
import time

import attrs
import orjson

from chatd.chat.matches import matches
from chatd.chat.search import SearchQuery, SearchTerm
from chatd.chat.words import searchable
from chatd.store.message_reader import (
    SearchCursor,
    SearchHit,
    SearchPage,
    SearchRequest,
    SearchTooBroad,
)
from chatd.store.pages import content_bytes, require_damage
from chatd.store.rows import (
    CHANGED,
    MESSAGE_COLUMNS,
    MESSAGE_WIDTH,
    MisplacedRowError,
    message_from_row,
)
from chatd.store.search_index import INDEXED_POSITION, is_renewing
from chatd.store.threads import read_replies

SEARCH_S = 1.0  # the most that a query may take; beyond: SearchTooBroad
LENGTHS_WORDS = (8, 16, 32, 64, 128)  # the most words of each class of lengths; beyond: the last
PROGRESS_STEPS = 10_000  # of SQLite's machine, between two looks at the time


def _docsize(words: int) -> str:
    """A number of words as FTS5 keeps it for each content: SQLite's varint, here as a blob in SQL.

    Up to 16,383, in one byte or two, they compare as numbers do.
    """
    return f"x'{words:02x}'" if words < 128 else f"x'{words >> 7 | 128:02x}{words & 127:02x}'"


_LENGTH = "".join(
    f" WHEN d.sz <= {_docsize(most)} THEN {n}" for n, most in enumerate(LENGTHS_WORDS)
)
# CROSS JOIN fixes the order: what matches comes first. Lengths are read from the index, since
# measuring the contents takes longer the longer they are.
_FIND = f"""
    SELECT position, length FROM (
        SELECT t.rowid AS position,
               CASE WHEN length(d.sz) > 2 THEN {len(LENGTHS_WORDS)} {_LENGTH}
                    ELSE {len(LENGTHS_WORDS)} END AS length
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
_SHOW = f"""
    SELECT {MESSAGE_COLUMNS}, m.delivered_by IS NOT NULL, EXISTS (
        SELECT 1 FROM changes ch WHERE ch.message = m.position AND ch.kind IN ('edit', 'delete')
        AND ch.position > (SELECT indexed_position FROM meta))
    FROM messages m JOIN rooms r USING (room_id) {CHANGED} WHERE m.position = ?
"""
_BEFORE_ALL = -1  # a class of lengths: where a search begins


def match_expression(query: SearchQuery) -> str:
    """The query as the right side of FTS5's MATCH: all is quoted, so that nothing in it is an
    operator, a column or a parenthesis."""
    required = " AND ".join(map(_quoted, query.required))
    return " NOT ".join([f"({required})", *map(_quoted, query.excluded)])


def _quoted(term: SearchTerm) -> str:
    words = searchable(term.text)
    return f'"{words}" *' if term.is_prefix else f'"{words}"'


def is_behind(connection: sqlite3.Connection) -> bool:
    """Whether there are messages or changes that are not in the index."""
    [(is_behind,)] = connection.execute(
        "SELECT max(coalesce((SELECT max(position) FROM messages), 0),"
        " coalesce((SELECT max(position) FROM changes), 0)) > (SELECT indexed_position FROM meta)"
    )
    return bool(is_behind)


def find(
    connection: sqlite3.Connection,
    request: SearchRequest,
    limit: int,
    cursor: SearchCursor | None,
    page_bytes: int,
    search_s: float,
    answer_rows: int | None = None,
) -> SearchPage:
    """The page of `MessageReader.search`."""
    expression = match_expression(request.query)
    deadline_s = time.perf_counter() + search_s
    connection.set_progress_handler(lambda: time.perf_counter() > deadline_s, PROGRESS_STEPS)
    try:
        if cursor is None:
            [(newest,)] = connection.execute(INDEXED_POSITION)
            cursor = SearchCursor(newest, length=_BEFORE_ALL, position=0)
        found = connection.execute(
            _FIND,
            (
                expression,
                orjson.dumps(list(request.rooms)).decode(),
                request.user_id,
                request.before_ms,
                request.after_ms,
                cursor.newest,
                cursor.length,
                cursor.position,
                limit + 1,
            ),
        ).fetchall()
        positions = [position for position, _ in found[:limit]]
        hits, unreadable, changed = _show(
            connection, request.query, positions, page_bytes, answer_rows
        )
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
            raise SearchTooBroad from error
        raise
    finally:
        connection.set_progress_handler(None, 0)
    is_incomplete = is_renewing(connection)
    seen = len(hits) + unreadable + changed
    if len(found) == seen:
        return SearchPage(tuple(hits), None, unreadable, is_incomplete)
    position, length = found[seen - 1]
    next_cursor = SearchCursor(cursor.newest, length, position)
    return SearchPage(tuple(hits), next_cursor, unreadable, is_incomplete)


def _show(
    connection: sqlite3.Connection,
    query: SearchQuery,
    positions: list[int],
    page_bytes: int,
    answer_rows: int | None,
) -> tuple[list[SearchHit], int, int]:
    """The messages at these positions, as far as they make a page; how many of them could not be
    read at all; and how many were edited or deleted since the index came forward: the next search
    finds these as they are, if at all."""
    hits: list[SearchHit] = []
    size = unreadable = changed = 0
    for position in positions:
        try:
            row = connection.execute(_SHOW, (position,)).fetchone()
            message = None if row is None else message_from_row(row, answer_rows)
        except (sqlite3.Error, MisplacedRowError) as error:
            require_damage(error)
            message = None
        if message is None:
            unreadable += 1
            continue
        if row[MESSAGE_WIDTH + 1]:
            changed += 1
            continue
        size += content_bytes(message)
        if hits and size > page_bytes:
            break
        found = () if message.is_damaged else matches(message.content, query.required)
        hits.append(SearchHit(message, bool(row[MESSAGE_WIDTH]), found))
    replies = read_replies(connection, [hit.message for hit in hits])
    told = [
        attrs.evolve(hit, replies=replies.get((hit.message.connection_id, hit.message.seq)))
        for hit in hits
    ]
    return told, unreadable, changed

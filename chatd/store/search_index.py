"""The index of the search: FTS5 over the words of messages, brought forward behind the commits.

Indexing costs as much as storing does, and is cheaper in larger pieces than with each commit. So a
commit leaves the index alone; it is brought forward each second, and before a search, so that a
search finds what was acknowledged before it began. `indexed_position` in `meta` says how far it is,
in the same transaction.

An index of another form is emptied at the start, and built anew behind the commits, in steps: the
newest messages first, so that they are found at once. `unindexed_up_to` says how far that is.

Each function runs in the transaction of its caller.
"""

import sqlite3
from collections.abc import Iterable, Sequence

from chatd.chat.words import FORM, searchable

STEP_ROWS = 500  # messages indexed in one transaction, for which commits wait

STEP_CHARS = 500_000  # code points of content at which a step ends before it has so many

INDEXED_POSITION = "SELECT indexed_position FROM meta"
_ENDS = "SELECT unindexed_up_to, indexed_position FROM meta"
_NEXT_ROWS = "SELECT position, content FROM messages WHERE position > ? ORDER BY position LIMIT ?"
_ROWS_BEFORE = """
    SELECT position, content FROM messages WHERE position <= ? ORDER BY position DESC LIMIT ?
"""
_ADD = "INSERT INTO message_text (rowid, words) VALUES (?, ?)"
_REMOVE = "INSERT INTO message_text (message_text, rowid, words) VALUES ('delete', ?, ?)"


def index_some(connection: sqlite3.Connection, most: int = STEP_ROWS) -> int:
    """Index the next messages; how many there were."""
    [(indexed,)] = connection.execute(INDEXED_POSITION)
    rows = _step(connection.execute(_NEXT_ROWS, (indexed, most)))
    if rows:
        connection.executemany(_ADD, _words(rows))
        connection.execute("UPDATE meta SET indexed_position = ?", (rows[-1][0],))
    return len(rows)


def has_form(connection: sqlite3.Connection) -> bool:
    """Whether the index holds words in the form of today."""
    [(form,)] = connection.execute("SELECT indexed_form FROM meta")
    return bool(form == FORM)


def renew_form(connection: sqlite3.Connection) -> None:
    """Empty an index of another form, so that `index_older` builds it anew."""
    connection.execute("INSERT INTO message_text (message_text) VALUES ('delete-all')")
    connection.execute(
        "UPDATE meta SET indexed_form = ?, unindexed_up_to = indexed_position", (FORM,)
    )


def index_older(connection: sqlite3.Connection, most: int = STEP_ROWS) -> int:
    """Index the newest of those messages that a renewed index lacks; how many there were."""
    [(unindexed, _)] = connection.execute(_ENDS)
    if not unindexed:
        return 0
    rows = _step(connection.execute(_ROWS_BEFORE, (unindexed, most)))
    connection.executemany(_ADD, _words(rows[::-1]))  # FTS5 takes ascending ids at once
    left = rows[-1][0] - 1 if rows else 0
    connection.execute("UPDATE meta SET unindexed_up_to = ?", (left,))
    return len(rows)


def is_renewing(connection: sqlite3.Connection) -> bool:
    """Whether there are messages that were in the index of another form, and are in none now."""
    [(unindexed, _)] = connection.execute(_ENDS)
    return bool(unindexed)


def unindex(connection: sqlite3.Connection, rows: Sequence[tuple[int, object]]) -> None:
    """Take messages, as position and content, out of the index, before they are deleted.

    What is indexed of a content that cannot be read stays in there, and is found no more.
    """
    [(unindexed, indexed)] = connection.execute(_ENDS)
    connection.executemany(_REMOVE, _words([row for row in rows if unindexed < row[0] <= indexed]))


def _step(rows: Iterable[tuple[int, object]]) -> list[tuple[int, object]]:
    """The first rows, as far as they make one step."""
    taken: list[tuple[int, object]] = []
    characters = 0
    for row in rows:
        taken.append(row)
        characters += len(row[1]) if isinstance(row[1], str) else 0
        if characters >= STEP_CHARS:
            break
    return taken


def _words(rows: Sequence[tuple[int, object]]) -> list[tuple[int, str]]:
    """Of those contents that can be read."""
    return [
        (position, searchable(content)) for position, content in rows if isinstance(content, str)
    ]

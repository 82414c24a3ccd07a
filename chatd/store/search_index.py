"""The index of the search: FTS5 over the words of messages, brought forward behind the commits.

Indexing costs as much as storing does, and is cheaper in larger pieces than with each commit. So a
commit leaves the index alone; it is brought forward each second, and before a search, so that a
search finds what was acknowledged before it began. `indexed_position` in `meta` says how far it is,
in the same transaction.

Messages and their changes are taken in the order of their positions. So the index holds each
message as it was at `indexed_position`: as it was written, as its last edit until then has it, or
not at all if it was deleted. So its words are known when they have to be taken out.

An index of another form is emptied at the start, and built anew behind the commits, in steps: the
newest messages first, so that they are found at once. `unindexed_up_to` says how far that is.

Each function runs in the transaction of its caller.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from chatd.chat.words import FORM, searchable

STEP_ROWS = 500  # messages indexed in one transaction, while commits wait

STEP_CHARS = 500_000  # code points of content at which a step ends before it has so many

Row: TypeAlias = tuple[int, object]  # position and text
R = TypeVar("R", bound=tuple[Any, ...])

TEXT_KINDS: Final = ("edit", "delete")  # kinds of changes after which a message has other words

INDEXED_POSITION = "SELECT indexed_position FROM meta"
_ENDS = "SELECT unindexed_up_to, indexed_position FROM meta"
# Position, what was written, and the message that this is a change of, if it is one.
_NEXT_ROWS = """
    SELECT * FROM (
        SELECT position, content, NULL AS message, NULL AS kind FROM messages
        WHERE position > ?1 ORDER BY position LIMIT ?2)
    UNION ALL
    SELECT * FROM (
        SELECT position, written, message, kind FROM changes
        WHERE position > ?1 ORDER BY position LIMIT ?2)
    ORDER BY position LIMIT ?2
"""
# The text of message `m` at a position, which is that of its last edit until then; null if it was
# deleted.
_LAST_TEXT_CHANGE = """
    FROM changes ch WHERE ch.message = m.position AND ch.position <= {position}
    AND ch.kind IN ('edit', 'delete') ORDER BY ch.position DESC LIMIT 1
"""
TEXT_AT = f"""
    CASE (SELECT ch.kind {_LAST_TEXT_CHANGE})
    WHEN 'edit' THEN (SELECT ch.written {_LAST_TEXT_CHANGE})
    WHEN 'delete' THEN NULL ELSE m.content END
"""
_ROWS_BEFORE = f"""
    SELECT m.position, {TEXT_AT.format(position="?3")} FROM messages m
    WHERE m.position <= ?1 ORDER BY m.position DESC LIMIT ?2
"""
_TEXT_OF = f"""
    SELECT m.position, {TEXT_AT.format(position="?2")} FROM messages m WHERE m.position = ?1
"""
_ADD = "INSERT INTO message_text (rowid, words) VALUES (?, ?)"
_REMOVE = "INSERT INTO message_text (message_text, rowid, words) VALUES ('delete', ?, ?)"


def index_some(connection: sqlite3.Connection, most: int = STEP_ROWS) -> int:
    """Index the next messages and changes; returns how many there were."""
    [(unindexed, indexed)] = connection.execute(_ENDS)
    rows = _step(connection.execute(_NEXT_ROWS, (indexed, most)))
    added: list[Row] = []
    for position, written, message, kind in rows:
        if message is None:
            added.append((position, written))
        elif kind in TEXT_KINDS and message > unindexed:  # else `index_older` has it as it is then
            connection.executemany(_ADD, _words(added))
            added.clear()
            before = connection.execute(_TEXT_OF, (message, position - 1)).fetchall()
            connection.executemany(_REMOVE, _words(before))
            connection.executemany(_ADD, _words([(message, written)]))
    if rows:
        connection.executemany(_ADD, _words(added))
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
    """Index the newest of those messages that a renewed index lacks; returns how many there
    were."""
    [(unindexed, indexed)] = connection.execute(_ENDS)
    if not unindexed:
        return 0
    rows = _step(connection.execute(_ROWS_BEFORE, (unindexed, most, indexed)))
    connection.executemany(_ADD, _words(rows[::-1]))  # FTS5 takes ascending ids at once
    left = rows[-1][0] - 1 if rows else 0
    connection.execute("UPDATE meta SET unindexed_up_to = ?", (left,))
    return len(rows)


def is_renewing(connection: sqlite3.Connection) -> bool:
    """Whether there are messages that were in an index of another form, and are in no index now."""
    [(unindexed, _)] = connection.execute(_ENDS)
    return bool(unindexed)


def unindex(connection: sqlite3.Connection, positions: Iterable[int]) -> None:
    """Take messages out of the index, before they are removed.

    The words of a content that cannot be read stay in the index, and are no longer found.
    """
    [(unindexed, indexed)] = connection.execute(_ENDS)
    for position in positions:
        if unindexed < position <= indexed:
            rows = connection.execute(_TEXT_OF, (position, indexed)).fetchall()
            connection.executemany(_REMOVE, _words(rows))


def add_empty(connection: sqlite3.Connection, position: int) -> None:
    """Put a message that was taken out, and no longer has a text, into the index without a word, as
    if it had been written so."""
    [(unindexed, indexed)] = connection.execute(_ENDS)
    if unindexed < position <= indexed:
        connection.executemany(_ADD, _words([(position, "")]))


def _step(rows: Iterable[R]) -> list[R]:
    """The first rows, as far as they make one step."""
    taken: list[R] = []
    characters = 0
    for row in rows:
        taken.append(row)
        characters += len(row[1]) if isinstance(row[1], str) else 0
        if characters >= STEP_CHARS:
            break
    return taken


def _words(rows: Sequence[Row]) -> list[tuple[int, str]]:
    """Of those contents that are there, and can be read."""
    return [
        (position, searchable(content)) for position, content in rows if isinstance(content, str)
    ]

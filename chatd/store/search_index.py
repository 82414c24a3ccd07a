"""The index of the search: FTS5 over the content of messages, brought forward behind the commits.

Indexing costs as much as storing does, and is cheaper in larger pieces than with each commit. So a
commit leaves the index alone; it is brought forward each second, and before a search, so that a
search finds what was acknowledged before it began. `indexed_position` in `meta` says how far it is,
in the same transaction. Each function runs in the transaction of its caller.
"""

import sqlite3
from collections.abc import Sequence

STEP_ROWS = 500  # messages indexed in one transaction, for which commits wait

INDEXED_POSITION = "SELECT indexed_position FROM meta"
_NEXT_ROWS = "SELECT position, content FROM messages WHERE position > ? ORDER BY position LIMIT ?"


def index_some(connection: sqlite3.Connection, most: int = STEP_ROWS) -> int:
    """Index the next messages; how many there were."""
    [(indexed,)] = connection.execute(INDEXED_POSITION)
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
    [(indexed,)] = connection.execute(INDEXED_POSITION)
    connection.executemany(
        "INSERT INTO message_text (message_text, rowid, content) VALUES ('delete', ?, ?)",
        [row for row in _readable(rows) if row[0] <= indexed],
    )


def _readable(rows: Sequence[tuple[int, object]]) -> list[tuple[int, str]]:
    return [(position, content) for position, content in rows if isinstance(content, str)]

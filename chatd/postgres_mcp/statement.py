"""The first words of Postgres' statements, and what kind each of them is.

Nobody may use COPY, SET, DO, CALL, LOCK, NOTIFY and the like: a read-only transaction does not stop
what some of them do.
"""

from collections.abc import Mapping
from typing import Final

from chatd.answers.sql.functions import words
from chatd.db_mcp.statement import StatementKind

KINDS: Final[Mapping[str, StatementKind]] = {
    # WITH may write too: neither a cursor nor the transaction takes one that does.
    **dict.fromkeys(words("select values with table"), StatementKind.READING),
    "(": StatementKind.READING,
    **dict.fromkeys(words("insert update delete merge create alter drop"), StatementKind.WRITING),
    **dict.fromkeys(
        words("""
            abort analyze begin call checkpoint close cluster comment commit copy deallocate declare
            discard do end execute explain fetch grant import listen load lock move notify prepare
            reassign refresh reindex release reset revoke rollback savepoint security set show start
            truncate unlisten vacuum
        """),
        StatementKind.FORBIDDEN,
    ),
}

"""The first words of SQLite's statements, and what kind each of them is."""

from collections.abc import Mapping
from typing import Final

from chatd.answers.sql.functions import words
from chatd.db_mcp.statement import StatementKind

KINDS: Final[Mapping[str, StatementKind]] = {
    # WITH may write too: the authorizer sees whether it does.
    **dict.fromkeys(words("select values with pragma"), StatementKind.READING),
    **dict.fromkeys(words("insert replace update delete create alter drop"), StatementKind.WRITING),
    **dict.fromkeys(
        words("""
            analyze attach begin commit detach end reindex release rollback savepoint vacuum
        """),
        StatementKind.FORBIDDEN,
    ),
    "EXPLAIN": StatementKind.EXPLAINING,
}

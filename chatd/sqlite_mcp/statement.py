"""The first look at a statement: how it begins and how long it is; SQLite has the other say.

It is no parser. It turns away what no authorizer is asked about (VACUUM), and tells a write by its
first word, so that the refusal can say what is wrong.
"""

import re
from enum import Enum, auto

from chatd.answers.requests import DatabaseFailed
from chatd.observe.lines import visible
from chatd.wire.codes import EXPLANATIONS, Code

SQL_BYTES_MAX = 100_000
"""Of one statement. A message has 10,000 characters at most (SPEC 5), of 4 bytes at most."""

_SHOWN_CHARS = 64

# White space and comments as SQLite skips them. A comment that nobody closes ends with the text.
_BLANK = re.compile(r"(?:[ \t\n\f\r]+|--[^\n]*|/\*.*?(?:\*/|\Z))*", re.DOTALL)
_WORD = re.compile(r"[A-Za-z]+")


class StatementKind(Enum):
    """What a statement is, by its first word."""

    READING = auto()
    WRITING = auto()
    EXPLAINING = auto()  # it does not run what it explains


_FORBIDDEN = frozenset(
    {
        "ANALYZE",
        "ATTACH",
        "BEGIN",
        "COMMIT",
        "DETACH",
        "END",
        "REINDEX",
        "RELEASE",
        "ROLLBACK",
        "SAVEPOINT",
        "VACUUM",
    }
)
_KINDS = {
    "SELECT": StatementKind.READING,
    "VALUES": StatementKind.READING,
    "WITH": StatementKind.READING,  # or writing: the authorizer sees which
    "PRAGMA": StatementKind.READING,
    "EXPLAIN": StatementKind.EXPLAINING,
    "INSERT": StatementKind.WRITING,
    "REPLACE": StatementKind.WRITING,
    "UPDATE": StatementKind.WRITING,
    "DELETE": StatementKind.WRITING,
    "CREATE": StatementKind.WRITING,
    "ALTER": StatementKind.WRITING,
    "DROP": StatementKind.WRITING,
}


def shown(name: str) -> str:
    """A name out of a statement, as it stands in a sentence."""
    return visible(name[:_SHOWN_CHARS])


def rejected(sentence: str | None = None) -> DatabaseFailed:
    """A statement that may not run here, whoever asks."""
    code = Code.DB_STATEMENT_REJECTED
    return DatabaseFailed(code, sentence or EXPLANATIONS[code].sentence)


def read_only() -> DatabaseFailed:
    """A statement that writes, where only reading is allowed."""
    return DatabaseFailed(Code.DB_READ_ONLY, EXPLANATIONS[Code.DB_READ_ONLY].sentence)


def first_word(sql: str) -> str:
    """The first word of a statement in capitals, "" where it begins with anything else."""
    blank = _BLANK.match(sql)
    word = _WORD.match(sql, blank.end() if blank else 0)
    return word.group().upper() if word else ""


def kind_of(sql: str, may_write: bool) -> StatementKind:
    """What kind of statement this is. Raises `DatabaseFailed` where it may not run in any case."""
    if "\0" in sql:
        raise rejected("A statement holds no NUL character.")
    try:
        length = len(sql.encode())
    except UnicodeEncodeError:
        raise rejected("The statement holds half a character; send whole ones.") from None
    if length > SQL_BYTES_MAX:
        raise rejected(f"The statement is longer than {SQL_BYTES_MAX:,} bytes; shorten it.")
    word = first_word(sql)
    if not word:
        raise rejected("There is no statement; send one, as SELECT 1.")
    if word in _FORBIDDEN:
        raise rejected()
    kind = _KINDS.get(word)
    if kind is None:
        raise DatabaseFailed(Code.DB_SYNTAX, f"No statement begins with {shown(word)}.")
    if kind is StatementKind.WRITING and not may_write:
        raise read_only()
    return kind

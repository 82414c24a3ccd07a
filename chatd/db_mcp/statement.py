"""The first look at a statement: how it begins and how long it is; the database decides the rest.
Also the limits and sentences that both databases share.

It is not a parser. It turns away what nothing else in a database stops (VACUUM, COPY), and
recognises a write by its first word, so that the refusal can say what is wrong.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto

from chatd.answers.requests import DatabaseFailed
from chatd.observe.lines import visible
from chatd.wire.codes import Code

SQL_BYTES_MAX = 100_000
"""The longest statement. A message has at most 10,000 characters of at most 4 bytes."""

SAMPLE_ROWS = 20
"""The most rows of a table that a sample shows: one screen."""

_SHOWN_CHARS = 64

# White space and comments as databases skip them. A comment that is not closed ends with the text.
_BLANK = re.compile(r"(?:[ \t\n\f\r]+|--[^\n]*|/\*.*?(?:\*/|\Z))*", re.DOTALL)
_WORD = re.compile(r"[A-Za-z]+|\(")
_CHANGES_ROWS = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "WITH"})
_PARENTHESES = "The database takes no parentheses around a statement; leave them out."


class StatementKind(Enum):
    """What a statement is, by its first word."""

    READING = auto()
    WRITING = auto()
    EXPLAINING = auto()  # it does not run what it explains
    FORBIDDEN = auto()  # for any client


def shown(name: str) -> str:
    """A name from a statement, as a sentence shows it."""
    return visible(name[:_SHOWN_CHARS])


def quoted(name: str) -> str:
    """A name as it stands in a statement, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def rejected(sentence: str | None = None) -> DatabaseFailed:
    """The failure of a statement that may not run here, for any client."""
    return DatabaseFailed(Code.DB_STATEMENT_REJECTED, sentence)


def check_rows_written(rows_written: int, rows_max: int) -> None:
    """Raise `DatabaseFailed` if a statement has changed more rows than it may."""
    if rows_written > rows_max:
        raise rejected(
            f"The statement changes {rows_written:,} rows and may change {rows_max:,}; "
            "change fewer."
        )


def rows_written(sql: str, changed: int) -> int | None:
    """How many rows a statement has changed, as its answer tells it; None for one that is not about
    rows, such as CREATE and DROP."""
    return changed if changed or first_word(sql) in _CHANGES_ROWS else None


def first_word(sql: str) -> str:
    """The first word of a statement in capitals, or "(", or "" if it begins with neither."""
    blank = _BLANK.match(sql)
    word = _WORD.match(sql, blank.end() if blank else 0)
    return word.group().upper() if word else ""


def kind_of(sql: str, kinds: Mapping[str, StatementKind], may_write: bool) -> StatementKind:
    """What kind of statement this is; `kinds` has the first words of a database's statements.

    Raises `DatabaseFailed` if it may not run in any case.
    """
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
    kind = kinds.get(word)
    if kind is None and word == "(":
        raise DatabaseFailed(Code.DB_SYNTAX, _PARENTHESES)
    if kind is None:
        raise DatabaseFailed(Code.DB_SYNTAX, f"No statement begins with {shown(word)}.")
    if kind is StatementKind.FORBIDDEN:
        raise rejected()
    if kind is StatementKind.WRITING and not may_write:
        raise DatabaseFailed(Code.DB_READ_ONLY)
    return kind


def may_change(sql: str, kind: StatementKind) -> bool:
    """Whether a statement of this kind may change anything: a reading statement can only if it
    begins with WITH."""
    return kind is StatementKind.WRITING or first_word(sql) == "WITH"

"""What is broken in a log that can otherwise be read, and how its errors are worded.

A page of SQLite has no checksum. So a text may no longer be UTF-8, a number may have become a text,
a document may not be JSON. A reader of rows gets `BROKEN` for such a text, and skips that one row;
raising would cost everything beside it.

`words_of` is how an error of the database becomes a sentence. Its own words may quote a row ("Could
not decode to UTF-8 column 'content' with text ..."), and content must not be shown.
"""

import sqlite3
from typing import Final

import attrs

# What a value of a wrong type or form raises, wherever it is met first.
WRONG_VALUE: Final = (ValueError, TypeError, AttributeError, LookupError, OverflowError)


class BrokenText:
    """A text that is not UTF-8; there is one object, `BROKEN`, whatever the bytes were."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "BROKEN"


BROKEN: Final = BrokenText()


def text_or_broken(raw: bytes) -> str | BrokenText:
    """What a connection makes of each text (`sqlite3.Connection.text_factory`)."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return BROKEN


@attrs.frozen
class Damaged:
    """A row that could not be read, of "messages", "members" or "answers": where it is, as far as
    that is known."""

    table: str
    connection_id: str | None = None
    seq: int | None = None


_UNAVAILABLE: Final = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_AUTH,
    }
)
_CORRUPT: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
# What SQLite says of these is a fixed sentence. With others it quotes the statement, or a value.
_FIXED_WORDS: Final = (
    _UNAVAILABLE
    | _CORRUPT
    | {sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL}
)


def words_of(error: BaseException) -> str:
    """What happened, without anything of what was being read or written."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, sqlite3.Error):
        if primary_code(error) in _FIXED_WORDS:
            return str(error)
        return f"SQLite says {getattr(error, 'sqlite_errorname', type(error).__name__)}"
    return f"a value in it has a wrong form ({type(error).__name__})"


def is_corrupt(error: BaseException) -> bool:
    """Whether the pages of the file are at fault: trying again reads the same."""
    return primary_code(error) in _CORRUPT


def is_unavailable(error: sqlite3.Error) -> bool:
    """Whether the surroundings of the file are at fault, not its bytes."""
    return primary_code(error) in _UNAVAILABLE


def primary_code(error: BaseException) -> int:
    """The code of an error of SQLite, without its extension; 0 if it has no code."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF

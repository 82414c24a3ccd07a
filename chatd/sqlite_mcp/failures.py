"""What a person is shown when SQLite refuses or fails: one sentence, no path, no traceback."""

import re
import sqlite3

from chatd.answers.requests import DatabaseFailed
from chatd.answers.sql.elsewhere import alternative
from chatd.db_mcp.statement import rejected
from chatd.observe.lines import visible
from chatd.sqlite_mcp.functions import VALUE_BYTES_MAX
from chatd.sqlite_mcp.handle import CALLS_WITH_LONG_VALUES
from chatd.wire.codes import Code

_SHOWN_CHARS = 200

# The statement is valid, but names something missing: it fails like asking for its columns does.
_NOT_THERE = re.compile(r"no such (?:table|column): |table .+ has no column named ", re.DOTALL)

_NO_FUNCTION = re.compile(r"no such function: (.{1,64})\Z", re.DOTALL)

# SQLite's own words for these say nothing that helps, or name something of the machine.
_SENTENCES = {
    sqlite3.SQLITE_CANTOPEN: "The database file cannot be opened.",
    sqlite3.SQLITE_NOTADB: "The file is no SQLite database.",
    sqlite3.SQLITE_CORRUPT: "The database file is damaged.",
    sqlite3.SQLITE_IOERR: "The database file cannot be read or written.",
    sqlite3.SQLITE_FULL: "The disk of the database is full.",
    sqlite3.SQLITE_PERM: "The database file may not be opened.",
    sqlite3.SQLITE_BUSY: "Somebody else is writing to the database; try again shortly.",
    sqlite3.SQLITE_LOCKED: "Somebody else is writing to the database; try again shortly.",
    sqlite3.SQLITE_NOMEM: "The statement needs more memory than it may have; ask for less.",
    sqlite3.SQLITE_TOOBIG: (
        f"A text or blob is longer than {VALUE_BYTES_MAX // 1_048_576} MiB, or than its share of "
        f"that in a statement of more than {CALLS_WITH_LONG_VALUES} calls; ask for less of it."
    ),
}


def primary_code(error: BaseException) -> int:
    """The primary result code of SQLite; 0 if there is none, as `sqlite3` itself raised the
    error."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def as_failure(error: BaseException, is_compiling: bool) -> DatabaseFailed:
    """What to say about an error of `sqlite3`; `is_compiling`: no part of the statement has run
    yet."""
    if isinstance(error, MemoryError):
        return DatabaseFailed(Code.DB_ERROR, _SENTENCES[sqlite3.SQLITE_NOMEM])
    words = str(error)
    if "one statement at a time" in words:
        return rejected("Send one statement at a time.")
    if "number of bindings" in words or "variable number" in words:
        return rejected("Parameters are not supported; write the values into the statement.")
    if "user-defined" in words:  # one of ours: see `functions`
        sentence = "A function was given text that is not UTF-8, or too much of it."
        return DatabaseFailed(Code.DB_ERROR, sentence)
    code = primary_code(error)
    if code == sqlite3.SQLITE_READONLY:
        return DatabaseFailed(Code.DB_READ_ONLY)
    if code == sqlite3.SQLITE_AUTH:
        return rejected()
    if code in _SENTENCES:
        return DatabaseFailed(Code.DB_ERROR, _SENTENCES[code])
    if not isinstance(error, sqlite3.DatabaseError):
        return DatabaseFailed(Code.DB_ERROR)
    function = _NO_FUNCTION.match(words)
    instead = None if function is None else alternative(function[1], "sqlite")
    if function is not None and instead is not None:
        name = f"SQLite {sqlite3.sqlite_version} has no {function[1].lower()}()"
        return DatabaseFailed(Code.DB_SYNTAX, f"{name}; write {instead}.")
    shown = visible(words)
    if len(shown) > _SHOWN_CHARS:
        shown = shown[:_SHOWN_CHARS] + "…"
    is_syntax = is_compiling and code == sqlite3.SQLITE_ERROR and not _NOT_THERE.match(words)
    return DatabaseFailed(
        Code.DB_SYNTAX if is_syntax else Code.DB_ERROR, f"The database says: {shown}."
    )

"""What a person is shown when Postgres refuses or fails: one sentence, no address, no traceback."""

from collections.abc import Mapping
from typing import Final

import psycopg
from psycopg import errors

from chatd.answers.requests import DatabaseFailed
from chatd.db_mcp.statement import rejected
from chatd.observe.lines import visible
from chatd.wire.codes import Code

_SHOWN_CHARS: Final = 300

_SYNTAX: Final = frozenset({errors.SyntaxError.sqlstate, errors.InvalidName.sqlstate})
_CURSOR_ONLY: Final = frozenset(
    {
        errors.FeatureNotSupported.sqlstate,
        errors.InvalidCursorDefinition.sqlstate,
    }
)
"""A cursor takes no statement that writes, such as WITH x AS (DELETE ...)."""

_PARAMETERS: Final = frozenset(
    {
        errors.UndefinedParameter.sqlstate,
        errors.IndeterminateDatatype.sqlstate,
        errors.ProtocolViolation.sqlstate,  # a statement has parameters, and gets none
    }
)

_UNAVAILABLE: Final[Mapping[str, str]] = {
    "08": "The connection with the database was lost; try again shortly.",
    "28": "The database does not let its reader in; tell the operator of this server.",
    "3D": "The database is not there; tell the operator of this server.",
    "53": "The database has no room for this now; try again shortly.",
    "57": "The database is being stopped; try again shortly.",
    "58": "The database has trouble with its disk; tell its operator.",
    "XX": "The database has trouble of its own; tell its operator.",
}
"""By class of SQLSTATE, when nothing is wrong with the statement."""

_OF_THE_STATEMENT: Final = frozenset(
    {
        errors.InternalError_.sqlstate,  # also of a value that would be longer than any may be
        errors.ConfigurationLimitExceeded.sqlstate,  # more temporary files than are allowed
    }
)
"""Of the classes above, but it comes of what the statement asks for."""


def as_failure(error: Exception) -> DatabaseFailed:
    """What to say about an error of psycopg.

    Postgres names the word at which it gave up. Its position is not given: the statement that was
    sent need not be the one that a person wrote.
    """
    if isinstance(error, MemoryError):
        sentence = "A value is too long to be read; ask for less of it."
        return DatabaseFailed(Code.DB_ERROR, sentence)
    if not isinstance(error, psycopg.Error):
        return DatabaseFailed(Code.DB_ERROR)
    state = error.sqlstate
    if state is None:  # from libpq or psycopg, not from the server
        if "out of memory" in str(error):
            return as_failure(MemoryError())
        if isinstance(error, psycopg.OperationalError):
            return DatabaseFailed(Code.DB_UNAVAILABLE, _UNAVAILABLE["08"])
        return DatabaseFailed(Code.DB_ERROR)
    if state == errors.ReadOnlySqlTransaction.sqlstate:
        return DatabaseFailed(Code.DB_READ_ONLY)
    if state == errors.QueryCanceled.sqlstate:
        return DatabaseFailed(Code.DB_TIMEOUT)
    if state in _PARAMETERS:
        return rejected("Parameters are not supported; write the values into the statement.")
    if state[:2] in _UNAVAILABLE and state not in _OF_THE_STATEMENT:
        return DatabaseFailed(Code.DB_UNAVAILABLE, _UNAVAILABLE[state[:2]])
    words = error.diag.message_primary or ""
    if state in _CURSOR_ONLY and "DECLARE CURSOR" in words:
        return DatabaseFailed(Code.DB_READ_ONLY)
    if "multiple commands" in words:
        return rejected("Send one statement at a time.")
    sentence = f"The database says: {_cut(words)}."
    if error.diag.message_hint:
        sentence += f" {_cut(error.diag.message_hint).rstrip('.')}."
    return DatabaseFailed(Code.DB_SYNTAX if state in _SYNTAX else Code.DB_ERROR, sentence)


def _cut(words: str) -> str:
    text = visible(words)
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"

"""What a db-mcp says about an error, as people get to read it; pure.

It is short, on one line, and holds no password.
"""

import re
from collections.abc import Mapping
from typing import Final

from chatd.answers.mcp.contract import Field
from chatd.answers.mcp.exact_json import from_json
from chatd.answers.mcp.mapping import PeerMapping
from chatd.answers.mcp.secrets import without_passwords
from chatd.answers.requests import DatabaseFailed
from chatd.wire.codes import Code

SENTENCE_CHARS: Final = 500
"""Characters of a database's own error that are passed on; the rest is cut."""
NO_TOOL: Final = "The server of this database has no tool for that; ask with a statement."
_CODES: Final = frozenset(code for code in Code if code.startswith("db_"))
_SYNTAX: Final = re.compile(
    r"syntax error|error in your SQL syntax|incomplete input", re.IGNORECASE
)
# Where Postgres shows the place of an error: a line of the statement, and a mark below it.
_POINTER: Final = re.compile(r"\n?(LINE \d+): ([^\n]*)\n( *)\^")
_POINTED: Final = re.compile(r"[\w.]+|\"[^\"]*\"|\S")


def failure(complaint: str) -> DatabaseFailed:
    """The failure that a database's own words tell: cut, on one line, without passwords."""
    cut = _POINTER.sub(_pointed, complaint[: 4 * SENTENCE_CHARS])
    line = " ".join("".join(char if char.isprintable() else " " for char in cut).split())
    words = without_passwords(line)
    if len(words) > SENTENCE_CHARS:
        words = words[:SENTENCE_CHARS] + "..."
    code = Code.DB_SYNTAX if _SYNTAX.search(words) else Code.DB_ERROR
    return DatabaseFailed(code, words or "The database gave an error without words.")


def _pointed(pointer: re.Match[str]) -> str:
    """The line and the word at the mark; the mark alone means nothing once lines are joined."""
    line, text, blank = pointer.groups()
    at = len(blank) - len(f"{line}: ")
    word = _POINTED.match(text, max(0, at))
    return f" ({line.lower()}{'' if word is None else f', at {word.group()}'})"


def coded_failure(structured: object) -> DatabaseFailed | None:
    """The failure of a peer that knows the codes: `{code, message}` in structured content."""
    match structured:
        case {Field.CODE: str() as code, Field.MESSAGE: str() as message} if code in _CODES:
            return DatabaseFailed(Code(code), failure(message).sentence)
    return None


def complaint_of(text: str, mapping: PeerMapping) -> str:
    """What an error says: the text, or `error` or `message` of the JSON that it is."""
    for end in mapping.error_ends:
        text = text.partition(end)[0]
    if text.lstrip().startswith("{"):
        try:
            return sentence_in(from_json(text)) or text
        except (ValueError, RecursionError):
            return text
    return text


def sentence_in(document: object) -> str | None:
    """What `error` or `message` of a document says; None if it has neither."""
    if isinstance(document, Mapping):
        for key in ("error", "message"):
            said = document.get(key)
            if isinstance(said, Mapping):
                said = said.get("message")
            if isinstance(said, str):
                return said
    return None

"""What a database says of a statement that it does not understand, with the place added; pure.

The grammar of chatd lets some through that the database does not take. The database names a word,
but no place, or one in the statement that was sent, which need not be the one that was written. So
the word is looked for in what was written. Where it stands in several places, and none of them is
surely meant, no place is told.
"""

import re
from collections.abc import Sequence
from typing import Final

from chatd.answers.sql.elsewhere import instead_of_table, instead_of_word
from chatd.answers.sql.lexer import Dialect, Lexed, Token, lex
from chatd.answers.sql.places import is_expectant, place

_AT_WORD: Final[tuple["re.Pattern[str]", ...]] = (
    re.compile(r"near \"(?P<word>.+)\"(?=: syntax error\.)", re.DOTALL),  # SQLite
    re.compile(r"syntax error at or near \"(?P<word>.+)\"", re.DOTALL),  # Postgres
)
_AT_END: Final = re.compile(r"incomplete input(?=\.)|syntax error at end of input")
_TAIL: Final = r"(?:\.|; did you mean [^?]{0,999}\?)\Z"
_NO_TABLE: Final[tuple["re.Pattern[str]", ...]] = (
    re.compile(rf"no such table: (?P<name>[\w.]+){_TAIL}"),
    re.compile(rf"relation \"(?P<name>[\w.]+)\" does not exist{_TAIL}"),
)
_HAS_PLACE: Final = re.compile(r"\(line \d")  # a foreign db-mcp may tell it in its own words


def located(complaint: str, statement: str, dialect: Dialect) -> str:
    """The complaint with the place in the statement as it was written, where that is known; what
    the database has instead, where it is a word of other databases."""
    for pattern in _NO_TABLE:
        if (missing := pattern.search(complaint)) is not None:
            instead = instead_of_table(missing["name"], dialect)
            told = complaint.partition("; did you mean ")[0].rstrip(".")
            return complaint if instead is None else f"{told}; {instead}."
    if _HAS_PLACE.search(complaint) is not None:
        return complaint
    lexed = lex(statement, dialect)
    if not isinstance(lexed, Lexed) or not lexed.tokens:
        return complaint
    if (end := _AT_END.search(complaint)) is not None:
        last = lexed.tokens[-1]
        return _with(complaint, end.end(), f"after {last.written}, {place(statement, last.at)}")
    for pattern in _AT_WORD:
        if (near := pattern.search(complaint)) is None:
            continue
        index = _meant(lexed.tokens, near["word"])
        if index is None:
            return complaint
        # A word that the database does not know may pass for a name; then the next one is at fault.
        for token in reversed(lexed.tokens[max(0, index - 1) : index + 1]):
            if (instead := instead_of_word(token.written.upper(), dialect)) is not None:
                return f"{instead[:-1]} ({place(statement, token.at)})."
        return _with(complaint, near.end(), place(statement, lexed.tokens[index].at))
    return complaint


def _with(complaint: str, at: int, where: str) -> str:
    return f"{complaint[:at]} ({where}){complaint[at:]}"


def _meant(tokens: Sequence[Token], word: str) -> int | None:
    """The number of the token that is complained of; None where that is not sure."""
    found = [index for index, token in enumerate(tokens) if token.written == word]
    if len(found) > 1:  # then sooner where something else has to stand
        found = [index for index in found if index > 0 and is_expectant(tokens[index - 1])]
    return found[0] if len(found) == 1 else None

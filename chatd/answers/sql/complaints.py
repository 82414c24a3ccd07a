"""What a database says about a statement that it does not understand, with the place added; pure.

The grammar of chatd lets some through that the database does not take. The database names a word,
but no place, or one in the statement that was sent, which need not be the one that was written. So
the word is searched for in what was written. If it is in several places, and none of them is surely
meant, no place is told.
"""

import re
from collections.abc import Sequence
from typing import Final

from chatd.answers.sql.elsewhere import instead_of_table, instead_of_value, instead_of_word
from chatd.answers.sql.lexer import Dialect, Lexed, Token, TokenKind, lex
from chatd.answers.sql.misplaced import advice_at, no_such_alias, text_without_quotes
from chatd.answers.sql.places import is_expectant, place
from chatd.answers.sql.spelling import nearest_words

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
_NO_COLUMN: Final[tuple["re.Pattern[str]", ...]] = (
    re.compile(rf"no such column: (?P<name>\w+){_TAIL}"),
    re.compile(rf"column \"(?P<name>[^\"\n]+)\" does not exist{_TAIL}"),
)
_NO_ALIAS: Final[tuple["re.Pattern[str]", ...]] = (
    re.compile(r"no such column: (?P<name>\w+)\.\w+\.\Z"),
    re.compile(r"missing FROM-clause entry for table \"(?P<name>\w+)\"\.\Z"),
)
_PERHAPS: Final = re.compile(
    r"(?P<what>column (?:\"\w+\"|[\w.]+) does not exist)\. Perhaps you meant to reference the "
    r"column \"(?:\w+\.)?(?P<name>[a-z_][a-z0-9_]*)\"(?: or the column \"[^\"]+\")?\."
)
"""Postgres names the nearest column in a sentence of its own."""
_KEYWORDS_AFTER: Final = {"SELECT": "DISTINCT", "IS": "NULL", "NOT": "NULL"}
"""Keywords that pass for a column if they are misspelt, by the words that they follow."""
_ADVICE: Final[tuple[tuple["re.Pattern[str]", str], ...]] = (
    (
        re.compile(
            r"misuse of aggregate|aggregate functions are not allowed in WHERE"
            r"|Invalid use of group function"
        ),
        "write HAVING after GROUP BY, or a subquery as in price = (SELECT max(price) FROM ...)",
    ),
    (re.compile(r"HAVING clause on a non-aggregate query"), "write WHERE in place of HAVING"),
    (
        re.compile(r"misuse of window function|window functions are not allowed in"),
        "compute it in a subquery, as in SELECT * FROM (SELECT ... AS place) AS t WHERE place = 1",
    ),
)
"""What to do about a complaint that names no word."""
_HAS_PLACE: Final = re.compile(r"\(line \d")  # a foreign db-mcp may tell it in its own words


def located(complaint: str, statement: str, dialect: Dialect) -> str:
    """The complaint with the place in the statement as it was written, if that is known; and what
    the database has instead, if it is a word of other databases."""
    lexed = lex(statement, dialect)
    tokens = lexed.tokens if isinstance(lexed, Lexed) else ()
    for pattern in _NO_TABLE:
        if (missing := pattern.search(complaint)) is not None:
            instead = instead_of_table(missing["name"], dialect)
            return complaint if instead is None else _of_table(complaint, instead, tokens)
    for pattern in _NO_ALIAS:
        if (missing := pattern.search(complaint)) is not None:
            return _advised(complaint, no_such_alias(tokens, missing["name"]))
    for pattern in _NO_COLUMN:
        if (missing := pattern.search(complaint)) is not None:
            return _of_column(complaint, missing["name"], tokens)
    if (perhaps := _PERHAPS.search(complaint)) is not None:
        head = complaint[: perhaps.start()]
        return f"{head}{perhaps['what']}; did you mean {perhaps['name']}?"
    for pattern, advice in _ADVICE:
        if pattern.search(complaint) is not None:
            return _advised(complaint, advice)
    if _HAS_PLACE.search(complaint) is not None:
        return complaint
    if not tokens:
        return complaint
    if (end := _AT_END.search(complaint)) is not None:
        last = tokens[-1]
        return _with(complaint, end.end(), f"after {last.written}, {place(statement, last.at)}")
    for pattern in _AT_WORD:
        if (near := pattern.search(complaint)) is None:
            continue
        index = _meant(tokens, near["word"])
        if index is None:
            return complaint
        # A word that the database does not know may pass for a name; then the next one is at fault.
        for token in reversed(tokens[max(0, index - 1) : index + 1]):
            if (instead := instead_of_word(token.written.upper(), dialect)) is not None:
                return f"{instead[:-1]} ({place(statement, token.at)})."
        told = _with(complaint, near.end(), place(statement, tokens[index].at))
        return _advised(told, advice_at(tokens, index))
    return complaint


def _advised(complaint: str, advice: str | None) -> str:
    """The complaint with what to do about it, if that is known."""
    return complaint if advice is None else f"{complaint.rstrip('.')}; {advice}."


def _of_table(complaint: str, instead: str, tokens: Sequence[Token]) -> str:
    """What to do about a table that only others have; and about a value of theirs, if the statement
    asks for one."""
    for token in tokens:
        value = instead_of_value(token.text) if token.kind is TokenKind.WORD else None
        if value is not None:
            instead = f"{instead}, and write {value} for {token.written}"
            break
    return f"{_without_names(complaint)}; {instead}."


def _of_column(complaint: str, name: str, tokens: Sequence[Token]) -> str:
    """The complaint about a column that is not there, with the value, the keyword or the text that
    was meant by its name."""
    if (value := instead_of_value(name)) is not None:
        return f"{_without_names(complaint)}; write {value}."
    keyword = _keyword_meant(name, tokens)
    if keyword is not None:
        return f"{_without_names(complaint)}; did you mean {keyword}?"
    if "; did you mean" in complaint:
        return complaint
    return _advised(complaint, text_without_quotes(tokens, name))


def _keyword_meant(name: str, tokens: Sequence[Token]) -> str | None:
    """The keyword that passes for the name of a column, as it is misspelt."""
    found = [at for at, token in enumerate(tokens) if token.is_word(name.upper())]
    if len(found) != 1 or found[0] == 0:
        return None
    [at] = found
    keyword = _KEYWORDS_AFTER.get(tokens[at - 1].text, "")
    if not nearest_words(name.upper(), [keyword], slips_of_long=2):
        return None
    if keyword == "DISTINCT" and not (at + 1 < len(tokens) and tokens[at + 1].is_name):
        return None  # nothing follows that would be distinct
    if keyword == "DISTINCT" and tokens[at + 1].is_word("FROM", "AS"):
        return None
    return keyword


def _without_names(complaint: str) -> str:
    """The complaint without the names that may have been meant, and without its full stop."""
    return complaint.partition("; did you mean ")[0].rstrip(".")


def _with(complaint: str, at: int, where: str) -> str:
    return f"{complaint[:at]} ({where}){complaint[at:]}"


def _meant(tokens: Sequence[Token], word: str) -> int | None:
    """The number of the token that is complained about; None if that is not certain."""
    found = [index for index, token in enumerate(tokens) if token.written == word]
    if len(found) > 1:  # then sooner where something else has to stand
        found = [index for index in found if index > 0 and is_expectant(tokens[index - 1])]
    return found[0] if len(found) == 1 else None

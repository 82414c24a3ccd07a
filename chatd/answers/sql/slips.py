"""The keyword that was meant by a word at which, or after which, a statement is not understood.

In `SELECT * FORM sales` the grammar stumbles over `sales`: FORM passes for the name of the column.
So the words before the place are candidates too. Each is tried: it is a slip only if the grammar
gets further with the keyword in its place. A word where a name belongs is never taken for one.
"""

import math
from collections.abc import Iterator
from typing import Final

import attrs

from chatd.answers.sql.functions import words
from chatd.answers.sql.grammar import NotParsed, parse
from chatd.answers.sql.lexer import Dialect, Lexed, Token, TokenKind
from chatd.answers.sql.spelling import nearest_words

TOKENS_MAX: Final = 400
"""Of a statement in which a slip is looked for: each trial parses all of it."""
_TRIALS_MAX: Final = 8
_LOOK_BACK_TOKENS: Final = 3  # before the place; a slip is not noticed later
_WORD_CHARS_MAX: Final = 12
_KEYWORDS: Final = words("""
    select distinct from where group order by having limit offset join inner outer left right full
    cross natural using union intersect except all values with recursive set into
    and or not in is as on like between null exists asc desc case when then else end over partition
""")
_BEFORE_NAMES: Final = ("FROM", "JOIN", "INTO", "UPDATE", "AS", "TABLE")
_BEFORE_BY: Final = ("GROUP", "ORDER", "PARTITION")


@attrs.frozen
class Slip:
    """A word of a statement, and the keyword that was meant by it."""

    token: Token
    keyword: str
    count: int  # of the slips in it
    is_only_one: bool  # the statement is understood with the keyword

    def corrected(self, text: str) -> str:
        """The statement as it was written, with the keyword."""
        token = self.token
        keyword = self.keyword.lower() if token.written.islower() else self.keyword
        return text[: token.at] + keyword + text[token.at + len(token.written) :]


def slip_of(lexed: Lexed, dialect: Dialect) -> Slip | None:
    """As `slip_in`, of a statement that was not parsed yet."""
    parsed = parse(lexed, dialect)
    return slip_in(lexed, parsed.token, dialect) if isinstance(parsed, NotParsed) else None


def slip_in(lexed: Lexed, failed_at: int | None, dialect: Dialect) -> Slip | None:
    """The slip in a statement that is not understood at the token of this number; None if there
    surely is none."""
    if failed_at is None or len(lexed.tokens) > TOKENS_MAX:
        return None
    best: tuple[float, int] | None = None
    found = None
    candidates = sorted(_candidates(lexed.tokens, failed_at), key=lambda one: one[1])
    for number, count, keyword in candidates[:_TRIALS_MAX]:
        reach = _reach(_replaced(lexed, number, keyword), dialect)
        if reach > failed_at and (best is None or (reach, -count) > best):
            best = reach, -count
            found = Slip(lexed.tokens[number], keyword, count, is_only_one=math.isinf(reach))
    return found


def _candidates(tokens: tuple[Token, ...], failed_at: int) -> Iterator[tuple[int, int, str]]:
    """Words that are nearly a keyword, by their numbers, with the count of slips and the keyword;
    those next to the place first."""
    last = min(failed_at, len(tokens) - 1)
    for number in range(last, max(-1, failed_at - _LOOK_BACK_TOKENS - 1), -1):
        if not _may_be_keyword(tokens, number):
            continue
        word, before = tokens[number].text, tokens[number - 1]
        for count, keyword in nearest_words(word, _KEYWORDS, slips_of_long=2):
            if len(keyword) > 2 or _is_nearly_short(word, keyword, before):
                yield number, count, keyword


def _may_be_keyword(tokens: tuple[Token, ...], number: int) -> bool:
    """Whether the word is no keyword already, and does not stand where a name belongs."""
    token = tokens[number]
    if token.kind is not TokenKind.WORD or token.text in _KEYWORDS or number == 0:
        return False
    if not 2 <= len(token.text) <= _WORD_CHARS_MAX:
        return False
    before = tokens[number - 1]
    if before.is_word(*_BEFORE_NAMES) or before.is_symbol(",") or before.is_symbol("."):
        return False
    return number + 1 == len(tokens) or not tokens[number + 1].is_symbol(".")


def _is_nearly_short(word: str, keyword: str, before: Token) -> bool:
    """Whether a keyword of two letters was meant: any other word of two letters is near to it, so
    that the letters have to be all there, or the place to be that of BY."""
    if keyword == "BY":
        return before.is_word(*_BEFORE_BY)
    return set(keyword) <= set(word)


def _replaced(lexed: Lexed, number: int, keyword: str) -> Lexed:
    """The statement with a keyword for a word, as far as the grammar is asked about it."""
    token, start = lexed.tokens[number], lexed.plain_starts[number]
    longer = len(keyword) - len(token.written)
    return Lexed(
        (
            *lexed.tokens[:number],
            attrs.evolve(token, text=keyword, written=keyword),
            *lexed.tokens[number + 1 :],
        ),
        lexed.sql,
        lexed.plain[:start] + keyword + lexed.plain[start + len(token.written) :],
        tuple(one if one <= start else one + longer for one in lexed.plain_starts),
    )


def _reach(lexed: Lexed, dialect: Dialect) -> float:
    """The number of the token up to which a statement is understood; infinite if all of it is."""
    parsed = parse(lexed, dialect)
    if not isinstance(parsed, NotParsed):
        return math.inf if len(parsed) == 1 else -1
    return -1 if parsed.token is None else parsed.token

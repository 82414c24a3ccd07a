"""Where a statement is not understood, said so that a person finds the place.

A place is a line and a column, both from 1, in the statement as it was written, and the word that
stands there. A word that is nearly one of the grammar, shortly before the place, is sooner the slip
than what follows it: in `SELECT * FORM t` the grammar stumbles over `t`.
"""

import difflib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from chatd.answers.sql.functions import words
from chatd.answers.sql.lexer import Dialect, Token, TokenKind
from chatd.answers.sql.odd_characters import nothing_is_put_in

DIALECT_NAMES: Final[Mapping[Dialect, str]] = {
    "sqlite": "SQLite",
    "postgres": "PostgreSQL",
    "mysql": "MySQL",
}
"""What people call the databases."""
WORD_CHARS_MAX: Final = 40
"""Characters of a word that are shown; the rest is cut."""
NEARNESS: Final = 0.7
"""Of a word to a keyword, from 0 to 1, from where on it is taken for a slip of it: FORM is 0.75."""
_LOOK_BACK_TOKENS: Final = 3  # before the place; a slip is not noticed later
_KEYWORDS: Final = words("""
    select from where group order having limit offset join inner outer left right cross union
    between distinct values with
""")
_EXPECTANT: Final = words("""
    select distinct from where and or not on by having join set as in like between limit offset
    values
""")
_VALUE_SIGNS: Final = ("?", ":", "@", "%")
_BEFORE_NAMES: Final = ("FROM", "JOIN", "INTO", "UPDATE", "AS")


def place(text: str, at: int) -> str:
    """The place of a character of `text`, in words."""
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    return f"line {line}, column {column}"


def not_understood(text: str, tokens: Sequence[Token], number: int | None, dialect: Dialect) -> str:
    """Why a statement is none of the dialect, which fails at the token of this number."""
    name = DIALECT_NAMES[dialect]
    if number is None or not tokens:
        return f"This is not understood as {name}; correct it, or write it more plainly."
    slip = _slip(tokens, max(0, number - _LOOK_BACK_TOKENS), number)
    if slip is not None:
        token, keyword = slip
        return (
            f"{_shown(token)} ({place(text, token.at)}) is not understood as {name}; "
            f"did you mean {keyword}?"
        )
    if number >= len(tokens):
        last = tokens[-1]
        return (
            f"Something is missing at the end, after {_shown(last)} ({place(text, last.at)}); "
            "complete the statement."
        )
    token = tokens[number]
    return (
        f"{_shown(token)} ({place(text, token.at)}) is not understood there as {name}; "
        "correct it, or what stands before it."
    )


def unbalanced(text: str, tokens: Sequence[Token]) -> str | None:
    """Which parenthesis or bracket has no other; None where all have."""
    opened: list[Token] = []
    for token in tokens:
        if token.kind is not TokenKind.SYMBOL:
            continue
        if token.text in "([":
            opened.append(token)
        elif token.text in ")]" and (
            not opened or opened.pop().text + token.text not in ("()", "[]")
        ):
            return f"The {token.text} at {place(text, token.at)} closes nothing; remove it."
    if opened:
        return f"The {opened[-1].text} at {place(text, opened[-1].at)} is not closed; close it."
    return None


def is_expectant(token: Token) -> bool:
    """Whether a value or a name has to follow the token."""
    if token.kind is TokenKind.SYMBOL:
        return token.text not in ")]*;"
    return token.is_word(*_EXPECTANT)


def to_be_filled_in(text: str, tokens: Sequence[Token]) -> str | None:
    """Which sign of a statement stands for a value that a program puts in (`?`, `:id`, `%s`); None
    where none surely does."""
    for before, token in pairwise(tokens):
        if token.kind is not TokenKind.SYMBOL or token.text not in _VALUE_SIGNS:
            continue
        if is_expectant(before) and before.text != token.text:
            return f"{nothing_is_put_in(token.text)[:-1]} ({place(text, token.at)})."
    return None


def begins_like(token: Token) -> str | None:
    """The word of a beginning that `token` is nearly: SELECT for SELEC."""
    near = difflib.get_close_matches(token.text, ("SELECT", "WITH", "VALUES"), 1, NEARNESS)
    return near[0] if near and token.kind is TokenKind.WORD else None


def _slip(tokens: Sequence[Token], first: int, last: int) -> tuple[Token, str] | None:
    """The last of these tokens that is nearly a keyword, where no name is expected; and that
    keyword."""
    for number in range(min(last, len(tokens) - 1), first - 1, -1):
        token, before = tokens[number], tokens[number - 1] if number else None
        if token.kind is not TokenKind.WORD or token.text in _KEYWORDS or len(token.text) < 4:
            continue
        if before is not None and (before.is_word(*_BEFORE_NAMES) or before.text in (",", ".")):
            continue
        if token.text.startswith(tuple(_KEYWORDS)):
            continue  # a name: `orders`, `values_of_2024`
        near = difflib.get_close_matches(token.text, _KEYWORDS, 1, NEARNESS)
        if near:
            return token, near[0]
    return None


def _shown(token: Token) -> str:
    written = token.written
    return written if len(written) <= WORD_CHARS_MAX else f"{written[: WORD_CHARS_MAX - 1]}…"

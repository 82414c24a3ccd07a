"""Says where a statement is not understood, so that a person finds the place.

A place is a line and a column, both from 1, in the statement as it was written, and the word that
stands there. Whether a word before the place is the one at fault is found by `slips`.
"""

import difflib
import re
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
"""How near the first word has to be to one that begins a statement, from 0 to 1."""
_EXPECTANT: Final = words("""
    select distinct from where and or not on by having join set as in like between limit offset
    values
""")
_DATE_WITH_DOTS: Final = re.compile(r"\d{1,2}\.\d{1,2}\.(?:\d\d){1,2}", re.ASCII)
_VALUE_SIGNS: Final = ("?", ":", "@", "%")


def place(text: str, at: int) -> str:
    """The place of a character of `text`, in words."""
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    return f"line {line}, column {column}"


def misspelt(text: str, token: Token, keyword: str, dialect: Dialect) -> str:
    """Which word of a statement is nearly a keyword, and which one."""
    return (
        f"{_shown(token)} ({place(text, token.at)}) is not understood as {DIALECT_NAMES[dialect]}; "
        f"did you mean {keyword}?"
    )


def not_understood(text: str, tokens: Sequence[Token], number: int | None, dialect: Dialect) -> str:
    """Why a statement, which fails at the token with this number, is not of the dialect."""
    name = DIALECT_NAMES[dialect]
    if number is None or not tokens:
        return f"This is not understood as {name}; correct it, or write it more plainly."
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
    """Which parenthesis or bracket has no partner; None if all have one."""
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
    if no sign surely does."""
    for before, token in pairwise(tokens):
        if token.kind is not TokenKind.SYMBOL or token.text not in _VALUE_SIGNS:
            continue
        if is_expectant(before) and before.text != token.text:
            return f"{nothing_is_put_in(token.text)[:-1]} ({place(text, token.at)})."
    return None


def date_with_dots(text: str, tokens: Sequence[Token]) -> str | None:
    """Which date stands in a statement without quotes and with dots: 31.01.2024; None if none
    does."""
    for token, after in pairwise(tokens):
        written = text[token.at : after.end]
        if token.end == after.at and _DATE_WITH_DOTS.fullmatch(written) is not None:
            where = place(text, token.at)
            return f"{written} ({where}) is no date here; write a date as 'YYYY-MM-DD', in quotes."
    return None


def begins_like(token: Token) -> str | None:
    """The word of a beginning that `token` is nearly: SELECT for SELEC."""
    near = difflib.get_close_matches(token.text, ("SELECT", "WITH", "VALUES"), 1, NEARNESS)
    return near[0] if near and token.kind is TokenKind.WORD else None


def _shown(token: Token) -> str:
    written = token.written
    return written if len(written) <= WORD_CHARS_MAX else f"{written[: WORD_CHARS_MAX - 1]}…"

"""What to change at the word at which a database stumbles: a comma too many, a clause out of order,
a text without its quotes, a name that stands for no table."""

from collections.abc import Sequence
from typing import Final

from chatd.answers.sql.lexer import Token

_CLAUSES: Final = ("FROM", "JOIN", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET")
"""The clauses of a query, in their order."""
_JOINS: Final = ("INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL")
_WITH_BY: Final = ("GROUP", "ORDER")
_NO_ITEMS: Final = (*_CLAUSES, "UNION", "INTERSECT", "EXCEPT")
"""Words before which no comma stands."""
_QUERY_BEGINS: Final = ("SELECT", "UNION", "INTERSECT", "EXCEPT", "WITH")
_COMPARES: Final = "=<>"
SHOWN_CHARS_MAX: Final = 30


def advice_at(tokens: Sequence[Token], at: int) -> str | None:
    """What to do about the token of this number, at which a statement is not understood; None if
    that is not certain."""
    token = tokens[at]
    if at > 0 and tokens[at - 1].is_symbol(","):
        if token.is_symbol(","):
            return "remove one of the two commas"
        if token.is_word(*_NO_ITEMS) or token.is_symbol(")"):
            return f"remove the comma before {token.written}"
    clause = "JOIN" if token.is_word(*_JOINS) else token.text
    if clause not in _CLAUSES or not token.is_word(token.text):
        return None
    later = _first_later(tokens[:at], _CLAUSES.index(clause))
    return later and f"write {_named(clause)} before {_named(later)}"


def _first_later(before: Sequence[Token], rank: int) -> str | None:
    """The first clause of the same query that stands before, though it comes later in the order."""
    found, depth = None, 0
    for token in reversed(before):
        if token.is_symbol(")"):
            depth += 1
        elif token.is_symbol("("):
            depth -= 1
        if depth < 0 or (depth == 0 and token.is_word(*_QUERY_BEGINS)):
            break
        if depth == 0 and token.is_word(*_CLAUSES) and _CLAUSES.index(token.text) > rank:
            found = token.text
    return found


def _named(clause: str) -> str:
    return f"{clause} BY" if clause in _WITH_BY else clause


def text_without_quotes(tokens: Sequence[Token], name: str) -> str | None:
    """What to do about a column that does not exist if something is compared with its name, which
    hardly is one: `status = delivered`, `name = "Ann"`; None if that is not certain."""
    found = [at for at, token in enumerate(tokens) if token.is_name and _is_called(token, name)]
    if not found or not all(_is_compared(tokens, at) for at in found):
        return None
    written = tokens[found[0]].written.strip('"`[]')
    if len(written) > SHOWN_CHARS_MAX or not written.replace(" ", "").isalnum():
        return "a text stands in single quotes"
    return f"a text stands in single quotes, as in '{written}'"


def _is_called(token: Token, name: str) -> bool:
    return token.text.lower() == name.lower()


def _is_compared(tokens: Sequence[Token], at: int) -> bool:
    """Whether the name stands to the right of a comparison, or in the list of IN, by itself."""
    if at == 0 or (at + 1 < len(tokens) and tokens[at + 1].text in (".", "(")):
        return False
    before = tokens[at - 1]
    if before.is_word("LIKE") or (before.text in _COMPARES and before.is_symbol(before.text)):
        return True
    while at > 1 and tokens[at - 1].is_symbol(","):
        at -= 2
    return at > 1 and tokens[at - 1].is_symbol("(") and tokens[at - 2].is_word("IN")


def no_such_alias(tokens: Sequence[Token], name: str) -> str | None:
    """What to do about `name.column` if the statement calls no table so; None if it does."""
    for at, token in enumerate(tokens):
        is_qualifier = at + 1 < len(tokens) and tokens[at + 1].is_symbol(".")
        if token.is_name and _is_called(token, name) and not is_qualifier:
            return None
    return f"no table of the statement is called {name}; name it in FROM, as in FROM t AS {name}"

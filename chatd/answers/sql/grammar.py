"""What a statement is made of, by the grammar of its dialect (sqlglot).

sqlglot takes a tenth of a second to import, so it is imported with the first text that is parsed.
It is asked about the plain text of `lexer` only: no literal reaches it, so no literal can confuse
it, or appear in a line that it logs. Nested arrays, types and joins let it try again and again,
each level twice as often (20 nested arrays take half a minute), so that its steps are counted and
bounded here. The depth of its recursion is bounded by Python, from here on: how deep a text may be
nested does not depend on who asks.
"""

import bisect
import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from chatd.answers.sql.lexer import Dialect, Lexed, TokenKind

if TYPE_CHECKING:
    from sqlglot import Expr

STEPS_PER_TOKEN = 40  # steps of the parser for a token; honest statements take 1 to 3
FRAMES_MAX = 1_500  # of the stack, for the parser: enough for what `guard.DEPTH_MAX` lets through
BRACKETS_MAX = 500  # opening brackets of a text; honest pivots have 150, and these take 0.4 s
# How many of these may be inside of brackets, or follow one, as in a[1][2]: a row of them costs
# sqlglot quadratic time, and worse.
CHAINED_MAX = 100
STEPS_MIN = 2_000  # and these beside, so that a short statement may nest a little


@attrs.frozen
class NotParsed:
    """It is not of the dialect as far as the grammar goes; `is_bounded`: a bound kept that from
    being found out. `token` is the number of the token at which it is not understood, from 0; None
    if that is not known. It is the number of tokens where something is missing at the end.
    """

    is_bounded: bool = False
    token: int | None = None


class _TooManySteps(Exception):
    """Not a `ParseError`: the parser would catch that and try something else."""


def parse(lexed: Lexed, dialect: Dialect) -> "tuple[Expr, ...] | NotParsed":
    """The statements of the plain text of `lexed`; an empty one between two semicolons is left out.

    Never raises, whatever it is given.
    """
    from sqlglot.errors import SqlglotError

    if not _has_modest_brackets(lexed):
        return NotParsed(is_bounded=True)
    plain = _without_replace(lexed, dialect)
    language, parser_class = _language(dialect)
    parser = parser_class(dialect=language)
    parser.steps_left = STEPS_MIN + STEPS_PER_TOKEN * len(lexed.tokens)
    try:
        with _frames_bounded():
            words = language.tokenize(plain)
            named = [token.text for token in lexed.tokens if token.kind is TokenKind.NAME]
            if _names(words) != named:
                return NotParsed()  # the two readers disagree about what is in quotes
            statements = parser.parse(words, plain)
    except (_TooManySteps, RecursionError):
        return NotParsed(is_bounded=True)
    except SqlglotError:
        return NotParsed(token=_number_of_token(lexed, parser.failed_at))
    except Exception:
        # A fault of sqlglot (it has AttributeErrors and IndexErrors on odd input): not understood.
        return NotParsed()
    return tuple(statement for statement in statements if statement is not None)


@contextmanager
def _frames_bounded() -> Iterator[None]:
    """Let what runs in this have `FRAMES_MAX` frames of the stack, however many are taken already.

    The process that reads has one thread: the limit is that of the whole interpreter.
    """
    taken, frame = 0, sys._getframe()
    while frame.f_back is not None:
        taken, frame = taken + 1, frame.f_back
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(taken + FRAMES_MAX)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _has_modest_brackets(lexed: Lexed) -> bool:
    """Whether the brackets are few enough, and those in or right after others very few."""
    count = chained = depth = 0
    before = None
    for token in lexed.tokens:
        if token.is_symbol("["):
            count += 1
            chained += depth > 0 or (before is not None and before.is_symbol("]"))
            depth += 1
        elif token.is_symbol("]"):
            depth -= 1
        before = token
    return count <= BRACKETS_MAX and chained <= CHAINED_MAX


def _without_replace(lexed: Lexed, dialect: Dialect) -> str:
    """The plain text, with INSERT for a REPLACE that begins it: sqlglot does not know that one.

    REPLACE is an INSERT that deletes rows ("REPLACE", SQLite; "REPLACE Statement", MySQL), and is
    made of the same parts. Postgres has none.
    """
    first = lexed.tokens[0] if lexed.tokens else None
    if dialect == "postgres" or first is None or not first.is_word("REPLACE"):
        return lexed.plain
    return "INSERT " + lexed.plain.removeprefix(first.written)  # as long as before


def _names(words: "list[Any]") -> list[str]:
    """The names in quotes, as sqlglot reads them."""
    from sqlglot.tokenizer_core import TokenType

    return [word.text for word in words if word.token_type is TokenType.IDENTIFIER]


def _number_of_token(lexed: Lexed, plain_at: int | None) -> int | None:
    """The number of the token at a position of the plain text."""
    if plain_at is None or not lexed.plain_starts:
        return None
    if plain_at >= len(lexed.plain):
        return len(lexed.tokens)
    return max(0, bisect.bisect_right(lexed.plain_starts, plain_at) - 1)


@functools.cache
def _language(dialect: Dialect) -> tuple[Any, Any]:
    """The language of sqlglot, and its parser with bounds; made once, at the first use."""
    from sqlglot import Dialect as Language
    from sqlglot.errors import ParseError
    from sqlglot.tokenizer_core import TokenType

    language = Language.get_or_raise(dialect)
    parser_class: Any = language.parser_class

    class BoundedParser(parser_class):  # type: ignore[misc]  # the class is known at run time only
        # No `->` declares a function in these dialects: it is an operator of JSON everywhere.
        LAMBDAS = {  # noqa: RUF012  # as in the class above
            key: read for key, read in parser_class.LAMBDAS.items() if key is not TokenType.ARROW
        }
        steps_left = 0
        failed_at: int | None = None  # the position of what was not understood, in the plain text

        def _advance(self, times: int = 1) -> None:
            self.steps_left -= 1
            if self.steps_left < 0:
                raise _TooManySteps
            super()._advance(times)

        def _parse_term(self, parse_mod: bool = True) -> Any:
            return super()._parse_term()  # `%` is no percent sign of LIMIT in these dialects

        def raise_error(self, message: str, *token: Any) -> None:
            at = (*token, self._curr)[0]
            self.failed_at = at.start if at else len(self.sql)
            super().raise_error(message, *token)

        def _warn_unsupported(self) -> None:
            # It would log the text and take the rest unparsed.
            raise ParseError("This is not understood.")

    return language, BoundedParser

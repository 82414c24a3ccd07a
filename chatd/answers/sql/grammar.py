"""What a statement is made of, by the grammar of its dialect (sqlglot).

sqlglot takes a tenth of a second to import, so that it is imported with the first text that is
parsed. It is asked about the plain text of `lexer` only: no literal reaches it, so that none can
confuse it, nor stand in a line that it logs. Nested arrays, types and joins let it try again and
again, each level twice as often (20 nested arrays take half a minute), so that its steps are
counted and bounded here. The depth of its recursion is bounded by Python, from here on: how deep a
text may be nested does not depend on who asks.
"""

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from chatd.answers.sql.lexer import Dialect, Lexed

if TYPE_CHECKING:
    from sqlglot import Expr

STEPS_PER_TOKEN = 40  # steps of the parser for a token; honest statements take 1 to 3
BRACKETS_MAX = 100  # opening brackets of a text: what sqlglot makes of a row of them is quadratic
FRAMES_MAX = 1_500  # of the stack, for the parser: enough for what `guard.DEPTH_MAX` lets through
STEPS_MIN = 2_000  # and these beside, so that a short statement may nest a little


@attrs.frozen
class NotParsed:
    """It is not of the dialect as far as the grammar goes; `is_bounded`: that was not found out."""

    is_bounded: bool = False


class _TooManySteps(Exception):
    """No `ParseError`: the parser would catch that and try something else."""


def parse(lexed: Lexed, dialect: Dialect) -> "tuple[Expr, ...] | NotParsed":
    """The statements of the plain text of `lexed`; an empty one between two semicolons is left out.

    Never raises, whatever it is given.
    """
    from sqlglot.errors import SqlglotError

    if sum(token.is_symbol("[") for token in lexed.tokens) > BRACKETS_MAX:
        return NotParsed(is_bounded=True)
    plain = _without_replace(lexed, dialect)
    language, parser_class = _language(dialect)
    parser = parser_class(dialect=language)
    parser.steps_left = STEPS_MIN + STEPS_PER_TOKEN * len(lexed.tokens)
    try:
        with _frames_bounded():
            statements = parser.parse(language.tokenize(plain), plain)
    except (_TooManySteps, RecursionError):
        return NotParsed(is_bounded=True)
    except SqlglotError:
        return NotParsed()
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


def _without_replace(lexed: Lexed, dialect: Dialect) -> str:
    """The plain text, with INSERT for a REPLACE that begins it: sqlglot does not know that one.

    REPLACE is an INSERT that deletes rows ("REPLACE", SQLite; "REPLACE Statement", MySQL), and is
    made of the same parts. Postgres has none.
    """
    first = lexed.tokens[0] if lexed.tokens else None
    if dialect == "postgres" or first is None or not first.is_word("REPLACE"):
        return lexed.plain
    return "INSERT" + lexed.plain.removeprefix(first.written)


@functools.cache
def _language(dialect: Dialect) -> tuple[Any, Any]:
    """The language of sqlglot, and its parser with bounds; made once, at the first use."""
    from sqlglot import Dialect as Language
    from sqlglot.errors import ParseError

    language = Language.get_or_raise(dialect)
    parser_class: Any = language.parser_class

    class BoundedParser(parser_class):  # type: ignore[misc]  # the class is known at run time only
        steps_left = 0

        def _advance(self, times: int = 1) -> None:
            self.steps_left -= 1
            if self.steps_left < 0:
                raise _TooManySteps
            super()._advance(times)

        def _warn_unsupported(self) -> None:
            # It would log the text and take the rest unparsed.
            raise ParseError("This is not understood.")

    return language, BoundedParser

"""How much a statement may have the server make and search: a part of rule 4 of `guard`.

Some functions work in C without a look at whether they are to stop: the time of `translate` and of
the `trim` family grows with the text times the characters to look for, that of `strpos` or ILIKE
at worst with the text times what is searched for. Neither a timeout nor an end of the session
stops them, so that the long texts that they would need are not made here:

- a size is written as a number, and is small; so is the product of the sizes of a statement, as a
  subquery can hand a long text to the next `repeat`;
- a statement that makes a text of more than `SIZE_BESIDE_MAX` characters collects none (`array_agg`
  keeps all of them in memory), searches for none, and does not repeat itself (RECURSIVE);
- the characters that `trim` and `translate` look for are written as a short string.

What grows with the rows, or with what is stored, is not bounded by this: see `running_on` of
`answers.mcp`.
"""

import re
from collections.abc import Iterator, Mapping
from math import prod

from chatd.answers.sql.functions import (
    BESIDE_NO_SIZE,
    CHARACTERS_MAX,
    FORMATS,
    SETS,
    SIZE_BESIDE_MAX,
    SIZE_MAX,
    SIZES,
)
from chatd.answers.sql.lexer import Dialect, Token, TokenKind
from chatd.answers.sql.verdicts import Refused

# What a short string may be made of, beside strings: 'a' || chr(10), and casts.
_OF_CHARACTERS = ("CHR", "TEXT", "VARCHAR", "BYTEA", "NULL", "CAST", "AS")
_SIDES = ("BOTH", "LEADING", "TRAILING")
# A size in a format that comes with the arguments, or has more than four digits.
_SIZE_IN_FORMAT = re.compile(r"%[^%A-Za-z]*(?:\*|[0-9]{5})")


def check_sizes(name: Token, inside: tuple[Token, ...], dialect: Dialect) -> None:
    """What a call, with these tokens in its parentheses, takes as a size or as characters is
    small."""
    position = SIZES[dialect].get(name.text)
    if position is not None and _number(argument(inside, position)) is None:
        raise Refused(
            f"The size in {name.written}() has to be written as a number of {SIZE_MAX} at most."
        )
    # Of the points of a circle; operators of two polygons look at each pair.
    is_of_points = dialect == "postgres" and name.is_word("POLYGON") and argument(inside, 1)
    if is_of_points and (_number(argument(inside, 0)) or SIZE_MAX) > SIZE_BESIDE_MAX:
        raise Refused(
            "The number of points in polygon() has to be written as a number of "
            f"{SIZE_BESIDE_MAX} at most."
        )
    if name.text in FORMATS[dialect] and not _is_modest_format(argument(inside, 0)):
        raise Refused(
            f"The format in {name.written}() has to be written as a string, with no * and no \\, "
            "and with sizes of four digits at most."
        )
    if name.text in SETS[dialect]:
        for characters in _characters(name, inside):
            if not _is_short_string(characters):
                raise Refused(
                    f"The characters that {name.written}() looks for have to be written as a "
                    f"string of {CHARACTERS_MAX} at most; replace() takes a column."
                )


def check_growth(tokens: tuple[Token, ...], closing: Mapping[int, int], dialect: Dialect) -> None:
    """What the sizes of a statement come to is small, and smaller beside what would multiply it."""
    if dialect == "sqlite":
        return  # its values are small, and its functions are bounded where they run
    made, times = [1], []
    for index, token in _calls(tokens):
        position = SIZES[dialect].get(token.text)
        if position is None:
            continue
        inside = tokens[index + 2 : closing.get(index + 1)]
        size = _number(argument(inside, position)) or 0
        if not token.is_word("REPEAT"):
            made.append(size)
        elif (length := _length(argument(inside, 0))) is not None:
            made.append(size * length)
        else:
            times.append(max(1, size))
    total = max(made) * prod(times)
    if total > SIZE_MAX:
        raise Refused(
            f"The sizes in the statement come to more than {SIZE_MAX} characters together; write "
            "smaller ones, and repeat() with a string."
        )
    if total > SIZE_BESIDE_MAX and (beside := _beside(tokens, dialect)) is not None:
        raise Refused(
            f"Sizes that come to more than {SIZE_BESIDE_MAX} characters may not stand in one "
            f"statement with {beside}; write smaller ones."
        )


def argument(inside: tuple[Token, ...], position: int) -> list[Token]:
    """The tokens of an argument, of all that stand in the parentheses of a call."""
    depth, found = 0, []
    for token in inside:
        depth += token.is_symbol("(") + token.is_symbol("[")
        depth -= token.is_symbol(")") + token.is_symbol("]")
        if depth == 0 and token.is_symbol(","):
            position -= 1
        elif position == 0:
            found.append(token)
    return found


def _calls(tokens: tuple[Token, ...]) -> Iterator[tuple[int, Token]]:
    """The words before a parenthesis, each with its position."""
    for index, token in enumerate(tokens[:-1]):
        if token.kind is TokenKind.WORD and tokens[index + 1].is_symbol("("):
            yield index, token


def _beside(tokens: tuple[Token, ...], dialect: Dialect) -> str | None:
    """What may not stand beside a size, as it is written; None if nothing of that stands there."""
    functions, others = BESIDE_NO_SIZE[dialect]
    for token, after in zip(tokens, (*tokens[1:], None), strict=True):
        if token.kind is TokenKind.WORD:
            is_called = after is not None and after.is_symbol("(")
            if token.text in others or (is_called and token.text in functions):
                return token.written
        elif token.is_symbol("~") and dialect == "postgres":
            return "~"
    return None


def _number(tokens: list[Token]) -> int | None:
    """The size that is written there; None if it is no number, or too large."""
    match tokens:
        case [Token(kind=TokenKind.NUMBER, text=text)] if (
            text.isdigit() and len(text) <= len(str(SIZE_MAX)) and int(text) <= SIZE_MAX
        ):
            return int(text)
    return None


def _length(tokens: list[Token]) -> int | None:
    """How many characters a string has at most; None if it is not one that is written out."""
    if any(token.kind is not TokenKind.LITERAL for token in tokens):
        return None
    return sum(len(token.text) for token in tokens)


def _characters(name: Token, inside: tuple[Token, ...]) -> Iterator[list[Token]]:
    """The arguments of a function of `SETS` that are characters to look for.

    `trim` has them before FROM, as in `trim(both 'x' from name)`, or after the first argument.
    """
    if name.is_word("TRIM"):
        before, after = _around_from(inside)
        if before:
            yield before
        inside = after
    found = argument(inside, 1)
    if found:
        yield found


def _around_from(inside: tuple[Token, ...]) -> tuple[list[Token], tuple[Token, ...]]:
    """What stands before FROM in `trim`, without the side, and what stands after it."""
    if inside and inside[0].is_word(*_SIDES):
        inside = inside[1:]
    depth = 0
    for index, token in enumerate(inside):
        depth += token.is_symbol("(") - token.is_symbol(")")
        if depth == 0 and token.is_word("FROM"):
            return list(inside[:index]), inside[index + 1 :]
    return [], inside


def _is_short_string(tokens: list[Token]) -> bool:
    """Whether it is a string of few characters that is written out, perhaps in pieces."""
    length = 0
    for token in tokens:
        if token.kind is TokenKind.LITERAL:
            length += len(token.text)
        elif token.kind is TokenKind.NUMBER:
            length += 1
        elif not (token.is_word(*_OF_CHARACTERS) or token.text in ("|", ":", "(", ")")):
            return False
    return length <= CHARACTERS_MAX


def _is_modest_format(tokens: list[Token]) -> bool:
    """Whether it is one string that says what it is: without escapes, and not in bytes."""
    match tokens:
        case [Token(kind=TokenKind.LITERAL, text=text, written=written)]:
            is_plain = written.startswith(("'", "$")) and "\\" not in text
            return is_plain and _SIZE_IN_FORMAT.search(text) is None
    return False

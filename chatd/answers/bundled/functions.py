"""Functions of SQLite whose time grows with the product of two lengths, in linear time.

Nothing can stop SQLite within one call of a function: two texts of some megabytes kept `instr` busy
for minutes. Python searches text in linear time. The results are SQLite's own, but for text that is
not UTF-8: a statement that hands such text to one of these fails.
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import TypeAlias

VALUE_BYTES_MAX = 4_194_304
"""Of one text or blob, read or made; beyond it SQLite refuses. Also what bounds these functions."""

TRIMMED_CHARS_MAX = 100
"""How many characters `trim` may be given to take off."""

Value: TypeAlias = str | bytes | int | float | None


def bound_functions(connection: sqlite3.Connection) -> None:
    """Put these in the place of SQLite's own, for statements on `connection`."""
    functions: Mapping[tuple[str, int], Callable[..., Value]] = {
        ("instr", 2): instr,
        ("replace", 3): replace,
        ("trim", 2): trim,
        ("ltrim", 2): ltrim,
        ("rtrim", 2): rtrim,
    }
    for (name, arguments), function in functions.items():
        connection.create_function(name, arguments, function, deterministic=True)


def instr(where: Value, what: Value) -> Value:
    """The place of the first `what`, from 1; 0 where there is none."""
    if where is None or what is None:
        return None
    if isinstance(where, bytes) and isinstance(what, bytes):
        return where.find(what) + 1
    return as_text(where).find(as_text(what)) + 1


def replace(where: Value, what: Value, by: Value) -> Value:
    """`where` with every `what` replaced. Raises `ValueError` where that would be too long."""
    if where is None or what is None:
        return None
    old = as_text(what)
    if not old or old[0] == "\0":  # nothing to look for; SQLite looks no further
        return as_text(where) if isinstance(where, bytes) else where
    if by is None:
        return None
    text, new = as_text(where), as_text(by)
    growth = max(len(new.encode()) - len(old.encode()), 0)
    if len(text.encode()) + text.count(old) * growth > VALUE_BYTES_MAX:
        raise ValueError("the result is too long")
    return text.replace(old, new)


def trim(where: Value, what: Value) -> Value:
    """`where` without characters of `what` at both ends."""
    return _stripped(where, what, str.strip)


def ltrim(where: Value, what: Value) -> Value:
    """`where` without characters of `what` at its beginning."""
    return _stripped(where, what, str.lstrip)


def rtrim(where: Value, what: Value) -> Value:
    """`where` without characters of `what` at its end."""
    return _stripped(where, what, str.rstrip)


def _stripped(where: Value, what: Value, strip: Callable[[str, str], str]) -> Value:
    if where is None or what is None:
        return None
    characters = as_text(what).partition("\0")[0]  # SQLite takes them up to there
    if len(characters) > TRIMMED_CHARS_MAX:
        raise ValueError("too many characters to take off")
    return strip(as_text(where), characters)


def as_text(value: str | bytes | int | float) -> str:
    """A value as the text that SQLite makes of it."""
    match value:
        case str():
            return value
        case bytes():
            return value.decode()
        case int():
            return str(value)
        case float():
            return _float_as_text(value)


def _float_as_text(value: float) -> str:
    if value in (float("inf"), float("-inf")):
        return "Inf" if value > 0 else "-Inf"
    digits, exponent, power = format(value or 0.0, ".15g").partition("e")  # never -0.0
    return digits + ("" if "." in digits else ".0") + exponent + power

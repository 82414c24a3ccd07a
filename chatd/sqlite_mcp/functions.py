"""Functions of SQLite that take unbounded time, in bounded time.

Nothing can stop SQLite within one call of a function. Two texts of some megabytes kept `instr` busy
for minutes: its time grows with the product of their lengths, while Python searches in linear time.
`printf` counted to a width of 2,000,000,000 for seconds, long after its result was too long: here
the widths are checked first, and then SQLite formats on a second connection.

The results are SQLite's own, except for text that is not UTF-8: a statement that hands such text to
one of these functions fails.
"""

import re
import sqlite3
from binascii import unhexlify
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

VALUE_BYTES_MAX = 4_194_304
"""The largest text or blob, read or made; SQLite refuses a longer one. It bounds these functions
too."""

_WIDTH_DIGITS_MAX = 10
TRIMMED_CHARS_MAX = 100
"""How many characters `trim` may be given to take off, and `unhex` to leave out."""
_UNHEX_SINCE = (3, 41)

Value: TypeAlias = str | bytes | int | float | None

_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_HEX_PAIR = re.compile(r"[0-9a-fA-F]{2}")
# A directive with its width and precision, each a number or *, which takes an argument.
_DIRECTIVE = re.compile(r"%[-+ #0!,]*(\d+|\*)?(?:\.(\d+|\*)?)?")


def bound_functions(connection: sqlite3.Connection, aside: sqlite3.Connection) -> None:
    """Replace SQLite's own functions by these, for statements on `connection`.

    `aside` is a connection without a file, on which `printf` is SQLite's own.
    """
    functions: dict[tuple[str, int], Callable[..., Value]] = {
        ("printf", -1): partial(formatted, aside),
        ("format", -1): partial(formatted, aside),
        ("instr", 2): instr,
        ("replace", 3): replace,
        ("trim", 2): partial(stripped, str.strip),
        ("ltrim", 2): partial(stripped, str.lstrip),
        ("rtrim", 2): partial(stripped, str.rstrip),
    }
    if sqlite3.sqlite_version_info >= _UNHEX_SINCE:
        functions["unhex", 2] = unhexed
    for (name, arguments), function in functions.items():
        connection.create_function(name, arguments, function, deterministic=True)


def formatted(aside: sqlite3.Connection, *values: Value) -> Value:
    """What `printf` gives. Raises `ValueError` if widths and precisions are too large."""
    if values and values[0] is not None:
        _check_widths(aside, as_text(values[0]), values[1:])
    places = ", ".join("?" * len(values))
    (text,) = aside.execute(f"SELECT printf({places})", values).fetchone()
    return text  # type: ignore[no-any-return]  # a text or NULL


def _check_widths(aside: sqlite3.Connection, form: str, values: tuple[Value, ...]) -> None:
    if "%" not in form:
        return
    total, from_values = 0, 0
    for directive in _DIRECTIVE.finditer(form):
        for width in directive.groups():
            if width == "*":
                from_values += 1
            elif width is not None:
                # Longer numbers are too large, however many of their digits are zeros.
                total += int(width) if len(width) < _WIDTH_DIGITS_MAX else VALUE_BYTES_MAX + 1
    if from_values:
        # Whichever values the directives take, none may be too large.
        largest = 0
        for value in values:
            (number,) = aside.execute("SELECT CAST(? AS INTEGER)", (value,)).fetchone()
            largest = max(largest, abs(number or 0))
        total += largest * min(from_values, len(values))
    if total > VALUE_BYTES_MAX:
        raise ValueError("the widths are too large")


def instr(where: Value, what: Value) -> Value:
    """The place of the first `what`, from 1; 0 if there is none."""
    if where is None or what is None:
        return None
    if isinstance(where, bytes) and isinstance(what, bytes):
        return where.find(what) + 1
    return as_text(where).find(as_text(what)) + 1


def replace(where: Value, what: Value, by: Value) -> Value:
    """`where` with every `what` replaced. Raises `ValueError` if that would be too long."""
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


def stripped(strip: Callable[[str, str], str], where: Value, what: Value) -> Value:
    """`where` without the characters of `what` at its ends; `strip` decides which ends."""
    if where is None or what is None:
        return None
    characters = as_text(what).partition("\0")[0]  # SQLite takes them up to there
    if len(characters) > TRIMMED_CHARS_MAX:
        raise ValueError("too many characters to take off")
    return strip(as_text(where), characters)


def unhexed(where: Value, what: Value) -> Value:
    """The bytes whose hexadecimal digits `where` is; between two pairs of digits it may have
    characters of `what`. None if it has anything else."""
    if where is None or what is None:
        return None
    left_out = as_text(what)
    if len(left_out) > TRIMMED_CHARS_MAX:
        raise ValueError("too many characters to leave out")
    text = as_text(where).partition("\0")[0]  # SQLite reads up to there
    between = set(_HEX_PAIR.sub("", text))
    if between - (set(left_out) - _HEX_DIGITS):
        return None
    return unhexlify("".join(_HEX_PAIR.findall(text)))


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

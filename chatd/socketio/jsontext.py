"""JSON as Socket.IO peers write and read it: strict, bounded, and equal to Node's where it matters.

Owns the ways from text to value and from value to bytes, and the limits on nesting. Must not know
packets or placeholders. Source: RFC 8259.

orjson does the work. Where it and Node differ, measured with orjson 3.13:

=========================  =======================  ==========================================
input                      orjson alone             here
=========================  =======================  ==========================================
``"\\ud83d"`` (lone        refused, both ways       the stdlib reads it, and writes it escaped
surrogate, escaped)
254 to 1024 levels deep    read, but not written    read up to `MAX_NESTING`, written
``1e400``, 400 digits      refused                  refused (Node reads Infinity)
integers beyond 64 bits    read as float            the same, on both paths (Node: float)
NaN, Infinity as values    written as ``null``      the same, on both paths
NaN, Infinity as text      refused                  refused
=========================  =======================  ==========================================

What `loads` accepted, `dumps` can write.
"""

from __future__ import annotations

import json
import math
import re
from array import array
from collections.abc import Callable
from itertools import accumulate
from typing import Any, Final, NoReturn

import orjson

from .packet import ProtocolError

MAX_NESTING: Final = 512
"""Levels of arrays and objects in one text. Node echoes 500 levels and dies of 5,000;
the stdlib writes about 900 before CPython's recursion limit. Beyond it: `ProtocolError`."""

MAX_BRACKETS: Final = 50_000
"""Opening brackets in one text, including those in strings. An array costs a hundred times as much
as a character of a string: a payload of nothing but arrays would stop all clients for a tenth of a
second. Beyond it: `ProtocolError`, unread."""

MAX_STRICT_CHARS: Final = 200_000
"""Characters of a text with a lone surrogate, which the stdlib reads ten times slower; twice what
the longest message takes if all of it is escaped. Beyond it: `ProtocolError`."""

_MIN_CHARS_TOO_DEEP: Final = 2 * (MAX_NESTING + 1)
_MAX_INT: Final = 2**64 - 1
_MIN_INT: Final = -(2**63)
_MAX_INT_CHARS: Final = 20

_STRING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_STRING_OR_NOT_FINITE: Final = re.compile(_STRING.pattern + "|NaN|-?Infinity")

_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[{]}"))
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""Opening brackets to 1, closing ones to -1 as signed bytes: their running sum is the depth."""


def loads(text: str) -> Any:
    """The value that `text` stands for. Raises `ProtocolError`, and nothing else.

    >>> loads("123456789012345678901234567890")
    1.2345678901234568e+29
    """
    if len(text) > MAX_BRACKETS and text.count("[") + text.count("{") > MAX_BRACKETS:
        raise ProtocolError("The payload has too many arrays and objects.")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # Only an unpaired surrogate deserves a second look; everything else that orjson refuses is
        # wrong.
        is_strange = "\\ud" in text or "\\uD" in text
        if not is_strange or len(text) > MAX_STRICT_CHARS:
            raise ProtocolError("The payload is not JSON.") from error
        value = _read_strictly(text)
    # Each level takes two characters: a short text needs no look.
    if len(text) >= _MIN_CHARS_TOO_DEEP and _is_too_deep(text):
        raise ProtocolError("The payload is nested too deeply.")
    return value


def dumps(value: Any) -> bytes:
    """`value` as compact JSON in UTF-8; NaN and Infinity become null.

    Takes what `loads` returns, tuples, and integers of any size. Raises TypeError for anything that
    JSON has no form for, ValueError for anything endless or absurdly deep.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return dumps_strictly(value)


dumps_plain = orjson.dumps
"""Like `dumps`, but only orjson, for values that are JSON throughout; TypeError if one is not."""


def dumps_strictly(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """Like `dumps`, but by the stdlib, ten times slower: for lone surrogates, deep nesting, large
    integers. `default` gives a replacement for a value that JSON has no form for."""
    try:
        try:
            text = _stdlib_text(value, default, allow_nan=False)
        except ValueError:
            # It may be a number that is not finite; anything else raises again.
            text = _stdlib_text(value, default, allow_nan=True)
            text = _STRING_OR_NOT_FINITE.sub(_null_unless_string, text)
    except RecursionError as error:
        raise ValueError("The value is nested too deeply for JSON.") from error
    # In a Python string only a surrogate cannot be encoded, and what this handler puts in its
    # place, \udXXX, is exactly the escape that JSON wants.
    return text.encode("utf-8", "backslashreplace")


def _stdlib_text(value: Any, default: Callable[[Any], Any] | None, *, allow_nan: bool) -> str:
    return json.dumps(
        value,
        ensure_ascii=False,
        allow_nan=allow_nan,
        separators=(",", ":"),
        default=default,
    )


def _null_unless_string(found: re.Match[str]) -> str:
    text = found[0]
    return text if text[0] == '"' else "null"


def _read_strictly(text: str) -> Any:
    try:
        return json.loads(
            text, parse_int=_parse_int, parse_float=_parse_float, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise ProtocolError("The payload is not JSON.") from error


def _parse_int(digits: str) -> int | float:
    # The length is checked first: int() is slow for thousands of digits, and CPython refuses more.
    if len(digits) <= _MAX_INT_CHARS:
        number = int(digits)
        if _MIN_INT <= number <= _MAX_INT:
            return number
    return _parse_float(digits)


def _parse_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("The number is too large.")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")


def _is_too_deep(json_text: str) -> bool:
    """Whether JSON has more than `MAX_NESTING` levels. A million brackets take 0.05 s as bytes, and
    0.3 s as values."""
    if not _opens_more_than(MAX_NESTING, json_text):
        return False
    brackets = _STRING.sub("", json_text).encode().translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(array("b", brackets))) > MAX_NESTING


def _opens_more_than(limit: int, json_text: str) -> bool:
    # find() hops at the speed of memchr; count() takes 5 us for the 10,000 characters of a long
    # message, which has two brackets. Those inside strings only cost the second look.
    seen = 0
    for bracket in "[{":
        at = json_text.find(bracket)
        while at >= 0:
            seen += 1
            if seen > limit:
                return True
            at = json_text.find(bracket, at + 1)
    return False

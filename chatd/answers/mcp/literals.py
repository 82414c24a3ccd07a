"""Python's own notation for values, as some db-mcps print their rows; pure.

`ast.literal_eval` will not do: it holds the interpreter's lock while it parses, runs out of stack
if a text is nested deeply, and does not know `Decimal('1.50')`. This reader takes literals and
calls, which is what database drivers print; a call is never carried out.
"""

import ast
import re
from collections.abc import Iterator
from typing import Final

DEPTH_MAX: Final = 16
"""The deepest nesting; rows of a table have three levels, and values that are lists a few more."""

_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<text>[bB]?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))
    | (?P<number>[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|inf\b|nan\b))
    | (?P<name>[A-Za-z_][A-Za-z_0-9.]*)
    | (?P<mark>[\[\](){},:=])
    | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_WORDS: Final = {"None": None, "True": True, "False": False}
_UTC: Final = "datetime.timezone.utc"
_CLOSING: Final = {"[": "]", "(": ")"}


class BadLiteral(ValueError):
    """The text is not a value in Python's notation, or is nested too deeply."""


class _Reader:
    """Reads one text from its beginning; `kind` and `text` are the token that comes next."""

    def __init__(self, text: str) -> None:
        self._source = text
        self._at = 0
        self.start = 0
        self.kind = ""
        self.text = ""
        self.advance()

    def advance(self) -> None:
        match = _TOKEN.match(self._source, self._at)
        if match is None or match.lastgroup is None:
            raise BadLiteral(f"no token at {self._at}")
        self._at = match.end()
        self.kind = match.lastgroup
        self.start = match.start(self.kind)
        self.text = match.group(self.kind)

    def take(self, mark: str) -> bool:
        """Whether the mark comes next; if so, it is skipped."""
        if self.kind != "mark" or self.text != mark:
            return False
        self.advance()
        return True

    def since(self, start: int) -> str:
        """What was read from `start` on, up to the token that comes next."""
        return self._source[start : self.start].rstrip()

    def is_named(self) -> bool:
        """Whether an equals sign follows the token that comes next."""
        return self._source.startswith("=", self._at)

    def demand(self, mark: str) -> None:
        if not self.take(mark):
            raise BadLiteral(f"{mark} is missing at {self._at}")


def parse(text: str) -> object:
    """The value of a text: lists, dicts, texts, bytes, numbers, None, True and False.

    Tuples and sets are lists. `Decimal('1.50')`, `UUID('...')` and the like are the text within;
    `datetime.datetime(2020, 1, 2, 3, 4)` and its kin are text in ISO 8601; any other call is itself
    as text. Raises `BadLiteral`, and nothing else.
    """
    reader = _Reader(text)
    value = _value(reader, DEPTH_MAX)
    if reader.kind != "end":
        raise BadLiteral("more than one value")
    return value


def _value(reader: _Reader, depth: int) -> object:
    if depth == 0:
        raise BadLiteral("nested too deeply")
    kind, text, start = reader.kind, reader.text, reader.start
    reader.advance()
    match kind:
        case "text":
            return _text(text)
        case "number":
            return _number(text)
        case "name" if text in _WORDS:
            return _WORDS[text]
        case "name" if text == _UTC:
            return "+00:00"
        case "name":
            reader.demand("(")
            members, named = _arguments(reader, depth - 1)
            value = _called(text.rpartition(".")[2], members, named)
            return reader.since(start) if value is None else value
        case "mark" if text == "{":
            return _braced(reader, depth - 1)
        case "mark" if text in _CLOSING:
            return [_value(reader, depth - 1) for _ in _each(reader, _CLOSING[text])]
    raise BadLiteral(f"{text!r} is no value")


def _text(text: str) -> str | bytes:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError):
        raise BadLiteral("not a text") from None
    if not isinstance(value, str | bytes):
        raise BadLiteral("not a text")
    return value


def _number(text: str) -> int | float | str:
    try:
        return int(text) if text.lstrip("+-").isdecimal() else float(text)
    except ValueError:  # more digits than Python converts: it stays the text that it is
        return text


def _each(reader: _Reader, closing: str) -> Iterator[None]:
    """Once for each member up to `closing`; the caller reads it."""
    while not reader.take(closing):
        yield
        if not reader.take(","):
            reader.demand(closing)
            break


def _arguments(reader: _Reader, depth: int) -> tuple[list[object], dict[str, object]]:
    """What a call is given: in order, and by name."""
    members: list[object] = []
    named: dict[str, object] = {}
    for _ in _each(reader, ")"):
        name = reader.text
        if reader.kind == "name" and reader.is_named():
            reader.advance()
            reader.demand("=")
            named[name] = _value(reader, depth)
        else:
            members.append(_value(reader, depth))
    return members, named


def _braced(reader: _Reader, depth: int) -> object:
    """A dict, or a set."""
    entries: dict[str, object] = {}
    members: list[object] = []
    for _ in _each(reader, "}"):
        key = _value(reader, depth)
        if reader.take(":"):
            entries[str(key)] = _value(reader, depth)
        else:
            members.append(key)
    if entries and members:
        raise BadLiteral("neither a dict nor a set")
    return members or entries


def _called(name: str, members: list[object], named: dict[str, object]) -> object | None:
    """The value that a call makes; None if the call is not a known one."""
    zone = named.pop("tzinfo", "")
    if named or not isinstance(zone, str) or zone not in ("", "+00:00"):
        return None
    numbers = [member for member in members if type(member) is int]
    whole = len(numbers) == len(members)
    match name, members:
        case (("Decimal" | "UUID"), [str() as text]):
            return text
        case (("bytearray" | "memoryview"), [bytes() as value]):
            return value
        case "date", _ if whole and len(numbers) == 3 and not zone:
            return _date(numbers)
        case "time", _ if whole and 2 <= len(numbers) <= 4:
            return _time(numbers) + zone
        case "datetime", _ if whole and 5 <= len(numbers) <= 7:
            return f"{_date(numbers)}T{_time(numbers[3:])}{zone}"
    return None


def _date(numbers: list[int]) -> str:
    return f"{numbers[0]:04d}-{numbers[1]:02d}-{numbers[2]:02d}"


def _time(numbers: list[int]) -> str:
    hour, minute, second, micro = (*numbers, 0, 0)[:4]
    text = f"{hour:02d}:{minute:02d}:{second:02d}"
    return f"{text}.{micro:06d}" if micro else text

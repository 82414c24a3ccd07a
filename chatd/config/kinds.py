"""The kinds of values that a key takes: what each accepts, from TOML and from text.

A kind is strict: nothing is coerced between types, so that a port in quotes is a mistake that is
told and not a guess that works for now. `take` judges a value as TOML gives it (a list may be a
tuple); `read` turns the text of an environment variable into such a value. Both raise `Unfit`.
The kinds know no key, no file and no section.
"""

import ipaddress
import re
import tomllib
from typing import Protocol

import attrs

from chatd.config.errors import Unfit, described, kind_of, quoted

MOST_SECONDS = 1_000_000
"""Longest span: interval and timeout of the heartbeat together stay below 2^31 ms, beyond which
the timers of JavaScript clients fire at once (Engine.IO 4, handshake)."""
LEAST_SECONDS = 0.001
"""Shortest span: the wire carries whole milliseconds."""
MOST_WHOLE = 2**31 - 1
"""Largest count or size: what the C interfaces of sockets and SQLite take."""
MOST_PORT = 65535
MOST_RATE = 10**15
"""A limit above this is held as this: nobody reaches it, and arithmetic on it stays exact."""
LEAST_RATE = 1e-6
"""A limit below this is held as this (one in two years), so that waits stay finite."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@,]+")
_HOST_AND_PORT = re.compile(r"(?:[^\s/:\[\]]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")


class Kind(Protocol):
    """What a key needs to know about its values."""

    @property
    def wants(self) -> str:
        """What is accepted, as the end of "must be ..."."""

    def take(self, value: object) -> object:
        """The value as the configuration holds it; raises `Unfit`."""

    def read(self, text: str) -> object:
        """The value that a text stands for, still to be taken; raises `Unfit`."""


def _toml_value(text: str, wants: str) -> object:
    """One TOML value; a text that smuggles in a second line or key is none."""
    try:
        document = tomllib.loads(f"value = {text.strip()}")
    except (ValueError, RecursionError):
        raise Unfit(f"must be {wants}, not {described(text)}") from None
    if len(document) != 1:
        raise Unfit(f"must be {wants}, not {described(text)}")
    return document["value"]


def _number(value: object) -> float | None:
    """The value where it is a number: true is none, and neither is nan."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return value


@attrs.frozen
class Text:
    """A string without control characters; a stray line break is a mistake in every key."""

    wants: str = "a text without control characters"
    empty: bool = True
    secret: bool = False

    def take(self, value: object) -> str:
        if isinstance(value, str) and not _CONTROL.search(value) and (value or self.empty):
            return value
        shown = kind_of(value) if self.secret else described(value)
        raise Unfit(f"must be {self.wants}, not {shown}")

    def read(self, text: str) -> object:
        return text


@attrs.frozen
class Place:
    """Where to listen: the absolute path of a socket, HOST:PORT, or empty for the usual place."""

    wants: str = 'the absolute path of a socket, or "127.0.0.1:PORT"'

    def take(self, value: object) -> str:
        if isinstance(value, str) and not _CONTROL.search(value):
            if not value or value.startswith("/"):
                return value
            found = _HOST_AND_PORT.fullmatch(value)
            if found and int(found[1]) <= MOST_PORT:
                return value
        raise Unfit(f"must be {self.wants}, not {described(value)}")

    def read(self, text: str) -> object:
        return text


@attrs.frozen
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def wants(self) -> str:
        return "one of " + ", ".join(f'"{word}"' for word in self.words)

    def take(self, value: object) -> str:
        if isinstance(value, str) and value in self.words:
            return value
        raise Unfit(f"must be {self.wants}, not {described(value)}")

    def read(self, text: str) -> object:
        return text


@attrs.frozen
class Flag:
    """true or false; in the environment also yes/no, on/off and 1/0."""

    wants: str = "true or false"

    def take(self, value: object) -> bool:
        if isinstance(value, bool):
            return value
        raise Unfit(f"must be {self.wants}, not {described(value)}")

    def read(self, text: str) -> object:
        word = text.strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise Unfit(f"must be {self.wants}, not {described(text)}")


@attrs.frozen
class Whole:
    """A whole number within bounds, both included."""

    least: int = 1
    most: int = MOST_WHOLE

    @property
    def wants(self) -> str:
        return f"a whole number from {self.least} to {self.most}"

    def take(self, value: object) -> int:
        if type(value) is int and self.least <= value <= self.most:
            return value
        raise Unfit(f"must be {self.wants}, not {described(value)}")

    def read(self, text: str) -> object:
        return _toml_value(text, self.wants)


@attrs.frozen
class Seconds:
    """A span of time in seconds."""

    least: float = LEAST_SECONDS

    @property
    def wants(self) -> str:
        return f"a number of seconds from {self.least:g} to {MOST_SECONDS}"

    def take(self, value: object) -> float:
        number = _number(value)
        if number is not None and self.least <= number <= MOST_SECONDS:
            return float(number)
        raise Unfit(f"must be {self.wants}, not {described(value)}")

    def read(self, text: str) -> object:
        return _toml_value(text, self.wants)


@attrs.frozen
class Rate:
    """A limit: any positive number, however large (SPEC 8); `inf` reads as "no limit"."""

    wants: str = "a number above 0"

    def take(self, value: object) -> float:
        number = _number(value)
        if number is not None and number > 0:
            return max(LEAST_RATE, min(MOST_RATE, number))
        raise Unfit(f"must be {self.wants}, not {described(value)}")

    def read(self, text: str) -> object:
        return _toml_value(text, self.wants)


@attrs.frozen
class _Texts:
    """A list of strings, each brought to one form by `item`."""

    wants: str

    def item(self, text: str) -> str | None:
        raise NotImplementedError

    def take(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise Unfit(f"must be {self.wants}, not {described(value)}")
        taken: list[str] = []
        for index, entry in enumerate(value):
            text = self.item(entry) if isinstance(entry, str) else None
            if text is None:
                raise Unfit(f"must be {self.wants}, not {described(entry)}", at=f"[{index}]")
            taken.append(text)
        return tuple(taken)

    def read(self, text: str) -> object:
        if text.lstrip().startswith("["):
            return _toml_value(text, self.wants)
        return [part.strip() for part in text.split(",") if part.strip()]


@attrs.frozen
class Origins(_Texts):
    """Origins as a browser sends them: scheme, host and port in lower case, no path."""

    wants: str = 'an origin without a path, as in ["https://chat.example.com"]'

    def item(self, text: str) -> str | None:
        origin = text.lower()
        return origin if origin == "null" or _ORIGIN.fullmatch(origin) else None


@attrs.frozen
class Networks(_Texts):
    """Addresses and networks in CIDR notation."""

    wants: str = 'a network or address, as in ["10.0.0.0/8", "::1"]'

    def item(self, text: str) -> str | None:
        try:
            return str(ipaddress.ip_network(text))
        except ValueError:
            return None


def unknown_name(name: str) -> str:
    """An unknown name as an error shows it: bare where that is harmless, else in quotes."""
    return name if re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", name) else quoted(name)

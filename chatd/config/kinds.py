"""The kinds of values that a key takes: what each accepts, from TOML and from text.

A kind is strict: nothing is coerced between types, so that a port in quotes is a mistake that is
reported and not a guess that works for now. `structure` judges a value as TOML gives it (a list may
be a tuple); `read` turns the text of an environment variable into such a value. Both raise
`InvalidValue`. The kinds know no key, no file and no section.
"""

import ipaddress
import re
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from chatd.auth.role import is_own_claim
from chatd.config.errors import Faults, InvalidValue, described, kind_of, quoted
from chatd.wire.identifiers import is_connection_id

MOST_SECONDS = 1_000_000
"""Longest span: interval and timeout of the heartbeat together stay below 2^31 ms, beyond which
the timers of JavaScript clients fire at once (Engine.IO 4, handshake)."""
LEAST_SECONDS = 0.001
"""Shortest span: the wire carries whole milliseconds."""
MOST_WHOLE = 2**31 - 1
"""Largest count or size: what the C interfaces of sockets and SQLite take."""
MOST_PORT = 65535
MOST_RATE = 10**15
"""A limit above this is held as this: it is never reached, and arithmetic on it stays exact."""
LEAST_RATE = 1e-6
"""A limit below this is held as this (one in two years), so that waits stay finite."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@,]+")
_HOST_AND_PORT = re.compile(r"(?:[^\s/:\[\]]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
_LINK = re.compile(
    r"(?:https?://[A-Za-z0-9.\[\]:_-]+(?:[/?#][!-\[\]^-~]*)?|/(?![/\\])[!-\[\]^-~]*)"
)
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")


class ValueKind(ABC):
    """What a key needs to know about its values."""

    @property
    @abstractmethod
    def wants(self) -> str:
        """What is accepted, as the end of "must be ..."."""

    @abstractmethod
    def structure(self, value: object) -> Any:
        """The value as the configuration holds it; raises `InvalidValue`."""

    def read(self, text: str) -> object:
        """The value that a text stands for, still to be structured; raises `InvalidValue`."""
        return text

    def refusal(self, value: object, at: str = "") -> InvalidValue:
        return InvalidValue(f"must be {self.wants}, not {described(value)}", at)


class _Written(ValueKind):
    """A value that the environment writes as TOML does."""

    def read(self, text: str) -> object:
        try:
            document = tomllib.loads(f"value = {text.strip()}")
        except (ValueError, RecursionError):
            document = {}
        if len(document) != 1:  # no value, or a text that smuggles in a second line or key
            raise self.refusal(text)
        return document["value"]


def _number(value: object) -> float | None:
    """The value where it is a number: true is none, and neither is nan."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return value


@attrs.frozen
class Text(ValueKind):
    """A string without control characters; a stray line break is a mistake in every key."""

    wants: str = "a text without control characters"
    empty: bool = True
    secret: bool = False

    def structure(self, value: object) -> str:
        if isinstance(value, str) and not _CONTROL.search(value) and (value or self.empty):
            return value
        shown = kind_of(value) if self.secret else described(value)
        raise InvalidValue(f"must be {self.wants}, not {shown}")


@attrs.frozen
class OwnClaim(ValueKind):
    """A dotted path into a token's claims that leads to nothing which users write; or empty."""

    wants: str = (
        "a dotted path such as app_metadata.role, not in user_metadata, which users can write"
    )

    def structure(self, value: object) -> str:
        if isinstance(value, str) and not _CONTROL.search(value) and is_own_claim(value):
            return value
        raise self.refusal(value)


@attrs.frozen
class ListenAddress(ValueKind):
    """Where to listen: the absolute path of a socket, HOST:PORT, or empty for the usual place."""

    wants: str = 'the absolute path of a socket, or "127.0.0.1:PORT"'

    def structure(self, value: object) -> str:
        if isinstance(value, str) and not _CONTROL.search(value):
            if not value or value.startswith("/"):
                return value
            found = _HOST_AND_PORT.fullmatch(value)
            if found and int(found[1]) <= MOST_PORT:
                return value
        raise self.refusal(value)


@attrs.frozen
class Link(ValueKind):
    """Where a browser goes: a URL of http or https, a path of the same server, or empty."""

    wants: str = 'a URL as "https://example.com/login", or a path as "/login"'

    def structure(self, value: object) -> str:
        if isinstance(value, str) and (not value or _LINK.fullmatch(value)):
            return value
        raise self.refusal(value)


@attrs.frozen
class Choice(ValueKind):
    """One of a few words, or of the members of a `StrEnum`."""

    words: tuple[str, ...]

    @property
    def wants(self) -> str:
        return "one of " + ", ".join(f'"{word}"' for word in self.words)

    def structure(self, value: object) -> str:
        for word in self.words:
            if isinstance(value, str) and value == word:
                return word
        raise self.refusal(value)


@attrs.frozen
class Flag(ValueKind):
    """true or false; in the environment also yes/no, on/off and 1/0."""

    wants: str = "true or false"

    def structure(self, value: object) -> bool:
        if isinstance(value, bool):
            return value
        raise self.refusal(value)

    def read(self, text: str) -> object:
        word = text.strip().lower()
        if word not in (*_TRUE, *_FALSE):
            raise self.refusal(text)
        return word in _TRUE


@attrs.frozen
class WholeNumber(_Written):
    """A whole number within bounds, both included."""

    least: int = 1
    most: int = MOST_WHOLE

    @property
    def wants(self) -> str:
        return f"a whole number from {self.least} to {self.most}"

    def structure(self, value: object) -> int:
        if type(value) is int and self.least <= value <= self.most:
            return value
        raise self.refusal(value)


@attrs.frozen
class Seconds(_Written):
    """A span of time in seconds."""

    least: float = LEAST_SECONDS

    @property
    def wants(self) -> str:
        return f"a number of seconds from {self.least:g} to {MOST_SECONDS}"

    def structure(self, value: object) -> float:
        number = _number(value)
        if number is not None and self.least <= number <= MOST_SECONDS:
            return float(number)
        raise self.refusal(value)


@attrs.frozen
class Rate(_Written):
    """A limit: any positive number, however large; `inf` reads as "no limit"."""

    wants: str = "a number above 0"

    def structure(self, value: object) -> float:
        number = _number(value)
        if number is not None and number > 0:
            return max(LEAST_RATE, min(MOST_RATE, number))
        raise self.refusal(value)


@attrs.frozen
class Texts(_Written):
    """A list of strings, each brought to one form by `item`, which gives None for a wrong one."""

    wants: str
    item: Callable[[str], str | None]

    def structure(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise self.refusal(value)
        texts: list[str] = []
        faults = Faults()
        for index, entry in enumerate(value):
            text = self.item(entry) if isinstance(entry, str) else None
            if text is None:
                faults.add(self.refusal(entry).problem, f"[{index}]")
            else:
                texts.append(text)
        faults.raise_any(tuple(texts))
        return tuple(texts)

    def read(self, text: str) -> object:
        if text.lstrip().startswith("["):
            return super().read(text)
        return [part.strip() for part in text.split(",") if part.strip()]


def _origin(text: str) -> str | None:
    origin = text.lower()
    return origin if origin == "null" or _ORIGIN.fullmatch(origin) else None


def _network(text: str) -> str | None:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        return None


ORIGINS = Texts('an origin without a path, as in ["https://chat.example.com"]', _origin)
"""Origins as a browser sends them: scheme, host and port in lower case, no path."""
NETWORKS = Texts('a network or address, as in ["10.0.0.0/8", "::1"]', _network)
"""Addresses and networks in CIDR notation."""


@attrs.frozen
class TableKind(ValueKind):
    """A table with keys of its own, from which `make` makes a `made`.

    `required` are the keys that have to be written, and what to write there. `check` adds the
    faults of keys that do not go together; it is given the values that are right, and the faults
    so far know which are not.
    """

    wants: str
    keys: Mapping[str, ValueKind]
    made: type
    make: Callable[..., object]
    required: Mapping[str, str] = attrs.field(factory=dict)
    check: Callable[[Mapping[str, Any], Faults], None] = lambda _values, _faults: None

    def structure(self, value: object) -> Any:
        if isinstance(value, self.made):
            return value
        if not isinstance(value, Mapping):
            raise self.refusal(value)
        values: dict[str, Any] = {}
        faults = Faults()
        for key, given in value.items():
            at = f".{unknown_name(str(key))}"
            if key not in self.keys:
                faults.unknown(str(key), self.keys, at)
                continue
            with faults.gathered(at):
                values[key] = self.keys[key].structure(given)
        for key in self.required.keys() - value.keys() - faults.keys:
            faults.add(f"is missing; write {self.required[key]}", f".{key}")
        self.check(values, faults)
        can_be_made = self.required.keys() <= values.keys()
        made = self.make(**values) if can_be_made else None
        faults.raise_any(made)
        return made


@attrs.frozen
class TableOfRooms(ValueKind):
    """A table of tables, whose names are connectionIds."""

    name: str
    table: TableKind

    @property
    def wants(self) -> str:
        return f"tables [{self.name}.<connectionId>]"

    def structure(self, value: object) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self.refusal(value)
        rooms: dict[str, Any] = {}
        faults = Faults()
        for name, table in value.items():
            at, has_name = f".{unknown_name(str(name))}", is_connection_id(name)
            if not has_name:
                faults.add(
                    "must have a name of 1 to 128 printable ASCII characters that open no HTML tag",
                    at,
                )
            try:
                room = self.table.structure(table)
            except InvalidValue as invalid:
                faults.gather(invalid, at)
                room = invalid.rest
            if has_name and room is not None:
                rooms[name] = room
        faults.raise_any(MappingProxyType(rooms))
        return MappingProxyType(rooms)

    def read(self, text: str) -> object:
        raise InvalidValue("cannot be set in the environment, write it in chatd.toml")


def unknown_name(name: str) -> str:
    """An unknown name as an error shows it: bare where that is harmless, else in quotes."""
    return name if re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", name) else quoted(name)

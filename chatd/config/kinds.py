"""The kinds of values that a key takes: what each accepts, from TOML and from text.

A kind is strict: nothing is coerced between types, so a port in quotes is reported as a mistake,
and is not a guess that works for now. `structure` judges a value as TOML gives it (a list may be a
tuple); `read` turns the text of an environment variable into such a value. Both raise
`InvalidValue`. The kinds know no key, no file and no section.
"""

import ipaddress
import re
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import attrs

from chatd.auth.role import is_own_claim
from chatd.bus.redis_address import MisreadAddress, RedisAddress
from chatd.config.errors import Faults, InvalidValue, described, kind_of, quoted
from chatd.config.units import BYTES, SECONDS, amount

MOST_SECONDS = 1_000_000
"""Longest span: interval and timeout of the heartbeat together stay below 2^31 ms, beyond which
the timers of JavaScript clients fire at once (Engine.IO 4, handshake)."""
LEAST_SECONDS = 0.001
"""Shortest span: the wire carries whole milliseconds."""
MOST_WHOLE = 2**31 - 1
"""Largest count or size: what the C interfaces of sockets and SQLite take."""
MOST_PORT = 65535
MOST_RATE = 10**15
"""A higher limit is lowered to this: it is never reached, and arithmetic on it stays exact."""
LEAST_RATE = 1e-6
"""A lower limit is raised to this (one in two years), so that waits stay finite."""

UNIX_PREFIX = "unix:"
"""Stands before the path of a socket, in place of a host or an address."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SCHEMA_NAME = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")
_POSTGRES_ADDRESS = re.compile(r"postgres(?:ql)?://|\s*[a-z_]+\s*=")
_UNFIT_FOR_SQL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_ONE_PARAMETER = re.compile(r"\$1(?![0-9])")
_NODE_NAME = re.compile(r"[a-z0-9]{1,16}")
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

    @property
    def is_secret(self) -> bool:
        """Whether the value is a secret: it may also stand in a file of its own."""
        return False

    @property
    def entry(self) -> "ValueKind | None":
        """The kind of each entry, if the value is a list of tables."""
        return None

    def secrets(self, value: object) -> Iterator[str]:
        """Where secrets stand in a value as it is written: what to append to the key's name."""
        if self.entry is not None and isinstance(value, list | tuple):
            for index, one in enumerate(value):
                yield from (f"[{index}]{at}" for at in self.entry.secrets(one))
        elif self.is_secret and value:
            yield ""

    @property
    def hides(self) -> bool:
        """Whether a refused value may hold a secret, so that errors do not show it."""
        return self.is_secret

    def refusal(self, value: object, at: str = "") -> InvalidValue:
        shown = kind_of(value) if self.hides else described(value)
        return InvalidValue(f"must be {self.wants}, not {shown}", at)


class _Written(ValueKind):
    """A value that the environment writes as TOML."""

    def read(self, text: str) -> object:
        try:
            document = tomllib.loads(f"value = {text.strip()}")
        except (ValueError, RecursionError):
            document = {}
        if len(document) != 1:  # no value, or a text that smuggles in another line or key
            raise self.refusal(text)
        return document["value"]


def _number(value: object) -> float | None:
    """The value if it is a number; true is not one, and neither is nan."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return value


@attrs.frozen
class Text(ValueKind):
    """A string without control characters; a stray line break is a mistake in every key.

    `holds` tells whether a text that may hold a secret does.
    """

    wants: str = "a text without control characters"
    empty: bool = True
    secret: bool = False
    holds: Callable[[str], bool] = bool

    @property
    def is_secret(self) -> bool:
        return self.secret

    def secrets(self, value: object) -> Iterator[str]:
        if self.secret and isinstance(value, str) and self.holds(value):
            yield ""

    def structure(self, value: object) -> str:
        if isinstance(value, str) and not has_control(value) and (value or self.empty):
            return value
        raise self.refusal(value)


@attrs.frozen
class PostgresAddress(ValueKind):
    """The address of a PostgreSQL database as libpq reads it, or empty. As it holds a
    password, no error shows any of it."""

    wants: str = 'the address of a PostgreSQL database, as "postgresql://USER:PASSWORD@HOST/NAME"'

    @property
    def is_secret(self) -> bool:
        return True

    def structure(self, value: object) -> str:
        if isinstance(value, str) and not _CONTROL.search(value):
            if not value or _POSTGRES_ADDRESS.match(value):
                return value
            raise InvalidValue(f"must be {self.wants}, not another text")
        raise InvalidValue(f"must be {self.wants}, not {kind_of(value)}")


@attrs.frozen
class SchemaName(ValueKind):
    """The name of a schema of PostgreSQL, in the form that needs no quotes."""

    wants: str = "1 to 63 of a-z, 0-9 and _, beginning with a letter or _, and not with pg_"

    def structure(self, value: object) -> str:
        if isinstance(value, str) and _SCHEMA_NAME.fullmatch(value):
            return value
        raise self.refusal(value)


@attrs.frozen
class BusAddress(ValueKind):
    """Where nodes reach each other: the address of a Redis, or of a PostgreSQL database, or empty.
    As it holds a password, no error shows any of it."""

    wants: str = (
        'the address of a Redis, as "redis://USER:PASSWORD@HOST", or of a PostgreSQL database'
    )

    @property
    def is_secret(self) -> bool:
        return True

    def structure(self, value: object) -> str:
        if not isinstance(value, str) or _CONTROL.search(value):
            raise InvalidValue(f"must be {self.wants}, not {kind_of(value)}")
        if not value or _POSTGRES_ADDRESS.match(value):
            return value
        try:
            RedisAddress.read(value)
        except MisreadAddress as error:
            raise InvalidValue(f"must be {self.wants}: {error.why}") from None
        return value


@attrs.frozen
class RoomsQuery(ValueKind):
    """A statement of SQL with one parameter, which may have several lines; or empty."""

    wants: str = "one SQL statement that reads, with $1 where the user id belongs"

    def structure(self, value: object) -> str:
        if isinstance(value, str) and not _UNFIT_FOR_SQL.search(value):
            query = value.strip()
            if not query or _ONE_PARAMETER.search(query):
                return query
        raise InvalidValue(f"must be {self.wants}, not {described(value)}")


@attrs.frozen
class OwnClaim(ValueKind):
    """A dotted path into a token's claims that does not lead to anything that users write; or
    empty."""

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
        if isinstance(value, str) and not has_control(value):
            if not value or value.startswith("/"):
                return value
            found = _HOST_AND_PORT.fullmatch(value)
            if found and int(found[1]) <= MOST_PORT:
                return value
        raise self.refusal(value)


@attrs.frozen
class PublicAddress(ValueKind):
    """Where the public port is: a host, or `unix:` and the absolute path of a socket."""

    wants: str = 'a host name or address, or "unix:" and the absolute path of a socket'

    def structure(self, value: object) -> str:
        if isinstance(value, str) and value and not _CONTROL.search(value):
            path = value.removeprefix(UNIX_PREFIX)
            if path == value or (path.startswith("/") and not path.endswith("/")):
                return value
        raise self.refusal(value)


@attrs.frozen
class FileMode(ValueKind):
    """The permissions of a file, as chmod takes them in digits."""

    wants: str = 'the permissions of a file in octal digits, as "0660"'

    def structure(self, value: object) -> str:
        if isinstance(value, str) and re.fullmatch("0?[0-7]{3}", value):
            return value.zfill(4)
        raise self.refusal(value)


@attrs.frozen
class NodeName(ValueKind):
    """A name of a node, as it stands in URLs and in the rules of a proxy; or empty."""

    wants: str = 'a name of 1 to 16 lower-case letters and digits, as "a" or "fra1"'

    def structure(self, value: object) -> str:
        if isinstance(value, str) and (not value or _NODE_NAME.fullmatch(value)):
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


class _Measured(_Written):
    """A number, or a text with a number and its unit."""

    def read(self, text: str) -> object:
        try:
            return super().read(text)
        except InvalidValue:
            return text.strip()


@attrs.frozen
class Seconds(_Measured):
    """A span of time in seconds, or with another unit of time."""

    least: float = LEAST_SECONDS

    @property
    def wants(self) -> str:
        return (
            f"a number of seconds from {self.least:g} to {MOST_SECONDS}, "
            'or a text such as "10 s", "5 min" or "2 h"'
        )

    def structure(self, value: object) -> float:
        number = amount(value, SECONDS) if isinstance(value, str) else _number(value)
        if number is not None and self.least <= number <= MOST_SECONDS:
            return float(number)
        raise self.refusal(value)


@attrs.frozen
class Bytes(_Measured):
    """A size in bytes, or with another unit of size, that is a whole number of bytes."""

    least: int = 1
    most: int = MOST_WHOLE

    @property
    def wants(self) -> str:
        return (
            f"a whole number of bytes from {self.least} to {self.most}, "
            'or a text such as "64 KiB" or "1 MB"'
        )

    def structure(self, value: object) -> int:
        number: object = amount(value, BYTES) if isinstance(value, str) else value
        if isinstance(number, Fraction) and number.denominator == 1:
            number = number.numerator
        if type(number) is int and self.least <= number <= self.most:
            return number
        raise self.refusal(value)


@attrs.frozen
class Rate(_Written):
    """A limit: any positive number, however large; `inf` means "no limit"."""

    wants: str = "a number above 0"

    def structure(self, value: object) -> float:
        number = _number(value)
        if number is not None and number > 0:
            return max(LEAST_RATE, min(MOST_RATE, number))
        raise self.refusal(value)


@attrs.frozen
class Texts(_Written):
    """A list of strings, each normalised by `item`, which gives None for a wrong one."""

    wants: str
    item: Callable[[str], str | None]

    def structure(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            is_said = self.wants.startswith("a list")
            wants = self.wants if is_said else f"a list: {self.wants}"
            raise attrs.evolve(self, wants=wants).refusal(value)
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
    if text == UNIX_PREFIX:
        return text
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        return None


ORIGINS = Texts('an origin without a path, as in ["https://chat.example.com"]', _origin)
"""Origins as a browser sends them: scheme, host and port in lower case, no path."""
NETWORKS = Texts('a network or address, as in ["10.0.0.0/8", "::1", "unix:"]', _network)
"""Addresses and networks in CIDR notation; `unix:` is whoever connects to a unix socket."""


def unknown_name(name: str) -> str:
    """An unknown name as an error shows it: bare if that is harmless, else in quotes."""
    return name if re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", name) else quoted(name)


def has_control(text: str) -> bool:
    """Whether a text holds a line break or another control character."""
    return _CONTROL.search(text) is not None

"""The values of Postgres as cells, each exactly as the server sends it.

Postgres sends text, which is exact for every type. Here it becomes a number, a boolean or bytes if
those hold the same value, and an ISO 8601 text if it is a date or a time. It stays as it is if JSON
has no form for it: NaN and Infinity, and all other types, such as numeric, interval, arrays,
ranges, JSON, and whatever an extension brings.
"""

import math
import re
from binascii import unhexlify

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Loader
from psycopg.types.bool import BoolLoader
from psycopg.types.none import NoneDumper
from psycopg.types.numeric import IntDumper, IntLoader
from psycopg.types.string import StrDumper

# Timestamps as Postgres writes them with DateStyle ISO. A year of more than four digits, BC and
# infinity have no common form in ISO 8601, and stay as they are.
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d(?::\d\d){0,2})?")
_TIME_WITH_ZONE = re.compile(r"(\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d(?::\d\d){0,2})")

_ANY = 0
"""To psycopg, the type of every value whose own type has no loader."""
_WHOLE_NUMBERS = ("int2", "int4", "int8", "oid")
_FLOATS = ("float4", "float8")


class _Text(Loader):
    """A value as the server writes it."""

    def load(self, data: Buffer) -> str:
        return bytes(data).decode()


class _Float(Loader):
    """A float; what is not a number is text, as Postgres writes and reads it."""

    def load(self, data: Buffer) -> float | str:
        text = bytes(data).decode()
        number = float(text)
        return number if math.isfinite(number) else text


class _Bytes(Loader):
    """A bytea, in the notation `hex`."""

    def load(self, data: Buffer) -> bytes:
        return unhexlify(memoryview(data)[2:])


class _Timestamp(_Text):
    def load(self, data: Buffer) -> str:
        return iso_timestamp(super().load(data))


class _TimeWithZone(_Text):
    def load(self, data: Buffer) -> str:
        text = super().load(data)
        found = _TIME_WITH_ZONE.fullmatch(text)
        return found[1] + _offset(found[2]) if found else text


def iso_timestamp(text: str) -> str:
    """A timestamp of Postgres, with a T and an offset of hours and minutes."""
    found = _TIMESTAMP.fullmatch(text)
    return f"{found[1]}T{found[2]}{_offset(found[3] or '')}" if found else text


def _offset(text: str) -> str:
    """`+01` as `+01:00`; offsets with seconds, from before time zones, stay as they are."""
    return f"{text}:00" if len(text) == len("+01") else text


class _Context:
    """What psycopg asks for adapters: it has those of this module, and none of psycopg's own."""

    def __init__(self) -> None:
        self.adapters = AdaptersMap(types=psycopg.adapters.types)
        self.connection = None


def exact_values() -> _Context:
    """The context for a connection whose values are read as this module says."""
    context = _Context()
    adapters = context.adapters
    for kind, dumper in ((str, StrDumper), (int, IntDumper), (type(None), NoneDumper)):
        adapters.register_dumper(kind, dumper)
    adapters.register_loader(_ANY, _Text)
    adapters.register_loader("bool", BoolLoader)
    adapters.register_loader("bytea", _Bytes)
    for name in _WHOLE_NUMBERS:
        adapters.register_loader(name, IntLoader)
    for name in _FLOATS:
        adapters.register_loader(name, _Float)
    for name in ("timestamp", "timestamptz"):
        adapters.register_loader(name, _Timestamp)
    adapters.register_loader("timetz", _TimeWithZone)
    return context

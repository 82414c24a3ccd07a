"""The databases of rooms: `[databases.<connectionId>]` (SPEC 6).

    [databases.sales]
    command = ["uvx", "mcp-alchemy"]            # a db-mcp that is started, or
    # url = "https://mcp.example.com/mcp"       # one that is asked by streamable HTTP, or
    # sqlite = "/srv/sales.db"                  # the one that chatd brings along, on a file, or
    # sample = true                             # the same on the sample database
    dialect = "postgres"
    mapping = "mcp-alchemy"
    credentials = "read-only"
    environment = { DB_URL = "postgresql://reader:...@db/sales" }

A foreign db-mcp runs whatever it is sent. So it is asked only where somebody vouches that its
credentials can only read, or where writing is allowed.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from chatd.answers.mcp.mapping import READY, TERMS, Binary, Call, Form
from chatd.answers.mcp.mapping import Mapping as PeerMapping
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.config.errors import Unfit, described, nearest
from chatd.config.kinds import Choice, Flag, Kind, Seconds, Text, Whole, unknown_name
from chatd.wire.identifiers import is_connection_id

Database = DatabaseSettings

DIALECTS: Final = ("sqlite", "postgres", "mysql")
OWN_VARIABLES: Final = "CHATD_"
"""Variables of the daemon's own, its secrets among them, that no db-mcp is given."""

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PASSWORD: Final = re.compile(r"(://[^/\s:@]*):[^@\s]*@")
_REQUESTS: Final = ("list_tables", "describe_table", "sample_table", "query", "explain")


@attrs.frozen
class _List:
    """A list of texts, each of which fits."""

    wants: str
    fits: Callable[[str], bool]

    def take(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise Unfit(f"must be {self.wants}, not {described(value)}")
        for index, entry in enumerate(value):
            if not isinstance(entry, str) or not self.fits(entry):
                raise Unfit(f"must be {self.wants}, not {described(entry)}", f"[{index}]")
        return tuple(value)

    def read(self, text: str) -> object:
        return text


@attrs.frozen
class _Secrets:
    """A table of texts by names that fit; errors never show a value."""

    wants: str
    fits: Callable[[str], bool]

    def take(self, value: object) -> Mapping[str, str]:
        if not isinstance(value, Mapping):
            raise Unfit(f"must be {self.wants}, not {described(value)}")
        for name, text in value.items():
            if not isinstance(name, str) or not self.fits(name):
                raise Unfit(f"must be {self.wants}; {unknown_name(str(name))} is no such name")
            at = f".{unknown_name(name)}"
            if not isinstance(text, str) or not text.isprintable():
                raise Unfit("must be a text without control characters", at)
        return MappingProxyType(dict(value))

    def read(self, text: str) -> object:
        return text


@attrs.frozen
class _Url:
    """An address for streamable HTTP. A password in it would be shown; it belongs in a header."""

    wants: str = 'an address such as "https://mcp.example.com/mcp", without user and password'

    def take(self, value: object) -> str:
        text = Text(self.wants, empty=False, secret=True).take(value)
        try:
            parts = urlsplit(text)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname)
            if fits and "@" not in parts.netloc and parts.port != 0:
                return text
        except ValueError:
            pass
        raise Unfit(f"must be {self.wants}")

    def read(self, text: str) -> object:
        return text


def _is_variable(name: str) -> bool:
    return _VARIABLE.fullmatch(name) is not None and not name.startswith(OWN_VARIABLES)


_KINDS: Final[Mapping[str, Kind]] = {
    "command": _List("a list of a program and its arguments", lambda text: "\0" not in text),
    "url": _Url(),
    "sqlite": Text("the path of a file", empty=False),
    "sample": Flag(),
    "dialect": Choice(DIALECTS),
    "read_only": Flag(),
    "credentials": Choice(("unknown", "read-only")),
    "pass_environment": _List(
        "a list of names of variables that do not begin with CHATD_", _is_variable
    ),
    "environment": _Secrets(
        "a table of variables whose names do not begin with CHATD_", _is_variable
    ),
    "headers": _Secrets(
        "a table of HTTP headers", lambda name: _HEADER.fullmatch(name) is not None
    ),
    "connections": Whole(1, 64),
    "start_timeout_s": Seconds(),
    "call_timeout_s": Seconds(),
    "max_message_bytes": Whole(1024, 1_048_576),
    "max_rows_written": Whole(1, 1_000_000_000),
    "max_growth_bytes": Whole(1, 1 << 40),
}
_OF_WRITES: Final = ("max_rows_written", "max_growth_bytes")
_KEYS: Final = (*_KINDS, "mapping")
_SOURCES: Final = ("command", "url", "sqlite", "sample")


@attrs.frozen
class Databases:
    """The kind of `databases`: a table of tables."""

    wants: str = "tables [databases.<connectionId>]"

    def take(self, value: object) -> Mapping[str, Database]:
        if not isinstance(value, Mapping):
            raise Unfit(f"must be {self.wants}, not {described(value)}")
        return MappingProxyType({name: self._one(name, table) for name, table in value.items()})

    def read(self, text: str) -> object:
        raise Unfit("cannot be set in the environment, write it in chatd.toml")

    def _one(self, name: object, table: object) -> Database:
        if not isinstance(name, str) or not is_connection_id(name):
            raise Unfit(
                "must have names of 1 to 128 printable ASCII characters that open no HTML tag, "
                f"not {described(name)}"
            )
        at = f".{unknown_name(name)}"
        if isinstance(table, Database):
            return table
        if not isinstance(table, Mapping):
            raise Unfit(f"must be a table with one of {', '.join(_SOURCES)}", at)
        taken: dict[str, Any] = {}
        for key, value in table.items():
            if key == "mapping":
                taken[key] = _mapping(value, f"{at}.mapping")
            elif key in _KINDS:
                taken[key] = _taken(_KINDS[key], value, f"{at}.{key}")
            else:
                raise _unknown(key, _KEYS, at)
        _check(taken, at)
        return Database(**taken)


def _check(taken: Mapping[str, Any], at: str) -> None:
    """What holds between the keys of one database."""
    sources = [key for key in _SOURCES if taken.get(key)]
    if len(sources) != 1:
        said = " and ".join(sources) if sources else "none"
        raise Unfit(f"must have one of {', '.join(_SOURCES)}; it has {said}", at)
    (source,) = sources
    for key in _OF_WRITES:
        if key in taken and source != "sqlite":
            raise Unfit("is used with sqlite only; leave it out", f"{at}.{key}")
    if source in ("sqlite", "sample"):
        for key in ("mapping", "environment", "pass_environment", "headers", "credentials"):
            if key in taken:
                raise Unfit(f"is not used with {source}; leave it out", f"{at}.{key}")
        if taken.get("dialect", "sqlite") != "sqlite":
            raise Unfit(f'must be "sqlite" with {source}', f"{at}.dialect")
        if source == "sample" and not taken.get("read_only", True):
            raise Unfit(
                "must be true with sample; use sqlite and a file to write", f"{at}.read_only"
            )
        return
    for key, choices in (("dialect", DIALECTS), ("mapping", (*READY, "a table of your own"))):
        if key not in taken:
            raise Unfit(f"is missing; write one of {', '.join(choices)}", f"{at}.{key}")
    wrong = ("headers",) if source == "command" else ("environment", "pass_environment")
    for key in wrong:
        if key in taken:
            raise Unfit(f"is not used with {source}; leave it out", f"{at}.{key}")
    if taken.get("read_only", True) and taken.get("credentials", "unknown") != "read-only":
        raise Unfit(
            'must be "read-only" before this db-mcp is asked: give it credentials that can only '
            "read and say so here, or allow writing by read_only = false",
            f"{at}.credentials",
        )


def _mapping(value: object, at: str) -> str | PeerMapping:
    if isinstance(value, str):
        if value not in READY:
            raise Unfit(f"must be a ready mapping; {nearest(value, READY)}", at)
        return value
    if not isinstance(value, Mapping):
        raise Unfit(f"must be a name or a table, not {described(value)}", at)
    taken: dict[str, Any] = {}
    for key, given in value.items():
        where = f"{at}.{unknown_name(str(key))}"
        if key in _REQUESTS:
            taken[key] = _call(given, where)
        elif key == "terms":
            taken[key] = _terms(given, where)
        elif key in _MAPPING_KINDS:
            taken[key] = _taken(_MAPPING_KINDS[key], given, where)
        else:
            raise _unknown(key, (*_REQUESTS, "terms", *_MAPPING_KINDS), at)
    if "binary" in taken:
        taken["binary"] = Binary(taken["binary"])
    if "query" not in taken:
        raise Unfit("is missing; write which tool takes a statement", f"{at}.query")
    return PeerMapping(**taken)


_TOOL: Final = Text("the name of a tool", empty=False)
_MAPPING_KINDS: Final[Mapping[str, Kind]] = {
    "error_prefixes": _List("a list of the texts that errors begin with", bool),
    "binary": Choice(tuple(Binary)),
    "streams": Flag(),
    "confirms_stop": Flag(),
}
_CALL_KINDS: Final[Mapping[str, Kind]] = {
    "tool": _TOOL,
    "argument": Text("the name of an argument", empty=False),
    "form": Choice(tuple(Form)),
    "rows": Text("a dotted path such as data.rows"),
    "is_list": Flag(),
    "as_statement": Flag(),
    "is_quoted": Flag(),
    "wraps_values": Flag(),
    "schema_argument": Text("the name of an argument", empty=False),
}


def _call(value: object, at: str) -> Call:
    if not isinstance(value, Mapping):
        raise Unfit(f"must be a table with tool and argument, not {described(value)}", at)
    taken: dict[str, Any] = {}
    for key, given in value.items():
        if key == "fixed":
            if not isinstance(given, Mapping):
                raise Unfit(f"must be a table of arguments, not {described(given)}", f"{at}.fixed")
            taken[key] = MappingProxyType(dict(given))
        elif key in _CALL_KINDS:
            taken[key] = _taken(_CALL_KINDS[key], given, f"{at}.{key}")
        else:
            raise _unknown(key, (*_CALL_KINDS, "fixed"), at)
    if "tool" not in taken:
        raise Unfit("is missing; write the name of the tool", f"{at}.tool")
    if "form" in taken:
        taken["form"] = Form(taken["form"])
    return Call(**taken)


def _terms(value: object, at: str) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise Unfit(f"must be a table of names of arguments, not {described(value)}", at)
    for key, given in value.items():
        if key not in TERMS:
            raise _unknown(key, TERMS, at)
        _taken(Text("the name of an argument", empty=False), given, f"{at}.{key}")
    return MappingProxyType(dict(value))


def _taken(kind: Kind, value: object, at: str) -> object:
    try:
        return kind.take(value)
    except Unfit as error:
        raise Unfit(error.problem, f"{at}{error.at}") from None


def _unknown(key: object, known: tuple[str, ...], at: str) -> Unfit:
    return Unfit(f"is not a key; {nearest(str(key), known)}", f"{at}.{unknown_name(str(key))}")


def shown(database: Database) -> dict[str, object]:
    """What may be shown of a database: the keys that are not at their default, without secrets."""
    values: dict[str, object] = {}
    for field in attrs.fields(Database):
        value = getattr(database, field.name)
        if field.name == "command":
            value = tuple(_PASSWORD.sub(r"\1:***@", word) for word in value)
        if field.name in ("environment", "headers"):
            value = {name: f"(set, {len(text)} characters)" for name, text in value.items()}
        if isinstance(value, PeerMapping):
            value = _shown_mapping(value)
        if value != (field.default if field.name not in ("environment", "headers") else {}):
            values[field.name] = value
    return values


def _shown_mapping(mapping: PeerMapping) -> dict[str, object]:
    """The keys of a mapping that are not at their default."""
    values: dict[str, object] = {}
    for field in attrs.fields(PeerMapping):
        value = getattr(mapping, field.name)
        if isinstance(value, Call):
            value = {
                key.name: getattr(value, key.name)
                for key in attrs.fields(Call)
                if getattr(value, key.name) != key.default
            }
            value = {k: dict(v) if isinstance(v, Mapping) else v for k, v in value.items()}
        elif isinstance(value, Mapping):
            value = dict(value)
        if value != (dict(field.default) if isinstance(field.default, Mapping) else field.default):
            values[field.name] = value
    return values

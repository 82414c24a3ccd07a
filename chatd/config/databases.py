"""The databases of rooms: `[databases.<connectionId>]`.

    [databases.sales]
    command = ["/opt/mcp/bin/mcp-alchemy"]      # a db-mcp that is started, or
    # url = "https://mcp.example.com/mcp"       # one that is asked by streamable HTTP, or
    # sqlite = "/srv/sales.db"                  # the one that chatd brings along, on a file, or
    # postgres = "postgresql://reader@db/sales" # the one that chatd brings along, on PostgreSQL, or
    # sample = true                             # the same on the sample database
    dialect = "postgres"
    mapping = "mcp-alchemy"
    credentials = "read-only"
    environment = { DB_URL = "postgresql+psycopg://reader:...@db/sales" }

A foreign db-mcp runs whatever it is sent. So it is asked only if the operator vouches that its
credentials can only read, or if writing is allowed.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from chatd.answers.mcp.mapping import READY, TERMS, Binary, Call, Form, PeerMapping
from chatd.answers.mcp.secrets import (
    Masks,
    has_password,
    is_secret_variable,
    secrets_of,
    without_passwords,
)
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.config.errors import Faults, InvalidValue, nearest
from chatd.config.kinds import (
    Bytes,
    Choice,
    Flag,
    Seconds,
    Text,
    Texts,
    ValueKind,
    WholeNumber,
)
from chatd.config.tables import TableKind, TableOfRooms, TableOfSecrets

DIALECTS: Final = ("sqlite", "postgres", "mysql")
OWN_VARIABLES: Final = "CHATD_"
"""The daemon's own variables, its secrets among them; no db-mcp gets these."""

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SECRET_HEADERS: Final = ("authorization", "proxy-authorization", "cookie")
_SOURCES: Final = ("command", "url", "sqlite", "postgres", "sample")
_DIALECTS_OF_OURS: Final = {"sqlite": "sqlite", "sample": "sqlite", "postgres": "postgres"}
_OF_WRITES: Final = {
    "max_rows_written": ("sqlite", "postgres"),
    "max_growth_bytes": ("sqlite",),
}


@attrs.frozen
class _Url(ValueKind):
    """An address for streamable HTTP. A password in it would be shown; it belongs in a header."""

    wants: str = 'an address such as "https://mcp.example.com/mcp", without user and password'

    def structure(self, value: object) -> str:
        text = Text(self.wants, empty=False, secret=True).structure(value)
        try:
            parts = urlsplit(text)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname)
            if fits and "@" not in parts.netloc and parts.port != 0:
                return text
        except ValueError:
            pass
        raise InvalidValue(f"must be {self.wants}")

    def secrets(self, value: object) -> Iterator[str]:
        if isinstance(value, str) and has_password(value):
            yield ""


@attrs.frozen
class _Command(Texts):
    """A program and its arguments, and which of these hold secrets; other users of the machine see
    them while it runs."""

    @property
    def hides(self) -> bool:
        return True

    def secrets(self, value: object) -> Iterator[str]:
        if isinstance(value, list | tuple) and secrets_of({}, [str(word) for word in value]):
            yield ""


@attrs.frozen
class _Arguments(ValueKind):
    """A table with any content: arguments that are always the same."""

    wants: str = "a table of arguments"

    def structure(self, value: object) -> Mapping[str, object]:
        if not isinstance(value, Mapping):
            raise self.refusal(value)
        return MappingProxyType(dict(value))


@attrs.frozen
class _MappingKind(ValueKind):
    """The name of a ready mapping, or a custom table."""

    wants: str = "a name or a table"

    def structure(self, value: object) -> str | PeerMapping:
        if not isinstance(value, str):
            peer: PeerMapping = _OWN_MAPPING.structure(value)
            return peer
        if value not in READY:
            raise InvalidValue(f"must be a ready mapping; {nearest(value, READY)}")
        return value


def _list_of(wants: str, fits: Callable[[str], bool]) -> Texts:
    return Texts(wants, lambda text: text if fits(text) else None)


def _is_variable(name: str) -> bool:
    return _VARIABLE.fullmatch(name) is not None and not name.startswith(OWN_VARIABLES)


def _is_secret_header(name: str, text: str) -> bool:
    return name.lower() in _SECRET_HEADERS or is_secret_variable(name.replace("-", "_"), text)


def _check(values: Mapping[str, Any], faults: Faults) -> None:
    """Check the rules between the keys of one database, except for keys that are wrong
    themselves."""
    wrong = faults.keys
    sources = [key for key in _SOURCES if values.get(key) or key in wrong]
    if len(sources) != 1:
        said = " and ".join(sources) if sources else "none"
        faults.add(f"must have one of {', '.join(_SOURCES)}; it has {said}")
        return
    (source,) = sources
    own_dialect = _DIALECTS_OF_OURS.get(source)
    unused: list[str] = [] if source == "url" else ["headers"]
    if source in ("sqlite", "sample", "url"):
        unused += ["environment", "pass_environment"]
    if own_dialect is not None:
        unused += ["mapping", "credentials"]
    for key, those in _OF_WRITES.items():
        if key in values and source not in those:
            faults.add(f"is used with {' and '.join(those)} only; leave it out", f".{key}")
    for key, choices in (("dialect", DIALECTS), ("mapping", (*READY, "a table of your own"))):
        if key not in values and key not in wrong and own_dialect is None:
            faults.add(f"is missing; write one of {', '.join(choices)}", f".{key}")
    for key in unused:
        if key in values or key in wrong:
            faults.add(f"is not used with {source}; leave it out", f".{key}")
    if own_dialect is not None and values.get("dialect", own_dialect) != own_dialect:
        faults.add(f'must be "{own_dialect}" with {source}', ".dialect")
    if not wrong & {"read_only", "credentials"}:
        _check_writing(values, source, faults)


def _check_writing(values: Mapping[str, Any], source: str, faults: Faults) -> None:
    """Check that a database for writing may be written to, and that one for reading cannot be."""
    is_read_only = values.get("read_only", True)
    if source == "sample" and not is_read_only:
        faults.add("must be true with sample; use sqlite and a file to write", ".read_only")
    elif (
        source in ("command", "url")
        and is_read_only
        and values.get("credentials", "unknown") != "read-only"
    ):
        faults.add(
            'must be "read-only" before this db-mcp is asked: give it credentials that can only '
            "read and say so here, or allow writing by read_only = false",
            ".credentials",
        )


def _settings(**values: Any) -> DatabaseSettings:
    """Make the settings; the dialect of our own db-mcps is known."""
    if values.get("postgres"):
        values["dialect"] = "postgres"
    return DatabaseSettings(**values)


_ARGUMENT: Final = Text("the name of an argument", empty=False)
_CALL: Final = TableKind(
    "a table with tool and argument",
    {
        "tool": Text("the name of a tool", empty=False),
        "argument": _ARGUMENT,
        "form": Choice(tuple(Form)),
        "rows": Text("a dotted path such as data.rows"),
        "is_list": Flag(),
        "as_statement": Flag(),
        "is_quoted": Flag(),
        "wraps_values": Flag(),
        "takes_any_name": Flag(),
        "reads_parameters": Flag(),
        "asks_for_json": Flag(),
        "schema_argument": _ARGUMENT,
        "fixed": _Arguments(),
    },
    made=Call,
    make=Call,
    required={"tool": "the name of the tool"},
)
_REQUESTS: Final = (
    "list_tables",
    "list_columns",
    "describe_table",
    "sample_table",
    "query",
    "explain",
)
_OWN_MAPPING: Final = TableKind(
    "a name or a table",
    {
        **dict.fromkeys(_REQUESTS, _CALL),
        "terms": TableKind(
            "a table of names of arguments",
            dict.fromkeys(TERMS, _ARGUMENT),
            made=MappingProxyType,
            make=lambda **terms: MappingProxyType(terms),
        ),
        "error_prefixes": _list_of("a list of the texts that errors begin with", bool),
        "error_ends": _list_of("a list of the texts at which errors end", bool),
        "chars_variable": Text("the name of a variable", empty=False),
        "binary": Choice(tuple(Binary)),
        "server_binary": Choice(tuple(Binary)),
        "streams": Flag(),
        "confirms_stop": Flag(),
    },
    made=PeerMapping,
    make=PeerMapping,
    required={"query": "which tool takes a statement"},
)
_FILES_OF_DATA: Final = ("csv", "tsv", "excel", "xlsx", "json", "parquet", "duckdb")
FROM_FILE_OF_DATA: Final = (
    "make a SQLite file of the data (of a CSV: sqlite3 shop.db '.import --csv shop.csv shop'), and "
    'write sqlite = "shop.db".'
)
DATABASES: Final = TableOfRooms(
    "databases",
    TableKind(
        f"a table with one of {', '.join(_SOURCES)}",
        {
            "command": _Command(
                "a list of a program and its arguments",
                lambda text: None if "\0" in text else text,
            ),
            "url": _Url(),
            "sqlite": Text("the path of a file", empty=False),
            "postgres": Text(
                "the address of a database", empty=False, secret=True, holds=has_password
            ),
            "sample": Flag(),
            "dialect": Choice(DIALECTS),
            "read_only": Flag(),
            "credentials": Choice(("unknown", "read-only")),
            "pass_environment": _list_of(
                "a list of names of variables that do not begin with CHATD_", _is_variable
            ),
            "environment": TableOfSecrets(
                "a table of variables whose names do not begin with CHATD_",
                _is_variable,
                is_secret_variable,
            ),
            "headers": TableOfSecrets(
                "a table of HTTP headers",
                lambda name: _HEADER.fullmatch(name) is not None,
                _is_secret_header,
            ),
            "connections": WholeNumber(1, 64),
            "start_timeout_s": Seconds(),
            "call_timeout_s": Seconds(),
            "max_message_bytes": Bytes(1024, 1_048_576),
            "max_rows_written": WholeNumber(1, 1_000_000_000),
            "max_growth_bytes": Bytes(1, 1 << 40),
            "mapping": _MappingKind(),
        },
        made=DatabaseSettings,
        make=_settings,
        check=_check,
        instead=dict.fromkeys(_FILES_OF_DATA, FROM_FILE_OF_DATA),
    ),
)
DOCS: Final[Mapping[str, str]] = {
    "command": "The program of a db-mcp that is started, and its arguments; it is asked on stdio.",
    "url": "The address of a db-mcp that is asked by streamable HTTP.",
    "sqlite": "A SQLite file; chatd's own db-mcp answers from it.",
    "postgres": "The address of a PostgreSQL database, as libpq reads it; chatd's own db-mcp "
    "answers from it; never shown.",
    "sample": "Whether the sample database answers.",
    "dialect": "The SQL of the database; needed with `command` and `url`.",
    "read_only": "Whether statements that write are refused.",
    "credentials": 'The operator vouches that a foreign db-mcp can only read ("read-only"); '
    "needed unless writing is allowed.",
    "pass_environment": "Variables of the daemon that the program is given too.",
    "environment": "Variables of the program; never shown.",
    "headers": "Headers of each request to the URL; never shown.",
    "connections": "Sessions with the db-mcp; beyond: a question waits.",
    "start_timeout_s": "Seconds until a session is ready; beyond: it is ended and tried again.",
    "call_timeout_s": "Seconds of one call of a tool; beyond: it is cancelled.",
    "max_message_bytes": "Bytes of one message of the db-mcp; beyond: the session is ended.",
    "max_rows_written": "Rows that one statement may write to `sqlite` or `postgres`; beyond: it "
    "is undone.",
    "max_growth_bytes": "Bytes by which one statement may make the file of `sqlite` grow; beyond: "
    "it is undone.",
    "mapping": "How the db-mcp is asked: the name of a ready mapping, or a custom table "
    '(docs/answers, "db-mcp"); needed with `command` and `url`.',
}
"""A sentence for each key of a database: the unit, and what happens beyond the value."""


def shown(database: DatabaseSettings) -> dict[str, object]:
    """What may be shown of a database: the keys that do not have their default, without secrets."""
    values = _not_default(database)
    if "command" in values:
        values["command"] = _masked(database.command)
    if "url" in values:
        (values["url"],) = _masked((database.url,))
    if database.postgres:
        values["postgres"] = f"(set, {len(database.postgres)} characters)"
    for name in ("environment", "headers"):
        if name in values:
            secrets: Mapping[str, str] = getattr(database, name)
            values[name] = {key: f"(set, {len(text)} characters)" for key, text in secrets.items()}
    return values


def _masked(words: tuple[str, ...]) -> tuple[str, ...]:
    """Words of a command, or an address, with masks in place of secrets."""
    masks = Masks(secrets_of({}, words))
    return tuple(
        masks.masked(without_passwords(word).encode("utf-8", "surrogateescape")).decode()
        for word in words
    )


def _not_default(value: Any) -> dict[str, object]:
    """The keys of a value that do not have their default, and likewise in the values within it."""
    shown: dict[str, object] = {}
    for field in attrs.fields(type(value)):
        default = field.default.factory() if hasattr(field.default, "factory") else field.default
        inner = getattr(value, field.name)
        if inner != default:
            if attrs.has(type(inner)):
                inner = _not_default(inner)
            shown[field.name] = dict(inner) if isinstance(inner, Mapping) else inner
    return shown

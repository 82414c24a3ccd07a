"""The configuration as text: what is in force and why, and the sample that documents every key."""

import json
import textwrap
from collections.abc import Mapping
from types import MappingProxyType

from chatd.auth import FileConnection
from chatd.config.databases import shown
from chatd.config.examined import Loaded
from chatd.config.paths import shown_path
from chatd.config.sections import Config, about, keys_of, sections, tables

_HEADER = """\
# chatd.toml: every key with its default. Copy it, keep what you change, delete the rest.
#
# The daemon reads the first of: --config FILE, $CHATD_CONFIG, ./chatd.toml, /etc/chatd/chatd.toml.
# The environment overrides the file (CHATD_SERVER__PORT=9000), and flags override both.
# `chatd config show` prints what is in force and where each value came from.
"""

_ROOMS = """\
# [directory.connections.demo]
# title = "Sample database"
# users = ["*"]
"""


_DATABASES = """\
# [databases.demo]
# sample = true
# chatd brings a db-mcp for PostgreSQL (with the extra chatd[postgres]) and one for SQLite files:
# [databases.shop]
# postgres = "postgresql://reader:password@localhost/shop"
# [databases.stock]
# sqlite = "/srv/stock.db"
# read_only = true
# connections = 2
# call_timeout_s = 60.0
# max_message_bytes = 1_048_576
# Where that may be written: rows and bytes that one statement may write; beyond: it is undone.
# max_rows_written = 10_000
# max_growth_bytes = 67_108_864
# Others are started (command, for stdio) or asked by HTTP (url, headers); the mapping says how:
# mcp-alchemy, mcp-server-sqlite, mcp-server-sqlite-npx, dbhub, or a table of your own.
# They run what they are sent: vouch that their credentials can only read, or allow writing.
# [databases.sales]
# command = ["uvx", "--with", "psycopg[binary]", "mcp-alchemy"]
# environment = { DB_URL = "postgresql+psycopg://reader:password@localhost/sales" }
# dialect = "postgres"
# mapping = "mcp-alchemy"
# credentials = "read-only"
"""


def explain(loaded: Loaded, in_force: Mapping[str, str] = MappingProxyType({})) -> str:
    """The effective configuration as TOML, with the origin of each value behind it.

    `in_force` is what a key comes to here, by dotted name, where the value alone does not say that.
    A secret is shown by its length only, and a load of this text is therefore not the same
    configuration.
    """
    lines = [f"# read from {shown_path(loaded.source)}" if loaded.source else "# no file was read"]
    for name, section in sections().items():
        lines += ["", f"[{name}]"]
        values = getattr(loaded.config, name)
        for key, field in keys_of(section).items():
            value = getattr(values, key)
            origin = loaded.origin[f"{name}.{key}"]
            if isinstance(value, Mapping):
                for room, connection in value.items():
                    lines += ["", *_room(room, connection, origin)]
                continue
            if about(field).secret and value:
                size = f"{len(value)} characters" if isinstance(value, str) else len(value)
                value = f"(set, {size})"
            comes_to = in_force.get(f"{name}.{key}", value)
            also = "" if comes_to == value else f": {comes_to}"
            lines.append(f"{about(field).written or key} = {toml(value)}  # {origin}{also}")
    for name, database in loaded.config.databases.items():
        lines += ["", f"[databases.{toml(name)}]  # {loaded.origin['databases']}"]
        lines += [f"{key} = {toml(value)}" for key, value in shown(database).items()]
    return "\n".join(lines) + "\n"


def sample() -> str:
    """chatd.toml as it is shipped: every key with its line of documentation and its default."""
    defaults = Config()
    parts = [_HEADER]
    for name, section in sections().items():
        parts.append(f"\n# {section.__doc__}\n[{name}]\n")
        for key, field in keys_of(section).items():
            parts.append(
                textwrap.fill(about(field).doc, 98, initial_indent="# ", subsequent_indent="#   ")
                + "\n"
            )
            value = getattr(getattr(defaults, name), key)
            parts.append(
                _ROOMS
                if isinstance(value, Mapping)
                else f"{about(field).written or key} = {toml(value)}\n"
            )
    for field in tables().values():
        parts.append(f"\n# {about(field).doc}\n{_DATABASES}")
    return "".join(parts)


def _room(room: str, connection: FileConnection, origin: str) -> list[str]:
    lines = [f"[directory.connections.{toml(room)}]  # {origin}"]
    if connection.title is not None:
        lines.append(f"title = {toml(connection.title)}")
    return [*lines, f"users = {toml(connection.users)}"]


def toml(value: object) -> str:
    """A value of a key as TOML; texts hold no control characters, so JSON's quoting is TOML's."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value:_}" if value >= 10_000 else f"{value}"
        case float():
            return repr(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case Mapping():
            inner = ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case list() | tuple():
            return "[" + ", ".join(toml(item) for item in value) + "]"
    raise TypeError(f"no TOML for {type(value).__name__}")

"""The configuration as text: what is in force and why, and the sample that documents every key."""

import json
import textwrap
from collections.abc import Mapping
from types import MappingProxyType

from chatd.auth import Bot, FileConnection
from chatd.config.api_tokens import API_TOKENS, written_rights
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
# A secret may stand in a file of its own: write jwt_secret_file = "/etc/chatd/jwt-secret".
# Seconds and bytes may have a unit: ping_timeout_s = "20 s", max_payload_bytes = "1 MB".
"""

_ROOMS = """\
# [directory.connections.demo]
# title = "Sample database"
# users = ["*"]
"""

_API_TOKENS = """\
# [api.tokens.alerts]
# sha256 = "9c5e0bd0d1d1ae1a7e5e0cd2b1a3a1e5ff4f1f0ce6a0dd2e6bb7f7a5f0b1c2d3"
# rooms = ["demo"]
# rights = ["write"]
"""

_TABLES = {"connections": _ROOMS, "tokens": _API_TOKENS}
"""What the sample shows for keys that are tables."""

_DATABASES = """\
# [databases.demo]
# sample = true
# chatd brings a db-mcp for PostgreSQL (with the extra "postgres") and one for SQLite files:
# [databases.shop]
# postgres = "postgresql://reader:password@localhost/shop"
# [databases.stock]
# sqlite = "/srv/stock.db"
# read_only = true
# connections = 2
# call_timeout_s = 60.0
# max_message_bytes = 1_048_576
# If it may be written to: rows and bytes that one statement may write; beyond: it is undone.
# max_rows_written = 10_000
# max_growth_bytes = 67_108_864
# Others are started (command, for stdio) or asked by HTTP (url, headers); the mapping says how:
# mcp-alchemy, mcp-server-sqlite, mcp-server-sqlite-npx, dbhub, or a table of your own.
# They run what they are sent: vouch that their credentials can only read, or allow writing.
# environment_file and postgres_file name files with secrets, so that no password stands here.
# [databases.sales]
# command = ["uvx", "--with", "psycopg[binary]", "mcp-alchemy"]
# environment = { DB_URL = "postgresql+psycopg://reader:password@localhost/sales" }
# dialect = "postgres"
# mapping = "mcp-alchemy"
# credentials = "read-only"
"""


def explain(loaded: Loaded, in_force: Mapping[str, str] = MappingProxyType({})) -> str:
    """The effective configuration as TOML, with the origin of each value after it.

    `in_force` is what a key amounts to on this machine, by dotted name, if the value alone does not
    say that. Of a secret only the length is shown, so loading this text does not give the same
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
                for entry, table in value.items():
                    head = f"[{name}.{key}.{toml(entry)}]  # {origin}"
                    lines += ["", head, *_entry(table)]
                continue
            if about(field).secret and value:
                size = f"{len(value)} characters" if isinstance(value, str) else len(value)
                value = f"(set, {size})"
            comes_to = in_force.get(f"{name}.{key}", value)
            also = "" if comes_to == value else f": {comes_to}"
            lines.append(f"{about(field).written or key} = {toml(value)}  # {origin}{also}")
    for name, database in loaded.config.databases.items():
        lines += ["", f"[databases.{toml(name)}]  # {loaded.origin['databases']}"]
        for key, value in shown(database).items():
            lines.append(f"{key} = {toml(value)}{_files(loaded, f'databases.{name}.{key}')}")
    return "\n".join(lines) + "\n"


def _files(loaded: Loaded, dotted: str) -> str:
    """Where a secret of a table was read, or each secret of a table of them; empty if it was
    not."""
    found = {
        name.removeprefix(dotted): origin
        for name, origin in loaded.origin.items()
        if name == dotted or name.startswith(f"{dotted}.")
    }
    told = (f"{name[1:]}: {origin}" if name else origin for name, origin in found.items())
    return f"  # {'; '.join(told)}" if found else ""


def sample() -> str:
    """chatd.toml as shipped: every key with its line of documentation and its default."""
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
                _TABLES[key]
                if isinstance(value, Mapping)
                else f"{about(field).written or key} = {toml(value)}\n"
            )
    for field in tables().values():
        parts.append(f"\n# {about(field).doc}\n{_DATABASES}")
    return "".join(parts)


def _entry(table: FileConnection | Bot) -> list[str]:
    """The lines of a table whose name the operator chooses."""
    if isinstance(table, FileConnection):
        title = [] if table.title is None else [f"title = {toml(table.title)}"]
        roles = {"owners": table.owners, "viewers": table.viewers}
        named = [f"{role} = {toml(users)}" for role, users in roles.items() if users]
        return [*title, f"users = {toml(table.users)}", *named]
    name = [] if table.name is None else [f"name = {toml(table.name)}"]
    return [
        f"sha256 = {toml(table.sha256)}",
        f"rooms = {toml(table.rooms)}",
        *name,
        f"rights = {toml(written_rights(table))}",
        f"messages_per_minute = {toml(table.messages_per_minute)}",
        f"requests_per_minute = {toml(table.requests_per_minute)}",
    ]


def api_token_table(
    bot: str, sha256: str, rooms: tuple[str, ...], rights: tuple[str, ...], name: str | None
) -> str:
    """The table of a token as a person would add it to the file. Raises InvalidValue."""
    values: dict[str, object] = {"sha256": sha256, "rooms": rooms}
    if name is not None:
        values["name"] = name
    values["rights"] = rights
    API_TOKENS.structure({bot: values})
    quoted = toml(bot) if "." in bot else bot
    lines = [f"{key} = {toml(value)}" for key, value in values.items()]
    return "\n".join([f"[api.tokens.{quoted}]", *lines])


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

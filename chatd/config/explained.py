"""Explains keys on a terminal: one, those of a section, or all of them (`chatd config doc`).

A key is found by any of its names: as it is written in the file (`port`, `server.port`,
`databases.sales.postgres_file`), in the environment, or as a credential.
"""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from chatd.answers.mcp.settings import DatabaseSettings
from chatd.config.databases import DATABASES, DOCS
from chatd.config.errors import closest
from chatd.config.kinds import ValueKind
from chatd.config.names import PREFIX, file_variable_of, variable_of, written_name
from chatd.config.sections import Config, about, keys_of, sections
from chatd.config.show import toml
from chatd.config.tables import SECRET_FILE, TableOfSecrets

ROOM: Final = "<connectionId>"


class UnknownKeyError(Exception):
    """There is no key of that name; `meant` is the nearest, None if it is like none."""

    def __init__(self, meant: str | None) -> None:
        super().__init__(meant)
        self.meant = meant


def explained(name: str = "") -> str:
    """What is known about each key that `name` can mean: a key, a section, or empty for all.

    Raises `UnknownKeyError`.
    """
    entries = _entries()
    meant = _plain(name)
    found = [entry for key, entry in entries.items() if _is_meant(meant, key)]
    if not found:
        words = {key.rpartition(".")[2]: key for key in entries}
        nearest = closest(meant, [*entries, *sections(), "databases", *words])
        raise UnknownKeyError(words.get(nearest, nearest) if nearest else None)
    return "\n".join(found)


def _plain(name: str) -> str:
    """A name as the file spells it."""
    bare = name.strip().strip("[]")
    if bare.startswith(PREFIX):
        bare = bare.removeprefix(PREFIX).replace("__", ".").lower()
    section, dot, rest = bare.partition(".")
    if section == "databases" and dot:
        known = DATABASES.table.keys
        words = [word.removesuffix(SECRET_FILE) for word in rest.split(".")]
        key = next((word for word in reversed(words) if word in known), words[-1])
        return f"databases.{ROOM}.{key}"
    if section == "directory" and rest.startswith("connections."):
        return "directory.connections"
    return bare.removesuffix(SECRET_FILE)


def _is_meant(meant: str, key: str) -> bool:
    return not meant or key == meant or key.startswith(f"{meant}.") or key.endswith(f".{meant}")


def _entries() -> dict[str, str]:
    """What is known about every key, by dotted name, in the order of the file."""
    entries: dict[str, str] = {}
    defaults = Config()
    for section, cls in sections().items():
        for key, field in keys_of(cls).items():
            dotted, known = written_name(f"{section}.{key}"), about(field)
            value = getattr(getattr(defaults, section), key)
            places = [] if isinstance(value, Mapping) else [f"Variable: {variable_of(dotted)}."]
            entries[dotted] = _entry(dotted, value, f"{known.doc} {known.why}", known.kind, places)
    fields = attrs.fields_dict(DatabaseSettings)
    for key, kind in DATABASES.table.keys.items():
        value = fields[key].default
        dotted = f"databases.{ROOM}.{key}"
        entries[dotted] = _entry(dotted, value, DOCS[key], kind, [])
    return entries


def _entry(dotted: str, value: object, text: str, kind: ValueKind, places: list[str]) -> str:
    shown = toml(value) if isinstance(value, bool | int | float | str | tuple) else "{}"
    if kind.is_secret:
        variable = f", {file_variable_of(dotted)}" if places else ""
        one = ".NAME" if isinstance(kind, TableOfSecrets) else ""
        secret = f"{dotted}{SECRET_FILE}{one}{variable}, or the credential {dotted}{one}"
        places = [*places, f"A secret; also {secret}."]
    lines = [f"{dotted} = {shown}"]
    for paragraph in (text, f"Accepted: {kind.wants}.", *places):
        lines += _wrapped(paragraph)
    return "\n".join(lines) + "\n"


def _wrapped(text: str) -> Iterator[str]:
    yield from textwrap.wrap(
        text,
        94,
        initial_indent="    ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )

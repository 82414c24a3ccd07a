"""The document of the configuration, docs/configuration, generated from the keys."""

import textwrap
from collections.abc import Iterator, Mapping

import attrs

from chatd.answers.mcp.settings import DatabaseSettings
from chatd.config.databases import DATABASES, DOCS
from chatd.config.kinds import ValueKind
from chatd.config.sections import About, Config, about, keys_of, sections
from chatd.config.show import toml
from chatd.config.tables import SECRET_FILE, TableOfRooms

_HEAD = """\
# chatd: configuration

Every key of the configuration: its default, what it accepts, what happens beyond it.

The daemon reads the first of: `--config FILE`, `$CHATD_CONFIG`, `./chatd.toml`,
`/etc/chatd/chatd.toml`. The environment overrides the file: `CHATD_SERVER__PORT=9000` sets `port`
of `[server]`; a list is written as in TOML, or with commas. Flags of `chatd serve` override both.
An unknown section, key or variable, or a value that a key does not take, ends the start with exit
code 78 and a sentence on each mistake, with its line. A variable with `CHATD_` but no double
underscore is ignored.

A secret need not stand in the file. For each key that is one, `KEY_file` has the path of a file
(from the working directory) with the secret and nothing else, at most 64 KiB; the line break at
its end is not part of it: `jwt_secret_file` for `jwt_secret`, or `CHATD_AUTH__JWT_SECRET_FILE` in
the environment. If the key is a table of secrets, such as `environment` of a database,
`environment_file` is a table of paths. A file in `$CREDENTIALS_DIRECTORY` (systemd's
`LoadCredential=`) that has the name of the key, `auth.jwt_secret` or
`databases.sales.environment.DB_URL`, is the same; it overrides `chatd.toml`, and the environment
overrides it. A secret that is written beside its `_file` is refused. The daemon warns of a file
with a secret that every user of the machine can read (`operations.md`, "Secrets").

A key in seconds (`_s`) or bytes (`_bytes`) takes a plain number, or a text with its unit:
`"100 ms"`, `"10 s"`, `"5 min"`, `"2 h"`, `"1 d"`; `"512 B"`, `"64 kB"` (64,000), `"64 KiB"`
(65,536), and so on with `MB`, `MiB`, `GB` and `GiB`. A unit that can be read in two ways, as in
`5m` or `64K`, is refused.

`chatd config check` reports the same without a start, and which files and programs are missing
that the configuration names. `chatd config show` tells what is in force and where each value came
from, and `chatd config doc KEY` explains a key. The file `chatd.toml` of the repository is a sample
with every key.
"""

_DATABASES = """
## [databases.<connectionId>]

The database of a room, and the db-mcp that answers for it; if none is written,
`[databases.demo]` is the sample database. Write one of `command`, `url`, `sqlite`, `postgres`
and `sample`. These keys cannot be set in the environment.

"""


def render() -> str:
    """The document, as Markdown."""
    parts = [_HEAD]
    defaults = Config()
    for name, section in sections().items():
        parts.append(f"\n## [{name}]\n\n{section.__doc__}\n\n")
        for key, field in keys_of(section).items():
            value = getattr(getattr(defaults, name), key)
            parts += _key(name, key, value, about(field))
    parts.append(_DATABASES)
    fields = attrs.fields_dict(DatabaseSettings)
    for key, kind in DATABASES.table.keys.items():
        default = fields[key].default
        shown = toml(default) if isinstance(default, bool | int | float | str | tuple) else "{}"
        parts += _item(key, shown, DOCS[key], kind)
    return "".join(parts)


def _key(section: str, key: str, value: object, known: About) -> Iterator[str]:
    text = f"{known.doc} {known.why}"
    if isinstance(value, Mapping):
        named = known.kind.named if isinstance(known.kind, TableOfRooms) else "name"
        yield textwrap.fill(
            f"`[{section}.{key}.<{named}>]`: {text}",
            98,
            initial_indent="- ",
            subsequent_indent="  ",
            break_on_hyphens=False,
        )
        yield "\n"
    else:
        yield from _item(known.written or key, toml(value), text, known.kind)


def _item(key: str, default: str, text: str, kind: ValueKind) -> Iterator[str]:
    also = f" A secret: also `{key}{SECRET_FILE}`, or a credential." if kind.is_secret else ""
    yield textwrap.fill(
        f"`{key} = {default}`: {text} Accepted: {kind.wants}.{also}",
        98,
        initial_indent="- ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield "\n"

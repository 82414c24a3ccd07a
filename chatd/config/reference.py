"""The document of the configuration, docs/configuration, made of what the keys say."""

import textwrap
from collections.abc import Iterator, Mapping

import attrs

from chatd.answers.mcp.settings import DatabaseSettings
from chatd.config.databases import DATABASES, DOCS
from chatd.config.kinds import ValueKind
from chatd.config.sections import About, Config, about, keys_of, sections
from chatd.config.show import toml

_HEAD = """\
# chatd: configuration

Every key of the configuration: its default, what it accepts, what happens beyond it.

The daemon reads the first of: `--config FILE`, `$CHATD_CONFIG`, `./chatd.toml`,
`/etc/chatd/chatd.toml`. The environment overrides the file: `CHATD_SERVER__PORT=9000` sets `port`
of `[server]`; a list is written as in TOML, or with commas. Flags of `chatd serve` override both.
An unknown section, key or variable, or a value that a key does not take, ends the start with exit
code 78 and a sentence on each mistake, with its line. A variable with `CHATD_` but no double
underscore is ignored.

`chatd config check` tells the same without a start, and what is not there of the files and programs
that the configuration names. `chatd config show` tells what is in force and where each value came
from. The file `chatd.toml` of the repository is a sample with every key.
"""

_DATABASES = """
## [databases.<connectionId>]

The database of a room, and the db-mcp that answers for it; where none is written,
`[databases.demo]` is the sample database. One of `command`, `url`, `sqlite`, `postgres`
and `sample` is written. These keys cannot be set in the environment.

"""


def render() -> str:
    """The document, as Markdown."""
    parts = [_HEAD]
    defaults = Config()
    for name, section in sections().items():
        parts.append(f"\n## [{name}]\n\n{section.__doc__}\n\n")
        for key, field in keys_of(section).items():
            value = getattr(getattr(defaults, name), key)
            parts += _key(key, value, about(field))
    parts.append(_DATABASES)
    fields = attrs.fields_dict(DatabaseSettings)
    for key, kind in DATABASES.table.keys.items():
        default = fields[key].default
        shown = toml(default) if isinstance(default, bool | int | float | str | tuple) else "{}"
        parts += _item(key, shown, DOCS[key], kind)
    return "".join(parts)


def _key(key: str, value: object, known: About) -> Iterator[str]:
    text = f"{known.doc} {known.why}"
    if isinstance(value, Mapping):
        yield f"- `[directory.{key}.<connectionId>]`: {text}\n"
    else:
        yield from _item(known.written or key, toml(value), text, known.kind)


def _item(key: str, default: str, text: str, kind: ValueKind) -> Iterator[str]:
    yield textwrap.fill(
        f"`{key} = {default}`: {text} Accepted: {kind.wants}.",
        98,
        initial_indent="- ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield "\n"

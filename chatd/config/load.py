"""From file, environment and flags to one `Config`.

Later layers win, key by key: defaults, the file, `CHATD_SECTION__KEY` in the environment, flags.
A variable with CHATD_ but no double underscore is none of ours and is ignored: container platforms
set such names for services (CHATD_SERVER_PORT=tcp://...), and failing on them would keep the
daemon from starting in places that nobody misconfigured.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from chatd.config.checks import check_together
from chatd.config.errors import ConfigError, InvalidValue, described, nearest
from chatd.config.kinds import unknown_name
from chatd.config.paths import PLACES, VARIABLE, read_file, shown_path
from chatd.config.sections import Config, about, keys_of, sections, tables

PREFIX = "CHATD_"
DEFAULT = "default"
COMMAND_LINE = "the command line"


@attrs.frozen
class Loaded:
    """A configuration and where it came from.

    `source` is the file that was read, None where there was none. `origin` has an entry for each
    key ("server.port", "databases"): "default", the path of the file, "$CHATD_SERVER__PORT", or
    "the command line".
    """

    config: Config
    source: Path | None
    origin: Mapping[str, str]


@attrs.frozen
class _Setting:
    """One value that somebody set: `where` opens an error, `origin` is what `Loaded` keeps.

    `key` is empty where the section is one key.
    """

    section: str
    key: str
    value: object
    where: str
    origin: str


def load(
    path: Path | None,
    env: Mapping[str, str],
    overrides: Mapping[str, Any],
    cwd: Path,
    places: Sequence[Path] = PLACES,
) -> Loaded:
    """Read, check and merge all layers.

    `overrides` maps "section.key" to values of the type that the file would have; None stands for
    a flag that was not given. Raises `ConfigError`, and nothing else, whatever is in the file, the
    environment or the overrides.
    """
    found = read_file(path, env, cwd, places)
    values: dict[str, dict[str, object]] = {name: {} for name in sections()}
    whole: dict[str, Any] = {}
    origin = dict.fromkeys((*_dotted_names(), *tables()), DEFAULT)
    where: dict[str, str] = {}
    for setting in (
        *(_from_file(*found) if found else ()),
        *_from_environment(env),
        *_from_overrides(overrides),
    ):
        if setting.key:
            values[setting.section][setting.key] = setting.value
            origin[f"{setting.section}.{setting.key}"] = setting.origin
            where[f"{setting.section}.{setting.key}"] = setting.where
        else:
            whole[setting.section] = setting.value
            origin[setting.section] = setting.origin
    made = {name: section(**values[name]) for name, section in sections().items()}
    config = Config(**made, **whole)
    check_together(config, where)
    return Loaded(config, found[0] if found else None, origin)


def _from_file(path: Path, text: str) -> Iterator[_Setting]:
    where = shown_path(path)
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(
            f"{where}: the file is nested too deeply; a key needs no nesting."
        ) from None
    except ValueError as error:
        why = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a number is too long"
        raise ConfigError(f"{where}: not valid TOML, correct it here: {_one_line(why)}.") from None
    for section, table in document.items():
        if section in tables():
            yield _table_setting(section, table, where)
            continue
        if section not in sections():
            raise ConfigError(
                f"{where}: [{unknown_name(section)}] is not a section; "
                f"{nearest(section, (*sections(), *tables()))}"
            )
        if not isinstance(table, Mapping):
            raise ConfigError(
                f"{where}: {section} must be a section, written [{section}], "
                f"not {described(table)}."
            )
        for name, value in table.items():
            yield _setting(section, name, value, where, where)


def _from_environment(env: Mapping[str, str]) -> Iterator[_Setting]:
    for variable in sorted(env):
        if not variable.startswith(PREFIX) or "__" not in variable or variable == VARIABLE:
            continue
        where = f"environment variable {unknown_name(variable)}"
        section, _, name = variable.removeprefix(PREFIX).partition("__")
        section, name = section.lower(), name.lower()
        if section in tables():
            try:
                about(tables()[section]).kind.read(env[variable])
            except InvalidValue as invalid:
                raise _refused(where, section, invalid) from None
        if section == "directory" and name.startswith("connections__"):
            name = "connections"
        if variable != variable.upper() or name not in keys_of(sections().get(section, _Empty)):
            raise ConfigError(f"{where} is not a setting; {nearest(variable, _variables())}")
        try:
            value = about(keys_of(sections()[section])[name]).kind.read(env[variable])
        except InvalidValue as invalid:
            raise _refused(where, f"{section}.{name}", invalid) from None
        yield _setting(section, name, value, where, f"${variable}")


def _from_overrides(overrides: Mapping[str, Any]) -> Iterator[_Setting]:
    for dotted, value in overrides.items():
        if value is None:
            continue
        section, _, name = dotted.partition(".")
        if section not in sections():
            raise ConfigError(
                f"{COMMAND_LINE}: {unknown_name(dotted)} is not a key; "
                f"{nearest(dotted, _dotted_names())}"
            )
        yield _setting(section, name, value, COMMAND_LINE, COMMAND_LINE)


def _setting(section: str, name: str, value: object, where: str, origin: str) -> _Setting:
    """One value, checked against its key."""
    keys = keys_of(sections()[section])
    dotted = f"{section}.{name}"
    if name not in keys:
        elsewhere = [known for known in _dotted_names() if known.endswith(f".{name}")]
        hint = f"did you mean {elsewhere[0]}?" if elsewhere else nearest(name, keys, f"{section}.")
        raise ConfigError(f"{where}: {section}.{unknown_name(name)} is not a key; {hint}")
    try:
        value = about(keys[name]).kind.structure(value)
    except InvalidValue as invalid:
        raise _refused(where, dotted, invalid) from None
    return _Setting(section, name, value, where, origin)


def _table_setting(section: str, table: object, where: str) -> _Setting:
    """A section that is one key."""
    try:
        value = about(tables()[section]).kind.structure(table)
    except InvalidValue as invalid:
        raise _refused(where, section, invalid) from None
    return _Setting(section, "", value, where, where)


def _refused(where: str, dotted: str, invalid: InvalidValue) -> ConfigError:
    end = "" if invalid.problem.endswith(("?", ".")) else "."
    return ConfigError(f"{where}: {dotted}{invalid.at} {invalid.problem}{end}")


@attrs.frozen
class _Empty:
    """Stands for a section that does not exist, so that it has no keys."""


def _dotted_names() -> list[str]:
    return [f"{name}.{k}" for name, section in sections().items() for k in keys_of(section)]


def _variables() -> list[str]:
    return [PREFIX + name.replace(".", "__").upper() for name in _dotted_names()]


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)[:200]

"""From file, environment and flags to one `Config`.

Later layers win, key by key: defaults, the file, `CHATD_SECTION__KEY` in the environment, flags.
A variable with CHATD_ but no double underscore is none of ours and is ignored: container platforms
set such names for services (CHATD_SERVER_PORT=tcp://...), and failing on them would keep the
daemon from starting where nothing is wrong.
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
    """One value that the operator set. `where` opens an error, `origin` is what `Loaded` keeps.

    `key` is empty where the section is one key.
    """

    section: str
    key: str
    value: object
    where: str
    origin: str

    @property
    def dotted(self) -> str:
        return f"{self.section}.{self.key}" if self.key else self.section


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
    values: dict[str, Any] = {name: {} for name in sections()}
    origin = dict.fromkeys((*_dotted_names(), *tables()), DEFAULT)
    where: dict[str, str] = {}
    for setting in (
        *(_from_file(*found) if found else ()),
        *_from_environment(env),
        *_from_overrides(overrides),
    ):
        if setting.key:
            values[setting.section][setting.key] = setting.value
        else:
            values[setting.section] = setting.value
        origin[setting.dotted] = setting.origin
        where[setting.dotted] = setting.where
    values |= {name: section(**values[name]) for name, section in sections().items()}
    config = Config(**values)
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
            yield _checked(_Setting(section, "", table, where, where), tables()[section])
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
            yield _of_section(_Setting(section, name, value, where, where))


def _from_environment(env: Mapping[str, str]) -> Iterator[_Setting]:
    for variable in sorted(env):
        if not variable.startswith(PREFIX) or "__" not in variable or variable == VARIABLE:
            continue
        where = f"environment variable {unknown_name(variable)}"
        section, _, name = variable.removeprefix(PREFIX).lower().partition("__")
        if section == "directory" and name.startswith("connections__"):
            name = "connections"
        keys = keys_of(sections()[section]) if section in sections() else {}
        field = tables().get(section) or keys.get(name)
        if field is None or (variable != variable.upper() and section not in tables()):
            raise ConfigError(f"{where} is not a setting; {nearest(variable, _variables())}")
        setting = _Setting(section, name if keys else "", env[variable], where, f"${variable}")
        try:
            value = about(field).kind.read(env[variable])
        except InvalidValue as invalid:
            raise _refused(setting, invalid) from None
        yield _checked(attrs.evolve(setting, value=value), field)


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
        yield _of_section(_Setting(section, name, value, COMMAND_LINE, COMMAND_LINE))


def _of_section(setting: _Setting) -> _Setting:
    """A value of a section that exists, checked."""
    section, name = setting.section, setting.key
    keys = keys_of(sections()[section])
    if name not in keys:
        elsewhere = [known for known in _dotted_names() if known.endswith(f".{name}")]
        hint = f"did you mean {elsewhere[0]}?" if elsewhere else nearest(name, keys, f"{section}.")
        raise ConfigError(f"{setting.where}: {section}.{unknown_name(name)} is not a key; {hint}")
    return _checked(setting, keys[name])


def _checked(setting: _Setting, field: "attrs.Attribute[Any]") -> _Setting:
    """The value as its key takes it."""
    try:
        return attrs.evolve(setting, value=about(field).kind.structure(setting.value))
    except InvalidValue as invalid:
        raise _refused(setting, invalid) from None


def _refused(setting: _Setting, invalid: InvalidValue) -> ConfigError:
    end = "" if invalid.problem.endswith(("?", ".")) else "."
    return ConfigError(f"{setting.where}: {setting.dotted}{invalid.at} {invalid.problem}{end}")


def _dotted_names() -> list[str]:
    return [f"{name}.{k}" for name, section in sections().items() for k in keys_of(section)]


def _variables() -> list[str]:
    return [PREFIX + name.replace(".", "__").upper() for name in _dotted_names()]


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)[:200]

"""From file, environment and flags to one `Config`.

Later layers win, key by key: defaults, the file, `CHATD_SECTION__KEY` in the environment, flags.
A variable with CHATD_ but no double underscore is none of ours and is ignored: container platforms
set such names for services (CHATD_SERVER_PORT=tcp://...), and failing on them would keep the
daemon from starting where nothing is wrong.

A mistake does not end the reading: all of them are told at once, those of the file in the order in
which they are written. What is wrong counts as not written meanwhile.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from chatd.config.checks import faults_together
from chatd.config.errors import ConfigError, InvalidValue, described, nearest
from chatd.config.examined import Examined, Layer, Loaded, Mistake, Setting, place_of
from chatd.config.kinds import unknown_name
from chatd.config.lines import WrittenFile
from chatd.config.paths import PLACES, VARIABLE, read_file, shown_path
from chatd.config.sections import Config, about, keys_of, sections, tables

PREFIX = "CHATD_"
DEFAULT = "default"
COMMAND_LINE = "the command line"


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
    examined = examine(path, env, overrides, cwd, places)
    examined.raise_any()
    return examined.loaded


def examine(
    path: Path | None,
    env: Mapping[str, str],
    overrides: Mapping[str, Any],
    cwd: Path,
    places: Sequence[Path] = PLACES,
) -> Examined:
    """As `load`, for who looks for further mistakes; raises nothing."""
    reading = _Reading()
    source = None
    try:
        source = read_file(path, env, cwd, places)
    except ConfigError as error:
        reading.unreadable(str(error))
    if source is not None:
        reading.file(*source)
    reading.environment(env)
    reading.overrides(overrides)
    return reading.examined(source[0] if source else None)


class _Reading:
    """Reads one layer after the other, and gathers what is wrong."""

    def __init__(self) -> None:
        self._settings: dict[str, Setting] = {}
        self._mistakes: list[Mistake] = []
        self._mistaken: set[str] = set()
        self._written: WrittenFile | None = None

    def unreadable(self, sentence: str) -> None:
        """There is a file that cannot be read."""
        self._mistakes.append(Mistake(Layer.FILE, 0, sentence))

    def file(self, path: Path, text: str) -> None:
        """The file."""
        where = shown_path(path)
        try:
            document = tomllib.loads(text)
        except RecursionError:
            self._add(Layer.FILE, where, "the file is nested too deeply; a key needs no nesting.")
            return
        except ValueError as error:
            is_toml = isinstance(error, tomllib.TOMLDecodeError)
            why = _one_line(str(error)) if is_toml else "a number is too long"
            self._add(Layer.FILE, where, f"not valid TOML, correct it here: {why}.")
            return
        self._written = WrittenFile(where, text)
        for section, table in document.items():
            setting = Setting(section, "", table, Layer.FILE, where, where)
            if section in tables():
                self._take(setting, tables()[section])
            elif section not in sections():
                known = (*sections(), *tables())
                hint = nearest(section, known)
                self._wrong(setting, f"[{unknown_name(section)}] is not a section; {hint}")
            elif not isinstance(table, Mapping):
                found = described(table)
                self._wrong(
                    setting, f"{section} must be a section, written [{section}], not {found}."
                )
            else:
                for name, value in table.items():
                    self._of_section(attrs.evolve(setting, key=name, value=value))

    def environment(self, env: Mapping[str, str]) -> None:
        """The variables that begin with `PREFIX`."""
        for variable in sorted(env):
            if not variable.startswith(PREFIX) or "__" not in variable or variable == VARIABLE:
                continue
            where = f"environment variable {unknown_name(variable)}"
            section, _, name = variable.removeprefix(PREFIX).lower().partition("__")
            if section == "directory" and name.startswith("connections__"):
                name = "connections"
            keys = keys_of(sections()[section]) if section in sections() else {}
            name = next((key for key in keys if _in_environment(keys[key]) == name), name)
            field = tables().get(section) or keys.get(name)
            if field is None or (variable != variable.upper() and section not in tables()):
                hint = nearest(variable, _variables())
                sentence = f"{where} is not a setting; {hint}"
                self._mistakes.append(Mistake(Layer.ENVIRONMENT, 0, sentence))
                continue
            setting = Setting(
                section,
                name if keys else "",
                env[variable],
                Layer.ENVIRONMENT,
                where,
                f"${variable}",
            )
            try:
                value = about(field).kind.read(env[variable])
            except InvalidValue as invalid:
                self._refuse(setting, invalid)
            else:
                self._take(attrs.evolve(setting, value=value), field)

    def overrides(self, overrides: Mapping[str, Any]) -> None:
        """Flags, by the key that they set."""
        for dotted, value in overrides.items():
            if value is None:
                continue
            section, _, name = dotted.partition(".")
            if section not in sections():
                hint = nearest(dotted, _dotted_names())
                sentence = f"{unknown_name(dotted)} is not a key; {hint}"
                self._add(Layer.COMMAND_LINE, COMMAND_LINE, sentence)
                continue
            self._of_section(
                Setting(section, name, value, Layer.COMMAND_LINE, COMMAND_LINE, COMMAND_LINE)
            )

    def examined(self, source: Path | None) -> Examined:
        """The whole of it, with what does not go together."""
        values: dict[str, Any] = {name: {} for name in sections()}
        origin = dict.fromkeys((*_dotted_names(), *tables()), DEFAULT)
        for setting in self._settings.values():
            origin[setting.dotted] = setting.origin
            if setting.key:
                values[setting.section][setting.key] = setting.value
            else:
                values[setting.section] = setting.value
        values |= {name: section(**values[name]) for name, section in sections().items()}
        config = Config(**values)
        for keys, problem in faults_together(config, self._mistaken):
            places = sorted(
                place_of(self._settings[key], self._written, key)
                for key in keys
                if key in self._settings
            )
            where = " and ".join(dict.fromkeys(place.sentence for place in places))
            sentence = f"{where}: {keys[0]} {problem}."
            self._mistakes.append(attrs.evolve(places[0], sentence=sentence))
        return Examined(
            Loaded(config, source, origin),
            self._mistakes,
            self._settings,
            self._written,
            frozenset(self._mistaken),
        )

    def _of_section(self, setting: Setting) -> None:
        """A value of a section that exists."""
        section, name = setting.section, setting.key
        keys = keys_of(sections()[section])
        if name in keys:
            self._take(setting, keys[name])
            return
        elsewhere = [known for known in _dotted_names() if known.endswith(f".{name}")]
        hint = f"did you mean {elsewhere[0]}?" if elsewhere else nearest(name, keys, f"{section}.")
        shown = attrs.evolve(setting, key=unknown_name(name))
        self._wrong(shown, f"{shown.dotted} is not a key; {hint}")

    def _take(self, setting: Setting, field: "attrs.Attribute[Any]") -> None:
        """The value as its key takes it, or what is right of it."""
        try:
            value = about(field).kind.structure(setting.value)
        except InvalidValue as invalid:
            self._refuse(setting, invalid)
            value = invalid.rest
        if value is not None:
            self._settings[setting.dotted] = attrs.evolve(setting, value=value)

    def _refuse(self, setting: Setting, invalid: InvalidValue) -> None:
        self._mistaken.add(setting.dotted)
        for fault in invalid.faults:
            end = "" if fault.problem.endswith(("?", ".")) else "."
            dotted = f"{setting.dotted}{fault.at}"
            self._wrong(setting, f"{dotted} {fault.problem}{end}", dotted)

    def _wrong(self, setting: Setting, problem: str, dotted: str | None = None) -> None:
        place = place_of(setting, self._written, dotted or setting.dotted)
        self._mistakes.append(attrs.evolve(place, sentence=f"{place.sentence}: {problem}"))

    def _add(self, layer: Layer, where: str, problem: str) -> None:
        self._mistakes.append(Mistake(layer, 0, f"{where}: {problem}"))


def _dotted_names() -> list[str]:
    return [f"{name}.{k}" for name, section in sections().items() for k in keys_of(section)]


def _in_environment(field: "attrs.Attribute[Any]") -> str:
    """How a variable spells a key, behind its section."""
    return (about(field).written or field.name).replace(".", "__")


def _variables() -> list[str]:
    return [
        f"{PREFIX}{name}__{_in_environment(field)}".upper()
        for name, section in sections().items()
        for field in keys_of(section).values()
    ]


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)[:200]

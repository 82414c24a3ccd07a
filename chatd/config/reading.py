"""Reads one layer of a configuration after the other, and gathers what is wrong with them.

A mistake does not end the reading. Meanwhile a wrong value counts as not written.
"""

import tomllib
from collections.abc import Mapping
from typing import Any

import attrs

from chatd.config.checks import faults_together
from chatd.config.errors import InvalidValue, kind_of, nearest
from chatd.config.examined import Examined, Layer, Loaded, Mistake, Setting, place_of
from chatd.config.kinds import unknown_name
from chatd.config.lines import WrittenFile
from chatd.config.names import (
    PREFIX,
    dotted_names,
    key_of_file,
    secret_keys,
    variable_of,
    variables,
    written_names,
)
from chatd.config.paths import VARIABLE, SourceFile, shown_path
from chatd.config.secret_files import exposures
from chatd.config.secret_keys import SecretKeys, beside
from chatd.config.sections import Config, about, keys_of, sections, tables
from chatd.config.tables import SECRET_FILE, read

DEFAULT = "default"
COMMAND_LINE = "the command line"


class Reading:
    """What was read so far. `mistakes` are those that were found earlier."""

    def __init__(self, secrets: SecretKeys, mistakes: list[Mistake]) -> None:
        self._secrets = secrets
        self._settings: dict[str, Setting] = {}
        self._mistakes = mistakes
        self._mistaken: set[str] = set()
        self._written: WrittenFile | None = None
        self._layers: dict[str, Layer] = {}
        self._inline: list[str] = []

    def file(self, source: SourceFile) -> None:
        """Read the file."""
        where = shown_path(source.path)
        try:
            document = tomllib.loads(source.text)
        except RecursionError:
            self._add(Layer.FILE, where, "the file is nested too deeply; a key needs no nesting.")
            return
        except ValueError as error:
            is_toml = isinstance(error, tomllib.TOMLDecodeError)
            why = _one_line(str(error)) if is_toml else "a number is too long"
            self._add(Layer.FILE, where, f"not valid TOML, correct it here: {why}.")
            return
        self._written = WrittenFile(where, source.text)
        for section, table in document.items():
            setting = Setting(section, "", table, Layer.FILE, where, where)
            if section in tables():
                self._take_written(setting, tables()[section])
            elif section not in sections():
                self._wrong(setting, _no_section(section, table))
            elif not isinstance(table, Mapping):
                found = kind_of(table)  # it may be a secret without its key
                self._wrong(
                    setting, f"{section} must be a section, written [{section}], not {found}."
                )
            else:
                for name, value in table.items():
                    self._of_section(attrs.evolve(setting, key=name, value=value))

    def credentials(self) -> None:
        """Read the credentials of sections; those of tables are read with the tables."""
        for dotted, field in secret_keys().items():
            secret = self._secrets.credential(dotted)
            if secret is not None:
                section, _, name = dotted.partition(".")
                where, origin = f"the credential {dotted}", self._secrets.origin[dotted]
                setting = Setting(section, name, secret, Layer.CREDENTIAL, where, origin)
                self._take(setting, field)
        is_unread = self._written is None and bool(self._mistakes)
        for name in self._secrets.unused_credentials:
            if is_unread and name.partition(".")[0] in tables():
                continue
            hint = nearest(name, self._secrets.credential_names)
            sentence = (
                f"the credential {unknown_name(name)} is not for a key that is a secret; {hint}"
            )
            self._mistakes.append(Mistake(Layer.CREDENTIAL, 0, sentence))

    def environment(self, env: Mapping[str, str]) -> None:
        """Read the variables that begin with `PREFIX`."""
        for variable in sorted(env):
            if not variable.startswith(PREFIX) or "__" not in variable or variable == VARIABLE:
                continue
            where = f"environment variable {unknown_name(variable)}"
            section, _, name = variable.removeprefix(PREFIX).lower().partition("__")
            if section == "directory" and name.startswith("connections__"):
                name = "connections"
            keys = keys_of(sections()[section]) if section in sections() else {}
            spelled = variable.upper()
            name = next((key for key in keys if variable_of(f"{section}.{key}") == spelled), name)
            key = key_of_file(section, name) or name
            field = tables().get(section) or keys.get(key)
            if field is None or (variable != variable.upper() and section not in tables()):
                hint = nearest(variable, variables())
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
            if key != name:
                self._take_file(setting, key, field)
                continue
            try:
                value = about(field).kind.read(env[variable])
            except InvalidValue as invalid:
                self._refuse(setting, invalid)
            else:
                self._take(attrs.evolve(setting, value=value), field)

    def overrides(self, overrides: Mapping[str, Any]) -> None:
        """Read flags, by the key that they set."""
        for dotted, value in overrides.items():
            if value is None:
                continue
            section, _, name = dotted.partition(".")
            if section not in sections():
                hint = nearest(dotted, dotted_names())
                sentence = f"{unknown_name(dotted)} is not a key; {hint}"
                self._add(Layer.COMMAND_LINE, COMMAND_LINE, sentence)
                continue
            self._of_section(
                Setting(section, name, value, Layer.COMMAND_LINE, COMMAND_LINE, COMMAND_LINE)
            )

    def examined(self, source: SourceFile | None) -> Examined:
        """Everything that was read, and what does not go together."""
        values: dict[str, Any] = {name: {} for name in sections()}
        origin = dict.fromkeys((*dotted_names(), *tables()), DEFAULT) | self._secrets.origin
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
        exposed = exposures(source.path, source.mode, self._inline) if source else []
        return Examined(
            Loaded(
                config,
                source.path if source else None,
                origin,
                (*exposed, *self._secrets.warnings),
            ),
            self._mistakes,
            self._settings,
            self._written,
            frozenset(self._mistaken),
        )

    def _of_section(self, setting: Setting) -> None:
        """Take a value of a section that exists."""
        section, name = setting.section, setting.key
        keys = keys_of(sections()[section])
        if name in keys:
            self._take_written(setting, keys[name])
            return
        key = key_of_file(section, name)
        if key is not None:
            self._take_file(setting, key, keys[key])
            return
        elsewhere = [known for known in dotted_names() if known.endswith(f".{name}")]
        hint = nearest(name, written_names(section), f"{section}.")
        hint = f"did you mean {elsewhere[0]}?" if elsewhere else hint
        shown = attrs.evolve(setting, key=unknown_name(name))
        self._wrong(shown, f"{shown.dotted} is not a key; {hint}")

    def _take_file(self, setting: Setting, key: str, field: "attrs.Attribute[Any]") -> None:
        """Take a secret from the file whose path is the value of the setting."""
        dotted = f"{setting.section}.{key}"
        secret = self._secrets.of_file(dotted, setting.value, setting.origin)
        origin = self._secrets.origin.get(dotted, setting.origin)
        self._take(attrs.evolve(setting, key=key, value=secret, origin=origin), field)

    def _take_written(self, setting: Setting, field: "attrs.Attribute[Any]") -> None:
        """Take a value as it is written; its tables may name files with secrets."""
        kind = about(field).kind
        value = self._secrets.filled(kind, setting.value, setting.dotted, setting.origin)
        if setting.layer is Layer.FILE:
            self._inline += [f"{setting.dotted}{at}" for at in kind.secrets(setting.value)]
        self._take(attrs.evolve(setting, value=value), field)

    def _take(self, setting: Setting, field: "attrs.Attribute[Any]") -> None:
        """Take the value as its key accepts it, or the part of it that is right."""
        if self._layers.get(setting.dotted) is setting.layer:  # a secret, and a file of it
            both = InvalidValue(beside(f"{setting.key}{SECRET_FILE}"))
            setting = attrs.evolve(setting, value=both)
        self._layers[setting.dotted] = setting.layer
        try:
            value = about(field).kind.structure(read(setting.value))
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


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)[:200]


def _no_section(name: str, value: object) -> str:
    """What is wrong with a name at the top of the file: a section that does not exist, or a key
    that stands outside of its section."""
    if not isinstance(value, Mapping):
        homes = [section for section in sections() if name in keys_of(sections()[section])]
        if homes:
            where = " or ".join(f"[{section}]" for section in homes)
            return f"{name} stands in no section; write it below {where}."
    hint = nearest(name, (*sections(), *tables()))
    return f"[{unknown_name(name)}] is not a section; {hint}"

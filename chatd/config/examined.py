"""What came of a configuration: what is set, by what, and what is wrong with it."""

import enum
from collections.abc import Mapping
from pathlib import Path

import attrs

from chatd.config.errors import ConfigError
from chatd.config.lines import WrittenFile
from chatd.config.sections import Config


@attrs.frozen
class Loaded:
    """A configuration and where it came from.

    `source` is the file that was read, None if there was none. `origin` has an entry for each key
    ("server.port", "databases"): "default", the path of the file, "$CHATD_SERVER__PORT", or "the
    command line"; and for each secret in a file of its own ("databases.shop.postgres"): that file,
    and what names it. Each of `warnings` is a sentence for the operator.
    """

    config: Config
    source: Path | None
    origin: Mapping[str, str]
    warnings: tuple[str, ...] = ()


class Layer(enum.IntEnum):
    """What can set a key; later ones win, and their mistakes are told later."""

    FILE = enum.auto()
    CREDENTIAL = enum.auto()
    ENVIRONMENT = enum.auto()
    COMMAND_LINE = enum.auto()


@attrs.frozen
class Setting:
    """One value that the operator set. `where` opens an error, `origin` is what `Loaded` keeps.

    `key` is empty if the section is one key.
    """

    section: str
    key: str
    value: object
    layer: Layer
    where: str
    origin: str

    @property
    def dotted(self) -> str:
        return f"{self.section}.{self.key}" if self.key else self.section


@attrs.frozen(order=True)
class Mistake:
    """A sentence, and what decides its place among others."""

    layer: Layer
    line: int
    sentence: str = attrs.field(order=False)


@attrs.define
class Examined:
    """What was read, and what is wrong with it. `loaded` has defaults in place of anything
    wrong."""

    loaded: Loaded
    _mistakes: list[Mistake]
    _settings: Mapping[str, Setting]
    _written: WrittenFile | None
    mistaken: frozenset[str]
    """The keys that have a mistake of their own: "server.port", "databases"."""

    def add(self, dotted: str, sentence: str) -> None:
        """Add a mistake, about a key or what is in it ("databases.shop.sqlite")."""
        key = next((name for name in self._settings if f"{dotted}.".startswith(f"{name}.")), None)
        if key is None:
            self._mistakes.append(Mistake(Layer.FILE, 0, sentence))
            return
        place = place_of(self._settings[key], self._written, dotted)
        self._mistakes.append(attrs.evolve(place, sentence=f"{place.sentence}: {sentence}"))

    def raise_any(self) -> None:
        """Raise `ConfigError` if there are mistakes."""
        if self._mistakes:
            raise ConfigError(*(mistake.sentence for mistake in sorted(self._mistakes)))


def place_of(setting: Setting, written: WrittenFile | None, dotted: str) -> Mistake:
    """Where a setting stands, or a part of it: the beginning of a sentence."""
    if setting.layer is not Layer.FILE or written is None:
        return Mistake(setting.layer, 0, setting.where)
    return Mistake(setting.layer, written.line(dotted), written.place(dotted))

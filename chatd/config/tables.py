"""The kinds of tables: with keys of their own, with a name for each room, and of secrets by name.

Like all kinds they report every fault of a table at once, and know no file. A secret may have been
read from one (`secret_keys`): if that failed, the fault stands in its place, and is reported here.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from chatd.config.errors import Faults, InvalidValue
from chatd.config.kinds import ValueKind, unknown_name
from chatd.wire.identifiers import is_connection_id

SECRET_FILE: Final = "_file"
"""The end of the key that gives the path of a file in place of a secret."""


@attrs.frozen
class TableKind(ValueKind):
    """A table with keys of its own, from which `make` makes a `made`.

    `required` has the keys that must be written, and what to write there. `check` adds the faults
    of keys that do not go together; it gets the values that are right, and the faults so far, which
    know the wrong ones. `instead` says what to do in place of keys that people expect.
    """

    wants: str
    keys: Mapping[str, ValueKind]
    made: type
    make: Callable[..., object]
    required: Mapping[str, str] = attrs.field(factory=dict)
    check: Callable[[Mapping[str, Any], Faults], None] = lambda _values, _faults: None
    instead: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def hides(self) -> bool:
        return any(kind.hides for kind in self.keys.values())

    def structure(self, value: object) -> Any:
        if isinstance(value, self.made):
            return value
        if not isinstance(value, Mapping):
            raise self.refusal(value)
        values: dict[str, Any] = {}
        faults = Faults()
        for key, given in value.items():
            at = f".{unknown_name(str(key))}"
            if key in self.instead:
                faults.add(f"is not a key; {self.instead[key]}", at)
                continue
            if key not in self.keys:
                faults.unknown(str(key), with_files(self.keys), at)
                continue
            with faults.gathered(at):
                values[key] = self.keys[key].structure(read(given))
        for key in self.required.keys() - value.keys() - faults.keys:
            faults.add(f"is missing; write {self.required[key]}", f".{key}")
        self.check(values, faults)
        can_be_made = self.required.keys() <= values.keys()
        made = self.make(**values) if can_be_made else None
        faults.raise_any(made)
        return made

    def secrets(self, value: object) -> Iterator[str]:
        for key, given in value.items() if isinstance(value, Mapping) else ():
            if key in self.keys:
                for at in self.keys[key].secrets(given):
                    yield f".{key}{at}"


@attrs.frozen
class TableOfRooms(ValueKind):
    """A table of tables, whose names are connectionIds, or names that `is_name` accepts."""

    name: str
    table: TableKind
    named: str = "connectionId"
    is_name: Callable[[object], bool] = is_connection_id
    name_rule: str = "1 to 128 printable ASCII characters that open no HTML tag"

    @property
    def wants(self) -> str:
        return f"tables [{self.name}.<{self.named}>]"

    @property
    def hides(self) -> bool:
        return self.table.hides

    def structure(self, value: object) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self.refusal(value)
        rooms: dict[str, Any] = {}
        faults = Faults()
        for name, table in value.items():
            at, has_name = f".{unknown_name(str(name))}", self.is_name(name)
            if not has_name:
                faults.add(f"must have a name of {self.name_rule}", at)
            try:
                room = self.table.structure(table)
            except InvalidValue as invalid:
                faults.gather(invalid, at)
                room = invalid.rest
            if has_name and room is not None:
                rooms[name] = room
        faults.raise_any(MappingProxyType(rooms))
        return MappingProxyType(rooms)

    def read(self, text: str) -> object:
        files = [name for name in with_files(self.table.keys) if name not in self.table.keys]
        secrets = f", where {' and '.join(files)} name files with secrets" if files else ""
        raise InvalidValue(f"cannot be set in the environment, write it in chatd.toml{secrets}")

    def secrets(self, value: object) -> Iterator[str]:
        for name, table in value.items() if isinstance(value, Mapping) else ():
            for at in self.table.secrets(table):
                yield f".{unknown_name(str(name))}{at}"


@attrs.frozen
class TableOfSecrets(ValueKind):
    """A table of texts by names that fit; errors never show a text. `holds` tells, by name and
    text, which of them are secret; the others are not."""

    wants: str
    fits: Callable[[str], bool]
    holds: Callable[[str, str], bool]
    is_secret: bool = True

    def structure(self, value: object) -> Mapping[str, str]:
        if not isinstance(value, Mapping):
            raise self.refusal(value)
        faults = Faults()
        for name, text in value.items():
            shown = unknown_name(str(name))
            if not isinstance(name, str) or not self.fits(name):
                faults.add(f"must be {self.wants}; {shown} is no such name")
            elif isinstance(text, InvalidValue):
                faults.gather(text, f".{shown}")
            elif not isinstance(text, str) or not text.isprintable():
                faults.add("must be a text without control characters", f".{shown}")
        faults.raise_any()
        return MappingProxyType(dict(value))

    def secrets(self, value: object) -> Iterator[str]:
        for name, text in value.items() if isinstance(value, Mapping) else ():
            if isinstance(text, str) and self.holds(str(name), text):
                yield f".{unknown_name(str(name))}"


def with_files(keys: Mapping[str, ValueKind]) -> list[str]:
    """The names of these keys, and of the keys for the files of the secrets among them."""
    return [*keys, *(f"{key}{SECRET_FILE}" for key, kind in keys.items() if kind.is_secret)]


def read(value: object) -> object:
    """The value itself. If it is the fault of a secret that could not be read, raise it."""
    if isinstance(value, InvalidValue):
        raise value
    return value

"""The kinds of tables: with keys of their own, and with a name for each room.

As all kinds they tell every fault of a table at once, and know no file.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from chatd.config.errors import Faults, InvalidValue
from chatd.config.kinds import ValueKind, unknown_name
from chatd.wire.identifiers import is_connection_id


@attrs.frozen
class TableKind(ValueKind):
    """A table with keys of its own, from which `make` makes a `made`.

    `required` are the keys that have to be written, and what to write there. `check` adds the
    faults of keys that do not go together; it is given the values that are right, and the faults
    so far know which are not.
    """

    wants: str
    keys: Mapping[str, ValueKind]
    made: type
    make: Callable[..., object]
    required: Mapping[str, str] = attrs.field(factory=dict)
    check: Callable[[Mapping[str, Any], Faults], None] = lambda _values, _faults: None

    def structure(self, value: object) -> Any:
        if isinstance(value, self.made):
            return value
        if not isinstance(value, Mapping):
            raise self.refusal(value)
        values: dict[str, Any] = {}
        faults = Faults()
        for key, given in value.items():
            at = f".{unknown_name(str(key))}"
            if key not in self.keys:
                faults.unknown(str(key), self.keys, at)
                continue
            with faults.gathered(at):
                values[key] = self.keys[key].structure(given)
        for key in self.required.keys() - value.keys() - faults.keys:
            faults.add(f"is missing; write {self.required[key]}", f".{key}")
        self.check(values, faults)
        can_be_made = self.required.keys() <= values.keys()
        made = self.make(**values) if can_be_made else None
        faults.raise_any(made)
        return made


@attrs.frozen
class TableOfRooms(ValueKind):
    """A table of tables, whose names are connectionIds."""

    name: str
    table: TableKind

    @property
    def wants(self) -> str:
        return f"tables [{self.name}.<connectionId>]"

    def structure(self, value: object) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self.refusal(value)
        rooms: dict[str, Any] = {}
        faults = Faults()
        for name, table in value.items():
            at, has_name = f".{unknown_name(str(name))}", is_connection_id(name)
            if not has_name:
                faults.add(
                    "must have a name of 1 to 128 printable ASCII characters that open no HTML tag",
                    at,
                )
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
        raise InvalidValue("cannot be set in the environment, write it in chatd.toml")

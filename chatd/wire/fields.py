"""What a field of a payload says about itself, for the encoder and for generated clients.

A payload class is an attrs class whose fields are `Annotated` with a `Note`. The type gives the
shape; the note adds a sentence for people and the unit of a number. A field whose default is None
is optional: it is left out if its value is None. The name on the wire follows from the attribute
by one rule, `wire_name`.
"""

from collections.abc import Iterator
from types import ModuleType
from typing import Any, get_args

import attrs


@attrs.frozen
class Note:
    """`name` replaces the name on the wire. `rendered` is the class whose JSON the field holds,
    if it is JSON already. A field that is `flattened` stands for the fields of its value."""

    sentence: str
    unit: str | None = None
    name: str | None = None
    rendered: type | None = None
    is_flattened: bool = False


def note_of(field: "attrs.Attribute[Any]") -> Note:
    """The note of a field of a payload class."""
    return next(part for part in get_args(field.type) if isinstance(part, Note))


def name_of(field: "attrs.Attribute[Any]") -> str:
    """The name on the wire of a field of a payload class."""
    return note_of(field).name or wire_name(field.name)


def classes_of(module: ModuleType) -> Iterator[type[Any]]:
    """The payload classes that a module declares, in their order."""
    for kind in vars(module).values():
        if isinstance(kind, type) and attrs.has(kind) and kind.__module__ == module.__name__:
            yield kind


def wire_name(attribute: str) -> str:
    """The name of a field on the wire: `message_id` is `messageId`."""
    first, *rest = attribute.split("_")
    return first + "".join(word.capitalize() for word in rest)

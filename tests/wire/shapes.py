"""The shapes of clients' payloads as the golden catalogue has them, judged by plain code."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs

from chatd.wire.catalogue import CLIENT_EVENTS
from tests.wire.golden import TYPES


@attrs.frozen
class Field:
    """What a field takes: a type, a list of texts (`list`), or an object of fields; of texts, only
    some words where it has them."""

    kind: "type | Shape"
    optional: bool = False
    words: tuple[str, ...] = ()


Shape: TypeAlias = Mapping[str, Field]

_KINDS = {"string": str, "integer": int, "boolean": bool, "array": list}


def shape_of(name: str) -> Shape:
    """The shape of a class of payloads."""
    schema = TYPES[name]
    return {
        key: _field(one, is_optional=key not in schema["required"])
        for key, one in schema["properties"].items()
    }


def _field(schema: Mapping[str, Any], *, is_optional: bool) -> Field:
    if "$ref" not in schema:
        return Field(_KINDS[schema["type"]], is_optional)
    name = schema["$ref"].removeprefix("#/types/")
    words = tuple(TYPES[name].get("enum", ()))
    return Field(str if words else shape_of(name), is_optional, words)


CONTEXT = shape_of("Context")
SHAPES: Mapping[type, Shape] = {
    payload: shape_of(payload.__name__) for payload, _ in CLIENT_EVENTS.values()
}


def fault(value: Any, shape: Shape) -> str | None:
    """The path of the first field that does not fit; `""` is the value itself, None is no fault."""
    if type(value) is not dict:
        return ""
    for name, field in shape.items():
        if field.optional and value.get(name) is None:
            continue
        if name not in value:
            return name
        inner = _fault_of_field(value[name], field.kind)
        if inner is not None:
            return name + ("." if inner and inner[0] != "[" else "") + inner
    return None


def wrong_word(value: Any, shape: Shape) -> str | None:
    """The name of the first field of a fitting object that holds none of its words."""
    wrong = (
        name for name, field in shape.items() if field.words and value[name] not in field.words
    )
    return next(wrong, None)


def _fault_of_field(value: Any, kind: type | Shape) -> str | None:
    if not isinstance(kind, type):
        return fault(value, kind)
    if kind is list and type(value) is list and len(value) <= 100:
        wrong = (at for at, item in enumerate(value) if not _fits(item, str))
        return next((f"[{at}]" for at in wrong), None)
    return None if kind is not list and _fits(value, kind) else ""


def _fits(value: Any, kind: type) -> bool:
    match value:
        case bool():
            return kind is bool
        case int():
            return kind is int and abs(value) < 2**53
        case str():
            return kind is str and not any("\ud800" <= char <= "\udfff" for char in value)
        case _:
            return False

"""The one way from payloads to JSON: camelCase names, absent fields left out, in declared order.

For each class a function is made once that puts its fields into a dictionary, as attrs makes
`__init__`: a message is encoded three times faster than by a loop over the fields. orjson writes
what it knows, and asks `plain` for payloads inside of others.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import attrs
import orjson

from chatd.wire import acks, connect, events
from chatd.wire.events import Payload
from chatd.wire.fields import classes_of, name_of, note_of

Writer: TypeAlias = Callable[[Payload], dict[str, Any]]

PAYLOADS: tuple[type[Any], ...] = (*classes_of(events), *classes_of(acks), *classes_of(connect))


def encode(payload: Payload) -> bytes:
    """The JSON of a payload."""
    return orjson.dumps(_WRITERS[type(payload)](payload), plain)


def plain(payload: Payload) -> dict[str, Any]:
    """The fields of a payload by their names on the wire; raises TypeError for what is none."""
    writer = _WRITERS.get(type(payload))
    if writer is None:
        raise TypeError(f"{type(payload).__name__} is no payload.")
    return writer(payload)


def _writer(kind: type[Any]) -> Writer:
    fields = list(attrs.fields(kind))
    first: list[str] = []  # the fields that are always there, as far as they come first
    while fields and fields[0].default is not None and not note_of(fields[0]).is_flattened:
        field = fields.pop(0)
        first.append(f"{name_of(field)!r}: payload.{field.name}")
    lines = ["def write(payload):", f"    written = {{{', '.join(first)}}}"]
    for field in fields:
        put = f"written[{name_of(field)!r}] = payload.{field.name}"
        if note_of(field).is_flattened:
            put = f"written |= plain(payload.{field.name})"
        elif field.default is None:
            put = f"if payload.{field.name} is not None: {put}"
        lines.append(f"    {put}")
    scope: dict[str, Any] = {"plain": plain}
    exec("\n".join([*lines, "    return written"]), scope)  # all of it is from the classes
    writer: Writer = scope["write"]
    return writer


_WRITERS: dict[type, Writer] = {kind: _writer(kind) for kind in PAYLOADS}

"""The one way from payloads to JSON: camelCase names, absent fields left out, in declared order.

What a class needs for that is looked up once. orjson writes what it knows, and asks `plain` for
each payload that it meets, at any depth.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeAlias

import attrs
import orjson

from chatd.wire import acks, events
from chatd.wire.events import Payload
from chatd.wire.fields import name_of, note_of

Writer: TypeAlias = Callable[[Payload], dict[str, Any]]

PAYLOADS: tuple[type[Any], ...] = tuple(
    kind
    for module in (events, acks)
    for kind in vars(module).values()
    if isinstance(kind, type) and attrs.has(kind) and kind.__module__ == module.__name__
)  # every class of a payload, in the order in which they are declared


def encode(payload: Payload) -> bytes:
    """The JSON of a payload."""
    return orjson.dumps(payload, plain)


def plain(payload: Payload) -> dict[str, Any]:
    """The fields of a payload by their names on the wire; raises TypeError for what is none."""
    writer = _WRITERS.get(type(payload))
    if writer is None:
        raise TypeError(f"{type(payload).__name__} is no payload.")
    return writer(payload)


def _writer(kind: type[Any]) -> Writer:
    fields = attrs.fields(kind)
    names = tuple(map(name_of, fields))
    optional = tuple(name for name, one in zip(names, fields, strict=True) if one.default is None)
    flattened = tuple(
        name for name, one in zip(names, fields, strict=True) if note_of(one).is_flattened
    )
    values = attrgetter(*(one.name for one in fields))
    if len(names) == 1:
        return lambda payload: {names[0]: values(payload)}

    def write(payload: Payload) -> dict[str, Any]:
        written = dict(zip(names, values(payload), strict=True))
        for name in optional:
            if written[name] is None:
                del written[name]
        return written

    if not flattened:
        return write

    def write_flat(payload: Payload) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for name, value in write(payload).items():
            written |= plain(value) if name in flattened else {name: value}
        return written

    return write_flat


_WRITERS: dict[type, Writer] = {kind: _writer(kind) for kind in PAYLOADS}

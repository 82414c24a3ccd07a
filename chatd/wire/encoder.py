"""The one way from payloads to JSON: camelCase names, absent fields left out, in declared order.

For each class a function is made once that puts its fields into a dictionary, as attrs makes
`__init__`: a message is encoded three times faster than by a loop over the fields. orjson writes
what it knows, and asks `plain` for payloads inside others.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeAlias

import attrs
import orjson

from chatd.wire import acks, connect, events, over_http
from chatd.wire.events import Payload
from chatd.wire.fields import classes_of, name_of, note_of, wire_name

P = ParamSpec("P")
Writer: TypeAlias = Callable[[Payload], dict[str, Any]]

PAYLOADS: tuple[type[Any], ...] = tuple(
    kind for module in (events, acks, connect, over_http) for kind in classes_of(module)
)


def encode(payload: Payload) -> bytes:
    """The JSON of a payload."""
    return orjson.dumps(_WRITERS[type(payload)](payload), plain)


def plain(payload: Payload) -> dict[str, Any]:
    """The fields of a payload by their names on the wire; raises TypeError for anything else."""
    writer = _WRITERS.get(type(payload))
    if writer is None:
        raise TypeError(f"{type(payload).__name__} is not a payload.")
    return writer(payload)


def encode_with_sent(ack: acks.MessageAck) -> tuple[bytes, bytes]:
    """The JSON of an ack, and of the payload that it repeats, which is encoded once for both."""
    sent = encode(ack.sent)
    if ack.ignored is not None:
        return encode(ack), sent
    return (_OK_READ if ack.question else _OK_TALK) + sent[1:], sent


def replayed(message_json: bytes) -> bytes:
    """The JSON of a `PublishedMessage` with `replay`, its last field.

    >>> replayed(b'{"messageId":"m"}')
    b'{"messageId":"m","replay":true}'
    """
    return message_json[:-1] + _REPLAY


def with_fields(payload_json: bytes, **fields: object) -> bytes:
    """The JSON of a payload, followed by those of its last fields that are not None.

    >>> with_fields(b'{"messageId":"m"}', rev=3, edited_at=None)
    b'{"messageId":"m","rev":3}'
    """
    more = {wire_name(name): value for name, value in fields.items() if value is not None}
    return payload_json[:-1] + b"," + orjson.dumps(more, plain)[1:]


def encoder_of(kind: Callable[P, Payload]) -> Callable[P, bytes]:
    """A function that makes the JSON of a payload of this class straight from its fields, for the
    hot path: making a payload only to encode it costs as much as encoding it. Nothing in it is
    flattened."""
    of: Any = kind
    fields = attrs.fields(of)
    names = [one.name if one.default is attrs.NOTHING else f"{one.name}=None" for one in fields]
    source = _source(of, f"write({', '.join(names)})", "", "dumps(written, plain)")
    encoder: Callable[P, bytes] = _made(source)
    return encoder


def _writer(kind: type[Any]) -> Writer:
    writer: Writer = _made(_source(kind, "write(payload)", "payload.", "written"))
    return writer


def _source(kind: Any, head: str, value: str, result: str) -> list[str]:
    """A function that puts the fields of a payload, each found after `value`, into `written`."""
    fields = list(attrs.fields(kind))
    first: list[str] = []  # the fields that are always there, as far as they come first
    while fields and fields[0].default is not None and not note_of(fields[0]).is_flattened:
        field = fields.pop(0)
        first.append(f"{name_of(field)!r}: {value}{field.name}")
    lines = [f"def {head}:", f"    written = {{{', '.join(first)}}}"]
    for field in fields:
        put = f"written[{name_of(field)!r}] = {value}{field.name}"
        if note_of(field).is_flattened:
            put = f"written |= plain({value}{field.name})"
        elif field.default is None:
            put = f"if {value}{field.name} is not None: {put}"
        lines.append(f"    {put}")
    return [*lines, f"    return {result}"]


def _made(source: list[str]) -> Any:
    scope: dict[str, Any] = {"plain": plain, "dumps": orjson.dumps}
    exec("\n".join(source), scope)  # all of it is from the classes
    return scope["write"]


_WRITERS: dict[type, Writer] = {kind: _writer(kind) for kind in PAYLOADS}

_OK = encode(acks.AckPayload())[:-1]
_OK_READ, _OK_TALK = _OK + b',"question":true,', _OK + b',"question":false,'
_REPLAY = b',"replay":true}'

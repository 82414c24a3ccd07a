"""Everything on the wire above Socket.IO as plain data, from which clients are generated.

    python -m chatd.wire.catalogue > tests/wire/catalogue.json

`types` has a JSON Schema for each class of a payload and each enum, under its name. Properties are
in the order in which they are written; each has a `description`, and a `unit` if it is counted
in one. What is not `required` is left out. `serverEvents` and `clientEvents` say which payloads an
event has, and which ack answers it; `refused` is the ack of any event that is refused.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs
import orjson

from chatd.wire.acks import (
    AckPayload,
    CancelAck,
    ChangeAck,
    HistoryAck,
    JoinAck,
    LeaveAck,
    MessageAck,
    MessageGetAck,
    PresenceAck,
    ReadAck,
    RefusedAck,
    SchemaAck,
    SearchAck,
    TokenAck,
)
from chatd.wire.codes import EXPLANATIONS, HINTS, Code
from chatd.wire.connect import ConnectAuth, ConnectErrorData
from chatd.wire.encoder import PAYLOADS
from chatd.wire.events import EventPayload
from chatd.wire.fields import name_of, note_of
from chatd.wire.names import ClientEvent, ServerEvent
from chatd.wire.payloads import (
    AnswerCancel,
    AuthRefresh,
    ChatAck,
    ChatMessage,
    ChatRead,
    ChatSearch,
    ConnectionJoin,
    ConnectionLeave,
    HistoryGet,
    MessageDelete,
    MessageEdit,
    MessageGet,
    MessageReact,
    PresenceUpdate,
    SchemaGet,
    TypingStart,
    TypingStop,
)

CLIENT_EVENTS: Mapping[ClientEvent, tuple[type, type[AckPayload]]] = {
    ClientEvent.CHAT_MESSAGE: (ChatMessage, MessageAck),
    ClientEvent.TYPING_START: (TypingStart, AckPayload),
    ClientEvent.TYPING_STOP: (TypingStop, AckPayload),
    ClientEvent.PRESENCE_UPDATE: (PresenceUpdate, PresenceAck),
    ClientEvent.CHAT_ACK: (ChatAck, AckPayload),
    ClientEvent.CHAT_READ: (ChatRead, ReadAck),
    ClientEvent.MESSAGE_GET: (MessageGet, MessageGetAck),
    ClientEvent.MESSAGE_EDIT: (MessageEdit, ChangeAck),
    ClientEvent.MESSAGE_DELETE: (MessageDelete, ChangeAck),
    ClientEvent.MESSAGE_REACT: (MessageReact, ChangeAck),
    ClientEvent.CONNECTION_JOIN: (ConnectionJoin, JoinAck),
    ClientEvent.CONNECTION_LEAVE: (ConnectionLeave, LeaveAck),
    ClientEvent.HISTORY_GET: (HistoryGet, HistoryAck),
    ClientEvent.SEARCH: (ChatSearch, SearchAck),
    ClientEvent.ANSWER_CANCEL: (AnswerCancel, CancelAck),
    ClientEvent.SCHEMA_GET: (SchemaGet, SchemaAck),
    ClientEvent.AUTH_REFRESH: (AuthRefresh, TokenAck),
}

_OVER_SOCKETS = attrs.filters.exclude("http_status")
_PLAIN = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    NoneType: "null",
    orjson.Fragment: "null",  # if a field may be that, and names no class that it holds
}


def catalogue() -> dict[str, Any]:
    """All of it, as JSON holds it."""
    types: dict[str, Any] = {}
    server_events: dict[str, list[str]] = {event: [] for event in ServerEvent}
    for kind in PAYLOADS:
        if issubclass(kind, EventPayload) and hasattr(kind, "event"):
            server_events[kind.event].append(_refer(kind, types))
    client_events = {
        event: {"payload": _refer(payload, types), "ack": _refer(ack, types)}
        for event, (payload, ack) in CLIENT_EVENTS.items()
    }
    catalogue = {
        "serverEvents": server_events,
        "clientEvents": client_events,
        "refused": _refer(RefusedAck, types),
        "connect": {"auth": _refer(ConnectAuth, types), "error": _refer(ConnectErrorData, types)},
        "codes": {code: attrs.asdict(EXPLANATIONS[code], filter=_OVER_SOCKETS) for code in Code},
        "hints": HINTS,
        "types": dict(sorted(types.items())),
    }
    return _plain(catalogue)


def schemas_of(*kinds: type) -> dict[str, Any]:
    """The schemas of these classes and of everything inside them, by name."""
    types: dict[str, Any] = {}
    for kind in kinds:
        _refer(kind, types)
    return _plain(dict(sorted(types.items())))


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = orjson.loads(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS))
    return plain


def _refer(kind: type, types: dict[str, Any]) -> str:
    """The name of a class or enum, with its schema in `types`."""
    name = kind.__name__
    if name not in types:
        types[name] = None  # a class that holds itself ends here
        types[name] = {"description": " ".join((kind.__doc__ or "").split())}
        if issubclass(kind, StrEnum):
            types[name]["enum"] = list(kind)
        else:
            properties = dict(_properties(kind, types))
            types[name] |= {
                "type": "object",
                "properties": {key: schema for key, (schema, _) in properties.items()},
                "required": [key for key, (_, required) in properties.items() if required],
            }
    return name


def _properties(kind: type, types: dict[str, Any]) -> Iterator[tuple[str, tuple[Any, bool]]]:
    """The fields of a class: name, schema, and whether it is always there."""
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(kind)
    for field in fields:
        note, is_optional = note_of(field), field.default is None
        of = get_args(field.type)[0]
        if note.is_flattened:
            yield from _properties(of, types)
            continue
        if note.rendered is not None:  # it is JSON already: the class that it holds counts
            is_list = get_origin(of) is Sequence
            # A type that is known only at run time.
            of = Sequence[note.rendered] if is_list else note.rendered  # type: ignore[name-defined]
        schema = _schema(of, types, is_optional=is_optional)
        schema["description"] = note.sentence
        if note.unit is not None:
            schema["unit"] = note.unit
        yield name_of(field), (schema, not is_optional)


def _schema(of: Any, types: dict[str, Any], *, is_optional: bool = False) -> dict[str, Any]:
    """The JSON Schema of a type; None in the type of an optional field means its absence."""
    origin, args = get_origin(of), get_args(of)
    if of in _PLAIN:
        return {"type": _PLAIN[of]}
    if origin is Annotated:
        return _schema(args[0], types)
    if origin is Literal:
        words = [{"const": one} for one in args]
        return words[0] if len(words) == 1 else {"anyOf": words}
    if origin in (Union, UnionType):
        kinds = [one for one in args if not (is_optional and one is NoneType)]
        schemas = [_schema(one, types) for one in kinds]
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    if origin is tuple and args[-1] is not Ellipsis:
        return {"type": "array", "prefixItems": [_schema(one, types) for one in args]}
    if origin in (tuple, Sequence):
        return {"type": "array", "items": _schema(args[0], types)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _schema(args[1], types)}
    return {"$ref": f"#/types/{_refer(of, types)}"}


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(catalogue(), option=orjson.OPT_INDENT_2).decode() + "\n")

"""The events of both directions and their fields, as the Markdown of docs/protocol.

`python -m tests.cli.field_tables` writes them into the document; a test compares.
"""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs
import orjson

from chatd.wire import acks, events, payloads
from chatd.wire.codes import Code
from chatd.wire.events import Cell, EventPayload
from chatd.wire.fields import Note, name_of, note_of, wire_name
from chatd.wire.names import ClientEvent, ServerEvent

DOCUMENT = Path(__file__).parents[2] / "chatd" / "docs" / "protocol.md"

FROM_CLIENTS: Mapping[ClientEvent, tuple[type, type | None]] = {
    ClientEvent.CHAT_MESSAGE: (payloads.ChatMessage, acks.MessageAck),
    ClientEvent.CHAT_ACK: (payloads.ChatAck, None),
    ClientEvent.TYPING_START: (payloads.TypingSignal, None),
    ClientEvent.TYPING_STOP: (payloads.TypingSignal, None),
    ClientEvent.PRESENCE_UPDATE: (payloads.PresenceUpdate, acks.PresenceAck),
    ClientEvent.CONNECTION_JOIN: (payloads.ConnectionJoin, acks.RoomAck),
    ClientEvent.CONNECTION_LEAVE: (payloads.ConnectionLeave, acks.RoomAck),
    ClientEvent.HISTORY_GET: (payloads.HistoryGet, acks.HistoryAck),
    ClientEvent.SEARCH: (payloads.ChatSearch, acks.SearchAck),
    ClientEvent.ANSWER_CANCEL: (payloads.AnswerCancel, acks.CancelAck),
    ClientEvent.AUTH_REFRESH: (payloads.AuthRefresh, acks.TokenAck),
}
"""The payload of each event of a client, and its ack; None: `ok` alone."""

_PLAIN: Mapping[object, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    Code: "string, a code",
    ClientEvent: "string, the name of an event",
    Cell: "cell",
}


def from_clients() -> str:
    """The section of the events that clients send, from its first event on."""
    assert FROM_CLIENTS.keys() == set(ClientEvent)
    parts = []
    for event, (payload, ack) in FROM_CLIENTS.items():
        parts.append(f"### {event}\n\n{_sentences(payload)}\n\n{_table(payload)}\n\n{_ack(ack)}")
    return "\n\n".join(parts) + "\n"


def from_server() -> str:
    """The section of the events that the server sends, and the objects inside of them all."""
    classes = [cls for cls in _classes(events) if issubclass(cls, EventPayload)]
    parts = []
    for event in ServerEvent:
        shapes = [cls for cls in classes if cls.event is event]
        assert shapes
        parts.append(f"### {event}\n\n" + "\n\n".join(map(_shape, shapes)))
    return "\n\n".join([*parts, "### Objects", *map(_object, _objects())]) + "\n"


def rewritten(text: str) -> str:
    """The document with both sections as they have to be."""
    text = _with_section(text, "Events from clients", from_clients())
    return _with_section(text, "Events from the server", from_server())


def _with_section(text: str, heading: str, section: str) -> str:
    """The text with this in its section, from the first event on."""
    section_at = text.index(f"\n## {heading}\n") + 1
    end = text.index("\n## ", section_at) + 1
    begin = text.find("\n### ", section_at, end) + 1 or end
    return f"{text[:begin]}{section}\n{text[end:]}"


def _classes(module: ModuleType) -> list[Any]:
    """The payload classes of a module, in the order in which they stand there."""
    found = [
        cls for _, cls in inspect.getmembers(module, attrs.has) if cls.__module__ == module.__name__
    ]
    return sorted(found, key=lambda cls: inspect.getsourcelines(cls)[1])


def _objects() -> list[Any]:
    """What stands inside of payloads and acks by its name."""
    shown = {payload for payload, _ in FROM_CLIENTS.values()}
    inner = [
        cls
        for module in (payloads, events, acks)
        for cls in _classes(module)
        if cls not in shown and not issubclass(cls, EventPayload | acks.AckPayload)
    ]
    return [cls for cls in inner if cls not in (acks.RefusedAck, acks.ConnectErrorData)]


def _shape(cls: type) -> str:
    return f"{_sentences(cls)}\n\n{_table(cls)}"


def _object(cls: type) -> str:
    return f"**{cls.__name__}**: {_sentences(cls)}\n\n{_table(cls)}"


def _sentences(cls: type) -> str:
    """What its docstring says, with names as they are on the wire."""
    words = " ".join((cls.__doc__ or "").split())
    return re.sub(r"`(\w+)`", lambda found: f"`{wire_name(found[1])}`", words)


def _ack(cls: type | None) -> str:
    if cls is None:
        return "Ack: nothing more."
    inner = [field for field in attrs.fields(cls) if field.name != "ok"]
    if len(inner) == 1 and note_of(inner[0]).is_flattened:
        return f"Ack: the fields of `{_shape_of(inner[0]).event}`."
    return f"Ack:\n\n{_table(cls)}"


def _table(cls: type) -> str:
    rows = [
        f"| `{name_of(field)}{'?' if field.default is None else ''}` | {_type(field)} "
        f"| {note_of(field).sentence} |"
        for field in _flat(cls)
        if field.name != "ok"
    ]
    return "\n".join(["| field | type | meaning |", "|---|---|---|", *rows])


def _flat(cls: type) -> Iterator[Any]:
    """The fields of a class, with those of a value that stands for its own fields."""
    for field in attrs.fields(cls):
        if note_of(field).is_flattened:
            yield from _flat(_shape_of(field))
        else:
            yield field


def _shape_of(field: Any) -> Any:
    """What a field holds, without what it says of itself."""
    shape = field.type
    while get_origin(shape) is Annotated:
        shape = get_args(shape)[0]
    return shape


def _type(field: Any) -> str:
    note: Note = note_of(field)
    shape = _shape_of(field)
    is_optional = field.default is None
    name = _named(shape, note.rendered, is_optional=is_optional)
    return name if note.unit is None else f"{name}, {note.unit}"


def _named(
    shape: Any, rendered: type | None, *, is_optional: bool = False, many: bool = False
) -> str:
    if shape in _PLAIN:
        return _PLAIN[shape] + ("s" if many else "")
    if shape is orjson.Fragment and rendered is not None:
        return _named(rendered, None, many=many)
    origin, inner = get_origin(shape), get_args(shape)
    if origin is Annotated:
        return _named(inner[0], rendered, is_optional=is_optional)
    if origin in (Union, UnionType):
        named = [_named(one, rendered) for one in inner if one is not NoneType]
        return " or ".join([*named, *([] if is_optional else ["null"])])
    if origin is Literal:
        return " or ".join(f"`{orjson.dumps(one).decode()}`" for one in inner)
    if origin is tuple and inner[-1] is not Ellipsis:
        return f"pair{'s' if many else ''} of {_named(inner[0], rendered, many=True)}"
    if origin in (tuple, Sequence):
        return f"list{'s' if many else ''} of {_named(inner[0], rendered, many=True)}"
    if issubclass(shape, EventPayload):
        return f"`{shape.event}`"
    if issubclass(shape, StrEnum):
        return " or ".join(f'`"{one}"`' for one in shape)
    return f"`{shape.__name__}`"


if __name__ == "__main__":
    DOCUMENT.write_text(rewritten(DOCUMENT.read_text("utf-8")), "utf-8")

"""The catalogue of the wire as the Markdown of docs/protocol.

`python -m tests.cli.field_tables` writes it into the document; a test compares.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from chatd.wire.catalogue import catalogue
from chatd.wire.fields import wire_name

DOCUMENT = Path(__file__).parents[2] / "chatd" / "docs" / "protocol.md"

_CATALOGUE = catalogue()
_TYPES: Mapping[str, Any] = _CATALOGUE["types"]
_SENT = {shape: event for event, shapes in _CATALOGUE["serverEvents"].items() for shape in shapes}
_SHOWN_ELSEWHERE = {
    _CATALOGUE["refused"],
    *_CATALOGUE["connect"].values(),
    *_SENT,
    *(name for event in _CATALOGUE["clientEvents"].values() for name in event.values()),
}
_IN_EACH_ACK = ("ok", "ignored")
_WORDS = {"Code": "string, a code", "ClientEvent": "string, the name of an event"}


def rewritten(text: str) -> str:
    """The document with all that the catalogue says as it says it."""
    text = _with_events(text, "Events from clients", _from_clients())
    text = _with_events(text, "Events from the server", _from_server())
    text = _with_table(text, "Connecting", _table(_TYPES[_CATALOGUE["connect"]["auth"]]))
    text = _with_table(text, "Acks and refusals", _table(_TYPES["ErrorDetails"]))
    text = _with_table(text, "Hints", _hints())
    return _with_table(text, "Codes", _codes())


def _from_clients() -> str:
    parts = []
    for event, names in _CATALOGUE["clientEvents"].items():
        payload = _TYPES[names["payload"]]
        shape = _shape(payload["description"], payload)
        parts.append(f"### {event}\n\n{shape}\n\n{_ack(_TYPES[names['ack']])}")
    return "\n\n".join(parts)


def _from_server() -> str:
    parts = [
        f"### {event}\n\n"
        + "\n\n".join(_shape(_TYPES[shape]["description"], _TYPES[shape]) for shape in shapes)
        for event, shapes in _CATALOGUE["serverEvents"].items()
    ]
    objects = [
        _shape(f"**{name}**: {kind['description']}", kind)
        for name, kind in _TYPES.items()
        if name not in _SHOWN_ELSEWHERE and "enum" not in kind
    ]
    return "\n\n".join([*parts, "### Objects", *objects])


def _codes() -> str:
    rows = [
        f"| `{code}` | {'yes' if known['retryable'] else 'no'} | {known['sentence']} |"
        for code, known in _CATALOGUE["codes"].items()
    ]
    return "\n".join(["| code | retryable | sentence |", "|---|---|---|", *rows])


def _hints() -> str:
    rows = [f"| `{code}` | {known or 'none'} |" for code, known in _CATALOGUE["hints"].items()]
    return "\n".join(["| code | sentence |", "|---|---|", *rows])


def _shape(sentence: str, kind: Mapping[str, Any]) -> str:
    words = re.sub(r"`(\w+)`", lambda found: f"`{wire_name(found[1])}`", sentence)
    return f"{words}\n\n{_table(kind)}"


def _ack(kind: Mapping[str, Any]) -> str:
    fields = {name: field for name, field in kind["properties"].items() if name not in _IN_EACH_ACK}
    if not fields:
        return "Ack: nothing more."
    for shape, event in _SENT.items():
        if _TYPES[shape]["properties"] == fields:
            return f"Ack: the fields of `{event}`."
    return f"Ack:\n\n{_table({**kind, 'properties': fields})}"


def _table(kind: Mapping[str, Any]) -> str:
    rows = []
    for name, field in kind["properties"].items():
        if name != "ok":
            mark = "" if name in kind["required"] else "?"
            unit = f", {field['unit']}" if "unit" in field else ""
            rows.append(f"| `{name}{mark}` | {_named(field)}{unit} | {field['description']} |")
    return "\n".join(["| field | type | meaning |", "|---|---|---|", *rows])


def _named(schema: Mapping[str, Any], *, many: bool = False) -> str:
    """What a JSON Schema describes, in words."""
    s = "s" if many else ""
    match schema:
        case {"$ref": str(ref)}:
            name = ref.removeprefix("#/types/")
            if name in _WORDS:
                return _WORDS[name]
            if "enum" in _TYPES[name]:
                return " or ".join(f'`"{one}"`' for one in _TYPES[name]["enum"])
            return f"`{_SENT.get(name, name)}`"
        case {"const": constant}:
            return f"`{orjson.dumps(constant).decode()}`"
        case {"anyOf": [*kinds]}:
            named = [_named(one, many=many) for one in kinds]
            return "cell" + s if len(named) > 3 else " or ".join(named)
        case {"prefixItems": [first, *_]}:
            return f"pair{s} of {_named(first, many=True)}"
        case {"type": "array", "items": item}:
            return f"list{s} of {_named(item, many=True)}"
        case {"type": "object", "additionalProperties": value}:
            return f"object{s} of {_named(value, many=True)}"
        case {"type": str(name)}:
            return name if name == "null" else name + s
    raise AssertionError(schema)


def _section(text: str, heading: str) -> tuple[int, int]:
    begin = text.index(f"\n## {heading}\n") + 1
    end = text.find("\n## ", begin)
    return begin, len(text) if end < 0 else end + 1


def _with_events(text: str, heading: str, events: str) -> str:
    """The text with these in a section, from its first event on."""
    begin, end = _section(text, heading)
    first = text.find("\n### ", begin, end) + 1 or end
    return f"{text[:first]}{events}\n\n{text[end:]}"


def _with_table(text: str, heading: str, table: str) -> str:
    """The text with this as the first table of a section."""
    begin, end = _section(text, heading)
    old = re.search(r"(?:^\|.*\n)+", text[begin:end], re.MULTILINE)
    assert old is not None
    return f"{text[: begin + old.start()]}{table}\n{text[begin + old.end() :]}"


if __name__ == "__main__":
    DOCUMENT.write_text(rewritten(DOCUMENT.read_text("utf-8")), "utf-8")

"""The types of the wire in TypeScript, made from the catalogue (`chatd.wire.catalogue`).

    python -m chatd.wire.typescript > chatd/web/client/src/websocket/wire.gen.ts

An interface for each payload, a union for each enum, `ServerEvents`, `ClientEvents` and `Acks` from
the name of an event to what it carries, and `CODES` and `HINTS` as values. An optional field
without a value is absent, never null.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from chatd.wire.catalogue import catalogue

HEAD: Final = """\
// Generated from chatd/wire by `python -m chatd.wire.typescript`. A test holds it to the server:
// change the server, and make it anew.
"""
PLAIN: Final = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}


def typescript() -> str:
    """The whole file."""
    wire = catalogue()
    parts = [HEAD, _codes(wire["codes"]), _hints(wire["hints"])]
    parts += [_declaration(name, schema) for name, schema in wire["types"].items()]
    parts.append(_table("ServerEvents", _server_events(wire["serverEvents"])))
    client = wire["clientEvents"]
    parts.append(_table("ClientEvents", {name: of["payload"] for name, of in client.items()}))
    refused = wire["refused"]
    acks = {name: f"{of['ack']} | {refused}" for name, of in client.items()}
    parts.append(_table("Acks", acks))
    names = ", ".join(json.dumps(name) for name in wire["serverEvents"])
    parts.append(f"export const SERVER_EVENTS = [{names}] as const;")
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _codes(codes: Mapping[str, Any]) -> str:
    lines = [
        f"  {code}: {{ retryable: {json.dumps(of['retryable'])}, sentence: "
        f"{json.dumps(of['sentence'])} }},"
        for code, of in codes.items()
    ]
    return "\n".join(
        [
            "/** Every code of an error, with its sentence and whether a retry helps. */",
            "export const CODES = {",
            *lines,
            "} as const;",
        ]
    )


def _hints(hints: Mapping[str, str | None]) -> str:
    lines = [f"  {code}: {json.dumps(sentence)}," for code, sentence in hints.items()]
    return "\n".join(
        [
            "/** Every code of a hint, with its sentence if it has one. */",
            "export const HINTS = {",
            *lines,
            "} as const;",
        ]
    )


def _declaration(name: str, schema: Mapping[str, Any]) -> str:
    comment = f"/** {schema['description']} */"
    if "enum" in schema:
        return f"{comment}\nexport type {name} = {_words(schema['enum'])};"
    fields = "\n".join(_fields(schema))
    return f"{comment}\nexport interface {name} {{\n{fields}\n}}"


def _words(values: list[str]) -> str:
    return " | ".join(json.dumps(value) for value in values)


def _fields(schema: Mapping[str, Any]) -> Iterator[str]:
    required = set(schema["required"])
    for key, of in schema["properties"].items():
        unit = f" Unit: {of['unit']}." if "unit" in of else ""
        yield f"  /** {of['description']}{unit} */"
        yield f"  {_key(key)}{'' if key in required else '?'}: {_type(of)};"


def _key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema:
        return json.dumps(schema["const"])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(map(_type, schema["anyOf"])))
    match schema["type"]:
        case "array" if "prefixItems" in schema:
            return f"[{', '.join(map(_type, schema['prefixItems']))}]"
        case "array":
            item = _type(schema["items"])
            return f"({item})[]" if " | " in item else f"{item}[]"
        case "object":
            return f"Record<string, {_type(schema['additionalProperties'])}>"
        case plain:
            return PLAIN[plain]


def _server_events(events: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: " | ".join(kinds) for name, kinds in events.items()}


def _table(name: str, of: Mapping[str, str]) -> str:
    fields = "\n".join(f"  {json.dumps(event)}: {kind};" for event, kind in of.items())
    return f"export interface {name} {{\n{fields}\n}}"


if __name__ == "__main__":
    sys.stdout.write(typescript())

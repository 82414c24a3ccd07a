"""The catalogue as the protocol has it, and what is not in it found by plain code.

`catalogue.json` is what clients may rely on: a difference is a change of the protocol. Renew it by
`python -m chatd.wire.catalogue > tests/wire/catalogue.json`, and look at what has changed.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

CATALOGUE: Mapping[str, Any] = json.loads(
    Path(__file__).with_name("catalogue.json").read_text("utf-8")
)
TYPES: Mapping[str, Any] = CATALOGUE["types"]

_KINDS = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
    "array": list,
    "object": dict,
}


def fault_of_event(name: str, payload: object) -> str | None:
    """What of an event of the server is not in the catalogue."""
    return _fault_of_any(payload, CATALOGUE["serverEvents"].get(name, []), name)


def fault_of_ack(event: str | None, ack: object) -> str | None:
    """What of the ack of an event is not in the catalogue; of any event, where it is None."""
    acks = [one["ack"] for name, one in CATALOGUE["clientEvents"].items() if event in (None, name)]
    return _fault_of_any(ack, [*acks, CATALOGUE["refused"]], f"ack of {event}")


def fault_of_connect_error(error: object) -> str | None:
    """What of the data of a refused CONNECT is not in the catalogue."""
    return _fault_of_any(error, [CATALOGUE["connect"]["error"]], "connect error")


def _fault_of_any(value: object, names: Sequence[str], where: str) -> str | None:
    faults = [_fault(value, TYPES[name], where) for name in names]
    return None if None in faults else f"{where}: no such event" if not faults else faults[0]


def _fault(value: Any, schema: Mapping[str, Any], where: str) -> str | None:
    """Why `value` is none of `schema`; as strict as the server is said to be: no other fields, and
    in their order."""
    if "$ref" in schema:
        return _fault(value, TYPES[schema["$ref"].removeprefix("#/types/")], where)
    if "anyOf" in schema:
        faults = [_fault(value, one, where) for one in schema["anyOf"]]
        return None if None in faults else faults[0]
    if "const" in schema or "enum" in schema:
        words = schema.get("enum", [schema.get("const")])
        is_one = any(value == word and type(value) is type(word) for word in words)
        return None if is_one else f"{where} is {value!r}"
    kinds = (int, float) if schema["type"] == "number" else (_KINDS[schema["type"]],)
    if not any(kind is type(value) for kind in kinds):
        return f"{where} is {value!r}"
    inside: Iterable[tuple[object, Any, Mapping[str, Any]]]
    match schema["type"]:
        case "array":
            items = schema.get("prefixItems") or [schema["items"]] * len(value)
            if len(items) != len(value):
                return f"{where} has {len(value)} items"
            inside = [(at, one, items[at]) for at, one in enumerate(value)]
        case "object" if "properties" in schema:
            return _fault_of_object(value, schema, where)
        case "object":
            inside = [(key, one, schema["additionalProperties"]) for key, one in value.items()]
        case _:
            return None
    return _first(_fault(one, kind, f"{where}.{key}") for key, one, kind in inside)


def _fault_of_object(value: Any, schema: Mapping[str, Any], where: str) -> str | None:
    known: Mapping[str, Any] = schema["properties"]
    if [key for key in known if key in value] != list(value):
        return f"{where} has {list(value)}"
    if missing := [key for key in schema["required"] if key not in value]:
        return f"{where} lacks {missing}"
    return _first(_fault(one, known[key], f"{where}.{key}") for key, one in value.items())


def _first(faults: Iterable[str | None]) -> str | None:
    return next((fault for fault in faults if fault is not None), None)

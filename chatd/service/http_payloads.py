"""Makes the payload of an event from the request over HTTP that stands for it, or says why not.

Pure. The room is always the path's, even if another one is written elsewhere. Payloads are judged
where those of sockets are; here is what only HTTP can get wrong: names that stand twice, bodies
that are not text, a query that no browser would send.
"""

import re
from typing import Any, Final, get_args
from urllib.parse import parse_qsl

import attrs

from chatd.socketio.jsontext import loads
from chatd.socketio.packet import ProtocolError
from chatd.wire.codes import Code, Refusal
from chatd.wire.fields import name_of

PARAMETERS_MAX: Final = 50
"""Parameters of a query; no request has a dozen. Beyond: refused unread."""
MARKS_MAX: Final = 1_000
"""Colons, commas and opening brackets of a body, strings aside; a message with 100 tables has some
120. Beyond: refused unread, as a body full of them would keep others waiting."""
QUOTES_MAX: Final = 50_000
"""Quotes of a body, those in its text as well. Beyond: likewise."""
ROOM: Final = "connectionId"
MESSAGE_ID: Final = "messageId"

_JSON: Final = re.compile(r'application/json(?:[ \t]*;[ \t]*charset="?utf-8"?)?', re.IGNORECASE)
_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.?[^"\\]*+)*+(?:"|\Z)', re.DOTALL)
"""A string of JSON; an unclosed one goes on to the end of the body, so that nothing is tried
twice. Its group is possessive, as an atomic one would keep a place to go back to for each escape,
and cannot fail behind its first character: see tests/tooling/test_patterns."""
_WHOLE: Final = re.compile(r"-?[0-9]{1,20}", re.ASCII)


def is_json(content_type: str | None) -> bool:
    """Whether a body of this type is taken: JSON in UTF-8."""
    return content_type is not None and _JSON.fullmatch(content_type.strip()) is not None


def read_query(query: bytes, kind: type[Any], room: str) -> dict[str, Any] | Refusal:
    """The payload of this class that a query stands for. Numbers are written in digits; names that
    are not a field's are left in it, for the ack to name."""
    try:
        text = query.decode("ascii")
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX
        )
    except ValueError:
        sentence = f"The query is not UTF-8, or has more than {PARAMETERS_MAX} parameters."
        return Refusal(Code.INVALID_PAYLOAD, sentence)
    numbers = {name_of(field) for field in attrs.fields(kind) if _is_number(field)}
    written: dict[str, Any] = {}
    for name, value in pairs:
        if name in written:
            return _twice(name)
        if name in numbers and _WHOLE.fullmatch(value) is not None:
            written[name] = int(value)
        else:
            written[name] = value
    return _in_room(written, room)


def read_body(body: bytes, room: str, idempotency_key: str | None) -> dict[str, Any] | Refusal:
    """The payload of a message that a body stands for. Its messageId is the key, if there is one;
    without key and messageId it has none yet."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return Refusal(Code.INVALID_PAYLOAD, "The body is not UTF-8; send JSON in UTF-8.")
    structure = _STRING.sub("", text) if text.count('"') <= QUOTES_MAX else None
    if structure is None or sum(map(structure.count, ":,[{")) > MARKS_MAX:
        return Refusal(Code.INVALID_PAYLOAD, "The body holds more than a message; send less.")
    try:
        written = loads(text)
    except ProtocolError:
        return Refusal(Code.INVALID_PAYLOAD, "The body is not JSON; send a JSON object.")
    if type(written) is not dict:
        return Refusal(Code.INVALID_PAYLOAD, "The body is no JSON object; send one.")
    if structure.count(":") != _count_pairs(written):  # two readers might see two different ones
        return Refusal(Code.INVALID_PAYLOAD, "A name stands twice in the body; write it once.")
    if idempotency_key is not None:
        key = _unquoted(idempotency_key)
        given = written.setdefault(MESSAGE_ID, key)
        if not isinstance(given, str) or given.lower() != key.lower():
            sentence = "The body has another messageId than the Idempotency-Key; send one of both."
            return Refusal(Code.INVALID_PAYLOAD, sentence, path=MESSAGE_ID)
    return _in_room(written, room)


def _count_pairs(value: Any) -> int:
    """How many names the objects in a JSON value have."""
    pairs, left = 0, [value]
    while left:
        one = left.pop()
        if type(one) is dict:
            pairs += len(one)
            left += one.values()
        elif type(one) is list:
            left += one
    return pairs


def _twice(name: str) -> Refusal:
    shown = name if re.fullmatch(r"[A-Za-z0-9_.]{1,64}", name) else "a name"
    return Refusal(Code.INVALID_PAYLOAD, f"{shown} stands twice; write it once.")


def _unquoted(key: str) -> str:
    """A key may be a string of Structured Fields (RFC 8941, 3.3.3), or bare."""
    key = key.strip(" \t")
    return key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key


def _is_number(field: "attrs.Attribute[Any]") -> bool:
    of = get_args(field.type)[0]
    return int in (of, *get_args(of))


def _in_room(written: dict[str, Any], room: str) -> dict[str, Any] | Refusal:
    given = written.setdefault(ROOM, room)
    if given == room:
        return written
    sentence = "The path names another room; leave connectionId out, or repeat it."
    return Refusal(Code.INVALID_PAYLOAD, sentence, path=ROOM)

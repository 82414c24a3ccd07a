"""Rooms over HTTP as an OpenAPI document (OpenAPI 3.1.1), made from the classes of the wire.

The fields come from the classes, as in the catalogue; what HTTP adds stands here: paths,
headers, statuses. Bounds that the operator sets are arguments.
"""

from collections.abc import Mapping
from typing import Any, Final

from chatd.wire.acks import MessageAck, SearchAck
from chatd.wire.catalogue import schemas_of
from chatd.wire.converter import SAFE_INTEGER
from chatd.wire.events import (
    AnswerEnd,
    AnswerProgress,
    AnswerRows,
    AnswerStart,
    ErrorDetails,
    MessageDeleted,
    MessageEdited,
    MessageHint,
    MessageReaction,
    PublishedMessage,
    RoomRevoked,
    ServerDraining,
    StatusClosing,
    StatusDraining,
    TokenExpiring,
)
from chatd.wire.identifiers import CONNECTION_ID_CHARS
from chatd.wire.over_http import HttpHistory, StreamGap, StreamOpened
from chatd.wire.payloads import TABLES_MAX, ChatMessage, ChatSearch, HistoryGet

OPENAPI_VERSION: Final = "3.1.1"
UUID: Final = {"type": "string", "format": "uuid"}
NO_NUL: Final = "^[^\\u0000]*$"

STREAM_EVENTS: Final[tuple[type, ...]] = (
    PublishedMessage,
    MessageEdited,
    MessageDeleted,
    MessageReaction,
    MessageHint,
    AnswerStart,
    AnswerProgress,
    AnswerRows,
    AnswerEnd,
    StatusDraining,
    StatusClosing,
    RoomRevoked,
    TokenExpiring,
    ServerDraining,
)
"""The events of sockets that a stream carries, beside its own."""

_WORDS: Final[Mapping[int, str]] = {
    400: "The request is wrong: see `code` and `path`.",
    401: "The token is missing, bad or has run out.",
    403: "The user may not use this room, the token may not do this, or the page is a stranger's.",
    404: "There is no such path, or no such thread.",
    405: "The path does not answer to this method; see `Allow`.",
    408: "The body did not come in time.",
    409: "The Idempotency-Key was used for another message.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    429: "Too many in a short time; see `Retry-After`.",
    500: "A fault of the server.",
    503: "The server is busy, restarting, or cannot read or store; see `Retry-After`.",
}
_USUAL: Final = (400, 401, 403, 404, 405, 413, 429, 500, 503)


def openapi(
    version: str, *, content_chars: int, history_page: int, hits_max: int
) -> dict[str, Any]:
    """The document of a server of this version, with these bounds: code points of a message,
    messages of a page, hits of a page."""
    schemas = schemas_of(
        ChatMessage,
        ChatSearch,
        HistoryGet,
        MessageAck,
        HttpHistory,
        SearchAck,
        ErrorDetails,
        StreamOpened,
        StreamGap,
        *STREAM_EVENTS,
    )
    history, search = schemas.pop("HistoryGet"), schemas.pop("ChatSearch")
    schemas["Context"]["properties"]["tables"]["maxItems"] = TABLES_MAX
    body = _message_body(_to_send(schemas.pop("ChatMessage"), schemas), content_chars)
    components = {
        "schemas": {name: _in_openapi(one) for name, one in schemas.items()}
        | {"MessageToSend": _in_openapi(body), "Refused": _refused(schemas["ErrorDetails"])},
        "responses": {f"Refused{status}": _refusal(status) for status in _WORDS},
        "parameters": {"connectionId": _ROOM},
        "securitySchemes": {
            "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "A user's JWT, or a token of the configuration.",
            }
        },
    }
    return {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": "chatd",
            "version": version,
            "description": "Rooms of chatd over HTTP, for bots and back ends.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": {
            "/api/rooms/{connectionId}/messages": {
                "parameters": [_ROOM_REF],
                "get": _page(
                    "listMessages", "A page of a room.", history, history_page, "HttpHistory"
                ),
                "post": _send(),
            },
            "/api/rooms/{connectionId}/search": {
                "parameters": [_ROOM_REF],
                "get": _page(
                    "searchMessages", "A search in a room.", search, hits_max, "SearchAck"
                ),
            },
            "/api/rooms/{connectionId}/events": {
                "parameters": [_ROOM_REF],
                "get": _stream(),
            },
        },
        "components": components,
    }


_ROOM: Final = {
    "name": "connectionId",
    "in": "path",
    "required": True,
    "description": "The room. A slash in it is written %2F.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": CONNECTION_ID_CHARS,
        "pattern": "^[ -~]+$",
    },
}
_ROOM_REF: Final = {"$ref": "#/components/parameters/connectionId"}


def _refusals(*statuses: int) -> dict[str, Any]:
    return {
        str(status): {"$ref": f"#/components/responses/Refused{status}"}
        for status in sorted({*_USUAL, *statuses})
    }


def _carried_out(sentence: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": _ref(schema)}}
    return {"description": sentence, "content": content}


def _send() -> dict[str, Any]:
    return {
        "operationId": "sendMessage",
        "summary": "Send a message to a room; a question is answered there.",
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "The messageId: the same key stores no second message.",
                "schema": UUID,
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/MessageToSend"}}
            },
        },
        "responses": {
            "200": _carried_out("It was stored before.", "MessageAck"),
            "201": _carried_out("It is stored.", "MessageAck"),
            **_refusals(408, 409, 415),
        },
    }


def _page(name: str, summary: str, kind: dict[str, Any], most: int, answer: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [
            _parameter(field, schema, most, is_required=field in kind["required"])
            for field, schema in kind["properties"].items()
            if field != "connectionId"
        ],
        "responses": {"200": _carried_out("The page.", answer), **_refusals()},
    }


def _parameter(
    name: str, schema: dict[str, Any], most: int, *, is_required: bool
) -> dict[str, Any]:
    of = dict(schema)
    sentence = of.pop("description")
    if of["type"] == "integer":
        of |= {"minimum": 0, "maximum": SAFE_INTEGER}
    if name == "limit":
        of |= {"minimum": 1, "maximum": most}
    elif name == "threadId":
        of |= UUID
    return {
        "name": name,
        "in": "query",
        "required": is_required,
        "description": sentence,
        "schema": _in_openapi(of),
    }


def _stream() -> dict[str, Any]:
    events = [_ref(kind.__name__) for kind in (StreamOpened, StreamGap, *STREAM_EVENTS)]
    return {
        "operationId": "listen",
        "summary": "What the room gets, as server-sent events.",
        "description": (
            "`data` of each event is JSON. `stream:open` comes first, and `stream:gap` where "
            "messages are gone; all others are named and shaped as for sockets. Messages have the "
            "`id` `epoch:seq`."
        ),
        "parameters": [
            {
                "name": "Last-Event-ID",
                "in": "header",
                "description": "Where the client was: the `id` of the last event that it has.",
                "schema": {"type": "string", "examples": ["5f0c0d1e2a3b4c5d:17"]},
            }
        ],
        "responses": {
            "200": {
                "description": "The stream, which goes on until one side ends it.",
                "content": {
                    "text/event-stream": {"schema": {"type": "string"}, "x-data": {"anyOf": events}}
                },
            },
            **_refusals(),
        },
    }


def _to_send(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """A schema as clients may write it: null in an optional field means its absence."""
    if "$ref" in schema:
        said = {key: value for key, value in schema.items() if key != "$ref"}
        schema = schemas[schema["$ref"].removeprefix("#/types/")] | said
    if "properties" not in schema:
        return schema
    properties = {name: _to_send(of, schemas) for name, of in schema["properties"].items()}
    for name in properties.keys() - set(schema["required"]):
        properties[name] = properties[name] | {"type": [properties[name]["type"], "null"]}
    return schema | {"properties": properties}


def _message_body(kind: dict[str, Any], content_chars: int) -> dict[str, Any]:
    """A message without its room, which the path names, and without its id, which is the key."""
    properties = {name: dict(of) for name, of in kind["properties"].items()}
    del properties["connectionId"], properties["messageId"]
    properties["content"] |= {"minLength": 1, "maxLength": content_chars, "pattern": NO_NUL}
    properties["threadId"] |= {"format": "uuid"}
    return {
        "type": "object",
        "description": kind["description"],
        "properties": properties,
        "required": ["content"],
    }


def _refused(details: dict[str, Any]) -> dict[str, Any]:
    """Any refusal: those of the chat have codes of its table, those of HTTP their own codes."""
    error = _in_openapi(details)
    error["properties"]["code"] = {
        "type": "string",
        "description": error["properties"]["code"]["description"],
    }
    error["required"] = ["code", "message"]
    return {
        "type": "object",
        "description": "The request was refused.",
        "properties": {"error": error},
        "required": ["error"],
    }


def _refusal(status: int) -> dict[str, Any]:
    known: dict[str, Any] = {
        "description": _WORDS[status],
        "content": {"application/json": {"schema": _ref("Refused")}},
    }
    if status in (429, 503):
        seconds = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}
        known["headers"] = {"Retry-After": seconds}
    return known


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _in_openapi(schema: Any) -> Any:
    """A schema of the catalogue in OpenAPI's form: other references, and no unknown keywords."""
    if isinstance(schema, list):
        return [_in_openapi(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    written: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":  # names of fields are not keywords
            written[key] = {name: _in_openapi(of) for name, of in value.items()}
        elif key == "$ref":
            written[key] = value.replace("#/types/", "#/components/schemas/")
        else:
            written["x-unit" if key == "unit" else key] = _in_openapi(value)
    return written

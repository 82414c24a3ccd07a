"""The OpenAPI document: made of the classes of the wire, whole, and true of what HTTP answers."""

import json
import re
from collections.abc import Iterator
from typing import Any

from chatd.wire.codes import EXPLANATIONS
from chatd.wire.converter import structure
from chatd.wire.openapi import STREAM_EVENTS, openapi
from chatd.wire.payloads import ChatMessage
from tests.wire.golden import CATALOGUE

DOCUMENT = openapi("1.2.3", content_chars=9_000, history_page=150, hits_max=40)
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    operation["operationId"]: operation
    for path in DOCUMENT["paths"].values()
    for method, operation in path.items()
    if method != "parameters"
}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def parameters(name: str) -> dict[str, Any]:
    return {one["name"]: one for one in OPERATIONS[name]["parameters"]}


def test_every_reference_leads_to_a_part_of_the_document() -> None:
    found = set(references(DOCUMENT))
    for reference in found:
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    used = {one.rpartition("/")[2] for one in found if "/schemas/" in one}
    assert used == SCHEMAS.keys(), "nothing stands there that no operation has"


def test_what_sockets_get_too_is_as_the_catalogue_has_it() -> None:
    shared = SCHEMAS.keys() & CATALOGUE["types"].keys()
    assert {"PublishedMessage", "MessageAck", "SearchAck", "AnswerTable"} <= shared
    for name in shared:
        written = json.dumps(CATALOGUE["types"][name], sort_keys=True)
        written = written.replace("#/types/", "#/components/schemas/")
        written = re.sub(r'"unit": ("[^"]*")', r'"x-unit": \1', written)
        here = json.loads(json.dumps(SCHEMAS[name]))
        if name == "Context":
            del here["properties"]["tables"]["maxItems"]
        assert here == json.loads(written), name


def test_every_request_of_a_room_is_there_with_its_bounds() -> None:
    assert OPERATIONS.keys() == {"listMessages", "sendMessage", "searchMessages", "listen"}
    assert parameters("listMessages").keys() == {
        "before",
        "after",
        "changedAfter",
        "limit",
        "answerRows",
        "threadId",
    }
    assert parameters("listMessages")["limit"]["schema"]["maximum"] == 150
    assert parameters("searchMessages")["limit"]["schema"]["maximum"] == 40
    assert [one["name"] for one in parameters("searchMessages").values() if one["required"]] == [
        "query"
    ]
    assert SCHEMAS["MessageToSend"]["properties"]["content"]["maxLength"] == 9_000
    assert "connectionId" not in SCHEMAS["MessageToSend"]["properties"]


def test_a_body_may_say_null_where_a_field_is_optional() -> None:
    body = {"content": "x", "context": {"schema": None, "tables": None, "config": None}}
    assert isinstance(
        structure({**body, "messageId": "m", "connectionId": "r", "threadId": None}, ChatMessage),
        ChatMessage,
    )
    fields = SCHEMAS["MessageToSend"]["properties"]
    context = fields["context"]
    assert context["type"] == ["object", "null"]
    assert context["properties"]["config"]["type"] == ["object", "null"]
    assert fields["threadId"]["type"] == ["string", "null"]
    assert fields["content"]["type"] == "string"


def test_every_status_of_a_refusal_is_told() -> None:
    told = {status for one in OPERATIONS.values() for status in one["responses"]}
    statuses = {one.http_status for one in EXPLANATIONS.values()}
    known = {str(status) for status in {*statuses, 405, 413, 415}}
    assert known - told == {"410", "504"}, "no request of a room changes a message, or asks"


def test_the_events_of_a_stream_are_told() -> None:
    [content] = OPERATIONS["listen"]["responses"]["200"]["content"].values()
    named = {reference.rpartition("/")[2] for reference in references(content)}
    assert named == {"StreamOpened", "StreamGap", *(kind.__name__ for kind in STREAM_EVENTS)}

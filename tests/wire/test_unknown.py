"""Fields that are not known: which they are, how they are named, and where it ends."""

import pytest

from chatd.wire.connect import ConnectAuth
from chatd.wire.payloads import ChatMessage, ConnectionJoin, Context
from chatd.wire.unknown import NAME_CHARS_MAX, NAMED_MAX, plain_names, unknown_fields
from tests.rows import rows

MESSAGE = {"messageId": "m", "content": "c", "connectionId": "r"}


@rows(
    ("payload", "unknown"),
    [
        (MESSAGE, None),
        ({**MESSAGE, "context": {"schema": "s", "config": {"readOnly": False}}}, None),
        ({**MESSAGE, "context": None, "threadId": None}, None),
        ({**MESSAGE, "replyTo": "m"}, ("replyTo",)),
        ({**MESSAGE, "messageid": None}, ("messageid",)),
        (
            {"b": 1, **MESSAGE, "context": {"config": {"readonly": True}, "table": "t"}, "a": {}},
            ("b", "context.config.readonly", "context.table", "a"),
        ),
        ({"context": {"config": [{"readonly": True}]}, "content": {"x": 1}}, None),
        ({"<b>": 1, "a\x1b[31m": 1, "naïve": 1}, ("\\x3cb>", "a\\x1b[31m", "na\\xefve")),
        ({"x" * 70: 1}, ("x" * NAME_CHARS_MAX,)),
        ({str(number): 1 for number in range(99)}, tuple(map(str, range(NAMED_MAX)))),
        ({}, None),
        ([], None),
        ("replyTo", None),
        (None, None),
    ],
)
def test_the_unknown_fields_of_a_payload(payload: object, unknown: tuple[str, ...] | None) -> None:
    assert unknown_fields(payload, ChatMessage) == unknown


@pytest.mark.parametrize("name", ["rooms", "connectionid", "Token"])
def test_those_of_a_handshake(name: str) -> None:
    known = {"token": "t", "connectionId": ["demo"], "since": {"demo": 1}, "epoch": "e"}
    assert unknown_fields({**known, name: 1}, ConnectAuth) == (name,)


def test_a_payload_of_plain_names_alone_needs_no_closer_look() -> None:
    assert plain_names(ChatMessage) == {"messageId", "content", "connectionId", "threadId"}
    assert plain_names(Context) == {"schema", "tables"}
    assert plain_names(ConnectionJoin) == {"connectionId", "since", "epoch", "answerRows"}

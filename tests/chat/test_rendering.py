import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.markup import keep, neutralise
from chatd.chat.rendering import DAMAGED_PART_SENTENCE, DAMAGED_SENTENCE, message_json
from tests.chat.commands import message_id, send, stored

PLAIN = stored(send(1, "a <b>"), seq=7, timestamp_ms=1_700_000_000_123)
PLAIN_ON_THE_WIRE = {
    "messageId": message_id(1),
    "connectionId": "demo",
    "userId": "ann",
    "content": "a <b>",
    "timestamp": 1_700_000_000_123,
    "status": "sent",
    "seq": 7,
}


def test_what_a_message_does_not_have_is_not_on_the_wire() -> None:
    assert json.loads(message_json(PLAIN, keep)) == PLAIN_ON_THE_WIRE


def test_name_context_and_thread_travel_where_they_are_there() -> None:
    full = attrs.evolve(PLAIN, name="Ann", context=b'{"schema":"public"}', thread_id=message_id(2))
    assert json.loads(message_json(full, keep)) == PLAIN_ON_THE_WIRE | {
        "name": "Ann",
        "context": {"schema": "public"},
        "threadId": message_id(2),
    }


def test_a_context_goes_out_byte_for_byte() -> None:
    context = b'{"tables":["a","b"],"config":{"readOnly":true}}'
    assert b'"context":' + context in message_json(attrs.evolve(PLAIN, context=context), keep)


@given(st.text())
def test_the_markup_rule_is_applied_to_the_content(content: str) -> None:
    sent = json.loads(message_json(attrs.evolve(PLAIN, content=content), neutralise))
    assert sent == PLAIN_ON_THE_WIRE | {"content": neutralise(content)}


def test_what_is_damaged_is_told_as_its_status_and_shown_as_far_as_it_is_known() -> None:
    part = attrs.evolve(PLAIN, is_damaged=True)
    sent = json.loads(message_json(part, keep, delivered=True))
    assert sent == PLAIN_ON_THE_WIRE | {"status": "damaged", "error": DAMAGED_PART_SENTENCE}
    whole = attrs.evolve(part, content=DAMAGED_SENTENCE, user_id="")
    sent = json.loads(message_json(whole, keep))
    assert (sent["content"], sent["error"]) == (DAMAGED_SENTENCE, DAMAGED_SENTENCE)


@pytest.mark.parametrize("error", [b"{}", b"[]", b'"words"'])
def test_an_error_of_an_answer_that_has_no_form_breaks_nothing(error: bytes) -> None:
    answer = attrs.evolve(PLAIN, answer=b'{"error":{"x":' + error + b"}}")
    assert json.loads(message_json(answer, keep))["seq"] == PLAIN.seq

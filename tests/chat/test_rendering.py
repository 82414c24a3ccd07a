import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.changes import deleted, edited
from chatd.chat.ids import scoped_id
from chatd.chat.markup import Markup, escape, keep, neutralise
from chatd.chat.records import (
    Changes,
    MessageDeleted,
    MessageEdited,
    Reaction,
    ReactionChanged,
)
from chatd.chat.rendering import (
    DAMAGED_PART_SENTENCE,
    DAMAGED_SENTENCE,
    Renderer,
    message_json,
)
from chatd.wire import events
from chatd.wire.events import PublishedMessage
from chatd.wire.fields import name_of
from tests.chat.commands import message_id, send, stored
from tests.rows import rows

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


def shown_raw(content: str, markup: Markup) -> tuple[str, str | None]:
    """What is delivered of a content, and its `raw`."""
    renderer = Renderer(markup, lambda text: text.startswith("SELECT"))
    sent = json.loads(renderer(attrs.evolve(PLAIN, content=content)))
    return sent["content"], sent.get("raw")


@rows(
    ("content", "markup", "shown", "raw"),
    [
        ("SELECT '<br>'", neutralise, "SELECT '< br>'", "SELECT '<br>'"),
        ("SELECT '<br>'", escape, "SELECT &#39;&lt;br&gt;&#39;", "SELECT '<br>'"),
        ("SELECT '\x1b\u202e'", keep, "SELECT '␛'", "SELECT '\x1b\u202e'"),
        ("SELECT 1 < 2", neutralise, "SELECT 1 < 2", None),
        ("SELECT '<br>'", keep, "SELECT '<br>'", None),
        ("I like <b>", neutralise, "I like < b>", None),
    ],
)
def test_what_may_be_sql_is_delivered_as_written_too_where_the_rule_changes_it(
    content: str, markup: Markup, shown: str, raw: str | None
) -> None:
    assert shown_raw(content, markup) == (shown, raw)


def test_an_answer_and_what_is_damaged_have_nothing_raw() -> None:
    renderer = Renderer(neutralise, lambda _: True)
    answer = attrs.evolve(PLAIN, content="<b>", reply_to=message_id(2), answer=b'{"state":"done"}')
    damaged = attrs.evolve(PLAIN, content=DAMAGED_SENTENCE, is_damaged=True)
    for message in (answer, damaged):
        assert "raw" not in json.loads(renderer(message))


def test_a_name_is_under_the_rule_be_it_from_before_there_was_one() -> None:
    sent = json.loads(message_json(attrs.evolve(PLAIN, name="Ann<b>\x1b"), neutralise))
    assert sent["name"] == "Ann< b>␛"


@pytest.mark.parametrize(
    ("context", "shown"),
    [
        (
            b'{"schema":"<b>","tables":["a<","x\\u001b"]}',
            {"schema": "< b>", "tables": ["a< ", "x␛"]},
        ),
        ('{"schema":"é\u202e"}'.encode(), {"schema": "é"}),
        (
            b'{"tables":["a\\"b"],"config":{"dryRun":true}}',
            {"tables": ['a"b'], "config": {"dryRun": True}},
        ),
    ],
)
def test_the_texts_in_a_context_are_under_the_rule(context: bytes, shown: object) -> None:
    sent = json.loads(message_json(attrs.evolve(PLAIN, context=context), neutralise))
    assert sent["context"] == shown


def test_what_a_database_said_of_its_error_is_under_the_rule_and_its_rows_are_not() -> None:
    answer = {
        "state": "error",
        "error": {"code": "db_error", "message": "no <b>"},
        "rows": [["<b>"]],
    }
    failed = attrs.evolve(PLAIN, answer=json.dumps(answer, separators=(",", ":")).encode())
    sent = json.loads(message_json(failed, escape))
    assert sent["error"] == sent["answer"]["error"]["message"] == "no &lt;b&gt;"
    assert sent["answer"]["rows"] == [["<b>"]]


def test_ids_are_delivered_as_they_were_written() -> None:
    scoped = attrs.evolve(
        PLAIN,
        message_id=scoped_id(PLAIN.message_id, "demo"),
        reply_to=scoped_id(message_id(2), "demo"),
        user_id="R&D's",
    )
    sent = json.loads(message_json(scoped, escape))
    assert (sent["messageId"], sent["replyTo"]) == (PLAIN.message_id, message_id(2))
    assert sent["userId"] == "R&D's"


def test_a_user_id_from_before_ids_were_held_to_the_rule_opens_no_markup() -> None:
    sent = json.loads(message_json(attrs.evolve(PLAIN, user_id="<b>ann"), keep))
    assert sent["userId"] == "< b>ann"


def test_what_is_damaged_is_told_as_its_status_and_shown_as_far_as_it_is_known() -> None:
    part = attrs.evolve(PLAIN, is_damaged=True)
    sent = json.loads(message_json(part, keep, delivered=True))
    assert sent == PLAIN_ON_THE_WIRE | {"status": "damaged", "error": DAMAGED_PART_SENTENCE}
    whole = attrs.evolve(part, content=DAMAGED_SENTENCE, user_id="")
    sent = json.loads(message_json(whole, keep))
    assert (sent["content"], sent["error"]) == (DAMAGED_SENTENCE, DAMAGED_SENTENCE)


@pytest.mark.parametrize("error", [b"{}", b'{"messagd":"a"}', b'{"code":"a","message":7}'])
def test_an_error_without_words_is_delivered_without_them(error: bytes) -> None:
    answer = attrs.evolve(PLAIN, answer=b'{"error":' + error + b"}")
    sent = json.loads(message_json(answer, keep))
    assert sent["error"] is None
    assert sent["answer"]["error"] == {k: v for k, v in json.loads(error).items() if v != 7}


@pytest.mark.parametrize("error", [b"{}", b"[]", b'"words"'])
def test_an_error_of_an_answer_that_has_no_form_breaks_nothing(error: bytes) -> None:
    answer = attrs.evolve(PLAIN, answer=b'{"error":{"x":' + error + b"}}")
    assert json.loads(message_json(answer, keep))["seq"] == PLAIN.seq


LIKED = Changes(4, 9, reactions=(Reaction(":a:", ("ann", "bob")), Reaction(":b:", ("ann",))))


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        (Changes(3, 9), {"rev": 3}),
        (Changes(3, 9, edited_rev=3, edited_ms=9), {"rev": 3, "editedAt": 9}),
        (
            LIKED,
            {
                "rev": 4,
                "reactions": [
                    {"emoji": ":a:", "users": ["ann", "bob"]},
                    {"emoji": ":b:", "users": ["ann"]},
                ],
            },
        ),
        (Changes(5, 9, edited_rev=3, edited_ms=7, deleted_ms=9), {"rev": 5, "deletedAt": 9}),
    ],
)
def test_what_became_of_a_message_stands_behind_it(
    changes: Changes, fields: dict[str, object]
) -> None:
    body = message_json(attrs.evolve(PLAIN, changes=changes), keep)
    assert json.loads(body) == PLAIN_ON_THE_WIRE | fields
    # As the encoder would have it: in the order of the fields.
    names = list(json.loads(body))
    declared = [name_of(one) for one in attrs.fields(PublishedMessage)]
    assert names == [name for name in declared if name in names]


def test_a_change_goes_out_with_its_ids_and_by_the_rules_of_markup() -> None:
    renderer = Renderer(neutralise, lambda text: text.startswith("SELECT"))
    scoped = attrs.evolve(PLAIN, message_id=scoped_id(message_id(1), "demo"))
    ids = {"message_id": message_id(1), "connection_id": "demo", "seq": 7, "rev": 2}
    sql = edited(scoped, "SELECT '<b>'", 2, 9)
    assert renderer.change(MessageEdited(sql, 2, "ann", 9)) == events.MessageEdited(
        **ids,  # type: ignore[arg-type]
        content="SELECT '< b>'",
        raw="SELECT '<b>'",
        edited_at=9,
    )
    talk = edited(scoped, "talk <b>", 2, 9)
    shown = renderer.change(MessageEdited(talk, 2, "ann", 9))
    assert isinstance(shown, events.MessageEdited)
    assert (shown.content, shown.raw) == ("talk < b>", None)
    gone = deleted(scoped, 2, 9)
    assert renderer.change(MessageDeleted(gone, 2, "ann", 9)) == events.MessageDeleted(
        **ids,  # type: ignore[arg-type]
        deleted_at=9,
    )
    off = renderer.change(ReactionChanged(scoped, 2, "bob", 9, ":a:", False))
    assert off == events.MessageReaction(
        **ids,  # type: ignore[arg-type]
        user_id="bob",
        emoji=":a:",
        is_on=False,
    )

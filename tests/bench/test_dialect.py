"""Templates of events."""

import orjson
import pytest

from chatd.bench.dialect import Template, TemplateError, chat, chat_echo, check_template

ID = b"11111111-2222-4333-8444-555555555555"


def test_a_message_of_chatd_carries_its_mark_to_its_room() -> None:
    rendered = Template(chat().message, 'a "room" at 100%', b"xx").render(b"~1.2.3.4~", ID)
    assert orjson.loads(rendered) == [
        "chat:message",
        {"messageId": ID.decode(), "content": "~1.2.3.4~xx", "connectionId": 'a "room" at 100%'},
    ]


def test_an_echo_of_chatd_needs_no_mark() -> None:
    rendered = Template(chat_echo().message, "r", b"").render(b"~1.2.3.4~", ID)
    assert orjson.loads(rendered) == ["chat:typing:stop", {"connectionId": "r"}]


@pytest.mark.parametrize(
    ("template", "event"),
    [
        ('["x","%m","%i","%m"]', ["x", "M", ID.decode(), "M"]),
        ('["100%","%i%m%p%r"]', ["100%", ID.decode() + "Mppr"]),
        ('["x"]', ["x"]),
    ],
)
def test_places_may_stand_in_any_order(template: str, event: list[str]) -> None:
    assert orjson.loads(Template(template, "r", b"pp").render(b"M", ID)) == event


@pytest.mark.parametrize("template", ["x", "{}", "[]", "[1]", '["x",%q]', '["x"'])
def test_what_is_no_event_is_refused(template: str) -> None:
    with pytest.raises(TemplateError):
        check_template(template, carries_a_mark=False)


def test_a_message_without_a_mark_is_refused_where_it_is_to_be_received() -> None:
    check_template('["x"]', carries_a_mark=False)
    check_template('["x","%m"]', carries_a_mark=True)
    with pytest.raises(TemplateError, match="%m"):
        check_template('["x"]', carries_a_mark=True)

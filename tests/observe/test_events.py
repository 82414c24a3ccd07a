"""What holds for every event."""

import re

import attrs

from chatd import observe
from chatd.observe import Level, LogEvent
from tests.rows import rows

EVENTS = [
    kind
    for kind in vars(observe).values()
    if isinstance(kind, type) and issubclass(kind, LogEvent) and kind is not LogEvent
]


def names(kind: type[LogEvent]) -> list[str]:
    return [field.name for field in attrs.fields(kind)]  # type: ignore[arg-type]


def test_there_are_events_and_their_names_are_all_different() -> None:
    assert len(EVENTS) == 47
    assert len({kind.event_name for kind in EVENTS}) == 47


@rows("kind", EVENTS)
def test_an_event_has_a_dotted_name_and_a_level(kind: type[LogEvent]) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+", kind.event_name)
    assert kind.level in Level


@rows("kind", EVENTS)
def test_no_event_has_room_for_a_token_or_content(kind: type[LogEvent]) -> None:
    assert not {"token", "content", "secret", "query", "payload"} & set(names(kind))


@rows("kind", EVENTS)
def test_no_field_hides_a_part_of_the_line(kind: type[LogEvent]) -> None:
    assert not {"timestamp", "level", "event", "event_name", "exception"} & set(names(kind))

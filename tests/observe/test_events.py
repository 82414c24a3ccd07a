"""What holds for every event."""

import re

import attrs
import pytest

from chatd import observe
from chatd.observe import Event, Level

EVENTS = [
    kind
    for kind in map(observe.__dict__.get, observe.__all__)
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
]


def names(kind: type[Event]) -> list[str]:
    return [field.name for field in attrs.fields(kind)]  # type: ignore[arg-type]


def test_there_are_events_and_their_names_are_all_different() -> None:
    assert len(EVENTS) == 38
    assert len({kind.event_name for kind in EVENTS}) == 38


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_has_a_dotted_name_and_a_level(kind: type[Event]) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+", kind.event_name)
    assert kind.level in Level


@pytest.mark.parametrize("kind", EVENTS)
def test_no_event_has_room_for_a_token_or_content(kind: type[Event]) -> None:
    assert not {"token", "content", "secret", "query", "payload"} & set(names(kind))


@pytest.mark.parametrize("kind", EVENTS)
def test_no_field_hides_a_part_of_the_line(kind: type[Event]) -> None:
    assert not {"timestamp", "level", "event", "event_name", "exception"} & set(names(kind))

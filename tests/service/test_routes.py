"""The table of routes: each event once, from whichever class carries it out."""

import pytest

from chatd.service.client import Client
from chatd.service.routes import Route, Routes, table
from chatd.wire.acks import AckPayload
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import TypingStop


def carry_out(_client: Client, _payload: TypingStop, _ack_id: int | None) -> AckPayload:
    return AckPayload()


class Some:
    """Carries out some events."""

    def __init__(self, *events: ClientEvent) -> None:
        self._events = events

    def routes(self) -> Routes:
        return {event: Route(TypingStop, carry_out) for event in self._events}


FIRST, *OTHERS = ClientEvent


def test_the_table_has_the_routes_of_all_by_the_names_of_the_wire() -> None:
    assert set(table([Some(FIRST), Some(*OTHERS)])) == {event.value for event in ClientEvent}


def test_an_event_that_two_carry_out_is_refused() -> None:
    with pytest.raises(ValueError, match=f"{FIRST} has two routes"):
        table([Some(*ClientEvent), Some(FIRST)])


def test_an_event_that_nobody_carries_out_is_named() -> None:
    with pytest.raises(ValueError, match=f"no route for {FIRST}"):
        table([Some(*OTHERS)])

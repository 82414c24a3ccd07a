"""The chat sends and takes what the catalogue says; `judged_packets` sees to it in every test."""

from pathlib import Path

import pytest

from chatd.sockets.emitter import rendered_packet
from chatd.wire.catalogue import CLIENT_EVENTS
from chatd.wire.names import ServerEvent
from tests.service.chats import open_chat
from tests.service.packets import fault_of, judged_packets


async def test_the_chat_takes_the_events_of_the_catalogue(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        taken = {
            event: route.payload for event, route in chat.parts.chat.dispatcher._routes.items()
        }
    assert taken == {event: payload for event, (payload, _) in CLIENT_EVENTS.items()}


def test_a_packet_that_is_not_in_the_catalogue_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="auth:expiring"), judged_packets():
        rendered_packet(ServerEvent.AUTH_EXPIRING, b"{}")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b'42["auth:expiring",{"expiresAt":1}]', None),
        (b'42["auth:gone",{}]', "auth:gone: no such event"),
        (b'431[{"ok":true,"expiresAt":1}]', None),
        (b'44{"message":"no"}', None),
        (b'44{"message":"no","data":{}}', "connect error lacks ['code', 'retryable']"),
        (b'40{"sid":"x"}', None),
    ],
)
def test_a_packet_is_judged_by_its_kind(text: bytes, fault: str | None) -> None:
    assert fault_of(text) == fault

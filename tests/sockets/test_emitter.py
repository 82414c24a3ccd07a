"""Packets that are put together from bytes are those that the encoder writes."""

import pytest

from chatd.socketio.encoder import encode
from chatd.socketio.jsontext import dumps
from chatd.socketio.packet import Ack, Event
from chatd.sockets.emitter import free_ack_packet, rendered_packet
from chatd.wire.names import ServerEvent


def test_an_event_is_what_the_encoder_writes() -> None:
    payload = {"text": "hé 🙂", "n": 12}
    for event in ServerEvent:
        expected = encode(Event("/", [event.value, payload])).text
        assert rendered_packet(event, dumps(payload)).text == b"4" + expected


@pytest.mark.parametrize("namespace", ["/", "/custom"])
def test_an_ack_is_what_the_encoder_writes(namespace: str) -> None:
    for args in ((), ({"ok": True},), (1, "é"), ("bin", b"a", [b"b"])):
        expected = encode(Ack(namespace, 17, list(args)))
        written = free_ack_packet(17, args, namespace)
        assert (written.text, written.attachments) == (b"4" + expected.text, expected.attachments)

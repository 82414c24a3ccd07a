"""Makes packets of Engine.IO from events and acks, and reads an event of the chat back; nothing
else knows Engine.IO's digit for a message.

The chat's own payloads go to the main namespace, where the chat lives. A packet is encoded once for
all sockets that get it; the head of an event is made once for all events of its name.
"""

from typing import Any

import orjson

from chatd.engine.outgoing import Outgoing
from chatd.socketio.encoder import Encoded, encode
from chatd.socketio.jsontext import dumps_plain
from chatd.socketio.packet import MAIN_NAMESPACE, Ack, Event, PacketType
from chatd.wire import encoder
from chatd.wire.acks import AckPayload, MessageAck, RefusedAck
from chatd.wire.events import EventPayload
from chatd.wire.names import ServerEvent

_MESSAGE = b"4"  # Engine.IO 4, "Packet types": message
_EVENT = _MESSAGE + PacketType.EVENT.value.encode()
_ACK = _MESSAGE + PacketType.ACK.value.encode()  # its id comes next
_HEADS = {event: b"%b[%b," % (_EVENT, dumps_plain(event.value)) for event in ServerEvent}


def packet(encoded: Encoded) -> Outgoing:
    """A Socket.IO packet as Engine.IO sends it."""
    return Outgoing(_MESSAGE + encoded.text, encoded.attachments)


def event_packet(payload: EventPayload) -> Outgoing:
    """An event of the chat."""
    return rendered_packet(payload.event, encoder.encode(payload))


def rendered_packet(event: ServerEvent, payload_json: bytes) -> Outgoing:
    """An event of the chat whose payload is JSON already.

    >>> rendered_packet(ServerEvent.AUTH_EXPIRING, b'{"expiresAt":1}').text
    b'42["auth:expiring",{"expiresAt":1}]'
    """
    return Outgoing(b"%b%b]" % (_HEADS[event], payload_json))


def event_in(outgoing: Outgoing) -> tuple[str, Any]:
    """The name and the payload of an event of the chat, as `event_packet` has written them.

    >>> event_in(rendered_packet(ServerEvent.AUTH_EXPIRING, b'{"expiresAt":1}'))
    ('auth:expiring', {'expiresAt': 1})
    """
    name, payload = orjson.loads(outgoing.text[len(_EVENT) :])
    return name, payload


def ack_packet(ack_id: int, ack: AckPayload | RefusedAck) -> Outgoing:
    """The chat's answer to an event."""
    return Outgoing(b"%b%d[%b]" % (_ACK, ack_id, encoder.encode(ack)))


def sent_packets(ack_id: int, ack: MessageAck) -> tuple[Outgoing, Outgoing]:
    """`chat:message:sent`, and the ack that says the same; the payload is encoded once."""
    ack_json, sent_json = encoder.encode_with_sent(ack)
    written = Outgoing(b"%b%d[%b]" % (_ACK, ack_id, ack_json))
    return rendered_packet(ack.sent.event, sent_json), written


def free_event_packet(namespace: str, args: list[Any], ack_id: int | None = None) -> Outgoing:
    """An event of any name, which is `args[0]`. `bytes` in the arguments travel as such."""
    return packet(encode(Event(namespace, args, ack_id)))


def free_ack_packet(ack_id: int, args: tuple[Any, ...], namespace: str) -> Outgoing:
    """The answer to an event, with any arguments."""
    if namespace == MAIN_NAMESPACE:
        try:
            return Outgoing(b"%b%d%b" % (_ACK, ack_id, dumps_plain(args)))
        except TypeError:
            pass  # there are bytes in it
    return packet(encode(Ack(namespace, ack_id, list(args))))

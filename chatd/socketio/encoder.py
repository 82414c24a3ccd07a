"""From packets to what Engine.IO sends: one text and its attachments.

Owns how each packet is written. Must not know who receives it, or Engine.IO's own `4` in front.
Source: Socket.IO protocol 5, "Packet encoding".

Texts are `bytes` in UTF-8, as orjson writes and transports want them: a `str` in between would have
to be decoded and encoded again for each message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, assert_never

from .assembly import placeholder
from .jsontext import dumps, dumps_plain, dumps_strictly
from .packet import (
    MAIN_NAMESPACE,
    MAX_ATTACHMENTS,
    Ack,
    Connect,
    ConnectError,
    Disconnect,
    Event,
    Packet,
    PacketType,
    is_event_name,
)
from .static import statically_frozen

_CONNECT: Final = PacketType.CONNECT.value.encode()
_DISCONNECT: Final = PacketType.DISCONNECT.value.encode()
_EVENT: Final = PacketType.EVENT.value.encode()
_ACK: Final = PacketType.ACK.value.encode()
_CONNECT_ERROR: Final = PacketType.CONNECT_ERROR.value.encode()
_BINARY_EVENT: Final = PacketType.BINARY_EVENT.value.encode()
_BINARY_ACK: Final = PacketType.BINARY_ACK.value.encode()


@statically_frozen
class Encoded:
    """One packet on its way out: `text`, then each of `attachments`, with nothing in between."""

    text: bytes
    attachments: tuple[bytes, ...] = ()


def encode(packet: Packet) -> Encoded:
    """`packet` as it is sent.

    `bytes`, `bytearray` and `memoryview` in the arguments of an event or ack become attachments,
    numbered in the order in which they stand in the JSON, one for each occurrence.

    Raises ValueError for more than `MAX_ATTACHMENTS` of them, a reserved event name, a namespace
    that cannot be written, an endless value; TypeError for anything that JSON has no form for,
    including `bytes` outside events and acks.
    """
    # The frequent two come first and by hand: a class pattern costs 0.3 us.
    if isinstance(packet, Event):
        args = packet.args
        if not args or not is_event_name(args[0]):
            raise ValueError("An event needs a name, and not a reserved one.")
        return _encode_args(_EVENT, _BINARY_EVENT, packet.namespace, packet.ack_id, args)
    if isinstance(packet, Ack):
        return _encode_args(_ACK, _BINARY_ACK, packet.namespace, packet.ack_id, packet.args)
    match packet:
        case Connect(namespace, payload):
            head = _CONNECT + _namespace_part(namespace)
            return Encoded(head if payload is None else head + dumps(payload))
        case ConnectError(namespace, payload):
            return Encoded(_CONNECT_ERROR + _namespace_part(namespace) + dumps(payload))
        case Disconnect(namespace):
            return Encoded(_DISCONNECT + _namespace_part(namespace))
        case _:
            assert_never(packet)


def _encode_args(
    plain: bytes, binary: bytes, namespace: str, ack_id: int | None, args: list[Any]
) -> Encoded:
    head = _namespace_part(namespace) + _ack_id_part(ack_id)
    try:
        return Encoded(plain + head + dumps_plain(args))
    except TypeError:
        pass  # there are bytes in it, or something that orjson does not write
    attachments: list[bytes] = []
    try:
        payload = dumps_plain(args, _into(attachments))
    except TypeError:
        # orjson may have met some of the bytes before it stopped: count again from the first.
        attachments = []
        payload = dumps_strictly(args, _into(attachments))
    if not attachments:
        return Encoded(plain + head + payload)
    if len(attachments) > MAX_ATTACHMENTS:
        raise ValueError(f"A packet has at most {MAX_ATTACHMENTS} attachments.")
    text = b"%b%d-%b%b" % (binary, len(attachments), head, payload)
    return Encoded(text, tuple(attachments))


def _into(attachments: list[bytes]) -> Callable[[Any], dict[str, Any]]:
    """The hook that a JSON writer calls, in order, for each value that it has no form for: so the
    arguments are walked once, and never copied."""

    def put(value: Any) -> dict[str, Any]:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise TypeError(f"{type(value).__name__} has no form in JSON.")
        attachments.append(bytes(value))
        return placeholder(len(attachments) - 1)

    return put


def _namespace_part(namespace: str) -> bytes:
    if namespace == MAIN_NAMESPACE:
        return b""
    if not namespace.startswith("/") or "," in namespace:
        raise ValueError("A namespace starts with a slash and has no comma.")
    return namespace.encode() + b","


def _ack_id_part(ack_id: int | None) -> bytes:
    return b"" if ack_id is None else b"%d" % ack_id

"""From what Engine.IO delivers, text and binary messages, to packets.

Owns the grammar of a packet's text, and what a payload must be for its type. Must not know which
namespaces are joined, what an event means, or how bytes travelled. Source: Socket.IO protocol 5,
"Packet encoding"; socket.io-parser 4.2.6; (docs/architecture, "What real peers send").

    <type>[<attachments>-][<namespace>,][<ack id>][<JSON>]

Two shapes are nearly all of the traffic, `2["name",...]` and `217["name",...]`, both without a
namespace: they are recognised first and by hand. Everything else takes the way through the grammar.
A test runs both ways over the same texts.

Stricter than the reference parser (60,000 random messages were run through both) only where that
one relies on JavaScript's coercions or waits for something useless: an empty text is not a CONNECT,
a blank is not a digit, and a binary packet needs a payload, as does a CONNECT_ERROR. Nothing that
the reference refuses is accepted, except `50-[...]`, an event without attachments.
"""

from __future__ import annotations

import re
from typing import Any, Final, assert_never

import attrs

from .assembly import DEFAULT_MAX_ATTACHMENT_BYTES, Assembly, find_placeholders
from .jsontext import loads
from .packet import (
    MAIN_NAMESPACE,
    MAX_ACK_ID,
    MAX_ATTACHMENTS,
    MAX_NAMESPACE_CHARS,
    RESERVED_EVENT_NAMES,
    Ack,
    Connect,
    ConnectError,
    Disconnect,
    Event,
    Packet,
    PacketType,
    ProtocolError,
    is_event_name,
)

_EVENT_DIGIT: Final = PacketType.EVENT.value
_EVENT_START: Final = _EVENT_DIGIT + "["
_ACK_ID_MAX_DIGITS: Final = len(str(MAX_ACK_ID))
_ACK_ID_SEARCH_END: Final = 1 + _ACK_ID_MAX_DIGITS + 1

_TYPES: Final = {packet_type.value: packet_type for packet_type in PacketType}
_DIGITS: Final = re.compile("[0-9]*")

_ABSENT: Final = object()
"""No payload at all, which is not the payload `null`."""


@attrs.define(eq=False, repr=False, weakref_slot=False)
class Decoder:
    """The decoder of one connection: feed it every message in order, whatever carried it.

    Its only state is the packet whose attachments are due. After a `ProtocolError` the session is
    over. Three slots and no dict: an idle connection pays 56 bytes for it.
    """

    _max_attachment_bytes: int = attrs.field(default=DEFAULT_MAX_ATTACHMENT_BYTES, kw_only=True)
    """The most bytes that the attachments of one packet may have together."""
    _from_server: bool = attrs.field(default=False, kw_only=True)
    """For clients: allows CONNECT_ERROR, which a server never receives."""
    _assembly: Assembly | None = attrs.field(default=None, init=False)

    @property
    def is_waiting_for_attachments(self) -> bool:
        """Whether a packet lacks attachments; `give_up_late` bounds how long that may last."""
        return self._assembly is not None

    def give_up_late(self, now_s: float, most_s: float) -> None:
        """Raise `ProtocolError` if a packet has lacked attachments for `most_s`. The time counts
        from the first call that finds it waiting: a packet that is complete at once, as nearly all
        are, costs no look at a clock."""
        assembly = self._assembly
        if assembly is not None and assembly.waited_s(now_s) >= most_s:
            self._assembly = None
            raise ProtocolError("The attachments of a packet did not come in time.")

    def receive_text(self, text: str) -> Packet | None:
        """The packet in `text` (a message without Engine.IO's own `4`).

        None: attachments are due, or the packet is an event without a payload, which is ignored.
        Raises `ProtocolError`, and nothing else, for anything malformed.
        """
        if self._assembly is not None:
            self._assembly = None
            raise ProtocolError("Text came while attachments were due.")
        if text[:2] == _EVENT_START:
            ack_id = None
            args = loads(text[1:])
        elif (
            text[:1] == _EVENT_DIGIT
            and (start := text.find("[", 2, _ACK_ID_SEARCH_END)) > 0
            and (digits := text[1:start]).isdecimal()
            and digits.isascii()
        ):
            ack_id = int(digits)
            if ack_id > MAX_ACK_ID:
                raise ProtocolError("The ack id is too large.")
            args = loads(text[start:])
        else:
            return self._receive_uncommon(text)
        # What starts with a bracket and is JSON is a list. The name is looked at here for the
        # common case, a string; the call for the others costs 0.1 us.
        name = args[0] if args else None
        if name in RESERVED_EVENT_NAMES if type(name) is str else not is_event_name(name):
            raise ProtocolError("The event has no legal name.")
        return Event(MAIN_NAMESPACE, args, ack_id)

    def receive_binary(self, data: bytes) -> Packet | None:
        """The packet that this attachment completes, None while more are due. Raises
        `ProtocolError` if none is due, or if together they are too large."""
        assembly = self._assembly
        if assembly is None:
            raise ProtocolError("A binary message came while no attachment was due.")
        # Cleared first: whether the packet is complete or refused, nothing is due afterwards.
        self._assembly = None
        packet = assembly.add(data)
        if packet is None:
            self._assembly = assembly
        return packet

    def _receive_uncommon(self, text: str) -> Packet | None:
        packet_type = _TYPES.get(text[:1])
        if packet_type is None:
            raise ProtocolError("The packet has no known type.")
        at = 1
        attachments = 0
        if packet_type is PacketType.BINARY_EVENT or packet_type is PacketType.BINARY_ACK:
            attachments, at = _read_attachments(text, at)
        namespace, at = _read_namespace(text, at)
        ack_id, at = _read_ack_id(text, at)
        payload = loads(text[at:]) if at < len(text) else _ABSENT
        match packet_type:
            case PacketType.EVENT:
                if payload is _ABSENT:
                    return None
                return Event(namespace, _event_args(payload), ack_id)
            case PacketType.ACK:
                return Ack(namespace, ack_id, [] if payload is _ABSENT else _ack_args(payload))
            case PacketType.CONNECT:
                return Connect(namespace, _connect_payload(payload))
            case PacketType.DISCONNECT:
                if payload is not _ABSENT:
                    raise ProtocolError("A disconnect carries a payload.")
                return Disconnect(namespace)
            case PacketType.CONNECT_ERROR:
                if not self._from_server:
                    raise ProtocolError("A client refused a connection.")
                return ConnectError(namespace, _connect_error_payload(payload))
            case PacketType.BINARY_EVENT:
                return self._expect(Event(namespace, _event_args(payload), ack_id), attachments)
            case PacketType.BINARY_ACK:
                return self._expect(Ack(namespace, ack_id, _ack_args(payload)), attachments)
            case _:
                assert_never(packet_type)

    def _expect(self, packet: Event | Ack, attachments: int) -> Event | Ack | None:
        if attachments == 0:
            # Node keeps waiting after `450-[...]`, and chokes on the next text.
            find_placeholders(packet.args, 0)
            return packet
        self._assembly = Assembly(packet, due=attachments, max_bytes=self._max_attachment_bytes)
        return None


def _digits_at(text: str, at: int) -> str:
    found = _DIGITS.match(text, at)
    return found[0] if found else ""


def _read_attachments(text: str, at: int) -> tuple[int, int]:
    digits = _digits_at(text, at)
    end = at + len(digits)
    if not digits or text[end : end + 1] != "-":
        raise ProtocolError("The number of attachments is not a number.")
    significant = digits.lstrip("0") or "0"
    if len(significant) > len(str(MAX_ATTACHMENTS)) or int(significant) > MAX_ATTACHMENTS:
        raise ProtocolError("The packet has too many attachments.")
    return int(significant), end + 1


def _read_namespace(text: str, at: int) -> tuple[str, int]:
    if not text.startswith("/", at):
        return MAIN_NAMESPACE, at
    end = text.find(",", at)
    if end < 0:
        end = len(text)
    if end - at > MAX_NAMESPACE_CHARS:
        raise ProtocolError("The name of the namespace is too long.")
    namespace = text[at:end]
    if not namespace.isascii():
        try:
            namespace.encode()
        except UnicodeEncodeError as error:
            # Text from the wire holds no surrogates; were one here, no answer could name it.
            raise ProtocolError("The name of the namespace is not Unicode text.") from error
    return namespace, end + 1


def _read_ack_id(text: str, at: int) -> tuple[int | None, int]:
    digits = _digits_at(text, at)
    if not digits:
        return None, at
    # Leading zeros are legal. The length is looked at first: int() refuses thousands of digits.
    significant = digits.lstrip("0") or "0"
    if len(significant) > _ACK_ID_MAX_DIGITS or int(significant) > MAX_ACK_ID:
        raise ProtocolError("The ack id is too large.")
    return int(significant), at + len(digits)


def _connect_payload(payload: Any) -> dict[str, Any] | None:
    if payload is _ABSENT:
        return None
    if type(payload) is not dict:
        raise ProtocolError("The payload of a connect is not an object.")
    return payload


def _connect_error_payload(payload: Any) -> dict[str, Any] | str:
    if type(payload) is dict or type(payload) is str:
        return payload
    raise ProtocolError("The payload of a refusal is neither an object nor a string.")


def _event_args(payload: Any) -> list[Any]:
    if type(payload) is not list or not payload or not is_event_name(payload[0]):
        raise ProtocolError("The event has no legal name.")
    return payload


def _ack_args(payload: Any) -> list[Any]:
    if type(payload) is not list:
        raise ProtocolError("The payload of an ack is not an array.")
    return payload

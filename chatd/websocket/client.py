"""RFC 6455 as a client speaks it, without I/O: its request, its masked frames, a server's frames.

Owns the bytes of a client's side. It must not know sockets, tasks, clocks, or what messages mean.
It is for clients that come in thousands from one process, so texts stay bytes: whoever reads them
knows whether they have to be characters.
"""

from typing import Final, TypeAlias

import attrs

from chatd.websocket.frames import (
    Close,
    CloseCode,
    Opcode,
    Ping,
    Pong,
    ProtocolError,
    encode_text,
)
from chatd.websocket.handshake import accept_key

KEY: Final = b"dGhlIHNhbXBsZSBub25jZQ=="
"""A Sec-WebSocket-Key. A key shows that the server understands WebSockets (section 1.3), and guards
against caches in between; a key that is always the same serves the first purpose."""

ACCEPTED: Final = accept_key(KEY)

_FIN: Final = 0x80
_RSV: Final = 0x70
_OPCODE: Final = 0x0F
_MASK: Final = 0x80
_CONTROL: Final = 0x08
_FIN_TEXT: Final = _FIN | int(Opcode.TEXT)
_NO_KEY: Final = bytes(4)
_FIRST_BYTES: Final = 2


@attrs.frozen
class Binary:
    """A binary message; a text message is just its `bytes`."""

    payload: bytes


ServerEvent: TypeAlias = bytes | Binary | Ping | Pong | Close


def upgrade_request(target: str, authority: str, headers: bytes = b"") -> bytes:
    """The request for a WebSocket (section 4.1); `headers` are whole lines, each with its end."""
    return (
        f"GET {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
    ).encode() + b"%b\r\n%b\r\n" % (KEY, headers)


def masked_text(payload: bytes) -> bytes:
    """A whole text message in a client's frame (section 5.3).

    The key is all zeros, which leaves the payload as it is: the server unmasks it like any other,
    and masking costs nothing here. A key has to be unpredictable only if others choose the payload.
    """
    return _masked(encode_text(payload))


def masked_pong(payload: bytes) -> bytes:
    """The answer to a ping (section 5.5.3)."""
    return bytes((_FIN | Opcode.PONG, _MASK | len(payload))) + _NO_KEY + payload


def _masked(frame: bytes) -> bytes:
    """A server's frame as a client's: with the mask bit, and with the key after the length."""
    length = frame[1]
    start = 2 if length < 126 else 4 if length == 126 else 10
    return b"%c%c%b%b%b" % (frame[0], length | _MASK, frame[2:start], _NO_KEY, frame[start:])


@attrs.define(eq=False, repr=False, weakref_slot=False)
class ServerFrames:
    """The input of one connection. A frame that is not whole grows in place until `_need` bytes are
    there; joining `bytes` at each read would be quadratic in the size of the frame.

    max_message_bytes: the payload of one message; one byte more is a breach.
    """

    max_message_bytes: int = 64 * 1024 * 1024
    _rest: bytearray = attrs.field(factory=bytearray, init=False)
    _need: int = attrs.field(default=_FIRST_BYTES, init=False)
    # The message whose fragments are arriving; None between messages.
    _message: bytearray | None = attrs.field(default=None, init=False)
    _is_text: bool = attrs.field(default=False, init=False)

    def receive(self, data: bytes) -> list[ServerEvent]:
        """The messages and control frames that `data` completes, in order. Raises ProtocolError if
        the server broke the protocol; then the connection is over."""
        if self._rest:
            self._rest += data
            if len(self._rest) < self._need:
                return []
            data = bytes(self._rest)
            self._rest.clear()
        events: list[ServerEvent] = []
        at, size = 0, len(data)
        self._need = _FIRST_BYTES
        while size - at >= _FIRST_BYTES:
            length = data[at + 1]
            start = at + _FIRST_BYTES
            if length > 125:
                start = at + _header_bytes(length)
                if size < start:
                    self._need = start - at
                    break
                length = int.from_bytes(data[at + _FIRST_BYTES : start], "big")
                if length > self.max_message_bytes:
                    raise ProtocolError(CloseCode.MESSAGE_TOO_BIG, "a message is too large")
            end = start + length
            if end > size:
                self._need = end - at
                break
            if data[at] == _FIN_TEXT and self._message is None:
                events.append(data[start:end])
            elif (event := self._uncommon(data[at], data[start:end])) is not None:
                events.append(event)
            at = end
        if at < size:
            self._rest += memoryview(data)[at:]
        return events

    def _uncommon(self, first: int, payload: bytes) -> ServerEvent | None:
        """A frame that is not a whole text: control, binary, or a fragment (sections 5.4, 5.5)."""
        opcode = first & _OPCODE
        is_final = bool(first & _FIN)
        if first & _RSV:
            raise _breach("a reserved bit is set, no extension was agreed")
        if opcode & _CONTROL:
            return _control(opcode, payload, is_final)
        if opcode == Opcode.CONTINUATION:
            if self._message is None:
                raise _breach("there is no message to continue")
        elif opcode not in (Opcode.TEXT, Opcode.BINARY):
            raise _breach(f"opcode {opcode:#x} is reserved")
        elif self._message is not None:
            raise _breach("a message began before the last one ended")
        else:
            self._message, self._is_text = bytearray(), opcode == Opcode.TEXT
        self._message += payload
        if len(self._message) > self.max_message_bytes:
            raise ProtocolError(CloseCode.MESSAGE_TOO_BIG, "a message is too large")
        if not is_final:
            return None
        whole, self._message = bytes(self._message), None
        return whole if self._is_text else Binary(whole)


def _header_bytes(length: int) -> int:
    """The length of a header whose second byte says more than 125 (section 5.2)."""
    if length & _MASK:
        raise _breach("a server's frame is masked")
    return 4 if length == 126 else 10


def _control(opcode: int, payload: bytes, is_final: bool) -> Ping | Pong | Close:
    if not is_final or len(payload) > 125:
        raise _breach("a control frame is fragmented or too long")
    match opcode:
        case Opcode.PING:
            return Ping(payload)
        case Opcode.PONG:
            return Pong(payload)
        case Opcode.CLOSE:
            code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else None
            return Close(code, payload[2:].decode("utf-8", "replace"))
        case _:
            raise _breach(f"opcode {opcode:#x} is reserved")


def _breach(message: str) -> ProtocolError:
    return ProtocolError(CloseCode.PROTOCOL_ERROR, message)

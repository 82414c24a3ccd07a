"""The vocabulary of RFC 6455: opcodes, close codes, events; and frames as a server writes them.

Owns the numbers of the wire and the way out: a payload becomes one unmasked frame with FIN set
(sections 5.1 and 5.2), equal for every receiver, so that a broadcast is encoded once. It must not
know what a payload means, who sends it, or what was received before.
"""

from enum import IntEnum
from struct import Struct
from typing import Final, TypeAlias

import attrs


class Opcode(IntEnum):
    """What a frame carries (RFC 6455, sections 5.2 and 11.8); the rest is reserved."""

    # Section 5.4, fragmentation
    CONTINUATION = 0x0
    # Section 5.6, data frames
    TEXT = 0x1
    BINARY = 0x2
    # Section 5.5, control frames: never fragmented, 125 bytes at most
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class CloseCode(IntEnum):
    """Why this side ends a connection (RFC 6455, section 7.4.1); peers may send others."""

    PROTOCOL_ERROR = 1002
    INVALID_PAYLOAD = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009


# Section 5.5: "All control frames MUST have a payload length of 125 bytes or less".
MAX_CONTROL_PAYLOAD_BYTES: Final = 125


class ProtocolError(Exception):
    """The peer broke the protocol or a limit; answer with a close frame of this `code`.

    The message is one sentence in ASCII.
    """

    def __init__(self, code: CloseCode, message: str) -> None:
        super().__init__(message)
        self.code = code


@attrs.frozen
class Ping:
    """The peer asks for a sign of life; answer with a pong of the same payload (section 5.5.2)."""

    payload: bytes


@attrs.frozen
class Pong:
    """The peer answers a ping, or shows without being asked that it lives (section 5.5.3)."""

    payload: bytes


@attrs.frozen
class Close:
    """The peer ends the connection (section 5.5.1); nothing it sends after this counts.

    `code` is None when the frame named none; what to answer is then a close frame without a code.
    """

    code: int | None
    reason: str


@attrs.frozen
class Fragments:
    """The peer sent so many frames that completed no message (section 5.4).

    They cost as much to take as messages do, and bring nothing: a server gives other peers their
    turn, and counts them.
    """

    count: int


# A text message is its `str` and a binary message its `bytes`. A wrapper would be one more
# allocation and one more attribute to read for each message on the hot path, and say no more
# than the type already says. Both are whole: fragments were put together (section 5.4).
Event: TypeAlias = str | bytes | Ping | Pong | Close | Fragments


_FIN: Final = 0x80
_TEXT: Final = _FIN | Opcode.TEXT
_BINARY: Final = _FIN | Opcode.BINARY

# The two bytes in front of a payload that is shorter than 126 bytes, by its length.
_TEXT_HEADERS: Final = tuple(bytes((_TEXT, length)) for length in range(126))
_BINARY_HEADERS: Final = tuple(bytes((_BINARY, length)) for length in range(126))

_MEDIUM_HEADER: Final = Struct(">BBH").pack
_LARGE_HEADER: Final = Struct(">BBQ").pack


def encode_text(payload: bytes) -> bytes:
    """One frame that is a whole text message; `payload` is its UTF-8, which is not checked."""
    length = len(payload)
    if length < 126:
        return _TEXT_HEADERS[length] + payload
    return _long_header(_TEXT, length) + payload


def encode_binary(payload: bytes) -> bytes:
    """One frame that is a whole binary message."""
    length = len(payload)
    if length < 126:
        return _BINARY_HEADERS[length] + payload
    return _long_header(_BINARY, length) + payload


def encode_pong(payload: bytes) -> bytes:
    """The answer to a ping, with its payload; ValueError when that is longer than 125 bytes."""
    return _control(Opcode.PONG, payload)


def encode_close(code: int | None = None) -> bytes:
    """A close frame, with a status or (None) without one.

    ValueError for a code that must not stand in a frame (1005, 1006, 1015, unassigned ones).
    """
    if code is None:
        return _control(Opcode.CLOSE, b"")
    if not is_sendable_close_code(code):
        raise ValueError(f"{code} must not stand in a close frame")
    return _control(Opcode.CLOSE, code.to_bytes(2, "big"))


def is_sendable_close_code(code: int) -> bool:
    """Whether `code` may stand in a close frame of either side (sections 7.4.1 and 7.4.2)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def _long_header(first: int, length: int) -> bytes:
    """The header of a payload of 126 bytes and more (section 5.2, extended payload length)."""
    if length < 1 << 16:
        return _MEDIUM_HEADER(first, 126, length)
    return _LARGE_HEADER(first, 127, length)


def _control(opcode: Opcode, payload: bytes) -> bytes:
    length = len(payload)
    if length > MAX_CONTROL_PAYLOAD_BYTES:
        raise ValueError(f"a control frame holds {MAX_CONTROL_PAYLOAD_BYTES} bytes, not {length}")
    return bytes((_FIN | opcode, length)) + payload

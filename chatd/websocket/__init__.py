"""RFC 6455 for a server, without I/O: handshake, frames out, messages in.

Owns the bytes between a TCP stream and whole messages. It must not know sockets, tasks, clocks,
nor what a message means. Version 13 without extensions (section 9): every RSV bit is an error.
"""

from chatd.websocket.decoder import Decoder
from chatd.websocket.frames import (
    MAX_CONTROL_PAYLOAD_BYTES,
    Close,
    CloseCode,
    Event,
    Fragments,
    Opcode,
    Ping,
    Pong,
    ProtocolError,
    encode_binary,
    encode_close,
    encode_ping,
    encode_pong,
    encode_text,
    is_sendable_close_code,
)
from chatd.websocket.handshake import accept_key, is_valid_key, switching_protocols

__all__ = [
    "MAX_CONTROL_PAYLOAD_BYTES",
    "Close",
    "CloseCode",
    "Decoder",
    "Event",
    "Fragments",
    "Opcode",
    "Ping",
    "Pong",
    "ProtocolError",
    "accept_key",
    "encode_binary",
    "encode_close",
    "encode_ping",
    "encode_pong",
    "encode_text",
    "is_sendable_close_code",
    "is_valid_key",
    "switching_protocols",
]

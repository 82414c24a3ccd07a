"""The server's half of the opening handshake, as bytes (RFC 6455, section 4.2).

Owns the accept key and the head of the 101 response. It must not know how a request is read,
routed, or authenticated: method, version and the other headers are judged by the caller.
"""

import binascii
from base64 import b64encode
from hashlib import sha1
from typing import Final

# Section 1.3: appended to the client's key, so that only a WebSocket server answers right.
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

_KEY_BYTES: Final = 16

# RFC 9110, section 5.6.2: the characters of a token, which a subprotocol's name must be.
_TOKEN_CHARACTERS: Final = frozenset(
    b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)


def accept_key(key: bytes) -> bytes:
    """The value of Sec-WebSocket-Accept for this Sec-WebSocket-Key (section 4.2.2, item 5.4)."""
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest())


def is_valid_key(key: bytes) -> bool:
    """Whether a Sec-WebSocket-Key is the base64 of 16 bytes (section 4.2.1, item 5).

    Takes the value without white space around it.
    """
    try:
        nonce = binascii.a2b_base64(key, strict_mode=True)
    except binascii.Error:
        return False
    return len(nonce) == _KEY_BYTES


def is_subprotocol(name: bytes) -> bool:
    """Whether this may name a subprotocol, which is a token (RFC 9110, section 5.6.2)."""
    return bool(name) and _TOKEN_CHARACTERS.issuperset(name)


def switching_protocols(key: bytes, subprotocol: bytes | None = None) -> bytes:
    """The complete head of the 101 response (section 4.2.2, item 5); frames follow at once.

    `subprotocol` is one that the client offered, or None for none. No extension is accepted.
    ValueError when it is not a token: it came from the peer and must not add a header of its own.
    """
    head = (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_key(key) + b"\r\n"
    )
    if subprotocol is not None:
        if not is_subprotocol(subprotocol):
            raise ValueError("a subprotocol's name is a token of RFC 9110, section 5.6.2")
        head += b"Sec-WebSocket-Protocol: " + subprotocol + b"\r\n"
    return head + b"\r\n"

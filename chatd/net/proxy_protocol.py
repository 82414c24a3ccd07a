"""The header of the PROXY protocol, by which a proxy that passes on TCP says who its client is.

The header is the first thing on a connection, before any byte of the client's: a line of text
(version 1) or a block of bytes (version 2). Source: HAProxy's "The PROXY protocol, Versions 1 & 2",
2.1 and 2.2. This reads both. It never guesses: whoever calls it has decided, by configuration and
by the peer's address, that a header must come, and anything else is a `ProxyHeaderError`. Pure.

    version 1   PROXY TCP4 203.0.113.9 192.0.2.1 50123 443 CR LF      at most 107 bytes
                PROXY UNKNOWN ... CR LF
    version 2   signature (12), version and command (1), family (1), length (2), and so many bytes:
                the addresses that the family has, then TLVs, which are skipped

What a header comes to:

    a LOCAL command             the connection is the proxy's own, as its health checks are
    an address of IPv4 or IPv6  the client's
    a unix socket               `LOCAL`: the client has no address
    UNKNOWN, or no family       `UNNAMED`: there is a client, and the proxy does not say who
"""

import re
import socket
import struct
from typing import Final

import attrs

from chatd.net.addresses import LOCAL, UNNAMED, spelled

LINE_BYTES_MAX: Final = 107
"""Of version 1, CR LF included: the longest line that there can be (2.1)."""

BLOCK_BYTES_MAX: Final = 4096
"""Of version 2, after its first 16 bytes. The largest addresses have 216; the rest are TLVs, of
which a client's certificate is the longest. Beyond: refused."""

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
LINE_BEGINNING: Final = b"PROXY "

LOCAL_HEADER: Final = SIGNATURE + b"\x20\0\0\0"
"""What a program sends that connects for itself (2.2, LOCAL)."""

_FIXED: Final = struct.Struct("!12sBBH")
_LOCAL_COMMAND: Final = 0x20  # version 2, command 0
_PROXY_COMMAND: Final = 0x21
_IPV4, _IPV6, _UNIX = 1, 2, 3  # the upper half of the family's byte; the lower one is the transport
_ADDRESS_BYTES: Final = {_IPV4: 12, _IPV6: 36, _UNIX: 216}
_TRANSPORTS: Final = frozenset({0, 1, 2})  # none said, a stream, datagrams (QUIC, out there)

_LINE: Final = re.compile(
    rb"PROXY (?:UNKNOWN(?: [\x20-\x7e]*)?"
    rb"|(TCP[46]) ([0-9a-fA-F:.]{2,45}) ([0-9a-fA-F:.]{2,45}) ([0-9]{1,5}) ([0-9]{1,5}))"
)
_PORT_MAX: Final = 65_535


class ProxyHeaderError(Exception):
    """The bytes are not a header of the PROXY protocol, or are one that this reader refuses."""


@attrs.frozen
class ProxyHeader:
    """A whole header. `address`: the client's, as above; None if the connection is the proxy's own.
    `rest`: what came after it."""

    address: str | None
    rest: bytes


class ProxyHeaderReader:
    """The beginning of one connection: feed it until a header is there."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen = b""

    def feed(self, data: bytes) -> ProxyHeader | None:
        """Take what came next; returns the header, once it is whole. Keeps no more than the longest
        header and one piece. Raises ProxyHeaderError as soon as the bytes cannot become a
        header."""
        self._seen += data
        seen = self._seen
        if seen[:1] == SIGNATURE[:1]:
            return _block(seen)
        return _line(seen)


def _line(seen: bytes) -> ProxyHeader | None:
    """Version 1."""
    beginning = LINE_BEGINNING[: len(seen)]
    if not seen.startswith(beginning):
        raise ProxyHeaderError("the connection begins with no header of the PROXY protocol")
    line, ending, rest = seen.partition(b"\r\n")
    if len(line) + (2 if ending else 1) > LINE_BYTES_MAX:
        raise ProxyHeaderError("the line is too long")
    if not ending:
        return None
    found = _LINE.fullmatch(line)
    if found is None:
        raise ProxyHeaderError("the line is not well-formed")
    if found[1] is None:
        return ProxyHeader(UNNAMED, rest)
    family = socket.AF_INET if found[1] == b"TCP4" else socket.AF_INET6
    source, destination = found[2].decode(), found[3].decode()
    if max(int(found[4]), int(found[5])) > _PORT_MAX:
        raise ProxyHeaderError("a port is too large")
    try:
        socket.inet_pton(family, destination)
        packed = socket.inet_pton(family, source)
    except OSError:
        raise ProxyHeaderError("an address is not of its family") from None
    return ProxyHeader(_spelled(family, packed), rest)


def _block(seen: bytes) -> ProxyHeader | None:
    """Version 2."""
    if seen[: len(SIGNATURE)] != SIGNATURE[: len(seen)]:
        raise ProxyHeaderError("the connection begins with no header of the PROXY protocol")
    if len(seen) < _FIXED.size:
        return None
    _, command, family_and_transport, length = _FIXED.unpack_from(seen)
    family, transport = family_and_transport >> 4, family_and_transport & 0xF
    if command not in (_LOCAL_COMMAND, _PROXY_COMMAND):
        raise ProxyHeaderError("the version or the command is not known")
    if length > BLOCK_BYTES_MAX:
        raise ProxyHeaderError("the block is too long")
    needed = 0
    if command == _PROXY_COMMAND:
        if (family and family not in _ADDRESS_BYTES) or transport not in _TRANSPORTS:
            raise ProxyHeaderError("the family is not known")
        needed = _ADDRESS_BYTES.get(family, 0)
        if length < needed:
            raise ProxyHeaderError("the block is too short for its addresses")
    end = _FIXED.size + length
    if len(seen) < end:
        return None
    return ProxyHeader(_source(command, family, seen[_FIXED.size : end]), seen[end:])


def _source(command: int, family: int, block: bytes) -> str | None:
    if command == _LOCAL_COMMAND:
        return None
    if family == _IPV4:
        return _spelled(socket.AF_INET, block[:4])
    if family == _IPV6:
        return _spelled(socket.AF_INET6, block[:16])
    return LOCAL if family == _UNIX else UNNAMED


def _spelled(family: int, packed: bytes) -> str:
    return spelled(socket.inet_ntop(family, packed)) or UNNAMED

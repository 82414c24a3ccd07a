"""What a proxy says of its client before the first byte of the client's."""

import ipaddress
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.net.addresses import LOCAL, UNNAMED
from chatd.net.proxy_protocol import (
    BLOCK_BYTES_MAX,
    LINE_BYTES_MAX,
    LOCAL_HEADER,
    SIGNATURE,
    ProxyHeader,
    ProxyHeaderError,
    ProxyHeaderReader,
)
from tests.rows import rows

REQUEST = b"GET / HTTP/1.1\r\nHost: chat.example\r\n\r\n"
SSL = b"\x20\x00\x11\x01\x00\x00\x00\x00\x21\x00\x07TLSv1.3"
AUTHORITY = b"\x02\x00\x0cchat.example"
PADDING = b"\x04\x00\x03\0\0\0"
TLVS = SSL + AUTHORITY + PADDING


def block(
    family: int,
    addresses: bytes,
    *,
    command: int = 0x21,
    tlvs: bytes = b"",
    length: int | None = None,
) -> bytes:
    """A header of version 2; `length` is what it says of itself."""
    body = addresses + tlvs
    size = len(body) if length is None else length
    return SIGNATURE + struct.pack("!BBH", command, family, size) + body


def inet(source: str, destination: str = "192.0.2.1") -> bytes:
    ends = socket.inet_aton(source) + socket.inet_aton(destination)
    return ends + struct.pack("!HH", 50123, 443)


def inet6(source: str, destination: str = "2001:db8::99") -> bytes:
    ends = b"".join(socket.inet_pton(socket.AF_INET6, end) for end in (source, destination))
    return ends + struct.pack("!HH", 50123, 443)


UNIX = b"/run/client.sock".ljust(108, b"\0") + b"/run/proxy.sock".ljust(108, b"\0")
LONGEST_LINE = b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff".ljust(105, b"0") + b"\r\n"


def read(data: bytes) -> ProxyHeader | None:
    return ProxyHeaderReader().feed(data)


def read_in_crumbs(data: bytes) -> None:
    """Byte by byte, to a reader that is not content with any of them."""
    reader = ProxyHeaderReader()
    for at in range(len(data)):
        assert reader.feed(data[at : at + 1]) is None


HEADERS: list[tuple[bytes, str | None]] = [
    (b"PROXY TCP4 203.0.113.9 192.0.2.1 50123 443\r\n", "203.0.113.9"),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"),
    (b"PROXY TCP6 2001:DB8:0::1 2001:db8::99 50123 443\r\n", "2001:db8::1"),
    (b"PROXY TCP6 ::ffff:203.0.113.9 ::1 1 2\r\n", "203.0.113.9"),
    (b"PROXY UNKNOWN\r\n", UNNAMED),
    (b"PROXY UNKNOWN 203.0.113.9 192.0.2.1 50123 443\r\n", UNNAMED),
    (LONGEST_LINE, UNNAMED),
    (block(0x11, inet("203.0.113.9")), "203.0.113.9"),
    (block(0x12, inet("203.0.113.9")), "203.0.113.9"),
    (block(0x21, inet6("2001:db8::1")), "2001:db8::1"),
    (block(0x22, inet6("2001:db8::1")), "2001:db8::1"),
    (block(0x21, inet6("::ffff:203.0.113.9")), "203.0.113.9"),
    (block(0x31, UNIX), LOCAL),
    (block(0x32, UNIX), LOCAL),
    (block(0x00, b""), UNNAMED),
    (block(0x00, inet("203.0.113.9")), UNNAMED),
    (block(0x11, inet("203.0.113.9"), tlvs=TLVS), "203.0.113.9"),
    (block(0x21, inet6("2001:db8::1"), tlvs=TLVS), "2001:db8::1"),
    (block(0x00, b"", tlvs=TLVS), UNNAMED),
    (block(0x11, inet("203.0.113.9"), tlvs=bytes(BLOCK_BYTES_MAX - 12)), "203.0.113.9"),
    (LOCAL_HEADER, None),
    (block(0x11, inet("203.0.113.9"), command=0x20, tlvs=TLVS), None),
    (block(0xFF, b"anything", command=0x20), None),
]


@rows(("header", "address"), HEADERS)
def test_a_header_names_the_client_and_leaves_the_rest(header: bytes, address: str | None) -> None:
    assert read(header) == ProxyHeader(address, b"")
    assert read(header + REQUEST) == ProxyHeader(address, REQUEST)
    reader = ProxyHeaderReader()
    for at in range(len(header) - 1):  # byte by byte it is complete with its last one
        assert reader.feed(header[at : at + 1]) is None
    assert reader.feed(header[-1:] + REQUEST) == ProxyHeader(address, REQUEST)


@rows(
    "sent",
    [
        REQUEST,
        b"\0",
        b"PROX\r\n",
        b"proxy TCP4 203.0.113.9 192.0.2.1 50123 443\r\n",
        b"PROXY  TCP4 203.0.113.9 192.0.2.1 50123 443\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 50123\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 50123 443 \r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 50123 65536\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 50123 443\r\n",
        b"PROXY TCP6 203.0.113.9 192.0.2.1 50123 443\r\n",
        b"PROXY TCP4 203.0.113.9 elsewhere 50123 443\r\n",
        b"PROXY TCP4 203.0.113 192.0.2.1 50123 443\r\n",
        b"PROXY TCP4 203.0.113.9\0 192.0.2.1 50123 443\r\n",
        b"PROXY UDP4 203.0.113.9 192.0.2.1 50123 443\r\n",
        b"PROXY UNKNOWNS\r\n",
        b"PROXY \r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 50123 443\n" + b"x" * LINE_BYTES_MAX,
        b"PROXY " + b"x" * LINE_BYTES_MAX,
        LONGEST_LINE[:-2] + b"0\r\n",
        SIGNATURE[:-1] + b"X",
        b"\r\n\r\nGET / HTTP/1.1\r\n",
        block(0x11, inet("203.0.113.9"), command=0x11),
        block(0x11, inet("203.0.113.9"), command=0x22),
        block(0x11, inet("203.0.113.9"), command=0x31),
        block(0x11, inet("203.0.113.9")[:-1]),
        block(0x21, inet("203.0.113.9")),
        block(0x31, inet6("2001:db8::1")),
        block(0x41, bytes(300)),
        block(0x13, inet("203.0.113.9")),
        block(0x11, b"", length=BLOCK_BYTES_MAX + 1),
        block(0x11, b"", length=0xFFFF),
        block(0x11, b"", command=0x20, length=BLOCK_BYTES_MAX + 1),
    ],
)
def test_what_is_no_header_is_refused(sent: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        read(sent)
    with pytest.raises(ProxyHeaderError):
        read_in_crumbs(sent)


@given(
    st.ip_addresses(), st.ip_addresses(), st.binary(max_size=60), st.binary(), st.integers(0, 200)
)
def test_whatever_tlvs_and_pieces_the_client_is_who_the_header_says(
    source: ipaddress.IPv4Address | ipaddress.IPv6Address,
    destination: ipaddress.IPv4Address | ipaddress.IPv6Address,
    tlvs: bytes,
    rest: bytes,
    cut: int,
) -> None:
    if source.version != destination.version:
        return
    ends = source.packed + destination.packed + b"\xc3\xcb\x01\xbb"
    header = block(0x11 if source.version == 4 else 0x21, ends, tlvs=tlvs)
    reader = ProxyHeaderReader()
    whole = header + rest
    found = reader.feed(whole[:cut]) or reader.feed(whole[cut:])
    mapped = source.ipv4_mapped if isinstance(source, ipaddress.IPv6Address) else None
    assert found is not None
    assert found.address == str(mapped or source)
    assert found.rest == (whole[:cut] if cut >= len(header) else whole)[len(header) :]


@given(st.lists(st.binary(max_size=300) | st.sampled_from([one for one, _ in HEADERS])))
def test_whatever_comes_is_a_header_or_refused_and_no_more_is_kept(pieces: list[bytes]) -> None:
    reader = ProxyHeaderReader()
    for piece in pieces:
        try:
            if reader.feed(piece) is not None:
                return
        except ProxyHeaderError:
            return
        assert len(reader._seen) < BLOCK_BYTES_MAX + 16

"""One spelling for each address, and what each counts as."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from chatd.net.addresses import (
    LOCAL,
    UNNAMED,
    as_network,
    counted_as,
    is_trusted,
    peer_address,
    spelled,
)
from tests.rows import rows


@rows(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:50123", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:0201", "192.0.2.1"),
        ("0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:443", "192.0.2.1"),
        ("2001:DB8:0:0::0001", "2001:db8::1"),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:80", "fe80::1"),
        ("fe80::1%" + "e" * 50, "fe80::1"),
        ("192.0.2.1:_hidden", "192.0.2.1"),
        ("[2001:db8::1]:_a.b-c", "2001:db8::1"),
        ("unix:", LOCAL),
    ],
)
def test_an_address_has_one_spelling(text: str, address: str) -> None:
    assert spelled(text) == address


@rows(
    "text",
    [
        "",
        "unknown",
        "_hidden",
        LOCAL,
        "192.0.2.010",
        "192.0.2",
        "192.0.2.1:",
        "192.0.2.1:x",
        "192.0.2.1:_",
        "192.0.2.1:_a b",
        "2001:db8::1:_hidden",
        "unix:/run/chatd.sock",
        "UNIX:",
        "192.0.2.1:123456",
        "[192.0.2.1",
        "2001:db8::1]",
        "[]:80",
        "[[::1]]",
        "1.1.1.1 2.2.2.2",
        "１９２.0.2.1",
        "fe80::1%" + "e" * 500,
        "2001:db8::1, ",
    ],
)
def test_what_is_no_address_has_none(text: str) -> None:
    assert spelled(text) is None


@rows(
    ("addresses", "key"),
    [
        (("192.0.2.1", "::ffff:192.0.2.1", "64:ff9b::192.0.2.1"), "192.0.2.1"),
        (("2001:db8:0:7::", "2001:DB8:0:7:ffff:ffff:ffff:ffff"), "2001:db8:0:7::/64"),
        (("fe80::1", "fe80::2%eth0"), "fe80::/64"),
        (("::1",), "::/64"),
        ((LOCAL,), LOCAL),
        ((UNNAMED,), UNNAMED),
        (("no:address",), "no:address"),
    ],
)
def test_a_network_that_is_one_customers_counts_as_one(
    addresses: tuple[str, ...], key: str
) -> None:
    assert {counted_as(address) for address in addresses} == {key}


def test_neighbouring_networks_count_apart() -> None:
    assert counted_as("2001:db8:0:7::1") != counted_as("2001:db8:0:8::1")
    assert counted_as("192.0.2.1") != counted_as("192.0.2.2")


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_every_address_of_a_64_counts_as_the_same(
    address: ipaddress.IPv6Address, host: int
) -> None:
    other = ipaddress.IPv6Address((int(address) >> 64 << 64) | host)
    if not any(
        one in ipaddress.ip_network(network)
        for one in (address, other)
        for network in ("::ffff:0:0/96", "64:ff9b::/96")
    ):
        assert counted_as(str(address)) == counted_as(other.exploded.upper())


@given(st.text() | st.from_regex(r"[0-9a-fA-F:.%\[\]]{0,80}", fullmatch=True))
def test_whatever_is_written_there_is_an_address_or_none(text: str) -> None:
    address = spelled(text)
    if address is not None:
        assert spelled(address) == address
        assert spelled(f"[{address}]:80") == address
        ipaddress.ip_address(address)


@rows(
    ("peer", "address"),
    [
        (("192.0.2.1", 50123), "192.0.2.1"),
        (("::ffff:192.0.2.1", 50123, 0, 0), "192.0.2.1"),
        (("fe80::1%eth0", 50123, 0, 2), "fe80::1"),
        (["192.0.2.1", 50123], "192.0.2.1"),
        (None, LOCAL),
        ("", LOCAL),
        (b"\0abstract", LOCAL),
    ],
)
def test_the_peer_of_a_socket_is_known_by_its_address(peer: object, address: str) -> None:
    assert peer_address(peer) == address


@rows(
    ("address", "networks", "is_ours"),
    [
        ("10.1.2.3", ["10.0.0.0/8"], True),
        ("10.1.2.3", ["::ffff:10.0.0.0/104"], True),
        ("::ffff:10.1.2.3", ["10.0.0.0/8"], True),
        ("11.1.2.3", ["10.0.0.0/8"], False),
        ("10.1.2.3", [], False),
        ("2001:db8::1", ["10.0.0.0/8", "2001:db8::/32"], True),
        ("::1", ["127.0.0.1"], False),
        (LOCAL, ["unix:"], True),
        (LOCAL, ["0.0.0.0/0", "::/0"], False),
        ("127.0.0.1", ["unix:"], False),
        (UNNAMED, ["unix:", "0.0.0.0/0", "::/0"], False),
        ("", ["unix:", "0.0.0.0/0", "::/0"], False),
    ],
)
def test_a_proxy_is_ours_by_its_network_and_those_of_unix_sockets_by_their_own_word(
    address: str, networks: list[str], is_ours: bool
) -> None:
    assert is_trusted(address, tuple(map(as_network, networks))) is is_ours

"""Addresses of peers: one spelling for each, and what each counts as.

Everything that counts, or backs off, by address uses `counted_as`, so that no peer becomes two by
writing an address in another way, nor many by moving about in a network of its own. Pure.

- An IPv4 address that travels inside of IPv6 is that IPv4 address: `::ffff:192.0.2.1` is how a
  socket for both families says it, `64:ff9b::192.0.2.1` how a translator does (RFC 6052).
- IPv6 counts by /64: a customer is given at least that much, and may use all of it (RFC 6177).
- A zone (`%eth0`) names the interface of this machine that leads there; it says nothing about the
  peer.
- The peer of a unix socket has no address: all of them are `LOCAL`. nginx writes `unix:` for one,
  and so does the configuration.
- A client that a proxy passes on without saying who it is, is `UNNAMED`.
"""

import ipaddress
import re
from collections.abc import Sequence
from enum import Enum
from typing import Final, TypeAlias


class Peers(Enum):
    """Peers that no network holds."""

    OF_UNIX_SOCKETS = "unix:"


Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network | Peers
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

LOCAL: Final = "local"
UNNAMED: Final = "unknown"
ENTRY_CHARS_MAX: Final = 64
"""Of one entry: the longest address has 45; brackets, a zone and a port come on top. A longer entry
is not an address."""

_PREFIX_BITS: Final = 64
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")
_IPV4_MASK: Final = 0xFFFF_FFFF
# An address with a port behind it, or in brackets, as some proxies write them. RFC 7239, 6: a port
# may be hidden behind a name.
_PORT = r":(?:[0-9]{1,5}|_[A-Za-z0-9._-]{1,40})"
_WRAPPED = re.compile(rf"\[([^\[\]]*)\](?:{_PORT})?|([0-9.]+){_PORT}")


def spelled(text: str) -> str | None:
    """An address in its one spelling, without brackets, port and zone; None if it is not one.

    >>> spelled("[2001:0DB8::0001%eth0]:443"), spelled("::FFFF:192.0.2.1"), spelled("unknown")
    ('2001:db8::1', '192.0.2.1', None)
    >>> spelled("unix:")
    'local'
    """
    if text == Peers.OF_UNIX_SOCKETS.value:
        return LOCAL
    address = _parsed(text)
    return None if address is None else str(address)


def counted_as(address: str) -> str:
    """What an address counts as: the address itself, or the /64 that an IPv6 one lies in.

    What is not an address (`LOCAL`, `UNNAMED`) counts as itself.

    >>> counted_as("2001:db8:0:1:2:3:4:5"), counted_as("192.0.2.1")
    ('2001:db8:0:1::/64', '192.0.2.1')
    """
    if ":" not in address:
        return address
    parsed = _parsed(address)
    if parsed is None or isinstance(parsed, ipaddress.IPv4Address):
        return address if parsed is None else str(parsed)
    if parsed in _TRANSLATED:
        return str(ipaddress.IPv4Address(int(parsed) & _IPV4_MASK))
    return str(ipaddress.IPv6Network((int(parsed), _PREFIX_BITS), strict=False))


def peer_address(peer: object) -> str:
    """The address of an accepted socket's peer, as the system gives it: a tuple, or for a unix
    socket nothing of the kind."""
    if not isinstance(peer, tuple | list):
        return LOCAL
    address = str(peer[0])
    if ":" not in address and address:
        return address  # the system spells IPv4 in one way
    return spelled(address) or LOCAL


def is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    """Whether this is the address of one of our own proxies."""
    if not trusted:
        return False
    if address == LOCAL:
        return Peers.OF_UNIX_SOCKETS in trusted
    parsed = _parsed(address)
    return parsed is not None and any(
        parsed in network for network in trusted if not isinstance(network, Peers)
    )


def as_network(text: str) -> Network:
    """A network of the configuration; one of IPv4 inside IPv6 is one of IPv4. Raises ValueError."""
    if text == Peers.OF_UNIX_SOCKETS.value:
        return Peers.OF_UNIX_SOCKETS
    network = ipaddress.ip_network(text)
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        first = int(network.network_address) & _IPV4_MASK
        return ipaddress.IPv4Network((first, network.prefixlen - _MAPPED.prefixlen))
    return network


def _parsed(text: str) -> Address | None:
    if len(text) > ENTRY_CHARS_MAX:
        return None
    wrapped = _WRAPPED.fullmatch(text)
    bare = text if wrapped is None else wrapped[1] or wrapped[2] or ""
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address

"""How a request came: whose it is, by which name its client called the server, and through which
proxies.

A trusted proxy says so in headers, of which only its own words count: in a list, the entries that
our proxies wrote at its end, up to the first address that is not one of them. Anybody may have
written what stands before that. There are two families of such headers: `X-Forwarded-For`, `-Host`,
`-Proto` and `-Port`, and `Forwarded` (RFC 7239). A proxy writes one family, and may pass on what
its client wrote of the other; a request does not show which. So the configuration says which family
the proxies write, and the other one is never read.

From anybody else nothing in these headers is believed. But whoever sends one says that the request
comes from further away than the connection: it is not taken for one of this machine. Pure.
"""

import enum
import re
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from chatd.net.addresses import Network, is_trusted, spelled
from chatd.net.http.authority import PORT_MAX, parse_host, web_scheme

HOPS_MAX: Final = 16
"""Entries of a list that are looked at, from its end: no request comes through more proxies."""

_FOR: Final = b"x-forwarded-for"
_HOST: Final = b"x-forwarded-host"
_PROTO: Final = b"x-forwarded-proto"
_PORT: Final = b"x-forwarded-port"
_FORWARDED: Final = b"forwarded"
_FAMILY: Final = frozenset({_FOR, _HOST, _PROTO, _PORT})
FORWARDING: Final = _FAMILY | {_FORWARDED, b"via", b"x-real-ip"}
"""Headers by which a proxy shows that it is one; names in lower case."""

_AROUND: Final = ' \t"'
"""Around an entry of a list: some write it in quotes, as in `Forwarded`."""

_USUAL_PORTS: Final = frozenset({"80", "443"})
_SCHEMES: Final = frozenset({"http", "https"})

# RFC 7239, 4; possessive or atomic, so that nothing is ever tried twice.
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED: Final = r'"(?>(?:[^"\\]|\\.)*)"'
# Colons and brackets need quotes there; not every proxy gives them to an address.
_BARE: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z:\[\]-]++"
_PAIR: Final = re.compile(rf"[ \t]*+({_TOKEN})=({_BARE}|{_QUOTED})[ \t]*+(;|,|\Z)")
_ESCAPED: Final = re.compile(r"\\(.)")


class ProxyHeaders(enum.StrEnum):
    """The family of headers that the trusted proxies write."""

    X_FORWARDED = "x-forwarded"
    FORWARDED = "forwarded"


@attrs.frozen
class Arrival:
    """How a request came.

    `address` is the client's. `host` is the name, with its port, by which the client called the
    server, as somebody wrote it; None if nobody did. `scheme` is `http` or `https` if a trusted
    proxy says so. `is_trusted`: a trusted proxy passed the request on. `is_forwarded`: some proxy
    did, trusted or not. `may_lack_port`: a trusted proxy passed on a Host without a port and says
    nothing else, as nginx does with `$host`, whichever port the client called. `is_unread`: a
    trusted proxy passed on headers of the other family alone.
    """

    address: str
    host: str | None
    scheme: str | None = None
    is_trusted: bool = False
    is_forwarded: bool = False
    may_lack_port: bool = False
    is_unread: bool = False


def arrival_of(
    headers: Mapping[bytes, bytes],
    peer: str,
    trusted: Sequence[Network],
    family: ProxyHeaders = ProxyHeaders.X_FORWARDED,
) -> Arrival:
    """How a request with these headers came from `peer` (an address, as `peer_address` says it);
    `family` is what the trusted proxies write."""
    host = _text(headers, b"host")
    if not is_trusted(peer, trusted):
        return Arrival(peer, host, is_forwarded=not FORWARDING.isdisjoint(headers))
    has_x_forwarded, has_forwarded = not _FAMILY.isdisjoint(headers), _FORWARDED in headers
    if family is ProxyHeaders.FORWARDED:
        arrival = _by_forwarded(_text(headers, _FORWARDED) or "", host, peer, trusted)
        return attrs.evolve(arrival, is_unread=has_x_forwarded and not has_forwarded)
    address, hops = _by_addresses(_text(headers, _FOR), peer, trusted)
    called, port = _outermost(headers, _HOST, hops), _outermost(headers, _PORT, hops)
    return Arrival(
        address,
        _with_port(called or host, port),
        _scheme(_outermost(headers, _PROTO, hops)),
        is_trusted=True,
        is_forwarded=True,
        may_lack_port=called is None and port is None and _has_no_port(host),
        is_unread=has_forwarded and not has_x_forwarded,
    )


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


def _by_addresses(
    forwarded_for: str | None, peer: str, trusted: Sequence[Network]
) -> tuple[str, int]:
    """The client's address by X-Forwarded-For, and how many of our proxies it came through.

    An entry that is not an address (`unknown`, garbage) ends the reading: only the proxy that wrote
    it is known.
    """
    address, hops = peer, 1
    entries = () if forwarded_for is None else forwarded_for.rsplit(",", HOPS_MAX)[-HOPS_MAX:]
    for entry in reversed(entries):
        hop = spelled(entry.strip(_AROUND))
        if hop is None:
            break
        address = hop
        if not is_trusted(hop, trusted):
            break
        hops += 1
    return address, hops


def _outermost(headers: Mapping[bytes, bytes], name: bytes, hops: int) -> str | None:
    """What the outermost of `hops` proxies wrote: each appends, or leaves what is there."""
    value = _text(headers, name)
    return None if value is None else value.rsplit(",", hops)[-hops:][0].strip() or None


def _with_port(host: str | None, port: str | None) -> str | None:
    """The host, with this port if it names none itself and the port is not a default one: behind a
    default one TLS may have ended further out."""
    if host is None or port is None or port in _USUAL_PORTS:
        return host
    known = parse_host(host)
    if known is None or known.port is not None or not re.fullmatch("[0-9]{1,5}", port):
        return host
    return f"{host}:{port}" if 1 <= int(port) <= PORT_MAX else host


def _has_no_port(host: str | None) -> bool:
    known = None if host is None else parse_host(host)
    return known is not None and known.port is None


def _scheme(proto: str | None) -> str | None:
    scheme = None if proto is None else web_scheme(proto)
    return scheme if scheme in _SCHEMES else None


def _by_forwarded(value: str, host: str | None, peer: str, trusted: Sequence[Network]) -> Arrival:
    """As RFC 7239 has it: an element for each proxy, with the address that it was called from."""
    address, proto, called = peer, None, None
    for element in reversed(_elements(value)[-HOPS_MAX:]):
        called, proto = element.get("host", called), element.get("proto", proto)
        hop = spelled(element.get("for", ""))
        if hop is None:
            break
        address = hop
        if not is_trusted(hop, trusted):
            break
    return Arrival(
        address,
        called or host,
        _scheme(proto),
        is_trusted=True,
        is_forwarded=True,
        may_lack_port=called is None and _has_no_port(host),
    )


def _elements(value: str) -> list[dict[str, str]]:
    """The elements of a Forwarded header; empty if it is not well-formed."""
    elements: list[dict[str, str]] = [{}]
    at = 0
    while at < len(value):
        pair = _PAIR.match(value, at)
        if pair is None or pair[1].lower() in elements[-1]:
            return []
        text = pair[2]
        if text.startswith('"'):
            text = _ESCAPED.sub(r"\1", text[1:-1])
        elements[-1][pair[1].lower()] = text
        if pair[3] == ",":
            elements.append({})
        at = pair.end()
    return elements

"""Which web pages may talk to this server, and by which names it may be called.

A browser sends the Origin of the page with every WebSocket and with every cross-origin request, and
pages of strangers may not use a person's browser to get in. Programs that are not browsers send
none and are let through: their token is judged like any other. While bound to loopback the server
checks the Host too, or a stranger's name that resolves to 127.0.0.1 would make that page
same-origin. `authority` reads both.

A request that comes through a trusted proxy is judged by the host that the client called
(`arrival`), as on any address that others reach; then, and when an unknown proxy shows itself, the
pages of this machine have no right of their own.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Final

import attrs

from chatd.net.addresses import Network
from chatd.net.http.arrival import Arrival, ProxyHeaders, arrival_of
from chatd.net.http.authority import (
    DEFAULT_PORTS,
    KEPT_MAX,
    Host,
    WebOrigin,
    parse_host,
    parse_origin,
)
from chatd.observe.shown import shown

LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

WEB_SCHEMES: Final = frozenset({"http", "https"})
"""The schemes of pages that a server of this machine, or this one, may have sent."""

_USUAL_PORTS: Final = frozenset(DEFAULT_PORTS.values())

VARY: Final = ((b"vary", b"Origin"),)


@attrs.frozen
class Forbidden:
    """Why a request goes no further: the host and the origin, fit to be shown, the key of the
    configuration that decides, and a sentence that names all of them."""

    host: str | None
    origin: str | None
    key: str
    sentence: str


class AllowedOrigins:
    """The origins of the configuration, as they are written and as they are compared. Policies that
    were made from one object share it, and what replaces it."""

    __slots__ = ("known", "written")

    def __init__(self, written: Collection[str]) -> None:
        self.replace(written)

    def replace(self, written: Collection[str]) -> None:
        """Allow these from now on, instead of the former ones."""
        self.written = written
        self.known = frozenset(filter(None, map(parse_origin, written)))


def _allowed(origins: Collection[str] | AllowedOrigins) -> AllowedOrigins:
    return origins if isinstance(origins, AllowedOrigins) else AllowedOrigins(origins)


@attrs.frozen
class CorsPolicy:
    """`allowed`: origins (`https://chat.example.org`, or `*` for all) of the configuration.
    `here`: the origin at which the server listens, if that is known. `proxy_headers`: what the
    trusted proxies write. `is_internal`: it listens for operators, whom no other key lets in.
    `is_for_all`: every page may read these answers, by whichever name it called the server."""

    allowed: AllowedOrigins = attrs.field(converter=_allowed)
    is_loopback: bool
    here: str | None = None
    trusted_proxies: Sequence[Network] = ()
    proxy_headers: ProxyHeaders = ProxyHeaders.X_FORWARDED
    is_internal: bool = False
    is_for_all: bool = False
    _own: WebOrigin | None = attrs.field(init=False)

    @_own.default
    def _read_here(self) -> WebOrigin | None:
        return None if self.here is None else parse_origin(self.here)

    def arrival(self, headers: Mapping[bytes, bytes], peer: str) -> Arrival:
        """How a request came; `peer` is the address of the connection's other end."""
        return arrival_of(headers, peer, self.trusted_proxies, self.proxy_headers)

    def forbids(self, origin: str | None, arrival: Arrival) -> Forbidden | None:
        """Why a request with this Origin may not go on; None if it may."""
        if self.is_for_all:
            return None
        is_called = self.allows_host(arrival)
        if is_called and self.allows_origin(origin, arrival):
            return None
        if self.is_internal:
            return _not_of_this_machine(origin, arrival, is_called=is_called)
        if is_called:
            return self._foreign_origin(origin or "", arrival)
        return self._foreign_host(origin, arrival)

    def allows_origin(self, origin: str | None, arrival: Arrival) -> bool:
        """Whether a request with this Origin, sent to this host, may go on."""
        return origin is None or self._lets_all_in or self._is_friend(origin, arrival)

    @property
    def _lets_all_in(self) -> bool:
        return "*" in self.allowed.written

    def _is_friend(self, origin: str, arrival: Arrival) -> bool:
        """Whether it is an origin that is listed, the server's own, or one of this machine."""
        if origin in self.allowed.written:
            return True
        page = parse_origin(origin)
        if page is None:
            return False
        if any(page.key == known.key for known in self.allowed.known):
            return True
        if page.scheme not in WEB_SCHEMES:
            return False
        called = None if arrival.host is None else parse_host(arrival.host)
        if called is not None and _is_same_site(page, called, arrival):
            return True
        if not self.is_loopback or arrival.is_forwarded:
            return False
        is_here = self._own is not None and page.key == self._own.key
        return is_here or page.host.name in LOCAL_NAMES

    def header_lines(self, origin: str | None, arrival: Arrival) -> bytes:
        """The header lines that let a page of this origin read an answer."""
        return _lines(self.header_fields(origin, arrival))

    def header_fields(
        self, origin: str | None, arrival: Arrival
    ) -> tuple[tuple[bytes, bytes], ...]:
        """The same as names in lower case and values.

        A friend's origin is echoed, and may send the credentials of its browser along (cookies of a
        proxy before us). If all pages may read, strangers' pages may do so without credentials.
        """
        is_any = self._lets_all_in and len(self.allowed.written) == 1
        is_open = self._lets_all_in or self.is_for_all
        if origin is not None and not is_any and self._is_friend(origin, arrival):
            return (
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-allow-credentials", b"true"),
                *VARY,
            )
        anybody = ((b"access-control-allow-origin", b"*"),) if is_open else ()
        return anybody if is_any else (*anybody, *VARY)

    def may_read(self, origin: str | None, arrival: Arrival) -> bool:
        """Whether a page of this origin may read answers."""
        if self.is_for_all:
            return True
        if origin is None:
            return self._lets_all_in
        return self.allows_origin(origin, arrival)

    def allows_host(self, arrival: Arrival) -> bool:
        """Whether the server may be called by this name.

        Only names are told apart here: a proxy may have left out the port of the origin.
        """
        if arrival.host is None:
            return True
        called = parse_host(arrival.host)
        if arrival.is_trusted:
            return called is not None
        if not self.is_loopback:
            return True
        if called is None:
            return False
        if called.name in LOCAL_NAMES:
            return True
        known = self.allowed.known
        if self._own is not None:
            known |= {self._own}
        return any(_is_called(page.host, called) for page in known)

    def _foreign_host(self, origin: str | None, arrival: Arrival) -> Forbidden:
        host = shown(arrival.host or "")
        key = "server.trusted_proxies" if arrival.is_forwarded else "server.origins"
        if arrival.is_trusted:
            sentence = (
                f'A proxy passed on "{host}", which is no name of a server; let it set '
                f"X-Forwarded-Host to the name that its client called ({key})."
            )
        else:
            sentence = (
                f'This server does not answer to the host "{host}"; if that is its name, list its '
                "origin in server.origins, or the proxy that passes it on in "
                "server.trusted_proxies."
            )
        return Forbidden(host, None if origin is None else shown(origin), key, sentence)

    def _foreign_origin(self, origin: str, arrival: Arrival) -> Forbidden:
        host, page = None if arrival.host is None else shown(arrival.host), shown(origin)
        proxy = ""
        if arrival.is_forwarded and not arrival.is_trusted:
            proxy = ", or the proxy in server.trusted_proxies"
        sentence = (
            f'Pages of "{page}" may not connect to the host "{host or ""}"; if they are yours, '
            f"list that origin in server.origins{proxy}."
        )
        return Forbidden(host, page, "server.origins", sentence)


@lru_cache(KEPT_MAX)
def _lines(fields: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Header lines. The same few are written again and again, as only friends' origins are
    named."""
    return b"".join(b"%b: %b\r\n" % (name.title(), value) for name, value in fields)


def _not_of_this_machine(origin: str | None, arrival: Arrival, *, is_called: bool) -> Forbidden:
    host = None if arrival.host is None else shown(arrival.host)
    page = None if origin is None else shown(origin)
    sentence = f'No page of "{page}" may ask this listener (server.internal).'
    if not is_called:
        sentence = (
            f'This listener answers to the names of this machine alone, not to the host "{host}" '
            "(server.internal)."
        )
    return Forbidden(host, page, "server.internal", sentence)


def _is_same_site(page: WebOrigin, called: Host, arrival: Arrival) -> bool:
    """Whether an origin is where the client called; a default port may be left out.

    TLS may end at a proxy that says nothing of it, so the origin's scheme counts. Only a page that
    came without TLS is another site than a server that was called with it. If a proxy may have left
    out the port, the name alone counts; but not a name of this machine, where other pages have
    other ports.
    """
    if arrival.scheme == "https" and page.scheme == "http":
        return False
    if arrival.may_lack_port and called.name not in LOCAL_NAMES:
        return page.host.name == called.name
    return page.host.at(page.scheme) == called.at(page.scheme)


def _is_called(known: Host, called: Host) -> bool:
    """Whether an origin has the name that the server was called by. A missing port, or a default
    one, says nothing: TLS ends elsewhere, and proxies leave ports out."""
    if known.name != called.name:
        return False
    return called.port is None or called.port in _USUAL_PORTS or called.port == known.port

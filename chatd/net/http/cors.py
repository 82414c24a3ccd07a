"""Which web pages may talk to this server, and by which names it may be called.

A browser sends the Origin of the page with every WebSocket and with every cross-origin request, and
pages of strangers may not use a person's browser to get in. Programs that are no browser send none
and are let through: their token is judged like any other. While bound to loopback the Host is
checked too, or a stranger's name that resolves to 127.0.0.1 would make that page same-origin. Both
are read by `authority`.
"""

from collections.abc import Collection
from typing import Final

import attrs

from chatd.net.http.authority import Host, WebOrigin, parse_host, parse_origin

LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

WEB_SCHEMES: Final = frozenset({"http", "https"})
"""Those of pages that a server of this machine, or this one, may have sent."""


@attrs.frozen
class CorsPolicy:
    """`allowed`: origins (`https://chat.example.org`, or `*` for all) of the configuration."""

    allowed: Collection[str]
    is_loopback: bool
    _known: frozenset[WebOrigin] = attrs.field(init=False)

    @_known.default
    def _read_allowed(self) -> frozenset[WebOrigin]:
        return frozenset(filter(None, map(parse_origin, self.allowed)))

    def allows(self, origin: str | None, host: str | None) -> bool:
        """Whether a request with this Origin and this Host may go on."""
        return self.allows_host(host) and self.allows_origin(origin, host)

    def allows_origin(self, origin: str | None, host: str | None) -> bool:
        """Whether a request with this Origin, sent to this Host, may go on."""
        if origin is None or "*" in self.allowed or origin in self.allowed:
            return True
        page = parse_origin(origin)
        if page is None:
            return False
        if any(page.key == known.key for known in self._known):
            return True
        if page.scheme not in WEB_SCHEMES:
            return False
        here = None if host is None else parse_host(host)
        if here is not None and _is_same_site(page, here):
            return True
        return self.is_loopback and page.host.name in LOCAL_NAMES

    def header_lines(self, origin: str | None, host: str | None) -> bytes:
        """The header lines that let a page of this origin read an answer; none for others."""
        fields = self.header_fields(origin, host)
        return b"".join(b"%b: %b\r\n" % (name.title(), value) for name, value in fields)

    def header_fields(
        self, origin: str | None, host: str | None
    ) -> tuple[tuple[bytes, bytes], ...]:
        """The same as names in lower case and values."""
        if "*" in self.allowed:
            return ((b"access-control-allow-origin", b"*"),)
        if origin is None or not self.allows_origin(origin, host):
            return ()
        allowed = origin.encode("latin-1")
        return ((b"access-control-allow-origin", allowed), (b"vary", b"Origin"))

    def allows_host(self, host: str | None) -> bool:
        """Whether the server may be called by this name."""
        if not self.is_loopback or host is None:
            return True
        here = parse_host(host)
        if here is None:
            return False
        return here.name in LOCAL_NAMES or any(_is_same_site(page, here) for page in self._known)


def _is_same_site(page: WebOrigin, host: Host) -> bool:
    """Whether an origin is where the Host header says; a default port may be left out.

    Behind a proxy that ends TLS the request's own scheme is not known, so the origin's counts.
    """
    return page.host.at(page.scheme) == host.at(page.scheme)

"""Which web pages may talk to this server, and by which names it may be called (SPEC 1, "Origins").

A browser sends the Origin of the page with every WebSocket and with every cross-origin request, and
pages of strangers may not use a person's browser to get in. Programs that are no browser send none
and are let through: their token is judged, as everybody's is. While bound to loopback the Host is
checked too, or a stranger's name that resolves to 127.0.0.1 would make his page same-origin.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

import attrs

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


@attrs.frozen
class OriginRules:
    """`allowed`: origins (`https://chat.example.org`, or `*` for all) of the configuration."""

    allowed: Collection[str]
    is_loopback: bool

    def allows_origin(self, origin: str | None, host: str | None) -> bool:
        """Whether a request with this Origin, sent to this Host, may go on."""
        if origin is None or "*" in self.allowed or origin in self.allowed:
            return True
        try:
            parts = urlsplit(origin)
            name = parts.hostname
        except ValueError:
            return False
        if parts.scheme not in ("http", "https") or name is None:
            return False
        if host is not None and _same_place(parts.scheme, parts.netloc, host):
            return True
        return self.is_loopback and _bracketed(name) in LOCAL_NAMES

    def cors_headers(self, origin: str | None, host: str | None) -> bytes:
        """The header lines that let a page of this origin read an answer; none for others."""
        fields = self.cors_fields(origin, host)
        return b"".join(b"%b: %b\r\n" % (name.title(), value) for name, value in fields)

    def cors_fields(self, origin: str | None, host: str | None) -> tuple[tuple[bytes, bytes], ...]:
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
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        if name is None:
            return False
        return _bracketed(name) in LOCAL_NAMES or any(
            urlsplit(origin).netloc.lower() == host.lower() for origin in self.allowed
        )


def _same_place(scheme: str, netloc: str, host: str) -> bool:
    """Whether an origin is where the Host header says; a default port may be left out.

    Behind a proxy that ends TLS the request's own scheme is not known, so the origin's counts.
    """
    default = ":443" if scheme == "https" else ":80"
    return netloc.lower().removesuffix(default) == host.lower().removesuffix(default)


def _bracketed(hostname: str) -> str:
    return f"[{hostname}]" if ":" in hostname else hostname

"""Names of servers as HTTP writes them: `host[:port]`, alone or behind a scheme.

Owns the one grammar by which a Host header and an Origin are read (RFC 9110, 7.2; RFC 6454, 6.1).
Both are matched from their first byte to their last: a reader of only a part of `a@b`, `a:b` or
`a\\@b` takes a stranger's name for a known one. What this grammar does not know (a user, a path,
an empty port, a name with a percent sign) is not the name of a server, though a URL may hold it.
"""

import re
from functools import lru_cache
from typing import Final

import attrs

NAME_MAX: Final = 255
"""Characters of a name, as in DNS; a longer text is not a name."""

PORT_MAX: Final = 65_535

KEPT_MAX: Final = 256
"""Hosts, and origins, whose parsed form is kept: requests call a server by few names, from few
pages. Only short ones are kept: anybody can write one that fills a head."""

_HOST_CHARS_MAX: Final = NAME_MAX + len(":65535")
_ORIGIN_CHARS_MAX: Final = 2 * _HOST_CHARS_MAX

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_WEB_SCHEMES: Final = {"ws": "http", "wss": "https"}

_AUTHORITY: Final = (
    r"(?P<name>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
)
_HOST: Final = re.compile(_AUTHORITY, re.ASCII | re.IGNORECASE)
_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://" + _AUTHORITY, re.ASCII | re.IGNORECASE
)


@attrs.frozen
class Host:
    """A name in lower case, IPv6 in brackets; `port` is None if none was written."""

    name: str
    port: int | None

    def at(self, scheme: str) -> tuple[str, int | None]:
        """Name and port, with the port that `scheme` stands for if none was written."""
        return self.name, DEFAULT_PORTS.get(scheme) if self.port is None else self.port


@attrs.frozen
class WebOrigin:
    """A scheme in lower case, and the host behind it. The schemes of WebSockets, which some
    programs write into an Origin, are those of the pages that open them (RFC 6455, 3)."""

    scheme: str
    host: Host

    @property
    def key(self) -> tuple[str, str, int | None]:
        """Equal for two origins that are the same."""
        return (self.scheme, *self.host.at(self.scheme))


def parse_host(text: str) -> Host | None:
    """The host that a Host header names; None if it is not a host.

    >>> parse_host("Chat.example:8765")
    Host(name='chat.example', port=8765)
    >>> parse_host("evil.example@127.0.0.1")
    """
    return None if len(text) > _HOST_CHARS_MAX else _read_host(text)


@lru_cache(KEPT_MAX)
def _read_host(text: str) -> Host | None:
    found = _HOST.fullmatch(text)
    return None if found is None else _host(found)


def parse_origin(text: str) -> WebOrigin | None:
    """The origin that an Origin header names; None for `null` and for what is not an origin.

    >>> parse_origin("https://chat.example")
    WebOrigin(scheme='https', host=Host(name='chat.example', port=None))
    """
    if len(text) > _ORIGIN_CHARS_MAX:
        return _read_origin.__wrapped__(text)
    return _read_origin(text)


@lru_cache(KEPT_MAX)
def _read_origin(text: str) -> WebOrigin | None:
    found = _ORIGIN.fullmatch(text)
    if found is None:
        return None
    host = _host(found)
    return None if host is None else WebOrigin(web_scheme(found["scheme"]), host)


def web_scheme(scheme: str) -> str:
    """A scheme in lower case; for one of WebSockets, the scheme of pages.

    >>> web_scheme("HTTPS"), web_scheme("wss")
    ('https', 'https')
    """
    lower = scheme.lower()
    return _WEB_SCHEMES.get(lower, lower)


def _host(found: re.Match[str]) -> Host | None:
    name, digits = found["name"], found["port"]
    port = None if digits is None else int(digits)
    if len(name) > NAME_MAX or (port is not None and not 1 <= port <= PORT_MAX):
        return None
    return Host(name.lower(), port)

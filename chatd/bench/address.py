"""The URL of a server, as the parts that a client needs. Pure."""

from typing import Final
from urllib.parse import urlsplit

import attrs

PATH: Final = "/socket.io/"
"""Where Socket.IO is, unless the URL names another path."""

_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class AddressError(Exception):
    """The URL names no server; the message is one sentence for a person."""


@attrs.frozen
class Address:
    """Where a server is. `path` begins and ends with a slash."""

    host: str
    port: int
    is_tls: bool
    path: str

    @property
    def authority(self) -> str:
        """HOST:PORT, as the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """The URL up to the path."""
        return f"http{'s' if self.is_tls else ''}://{self.authority}"

    def target(self, transport: str, sid: str | None = None) -> str:
        """What a request of Engine.IO 4 asks for."""
        session = "" if sid is None else f"&sid={sid}"
        return f"{self.path}?EIO=4&transport={transport}{session}"


def parse_address(url: str) -> Address:
    """The server of a URL of http, https, ws or wss. Raises AddressError.

    >>> parse_address("https://chat.example").target("polling")
    '/socket.io/?EIO=4&transport=polling'
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressError(f"{url} is no URL; give one like http://127.0.0.1:8765.") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise AddressError(f"{url} names no server; give a URL like http://127.0.0.1:8765.")
    path = PATH if parts.path in ("", "/") else parts.path.rstrip("/") + "/"
    usual = _PORTS[parts.scheme]
    return Address(parts.hostname, port or usual, usual == 443, path)

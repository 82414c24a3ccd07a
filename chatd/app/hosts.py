"""A host to listen on: its one spelling, whether others reach it, and its URL. Pure.

`[::1]` is how URLs write `::1`; `::ffff:127.0.0.1` is an IPv4 address inside an IPv6 one; `127.1`
and `0` are old ways to write an IPv4 address, which the system still takes. Each of them falls
under the same rules as the address that it stands for. `unix:` comes before the path of a socket,
which only programs on this machine can reach.
"""

import contextlib
import ipaddress
import socket
from pathlib import Path
from typing import Final

from chatd.config.kinds import UNIX_PREFIX

LOCALHOST: Final = "localhost"
EVERYWHERE: Final = frozenset({"0.0.0.0", "::", "*"})
"""All addresses of this machine, of IPv4 or of both families. The star is glibc's."""


def plain_host(host: str) -> str:
    """A host in its one spelling, as the system takes it: an address, or a name in lower case.

    >>> plain_host("[::0]"), plain_host("::ffff:127.0.0.1"), plain_host("127.1"), plain_host("Box.")
    ('::', '127.0.0.1', '127.0.0.1', 'box')
    """
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        if not any(map(str.isspace, bare)):  # the system stops reading at a space
            with contextlib.suppress(OSError, UnicodeError):
                return socket.inet_ntoa(socket.inet_aton(bare))
        return bare.lower().rstrip(".")
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def socket_path(host: str) -> Path | None:
    """The path of the socket that a host stands for; None if it is a real host.

    >>> socket_path("unix:/run/chatd.sock"), socket_path("127.0.0.1")
    (PosixPath('/run/chatd.sock'), None)
    """
    return Path(host.removeprefix(UNIX_PREFIX)) if host.startswith(UNIX_PREFIX) else None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on `host`."""
    if socket_path(host) is not None:
        return True
    plain = plain_host(host)
    if plain == LOCALHOST:
        return True
    try:
        return ipaddress.ip_address(plain).is_loopback
    except ValueError:
        return False


def place_of(host: str, port: int) -> str:
    """Where people and programs on this machine find what listens on `host`: a URL, or `unix:` and
    the path of a socket.

    >>> place_of("::", 80), place_of("unix:/run/chatd.sock", 80)
    ('http://127.0.0.1:80', 'unix:/run/chatd.sock')
    """
    return host if socket_path(host) is not None else f"http://{authority(host, port)}"


def authority(host: str, port: int) -> str:
    """HOST:PORT of a URL by which this machine reaches what listens on `host`.

    >>> authority("::", 80), authority("[::1]", 80), authority("fe80::1%eth0", 80)
    ('127.0.0.1:80', '[::1]:80', '[fe80::1%25eth0]:80')
    """
    plain = plain_host(host)
    if plain in EVERYWHERE:
        plain = "127.0.0.1"
    if ":" in plain:
        plain = f"[{plain.replace('%', '%25')}]"
    return f"{plain}:{port}"

"""Reading the header of the PROXY protocol off a connection, before anything else is read.

Bounded in bytes by `proxy_protocol`, and in time here. Its cost, a cancel scope, is paid only if
such headers were configured.
"""

import socket
from typing import Final

import trio

from chatd.net.poller import Watch
from chatd.net.proxy_protocol import ProxyHeader, ProxyHeaderError, ProxyHeaderReader

READ_BYTES: Final = 16_384  # one read; what comes after the header is kept, and is little


async def read_proxy_header(
    sock: socket.socket, watch: Watch, timeout_s: float
) -> ProxyHeader | None:
    """The header at the beginning of a connection, whose socket does not block; None if no header
    comes within `timeout_s`, or something else comes."""
    reader, header = ProxyHeaderReader(), None
    with trio.move_on_after(timeout_s):
        while header is None:
            await watch.readable()
            try:
                data = sock.recv(READ_BYTES)
                if len(data) == READ_BYTES:
                    watch.again()
                header = reader.feed(data) if data else None
            except BlockingIOError:
                continue
            except (OSError, ProxyHeaderError):
                return None
            if not data:
                return None
    return header

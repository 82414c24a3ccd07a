"""Who may open a session now: ceilings on handshakes, connections, and sessions of an address.

Overload at the handshake is HTTP 503 with `Retry-After` (SPEC 1): a stock client comes back by
itself. These counters are lost at a restart on purpose.
"""

import ipaddress
import math
from collections.abc import Sequence
from typing import TypeAlias

import attrs
import trio

from chatd.chat.limits import Bucket

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

RETRY_AFTER_CEILING_S = 5  # what a client is told where a ceiling on counts was reached


@attrs.frozen
class Overload:
    """Why there is no room, and after how many seconds to ask again."""

    limit: str
    retry_after_s: int


class Admission:
    """Counters of one server. `now_s` is any clock that does not go back."""

    def __init__(
        self,
        *,
        handshakes_per_second: float,
        sessions_per_address: float,
        pending_sessions_per_address: float,
        connections_per_address: float,
        max_connections: int,
        now_s: float,
        trusted_proxies: Sequence[Network] = (),
    ) -> None:
        """A trusted proxy has any number of connections: whose they are is known only later."""
        self._handshakes = Bucket(handshakes_per_second * 60, now_s, burst=handshakes_per_second)
        self._sessions_per_address = sessions_per_address
        self._pending_sessions_per_address = pending_sessions_per_address
        # A session that may be there needs a connection, whatever was set for one of the two.
        self._connections_per_address = max(connections_per_address, sessions_per_address)
        self._max_connections = max_connections
        self._trusted_proxies = trusted_proxies
        self._by_address: dict[str, int] = {}
        self._pending: dict[str, int] = {}  # of those, the sessions that are nobody's yet
        self._connected: dict[str, int] = {}
        self.connections = 0
        self._emptied: trio.Event | None = None
        self.is_draining = False

    def open_connection(self, peer: str) -> Overload | None:
        """Count an accepted connection of this peer's address, or say why there is no room."""
        if self.connections >= self._max_connections:
            return Overload("max_connections", 1)
        count = self._connected.get(peer, 0)
        if count >= self._connections_per_address and not _is_trusted(peer, self._trusted_proxies):
            return Overload("connections_per_address", RETRY_AFTER_CEILING_S)
        self._connected[peer] = count + 1
        self.connections += 1
        return None

    def close_connection(self, peer: str) -> None:
        """A connection of this peer's address ended."""
        _count(self._connected, peer, -1)
        self.connections -= 1
        if self.connections == 0 and self._emptied is not None:
            self._emptied.set()

    async def emptied(self) -> None:
        """Return when no connection is left."""
        if self.connections:
            self._emptied = trio.Event()
            await self._emptied.wait()

    def open_session(self, address: str, now_s: float) -> Overload | None:
        """Count a session of this address, or say why there is no room for it."""
        if self.is_draining:
            return Overload("draining", RETRY_AFTER_CEILING_S)
        wait_s = self._handshakes.wait_s(now_s)
        if wait_s > 0:
            return Overload("handshakes_per_second", math.ceil(wait_s))
        count = self._by_address.get(address, 0)
        if count >= self._sessions_per_address:
            return Overload("sessions_per_address", RETRY_AFTER_CEILING_S)
        if self._pending.get(address, 0) >= self._pending_sessions_per_address:
            return Overload("pending_sessions_per_address", RETRY_AFTER_CEILING_S)
        self._handshakes.take()
        _count(self._by_address, address, 1)
        _count(self._pending, address, 1)
        return None

    def identify_session(self, address: str) -> None:
        """A session of this address has shown whose it is."""
        _count(self._pending, address, -1)

    def close_session(self, address: str, *, is_identified: bool) -> None:
        """A session of this address ended."""
        _count(self._by_address, address, -1)
        if not is_identified:
            _count(self._pending, address, -1)


def _count(counts: dict[str, int], address: str, change: int) -> None:
    """Change a count, and keep none that is zero."""
    count = counts.get(address, 0) + change
    if count:
        counts[address] = count
    else:
        del counts[address]


def client_address(peer: str, forwarded_for: str | None, trusted: Sequence[Network]) -> str:
    """The address of the client: the peer's, or the one that trusted proxies say they serve.

    `X-Forwarded-For` is read from its end, where our own proxy wrote, up to the first address that
    is not a trusted proxy; what stands before that, anybody may have written.
    """
    if forwarded_for is None or not _is_trusted(peer, trusted):
        return peer
    address = peer
    for hop in reversed(forwarded_for.split(",")[-16:]):
        candidate = hop.strip()
        try:
            ipaddress.ip_address(candidate)
        except ValueError:
            break
        address = candidate
        if not _is_trusted(candidate, trusted):
            break
    return address


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    if not trusted:
        return False
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)

"""Ceilings on handshakes, on connections, and on the sessions of an address.

Anybody can open connections and sessions, without a token, as fast as a machine can. So when a
ceiling is reached, the peer that has gone longest without showing a token gives way to the newest:
a client needs a moment for its CONNECT, and a flood can only make that moment shorter, never keep
others out. A peer that has shown a token on a session never gives way; there is no room only when
all peers have shown one. A download over HTTP has no session: it may have to give way, and is tried
again.

Overload at the handshake is HTTP 503 with `Retry-After`: a stock client comes back by itself. These
counters are lost at a restart on purpose. `counted_as` says which addresses count as one. This is
not part of `net`, since sessions and handshakes are Engine.IO's.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs
import trio

from chatd.chat.limits import Bucket
from chatd.net.addresses import Network, counted_as, is_trusted

RETRY_AFTER_CEILING_S = 5  # for a client that comes back where a ceiling on counts was reached
KEPT_SHARE: Final = 0.5
"""The share of the handshakes of a second that an address does not get while its pending sessions
are at their ceiling: others find room, however fast one address opens sessions."""

T = TypeVar("T")


@attrs.frozen
class Overload:
    """Why there is no room, and after how many seconds to ask again."""

    limit: str
    retry_after_s: int


@attrs.frozen
class Vacancy(Generic[T]):
    """There is room. If a ceiling was reached, `limit` names it, and `instead_of` is what has to
    end now; it counts until it has ended."""

    instead_of: T | None = None
    limit: str = ""


_ROOM: Final[Vacancy[Any]] = Vacancy()


class CountedConnection(Protocol):
    """An open connection, as far as it is counted; compared by identity."""

    address: str
    """Its peer's, or its client's as a proxy names it: see `Admission.move_connection`."""

    @property
    def is_known(self) -> bool:
        """Whether its peer has shown a token."""
        ...

    def give_way(self, answer: bytes) -> None:
        """End it, to make room for another one; `answer` is for a peer that has not asked for
        anything yet."""
        ...


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
        """A trusted proxy has any number of connections: their clients are known only later."""
        self._handshakes = Bucket(handshakes_per_second * 60, now_s, burst=handshakes_per_second)
        self.replace_limits(
            handshakes_per_second=handshakes_per_second,
            sessions_per_address=sessions_per_address,
            pending_sessions_per_address=pending_sessions_per_address,
            connections_per_address=connections_per_address,
            now_s=now_s,
        )
        self.max_connections = max_connections
        self._trusted_proxies = trusted_proxies
        self._by_address: dict[str, int] = {}
        # The sessions among them that have shown no token yet, by sid; the oldest first.
        self._pending: dict[str, OrderedDict[str, None]] = {}
        self._connected: dict[str, int] = {}
        # Connections that had shown none when last looked at; the oldest first.
        self._unknown_of: dict[str, OrderedDict[CountedConnection, None]] = {}
        self._unknown: OrderedDict[CountedConnection, None] = OrderedDict()
        self.connections = 0
        self._emptied: trio.Event | None = None
        self.is_draining = False
        self.is_isolated = False  # clients are better off on another node

    def replace_limits(
        self,
        *,
        handshakes_per_second: float,
        sessions_per_address: float,
        pending_sessions_per_address: float,
        connections_per_address: float,
        now_s: float,
    ) -> None:
        """Put other limits in force for those who come from now on; nobody has to go."""
        self._handshakes.change(handshakes_per_second * 60, now_s, burst=handshakes_per_second)
        burst = max(1.0, handshakes_per_second)
        self._kept_handshakes = min(burst * KEPT_SHARE, burst - 1.0)
        self._sessions_per_address = sessions_per_address
        self._pending_sessions_per_address = pending_sessions_per_address
        # Every session that is allowed needs a connection, whatever was set for one of the two.
        self._connections_per_address = max(connections_per_address, sessions_per_address)

    def open_connection(
        self, connection: CountedConnection
    ) -> Vacancy[CountedConnection] | Overload:
        """Count an accepted connection, or say why there is no room."""
        if self.connections >= self.max_connections:
            oldest = self._oldest_unknown(self._unknown)
            if oldest is None:
                return Overload("max_connections", 1)
            room: Vacancy[CountedConnection] | Overload = Vacancy(oldest, "max_connections")
        else:
            room = self._room_of(connection.address)
        if isinstance(room, Vacancy):
            self._take(room, connection)
            self.connections += 1
        return room

    def move_connection(
        self, connection: CountedConnection, address: str
    ) -> Vacancy[CountedConnection] | Overload:
        """Count a connection of this address, which was counted as a proxy's, as this address's. If
        there is no room, say why; it stays the proxy's until it is closed."""
        room = self._room_of(address)
        if isinstance(room, Vacancy):
            self.cannot_give_way(connection)
            _count(self._connected, counted_as(connection.address), -1)
            connection.address = address
            self._take(room, connection)
        return room

    def _room_of(self, address: str) -> Vacancy[CountedConnection] | Overload:
        """Whether this address may have one more."""
        key = counted_as(address)
        count = self._connected.get(key, 0)
        if count < self._connections_per_address or is_trusted(address, self._trusted_proxies):
            return _ROOM
        oldest = self._oldest_unknown(self._unknown_of.get(key))
        if oldest is None:
            return Overload("connections_per_address", RETRY_AFTER_CEILING_S)
        return Vacancy(oldest, "connections_per_address")

    def _take(self, room: Vacancy[CountedConnection], connection: CountedConnection) -> None:
        if room.instead_of is not None:
            self.cannot_give_way(room.instead_of)
        key = counted_as(connection.address)
        _count(self._connected, key, 1)
        self._unknown_of.setdefault(key, OrderedDict())[connection] = None
        self._unknown[connection] = None

    def close_connection(self, connection: CountedConnection) -> None:
        """A connection that was counted ended."""
        self.cannot_give_way(connection)
        _count(self._connected, counted_as(connection.address), -1)
        self.connections -= 1
        if self.connections == 0 and self._emptied is not None:
            self._emptied.set()

    def _oldest_unknown(
        self, among: OrderedDict[CountedConnection, None] | None
    ) -> CountedConnection | None:
        """Called only when there is no room, so that no message pays for it; a connection that
        turns out to be known is not looked at again."""
        while among:
            oldest = next(iter(among))
            if not oldest.is_known:
                return oldest
            self.cannot_give_way(oldest)
        return None

    @property
    def unknown_connections(self) -> int:
        """How many may have to give way, as far as is known without a look at each."""
        return len(self._unknown)

    def cannot_give_way(self, connection: CountedConnection) -> None:
        """It has turned out to be a user's, or ends anyway: it need not be remembered among those
        that may give way, which costs 180 bytes, nor looked at when there is no room."""
        if connection in self._unknown:
            del self._unknown[connection]
            _remove(self._unknown_of, counted_as(connection.address), connection)

    async def emptied(self) -> None:
        """Return when no connection is left."""
        if self.connections:
            self._emptied = trio.Event()
            await self._emptied.wait()

    def open_session(self, address: str, sid: str, now_s: float) -> Vacancy[str] | Overload:
        """Count a session of this address, or say why there is no room for it. `instead_of` is the
        sid of a pending session."""
        if self.is_draining or self.is_isolated:
            reason = "draining" if self.is_draining else "isolated"
            return Overload(reason, RETRY_AFTER_CEILING_S)
        key = counted_as(address)
        pending = self._pending.get(key, ())
        is_crowded = len(pending) >= self._pending_sessions_per_address
        kept = self._kept_handshakes if is_crowded else 0.0
        wait_s = self._handshakes.wait_s(now_s, kept)
        if wait_s > 0:
            return Overload("handshakes_per_second", math.ceil(wait_s))
        vacancy: Vacancy[str] = _ROOM
        if self._by_address.get(key, 0) >= self._sessions_per_address:
            if not pending:
                return Overload("sessions_per_address", RETRY_AFTER_CEILING_S)
            vacancy = Vacancy(next(iter(pending)), "sessions_per_address")
        elif is_crowded:
            vacancy = Vacancy(next(iter(pending)), "pending_sessions_per_address")
        self._handshakes.spend()
        _count(self._by_address, key, 1)
        self._pending.setdefault(key, OrderedDict())[sid] = None
        return vacancy

    def identify_session(self, address: str, sid: str) -> None:
        """A session of this address has shown whose it is."""
        _remove(self._pending, counted_as(address), sid)

    def close_session(self, address: str, sid: str) -> None:
        """A session of this address ended."""
        key = counted_as(address)
        _count(self._by_address, key, -1)
        if sid in self._pending.get(key, ()):
            _remove(self._pending, key, sid)


def _count(counts: dict[str, int], address: str, change: int) -> None:
    """Change a count; a count of zero is not kept."""
    count = counts.get(address, 0) + change
    if count:
        counts[address] = count
    else:
        del counts[address]


def _remove(groups: dict[str, OrderedDict[T, None]], key: str, one: T) -> None:
    """Take one out of its group, and keep no group that is empty."""
    group = groups[key]
    del group[one]
    if not group:
        del groups[key]

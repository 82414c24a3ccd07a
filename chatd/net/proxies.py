"""What the log says of proxies that are not trusted or not read, and of forbidden requests.

Whoever put a proxy there finds here why it does not work. Anybody can cause both, so both are
bounded: an address, or a host with an origin, is logged once in its time, and only a few of them
are.
"""

import math
from typing import Final

import attrs
import trio

from chatd.net.addresses import LOCAL, Peers, counted_as
from chatd.net.http.cors import Forbidden
from chatd.observe import EventLog, ProxyNotTrusted, ProxyUnread, RequestForbidden

PROXIES_LOGGED_MAX: Final = 10
"""Addresses that are logged; beyond: no more of them, until the next start."""

FORBIDDEN_PER_MINUTE: Final = 10
"""Hosts and origins that are logged in a minute, each once; beyond: only `handshake.refused` counts
them. A stranger that calls the server by many names makes 6 MB of log a day."""


@attrs.define(eq=False, repr=False)
class ProxyNotices:
    """The addresses that were logged."""

    _event_log: EventLog
    _logged: set[str] = attrs.field(factory=set, init=False)

    def heard_from(self, address: str) -> None:
        """A header of proxies came from this address, which is not trusted."""
        self._tell(ProxyNotTrusted, address)

    def unread(self, address: str) -> None:
        """Only headers that are not read came from this address, which is trusted."""
        self._tell(ProxyUnread, address)

    def _tell(self, notice: type[ProxyNotTrusted | ProxyUnread], address: str) -> None:
        if len(self._logged) >= PROXIES_LOGGED_MAX:
            return
        key = counted_as(address)
        if key not in self._logged:
            self._logged.add(key)
            listed = Peers.OF_UNIX_SOCKETS.value if address == LOCAL else address
            self._event_log.record(notice(listed))


@attrs.define(eq=False, repr=False)
class ForbiddenNotices:
    """The hosts and origins that were logged in this minute."""

    _event_log: EventLog
    _told: set[tuple[str | None, str | None]] = attrs.field(factory=set, init=False)
    _until_s: float = attrs.field(default=-math.inf, init=False)

    def turned_away(self, address: str, forbidden: Forbidden) -> None:
        """A request of this address was forbidden."""
        now_s = trio.current_time()
        if now_s >= self._until_s:
            self._until_s = now_s + 60.0
            self._told.clear()
        pair = forbidden.host, forbidden.origin
        if pair not in self._told and len(self._told) < FORBIDDEN_PER_MINUTE:
            self._told.add(pair)
            self._event_log.record(
                RequestForbidden(
                    address, forbidden.host, forbidden.origin, forbidden.key, forbidden.sentence
                )
            )

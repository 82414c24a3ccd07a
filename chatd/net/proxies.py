"""Telling whoever runs the daemon of a proxy that is not in `server.trusted_proxies`.

Without it everybody behind that proxy counts as one address, and shares its limits. Anybody can
send an X-Forwarded-For, so this is said once of each address, and of a few of them only.
"""

from typing import Final

from chatd.net.addresses import counted_as
from chatd.observe import EventLog, ProxyNotTrusted

PROXIES_TOLD_MAX: Final = 10
"""Addresses of which it is said; beyond: of no more, until the next start."""


class ProxyNotices:
    """Of whom it was said."""

    def __init__(self, event_log: EventLog) -> None:
        self._event_log = event_log
        self._told: set[str] = set()

    def heard_from(self, address: str) -> None:
        """An X-Forwarded-For came from this address, which is not trusted."""
        if len(self._told) >= PROXIES_TOLD_MAX:
            return
        key = counted_as(address)
        if key not in self._told:
            self._told.add(key)
            self._event_log.record(ProxyNotTrusted(address))

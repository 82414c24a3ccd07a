"""Logging a proxy that is not in `server.trusted_proxies`.

Without it everybody behind that proxy counts as one address, and shares its limits. Anybody can
send an X-Forwarded-For, so this is logged once for each address, and for a few of them only.
"""

from typing import Final

import attrs

from chatd.net.addresses import counted_as
from chatd.observe import EventLog, ProxyNotTrusted

PROXIES_LOGGED_MAX: Final = 10
"""Addresses for which it is logged; beyond: no more of them, until the next start."""


@attrs.define(eq=False, repr=False)
class ProxyNotices:
    """The addresses for which it was logged."""

    _event_log: EventLog
    _logged: set[str] = attrs.field(factory=set, init=False)

    def heard_from(self, address: str) -> None:
        """An X-Forwarded-For came from this address, which is not trusted."""
        if len(self._logged) >= PROXIES_LOGGED_MAX:
            return
        key = counted_as(address)
        if key not in self._logged:
            self._logged.add(key)
            self._event_log.record(ProxyNotTrusted(address))

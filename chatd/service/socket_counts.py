"""How many sockets each user has on each node, for the limit on all of them together."""

from typing import Any

import attrs

from chatd.chat.shared_clock import SharedClock
from chatd.observe.clock import Clock
from chatd.service.nodes_alive import NodesAlive
from chatd.service.signals import Signals
from chatd.service.slices import Slices


@attrs.frozen
class _Form:
    def write(self, value: int) -> int:
        return value

    def read(self, written: Any) -> int:
        if type(written) is not int or written < 1:
            raise ValueError("no count")
        return written


class SocketCounts:
    """Tells the other nodes, once a second, what has changed here, and knows what they told."""

    def __init__(
        self, signals: Signals, nodes: NodesAlive, shared: SharedClock, clock: Clock
    ) -> None:
        self._slices = Slices(
            "sockets", signals, nodes, shared, clock, _Form(), lambda *_, **__: None
        )

    def count(self, user_id: str, sockets: int) -> None:
        """The user has so many here."""
        if sockets:
            self._slices.put("", user_id, sockets)
        else:
            self._slices.drop("", user_id, 1)

    def elsewhere(self, user_id: str) -> int:
        """How many sockets of the user there are on other nodes, as far as they have told."""
        return sum(count for _, count in self._slices.holders("", user_id))

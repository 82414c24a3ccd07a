"""What a node does for its clients while it alone cannot reach the database of the log.

Nodes that are alive tell each other so over the bus. A node that has not been alive for
`PATIENCE_S`, and hears that another one is, ends its sessions and accepts no new ones: its clients
find the other nodes. If nobody is alive, the database itself is away, and clients are as well off
here.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import attrs
import trio

from chatd.service.signals import Signals

TELL_S: Final = 2.0
"""Seconds between two signals that this node is alive."""
HEARD_S: Final = 3 * TELL_S
"""Seconds for which a signal counts: two may get lost."""
PATIENCE_S: Final = 10.0
"""Seconds without the database before clients are sent away: it may come back."""
KIND: Final = "alive"


class Living(Protocol):
    """The life of this node (`chatd.postgres_store.life`)."""

    @property
    def lost_at_s(self) -> float | None:
        """Since when it is lost, by `trio.current_time`; None while the node is alive."""
        ...


@attrs.define(eq=False)
class Isolation:
    """Checks whether the clients of this node are better off elsewhere, and tells `isolate` each
    time."""

    _life: Living
    _signals: Signals
    _isolate: Callable[[bool], None]
    _heard_s: float = attrs.field(init=False, default=-math.inf)

    def __attrs_post_init__(self) -> None:
        self._signals.on(KIND, self._heard)

    async def run(self) -> None:
        """Tell and look, until cancelled."""
        while True:
            now_s, lost_at_s = trio.current_time(), self._life.lost_at_s
            if lost_at_s is None:
                self._signals.send_all(KIND, (), latest_of=KIND)
            is_lost = lost_at_s is not None and now_s - lost_at_s >= PATIENCE_S
            self._isolate(is_lost and now_s - self._heard_s < HEARD_S)
            await trio.sleep(TELL_S)

    def _heard(self, _room: str, _node: str, _fields: Sequence[Any]) -> None:
        self._heard_s = trio.current_time()

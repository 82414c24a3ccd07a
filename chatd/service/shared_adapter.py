"""The adapter of one of several nodes: what a user is to get goes to the user's sockets on all
nodes.

    user   [userId, event, payload]

Broadcasts stay on the node: each publishes what is committed, and shows what it knows of presence
and typing. A node hears of the rooms that its own clients are in: a socket of the user that may use
the room, but is on a node where nobody is in the room, gets nothing.
"""

from collections.abc import Sequence
from typing import Any, Final

import attrs
import orjson

from chatd.engine.outgoing import Outgoing
from chatd.service.signals import Signals
from chatd.sockets.emitter import event_in, rendered_packet
from chatd.sockets.local_adapter import LocalAdapter
from chatd.sockets.socket import Socket
from chatd.wire.names import ServerEvent

_KIND: Final = "user"


@attrs.define(eq=False, repr=False, slots=False)
class SharedAdapter(LocalAdapter):
    """An `Adapter` beside others; `share` begins to tell them."""

    _signals: Signals | None = attrs.field(init=False, default=None)

    def share(self, signals: Signals) -> None:
        """Tell the other nodes what users are to get, from now on."""
        self._signals = signals
        signals.on(_KIND, self._heard)

    def to_user(
        self, user_id: str, room: str, outgoing: Outgoing, *, but: Socket | None = None
    ) -> None:
        super().to_user(user_id, room, outgoing, but=but)
        if self._signals is not None:
            self._signals.send(room, _KIND, [user_id, *event_in(outgoing)])

    def to_user_here(self, user_id: str, room: str, outgoing: Outgoing) -> None:
        """Send to the sockets of this node alone."""
        super().to_user(user_id, room, outgoing)

    def _heard(self, room: str, _node: str, fields: Sequence[Any]) -> None:
        user_id, name, payload, *_ = fields
        packet = rendered_packet(ServerEvent(name), orjson.dumps(payload))
        self.to_user_here(str(user_id), room, packet)

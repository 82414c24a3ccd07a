"""Ending the sessions of a user, or the session of a socket, on all nodes; the client may come
back."""

from collections.abc import Sequence
from typing import Any, Final

import attrs

from chatd.net.disconnects import DisconnectReason
from chatd.service.clients import Clients
from chatd.service.signals import Signals

_KIND: Final = "kick"


@attrs.define(eq=False)
class Kicks:
    """Kicks here, and has the other nodes do so, if there are any. A client that is kicked may come
    back, so nothing is kept for a node that does not hear it."""

    _clients: Clients
    _signals: Signals | None = None

    def __attrs_post_init__(self) -> None:
        if self._signals is not None:
            self._signals.on(_KIND, self._heard)

    @property
    def is_alone(self) -> bool:
        """Whether there are no other nodes, so that what is not here is nowhere."""
        return self._signals is None

    def kick(self, target: str) -> int:
        """End the sessions of this user or socket; returns how many there were on this node."""
        if self._signals is not None:
            self._signals.send_all(_KIND, [target])
        return self._kick(target)

    def _kick(self, target: str) -> int:
        kicked = self._clients.kick(target)
        for client in self._clients.everybody():
            if client.socket.id == target:
                client.end(DisconnectReason.KICKED)
                kicked += 1
        return kicked

    def _heard(self, _room: str, _node: str, fields: Sequence[Any]) -> None:
        target, *_ = fields
        self._kick(str(target))

"""Presence and typing on their way out; what a slow client is owed of them is dropped first.

They are out of date soon, so that a peer which is far behind is better off without them
(docs/protocol, "Presence"). The client is notified once that it lags. In each room in which it
missed something it gets a new `presence:snapshot`, and whether the users type whose typing it
missed, before the next change there after it has caught up.
"""

from collections.abc import Callable, Collection, Container

from chatd.engine.outgoing import Outgoing
from chatd.service.client import Client
from chatd.sockets.adapter import NAMESPACE, Adapter
from chatd.sockets.socket import Socket
from chatd.wire.events import StatusLagging

LAGGING_RETRY_MS = 1_000  # sent to a client that lags; an earlier request would be in vain


def volatile_room(connection_id: str) -> str:
    """The adapter's room for the volatile traffic of a room; no connectionId is like it."""
    return f"\n{connection_id}"


class Volatile:
    """The fan-out of what may be dropped."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self.presence: Callable[[Client, str], Outgoing]  # a snapshot of a room
        self.typing: Callable[[str, Collection[str]], list[Outgoing]]  # whether these users type

    def join(self, socket: Socket, connection_id: str) -> None:
        """The socket gets what changes in the room from now on."""
        self._adapter.join(socket, volatile_room(connection_id))

    def leave(self, socket: Socket, connection_id: str) -> None:
        """The socket gets nothing more of the room."""
        self._adapter.leave(socket, volatile_room(connection_id))
        self._forget(socket.state, connection_id)

    def broadcast(
        self,
        connection_id: str,
        outgoing: Outgoing,
        but: Container[object] = (),
        typist: str | None = None,
    ) -> None:
        """Send to all sockets of the room but some, as far as they keep up.

        `typist` is the user whose typing it is about, None where it is about presence.
        """
        for socket in self._adapter.sockets(NAMESPACE, volatile_room(connection_id)):
            if socket in but:
                continue
            client: Client = socket.state
            if client.is_lagging:
                self._drop(client, connection_id, typist)
            elif client.missed is not None and connection_id in client.missed:
                self._make_up(client, connection_id, typist)
            else:
                client.send_packet(outgoing)

    def _drop(self, client: Client, connection_id: str, typist: str | None) -> None:
        if client.missed is None:
            client.missed = {}
            client.socket.send(StatusLagging(retry_after_ms=LAGGING_RETRY_MS))
        typists = client.missed.setdefault(connection_id, set())
        if typist is not None:
            typists.add(typist)

    def _make_up(self, client: Client, connection_id: str, typist: str | None) -> None:
        assert client.missed is not None
        typists = client.missed[connection_id]
        if typist is not None:
            typists.add(typist)
        self._forget(client, connection_id)
        client.send_packet(self.presence(client, connection_id))
        for outgoing in self.typing(connection_id, typists):
            client.send_packet(outgoing)

    def _forget(self, client: Client, connection_id: str) -> None:
        if client.missed is not None:
            client.missed.pop(connection_id, None)
            client.missed = client.missed or None

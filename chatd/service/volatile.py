"""Presence and typing on their way out; they are the first to be dropped for a slow client.

They are soon out of date, so that a peer which is far behind is better off without them
(docs/protocol, "Presence"). The client is told once that it lags. After it has caught up, and
before the next change in a room in which it missed something, it gets a new `presence:snapshot` of
that room, and whether the users whose typing it missed are typing.
"""

from collections.abc import Callable, Collection

from chatd.engine.outgoing import Outgoing
from chatd.service.client import Client
from chatd.sockets.adapter import NAMESPACE, Adapter
from chatd.sockets.socket import Socket
from chatd.wire.events import StatusLagging

LAGGING_RETRY_MS = 1_000  # sent to a client that lags; an earlier request would be in vain
_PREFIX = "\n"  # of the adapter's rooms for volatile traffic; no connectionId has it


class Volatile:
    """The fan-out of what may be dropped."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        adapter.on_volatile(self._deliver)
        self.presence: Callable[[Client, str], Outgoing]  # a snapshot of a room
        self.typing: Callable[[str, Collection[str]], list[Outgoing]]  # whether these users type

    def join(self, client: Client, connection_id: str) -> None:
        """The client gets what changes in the room from now on."""
        self._adapter.join(client.socket, _PREFIX + connection_id)

    def leave(self, client: Client, connection_id: str) -> None:
        """The client gets nothing more from the room."""
        self._adapter.leave(client.socket, _PREFIX + connection_id)
        self._forget(client, connection_id)

    def broadcast_presence(self, connection_id: str, outgoing: Outgoing, but: object) -> None:
        """Send the presence of a user to all sockets of the room but one, as far as they keep up.

        `but` is the socket that caused the change, None if there is no such socket.
        """
        self._adapter.broadcast_volatile(NAMESPACE, _PREFIX + connection_id, outgoing, but=but)

    def broadcast_typing(self, connection_id: str, outgoing: Outgoing, typist: str) -> None:
        """Send whether `typist` types to all other users of the room, as far as they keep up."""
        room = _PREFIX + connection_id
        self._adapter.broadcast_volatile(NAMESPACE, room, outgoing, about=typist)

    def _deliver(self, socket: Socket, room: str, outgoing: Outgoing, typist: str | None) -> None:
        """Send to a socket of this node, unless it lags, or remember what it missed."""
        client: Client = socket.state
        connection_id = room.removeprefix(_PREFIX)
        if client.user_id == typist:
            return
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

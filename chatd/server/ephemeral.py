"""Presence and typing on their way out: told to who keeps up, dropped first for who does not.

What is told here is out of date soon, so that a peer that is far behind is better off without it
(SPEC 5, "Slow consumers"). It is told once that it lags, and gets a new `presence:snapshot` of each
room in which it missed something, at the next thing that is told there after it has caught up.
"""

from collections.abc import Callable, Container

from chatd.server.clients import Client
from chatd.server.hub import NAMESPACE, Hub
from chatd.server.outgoing import Outgoing
from chatd.server.sockets import Socket
from chatd.wire.codes import Code
from chatd.wire.names import ServerEvent

LAGGING_RETRY_MS = 1_000  # told to a client that lags: nothing can be asked again sooner in vain


def aside(connection_id: str) -> str:
    """The room of the hub in which a room's ephemeral traffic goes; no connectionId is like it."""
    return f"\n{connection_id}"


class Ephemeral:
    """The fan-out of what may be dropped."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.snapshot: Callable[[Client, str], Outgoing]

    def join(self, socket: Socket, connection_id: str) -> None:
        """The socket is told what happens in the room from now on."""
        self._hub.join(socket, aside(connection_id))

    def leave(self, socket: Socket, connection_id: str) -> None:
        """The socket is told nothing more."""
        self._hub.leave(socket, aside(connection_id))

    def tell(self, connection_id: str, outgoing: Outgoing, but: Container[object] = ()) -> None:
        """Owe this to everybody in the room but some, as far as they keep up."""
        for socket in self._hub.sockets(NAMESPACE, aside(connection_id)):
            if socket in but:
                continue
            client: Client = socket.state
            if socket.session.transport.is_lagging:
                self._drop(client, connection_id)
            elif client.missed is not None and connection_id in client.missed:
                self._make_up(client, connection_id)
            else:
                socket.session.send(outgoing)

    def _drop(self, client: Client, connection_id: str) -> None:
        if client.missed is None:
            client.missed = set()
            client.socket.emit(
                ServerEvent.CONNECTION_STATUS,
                {"status": "lagging", "code": Code.OVERLOADED, "retryAfterMs": LAGGING_RETRY_MS},
            )
        client.missed.add(connection_id)

    def _make_up(self, client: Client, connection_id: str) -> None:
        missed = client.missed
        assert missed is not None
        missed.discard(connection_id)
        if not missed:
            client.missed = None
        client.socket.session.send(self.snapshot(client, connection_id))

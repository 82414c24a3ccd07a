"""Presence and typing on their way out: told to who keeps up, dropped first for who does not.

What is told here is out of date soon, so that a peer that is far behind is better off without it
(SPEC 5, "Slow consumers"). It is told once that it lags. In each room in which it missed something
it gets a new `presence:snapshot`, and whether those type whose typing it missed, with the next
thing that is told there after it has caught up.
"""

from collections.abc import Callable, Collection, Container

from chatd.engine.outgoing import Outgoing
from chatd.service.clients import Client
from chatd.sockets.adapter import NAMESPACE, Adapter
from chatd.sockets.socket import Socket
from chatd.wire.codes import Code
from chatd.wire.names import ServerEvent

LAGGING_RETRY_MS = 1_000  # told to a client that lags: nothing can be asked again sooner in vain


def aside(connection_id: str) -> str:
    """The room of the adapter for the volatile traffic of a room; no connectionId is like it."""
    return f"\n{connection_id}"


class Volatile:
    """The fan-out of what may be dropped."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self.presence: Callable[[Client, str], Outgoing]  # a snapshot of a room
        self.typing: Callable[[str, Collection[str]], list[Outgoing]]  # whether these users type

    def join(self, socket: Socket, connection_id: str) -> None:
        """The socket is told what happens in the room from now on."""
        self._adapter.join(socket, aside(connection_id))

    def leave(self, socket: Socket, connection_id: str) -> None:
        """The socket is told nothing more."""
        self._adapter.leave(socket, aside(connection_id))
        self._forget(socket.state, connection_id)

    def tell(
        self,
        connection_id: str,
        outgoing: Outgoing,
        but: Container[object] = (),
        typist: str | None = None,
    ) -> None:
        """Owe this to everybody in the room but some, as far as they keep up.

        `typist` is whose typing it is about, None where it is about presence.
        """
        for socket in self._adapter.sockets(NAMESPACE, aside(connection_id)):
            if socket in but:
                continue
            client: Client = socket.state
            if socket.session.is_lagging:
                self._drop(client, connection_id, typist)
            elif client.missed is not None and connection_id in client.missed:
                self._make_up(client, connection_id, typist)
            else:
                socket.session.send(outgoing)

    def _drop(self, client: Client, connection_id: str, typist: str | None) -> None:
        if client.missed is None:
            client.missed = {}
            client.socket.emit(
                ServerEvent.CONNECTION_STATUS,
                {"status": "lagging", "code": Code.OVERLOADED, "retryAfterMs": LAGGING_RETRY_MS},
            )
        typists = client.missed.setdefault(connection_id, set())
        if typist is not None:
            typists.add(typist)

    def _make_up(self, client: Client, connection_id: str, typist: str | None) -> None:
        assert client.missed is not None
        typists = client.missed[connection_id]
        if typist is not None:
            typists.add(typist)
        self._forget(client, connection_id)
        client.socket.session.send(self.presence(client, connection_id))
        for outgoing in self.typing(connection_id, typists):
            client.socket.session.send(outgoing)

    def _forget(self, client: Client, connection_id: str) -> None:
        if client.missed is not None:
            client.missed.pop(connection_id, None)
            client.missed = client.missed or None

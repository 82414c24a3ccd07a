"""Which clients there are, by user."""

from collections.abc import Callable, Collection, Iterator

import attrs

from chatd.net.disconnects import DisconnectReason
from chatd.service.client import Client
from chatd.sockets.socket import Socket


@attrs.define(eq=False)
class Clients:
    """The connected clients of this daemon. `counted` is told how many a user has, if that matters
    to other nodes."""

    _by_user: dict[str, dict[Client, None]] = attrs.field(init=False, factory=dict)
    count: int = attrs.field(init=False, default=0)
    counted: Callable[[str, int], None] | None = attrs.field(init=False, default=None)

    def of(self, user_id: str) -> Collection[Client]:
        """The clients of a user."""
        return self._by_user.get(user_id, {}).keys()

    def users(self) -> Collection[str]:
        """The users who are connected."""
        return self._by_user.keys()

    def sockets_of(self, user_id: str, connection_id: str) -> Iterator[Socket]:
        """The sockets of a user that may use a room."""
        return (one.socket for one in self.of(user_id) if connection_id in one.grants)

    def kick(self, user_id: str) -> int:
        """End the sessions of a user, whose clients may come back; returns how many there were."""
        clients = list(self.of(user_id))
        for client in clients:
            client.end(DisconnectReason.KICKED)
        return len(clients)

    def everybody(self) -> list[Client]:
        """All clients there are now."""
        return [client for clients in self._by_user.values() for client in clients]

    def add(self, client: Client) -> None:
        """A client has connected."""
        self._by_user.setdefault(client.user_id, {})[client] = None
        self.count += 1
        if self.counted is not None:
            self.counted(client.user_id, len(self._by_user[client.user_id]))

    def remove(self, client: Client) -> None:
        """A client has disconnected."""
        clients = self._by_user[client.user_id]
        del clients[client]
        if not clients:
            del self._by_user[client.user_id]
        self.count -= 1
        if self.counted is not None:
            self.counted(client.user_id, len(clients))

"""The port to rooms: an adapter carries what is sent to all sockets of a room or of a user."""

from collections.abc import Collection
from typing import Protocol

from chatd.engine.outgoing import Outgoing
from chatd.sockets.socket import Socket

NAMESPACE = "/"  # the chat lives here, and nowhere else


class Adapter(Protocol):
    """Rooms of sockets, and the way to them and to users; none of it waits.

    Sockets are those of this node. What is sent to a room or a user reaches those of all nodes.
    Rooms exist while a socket is in them, and belong to a namespace.
    """

    def join(self, socket: Socket, room: str) -> None:
        """Put the socket into the room; it gets what is broadcast from now on."""
        ...

    def leave(self, socket: Socket, room: str) -> None:
        """Take the socket out of the room, if it is there."""
        ...

    def leave_all(self, socket: Socket) -> None:
        """Take the socket out of all its rooms."""
        ...

    def sockets(self, namespace: str, room: str) -> Collection[Socket]:
        """The sockets that are in the room now."""
        ...

    def broadcast(
        self, namespace: str, room: str, outgoing: Outgoing, *, but: Socket | None = None
    ) -> None:
        """Send to every socket of the room, `but` one."""
        ...

    def to_user(self, user_id: str, room: str, outgoing: Outgoing) -> None:
        """Send to every socket of a user that may use the room, whether it is there or not."""
        ...

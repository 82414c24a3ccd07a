"""The port to rooms: an adapter carries what is sent to all sockets of a room or of a user."""

from collections.abc import Callable, Collection
from typing import Protocol, TypeAlias

from chatd.engine.outgoing import Outgoing
from chatd.sockets.socket import Socket

NAMESPACE = "/"  # the chat lives here, and nowhere else

# Sends a socket of a room a packet that may be dropped, or drops it. Gets the socket, the room, the
# packet, and what the packet is about, as its sender said.
DeliverVolatile: TypeAlias = Callable[[Socket, str, Outgoing, str | None], None]


class Adapter(Protocol):
    """Rooms of sockets, and the way to them and to users; none of it waits.

    Sockets are those of this node. What is sent to a room stays here, as each node sends what it
    publishes; what is sent to a user reaches the user's sockets on all nodes. Rooms exist while a
    socket is in them, and belong to a namespace.
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

    def broadcast(self, namespace: str, room: str, outgoing: Outgoing) -> None:
        """Send to every socket of the room."""
        ...

    def broadcast_volatile(
        self,
        namespace: str,
        room: str,
        outgoing: Outgoing,
        *,
        about: str | None = None,
        but: object = None,
    ) -> None:
        """Offer a packet that may be dropped to every socket of the room, except `but`, one of this
        node.

        Each node decides for its sockets, by the function that `on_volatile` was given there, which
        also gets `about`.
        """
        ...

    def on_volatile(self, deliver: DeliverVolatile) -> None:
        """Have `deliver` decide for each socket of this node that is offered a volatile packet."""
        ...

    def to_user(
        self, user_id: str, room: str, outgoing: Outgoing, *, but: Socket | None = None
    ) -> None:
        """Send to every socket of a user that may use the room, whether it is there or not, except
        `but`, one of this node."""
        ...

"""The adapter of one node: a room is a set of sockets, a broadcast one packet for all of them."""

from collections.abc import Callable, Collection, Iterable

import attrs

from chatd.engine.flusher import Flusher
from chatd.engine.outgoing import Outgoing
from chatd.sockets.adapter import DeliverVolatile
from chatd.sockets.socket import Carrier, Socket


@attrs.define(eq=False, repr=False)
class LocalAdapter:
    """An `Adapter`. `sockets_of` gives the sockets of a user that may use a room."""

    _flusher: Flusher
    _sockets_of: Callable[[str, str], Iterable[Socket]] = lambda _user_id, _room: ()
    _rooms: dict[tuple[str, str], dict[Socket, Carrier]] = attrs.field(factory=dict, init=False)
    _deliver_volatile: DeliverVolatile = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._deliver_volatile = _send_volatile

    def join(self, socket: Socket, room: str) -> None:
        if room not in socket.rooms:
            socket.rooms += (room,)
            self._rooms.setdefault((socket.namespace, room), {})[socket] = socket.session

    def leave(self, socket: Socket, room: str) -> None:
        if room in socket.rooms:
            socket.rooms = tuple(name for name in socket.rooms if name != room)
            self._discard(socket, room)

    def leave_all(self, socket: Socket) -> None:
        for room in socket.rooms:
            self._discard(socket, room)
        socket.rooms = ()

    def sockets(self, namespace: str, room: str) -> Collection[Socket]:
        return self._rooms.get((namespace, room), {}).keys()

    def broadcast(self, namespace: str, room: str, outgoing: Outgoing) -> None:
        members = self._rooms.get((namespace, room))
        if members is not None:
            self._flusher.broadcast(members.values(), outgoing)

    def broadcast_volatile(
        self,
        namespace: str,
        room: str,
        outgoing: Outgoing,
        *,
        about: str | None = None,
        but: object = None,
    ) -> None:
        for socket in self.sockets(namespace, room):
            if socket is not but:
                self._deliver_volatile(socket, room, outgoing, about)

    def on_volatile(self, deliver: DeliverVolatile) -> None:
        self._deliver_volatile = deliver

    def to_user(
        self, user_id: str, room: str, outgoing: Outgoing, *, but: Socket | None = None
    ) -> None:
        for socket in self._sockets_of(user_id, room):
            if socket is not but:
                socket.session.send(outgoing)

    def _discard(self, socket: Socket, room: str) -> None:
        key = (socket.namespace, room)
        members = self._rooms[key]
        del members[socket]
        if not members:
            del self._rooms[key]


def _send_volatile(socket: Socket, room: str, outgoing: Outgoing, about: str | None) -> None:
    """Send to every socket, unless somebody decides otherwise."""
    del room, about
    socket.session.send(outgoing)

"""Rooms of sockets, and the way back to them: encoded once, offered to all, never waiting.

A room is a set of sockets. A broadcast appends one shared `Outgoing` to what each of them is owed;
the writes happen at the end of the turn (`Flusher`). This is the seam to more machines: the fan-out
is an interface with one implementation.
"""

from collections.abc import Collection

from chatd.engine.flusher import Flusher
from chatd.engine.outgoing import Outgoing
from chatd.engine.session import Session
from chatd.sockets.socket import Socket

NAMESPACE = "/"  # the chat lives here, and nowhere else (SPEC, "Words")


class Adapter:
    """Who is in which room. Rooms exist while somebody is in them; namespaces do not share any."""

    def __init__(self, flusher: Flusher) -> None:
        self._flusher = flusher
        self._rooms: dict[tuple[str, str], dict[Socket, Session]] = {}

    def join(self, socket: Socket, room: str) -> None:
        """Put the socket into the room; it gets what is broadcast from now on."""
        if room not in socket.rooms:
            socket.rooms += (room,)
            self._rooms.setdefault((socket.namespace, room), {})[socket] = socket.session

    def leave(self, socket: Socket, room: str) -> None:
        """Take the socket out of the room."""
        if room in socket.rooms:
            socket.rooms = tuple(name for name in socket.rooms if name != room)
            self._discard(socket, room)

    def leave_all(self, socket: Socket) -> None:
        """Take the socket out of all its rooms."""
        for room in socket.rooms:
            self._discard(socket, room)
        socket.rooms = ()

    def sockets(self, namespace: str, room: str) -> Collection[Socket]:
        """Who is in the room now."""
        return self._rooms.get((namespace, room), {}).keys()

    def broadcast(
        self, namespace: str, room: str, outgoing: Outgoing, *, but: Socket | None = None
    ) -> None:
        """Owe this to every socket of the room, `but` one."""
        members = self._rooms.get((namespace, room))
        if members is not None:
            left_out = None if but is None else but.session  # it is in the room once
            self._flusher.broadcast(members.values(), outgoing, but=left_out)

    def _discard(self, socket: Socket, room: str) -> None:
        key = (socket.namespace, room)
        members = self._rooms[key]
        del members[socket]
        if not members:
            del self._rooms[key]

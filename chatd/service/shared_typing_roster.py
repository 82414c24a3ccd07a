"""Typing as one view on several nodes (docs/cluster, "Presence, typing and limits").

    typing        [userId, isTyping, name]   of a user's sockets on the node that says so
    typing.end    [userId]                   of all sockets of the user, whichever node they are on
    typing.ask    []                         who types, by a node that begins to hold the room

Another node's user comes into the machine as one socket (`Elsewhere`). Each start is told, since it
prolongs the typing, so that typing whose end gets lost ends by itself. A message ends the typing of
its user on each node that shows it (`ended_elsewhere`).
"""

from collections.abc import Coroutine, Sequence
from typing import Any, Final

import attrs

from chatd.chat.elsewhere import Elsewhere
from chatd.chat.typing import Effect, LeaveTyping, StartTyping, StopTyping, TypingChanged
from chatd.service.client import Client
from chatd.service.nodes_alive import NodesAlive
from chatd.service.signals import Signals
from chatd.service.typing_roster import TypingRoster
from chatd.wire.acks import AckPayload
from chatd.wire.codes import Refusal

_TYPING: Final = "typing"
_END: Final = "typing.end"
_ASK: Final = "typing.ask"


class _Nobody:
    """An origin that waits for no answer."""

    def acknowledge(self, ack: AckPayload) -> None:
        """The node of the user has answered."""

    def refuse(self, refusal: Refusal) -> None:
        """The next start does better."""


@attrs.define(eq=False, slots=False)
class SharedTypingRoster(TypingRoster):
    """A `TypingRoster` of one of several nodes."""

    _signals: Signals
    _nodes: NodesAlive
    # By room and user: the sockets of this node that type, and the name.
    _here: dict[tuple[str, str], dict[object, str | None]] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self._signals.on(_TYPING, self._heard)
        self._signals.on(_END, self._heard_end)
        self._signals.on(_ASK, self._asked)
        self._signals.watch(self)

    def submit(self, command: StartTyping | StopTyping) -> Coroutine[Any, Any, None] | None:
        room = command.connection_id
        if isinstance(command, StartTyping):
            place = room, command.user_id
            self._here.setdefault(place, {})[command.socket] = command.name
            self._tell(place)
        else:
            client: Client = command.origin.client
            self._stopped((room, client.user_id), command.socket)
        return super().submit(command)

    def end(self, connection_id: str, user_id: str) -> None:
        place = connection_id, user_id
        if place in self._started:
            self._here.pop(place, None)
            self._signals.send(connection_id, _END, [user_id])
        super().end(connection_id, user_id)

    def ended_elsewhere(self, connection_id: str, user_id: str) -> None:
        """A message of the user that another node has stored is shown."""
        self._here.pop((connection_id, user_id), None)
        super().end(connection_id, user_id)

    def depart(self, client: Client, connection_id: str) -> None:
        super().depart(client, connection_id)
        self._stopped((connection_id, client.user_id), client.socket)

    def run(self, effect: Effect) -> None:
        match effect:
            case TypingChanged(room, user_id, _, False) if (room, user_id) in self._here:
                del self._here[room, user_id]  # its time is over
                self._signals.send(room, _TYPING, [user_id, False, None])
        super().run(effect)

    # The holder of rooms

    def held(self, room: str) -> None:
        """Who types there elsewhere is not known yet."""
        self._signals.send(room, _ASK, [])

    def released(self, room: str) -> None:
        """What is known of the room ends with its time."""

    def came_up(self) -> None:
        """What was told meanwhile got lost."""
        for place in self._here:
            self._tell(place)

    # Signals

    def _tell(self, place: tuple[str, str]) -> None:
        room, user_id = place
        name = next(iter(self._here[place].values()))
        self._signals.send(room, _TYPING, [user_id, True, name])

    def _stopped(self, place: tuple[str, str], socket: object) -> None:
        sockets = self._here.get(place)
        if sockets is not None and socket in sockets:
            del sockets[socket]
            if not sockets:
                del self._here[place]
                self._signals.send(place[0], _TYPING, [place[1], False, None])

    def _heard(self, room: str, node: str, fields: Sequence[Any]) -> None:
        user_id, is_typing, name, *_ = fields
        if not isinstance(user_id, str) or not isinstance(name, str | None):
            raise TypeError("no typing")
        if not self._nodes.heard(node):
            return
        socket = Elsewhere(node, user_id)
        if is_typing is True:
            start = StartTyping(_Nobody(), socket, room, user_id, name)
            self._started[room, user_id] = start
            self._mailbox.put(start)
        else:
            self._mailbox.put(LeaveTyping(socket, room))

    def _heard_end(self, room: str, _node: str, fields: Sequence[Any]) -> None:
        user_id, *_ = fields
        self.ended_elsewhere(room, str(user_id))

    def _asked(self, room: str, _node: str, _fields: Sequence[Any]) -> None:
        for place in self._here:
            if place[0] == room:
                self._tell(place)

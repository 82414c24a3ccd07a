"""Typing between clients and its actor (SPEC 5, "Typing").

The board holds who is typing, as it was last told: a joiner is told of them, and the actor begins
from it when it is started again.
"""

from collections.abc import Collection, Sequence
from typing import assert_never

import orjson

from chatd.actors.mailbox import Mailbox
from chatd.chat.markup import Markup
from chatd.chat.typing import (
    Command,
    Effect,
    EndTyping,
    LeaveTyping,
    StartTyping,
    StopTyping,
    Typing,
    TypingChanged,
    TypingTaken,
)
from chatd.engine.outgoing import Outgoing
from chatd.engine.transport import Work
from chatd.observe.clock import wall_ms
from chatd.service.acks import accepted
from chatd.service.clients import Client, Clients
from chatd.service.commands import Answer, deliver
from chatd.service.volatile import Volatile
from chatd.socketio import event_text
from chatd.wire.codes import Code, Refusal
from chatd.wire.names import ServerEvent


class TypingRoster:
    """Who is typing in each room as it was last told, and the way to the actor."""

    def __init__(
        self,
        mailbox: Mailbox[Command],
        volatile: Volatile,
        clients: Clients,
        machine: Typing,
        markup: Markup,
    ) -> None:
        self._mailbox = mailbox
        self._volatile = volatile
        self._clients = clients
        self._markup = markup
        self._rooms: dict[str, dict[str, str | None]] = {}
        # Who may be typing, by room and user: told or not yet, a message ends it. The value is the
        # last start that is on its way to the actor, None where the board knows of all of them.
        self._started: dict[tuple[str, str], StartTyping | None] = {}
        self.machine = machine
        volatile.typing = self.told_of

    def submit(self, command: StartTyping | StopTyping) -> Work | None:
        """Hand a command over, or wait until there is space for it."""
        if isinstance(command, StartTyping):
            self._started[command.connection_id, command.user_id] = command
        return deliver(self._mailbox, command, command.origin)

    def message_sent(self, connection_id: str, user_id: str) -> None:
        """The user has sent a message, and does not type it any more."""
        if (connection_id, user_id) in self._started:
            del self._started[connection_id, user_id]
            self._mailbox.put(EndTyping(connection_id, user_id))

    def depart(self, client: Client, connection_id: str) -> None:
        """The client is in the room no more."""
        place = connection_id, client.identity.user_id
        if place in self._started:
            self._mailbox.put(LeaveTyping(client.socket, connection_id))
            start = self._started[place]
            if start is not None and start.socket is client.socket:
                self._arrived(start)  # or it never will

    def show(self, client: Client, connection_id: str) -> None:
        """Tell a client who is typing in a room that it has just entered."""
        for user_id, name in self._rooms.get(connection_id, {}).items():
            if user_id != client.identity.user_id:
                change = TypingChanged(connection_id, user_id, name, True, wall_ms())
                client.socket.session.send_catch_up(self._packet(change))

    def told_of(self, connection_id: str, user_ids: Collection[str]) -> list[Outgoing]:
        """Whether these users are typing in a room, for who missed it."""
        room = self._rooms.get(connection_id, {})
        return [
            self._packet(TypingChanged(connection_id, it, room.get(it), it in room, wall_ms()))
            for it in user_ids
        ]

    def _packet(self, change: TypingChanged) -> Outgoing:
        shown = {
            "userId": change.user_id,
            "connectionId": change.connection_id,
            "isTyping": change.is_typing,
            "timestamp": change.timestamp_ms,
        }
        if change.name is not None:
            shown["name"] = self._markup(change.name)
        return Outgoing(b"4" + event_text(ServerEvent.CHAT_TYPING, orjson.dumps(shown)))

    # The actor's side

    def revive(self, now_s: float) -> Typing:
        """A machine that knows what the last one knew; what differs from the board is told."""
        machine = self.machine = Typing.restore(self.machine.freeze(), now_s)
        for room in {*self._rooms, *machine.rooms()}:
            now, told = dict(machine.room(room)), dict(self._rooms.get(room, {}))
            for user_id, name in told.items():
                if user_id not in now:
                    self.run(TypingChanged(room, user_id, name, False, wall_ms()))
            for user_id, name in now.items():
                self._started.setdefault((room, user_id), None)
                if user_id not in told:
                    self.run(TypingChanged(room, user_id, name, True, wall_ms()))
        return machine

    def run(self, effect: Effect) -> None:
        """Tell of a change, or answer for a command."""
        match effect:
            case TypingChanged(connection_id, user_id, name, is_typing):
                change = self._packet(effect)
                room = self._rooms.setdefault(connection_id, {})
                place = connection_id, user_id
                if is_typing:
                    room[user_id] = name
                    self._started.setdefault(place, None)
                else:
                    room.pop(user_id, None)
                    if self._started.get(place) is None:  # no other start follows
                        self._started.pop(place, None)
                if not room:
                    del self._rooms[connection_id]
                own = {client.socket for client in self._clients.of(user_id)}
                self._volatile.tell(connection_id, change, own, user_id)
            case TypingTaken(command):
                if isinstance(command, StartTyping):
                    self._arrived(command)
                answer: Answer = command.origin
                accepted(answer.socket, answer.ack_id)
            case _:
                assert_never(effect)

    def failed(self, batch: Sequence[Command]) -> None:
        """Who waits for an answer is told that something went wrong."""
        for command in batch:
            if isinstance(command, StartTyping):
                self._arrived(command)
            if isinstance(command, StartTyping | StopTyping):
                command.origin.refuse(Refusal(Code.INTERNAL))

    def _arrived(self, start: StartTyping) -> None:
        """The start is not on its way any more; what the board has been told of stays."""
        place = start.connection_id, start.user_id
        if self._started.get(place) is start:
            if start.user_id in self._rooms.get(start.connection_id, ()):
                self._started[place] = None
            else:
                del self._started[place]

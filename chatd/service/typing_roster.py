"""Typing between clients and its actor (docs/protocol, "Typing").

The store holds which users type, as it was last sent to rooms: a client that joins gets it, and an
actor that is started again begins from it.
"""

from collections.abc import Collection, Coroutine, Sequence
from typing import Any, assert_never

import attrs
import trio

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
from chatd.observe.clock import Clock
from chatd.service.client import Client
from chatd.service.commands import deliver
from chatd.service.presence_store import PresenceStore
from chatd.service.volatile import Volatile
from chatd.sockets.emitter import event_packet
from chatd.wire.acks import AckPayload
from chatd.wire.codes import Code, Refusal
from chatd.wire.events import TypingNotice


@attrs.define(eq=False, slots=False)
class TypingRoster:
    """Which users type in each room, as it was last sent, and the way to the actor. The store holds
    the name of each."""

    _mailbox: Mailbox[Command]
    _store: PresenceStore[str | None]
    _volatile: Volatile
    machine: Typing
    _markup: Markup
    _clock: Clock
    # Users who may be typing, by room, whether or not the room knows: a message ends it. The value
    # is the last start that is on its way to the actor, None if the store has all of them.
    _started: dict[tuple[str, str], StartTyping | None] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self._volatile.typing = self.packets_of

    def submit(self, command: StartTyping | StopTyping) -> Coroutine[Any, Any, None] | None:
        """Hand a command over, or wait until there is space for it."""
        if isinstance(command, StartTyping):
            self._started[command.connection_id, command.user_id] = command
        return deliver(self._mailbox, command, command.origin)

    def end(self, connection_id: str, user_id: str) -> None:
        """The user has stopped typing: the message was sent, or the user is now unseen."""
        if (connection_id, user_id) in self._started:
            del self._started[connection_id, user_id]
            self._mailbox.put(EndTyping(connection_id, user_id))

    def forget(self, *, user_id: str | None = None, connection_id: str | None = None) -> None:
        """A user, or everybody in a room, has stopped typing; call this between two batches of the
        actor."""
        now_s, now_ms = trio.current_time(), self._clock.wall_ms()
        ends = [
            EndTyping(room, typist)
            for room in self.machine.rooms()
            for typist, _ in self.machine.room(room)
            if user_id == typist or connection_id == room
        ]
        for effect in self.machine.decide(ends, now_s, now_ms):
            self.run(effect)

    def depart(self, client: Client, connection_id: str) -> None:
        """The client is no longer in the room."""
        place = connection_id, client.user_id
        if place in self._started:
            self._mailbox.put(LeaveTyping(client.socket, connection_id))
            start = self._started[place]
            if start is not None and start.socket is client.socket:
                self._arrived(start)  # or it never will

    def enter(self, client: Client, connection_id: str) -> None:
        """Send a client that has entered a room which users type there."""
        others = [it for it in self._store.room(connection_id) if it != client.user_id]
        for packet in self.packets_of(connection_id, others):
            client.send_catch_up(packet)

    def packets_of(self, connection_id: str, user_ids: Collection[str]) -> list[Outgoing]:
        """Whether these users type in a room."""
        room, now_ms = self._store.room(connection_id), self._clock.wall_ms()
        return [
            self._packet(connection_id, it, room.get(it), it in room, now_ms) for it in user_ids
        ]

    def _packet(
        self, connection_id: str, user_id: str, name: str | None, is_typing: bool, now_ms: int
    ) -> Outgoing:
        shown = None if name is None else self._markup(name)
        return event_packet(TypingNotice(user_id, connection_id, is_typing, now_ms, shown))

    # The actor's side

    def revive(self, now_s: float) -> Typing:
        """A machine that knows what the last one knew; rooms get what differs from the store."""
        machine = self.machine = Typing.restore(self.machine.freeze(), now_s)
        now_ms = self._clock.wall_ms()
        for room in {*self._store.rooms(), *machine.rooms()}:
            now, before = dict(machine.room(room)), dict(self._store.room(room))
            for user_id, name in before.items():
                if user_id not in now:
                    self.run(TypingChanged(room, user_id, name, False, now_ms))
            for user_id, name in now.items():
                self._started.setdefault((room, user_id), None)
                if user_id not in before:
                    self.run(TypingChanged(room, user_id, name, True, now_ms))
        return machine

    def run(self, effect: Effect) -> None:
        """Send a change to its room, or answer a command."""
        match effect:
            case TypingChanged(room, user_id, name, is_typing, timestamp_ms):
                place = room, user_id
                if is_typing:
                    self._store.put(room, user_id, name)
                    self._started.setdefault(place, None)
                else:
                    self._store.drop(room, user_id)
                    if self._started.get(place) is None:  # no other start follows
                        self._started.pop(place, None)
                packet = self._packet(room, user_id, name, is_typing, timestamp_ms)
                self._volatile.broadcast_typing(room, packet, user_id)
            case TypingTaken(command):
                if isinstance(command, StartTyping):
                    self._arrived(command)
                command.origin.acknowledge(AckPayload())
            case _:
                assert_never(effect)

    def failed(self, batch: Sequence[Command]) -> None:
        """The batch was not carried out: refuse the commands in it."""
        for command in batch:
            if isinstance(command, StartTyping):
                self._arrived(command)
            if isinstance(command, StartTyping | StopTyping):
                command.origin.refuse(Refusal(Code.INTERNAL))

    def _arrived(self, start: StartTyping) -> None:
        """The start is no longer on its way; a user whom the store has stays."""
        place = start.connection_id, start.user_id
        if self._started.get(place) is start:
            if start.user_id in self._store.room(start.connection_id):
                self._started[place] = None
            else:
                del self._started[place]

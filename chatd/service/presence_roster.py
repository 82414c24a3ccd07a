"""Presence between clients and its actor: who is in a room, as was last told (SPEC 5, "Presence").

The board is what readers know: a joiner is shown it, and every change on it is told, so that a view
that began with a snapshot and took all that followed is the board. The actor's machine knows more
(sockets, graces, the last sign of each user, which is told with a change and shown in a snapshot);
started again, it begins from the board and from who is there.
"""

from collections.abc import Sequence
from typing import assert_never

import attrs
import orjson

from chatd.actors.mailbox import Mailbox
from chatd.chat.markup import Markup
from chatd.chat.presence import (
    Arrive,
    Command,
    Declare,
    Declared,
    Depart,
    Effect,
    Entry,
    Presence,
    PresenceChanged,
    most_present,
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
from chatd.wire.names import PresenceStatus, ServerEvent


class PresenceRoster:
    """What was last told of each room, and the way to the actor."""

    def __init__(
        self,
        mailbox: Mailbox[Command],
        volatile: Volatile,
        clients: Clients,
        machine: Presence,
        markup: Markup,
    ) -> None:
        self._mailbox = mailbox
        self._volatile = volatile
        self._clients = clients
        self._markup = markup
        self._rooms: dict[str, dict[str, Entry]] = {}
        self.machine = machine
        volatile.presence = self.snapshot

    def show(self, client: Client, connection_id: str) -> None:
        """The client is in the room from now on, and is shown who else is."""
        self._mailbox.put(
            Arrive(client.socket, connection_id, client.identity.user_id, client.identity.name)
        )
        self.sign(connection_id, client.identity.user_id)
        client.socket.session.send_catch_up(self.snapshot(client, connection_id))
        self._volatile.join(client.socket, connection_id)

    def depart(self, client: Client, connection_id: str) -> None:
        """The client is in the room no more."""
        self._mailbox.put(Depart(client.socket, connection_id))
        self._volatile.leave(client.socket, connection_id)

    def sign(self, connection_id: str, user_id: str) -> None:
        """The user has just done something in the room, which the actor need not hear of."""
        self.machine.sign(connection_id, user_id, wall_ms())

    def snapshot(self, client: Client, connection_id: str) -> Outgoing:
        """Everybody in the room, as JSON; the client itself at least as what it declares.

        That counts for others only when the actor has it, and is told to them alone.
        """
        entries = dict(self._rooms.get(connection_id, {}))
        user_id = client.identity.user_id
        declared = (client.declared or {}).get(connection_id, PresenceStatus.ONLINE)
        told = entries.get(user_id)
        if told is not None:
            status = most_present((told.status, declared))
            entries[user_id] = attrs.evolve(told, status=status)
        elif declared is not PresenceStatus.OFFLINE:
            entries[user_id] = Entry(user_id, client.identity.name, declared, wall_ms())
        payload = {
            "connectionId": connection_id,
            "users": [self._seen_last(connection_id, entry) for entry in entries.values()],
        }
        return Outgoing(b"4" + event_text(ServerEvent.PRESENCE_SNAPSHOT, orjson.dumps(payload)))

    def _seen_last(self, connection_id: str, entry: Entry) -> dict[str, object]:
        """What was told of a user, with the last sign since."""
        shown = self._shown(entry)
        last_seen_ms = self.machine.last_seen_ms(connection_id, entry.user_id)
        if last_seen_ms is not None:
            shown["lastSeen"] = last_seen_ms
        return shown

    def declare(self, client: Client, command: Declare) -> Work | None:
        """Hand a declaration over, or wait until there is space for it."""
        if client.declared is None:
            client.declared = {}
        client.declared[command.connection_id] = command.status
        return deliver(self._mailbox, command, command.origin)

    # The actor's side

    def revive(self, now_s: float) -> Presence:
        """A machine that knows what the last one knew, and who is there; what differs is told.

        That they are there still is no new sign of those who were.
        """
        frozen = self.machine.freeze()
        machine = self.machine = Presence.restore(frozen, now_s)
        there: list[Command] = [
            Arrive(
                client.socket,
                room,
                client.identity.user_id,
                client.identity.name,
                (client.declared or {}).get(room, PresenceStatus.ONLINE),
            )
            for client in self._clients.everybody()
            for room in client.wanted
        ]
        machine.decide(there, now_s, wall_ms())
        for room, entries in frozen.items():
            for user_id, _, _, last_seen_ms in entries:
                machine.sign(room, user_id, last_seen_ms)
        for room in {*self._rooms, *machine.rooms()}:
            now = {entry.user_id: entry for entry in machine.room(room)}
            told = self._rooms.get(room, {})
            for user_id, entry in list(told.items()):
                if user_id not in now:
                    gone = attrs.evolve(entry, status=PresenceStatus.OFFLINE)
                    self.run(PresenceChanged(room, gone, None))
            for user_id, entry in now.items():
                known = told.get(user_id)
                if known is None or (known.status, known.name) != (entry.status, entry.name):
                    self.run(PresenceChanged(room, entry, None))
        return machine

    def run(self, effect: Effect) -> None:
        """Tell of a change, or answer for a declaration."""
        match effect:
            case PresenceChanged(connection_id, entry, cause):
                body = orjson.dumps({**self._shown(entry), "connectionId": connection_id})
                update = Outgoing(b"4" + event_text(ServerEvent.PRESENCE_UPDATE, body))
                self._note(connection_id, entry)
                self._volatile.tell(connection_id, update, (cause,))
            case Declared(command, status):
                answer: Answer = command.origin
                accepted(answer.socket, answer.ack_id, status=status)
            case _:
                assert_never(effect)

    def _shown(self, entry: Entry) -> dict[str, object]:
        shown: dict[str, object] = {
            "userId": entry.user_id,
            "status": entry.status,
            "lastSeen": entry.last_seen_ms,
        }
        if entry.name is not None:
            shown["name"] = self._markup(entry.name)
        return shown

    def failed(self, batch: Sequence[Command]) -> None:
        """Who waits for an answer is told that something went wrong."""
        for command in batch:
            if isinstance(command, Declare):
                command.origin.refuse(Refusal(Code.INTERNAL))

    def _note(self, connection_id: str, entry: Entry) -> None:
        room = self._rooms.setdefault(connection_id, {})
        if entry.status is PresenceStatus.OFFLINE:
            room.pop(entry.user_id, None)
        else:
            room[entry.user_id] = entry
        if not room:
            del self._rooms[connection_id]

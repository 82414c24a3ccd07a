"""Presence between clients and its actor (docs/protocol, "Presence").

The store holds what was last sent to rooms: a client that joins gets it as a snapshot, and every
change of it is sent, so that a view which began with a snapshot and followed all changes equals the
store. The actor's machine knows more: sockets, graces, the last sign of each user, which is sent
with a change and stands in a snapshot. Started again, it begins from the store and from the clients
that are there.
"""

from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, assert_never

import attrs

from chatd.actors.mailbox import Mailbox
from chatd.chat.markup import Markup
from chatd.chat.presence import (
    Arrive,
    Claim,
    Command,
    Declare,
    Declared,
    Depart,
    Effect,
    Forget,
    Forgotten,
    Presence,
    PresenceChanged,
    PresenceEntry,
)
from chatd.engine.outgoing import Outgoing
from chatd.observe.clock import Clock
from chatd.service.client import Client
from chatd.service.clients import Clients
from chatd.service.commands import deliver
from chatd.service.presence_store import PresenceStore
from chatd.service.senders import TaskOrigin
from chatd.service.typing_roster import TypingRoster
from chatd.service.volatile import Volatile
from chatd.sockets.emitter import event_packet
from chatd.wire.acks import PresenceAck
from chatd.wire.codes import Code, Refusal
from chatd.wire.events import PresenceNotice, PresenceSnapshot, UserPresence
from chatd.wire.names import PresenceStatus


@attrs.define(eq=False, slots=False)
class PresenceRoster:
    """Which users are in each room, as it was last sent, and the way to the actor."""

    _mailbox: Mailbox[Command]
    _store: PresenceStore[PresenceEntry]
    _volatile: Volatile
    _clients: Clients
    _typing: TypingRoster
    machine: Presence
    _markup: Markup
    _clock: Clock

    def __attrs_post_init__(self) -> None:
        self._volatile.presence = self.snapshot

    def enter(self, client: Client, connection_id: str) -> None:
        """The client is in the room from now on, and gets a snapshot of it."""
        declared = (client.declared or {}).get(connection_id)
        if declared is not None:  # in its handshake, or before it joins a second time
            self.note_declared(client, connection_id, declared)
        self._mailbox.put(self._arrival(client, connection_id))
        self.sign(connection_id, client.user_id)
        client.send_catch_up(self.snapshot(client, connection_id))
        self._volatile.join(client, connection_id)

    def depart(self, client: Client, connection_id: str) -> None:
        """The client is no longer in the room."""
        self._mailbox.put(Depart(client.socket, connection_id))
        self._volatile.leave(client, connection_id)

    async def forget(self, *, user_id: str | None = None, connection_id: str | None = None) -> None:
        """Forget a user whose sockets are gone, or all such users of a room; return when this is
        done."""
        origin = TaskOrigin()
        self._mailbox.put(Forget(origin, user_id, connection_id))
        await origin.settled.wait()

    def sign(self, connection_id: str, user_id: str) -> None:
        """The user has just done something in the room; the actor need not hear of it."""
        self.machine.sign(connection_id, user_id, self._clock.wall_ms())

    def snapshot(self, client: Client, connection_id: str) -> Outgoing:
        """Everybody in the room; the client's user as the actor will have it."""
        entries = dict(self._store.room(connection_id))
        user_id, name = client.user_id, client.identity.name
        known, status = entries.pop(user_id, None), self.status_of(client, connection_id)
        if status is not PresenceStatus.OFFLINE:
            if known is None:
                known = PresenceEntry(user_id, name, status, self._clock.wall_ms())
            entries[user_id] = attrs.evolve(known, status=status)
        users = [
            self._user(entry, self.machine.last_seen_ms(connection_id, entry.user_id))
            for entry in entries.values()
        ]
        return event_packet(PresenceSnapshot(connection_id, users))

    def declare(self, client: Client, command: Declare) -> Coroutine[Any, Any, None] | None:
        """Hand a declaration over, or wait until there is space for it."""
        client.status = command.status
        command.claim = self.note_declared(client, command.connection_id, command.status)
        return deliver(self._mailbox, command, command.origin)

    def status_of(self, client: Client, connection_id: str) -> PresenceStatus:
        """The status of the client's user in a room, as declared last, whether or not the actor has
        it already."""
        for one in self._clients.of(client.user_id):
            if one.declared is not None and connection_id in one.declared:
                return one.declared[connection_id]
        return self.machine.status(connection_id, client.user_id) or client.status

    def note_declared(
        self, client: Client, connection_id: str, status: PresenceStatus
    ) -> Claim | None:
        """Note that of all sockets of the user this one has declared last in the room. A user who
        is unseen from now on is not seen typing. Returns what other nodes are told, if there are
        any."""
        for one in self._clients.of(client.user_id):
            if one.declared is not None:
                one.declared.pop(connection_id, None)
        client.declared = client.declared or {}
        client.declared[connection_id] = status
        if status is PresenceStatus.OFFLINE:
            self._typing.end(connection_id, client.user_id)
        return None

    def _arrival(self, client: Client, connection_id: str) -> Arrive:
        declared = (client.declared or {}).get(connection_id)
        name = client.identity.name
        return Arrive(client.socket, connection_id, client.user_id, name, declared, client.status)

    def _arrivals_elsewhere(self) -> Iterable[Command]:
        """The arrivals of the sockets of other nodes, if there are any."""
        return ()

    # The actor's side

    def revive(self, now_s: float) -> Presence:
        """A machine that knows what the last one knew, and which clients are there; rooms get what
        differs.

        The fact that clients are still there is not a new sign of their users.
        """
        frozen = self.machine.freeze()
        machine = self.machine = Presence.restore(frozen, now_s)
        arrivals: list[Command] = [
            self._arrival(client, room)
            for client in self._clients.everybody()
            if not client.is_unseen
            for room in client.rooms
        ]
        machine.decide([*arrivals, *self._arrivals_elsewhere()], now_s, self._clock.wall_ms())
        for room, entries in frozen.items():
            for user_id, _, _, last_seen_ms in entries:
                machine.sign(room, user_id, last_seen_ms)
        for room in {*self._store.rooms(), *machine.rooms()}:
            now = {entry.user_id: entry for entry in machine.room(room)}
            before = dict(self._store.room(room))
            for user_id, entry in before.items():
                if user_id not in now:
                    gone = attrs.evolve(entry, status=PresenceStatus.OFFLINE)
                    self.run(PresenceChanged(room, gone, None))
            for user_id, entry in now.items():
                known = before.get(user_id)
                if known is None or (known.status, known.name) != (entry.status, entry.name):
                    self.run(PresenceChanged(room, entry, None))
        return machine

    def run(self, effect: Effect) -> None:
        """Send a change to its room, or answer a declaration."""
        match effect:
            case PresenceChanged(connection_id, entry, cause):
                notice = PresenceNotice(user=self._user(entry), connection_id=connection_id)
                if entry.status is PresenceStatus.OFFLINE:
                    self._store.drop(connection_id, entry.user_id)
                else:
                    self._store.put(connection_id, entry.user_id, entry)
                self._volatile.broadcast_presence(connection_id, event_packet(notice), cause)
            case Declared(command, status):
                command.origin.acknowledge(PresenceAck(status=status))
            case Forgotten(command):
                command.origin.settle()
            case _:
                assert_never(effect)

    def _user(self, entry: PresenceEntry, last_seen_ms: int | None = None) -> UserPresence:
        return UserPresence(
            entry.user_id,
            entry.status,
            entry.last_seen_ms if last_seen_ms is None else last_seen_ms,
            None if entry.name is None else self._markup(entry.name),
        )

    def failed(self, batch: Sequence[Command]) -> None:
        """The batch was not carried out: refuse the declarations in it."""
        for command in batch:
            if isinstance(command, Declare | Forget):
                command.origin.refuse(Refusal(Code.INTERNAL))

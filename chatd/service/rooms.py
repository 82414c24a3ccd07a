"""Clients in rooms: how they come in, and how they leave (docs/protocol, "Connecting").

A client counts as in a room from the moment at which it asks to join, so that a leave that follows
finds it there. A user's queue in a room fills while none of the user's sockets is there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import attrs

from chatd.chat.messages import ClearOverflow, Joined, JoinRooms, LeaveRooms, RemoveMember
from chatd.chat.queue import QUEUE_MAX, QUEUE_MAX_MS
from chatd.observe import EventLog
from chatd.service.acks import Handled, Outcome, echoed_id, outcome_of
from chatd.service.catch_up import CatchUp, Stand
from chatd.service.client import Client
from chatd.service.commands import Commands
from chatd.service.membership import Membership, Standing
from chatd.service.occupancy import Occupancy
from chatd.service.presence_roster import PresenceRoster
from chatd.service.rate_limits import RateLimits
from chatd.service.senders import TaskOrigin
from chatd.service.timeline import Timelines
from chatd.service.typing_roster import TypingRoster
from chatd.sockets.adapter import Adapter
from chatd.store import MessageReader, StoreReadFailed
from chatd.wire.acks import JoinAck
from chatd.wire.codes import Code, Refusal
from chatd.wire.names import ClientEvent


@attrs.frozen
class Since:
    """What a client has already: the last seq of each room, in the log of that epoch; and how many
    rows it wants of each answer that it does not have, None if it does not say."""

    seqs: Mapping[str, int] = MappingProxyType({})
    epoch: str | None = None
    answer_rows: int | None = None


NOTHING = Since()


@attrs.define(eq=False)
class Rooms:
    """Who is in which room. `now_ms` is the clock by which messages in queues grow old."""

    _commands: Commands
    _timelines: Timelines
    _adapter: Adapter
    _occupancy: Occupancy
    _catch_up: CatchUp
    _rosters: Sequence[PresenceRoster | TypingRoster]
    _membership: Membership
    _messages: MessageReader
    _limits: RateLimits
    _event_log: EventLog
    _now_ms: Callable[[], int] = attrs.field(kw_only=True)
    _epoch: str = attrs.field(kw_only=True)

    async def enter(
        self,
        client: Client,
        rooms: Iterable[str],
        ack_id: int | None = None,
        since: Since = NOTHING,
    ) -> None:
        """Let a client into permitted rooms, and return when it has caught up with them. Each room
        is acknowledged or refused as `connection:join`."""
        await self._enter(client, rooms, ack_id, since, _refuse_join)

    async def enter_first(
        self, client: Client, room: str, handle: Callable[[], Handled]
    ) -> Outcome:
        """Let a client into the room of an event, unless it is there, and carry the event out.
        Where that fails the event is refused, and nothing else."""
        if room not in client.rooms:
            refusal = await self._enter(client, [room], None, NOTHING, _refuse_nothing)
            if refusal is not None:
                return attrs.evolve(refusal, connection_id=room)
            if room not in client.rooms:  # the client is gone, or the room was taken away
                return None if client.is_gone else forbidden(room)
        return await outcome_of(handle())

    async def _enter(
        self,
        client: Client,
        rooms: Iterable[str],
        ack_id: int | None,
        since: Since,
        refuse: "Refuse",
    ) -> Refusal | None:
        """Let a client into rooms; returns the last refusal.

        Its next event waits meanwhile, so that histories do not pile up for a peer that asks for
        many of them and reads none.
        """
        await client.drained()
        refusal, admitted = None, []
        for room in rooms:
            if client.is_gone:
                return None  # no leave would take it out again
            refused = self._admit(client, room)
            if refused is None:
                admitted.append(room)
            else:
                refusal = refused
                refuse(client, ack_id, refusal)
        if not admitted:
            return refusal
        await self.trim(client)
        if client.is_gone:
            return None  # it was taken out: a join behind that would be for good
        for room in [room for room in admitted if room not in client.rooms]:
            admitted.remove(room)
            refusal = forbidden(room)
            refuse(client, ack_id, refusal)
        if not admitted:
            return refusal
        origin = TaskOrigin(client)
        name = client.identity.name
        await self._commands.settle(JoinRooms(origin, client.user_id, tuple(admitted), name))
        joined, origin.joined = origin.joined, None  # it holds its command, which holds it
        if joined is None:  # it is still in what it was in before
            if origin.refusal is not None:
                for room in admitted:
                    refuse(client, ack_id, attrs.evolve(origin.refusal, connection_id=room))
            self.leave(
                client, [room for room in admitted if client.catching_up_from(room) is not None]
            )
            return origin.refusal
        for room, last_seq in zip(admitted, joined.last_seqs, strict=True):
            if client.catching_up_from(room) is not None:
                client.begin_catching_up(room, last_seq)
        answer_rows = client.answer_rows if since.answer_rows is None else since.answer_rows
        taken = tuple(room for room in admitted if room not in client.grants)
        if taken:  # meanwhile
            self._commands.post(RemoveMember(client.user_id, taken))
        for room, stand in _stands(joined, since, self._epoch, answer_rows):
            unread = await self._bring_in(client, room, stand, ack_id)
            if unread is not None:
                refusal = unread
                refuse(client, ack_id, refusal)
            client.flush()
            if client.is_gone:
                return None
        return refusal

    def _admit(self, client: Client, room: str) -> Refusal | None:
        """Count the client in, unless it is in too many rooms, or may not use it any more."""
        if room in client.rooms:
            return None
        if room not in client.grants:
            return forbidden(room)
        limited = self._limits.admit_room(client.allowance, len(client.rooms))
        if limited is not None:
            sentence = "You are in too many rooms; leave one first."
            refusal = limited.refusal(client.user_id, self._event_log, sentence)
            return attrs.evolve(refusal, connection_id=room)
        client.begin_catching_up(room, self._timelines.last_seq(room))
        self._timelines.hold(room)
        self._occupancy.enter(room, client.user_id)
        return None

    async def trim(self, client: Client) -> None:
        """Drop from the user's queues what is too much or too old, and return when it is done."""
        now_ms = self._now_ms()
        owed = self._membership.overdue(client.user_id, now_ms)
        if owed is None:
            return
        try:
            cuts = await self._messages.newest_owed(owed, QUEUE_MAX, now_ms - QUEUE_MAX_MS)
        except StoreReadFailed:
            return  # for a while more is owed than has to be
        await self._commands.trim(client, cuts)

    async def _bring_in(
        self, client: Client, room: str, stand: Stand, ack_id: int | None
    ) -> Refusal | None:
        if room not in client.grants:
            return forbidden(room)
        try:
            await self._catch_up.run(client, room, stand)
        except StoreReadFailed:
            self.leave(client, [room])
            return Refusal(Code.STORAGE_READ_ERROR, connection_id=room)
        if client.is_gone:
            return None
        if room not in client.rooms:  # it had to leave meanwhile
            return forbidden(room)
        client.acknowledge(ack_id, self.position(room))
        if stand.fallen is not None:
            await self._confirm_overflow(client, room, stand.fallen)
        return None

    async def _confirm_overflow(self, client: Client, room: str, fallen: tuple[int, int]) -> None:
        """Record that the client knows what fell out of its queue, once the peer has received it:
        otherwise the next connection gets it again."""
        await client.drained()
        if room in client.rooms and not client.is_gone:
            self._commands.post(ClearOverflow(client.user_id, room, fallen))

    def position(self, room: str) -> JoinAck:
        """Where a room stands, for a client that may use it."""
        return JoinAck(
            connection_id=room, last_seq=self._timelines.last_seq(room), epoch=self._epoch
        )

    def seen_seq(self, client: Client, room: str) -> int:
        """Up to where a client has seen a room that it is in, or is owed it by its queue."""
        joined_seq = client.catching_up_from(room)
        return self._timelines.last_seq(room) if joined_seq is None else joined_seq

    def leave(self, client: Client, rooms: Iterable[str]) -> None:
        """Take the client out of these rooms, as far as it is in them; it may be gone."""
        left: list[tuple[str, int]] = []
        for room in [room for room in rooms if room in client.rooms]:
            seen_seq = self.seen_seq(client, room)
            client.leave(room)
            if not client.is_unseen:
                last_seen = self._occupancy.leave(room, client.user_id, seen_seq)
                if last_seen is not None:
                    left.append((room, last_seen))
                for roster in self._rosters:
                    roster.depart(client, room)
            if client.declared is not None:
                client.declared.pop(room, None)
            self._adapter.leave(client.socket, room)
            self._timelines.release(room)
        if left:
            self._commands.post(LeaveRooms(client.user_id, tuple(left)))

    def standing(self, client: Client) -> Standing:
        """Where the user of a client stands, as far as it is known here."""
        return self._membership.standing(client.user_id, self._now_ms())

    @property
    def are_shared(self) -> bool:
        """Whether other nodes let clients into the rooms too: then `look` comes first."""
        return self._membership.is_shared

    async def look(self, client: Client) -> None:
        """Learn where the user of a client that connects stands now."""
        await self._membership.look(client.user_id, client.grants)

    async def trimmed_standing(self, client: Client) -> Standing:
        """Where the user stands once the queues hold nothing that is too much or too old."""
        await self.trim(client)
        return self.standing(client)

    def end_memberships(self, client: Client, standing: Standing) -> None:
        """End the user's memberships of rooms that the directory no longer gives."""
        user_id, there = client.user_id, self._occupancy.pairs()
        ended = tuple(
            room
            for room in standing.owed
            if room not in client.grants and (room, user_id) not in there
        )
        if ended:
            self._commands.post(RemoveMember(user_id, ended))


def forbidden(room: str) -> Refusal:
    """The refusal of a room that the client may not use."""
    return Refusal(Code.FORBIDDEN_ROOM, path="connectionId", connection_id=echoed_id(room))


Refuse: TypeAlias = Callable[[Client, int | None, Refusal], None]


def _refuse_join(client: Client, ack_id: int | None, refusal: Refusal) -> None:
    """The client asked to join."""
    client.refuse(ClientEvent.CONNECTION_JOIN, ack_id, refusal)


def _refuse_nothing(client: Client, ack_id: int | None, refusal: Refusal) -> None:
    """The client asked for something else, which is refused for this reason."""


def _stands(
    joined: Joined, since: Since, epoch: str, answer_rows: int | None
) -> Iterator[tuple[str, Stand]]:
    """Each room that was joined, and where the client stands in it."""
    is_other_log = since.epoch not in (None, epoch)
    for room, owed, fallen in zip(
        joined.command.connection_ids, joined.owed, joined.fallen, strict=True
    ):
        yield room, Stand(since.seqs.get(room), is_other_log, owed, fallen, answer_rows)

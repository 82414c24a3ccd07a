"""Rooms as clients see them: joining, leaving, paging through the history (SPEC 3 and 4)."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Protocol

import attrs
import trio

from chatd.chat.content import canonical_message_id
from chatd.chat.markup import Markup
from chatd.chat.messages import Joined, JoinRooms, LeaveRooms, OverflowTold, RemoveMember
from chatd.chat.queue import QUEUE_MAX, QUEUE_MAX_MS, Gap
from chatd.chat.rendering import message_json
from chatd.engine.throttle import Work
from chatd.observe import EventLog, LimitHit
from chatd.service.acks import accepted, refused, told_back
from chatd.service.catch_up import RENDERED_PER_TURN, CatchUp, Stand
from chatd.service.clients import Client
from chatd.service.commands import Commands
from chatd.service.occupancy import Occupancy
from chatd.service.senders import Origin
from chatd.service.timeline import History, Timelines, history_json
from chatd.sockets.adapter import Adapter
from chatd.store import QueueCut, StoreReadFailed
from chatd.wire.codes import Code, Refusal
from chatd.wire.converter import structure
from chatd.wire.names import ClientEvent, ServerEvent
from chatd.wire.payloads import ConnectionJoin, ConnectionLeave, HistoryGet

PAGE_DEFAULT = 50  # messages of a page that does not say how many (SPEC 3)


class Reader(History, Protocol):
    """Reads of the log go past the actors, to the store."""

    async def has_thread(self, connection_id: str, thread_id: str) -> bool:
        """Whether a message of the room has opened this thread, or might."""
        ...

    async def newest_owed(
        self, owed: Mapping[str, Sequence[Gap]], most: int, oldest_ms: int
    ) -> dict[str, QueueCut]:
        """Where the newest of what is owed begin, in each room."""
        ...


class Members(Protocol):
    """What the actor knows of members, to be looked at between its batches."""

    def needs_trim(self, user_id: str, now_ms: int) -> bool:
        """Whether the user's queues may hold too much, or too old messages."""
        ...

    def owed_to(self, user_id: str) -> dict[str, tuple[Gap, ...]]:
        """All that is owed to the user, by room."""
        ...

    def rooms_of(self, user_id: str) -> Collection[str]:
        """The rooms that the user is a member of."""
        ...


class Leaves(Protocol):
    """Who is to know that a client is in a room no more."""

    def depart(self, client: Client, connection_id: str) -> None:
        """It has left, or is gone."""
        ...


@attrs.frozen
class Since:
    """What a client has already: the last seq of rooms, in the log of that epoch (SPEC 4)."""

    seqs: Mapping[str, int] = MappingProxyType({})
    epoch: str | None = None


NOTHING = Since()


class RoomEvents:
    """Who is in which room. `history_page`: the most messages of one page."""

    def __init__(
        self,
        commands: Commands,
        timelines: Timelines,
        adapter: Adapter,
        occupancy: Occupancy,
        catch_up: CatchUp,
        boards: Sequence[Leaves],
        members: Members,
        readers: Reader,
        event_log: EventLog,
        *,
        age_ms: Callable[[], int],
        epoch: str,
        markup: Markup,
        history_page: int,
    ) -> None:
        """`age_ms` is the time by which what is owed is too old."""
        self._age_ms = age_ms
        self._commands = commands
        self._timelines = timelines
        self._adapter = adapter
        self._occupancy = occupancy
        self._catch_up = catch_up
        self._boards = boards
        self._members = members
        self._readers = readers
        self._event_log = event_log
        self._epoch = epoch
        self._markup = markup
        self._history_page = history_page

    def join_event(self, client: Client, payload: object, ack_id: int | None) -> Work | None:
        join = structure(payload, ConnectionJoin)
        if not isinstance(join, Refusal) and join.since is not None and join.since < 0:
            join = Refusal(Code.INVALID_PAYLOAD, path="since")
        if isinstance(join, Refusal):
            refused(client.socket, ClientEvent.CONNECTION_JOIN, ack_id, join)
            return None
        room = join.connection_id
        if room not in client.grants:
            self.refuse(client, ClientEvent.CONNECTION_JOIN, ack_id, room)
            return None
        since = NOTHING if join.since is None else Since({room: join.since}, join.epoch)
        return self.enter(client, [room], ack_id, since)

    def once_in(
        self,
        client: Client,
        room: str,
        event: ClientEvent,
        ack_id: int | None,
        then: Callable[[], Work | None],
    ) -> Work | None:
        """Do something in a permitted room, after a join where the client is not in it (SPEC 3).

        Where the join is refused, so is the event.
        """
        if room in client.wanted:
            return then()
        return self._enter_and_do(client, room, event, ack_id, then)

    async def _enter_and_do(
        self,
        client: Client,
        room: str,
        event: ClientEvent,
        ack_id: int | None,
        then: Callable[[], Work | None],
    ) -> None:
        refusal = await self.enter(client, [room])
        if refusal is not None:
            refused(client.socket, event, ack_id, refusal, connection_id=room)
            return
        work = then() if room in client.wanted else None
        if work is not None:
            await work

    async def enter(
        self,
        client: Client,
        rooms: Iterable[str],
        ack_id: int | None = None,
        since: Since = NOTHING,
    ) -> Refusal | None:
        """Let a client into permitted rooms, and return when it has caught up with them.

        Its next event waits meanwhile, so that histories do not pile up for a peer that asks for
        many of them and reads none. What is refused is told; the last such refusal is returned.
        """
        session = client.socket.session
        await session.transport.caught_up()
        refusal, admitted = None, []
        for room in rooms:
            if session.is_over:
                return None  # nobody would take it out again
            one_too_many = self._admit(client, room, ack_id)
            if one_too_many is None:
                admitted.append(room)
            else:
                refusal = one_too_many
        if not admitted:
            return refusal
        await self.trim(client)
        if session.is_over:
            return None  # it was taken out: a join behind that would be for good
        origin = Origin(client, ClientEvent.CONNECTION_JOIN, ack_id, settled=trio.Event())
        work = self._commands.submit(JoinRooms(origin, client.identity.user_id, tuple(admitted)))
        if work is not None:
            await work
        assert origin.settled is not None
        await origin.settled.wait()
        joined = origin.joined
        if joined is None:  # what it was in before, it is in still
            self.give_up(client, [room for room in admitted if client.wanted.get(room) is not None])
            return origin.refusal
        for room, last_seq in zip(admitted, joined.last_seqs, strict=True):
            if client.wanted.get(room) is not None:
                client.wanted[room] = last_seq
        for room, stand in _stands(joined, since, self._epoch):
            refusal = await self._bring_in(client, room, stand, ack_id) or refusal
            session.flush()
            if session.is_over:
                return None
        return refusal

    def _admit(self, client: Client, room: str, ack_id: int | None) -> Refusal | None:
        """Count the client in, unless it is in too many rooms."""
        if room in client.wanted:
            return None
        wait_ms = client.admit_room()
        if wait_ms is not None:
            self._event_log.record(LimitHit("rooms_per_socket", client.identity.user_id, None))
            refusal = Refusal(
                Code.RATE_LIMITED,
                "You are in too many rooms; leave one first.",
                retry_after_ms=wait_ms,
            )
            event = ClientEvent.CONNECTION_JOIN
            refused(client.socket, event, ack_id, refusal, connection_id=room)
            return refusal
        client.wanted[room] = self._timelines.last_seq(room)
        self._timelines.hold(room)
        self._occupancy.enter(room, client.identity.user_id)
        return None

    def needs_trim(self, user_id: str) -> bool:
        """Whether the user's queues may hold too much, or too old messages."""
        return self._members.needs_trim(user_id, self._age_ms())

    async def trim(self, client: Client) -> None:
        """Let fall out of the user's queues what is too much or too old, and return when it has."""
        user_id, now_ms = client.identity.user_id, self._age_ms()
        if not self._members.needs_trim(user_id, now_ms):
            return
        try:
            cuts = await self._readers.newest_owed(
                self._members.owed_to(user_id), QUEUE_MAX, now_ms - QUEUE_MAX_MS
            )
        except StoreReadFailed:
            return  # more is owed for a while than has to be
        places = {room: (cut.first_seq, cut.since_ms) for room, cut in cuts.items()}
        await self._commands.trim(client, places)

    async def _bring_in(
        self, client: Client, room: str, stand: Stand, ack_id: int | None
    ) -> Refusal | None:
        try:
            await self._catch_up.run(client, room, stand)
        except StoreReadFailed:
            self.give_up(client, [room])
            refusal = Refusal(Code.STORAGE_READ_ERROR)
            event = ClientEvent.CONNECTION_JOIN
            refused(client.socket, event, ack_id, refusal, connection_id=room)
            return refusal
        self._accept(client, ack_id, room)
        if stand.fallen is not None:
            await self._overflow_told(client, room, stand.fallen)
        return None

    def _accept(self, client: Client, ack_id: int | None, room: str) -> None:
        last_seq = self._timelines.last_seq(room)
        accepted(client.socket, ack_id, connectionId=room, lastSeq=last_seq, epoch=self._epoch)

    async def _overflow_told(self, client: Client, room: str, fallen: tuple[int, int]) -> None:
        """Once the peer has taken it all: who goes before that is told again when it comes back."""
        session = client.socket.session
        await session.transport.caught_up()
        if room in client.wanted and not session.is_over:
            self._commands.tell(OverflowTold(client.identity.user_id, room, fallen))

    def leave_event(self, client: Client, payload: object, ack_id: int | None) -> Work | None:
        leave = structure(payload, ConnectionLeave)
        if isinstance(leave, Refusal):
            refused(client.socket, ClientEvent.CONNECTION_LEAVE, ack_id, leave)
            return None
        self.give_up(client, [leave.connection_id])
        if leave.connection_id in client.grants:
            self._accept(client, ack_id, leave.connection_id)
        else:  # where a room stands is told to nobody who may not use it
            room = told_back(leave.connection_id)
            accepted(client.socket, ack_id, **({} if room is None else {"connectionId": room}))
        return None

    def give_up(self, client: Client, rooms: Iterable[str]) -> None:
        """The client is in these rooms no more, as far as it was; it may be gone."""
        user_id = client.identity.user_id
        left: list[tuple[str, int]] = []
        for room in [room for room in rooms if room in client.wanted]:
            seen_seq = client.wanted.pop(room)
            if seen_seq is None:
                seen_seq = self._timelines.last_seq(room)
            last_seen = self._occupancy.leave(room, user_id, seen_seq)
            if last_seen is not None:
                left.append((room, last_seen))
            for board in self._boards:
                board.depart(client, room)
            if client.declared is not None:
                client.declared.pop(room, None)
            self._adapter.leave(client.socket, room)
            self._timelines.release(room)
        if left:
            self._commands.tell(LeaveRooms(user_id, tuple(left)))

    def end_memberships(self, client: Client) -> None:
        """The directory has spoken: the user is a member of no other rooms (SPEC 5, "Queue")."""
        user_id, there = client.identity.user_id, self._occupancy.pairs()
        ended = tuple(
            room
            for room in self._members.rooms_of(user_id)
            if room not in client.grants and (room, user_id) not in there
        )
        if ended:
            self._commands.tell(RemoveMember(user_id, ended))

    def refuse(self, client: Client, event: ClientEvent, ack_id: int | None, room: str) -> None:
        """Say that a room may not be used."""
        refusal = Refusal(Code.FORBIDDEN_ROOM, path="connectionId")
        refused(client.socket, event, ack_id, refusal, connection_id=told_back(room))

    def history_event(self, client: Client, payload: object, ack_id: int | None) -> Work | None:
        wanted = structure(payload, HistoryGet)
        if not isinstance(wanted, Refusal):
            refusal = self._check_page(client, wanted)
            if refusal is None:
                page = partial(self._send_page, client, wanted, ack_id)
                event = ClientEvent.HISTORY_GET
                return self.once_in(client, wanted.connection_id, event, ack_id, page)
            wanted = refusal
        room = payload.get("connectionId") if isinstance(payload, dict) else None
        refused(
            client.socket,
            ClientEvent.HISTORY_GET,
            ack_id,
            wanted,
            connection_id=told_back(room),
        )
        return None

    def _check_page(self, client: Client, wanted: HistoryGet) -> Refusal | None:
        if wanted.before is not None and wanted.after is not None:
            return Refusal(
                Code.INVALID_PAYLOAD, "A page is before a seq or after one, not both.", path="after"
            )
        for name, value in (("before", wanted.before), ("after", wanted.after)):
            if value is not None and value < 0:
                return Refusal(Code.INVALID_PAYLOAD, path=name)
        if wanted.limit is not None and not 1 <= wanted.limit <= self._history_page:
            return Refusal(
                Code.INVALID_PAYLOAD,
                f"limit is 1 to {self._history_page}.",
                path="limit",
            )
        if wanted.thread_id is not None and isinstance(
            canonical_message_id(wanted.thread_id), Refusal
        ):
            return Refusal(Code.UNKNOWN_THREAD, path="threadId")
        if wanted.connection_id not in client.grants:
            return Refusal(Code.FORBIDDEN_ROOM, path="connectionId")
        return None

    async def _send_page(self, client: Client, wanted: HistoryGet, ack_id: int | None) -> None:
        room, socket = wanted.connection_id, client.socket
        thread_id = None if wanted.thread_id is None else wanted.thread_id.lower()
        await socket.session.transport.caught_up()
        try:
            page = await self._readers.page(
                room,
                before=wanted.before,
                after=wanted.after,
                limit=wanted.limit or min(PAGE_DEFAULT, self._history_page),
                thread_id=thread_id,
            )
            if thread_id is not None and not page.messages:
                await self._commands.barrier(client)  # its opener may be on its way into the log
                if not await self._readers.has_thread(room, thread_id):
                    unknown = Refusal(Code.UNKNOWN_THREAD, path="threadId")
                    refused(socket, ClientEvent.HISTORY_GET, ack_id, unknown, connection_id=room)
                    return
        except StoreReadFailed:
            refused(socket, ClientEvent.HISTORY_GET, ack_id, Refusal(Code.STORAGE_READ_ERROR))
            return
        markup = self._markup
        bodies = []
        for count, message in enumerate(page.messages, 1):
            bodies.append(message_json(message, markup, message.seq in page.delivered))
            if count % RENDERED_PER_TURN == 0:
                await trio.lowlevel.checkpoint()
        payload = history_json(
            room,
            bodies,
            has_more=page.has_more,
            first_seq=page.first_seq,
            last_seq=page.last_seq,
        )
        socket.session.transport.allow(len(payload))
        if ack_id is None:
            socket.emit_json(ServerEvent.CHAT_HISTORY, payload)
        else:
            socket.ack_json(ack_id, b'{"ok":true,' + payload[1:])


def _stands(joined: Joined, since: Since, epoch: str) -> Iterator[tuple[str, Stand]]:
    """Each room that was joined, and where the client stands in it."""
    is_other_log = since.epoch not in (None, epoch)
    for room, owed, fallen in zip(
        joined.command.connection_ids, joined.owed, joined.fallen, strict=True
    ):
        yield room, Stand(since.seqs.get(room), is_other_log, owed, fallen)

"""Rooms as clients see them: joining, leaving, paging through the history (SPEC 3 and 4)."""

from functools import partial
from typing import Protocol

import trio

from chatd.chat.content import canonical_message_id
from chatd.chat.markup import Markup
from chatd.chat.messages import JoinRooms
from chatd.chat.rendering import message_json
from chatd.observe import Emit, LimitHit
from chatd.server.clients import Client
from chatd.server.commands import Commands
from chatd.server.effects import Origin
from chatd.server.feeds import Feeds, history_json
from chatd.server.hub import Hub
from chatd.server.replies import accepted, refused, told_back
from chatd.server.session import Later
from chatd.store import Page, StoreReadFailed
from chatd.wire.codes import Code, Refusal
from chatd.wire.converter import structure
from chatd.wire.names import ClientEvent, ServerEvent
from chatd.wire.payloads import ConnectionJoin, ConnectionLeave, HistoryGet

CEILING_RETRY_MS = 5_000  # what is told where a ceiling on a count was reached
RENDERED_PER_TURN = 10  # messages of a page that are rendered before others get their turn
PAGE_DEFAULT = 50  # messages of a page that does not say how many (SPEC 3)


class PageReader(Protocol):
    """Reads of history go past the actors, to the store."""

    async def page(
        self,
        connection_id: str,
        *,
        before: int | None,
        after: int | None,
        limit: int,
        thread_id: str | None,
    ) -> Page:
        """A page of a room's history."""
        ...


class RoomEvents:
    """Who is in which room. `history_page`: the most messages of one page."""

    def __init__(
        self,
        commands: Commands,
        feeds: Feeds,
        hub: Hub,
        readers: PageReader,
        emit: Emit,
        *,
        markup: Markup,
        history_page: int,
        rooms_per_socket: float,
    ) -> None:
        self._commands = commands
        self._feeds = feeds
        self._hub = hub
        self._readers = readers
        self._emit = emit
        self._markup = markup
        self._history_page = history_page
        self._rooms_per_socket = rooms_per_socket

    def join_event(self, client: Client, payload: object, ack_id: int | None) -> Later | None:
        join = structure(payload, ConnectionJoin)
        if isinstance(join, Refusal):
            refused(client.socket, ClientEvent.CONNECTION_JOIN, ack_id, join)
            return None
        if join.connection_id not in client.grants:
            self.refuse(client, ClientEvent.CONNECTION_JOIN, ack_id, join.connection_id)
            return None
        return partial(self.join_in_turn, client, join.connection_id, ack_id)

    async def join_in_turn(self, client: Client, room: str, ack_id: int | None) -> None:
        """Join once the client has taken all that it was sent, and return when it is in.

        Its next event waits meanwhile, so that histories do not pile up for a peer that asks for
        many of them and reads none.
        """
        session = client.socket.session
        await session.transport.caught_up()
        settled = trio.Event()
        later = self.join(client, room, ack_id, settled=settled)
        if later is not None:
            await later()
        if room in client.wanted:
            await settled.wait()
        session.flush()

    def join(
        self,
        client: Client,
        room: str,
        ack_id: int | None,
        *,
        settled: trio.Event | None = None,
    ) -> Later | None:
        """Let a client into a permitted room; catch-up and ack follow from the actor."""
        if client.socket.session.is_over:
            return None  # it went while this waited for its turn; nobody would take it out again
        if room not in client.wanted:
            if len(client.wanted) >= self._rooms_per_socket:
                self._emit.emit(LimitHit("rooms_per_socket", client.identity.user_id, None))
                refusal = Refusal(
                    Code.RATE_LIMITED,
                    "You are in too many rooms; leave one first.",
                    retry_after_ms=CEILING_RETRY_MS,
                )
                refused(
                    client.socket,
                    ClientEvent.CONNECTION_JOIN,
                    ack_id,
                    refusal,
                    connection_id=room,
                )
                return None
            client.wanted[room] = None
            self._feeds.hold(room)
        command = JoinRooms(
            Origin(client, ack_id, settled=settled), client.identity.user_id, (room,)
        )
        if self._feeds.is_loaded(room):
            return self._commands.submit(command)
        return partial(self._load_and_join, client, room, command)

    async def _load_and_join(self, client: Client, room: str, command: JoinRooms) -> None:
        try:
            await self._feeds.load(room)
        except StoreReadFailed:
            self.give_up(client, room)
            refused(
                client.socket,
                ClientEvent.CONNECTION_JOIN,
                command.origin.ack_id,
                Refusal(Code.STORAGE_ERROR),
                connection_id=room,
            )
            return
        later = self._commands.submit(command)
        if later is not None:
            await later()

    def leave_event(self, client: Client, payload: object, ack_id: int | None) -> Later | None:
        leave = structure(payload, ConnectionLeave)
        if isinstance(leave, Refusal):
            refused(client.socket, ClientEvent.CONNECTION_LEAVE, ack_id, leave)
            return None
        self.give_up(client, leave.connection_id)
        accepted(client.socket, ack_id, connectionId=leave.connection_id)
        return None

    def give_up(self, client: Client, room: str) -> None:
        if room in client.wanted:
            del client.wanted[room]
            self._feeds.release(room)
            self._hub.leave(client.socket, room)

    def refuse(self, client: Client, event: ClientEvent, ack_id: int | None, room: str) -> None:
        refusal = Refusal(Code.FORBIDDEN_ROOM, path="connectionId")
        refused(client.socket, event, ack_id, refusal, connection_id=told_back(room, 128))

    def history_event(self, client: Client, payload: object, ack_id: int | None) -> Later | None:
        wanted = structure(payload, HistoryGet)
        if not isinstance(wanted, Refusal):
            refusal = self._check_page(client, wanted)
            if refusal is None:
                return partial(self._send_page, client, wanted, ack_id)
            wanted = refusal
        room = payload.get("connectionId") if isinstance(payload, dict) else None
        refused(
            client.socket,
            ClientEvent.HISTORY_GET,
            ack_id,
            wanted,
            connection_id=told_back(room, 128),
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
        if room not in client.wanted:
            await self.join_in_turn(client, room, None)
        await socket.session.transport.caught_up()
        try:
            page = await self._readers.page(
                room,
                before=wanted.before,
                after=wanted.after,
                limit=wanted.limit or min(PAGE_DEFAULT, self._history_page),
                thread_id=None if wanted.thread_id is None else wanted.thread_id.lower(),
            )
        except StoreReadFailed:
            refused(socket, ClientEvent.HISTORY_GET, ack_id, Refusal(Code.STORAGE_ERROR))
            return
        markup = self._markup
        bodies = []
        for count, message in enumerate(page.messages, 1):
            bodies.append(message_json(message, markup))
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

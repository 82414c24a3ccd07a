"""How a socket that enters a room is brought up to the live stream (SPEC 4, "Catch-up").

In this order: who is there, history, what is owed beyond it, what came meanwhile, and from then on
the live stream: nothing is missing and nothing comes twice between them. Everything is pulled at
the speed at which the peer takes it, by the task that owns its input; none of it counts as backlog.
What came between the join and the history, and is too old for it by then, is sent as what is owed.

A cursor goes through the room. While it stands behind what is in memory (`Timelines`), pages are
read from the log; once it does not, the rest is sent and the socket joins the live stream in one
step. What the log has and was not published yet is left to the live stream.
"""

from collections.abc import Sequence
from typing import Protocol

import attrs
import orjson
import trio

from chatd.chat.markup import Markup
from chatd.chat.queue import Gap
from chatd.chat.records import Message
from chatd.chat.rendering import message_json
from chatd.engine.outgoing import Outgoing
from chatd.service.clients import Client
from chatd.service.effects import message_packet
from chatd.service.timeline import History, Timelines, history_json
from chatd.socketio import event_text
from chatd.sockets.adapter import Adapter
from chatd.store import Page
from chatd.wire.names import ServerEvent

PAGE_BYTES = 1_048_576  # of rendered messages in one page; more come in the next one
REPLAY_MESSAGES = 50  # owed messages that are read and sent at once
RENDERED_PER_TURN = 10  # messages that are rendered before others get their turn


class LogReader(History, Protocol):
    """The log, as far as it is read for who comes back."""

    async def owed(
        self, connection_id: str, gaps: Sequence[Gap], after_seq: int, limit: int
    ) -> tuple[tuple[Message, bool], ...]:
        """The next messages of the gaps, above a seq, and whether they were delivered."""
        ...


class Board(Protocol):
    """What is shown to who enters a room, beside its messages."""

    def show(self, client: Client, connection_id: str) -> None:
        """Send what is known, and from then on what changes."""
        ...


@attrs.frozen
class Stand:
    """Where a client stands in a room that it enters.

    `since` is the last seq that it has, None where it says nothing; `is_other_log` says that its
    seq is of another log. `owed` is what its queue holds, `fallen` the seqs that fell out of it.
    """

    since: int | None = None
    is_other_log: bool = False
    owed: tuple[Gap, ...] = ()
    fallen: tuple[int, int] | None = None


class CatchUp:
    """Brings sockets up to the live stream. `history_page`: the most messages of one page."""

    def __init__(
        self,
        timelines: Timelines,
        adapter: Adapter,
        log: LogReader,
        presence: Board,
        typing: Board,
        answers: Board,
        markup: Markup,
        *,
        history_page: int,
    ) -> None:
        self._timelines = timelines
        self._adapter = adapter
        self._log = log
        self._presence = presence
        self._typing = typing
        self._answers = answers
        self._markup = markup
        self._history_page = history_page

    async def run(self, client: Client, room: str, stand: Stand) -> None:
        """Bring the client, which holds the room's feed, into the room.

        Raises StoreReadFailed. Returns early where the client left or is gone.
        """
        timelines, session = self._timelines, client.socket.session
        await timelines.load(room)
        await session.drained()
        if not _wants(client, room):
            return
        self._go_back(client, room)
        self._presence.show(client, room)
        since, owed = stand.since, stand.owed
        if since is not None and not stand.is_other_log and since <= timelines.last_seq(room):
            carried_from, cursor = since + 1, await self._pages(client, room, since)
        else:
            seen_seq = client.wanted[room]
            assert seen_seq is not None  # it is not in the live stream
            carried_from, cursor = self._last_ones(client, room, is_reset=since is not None)
            if seen_seq + 1 < carried_from:  # it came since the join, and is not owed
                owed = (*owed, Gap(seen_seq + 1, carried_from - 1, 0))
        if stand.fallen is not None:
            first, last = stand.fallen
            client.socket.emit(
                ServerEvent.QUEUE_OVERFLOW,
                {"connectionId": room, "fromSeq": first, "toSeq": last},
            )
        await self._replay(client, room, owed, below=carried_from)
        await self._follow(client, room, cursor)

    def _go_back(self, client: Client, room: str) -> None:
        """A socket that is in the room already gets it once more, and nothing live meanwhile."""
        if client.wanted[room] is None:
            client.wanted[room] = self._timelines.last_seq(room)
            self._adapter.leave(client.socket, room)

    def _last_ones(self, client: Client, room: str, *, is_reset: bool) -> tuple[int, int]:
        """The recent messages; returns the first seq that they carry, and the last."""
        timelines = self._timelines
        history = timelines.reset_history(room) if is_reset else timelines.history(room)
        client.socket.session.send_catch_up(history)
        return timelines.recent_from(room), timelines.last_seq(room)

    async def _pages(self, client: Client, room: str, cursor: int) -> int:
        """Everything after `cursor`, in pages; returns the last seq that they carry."""
        timelines = self._timelines
        while _wants(client, room):
            if cursor + 1 >= timelines.recent_from(room):
                bodies = timelines.recent_after(room, cursor)[: self._history_page]
                cursor += len(bodies)
            else:
                page = await self._log.page(
                    room, before=None, after=cursor, limit=self._history_page, thread_id=None
                )
                if not page.messages:  # retention was faster: what there is, is newer
                    cursor = timelines.recent_from(room) - 1
                    continue
                bodies, cursor = await self._render(page, cursor, timelines.last_seq(room))
            is_last = cursor >= timelines.last_seq(room)
            self._send_page(client, room, bodies, has_more=not is_last)
            if is_last:
                break
            client.socket.session.flush()
            await client.socket.session.drained()
        return cursor

    async def _render(self, page: Page, cursor: int, last_seq: int) -> tuple[list[bytes], int]:
        """The messages of a page that were published, as far as they fit; and the last seq, which
        is `cursor` where there are none."""
        bodies: list[bytes] = []
        size = 0
        for message in page.messages:
            if message.seq > last_seq or (bodies and size > PAGE_BYTES):
                break
            is_delivered = message.seq in page.delivered
            bodies.append(message_json(message, self._markup, is_delivered))
            size += len(bodies[-1])
            cursor = message.seq
            if len(bodies) % RENDERED_PER_TURN == 0:
                await trio.lowlevel.checkpoint()
        return bodies, cursor

    def _send_page(self, client: Client, room: str, bodies: list[bytes], *, has_more: bool) -> None:
        payload = history_json(
            room,
            bodies,
            has_more=has_more,
            first_seq=self._timelines.first_seq(room),
            last_seq=self._timelines.last_seq(room),
        )
        history = Outgoing(b"4" + event_text(ServerEvent.CHAT_HISTORY, payload))
        client.socket.session.send_catch_up(history)

    async def _replay(self, client: Client, room: str, owed: Sequence[Gap], *, below: int) -> None:
        """What the queue owes and the history did not carry, as messages that are marked so."""
        gaps = [
            attrs.evolve(gap, last=min(gap.last, below - 1)) for gap in owed if gap.first < below
        ]
        cursor = 0
        while gaps and _wants(client, room):
            messages = await self._log.owed(room, gaps, cursor, REPLAY_MESSAGES)
            if not messages:
                break
            for count, (message, is_delivered) in enumerate(messages, 1):
                body = message_json(message, self._markup, is_delivered)
                marked = orjson.dumps({**orjson.loads(body), "replay": True})
                client.socket.session.send_catch_up(message_packet(marked))
                if count % RENDERED_PER_TURN == 0:
                    await trio.lowlevel.checkpoint()
            cursor = messages[-1][0].seq
            client.socket.session.flush()
            await client.socket.session.drained()

    async def _follow(self, client: Client, room: str, cursor: int) -> None:
        """What came while the client caught up; then it is in the live stream."""
        timelines = self._timelines
        while _wants(client, room):
            bodies: Sequence[bytes]
            if cursor + 1 >= timelines.recent_from(room):
                for body in timelines.recent_after(room, cursor):
                    client.socket.session.send_catch_up(message_packet(body))
                self._adapter.join(client.socket, room)
                client.wanted[room] = None
                self._typing.show(client, room)
                self._answers.show(client, room)
                return
            page = await self._log.page(
                room, before=None, after=cursor, limit=REPLAY_MESSAGES, thread_id=None
            )
            bodies, last = await self._render(page, cursor, timelines.last_seq(room))
            for body in bodies:
                client.socket.session.send_catch_up(message_packet(body))
            cursor = last if bodies else timelines.recent_from(room) - 1
            client.socket.session.flush()
            await client.socket.session.drained()


def _wants(client: Client, room: str) -> bool:
    """Whether the client is still to be in the room."""
    return room in client.wanted and not client.socket.session.is_over

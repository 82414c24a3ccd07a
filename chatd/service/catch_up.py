"""How a socket that enters a room is brought up to the live stream (docs/protocol, "History").

The client gets, in this order: the users of the room, history, messages that it is owed beyond the
history, messages published meanwhile, and from then on the live stream. Nothing is missing between
them, and nothing comes twice. The task that owns the client's input sends all of it at the speed at
which the peer receives; none of it counts as backlog. What was published between the join and the
history, and is too old for the history by then, is sent as owed messages.

Changes that are made meanwhile to messages before that reach the client in the step in which it
joins the live stream, as the room got them. Everything that it was sent is at least as new as the
rev of the history, which is the newest at the beginning.

A cursor goes through the room. While it is behind the messages in memory (`Timelines`), pages are
read from the log; once it is not, the rest is sent and the socket joins the live stream in one
step. What is in the log but not published yet is left to the live stream.
"""

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Protocol

import attrs
import orjson

from chatd.chat.queue import Gap
from chatd.chat.records import Message
from chatd.chat.rendering import Renderer
from chatd.service.answer_roster import AnswerRoster
from chatd.service.client import Client
from chatd.service.rendering import render_in_turns, telling_replies
from chatd.service.timeline import Timelines
from chatd.sockets.adapter import Adapter
from chatd.sockets.emitter import rendered_packet
from chatd.store import MessageReader, Page
from chatd.wire.encoder import replayed
from chatd.wire.events import QueueOverflow, RoomHistory
from chatd.wire.names import ServerEvent

PAGE_BYTES = 1_048_576  # of rendered messages in one page; more come in the next one
REPLAY_MESSAGES = 50  # owed messages that are read and sent at once


@attrs.frozen
class Stand:
    """Where a client stands in a room that it enters.

    `since` is the last seq that it has, None if it names none; `is_other_log` says that its seq is
    of another log. `owed` is what its queue holds, `fallen` the seqs that fell out of the queue.
    `answer_rows` is how many rows it wants of each answer, None for all.
    """

    since: int | None = None
    is_other_log: bool = False
    owed: tuple[Gap, ...] = ()
    fallen: tuple[int, int] | None = None
    answer_rows: int | None = None


class Roster(Protocol):
    """Who is in a room, or does something there."""

    def enter(self, client: Client, connection_id: str) -> None:
        """A client enters a room; it may be told of the others, and the others of it."""
        ...


@attrs.define(eq=False)
class CatchUp:
    """Brings sockets up to the live stream. A page has `history_page` messages at most; once they
    are larger than `page_bytes`, rendered, no more are put on it."""

    _timelines: Timelines
    _adapter: Adapter
    _log: MessageReader
    _presence: Roster
    _typing: Roster
    _answers: AnswerRoster
    _render_message: Renderer
    _history_page: int = attrs.field(kw_only=True)
    _page_bytes: int = attrs.field(default=PAGE_BYTES, kw_only=True)

    async def run(self, client: Client, room: str, stand: Stand) -> None:
        """Bring the client, which holds the room's timeline, into the room.

        Raises StoreReadFailed. Returns early if the client left or is gone.
        """
        timelines = self._timelines
        if not _is_in(client, room):
            return
        await timelines.load(room, _furthest(client, room, stand))
        await client.drained()
        if not _is_in(client, room):
            return
        self._go_back(client, room)
        self._presence.enter(client, room)
        as_of_rev = timelines.last_rev(room)
        since, owed, answer_rows = stand.since, stand.owed, stand.answer_rows
        if since is not None and not stand.is_other_log and since <= timelines.last_seq(room):
            cursor = await self._pages(client, room, since, as_of_rev, answer_rows)
            carried_from = since + 1
        else:
            joined_seq = client.catching_up_from(room)
            assert joined_seq is not None  # it is not in the live stream
            is_reset = since is not None or stand.is_other_log
            carried_from, cursor = self._last_ones(client, room, answer_rows, is_reset=is_reset)
            if joined_seq + 1 < carried_from:  # it came since the join, and is not owed
                owed = (*owed, Gap(joined_seq + 1, carried_from - 1, 0))
        if stand.fallen is not None:
            client.socket.send(QueueOverflow(room, *stand.fallen))
        await self._replay(client, room, owed, answer_rows, below=carried_from)
        await self._follow(client, room, cursor, as_of_rev, answer_rows)

    def _go_back(self, client: Client, room: str) -> None:
        """A socket that is in the room already gets the history again, nothing live meanwhile."""
        if client.catching_up_from(room) is None:
            client.begin_catching_up(room, self._timelines.last_seq(room))
            self._adapter.leave(client.socket, room)

    def _last_ones(
        self, client: Client, room: str, answer_rows: int | None, *, is_reset: bool
    ) -> tuple[int, int]:
        """Send the recent messages; returns the first seq that they carry, and the last."""
        timelines = self._timelines
        encoded = timelines.reset_history if is_reset else timelines.history
        client.send_catch_up(encoded(room, answer_rows))
        return timelines.recent_from(room), timelines.last_seq(room)

    async def _pages(
        self, client: Client, room: str, cursor: int, as_of_rev: int, answer_rows: int | None
    ) -> int:
        """Send all after `cursor`, in pages; returns the last seq that they carry."""
        timelines = self._timelines
        while _is_in(client, room):
            if cursor + 1 >= timelines.recent_from(room):
                bodies = timelines.page_after(room, cursor, answer_rows)[: self._history_page]
                cursor += len(bodies)
            else:
                page = await self._log.page(
                    room,
                    before=None,
                    after=cursor,
                    limit=self._history_page,
                    thread_id=None,
                    answer_rows=answer_rows,
                )
                if not page.messages:  # retention was faster: what is left is newer
                    cursor = timelines.recent_from(room) - 1
                    continue
                bodies, cursor = await self._render(page, cursor, timelines.last_seq(room))
                if not bodies:  # the first are removed by now, and the rest not published yet
                    cursor = timelines.recent_from(room) - 1
                    continue
                if not _is_in(client, room):  # it had to leave while the page was read
                    break
            is_last = cursor >= timelines.last_seq(room)
            self._send_page(client, room, bodies, as_of_rev, has_more=not is_last)
            if is_last:
                break
            await _flushed(client)
        return cursor

    async def _render(self, page: Page, cursor: int, last_seq: int) -> tuple[list[bytes], int]:
        """The messages of a page that were published, as far as they fit; and the last seq, which
        is `cursor` if there are no such messages."""
        size = 0

        def render(message: Message) -> bytes:
            nonlocal size
            body = self._render_message(message, message.seq in page.delivered)
            body = telling_replies(body, page.replies.get(message.seq))
            size += len(body)
            return body

        bodies = await render_in_turns(
            takewhile(lambda one: one.seq <= last_seq and size <= self._page_bytes, page.messages),
            render,
        )
        return bodies, page.messages[len(bodies) - 1].seq if bodies else cursor

    def _send_page(
        self, client: Client, room: str, bodies: list[bytes], as_of_rev: int, *, has_more: bool
    ) -> None:
        client.send_page(
            RoomHistory(
                room,
                [orjson.Fragment(body) for body in bodies],
                has_more,
                self._timelines.first_seq(room),
                self._timelines.last_seq(room),
                as_of_rev,
            ),
            bodies,
        )

    async def _replay(
        self,
        client: Client,
        room: str,
        owed: Sequence[Gap],
        answer_rows: int | None,
        *,
        below: int,
    ) -> None:
        """Send what the queue owes and the history did not carry, marked as such."""
        gaps = [
            attrs.evolve(gap, last=min(gap.last, below - 1)) for gap in owed if gap.first < below
        ]

        def replay(owed: tuple[Message, bool]) -> None:
            message, is_delivered = owed
            if _is_in(client, room):
                body = self._render_message(message, is_delivered)
                _send(client, (replayed(body),))

        cursor = 0
        while gaps and _is_in(client, room):
            messages = await self._log.owed(room, gaps, cursor, REPLAY_MESSAGES, answer_rows)
            if not messages:
                break
            await render_in_turns(messages, replay)
            cursor = messages[-1][0].seq
            await _flushed(client)

    async def _follow(
        self, client: Client, room: str, cursor: int, as_of_rev: int, answer_rows: int | None
    ) -> None:
        """Send what was published while the client caught up, and put it into the live stream."""
        timelines = self._timelines
        while _is_in(client, room):
            changes = timelines.changes_after(room, as_of_rev)
            if changes is None:
                as_of_rev = await self._send_changes(client, room, cursor, as_of_rev)
                continue
            if cursor + 1 >= timelines.recent_from(room):
                for seq, packet in changes:
                    if seq <= cursor:
                        client.send_catch_up(packet)
                _send(client, timelines.recent_after(room, cursor, answer_rows))
                self._adapter.join(client.socket, room)
                client.end_catching_up(room)
                self._typing.enter(client, room)
                self._answers.enter(client, room)
                return
            page = await self._log.page(
                room,
                before=None,
                after=cursor,
                limit=REPLAY_MESSAGES,
                thread_id=None,
                answer_rows=answer_rows,
            )
            bodies, last = await self._render(page, cursor, timelines.last_seq(room))
            if not _is_in(client, room):
                return
            _send(client, bodies)
            cursor = last if bodies else timelines.recent_from(room) - 1
            await _flushed(client)

    async def _send_changes(self, client: Client, room: str, cursor: int, as_of_rev: int) -> int:
        """Send changes that are no longer in memory, as far as they are of messages up to `cursor`;
        returns the rev of the last of them."""
        up_to = min(as_of_rev + REPLAY_MESSAGES, self._timelines.last_rev(room))
        for change in await self._log.changes(room, as_of_rev, up_to):
            if change.message.seq <= cursor and _is_in(client, room):
                client.send_catch_up(self._timelines.render_change(change))
        await _flushed(client)
        return up_to


def _furthest(client: Client, room: str, stand: Stand) -> int:
    """Up to where the client knows the room: by what it has, of this log, and by its join."""
    since = 0 if stand.since is None or stand.is_other_log else stand.since
    return max(since, client.catching_up_from(room) or 0)


def _send(client: Client, bodies: Iterable[bytes]) -> None:
    """Send messages that are rendered."""
    for body in bodies:
        client.send_catch_up(rendered_packet(ServerEvent.CHAT_MESSAGE, body))


async def _flushed(client: Client) -> None:
    """Write what the client is owed, and return when its peer has received it, or is gone."""
    client.flush()
    await client.drained()


def _is_in(client: Client, room: str) -> bool:
    """Whether the client is in the room still."""
    return room in client.rooms and not client.is_gone

"""The head of each room: its newest published seq, and its recent messages as they go out.

Joining a room is one step, whatever its history: its recent messages are here, rendered, and the
`chat:history` for clients that join is encoded once for all who join between two messages. The
timeline of a room that no client was in since the start is loaded from the log first; what is
published meanwhile is merged by seq, so that nothing is missing and nothing is there twice.

Where several nodes commit, a room is published here while somebody of this node holds it (`Feed`):
its timeline begins where the log stands then, and is gone with the last holder. Of other rooms the
node only knows how far they were when it last heard of them.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from types import MappingProxyType

import attrs
import orjson
import trio

from chatd.chat.answer_rows import message_with_rows
from chatd.chat.ids import written_id
from chatd.chat.order import Place
from chatd.chat.records import Change, Message
from chatd.chat.rendering import Renderer
from chatd.engine.outgoing import Outgoing
from chatd.service.feed import Feed
from chatd.service.rendering import telling_replies
from chatd.sockets.emitter import event_packet
from chatd.store import MessageReader, Page, Replies
from chatd.wire.events import RoomHistory

IDLE_BYTES_MAX = 64 * 1024 * 1024  # rendered messages kept of rooms that no client is in
RECENT_BYTES = 2 * 1024 * 1024  # of a room, rendered; its newest message stays at any size
HISTORIES_MAX = 4  # of a room, encoded: one for each `answerRows` that clients ask for
CHANGES_KEPT = 100  # changes kept of a room for those who catch up with it; older ones are read
CHANGES_BYTES = 256 * 1024  # of those, as they went out; beyond: the oldest of them are read, too
TIMELINE_BYTES = 1024  # what a timeline costs beside its messages, roughly


@attrs.define(eq=False)
class Timeline:
    """One room. `recent` holds messages with their rendered form, oldest first; `history` is what
    clients that join get, by the rows that they want of answers, None once it has changed."""

    connection_id: str
    is_loaded: bool
    first_seq: int = 0
    recent: deque[tuple[Message, bytes]] = attrs.field(factory=deque)
    by_id: dict[str, Message] = attrs.field(factory=dict)
    holders: int = 0
    size: int = TIMELINE_BYTES
    loading: trio.Event | None = None
    history: dict[int | None, Outgoing] | None = None
    delivered: set[int] = attrs.field(factory=set)  # the recent ones that are delivered, and older
    confirmed: set[int] = attrs.field(factory=set)  # while it is loaded: delivered meanwhile
    changed: dict[int, Message] = attrs.field(factory=dict)  # while it is loaded: changed meanwhile
    # The last changes as they went out, with rev and seq, while somebody holds it.
    changes: deque[tuple[int, int, Outgoing]] = attrs.field(factory=deque)
    changes_size: int = 0
    kept_from: int = 0  # retention removed what is below, and a read may still give it
    is_fed: bool = False  # this timeline has its own hold on the feed; `release` gives it back


class Timelines:
    """The timelines of all rooms.

    `recent_max`: messages that a client gets when it joins; `recent_bytes_max`: their size
    together, rendered. Beyond either the oldest go, but the newest stays at any size.
    """

    def __init__(
        self,
        last_seqs: Mapping[str, int],
        log: MessageReader,
        render: Renderer,
        *,
        recent_max: int,
        recent_bytes_max: int = RECENT_BYTES,
        idle_bytes_max: int = IDLE_BYTES_MAX,
        last_revs: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._last_seqs = dict(last_seqs)
        self._last_revs = dict(last_revs)
        self._log = log
        self._render = render
        self._recent_max = recent_max
        self._recent_bytes_max = recent_bytes_max
        self._idle_bytes_max = idle_bytes_max
        self._timelines: dict[str, Timeline] = {}
        self._idle: dict[str, Timeline] = {}  # those without holders, the longest idle first
        self._idle_bytes = 0
        self._feed: Feed | None = None
        self._heads: dict[str, Place] = {}  # as they were noted, whatever is published

    def feed_from(self, feed: Feed) -> None:
        """Rooms are published by this one, while they are held."""
        self._feed = feed

    def last_seq(self, connection_id: str) -> int:
        """The newest seq that was published in a room; 0 if nothing was. With a feed it may be
        behind if the room is not held, or not loaded yet."""
        return self._last_seqs.get(connection_id, 0)

    def last_rev(self, connection_id: str) -> int:
        """The newest rev that was published in a room; 0 if nothing was. As `last_seq`."""
        return self._last_revs.get(connection_id, 0)

    def published(self, connection_id: str) -> Place:
        """How far a room was published."""
        return Place(self.last_seq(connection_id), self.last_rev(connection_id))

    def note_heads(self, heads: Mapping[str, Place]) -> None:
        """Note how far rooms are by now, as the log says; they are not published so far yet."""
        self._heads.update(heads)

    def head(self, connection_id: str) -> Place:
        """How far a room is, as far as is known: as it was published, or `note_heads` said."""
        place, noted = self.published(connection_id), self._heads.get(connection_id)
        if noted is None:
            return place
        return Place(max(place.seq, noted.seq), max(place.rev, noted.rev))

    def begin(self, connection_id: str, place: Place) -> None:
        """The feed publishes a room from `place` on: what comes before is read from the log."""
        self._last_seqs[connection_id] = place.seq
        self._last_revs[connection_id] = place.rev
        timeline = self._timelines.get(connection_id)
        if timeline is not None:
            timeline.is_loaded = place.seq == 0

    def hold(self, connection_id: str) -> None:
        """Keep the room's timeline in memory until `release`; holds are counted.

        Where it is not loaded, `load` comes next.
        """
        timeline = self._timelines.get(connection_id)
        if timeline is None:
            timeline = Timeline(connection_id, is_loaded=self.last_seq(connection_id) == 0)
            self._timelines[connection_id] = timeline
        elif self._idle.pop(connection_id, None) is not None:
            self._idle_bytes -= timeline.size
        timeline.holders += 1

    def release(self, connection_id: str) -> None:
        """One holder is gone. Timelines without holders stay as far as there is room."""
        timeline = self._timelines[connection_id]
        timeline.holders -= 1
        if timeline.holders == 0 and self._feed is not None:
            del self._timelines[connection_id]  # nothing of the room is heard any more
            if timeline.is_fed:
                self._feed.release(connection_id)
        elif timeline.holders == 0:
            timeline.changes.clear()
            timeline.changes_size = 0
            timeline.history = None  # which is larger than what is counted
            self._idle[connection_id] = timeline
            self._idle_bytes += timeline.size
            while self._idle_bytes > self._idle_bytes_max:
                oldest = self._idle.pop(next(iter(self._idle)))
                self._idle_bytes -= oldest.size
                del self._timelines[oldest.connection_id]

    async def load(self, connection_id: str, up_to: int = 0) -> None:
        """Read the recent messages of a room that is held; it is then published up to `up_to`, if
        the log has so much. Raises StoreReadFailed."""
        timeline = self._timelines[connection_id]
        if self._feed is not None:
            await self._follow(self._feed, timeline, up_to)
        while not timeline.is_loaded:
            if timeline.loading is not None:
                await timeline.loading.wait()
                continue
            timeline.loading = trio.Event()
            try:
                # Up to what was published: a batch that was only committed would fill the page.
                page = await self._log.page(
                    connection_id,
                    before=self.last_seq(connection_id) + 1,
                    after=None,
                    limit=self._recent_max,
                    thread_id=None,
                )
                self._merge(timeline, page)
            finally:
                timeline.loading.set()
                timeline.loading = None

    async def _follow(self, feed: Feed, timeline: Timeline, up_to: int) -> None:
        room = timeline.connection_id
        if not timeline.is_fed:
            await feed.hold(room)
            self._take_hold(feed, timeline)
        if self.last_seq(room) < up_to:
            await feed.reach(room, up_to)

    @staticmethod
    def _take_hold(feed: Feed, timeline: Timeline) -> None:
        """The feed was held for a timeline: for good, or another task was faster, or nobody is left
        there."""
        if timeline.is_fed or timeline.holders == 0:
            feed.release(timeline.connection_id)
        else:
            timeline.is_fed = True

    def history(self, connection_id: str, answer_rows: int | None = None) -> Outgoing:
        """The recent messages of a room that is held, as `chat:history`, encoded once; their
        answers with so many rows, None for all."""
        timeline = self._timelines[connection_id]
        if timeline.history is None:
            timeline.history = {}
        encoded = timeline.history.get(answer_rows)
        if encoded is None:
            if len(timeline.history) == HISTORIES_MAX:
                del timeline.history[next(iter(timeline.history))]
            encoded = timeline.history[answer_rows] = self._history_of(timeline, answer_rows)
        return encoded

    def reset_history(self, connection_id: str, answer_rows: int | None = None) -> Outgoing:
        """The same for a client that starts over, since what it has is of no use."""
        return self._history_of(self._timelines[connection_id], answer_rows, is_reset=True)

    def _history_of(
        self, timeline: Timeline, answer_rows: int | None, *, is_reset: bool = False
    ) -> Outgoing:
        recent, room = timeline.recent, timeline.connection_id
        return event_packet(
            RoomHistory(
                room,
                [orjson.Fragment(body) for body in _on_page(timeline, 0, answer_rows)],
                bool(recent) and recent[0][0].seq > timeline.first_seq,
                timeline.first_seq,
                self.last_seq(room),
                self.last_rev(room),
                True if is_reset else None,
            )
        )

    def first_seq(self, connection_id: str) -> int:
        """The oldest seq that a room which is held still has; 0 where it has none."""
        return self._timelines[connection_id].first_seq

    def recent_from(self, connection_id: str) -> int:
        """The seq from which on all messages of a held room are here."""
        recent = self._timelines[connection_id].recent
        return recent[0][0].seq if recent else self.last_seq(connection_id) + 1

    def recent_after(
        self, connection_id: str, seq: int, answer_rows: int | None = None
    ) -> list[bytes]:
        """The rendered messages above `seq`, which is not below those that are here; their answers
        with so many rows."""
        timeline = self._timelines[connection_id]
        skipped = max(0, seq + 1 - self.recent_from(connection_id))
        return [
            message_with_rows(body, message.answer, answer_rows)
            for message, body in islice(timeline.recent, skipped, None)
        ]

    def page_after(
        self, connection_id: str, seq: int, answer_rows: int | None = None
    ) -> list[bytes]:
        """The same as a page has them: those that opened threads tell what was replied."""
        skipped = max(0, seq + 1 - self.recent_from(connection_id))
        return _on_page(self._timelines[connection_id], skipped, answer_rows)

    def render(self, message: Message) -> bytes:
        """The message as readers get it."""
        return self._render(message)

    def publish(self, message: Message, body: bytes) -> None:
        """The message, rendered as `body`, is the newest of its room now. What was not published
        before it is gone from the log."""
        self.skip_to(message.connection_id, Place(message.seq - 1))
        self._last_seqs[message.connection_id] = message.seq
        timeline = self._timelines.get(message.connection_id)
        if timeline is not None:
            timeline.first_seq = timeline.first_seq or message.seq
            self._append(timeline, message, body)

    def skip_to(self, connection_id: str, place: Place) -> None:
        """The room has come to `place`. What was not published up to there is gone from the log,
        and so is all that is older."""
        if place.seq > self.last_seq(connection_id):
            self._last_seqs[connection_id] = place.seq
            self.forget(connection_id, place.seq + 1)
        if place.rev > self.last_rev(connection_id):
            self._last_revs[connection_id] = place.rev

    def confirm(self, connection_id: str, seq: int) -> None:
        """The message was acknowledged: clients that join from now on get it as delivered."""
        timeline = self._timelines.get(connection_id)
        if timeline is None:
            return
        if not timeline.is_loaded:
            timeline.confirmed.add(seq)
        at = seq - self.recent_from(connection_id)
        if 0 <= at < len(timeline.recent):
            self._note_delivered(timeline, seq)
            self._put(timeline, at, timeline.recent[at][0])
            timeline.history = None

    def render_change(self, change: Change) -> Outgoing:
        """The change as readers get it."""
        return event_packet(self._render.change(change))

    def changes_after(self, connection_id: str, rev: int) -> list[tuple[int, Outgoing]] | None:
        """The changes that were published after `rev` in a held room, each with the seq of its
        message; None if not all of them are here."""
        missed = self.last_rev(connection_id) - rev
        kept = self._timelines[connection_id].changes
        if missed > len(kept):
            return None
        return [(seq, packet) for of, seq, packet in kept if of > rev]

    def change(self, change: Change, packet: Outgoing) -> None:
        """A message was changed, as `packet` says: clients that join from now on get it as it is
        now."""
        message = change.message
        room, seq = message.connection_id, message.seq
        self._last_revs[room] = change.rev
        timeline = self._timelines.get(room)
        if timeline is None:
            return
        if timeline.holders > 0:
            _keep_change(timeline, change.rev, seq, packet)
        if not timeline.is_loaded:
            timeline.changed[seq] = message
        at = seq - self.recent_from(room)
        if 0 <= at < len(timeline.recent):
            message = _newer(timeline.recent[at][0], message)  # what was read may be newer
            timeline.by_id[message.message_id] = message
            self._put(timeline, at, message)
            self._drop_surplus(timeline)
        timeline.history = None

    def forget(self, connection_id: str, first_seq: int) -> None:
        """Retention removed what is below `first_seq`."""
        timeline = self._timelines.get(connection_id)
        if timeline is None:
            return
        timeline.kept_from = max(timeline.kept_from, first_seq)
        while timeline.recent and timeline.recent[0][0].seq < first_seq:
            self._drop_oldest(timeline)
        timeline.first_seq = first_seq if first_seq <= self.last_seq(connection_id) else 0
        timeline.history = None

    def erase(self, erased: Callable[[Message], Message | None]) -> None:
        """Hold messages as the log has them after an erasure: `erased` gives what a message is
        then, None if it is unchanged. Changes are read from the log again."""
        for timeline in self._timelines.values():
            for at, (message, _) in enumerate(list(timeline.recent)):
                now = erased(message)
                if now is not None:
                    timeline.by_id[message.message_id] = now
                    self._put(timeline, at, now)
            timeline.changes.clear()
            timeline.changes_size = 0
            timeline.history = None

    async def loaded(self) -> None:
        """Return when everything that was asked for before has been read."""
        for timeline in list(self._timelines.values()):
            if timeline.loading is not None:
                await timeline.loading.wait()

    def find(self, message_id: str, connection_ids: Iterable[str]) -> Message | None:
        """A recent message of one of these rooms, by its id."""
        for connection_id in connection_ids:
            timeline = self._timelines.get(connection_id)
            if timeline is not None and (message := timeline.by_id.get(message_id)) is not None:
                return message
        return None

    def _merge(self, timeline: Timeline, page: Page) -> None:
        """Take what was read, then what was published while it was read: all of it, or nothing if a
        message cannot be rendered."""
        published = list(timeline.recent)
        newer_from = published[0][0].seq if published else self.last_seq(timeline.connection_id) + 1
        read = [one for one in page.messages if timeline.kept_from <= one.seq < newer_from]
        # If so much was published that the first of it was dropped again, there is a hole after the
        # page.
        if read and read[-1].seq < newer_from - 1:
            read = []
        delivered = page.delivered | timeline.confirmed
        newest = [_newer(one, timeline.changed.get(one.seq)) for one in read]
        rendered = [(one, self._render(one, delivered=one.seq in delivered)) for one in newest]
        timeline.delivered |= delivered
        timeline.recent.clear()
        timeline.by_id.clear()
        self._resize(timeline, TIMELINE_BYTES)
        for message, body in (*rendered, *published):
            self._append(timeline, message, body)
        first_seq = max(page.first_seq, timeline.kept_from) or timeline.first_seq
        timeline.first_seq = first_seq if first_seq <= self.last_seq(timeline.connection_id) else 0
        timeline.confirmed.clear()
        timeline.changed.clear()
        timeline.is_loaded = True

    def _append(self, timeline: Timeline, message: Message, body: bytes) -> None:
        timeline.recent.append((message, body))
        timeline.by_id[message.message_id] = message
        self._resize(timeline, timeline.size + len(body))
        self._drop_surplus(timeline)
        timeline.history = None

    def _put(self, timeline: Timeline, at: int, message: Message) -> None:
        """Put a message in the place of what it was before."""
        body = self._render(message, delivered=message.seq in timeline.delivered)
        _, before = timeline.recent[at]
        timeline.recent[at] = (message, body)
        self._resize(timeline, timeline.size + len(body) - len(before))

    def _drop_surplus(self, timeline: Timeline) -> None:
        """Drop the oldest messages beyond what a room may hold, in number and in bytes."""
        recent, bytes_max = timeline.recent, TIMELINE_BYTES + self._recent_bytes_max
        while len(recent) > self._recent_max or (timeline.size > bytes_max and len(recent) > 1):
            self._drop_oldest(timeline)

    def _drop_oldest(self, timeline: Timeline) -> None:
        message, body = timeline.recent.popleft()
        del timeline.by_id[message.message_id]
        self._resize(timeline, timeline.size - len(body))

    def _note_delivered(self, timeline: Timeline, seq: int) -> None:
        """Note a receipt; receipts of messages that are no longer here are forgotten now and
        then."""
        timeline.delivered.add(seq)
        if len(timeline.delivered) > 2 * self._recent_max:
            oldest = self.recent_from(timeline.connection_id)
            timeline.delivered = {one for one in timeline.delivered if one >= oldest}

    def _resize(self, timeline: Timeline, size: int) -> None:
        if self._idle.get(timeline.connection_id) is timeline:  # one let go no longer counts
            self._idle_bytes += size - timeline.size
        timeline.size = size


def _newer(read: Message, changed: Message | None) -> Message:
    """What was read of a message, or what it was changed to meanwhile."""
    return read if changed is None or changed.rev <= read.rev else changed


def _keep_change(timeline: Timeline, rev: int, seq: int, packet: Outgoing) -> None:
    """Keep a change for those who catch up, and no more than may be kept."""
    changes = timeline.changes
    changes.append((rev, seq, packet))
    timeline.changes_size += packet.size
    while len(changes) > CHANGES_KEPT or timeline.changes_size > CHANGES_BYTES:
        timeline.changes_size -= changes.popleft()[2].size


def _on_page(timeline: Timeline, skipped: int, answer_rows: int | None) -> list[bytes]:
    """The recent messages after the first `skipped` ones, as a page has them."""
    replies = _replies_among(timeline.recent)
    return [
        telling_replies(
            message_with_rows(body, message.answer, answer_rows),
            None if message.thread_id else replies.get(written_id(message.message_id)),
        )
        for message, body in islice(timeline.recent, skipped, None)
    ]


def _replies_among(recent: Iterable[tuple[Message, bytes]]) -> Mapping[str, Replies]:
    """What was replied in each thread, by its id. If the opener of a thread is recent, these are
    all of its replies: they came after it."""
    threads: defaultdict[str, list[tuple[int, str | None]]] = defaultdict(list)
    for message, _ in recent:
        if message.thread_id is not None:
            threads[message.thread_id].append((message.seq, message.user_id))
    return {
        thread_id: Replies.of(len(replies), replies[::-1]) for thread_id, replies in threads.items()
    }

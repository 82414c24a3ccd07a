"""The head of each room: its newest published seq, and its recent messages as they go out.

Joining a room is one step, whatever its history: the recent messages lie here, rendered, and the
`chat:history` that a joiner gets is built once for all who join between two messages. A room that
nobody was in since the start is loaded from the log first; what is published meanwhile is merged by
seq, so that nothing is missing and nothing is there twice.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Protocol

import attrs
import orjson
import trio

from chatd.chat.markup import Markup
from chatd.chat.records import Message
from chatd.chat.rendering import message_json
from chatd.engine.outgoing import Outgoing
from chatd.socketio import event_text
from chatd.store import Page
from chatd.wire.names import ServerEvent

IDLE_BYTES_MAX = 64 * 1024 * 1024  # rendered messages kept of rooms that nobody is in

RECENT_BYTES = 2 * 1024 * 1024  # of a room, rendered; its newest message stays at any size

FEED_BYTES = 1024  # what a head costs beside its messages, roughly


class History(Protocol):
    """The log, as far as pages of rooms are read from it."""

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


@attrs.define(eq=False)
class Timeline:
    """One room's head. `recent` holds messages with their rendered form, oldest first."""

    connection_id: str
    is_loaded: bool
    first_seq: int = 0
    recent: deque[tuple[Message, bytes]] = attrs.field(factory=deque)
    by_id: dict[str, Message] = attrs.field(factory=dict)
    holders: int = 0
    size: int = FEED_BYTES
    loading: trio.Event | None = None
    history: Outgoing | None = None
    confirmed: set[int] = attrs.field(factory=set)  # while it is loaded: delivered meanwhile
    kept_from: int = 0  # what is below was removed, be it that it is being read


class Timelines:
    """All rooms' heads.

    `recent_max`: messages that a joiner is shown; `recent_bytes_max`: what these hold together,
    rendered. Beyond either the oldest go, but the newest is shown whatever it holds.
    """

    def __init__(
        self,
        last_seqs: Mapping[str, int],
        log: History,
        markup: Markup,
        *,
        recent_max: int,
        recent_bytes_max: int = RECENT_BYTES,
        idle_bytes_max: int = IDLE_BYTES_MAX,
    ) -> None:
        self._last_seqs = dict(last_seqs)
        self._log = log
        self._markup = markup
        self._recent_max = recent_max
        self._recent_bytes_max = recent_bytes_max
        self._idle_bytes_max = idle_bytes_max
        self._timelines: dict[str, Timeline] = {}
        self._idle: dict[str, Timeline] = {}  # those that nobody holds, the longest idle first
        self._idle_bytes = 0

    def last_seq(self, connection_id: str) -> int:
        """The newest seq that was published in a room; 0 where there is none."""
        return self._last_seqs.get(connection_id, 0)

    def hold(self, connection_id: str) -> None:
        """Keep the room's head in memory until `release`; holds are counted.

        Where it is not loaded, `load` comes next.
        """
        feed = self._timelines.get(connection_id)
        if feed is None:
            feed = Timeline(connection_id, is_loaded=self.last_seq(connection_id) == 0)
            self._timelines[connection_id] = feed
        elif self._idle.pop(connection_id, None) is not None:
            self._idle_bytes -= feed.size
        feed.holders += 1

    def is_loaded(self, connection_id: str) -> bool:
        """Whether a room that is held can be joined at once."""
        return self._timelines[connection_id].is_loaded

    def release(self, connection_id: str) -> None:
        """One holder is gone. Heads that nobody holds are kept as far as there is room."""
        feed = self._timelines[connection_id]
        feed.holders -= 1
        if feed.holders == 0:
            self._idle[connection_id] = feed
            self._idle_bytes += feed.size
            while self._idle_bytes > self._idle_bytes_max:
                oldest = self._idle.pop(next(iter(self._idle)))
                self._idle_bytes -= oldest.size
                del self._timelines[oldest.connection_id]

    async def load(self, connection_id: str) -> None:
        """Read the recent messages of a room that is held. Raises StoreReadFailed."""
        feed = self._timelines[connection_id]
        while not feed.is_loaded:
            if feed.loading is not None:
                await feed.loading.wait()
                continue
            feed.loading = trio.Event()
            try:
                # Up to what was published: a batch that was only committed would fill the page.
                page = await self._log.page(
                    connection_id,
                    before=self.last_seq(connection_id) + 1,
                    after=None,
                    limit=self._recent_max,
                    thread_id=None,
                )
                self._merge(feed, page)
            finally:
                feed.loading.set()
                feed.loading = None

    def history(self, connection_id: str) -> Outgoing:
        """The recent messages of a room that is held, as `chat:history`, encoded once."""
        feed = self._timelines[connection_id]
        if feed.history is None:
            feed.history = self._history_of(feed)
        return feed.history

    def reset_history(self, connection_id: str) -> Outgoing:
        """The same for a client whose own state is of no use: it starts over."""
        return self._history_of(self._timelines[connection_id], reset=True)

    def _history_of(self, feed: Timeline, *, reset: bool = False) -> Outgoing:
        payload = history_json(
            feed.connection_id,
            [body for _, body in feed.recent],
            has_more=bool(feed.recent) and feed.recent[0][0].seq > feed.first_seq,
            first_seq=feed.first_seq,
            last_seq=self.last_seq(feed.connection_id),
            reset=reset,
        )
        return Outgoing(b"4" + event_text(ServerEvent.CHAT_HISTORY, payload))

    def first_seq(self, connection_id: str) -> int:
        """The oldest seq that a room which is held still has; 0 where it has none."""
        return self._timelines[connection_id].first_seq

    def recent_from(self, connection_id: str) -> int:
        """The first seq of a room which is held from which on all messages lie here."""
        recent = self._timelines[connection_id].recent
        return recent[0][0].seq if recent else self.last_seq(connection_id) + 1

    def recent_after(self, connection_id: str, seq: int) -> list[bytes]:
        """The rendered messages above `seq`, which is not below those that lie here."""
        recent = self._timelines[connection_id].recent
        skipped = max(0, seq + 1 - self.recent_from(connection_id))
        return [body for _, body in islice(recent, skipped, None)]

    def render(self, message: Message) -> bytes:
        """The message as readers get it."""
        return message_json(message, self._markup)

    def publish(self, message: Message, body: bytes) -> None:
        """The message, rendered as `body`, is the newest of its room now."""
        self._last_seqs[message.connection_id] = message.seq
        feed = self._timelines.get(message.connection_id)
        if feed is not None:
            feed.first_seq = feed.first_seq or message.seq
            self._append(feed, message, body)

    def confirm(self, connection_id: str, seq: int) -> None:
        """Somebody has the message: who joins from now on is shown it as delivered."""
        feed = self._timelines.get(connection_id)
        if feed is None:
            return
        if not feed.is_loaded:
            feed.confirmed.add(seq)
        at = seq - self.recent_from(connection_id)
        if 0 <= at < len(feed.recent):
            message, body = feed.recent[at]
            confirmed = message_json(message, self._markup, delivered=True)
            feed.recent[at] = (message, confirmed)
            self._resize(feed, feed.size + len(confirmed) - len(body))
            feed.history = None

    def forget(self, connection_id: str, first_seq: int) -> None:
        """Retention removed what is below `first_seq`."""
        feed = self._timelines.get(connection_id)
        if feed is None:
            return
        feed.kept_from = max(feed.kept_from, first_seq)
        while feed.recent and feed.recent[0][0].seq < first_seq:
            message, body = feed.recent.popleft()
            del feed.by_id[message.message_id]
            self._resize(feed, feed.size - len(body))
        feed.first_seq = first_seq if first_seq <= self.last_seq(connection_id) else 0
        feed.history = None

    def find(self, message_id: str, connection_ids: Iterable[str]) -> Message | None:
        """A recent message of one of these rooms, by its id."""
        for connection_id in connection_ids:
            feed = self._timelines.get(connection_id)
            if feed is not None and (message := feed.by_id.get(message_id)) is not None:
                return message
        return None

    def _merge(self, feed: Timeline, page: Page) -> None:
        """What was read, then what was published while it was read; all of it, or nothing where a
        message cannot be rendered."""
        published = list(feed.recent)
        newer_from = published[0][0].seq if published else self.last_seq(feed.connection_id) + 1
        read = [one for one in page.messages if feed.kept_from <= one.seq < newer_from]
        # Where so much was published that the first of it went again, a hole is behind the page.
        if read and read[-1].seq < newer_from - 1:
            read = []
        delivered = page.delivered | feed.confirmed
        rendered = [
            (one, message_json(one, self._markup, delivered=one.seq in delivered)) for one in read
        ]
        feed.recent.clear()
        feed.by_id.clear()
        self._resize(feed, FEED_BYTES)
        for message, body in (*rendered, *published):
            self._append(feed, message, body)
        first_seq = max(page.first_seq, feed.kept_from) or feed.first_seq
        feed.first_seq = first_seq if first_seq <= self.last_seq(feed.connection_id) else 0
        feed.confirmed.clear()
        feed.is_loaded = True

    def _append(self, feed: Timeline, message: Message, body: bytes) -> None:
        size = feed.size + len(body)
        feed.recent.append((message, body))
        feed.by_id[message.message_id] = message
        bytes_max = FEED_BYTES + self._recent_bytes_max
        while len(feed.recent) > self._recent_max or (size > bytes_max and len(feed.recent) > 1):
            oldest, oldest_body = feed.recent.popleft()
            size -= len(oldest_body)
            del feed.by_id[oldest.message_id]
        self._resize(feed, size)
        feed.history = None

    def _resize(self, feed: Timeline, size: int) -> None:
        if self._idle.get(feed.connection_id) is feed:  # one that was let go counts no more
            self._idle_bytes += size - feed.size
        feed.size = size


def history_json(
    connection_id: str,
    bodies: list[bytes],
    *,
    has_more: bool,
    first_seq: int,
    last_seq: int,
    reset: bool = False,
) -> bytes:
    """The payload of `chat:history` around messages that are JSON already."""
    payload: dict[str, object] = {
        "connectionId": connection_id,
        "messages": [orjson.Fragment(body) for body in bodies],
        "hasMore": has_more,
        "firstSeq": first_seq,
        "lastSeq": last_seq,
    }
    if reset:
        payload["reset"] = True
    return orjson.dumps(payload)

"""The port through which the history is read, past the actors, whatever keeps it.

Messages are as of their newest change, where nothing else is said.

Every read may raise `StoreReadFailed` where the history cannot be read, and `StoreClosed` once the
store is closed. Ids are UUIDs in lower-case text (`ValueError` for others). `rooms` are those in
which an id is looked for, all where it is None. `answer_rows` is how many rows each answer is read
with, all where it is None; the size of a page counts what is read.
"""

from collections.abc import Container, Mapping, Sequence
from typing import Protocol

import attrs

from chatd.chat.queue import Gap, QueueCut
from chatd.chat.reading import Lack, Stretch
from chatd.chat.records import Change, Message, MessagePlace
from chatd.chat.search import SearchQuery

REPLIES_MAX = 1_000  # of a thread that are counted; `Replies.count` says no more
REPLY_USERS_MAX = 3  # who wrote the newest replies
REPLY_USERS_AMONG = 20  # newest replies that are looked through for that


@attrs.frozen
class Replies:
    """What a thread holds behind its opener: how many replies, `REPLIES_MAX` at most; the seq of
    the newest; who wrote the newest ones, the newest first."""

    count: int
    last_seq: int
    user_ids: tuple[str, ...]

    @classmethod
    def of(cls, count: int, newest: Sequence[tuple[int, str | None]]) -> "Replies":
        """From the number of all, and seq and author of the newest, which comes first."""
        known = dict.fromkeys(
            user_id for _, user_id in newest[:REPLY_USERS_AMONG] if user_id is not None
        )
        return cls(min(count, REPLIES_MAX), newest[0][0], tuple(known)[:REPLY_USERS_MAX])


@attrs.frozen
class KnownMessage:
    """A message, whether somebody other than its author has acknowledged it, and the replies to it,
    None where there are none."""

    message: Message
    is_delivered: bool
    replies: Replies | None = None


@attrs.frozen
class Page:
    """Messages of one room, oldest first.

    `has_more`: there are more in the direction of the request: older ones for a page before a seq
    or at the end, newer ones for a page after a seq. `first_seq` and `last_seq` are those of the
    room, 0 where it has no message. `delivered` are the seqs on this page that somebody else than
    the author has acknowledged, `replies` what was replied to messages on it, by their seq. `root`
    is the message that opened the thread which was asked for, where it is still there. `last_rev`
    is the newest rev of the room, 0 where it has none.
    """

    messages: tuple[Message, ...]
    has_more: bool
    first_seq: int
    last_seq: int
    delivered: frozenset[int] = frozenset()
    last_rev: int = 0
    replies: Mapping[int, Replies] = attrs.field(factory=dict)
    root: KnownMessage | None = None


@attrs.frozen
class StoredAnswer:
    """The answer to a question: by which message, where; `state` is None while it is open."""

    answer_id: str
    connection_id: str
    user_id: str
    state: str | None


@attrs.frozen
class SearchRequest:
    """A query, and what narrows it: rooms, an author, times in ms (both ends excluded)."""

    query: SearchQuery
    rooms: Sequence[str]
    user_id: str | None = None
    before_ms: int | None = None
    after_ms: int | None = None


@attrs.frozen
class SearchCursor:
    """The last hit of a page: the next page begins after it.

    `newest` is the last position that the first page knew: the search ends there. `length` is the
    class of the hit's length. None of them is negative, nor above 2**63 - 1.
    """

    newest: int
    length: int
    position: int


@attrs.frozen
class SearchHit:
    """A message that matches, and where: positions in its content, start and end."""

    message: Message
    is_delivered: bool
    matches: tuple[tuple[int, int], ...]
    replies: Replies | None = None


@attrs.frozen
class SearchPage:
    """Hits, the best first; `cursor` is None where there are no more. `unreadable` is how many more
    there are in this place, of which nothing can be read. `is_incomplete`: older messages may match
    too, which the index lacks until it is built anew."""

    hits: tuple[SearchHit, ...]
    cursor: SearchCursor | None
    unreadable: int = 0
    is_incomplete: bool = False


def require_page(limit: int, before: int | None = None, after: int | None = None) -> None:
    """`ValueError` where there is no such page."""
    if before is not None and after is not None:
        raise ValueError("a page lies before a seq or after one, not both")
    if limit < 1:
        raise ValueError(f"a page has room for a message at least, not for {limit}")


class SearchTooBroad(Exception):
    """The query matches more than can be put in order in its time."""


class MessageReader(Protocol):
    """Reads of stored messages. Each sees all that was committed before it began."""

    async def page(
        self,
        connection_id: str,
        *,
        before: int | None,
        after: int | None,
        limit: int,
        thread_id: str | None,
        answer_rows: int | None = None,
    ) -> Page:
        """`limit` messages of a room: the nearest ones before a seq, or after one, or the last.

        Fewer, but one at least, where they hold more bytes than a page does; `has_more` then says
        so. With `thread_id` those of that thread only; the one that opened it is `root`. A room
        or thread without messages gives an empty page. `ValueError` for `before` and `after`
        together, and for a `limit` below 1.
        """
        ...

    async def changed(
        self, connection_id: str, after_rev: int, limit: int, answer_rows: int | None = None
    ) -> Page:
        """`limit` messages of a room whose newest change has a rev above this one, by that rev.

        Fewer, but one at least, where they hold more bytes than a page does; `has_more` then says
        so. All that was changed up to `last_rev` is on it, or on those that follow.
        """
        ...

    async def changes(
        self, connection_id: str, after_rev: int, up_to_rev: int
    ) -> tuple[Change, ...]:
        """The changes of a room above a rev, up to another one, in their order; of messages that
        are gone there are none. Each has its message as it is today, but for the text of an edit
        and its rev, which are its own."""
        ...

    async def written(self, message_id: str, rooms: Container[str] | None = None) -> Message | None:
        """As `message`, but as it was first written, whatever became of it."""
        ...

    async def message(self, message_id: str, rooms: Container[str] | None = None) -> Message | None:
        """The message with this id in one of these rooms."""
        ...

    async def shown(
        self, message_id: str, connection_id: str, answer_rows: int | None = None
    ) -> KnownMessage | None:
        """The message with this id in a room, as pages show it."""
        ...

    async def has_thread(self, connection_id: str, thread_id: str) -> bool:
        """Whether a message of the room has opened this thread, or might: one that is in no thread
        itself. A thread outlives its opener, as long as a reply is kept."""
        ...

    async def answer_to(
        self, question_id: str, rooms: Container[str] | None = None
    ) -> StoredAnswer | None:
        """What became of a question in one of these rooms; None if it was not a question."""
        ...

    async def owed(
        self,
        connection_id: str,
        gaps: Sequence[Gap],
        after_seq: int,
        limit: int,
        answer_rows: int | None = None,
    ) -> tuple[tuple[Message, bool], ...]:
        """The next `limit` messages, oldest first, that lie in `gaps` and above `after_seq`, each
        with whether somebody else than the author has acknowledged it.

        Fewer, or none, where retention removed some; fewer, but one at least, where they hold more
        bytes than a page does. The gaps are ascending and apart.
        """
        ...

    async def undelivered(
        self, connection_id: str, user_id: str, first_seq: int, last_seq: int, limit: int
    ) -> tuple[MessagePlace, ...]:
        """Of the messages `first_seq` to `last_seq` the newest `limit`, oldest first, that others
        than `user_id` wrote and that nobody has acknowledged. Reads at most the range."""
        ...

    async def stretches(self, lacks: Sequence[Lack]) -> tuple[Stretch, ...]:
        """What the counts of unread messages lack, each in turn. A message that cannot be read
        counts as nobody's."""
        ...

    async def newest_owed(
        self, owed: Mapping[str, Sequence[Gap]], most: int, oldest_ms: int
    ) -> dict[str, QueueCut]:
        """Where the newest of all that is `owed` begin in each room, were only `most` to stay.

        The newest are those stored last, over all rooms. In each room they end before the first
        message, going back, that is older than `oldest_ms`. Where nothing stays, the cut is behind
        the last seq that is owed, with `oldest_ms`. Reads `most` rows, and one for each room and
        gap that they lie in.
        """
        ...

    async def search(
        self,
        request: SearchRequest,
        limit: int,
        cursor: SearchCursor | None = None,
        answer_rows: int | None = None,
    ) -> SearchPage:
        """A page of hits; fewer than `limit`, but one at least, where they hold more bytes than a
        page does. The shorter a message the better, in classes, and within a class the newer. What
        was stored after the first page is left out. Raises `SearchTooBroad`."""
        ...

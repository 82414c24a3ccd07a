"""The history in SQLite, as a `MessageReader`."""

import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from functools import partial

import trio

from chatd.chat.commits import CommitFailed
from chatd.chat.ids import scoped_id
from chatd.chat.queue import Gap
from chatd.chat.records import Message, MessagePlace
from chatd.store import lookups, pages, search
from chatd.store.damage import Damaged
from chatd.store.message_reader import (
    MessageReader,
    Page,
    QueueCut,
    SearchCursor,
    SearchPage,
    SearchRequest,
    StoredAnswer,
)
from chatd.store.reader_pool import ReaderPool, Witness
from chatd.store.retention import Keep, Surplus, find_surplus
from chatd.store.rows import uuid_bytes

SHOWN_DAMAGED_MAX = 10_000  # places of damaged messages known by the ids they were shown with
CATCH_UP_S = 1.0  # that a search waits for the index at most


class LogReaders(MessageReader):
    """Reads the log through two pools: searches must not keep others from reading history.

    A row that is broken is a message that says so, in its place (`Message.is_damaged`).
    """

    def __init__(
        self,
        pool: ReaderPool,
        search_pool: ReaderPool,
        index_until: Callable[[float], Awaitable[None]],
        *,
        page_bytes: int = pages.PAGE_BYTES,
        search_s: float = search.SEARCH_S,
        shown_damaged_max: int = SHOWN_DAMAGED_MAX,
    ) -> None:
        """`index_until` brings the index forward until a time of Trio's clock at most.

        page_bytes: content and answers on a page; search_s: how long a search may take.
        """
        self._pool = pool
        self._search_pool = search_pool
        self._index_until = index_until
        self._page_bytes = page_bytes
        self._search_s = search_s
        self._shown_damaged_max = shown_damaged_max
        # Of damaged messages, whose id may be in no index: room and seq by the id that was shown.
        self._shown_damaged: OrderedDict[str, tuple[str, int]] = OrderedDict()

    @property
    def witness(self) -> Witness | None:
        """Hears of what is found damaged."""
        return self._pool.witness

    @witness.setter
    def witness(self, witness: Witness | None) -> None:
        self._pool.witness = self._search_pool.witness = witness

    async def page(
        self,
        connection_id: str,
        *,
        before: int | None,
        after: int | None,
        limit: int,
        thread_id: str | None,
    ) -> Page:
        if before is not None and after is not None:
            raise ValueError("a page lies before a seq or after one, not both")
        if limit < 1:
            raise ValueError(f"a page has room for a message at least, not for {limit}")
        page = await self._pool.read(
            partial(
                pages.read_page,
                connection_id=connection_id,
                before=before,
                after=after,
                limit=limit,
                thread=None if thread_id is None else uuid_bytes(thread_id),
                page_bytes=self._page_bytes,
            )
        )
        self._report(page.messages)
        return page

    async def message(self, message_id: str, rooms: Container[str] | None = None) -> Message | None:
        """A damaged one has the id that it was shown with."""
        read = partial(lookups.read_message, key=uuid_bytes(message_id), rooms=rooms)
        message = await self._pool.read(read)
        place = self._shown_damaged.get(message_id)
        if message is None and place is not None and (rooms is None or place[0] in rooms):
            connection_id, seq = place
            message = await self._pool.read(
                partial(pages.read_at, connection_id=connection_id, seq=seq)
            )
        if message is not None:
            self._report((message,))
        return message

    async def has_thread(self, connection_id: str, thread_id: str) -> bool:
        read = partial(
            lookups.read_has_thread,
            connection_id=connection_id,
            thread=uuid_bytes(thread_id),
            scoped=uuid_bytes(scoped_id(thread_id, connection_id)),
        )
        return await self._pool.read(read)

    async def answer_to(
        self, question_id: str, rooms: Container[str] | None = None
    ) -> StoredAnswer | None:
        read = partial(lookups.read_answer, key=uuid_bytes(question_id), rooms=rooms)
        return await self._pool.read(read)

    async def owed(
        self, connection_id: str, gaps: Sequence[Gap], after_seq: int, limit: int
    ) -> tuple[tuple[Message, bool], ...]:
        owed = await self._pool.read(
            partial(
                pages.read_owed,
                connection_id=connection_id,
                gaps=gaps,
                after_seq=after_seq,
                limit=limit,
                page_bytes=self._page_bytes,
            )
        )
        self._report([message for message, _ in owed])
        return owed

    async def undelivered(
        self, connection_id: str, user_id: str, first_seq: int, last_seq: int, limit: int
    ) -> tuple[MessagePlace, ...]:
        read = partial(
            lookups.read_undelivered,
            connection_id=connection_id,
            user_id=user_id,
            first_seq=first_seq,
            last_seq=last_seq,
            limit=limit,
        )
        return await self._pool.read(read)

    async def newest_owed(
        self, owed: Mapping[str, Sequence[Gap]], most: int, oldest_ms: int
    ) -> dict[str, QueueCut]:
        read = partial(lookups.read_cuts, owed=owed, most=most, oldest_ms=oldest_ms)
        return await self._pool.read(read)

    async def search(
        self, request: SearchRequest, limit: int, cursor: SearchCursor | None = None
    ) -> SearchPage:
        """Where the disk does not let the index grow, what is in it is searched."""
        if await self._search_pool.read(search.is_behind):
            with contextlib.suppress(CommitFailed):
                await self._index_until(trio.current_time() + CATCH_UP_S)
        find = partial(
            search.find,
            request=request,
            limit=limit,
            cursor=cursor,
            page_bytes=self._page_bytes,
            search_s=self._search_s,
        )
        found = await self._search_pool.read(find)
        self._report([hit.message for hit in found.hits])
        if found.unreadable and self.witness is not None:
            self.witness.damaged(Damaged("messages"))
        return found

    async def surplus(self, keep: Keep, most: int) -> list[Surplus]:
        """What retention may remove now: `most` messages in all; more may be left."""
        return await self._pool.read(partial(find_surplus, keep=keep, most=most))

    def close(self) -> None:
        """Close the idle connections; the others are closed when they come back."""
        self._pool.close()
        self._search_pool.close()

    def _report(self, messages: Iterable[Message]) -> None:
        """Report damaged messages to the witness, and remember by which id they are shown."""
        for message in messages:
            if not message.is_damaged:
                continue
            self._shown_damaged[message.message_id] = message.connection_id, message.seq
            if len(self._shown_damaged) > self._shown_damaged_max:
                self._shown_damaged.popitem(last=False)
            if self.witness is not None:
                self.witness.damaged(Damaged("messages", message.connection_id, message.seq))

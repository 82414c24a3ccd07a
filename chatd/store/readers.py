"""The history in SQLite, as a `MessageReader`."""

import contextlib
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from typing import TypeVar

import attrs
import trio

from chatd.chat.commits import CommitFailed
from chatd.chat.ids import scoped_id
from chatd.chat.queue import Gap, QueueCut
from chatd.chat.reading import Lack, Stretch
from chatd.chat.records import Change, Message, MessagePlace
from chatd.store import lookups, pages, search, threads
from chatd.store.damage import Damaged
from chatd.store.message_reader import (
    KnownMessage,
    MessageReader,
    Page,
    SearchCursor,
    SearchPage,
    SearchRequest,
    StoredAnswer,
    require_page,
)
from chatd.store.reader_pool import ReaderPool, Witness
from chatd.store.retention import Keep, Surplus, find_surplus
from chatd.store.rows import uuid_bytes

_T = TypeVar("_T")

SHOWN_DAMAGED_MAX = 10_000  # places of damaged messages known by the ids they were shown with
CATCH_UP_S = 1.0  # that a search waits for the index at most


@attrs.define(eq=False)
class LogReaders(MessageReader):
    """Reads the log through two pools: searches must not keep others from reading history.

    A row that is broken is a message that says so, in its place (`Message.is_damaged`).
    """

    _pool: ReaderPool
    _search_pool: ReaderPool
    # Brings the index forward until a time of Trio's clock at most.
    _index_until: Callable[[float], Awaitable[None]]
    _page_bytes: int = attrs.field(default=pages.PAGE_BYTES, kw_only=True)
    _search_s: float = attrs.field(default=search.SEARCH_S, kw_only=True)
    _shown_damaged_max: int = attrs.field(default=SHOWN_DAMAGED_MAX, kw_only=True)
    # Of damaged messages, whose id may be in no index: room and seq by the id that was shown.
    _shown_damaged: OrderedDict[str, tuple[str, int]] = attrs.field(init=False, factory=OrderedDict)

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
        answer_rows: int | None = None,
    ) -> Page:
        require_page(limit, before, after)
        page = await self._pool.read(
            threads.read_page,
            connection_id,
            before=before,
            after=after,
            limit=limit,
            thread=None if thread_id is None else opener_keys(thread_id, connection_id),
            page_bytes=self._page_bytes,
            answer_rows=answer_rows,
        )
        self._report(page.messages if page.root is None else (*page.messages, page.root.message))
        return page

    async def changed(
        self, connection_id: str, after_rev: int, limit: int, answer_rows: int | None = None
    ) -> Page:
        require_page(limit)
        page = await self._pool.read(
            threads.read_changed, connection_id, after_rev, limit, self._page_bytes, answer_rows
        )
        self._report(page.messages)
        return page

    async def changes(
        self, connection_id: str, after_rev: int, up_to_rev: int
    ) -> tuple[Change, ...]:
        return await self._pool.read(lookups.read_changes, connection_id, after_rev, up_to_rev)

    async def written(self, message_id: str, rooms: Container[str] | None = None) -> Message | None:
        return await self._pool.read(lookups.read_written, uuid_bytes(message_id), rooms)

    async def message(self, message_id: str, rooms: Container[str] | None = None) -> Message | None:
        """A damaged one has the id that it was shown with."""
        message = await self._pool.read(lookups.read_message, uuid_bytes(message_id), rooms)
        place = self._shown_damaged.get(message_id)
        if message is None and place is not None and (rooms is None or place[0] in rooms):
            message = await self._pool.read(pages.read_at, *place)
        if message is not None:
            self._report((message,))
        return message

    async def shown(
        self, message_id: str, connection_id: str, answer_rows: int | None = None
    ) -> KnownMessage | None:
        """A damaged one has the id that it was shown with."""
        known = await self._pool.read(
            threads.read_shown, uuid_bytes(message_id), connection_id, answer_rows
        )
        if known is not None:
            self._report((known.message,))
        elif (damaged := await self.message(message_id, (connection_id,))) is not None:
            return KnownMessage(damaged, is_delivered=False)
        return known

    async def has_thread(self, connection_id: str, thread_id: str) -> bool:
        keys = opener_keys(thread_id, connection_id)
        return await self._pool.read(lookups.read_has_thread, connection_id, *keys)

    async def answer_to(
        self, question_id: str, rooms: Container[str] | None = None
    ) -> StoredAnswer | None:
        return await self._pool.read(lookups.read_answer, uuid_bytes(question_id), rooms)

    async def owed(
        self,
        connection_id: str,
        gaps: Sequence[Gap],
        after_seq: int,
        limit: int,
        answer_rows: int | None = None,
    ) -> tuple[tuple[Message, bool], ...]:
        owed = await self._pool.read(
            pages.read_owed, connection_id, gaps, after_seq, limit, self._page_bytes, answer_rows
        )
        self._report([message for message, _ in owed])
        return owed

    async def undelivered(
        self, connection_id: str, user_id: str, first_seq: int, last_seq: int, limit: int
    ) -> tuple[MessagePlace, ...]:
        return await self._pool.read(
            lookups.read_undelivered, connection_id, user_id, first_seq, last_seq, limit
        )

    async def stretches(self, lacks: Sequence[Lack]) -> tuple[Stretch, ...]:
        return await self._pool.read(lookups.read_stretches, lacks)

    async def newest_owed(
        self, owed: Mapping[str, Sequence[Gap]], most: int, oldest_ms: int
    ) -> dict[str, QueueCut]:
        return await self._pool.read(lookups.read_cuts, owed, most, oldest_ms)

    async def search(
        self,
        request: SearchRequest,
        limit: int,
        cursor: SearchCursor | None = None,
        answer_rows: int | None = None,
    ) -> SearchPage:
        """Where the disk does not let the index grow, what is in it is searched."""
        if await self._search_pool.read(search.is_behind):
            with contextlib.suppress(CommitFailed):
                await self._index_until(trio.current_time() + CATCH_UP_S)
        found = await self._search_pool.read(
            search.find, request, limit, cursor, self._page_bytes, self._search_s, answer_rows
        )
        self._report([hit.message for hit in found.hits])
        if found.unreadable and self.witness is not None:
            self.witness.damaged(Damaged("messages"))
        return found

    async def look(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        """Ask something of the log that only an operator asks."""
        return await self._search_pool.read(question)

    async def surplus(self, keep: Keep, most: int) -> list[Surplus]:
        """What retention may remove now: `most` messages in all; more may be left."""
        return await self._pool.read(find_surplus, keep, most)

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


def opener_keys(thread_id: str, connection_id: str) -> tuple[bytes, bytes]:
    """The keys that the message may have which opened a thread of a room."""
    return uuid_bytes(thread_id), uuid_bytes(scoped_id(thread_id, connection_id))

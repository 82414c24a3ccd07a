"""The history in PostgreSQL, as a `MessageReader`."""

import contextlib
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from typing import Final

import attrs
import trio

from chatd.chat.commits import CommitFailed
from chatd.chat.queue import Gap, QueueCut
from chatd.chat.reading import Lack, Stretch
from chatd.chat.records import Change, Message, MessagePlace
from chatd.postgres_store import cuts, lookups, pages, search, stretches
from chatd.postgres_store.reader_pool import READ_S, ReaderPool, pool_to_read
from chatd.postgres_store.sessions import LogAddress
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
from chatd.store.opening import SEARCH_THREADS
from chatd.store.pages import PAGE_BYTES
from chatd.store.reader_pool import Witness
from chatd.store.readers import CATCH_UP_S, opener_keys
from chatd.store.rows import uuid_bytes

READER_CONNECTIONS: Final = 4
"""For pages and look-ups."""
SEARCH_CONNECTIONS: Final = SEARCH_THREADS
"""For searches, which must not keep others from reading history: one for each that runs at once."""

IndexUntil = Callable[[float, Sequence[int]], Awaitable[None]]


@attrs.define(eq=False)
class PostgresReaders(MessageReader):
    """Reads the log through two pools: searches must not keep others from reading history.

    `index_until` brings the index of rooms forward, until a time of Trio's clock at most.
    """

    _pool: ReaderPool
    _search_pool: ReaderPool
    _index_until: IndexUntil
    _page_bytes: int = attrs.field(default=PAGE_BYTES, kw_only=True)

    @classmethod
    def at(
        cls,
        address: LogAddress,
        index_until: IndexUntil,
        *,
        page_bytes: int = PAGE_BYTES,
        search_s: float = search.SEARCH_S,
    ) -> "PostgresReaders":
        """Readers of the log at `address`, which connect when they are asked."""
        reading = pool_to_read(address, READER_CONNECTIONS, READ_S)
        searching = pool_to_read(address, SEARCH_CONNECTIONS, search_s)
        return cls(ReaderPool(reading), ReaderPool(searching), index_until, page_bytes=page_bytes)

    @property
    def pool(self) -> ReaderPool:
        """The connections on which history is read."""
        return self._pool

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
            pages.read_page,
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
            pages.read_changed, connection_id, after_rev, limit, self._page_bytes, answer_rows
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
        message = await self._pool.read(lookups.read_message, uuid_bytes(message_id), rooms)
        if message is not None:
            self._report((message,))
        return message

    async def shown(
        self, message_id: str, connection_id: str, answer_rows: int | None = None
    ) -> KnownMessage | None:
        known = await self._pool.read(
            lookups.read_shown, uuid_bytes(message_id), connection_id, answer_rows
        )
        if known is not None:
            self._report((known.message,))
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
        found = await self._pool.read(
            pages.read_owed, connection_id, gaps, after_seq, limit, self._page_bytes, answer_rows
        )
        self._report([message for message, _ in found])
        return found

    async def undelivered(
        self, connection_id: str, user_id: str, first_seq: int, last_seq: int, limit: int
    ) -> tuple[MessagePlace, ...]:
        return await self._pool.read(
            lookups.read_undelivered, connection_id, user_id, first_seq, last_seq, limit
        )

    async def stretches(self, lacks: Sequence[Lack]) -> tuple[Stretch, ...]:
        return await self._pool.read(stretches.read_stretches, lacks)

    async def newest_owed(
        self, owed: Mapping[str, Sequence[Gap]], most: int, oldest_ms: int
    ) -> dict[str, QueueCut]:
        return await self._pool.read(cuts.read_cuts, owed, most, oldest_ms)

    async def search(
        self,
        request: SearchRequest,
        limit: int,
        cursor: SearchCursor | None = None,
        answer_rows: int | None = None,
    ) -> SearchPage:
        """Where the index cannot be brought forward, what is in it is searched."""
        rooms = await self._pool.read(search.read_rooms, request.rooms)
        if rooms.is_behind:
            with contextlib.suppress(CommitFailed):
                await self._index_until(trio.current_time() + CATCH_UP_S, rooms.room_ids)
            rooms = await self._pool.read(search.read_rooms, request.rooms)
        found = await self._search_pool.read(
            search.find, request, rooms, limit, cursor, self._page_bytes, answer_rows
        )
        self._report([hit.message for hit in found.hits])
        return found

    def close(self) -> None:
        """Close the connections; those in use once they are given back."""
        self._pool.close()
        self._search_pool.close()

    def _report(self, messages: Iterable[Message]) -> None:
        """Report damaged messages to the witness."""
        for message in messages:
            if message.is_damaged and self.witness is not None:
                self.witness.damaged(Damaged("messages", message.connection_id, message.seq))

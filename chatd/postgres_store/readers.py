"""The history in PostgreSQL, as a `MessageReader`."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs
import trio

from chatd.chat.commits import CommitFailed
from chatd.postgres_store import cuts, lookups, pages, search, stretches
from chatd.postgres_store.reader_pool import READ_S, ReaderPool, pool_to_read
from chatd.postgres_store.sessions import LogAddress
from chatd.store.message_reader import (
    SearchCursor,
    SearchPage,
    SearchRequest,
)
from chatd.store.opening import SEARCH_THREADS
from chatd.store.pages import PAGE_BYTES
from chatd.store.question_reader import CATCH_UP_S, QuestionReader, Questions

READER_CONNECTIONS: Final = 4
"""Connections for pages and look-ups."""
SEARCH_CONNECTIONS: Final = SEARCH_THREADS
"""Connections for searches, which must not keep others from reading history: one for each search
that may run at once."""

IndexUntil = Callable[[float, Sequence[int]], Awaitable[None]]


@attrs.define(eq=False)
class PostgresReaders(QuestionReader):
    """Reads the log in PostgreSQL.

    `index_until` brings the index of rooms forward, at most until a time of Trio's clock.
    """

    _questions = Questions(
        page=pages.read_page,
        changed=pages.read_changed,
        changes=lookups.read_changes,
        written=lookups.read_written,
        message=lookups.read_message,
        shown=lookups.read_shown,
        has_thread=lookups.read_has_thread,
        answer_to=lookups.read_answer,
        owed=pages.read_owed,
        undelivered=lookups.read_undelivered,
        stretches=stretches.read_stretches,
        newest_owed=cuts.read_cuts,
    )
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

    async def search(
        self,
        request: SearchRequest,
        limit: int,
        cursor: SearchCursor | None = None,
        answer_rows: int | None = None,
    ) -> SearchPage:
        """If the index cannot be brought forward, the search uses what is in it."""
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

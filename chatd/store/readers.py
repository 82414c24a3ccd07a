"""The history in SQLite, as a `MessageReader`."""

import contextlib
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Container
from typing import TypeVar

import attrs
import trio

from chatd.chat.commits import CommitFailed
from chatd.chat.records import Message
from chatd.store import lookups, pages, search, threads
from chatd.store.damage import Damaged
from chatd.store.message_reader import (
    KnownMessage,
    SearchCursor,
    SearchPage,
    SearchRequest,
)
from chatd.store.question_reader import CATCH_UP_S, QuestionReader, Questions
from chatd.store.reader_pool import ReaderPool
from chatd.store.retention import Keep, Surplus, find_surplus

_T = TypeVar("_T")

SHOWN_DAMAGED_MAX = 10_000  # places of damaged messages known by the ids they were shown with


@attrs.define(eq=False)
class LogReaders(QuestionReader):
    """Reads the log in SQLite."""

    _questions = Questions(
        page=threads.read_page,
        changed=threads.read_changed,
        changes=lookups.read_changes,
        written=lookups.read_written,
        message=lookups.read_message,
        shown=threads.read_shown,
        has_thread=lookups.read_has_thread,
        answer_to=lookups.read_answer,
        owed=pages.read_owed,
        undelivered=lookups.read_undelivered,
        stretches=lookups.read_stretches,
        newest_owed=lookups.read_cuts,
    )
    _pool: ReaderPool
    _search_pool: ReaderPool
    # Brings the index forward until a time of Trio's clock at most.
    _index_until: Callable[[float], Awaitable[None]]
    _page_bytes: int = attrs.field(default=pages.PAGE_BYTES, kw_only=True)
    _search_s: float = attrs.field(default=search.SEARCH_S, kw_only=True)
    _shown_damaged_max: int = attrs.field(default=SHOWN_DAMAGED_MAX, kw_only=True)
    # For damaged messages, whose id may be in no index: room and seq by the id that was shown.
    _shown_damaged: OrderedDict[str, tuple[str, int]] = attrs.field(init=False, factory=OrderedDict)

    async def message(self, message_id: str, rooms: Container[str] | None = None) -> Message | None:
        """A damaged one has the id that it was shown with."""
        message = await super().message(message_id, rooms)
        place = self._shown_damaged.get(message_id)
        if message is None and place is not None and (rooms is None or place[0] in rooms):
            message = await self._pool.read(pages.read_at, *place)
            self._report(() if message is None else (message,))
        return message

    async def shown(
        self, message_id: str, connection_id: str, answer_rows: int | None = None
    ) -> KnownMessage | None:
        """A damaged one has the id that it was shown with."""
        known = await super().shown(message_id, connection_id, answer_rows)
        if known is None:
            damaged = await self.message(message_id, (connection_id,))
            return None if damaged is None else KnownMessage(damaged, is_delivered=False)
        return known

    async def search(
        self,
        request: SearchRequest,
        limit: int,
        cursor: SearchCursor | None = None,
        answer_rows: int | None = None,
    ) -> SearchPage:
        """If the disk does not let the index grow, what is in it is searched."""
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

    def _met_damaged(self, message: Message) -> None:
        """Remember by which id it is shown, too."""
        self._shown_damaged[message.message_id] = message.connection_id, message.seq
        if len(self._shown_damaged) > self._shown_damaged_max:
            self._shown_damaged.popitem(last=False)
        super()._met_damaged(message)

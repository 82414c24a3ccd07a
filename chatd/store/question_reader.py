"""What the readers of both logs have in common: which question each method asks, and that damage is
reported."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import attrs

from chatd.chat.ids import scoped_id
from chatd.chat.queue import Gap, QueueCut
from chatd.chat.reading import Lack, Stretch
from chatd.chat.records import Change, Message, MessagePlace
from chatd.store.damage import Damaged
from chatd.store.message_reader import (
    KnownMessage,
    MessageReader,
    Page,
    StoredAnswer,
    require_page,
)
from chatd.store.reader_pool import Witness
from chatd.store.rows import uuid_bytes

CATCH_UP_S = 1.0  # a search waits for the index no longer than this

Question = Callable[..., Any]
"""Gets a connection, and what is asked."""


@attrs.frozen
class Questions:
    """The question for each method of a `MessageReader`, by the name of the method. It has the
    arguments and the answer of the method, except that ids are keys, and bounds of a page come
    last."""

    page: Question
    changed: Question
    changes: Question
    written: Question
    message: Question
    shown: Question
    has_thread: Question
    answer_to: Question
    owed: Question
    undelivered: Question
    stretches: Question
    newest_owed: Question


class ReadingPool(Protocol):
    """Connections that read."""

    witness: Witness | None

    async def read(self, question: Question, *args: Any, **kwargs: Any) -> Any:
        """Ask `question` on a connection; its other arguments follow."""
        ...

    def close(self) -> None: ...


class QuestionReader(MessageReader):
    """Reads a log by `Questions`, through two pools: searches must not keep others from reading
    history.

    A broken row becomes a message that says so, in its place (`Message.is_damaged`).
    """

    _questions: ClassVar[Questions]
    _pool: ReadingPool
    _search_pool: ReadingPool
    _page_bytes: int

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
        page: Page = await self._pool.read(
            self._questions.page,
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
        page: Page = await self._pool.read(
            self._questions.changed, connection_id, after_rev, limit, self._page_bytes, answer_rows
        )
        self._report(page.messages)
        return page

    async def changes(
        self, connection_id: str, after_rev: int, up_to_rev: int
    ) -> tuple[Change, ...]:
        answer: tuple[Change, ...] = await self._pool.read(
            self._questions.changes, connection_id, after_rev, up_to_rev
        )
        return answer

    async def written(self, message_id: str, rooms: Container[str] | None = None) -> Message | None:
        answer: Message | None = await self._pool.read(
            self._questions.written, uuid_bytes(message_id), rooms
        )
        return answer

    async def message(self, message_id: str, rooms: Container[str] | None = None) -> Message | None:
        message: Message | None = await self._pool.read(
            self._questions.message, uuid_bytes(message_id), rooms
        )
        if message is not None:
            self._report((message,))
        return message

    async def shown(
        self, message_id: str, connection_id: str, answer_rows: int | None = None
    ) -> KnownMessage | None:
        known: KnownMessage | None = await self._pool.read(
            self._questions.shown, uuid_bytes(message_id), connection_id, answer_rows
        )
        if known is not None:
            self._report((known.message,))
        return known

    async def has_thread(self, connection_id: str, thread_id: str) -> bool:
        keys = opener_keys(thread_id, connection_id)
        answer: bool = await self._pool.read(self._questions.has_thread, connection_id, *keys)
        return answer

    async def answer_to(
        self, question_id: str, rooms: Container[str] | None = None
    ) -> StoredAnswer | None:
        answer: StoredAnswer | None = await self._pool.read(
            self._questions.answer_to, uuid_bytes(question_id), rooms
        )
        return answer

    async def owed(
        self,
        connection_id: str,
        gaps: Sequence[Gap],
        after_seq: int,
        limit: int,
        answer_rows: int | None = None,
    ) -> tuple[tuple[Message, bool], ...]:
        owed: tuple[tuple[Message, bool], ...] = await self._pool.read(
            self._questions.owed,
            connection_id,
            gaps,
            after_seq,
            limit,
            self._page_bytes,
            answer_rows,
        )
        self._report([message for message, _ in owed])
        return owed

    async def undelivered(
        self, connection_id: str, user_id: str, first_seq: int, last_seq: int, limit: int
    ) -> tuple[MessagePlace, ...]:
        answer: tuple[MessagePlace, ...] = await self._pool.read(
            self._questions.undelivered, connection_id, user_id, first_seq, last_seq, limit
        )
        return answer

    async def stretches(self, lacks: Sequence[Lack]) -> tuple[Stretch, ...]:
        answer: tuple[Stretch, ...] = await self._pool.read(self._questions.stretches, lacks)
        return answer

    async def newest_owed(
        self, owed: Mapping[str, Sequence[Gap]], most: int, oldest_ms: int
    ) -> dict[str, QueueCut]:
        answer: dict[str, QueueCut] = await self._pool.read(
            self._questions.newest_owed, owed, most, oldest_ms
        )
        return answer

    def close(self) -> None:
        """Close the connections; those in use once they are given back."""
        self._pool.close()
        self._search_pool.close()

    def _report(self, messages: Iterable[Message]) -> None:
        """Report damaged messages to the witness."""
        for message in messages:
            if message.is_damaged:
                self._met_damaged(message)

    def _met_damaged(self, message: Message) -> None:
        if self.witness is not None:
            self.witness.damaged(Damaged("messages", message.connection_id, message.seq))


def opener_keys(thread_id: str, connection_id: str) -> tuple[bytes, bytes]:
    """The keys that the opener of a thread in a room may have."""
    return uuid_bytes(thread_id), uuid_bytes(scoped_id(thread_id, connection_id))

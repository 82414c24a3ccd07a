"""`chat:history:get` and `chat:message:get` from clients: pages of a room, and its messages."""

from functools import partial

import attrs
import orjson

from chatd.chat.content import canonical_message_id
from chatd.chat.records import Message
from chatd.chat.rendering import Renderer
from chatd.service.acks import Outcome
from chatd.service.answer_rows import check_answer_rows
from chatd.service.client import Client
from chatd.service.commands import Commands
from chatd.service.rendering import render_in_turns, telling_replies
from chatd.service.routes import JOINED, PERMITTED, Route, Routes
from chatd.store import KnownMessage, MessageReader, Page, StoreReadFailed
from chatd.wire.acks import HistoryAck, MessageGetAck
from chatd.wire.codes import Code, Refusal
from chatd.wire.events import RoomHistory
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import HistoryGet, MessageGet

PAGE_DEFAULT = 50  # messages of a page whose request names no limit


@attrs.define(eq=False)
class HistoryEvents:
    """Pages and messages for clients. `page_max`: the most messages of one page."""

    _commands: Commands
    _messages: MessageReader
    _render: Renderer
    _page_max: int = attrs.field(kw_only=True)

    def routes(self) -> Routes:
        return {
            ClientEvent.HISTORY_GET: Route(
                HistoryGet, self.page, self.read, JOINED, is_query=True, as_event=_history
            ),
            ClientEvent.MESSAGE_GET: Route(
                MessageGet, self.message, self.read_message, PERMITTED, is_query=True
            ),
        }

    def read(self, client: Client, wanted: HistoryGet, ack_id: int | None) -> HistoryGet | Refusal:
        if wanted.before is not None and wanted.after is not None:
            sentence = "A page is before a seq or after one, not both."
            return Refusal(Code.INVALID_PAYLOAD, sentence, path="after")
        bounds = {"before": wanted.before, "after": wanted.after, "threadId": wanted.thread_id}
        if wanted.changed_after is not None and set(bounds.values()) != {None}:
            sentence = "A page of what was changed has no other bound, and is of no thread."
            return Refusal(Code.INVALID_PAYLOAD, sentence, path="changedAfter")
        numbers = (
            ("before", wanted.before),
            ("after", wanted.after),
            ("changedAfter", wanted.changed_after),
        )
        for name, number in numbers:
            if number is not None and number < 0:
                return Refusal(Code.INVALID_PAYLOAD, path=name)
        if wanted.limit is not None and not 1 <= wanted.limit <= self._page_max:
            sentence = f"limit is 1 to {self._page_max}."
            return Refusal(Code.INVALID_PAYLOAD, sentence, path="limit")
        if wanted.thread_id is not None and isinstance(
            canonical_message_id(wanted.thread_id), Refusal
        ):
            return Refusal(Code.UNKNOWN_THREAD, path="threadId")
        return check_answer_rows(wanted.answer_rows) or wanted

    async def page(self, client: Client, wanted: HistoryGet, ack_id: int | None) -> Outcome:
        """The page as the ack; a client that asked for no ack gets it as `chat:history`."""
        room = wanted.connection_id
        thread_id = None if wanted.thread_id is None else wanted.thread_id.lower()
        await client.drained()
        try:
            page = await self._read_page(wanted, thread_id)
            if thread_id is not None and not page.messages:
                await self._commands.barrier(client)  # its opener may be on its way into the log
                if not await self._messages.has_thread(room, thread_id):
                    return Refusal(Code.UNKNOWN_THREAD, path="threadId", connection_id=room)
        except StoreReadFailed:
            return Refusal(Code.STORAGE_READ_ERROR)
        bodies = await render_in_turns(page.messages, partial(self._on_page, page))
        history = RoomHistory(
            room,
            list(map(orjson.Fragment, bodies)),
            page.has_more,
            page.first_seq,
            page.last_seq,
            page.last_rev,
            root=None if page.root is None else self._known(page.root),
        )
        return HistoryAck(history=history)

    async def _read_page(self, wanted: HistoryGet, thread_id: str | None) -> Page:
        limit = wanted.limit or min(PAGE_DEFAULT, self._page_max)
        if wanted.changed_after is not None:
            return await self._messages.changed(
                wanted.connection_id, wanted.changed_after, limit, wanted.answer_rows
            )
        return await self._messages.page(
            wanted.connection_id,
            before=wanted.before,
            after=wanted.after,
            limit=limit,
            thread_id=thread_id,
            answer_rows=wanted.answer_rows,
        )

    def _on_page(self, page: Page, message: Message) -> bytes:
        body = self._render(message, message.seq in page.delivered)
        return telling_replies(body, page.replies.get(message.seq))

    def _known(self, known: KnownMessage) -> orjson.Fragment:
        body = self._render(known.message, known.is_delivered)
        return orjson.Fragment(telling_replies(body, known.replies))

    def read_message(
        self, client: Client, wanted: MessageGet, ack_id: int | None
    ) -> MessageGet | Refusal:
        message_id = canonical_message_id(wanted.message_id)
        if isinstance(message_id, Refusal):
            return message_id
        return check_answer_rows(wanted.answer_rows) or attrs.evolve(wanted, message_id=message_id)

    async def message(self, client: Client, wanted: MessageGet, ack_id: int | None) -> Outcome:
        """One message as the ack; there is no event for it."""
        await client.drained()
        try:
            known = await self._look_up(wanted)
            if known is None:
                await self._commands.barrier(client)  # it may be on its way into the log
                known = await self._look_up(wanted)
        except StoreReadFailed:
            return Refusal(Code.STORAGE_READ_ERROR)
        if known is None:
            return Refusal(Code.NOT_FOUND, path="messageId")
        return MessageGetAck(message=self._known(known))

    async def _look_up(self, wanted: MessageGet) -> KnownMessage | None:
        return await self._messages.shown(
            wanted.message_id, wanted.connection_id, wanted.answer_rows
        )


def _history(ack: HistoryAck) -> RoomHistory:
    return ack.history

"""`chat:history:get` from clients: pages of a room."""

import attrs
import orjson

from chatd.chat.content import canonical_message_id
from chatd.chat.rendering import Renderer
from chatd.service.acks import Outcome
from chatd.service.client import Client
from chatd.service.commands import Commands
from chatd.service.rendering import render_in_turns
from chatd.sockets.emitter import event_packet
from chatd.store import MessageReader, Page, StoreReadFailed
from chatd.wire.acks import HistoryAck
from chatd.wire.codes import Code, Refusal
from chatd.wire.events import RoomHistory
from chatd.wire.payloads import HistoryGet

PAGE_DEFAULT = 50  # messages of a page whose request names no limit


@attrs.define(eq=False)
class HistoryEvents:
    """Pages for clients. `page_max`: the most messages of one page."""

    _commands: Commands
    _messages: MessageReader
    _render: Renderer
    _page_max: int = attrs.field(kw_only=True)

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
        return wanted

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
        bodies = await render_in_turns(
            page.messages, lambda one: self._render(one, one.seq in page.delivered)
        )
        history = RoomHistory(
            room,
            list(map(orjson.Fragment, bodies)),
            page.has_more,
            page.first_seq,
            page.last_seq,
            page.last_rev,
        )
        if ack_id is not None:
            return HistoryAck(history=history)
        client.send_catch_up(event_packet(history))
        return None

    async def _read_page(self, wanted: HistoryGet, thread_id: str | None) -> Page:
        limit = wanted.limit or min(PAGE_DEFAULT, self._page_max)
        if wanted.changed_after is not None:
            return await self._messages.changed(wanted.connection_id, wanted.changed_after, limit)
        return await self._messages.page(
            wanted.connection_id,
            before=wanted.before,
            after=wanted.after,
            limit=limit,
            thread_id=thread_id,
        )

"""`chat:search` from clients: only in rooms that they may use, best first."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import partial
from hashlib import blake2b

import attrs
import orjson

from chatd.actors.fair_queue import FairQueue
from chatd.chat.rendering import Renderer
from chatd.chat.search import parse_query
from chatd.chat.snippets import snippet
from chatd.observe import EventLog, LimitHit
from chatd.service.acks import Handled, Outcome
from chatd.service.answer_rows import check_answer_rows
from chatd.service.client import Client
from chatd.service.rendering import render_in_turns, telling_replies
from chatd.service.rooms import Rooms
from chatd.service.routes import PERMITTED, Route, Routes
from chatd.store import (
    MessageReader,
    SearchCursor,
    SearchHit,
    SearchPage,
    SearchRequest,
    SearchTooBroad,
    StoreClosed,
    StoreReadFailed,
)
from chatd.store.opening import SEARCH_THREADS
from chatd.wire.acks import FoundMessage, SearchAck
from chatd.wire.codes import Code, Refusal
from chatd.wire.converter import SAFE_INTEGER
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import ChatSearch

HITS_DEFAULT = 20  # hits of a page that does not say how many
HITS_MAX = 50  # hits of one page; more: invalid_payload
CURSOR_CHARS_MAX = 200  # of a cursor; what comes after them is not looked at


@attrs.define(eq=False)
class SearchEvents:
    """Searches for clients, who take turns at it."""

    _messages: MessageReader
    _rooms: Rooms
    _render: Renderer
    _event_log: EventLog
    # As many at once as there are threads, so that no search waits for one.
    _turns: FairQueue = attrs.field(init=False, factory=lambda: FairQueue(SEARCH_THREADS))

    def routes(self) -> Routes:
        # The handler joins by itself, once the query has been read.
        return {
            ClientEvent.SEARCH: Route(ChatSearch, self.search, self.read, PERMITTED, is_query=True),
        }

    def read(self, client: Client, asked: ChatSearch, ack_id: int | None) -> ChatSearch | Refusal:
        if asked.limit is not None and not 1 <= asked.limit <= HITS_MAX:
            return Refusal(Code.INVALID_PAYLOAD, f"limit is 1 to {HITS_MAX}.", path="limit")
        return check_answer_rows(asked.answer_rows) or asked

    def search(self, client: Client, asked: ChatSearch, ack_id: int | None) -> Handled:
        query = parse_query(asked.query)
        if isinstance(query, Refusal):
            return query
        cursor = None if asked.cursor is None else _read_cursor(asked, asked.cursor)
        if isinstance(cursor, Refusal):
            return cursor
        if ack_id is None:
            return None  # there is no event for hits
        rooms = tuple(client.grants) if asked.connection_id is None else (asked.connection_id,)
        wanted = SearchRequest(query, rooms, asked.user_id, asked.before, asked.after)
        if asked.connection_id is None:
            return self._search(client, asked, wanted, cursor)
        search = partial(self._search, client, asked, wanted, cursor)
        return self._rooms.enter_first(client, asked.connection_id, search)

    async def _search(
        self, client: Client, asked: ChatSearch, wanted: SearchRequest, cursor: SearchCursor | None
    ) -> Outcome:
        await client.drained()
        found = await self._find_in_turn(client.user_id, asked, wanted, cursor)
        if isinstance(found, Refusal):
            return found
        # The rooms that the client may use may have changed meanwhile.
        permitted = (hit for hit in found.hits if hit.message.connection_id in client.grants)
        hits = await render_in_turns(permitted, self._rendered)
        next_cursor = None if found.cursor is None else _write_cursor(asked, found.cursor)
        return SearchAck(hits=hits, cursor=next_cursor, incomplete=found.is_incomplete or None)

    async def _find_in_turn(
        self, user_id: str, asked: ChatSearch, wanted: SearchRequest, cursor: SearchCursor | None
    ) -> SearchPage | Refusal:
        wait_ms = await self._turns.acquire(user_id)
        if wait_ms is not None:
            self._event_log.record(LimitHit("searches", user_id, None))
            return Refusal(Code.OVERLOADED, retry_after_ms=wait_ms)
        try:
            return await self._messages.search(
                wanted, asked.limit or HITS_DEFAULT, cursor, asked.answer_rows
            )
        except SearchTooBroad:
            sentence = "Too much matches this to be put in order; use rarer words."
            return Refusal(Code.OVERLOADED, sentence)
        except (StoreReadFailed, StoreClosed):
            return Refusal(Code.STORAGE_READ_ERROR)
        finally:
            self._turns.release(user_id)

    def _rendered(self, hit: SearchHit) -> FoundMessage:
        shown = snippet(hit.message.content, hit.matches, self._render.markup)
        body = telling_replies(self._render(hit.message, hit.is_delivered), hit.replies)
        return FoundMessage(orjson.Fragment(body), shown.text, shown.highlights)


def _question(asked: ChatSearch) -> str:
    """What a cursor belongs to: a page of another search has another order."""
    parts = (asked.query, asked.connection_id, asked.user_id, asked.before, asked.after)
    return blake2b(orjson.dumps(parts), digest_size=6).hexdigest()


def _write_cursor(asked: ChatSearch, cursor: SearchCursor) -> str:
    parts = (*attrs.astuple(cursor), _question(asked))
    return urlsafe_b64encode(orjson.dumps(parts)).decode()


def _read_cursor(asked: ChatSearch, cursor: str) -> SearchCursor | Refusal:
    try:
        *places, question = orjson.loads(urlsafe_b64decode(cursor[:CURSOR_CHARS_MAX]))
    except (ValueError, TypeError):
        places, question = [], None
    if len(places) == 3 and all(map(_is_place, places)) and question == _question(asked):
        return SearchCursor(*places)
    sentence = "This cursor is not one of this search; begin without one."
    return Refusal(Code.INVALID_QUERY, sentence, path="cursor")


def _is_place(value: object) -> bool:
    return type(value) is int and 0 <= value <= SAFE_INTEGER

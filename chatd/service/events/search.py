"""`chat:search` from clients: only in rooms that they may use, best first (SPEC 3)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import partial
from hashlib import blake2b

import attrs
import orjson
import trio

from chatd.actors.fair_queue import FairQueue
from chatd.chat.markup import Markup
from chatd.chat.rendering import message_json
from chatd.chat.search import parse_query
from chatd.chat.snippets import snippet
from chatd.engine.throttle import Work
from chatd.service.acks import refused, told_back
from chatd.service.catch_up import RENDERED_PER_TURN
from chatd.service.clients import Client
from chatd.service.events.rooms import RoomEvents
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
from chatd.wire.codes import Code, Refusal
from chatd.wire.converter import SAFE_INTEGER, structure
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import ChatSearch

HITS_DEFAULT = 20  # hits of a page that does not say how many
HITS_MAX = 50  # hits of one page; more: invalid_payload
CURSOR_CHARS_MAX = 200  # of a cursor; what is behind is not looked at


class SearchEvents:
    """Searches for clients, who take turns at it."""

    def __init__(self, reader: MessageReader, rooms: RoomEvents, markup: Markup) -> None:
        self._reader = reader
        self._rooms = rooms
        self._markup = markup
        self._turns = FairQueue(SEARCH_THREADS)  # so that none waits for a thread

    def search_event(self, client: Client, payload: object, ack_id: int | None) -> Work | None:
        asked = structure(payload, ChatSearch)
        refusal = asked if isinstance(asked, Refusal) else _check(client, asked)
        if refusal is not None:
            room = payload.get("connectionId") if isinstance(payload, dict) else None
            told = told_back(room)
            refused(client.socket, ClientEvent.SEARCH, ack_id, refusal, connection_id=told)
            return None
        assert not isinstance(asked, Refusal)
        query = parse_query(asked.query)
        cursor = None if asked.cursor is None else _read_cursor(asked)
        for problem in (query, cursor):
            if isinstance(problem, Refusal):
                refused(client.socket, ClientEvent.SEARCH, ack_id, problem)
                return None
        if ack_id is None:
            return None  # there is nobody to be told
        assert not isinstance(query, Refusal)
        assert not isinstance(cursor, Refusal)
        rooms = tuple(client.grants) if asked.connection_id is None else (asked.connection_id,)
        wanted = SearchRequest(query, rooms, asked.user_id, asked.before, asked.after)
        answer = partial(self._answer, client, asked, wanted, cursor, ack_id)
        if asked.connection_id is None:
            return answer()
        event = ClientEvent.SEARCH
        return self._rooms.once_in(client, asked.connection_id, event, ack_id, answer)

    async def _answer(
        self,
        client: Client,
        asked: ChatSearch,
        wanted: SearchRequest,
        cursor: SearchCursor | None,
        ack_id: int,
    ) -> None:
        socket = client.socket
        await socket.session.transport.caught_up()
        found = await self._find_in_turn(client.identity.user_id, asked, wanted, cursor)
        if isinstance(found, Refusal):
            refused(socket, ClientEvent.SEARCH, ack_id, found)
            return
        hits = []
        for count, hit in enumerate(found.hits, 1):
            if hit.message.connection_id in client.grants:  # they may have changed meanwhile
                hits.append(self._rendered(hit))
            if count % RENDERED_PER_TURN == 0:
                await trio.lowlevel.checkpoint()
        answer = {"ok": True, "hits": hits}
        if found.cursor is not None:
            answer["cursor"] = _write_cursor(asked, found.cursor)
        payload = orjson.dumps(answer)
        socket.session.transport.allow(len(payload))
        socket.ack_json(ack_id, payload)

    async def _find_in_turn(
        self, user_id: str, asked: ChatSearch, wanted: SearchRequest, cursor: SearchCursor | None
    ) -> SearchPage | Refusal:
        wait_ms = await self._turns.take(user_id)
        if wait_ms is not None:
            return Refusal(Code.OVERLOADED, retry_after_ms=wait_ms)
        try:
            return await self._reader.search(wanted, asked.limit or HITS_DEFAULT, cursor)
        except SearchTooBroad:
            sentence = "Too much matches this to be put in order; use rarer words."
            return Refusal(Code.OVERLOADED, sentence)
        except (StoreReadFailed, StoreClosed):
            return Refusal(Code.STORAGE_READ_ERROR)
        finally:
            self._turns.leave(user_id)

    def _rendered(self, hit: SearchHit) -> dict[str, object]:
        shown = snippet(hit.message.content, hit.matches, self._markup)
        return {
            "message": orjson.Fragment(message_json(hit.message, self._markup, hit.is_delivered)),
            "snippet": shown.text,
            "highlights": shown.highlights,
        }


def _check(client: Client, asked: ChatSearch) -> Refusal | None:
    if asked.limit is not None and not 1 <= asked.limit <= HITS_MAX:
        return Refusal(Code.INVALID_PAYLOAD, f"limit is 1 to {HITS_MAX}.", path="limit")
    if asked.connection_id is not None and asked.connection_id not in client.grants:
        return Refusal(Code.FORBIDDEN_ROOM, path="connectionId")
    return None


def _question(asked: ChatSearch) -> str:
    """What a cursor belongs to: a page of another search has another order."""
    parts = (asked.query, asked.connection_id, asked.user_id, asked.before, asked.after)
    return blake2b(orjson.dumps(parts), digest_size=6).hexdigest()


def _write_cursor(asked: ChatSearch, cursor: SearchCursor) -> str:
    parts = (*attrs.astuple(cursor), _question(asked))
    return urlsafe_b64encode(orjson.dumps(parts)).decode()


def _read_cursor(asked: ChatSearch) -> SearchCursor | Refusal:
    assert asked.cursor is not None
    try:
        *places, question = orjson.loads(urlsafe_b64decode(asked.cursor[:CURSOR_CHARS_MAX]))
    except (ValueError, TypeError):
        places, question = [], None
    if len(places) == 3 and all(map(_is_place, places)) and question == _question(asked):
        return SearchCursor(*places)
    sentence = "This cursor is not one of this search; begin without one."
    return Refusal(Code.INVALID_QUERY, sentence, path="cursor")


def _is_place(value: object) -> bool:
    return type(value) is int and 0 <= value <= SAFE_INTEGER

"""Rooms over HTTP, for bots and back ends: `/api/rooms/{connectionId}/...` (docs/http).

    POST messages    as chat:message; the messageId is the Idempotency-Key
    GET  messages    as chat:history:get
    GET  search      as chat:search, in this room
    GET  events      what the room gets, as server-sent events (`event_streams`)

A request has a token as Bearer: a user's, or one of the configuration. No cookie is read, so that
no stranger's page acts for anybody. What a request asks for is an event of a socket, and goes the
same way (`dispatch`); this module has only what is HTTP's: methods, headers, statuses.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import attrs

from chatd.auth import Admitted, Authenticator, Bots, Credentials
from chatd.net.http.app import (
    Headers,
    HttpRoute,
    Request,
    Response,
    refusal,
)
from chatd.net.http.cors import CorsPolicy
from chatd.observe.ids import new_uuid
from chatd.service.delivery import Delivery
from chatd.service.event_streams import STREAM_HEADERS, EventStreams
from chatd.service.http_payloads import MESSAGE_ID, is_json, read_body, read_query
from chatd.service.http_refusals import refused
from chatd.service.request_client import HTTP_LOG_ID, RequestClient
from chatd.service.request_clients import RequestClients
from chatd.service.rooms import forbidden
from chatd.sockets.connection import Application
from chatd.wire.acks import AckPayload, HistoryAck, MessageAck
from chatd.wire.codes import Code, Refusal
from chatd.wire.encoder import encode
from chatd.wire.names import ClientEvent
from chatd.wire.over_http import HttpHistory
from chatd.wire.payloads import ChatSearch, HistoryGet

ROOMS_PATH: Final = "/api/rooms/"
MESSAGES: Final = "/messages"
EVENTS: Final = "/events"
PIECE_BYTES: Final = 65_536  # of a response, as it is handed on

_PATH: Final = re.compile(r"/api/rooms/(.+)/(messages|search|events)", re.DOTALL)
_GUARDED: Final[Headers] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_JSON: Final = (b"content-type", b"application/json")
_HOW: Final = "Send a token as `Authorization: Bearer ...`."
_NOWHERE: Final = "Of a room there are messages, search and events at this path."
_NO_READING: Final = "This token may not read; give it that right in api.tokens."
_NO_WRITING: Final = "This token may not write; give it that right in api.tokens."


class _Refused(Exception):
    def __init__(self, why: Refusal) -> None:
        super().__init__()
        self.why = why


@attrs.define(eq=False)
class RoomApi:
    """The routes below `/api/rooms/`. `is_draining` says whether the daemon is about to end."""

    _app: Application
    _authenticator: Authenticator
    _bots: Bots
    _request_clients: RequestClients
    _streams: EventStreams
    _origins: CorsPolicy
    _is_draining: Callable[[], bool]
    _epoch: str = attrs.field(kw_only=True)
    _max_body_bytes: int = attrs.field(kw_only=True)

    def route(self) -> HttpRoute:
        """All of them, as one route."""
        return HttpRoute(
            self._answer,
            methods_at=_methods_at,
            max_body_bytes=self._max_body_bytes,
            cors=self._origins,
            headers=_GUARDED,
            asks_with=("authorization", "content-type", "idempotency-key", "last-event-id"),
            is_live=lambda path: path.endswith(EVENTS),
            denial_of=self._judge,
        )

    async def _judge(self, request: Request) -> Response | None:
        """The answer to a stranger, None for a user: a large body is read only of a user."""
        try:
            await self._admitted(request, request.arrival(self._origins).address)
        except _Refused as error:
            return refused(error.why)
        return None

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._respond(request)
        except _Refused as error:
            return refused(error.why)

    async def _respond(self, request: Request) -> Response:
        asked = _PATH.fullmatch(request.path)
        if asked is None:
            return refused(Refusal(Code.NOT_FOUND, _NOWHERE))
        room, what = asked[1], asked[2]
        if self._is_draining():
            raise _Refused(Refusal(Code.DRAINING))
        address = request.arrival(self._origins).address
        admitted = await self._admitted(request, address)
        limited = self._request_clients.spend_request(admitted.identity.user_id)
        if limited is not None:
            raise _Refused(limited)
        if room not in admitted.grants:
            raise _Refused(forbidden(room))
        if what == "events":
            return self._stream(request, address, room)
        client = self._request_clients.begin(admitted, address, room)
        if isinstance(client, Refusal):
            raise _Refused(client)
        response = None
        try:
            response = await self._carry_out(request, client, room, what)
        finally:
            if response is None:
                self._request_clients.end(client)
        return self._delivered(response, client)

    async def _admitted(self, request: Request, address: str) -> Admitted:
        authorization = request.header(b"authorization")
        admitted = await self._authenticator.authenticate(
            Credentials(address, HTTP_LOG_ID, authorization=authorization)
        )
        if isinstance(admitted, Refusal):
            if admitted.code is Code.UNAUTHORIZED:
                admitted = attrs.evolve(admitted, message=_HOW)
            raise _Refused(admitted)
        bot = self._bots.by_user.get(admitted.identity.user_id)
        is_writing = request.method == "POST"
        if bot is not None and not (bot.can_write if is_writing else bot.can_read):
            raise _Refused(Refusal(Code.FORBIDDEN, _NO_WRITING if is_writing else _NO_READING))
        return admitted

    async def _carry_out(
        self, request: Request, client: RequestClient, room: str, what: str
    ) -> Response:
        """The answer to what the request asks for."""
        if request.method == "POST":
            if not is_json(request.header(b"content-type")):
                sentence = "Send JSON, with Content-Type: application/json."
                return refusal(415, "unsupported_media_type", sentence)
            event, written = ClientEvent.CHAT_MESSAGE, _message(request, room)
        elif what == "messages":
            event = ClientEvent.HISTORY_GET
            written = read_query(request.query, HistoryGet, room)
        else:
            event = ClientEvent.SEARCH
            written = read_query(request.query, ChatSearch, room)
        if isinstance(written, Refusal):
            return refused(written)
        client.allowance.give_event_back()  # the dispatcher counts it
        # Whether the client still waits is not asked: what it sent is stored all the same, and its
        # key tells; and a client that has closed its side alone gets its answer.
        answer = await client.ask(self._app, event, written)
        if isinstance(answer, Refusal):
            return refused(answer)
        response = self._carried_out(answer)
        assert isinstance(response.body, bytes)
        full = client.place.owe(len(response.body))
        # What was sent is stored: its sender learns that, and an ack is small.
        return response if full is None or request.method == "POST" else refused(full)

    def _carried_out(self, answer: AckPayload) -> Response:
        status = 200
        if isinstance(answer, MessageAck) and answer.sent.duplicate is None:
            status = 201
        if isinstance(answer, HistoryAck):
            answer = HttpHistory(history=answer.history, ignored=answer.ignored, epoch=self._epoch)
        return Response(status, (_JSON,), encode(answer))

    def _delivered(self, response: Response, client: RequestClient) -> Response:
        """The response; its client counts until it was sent."""
        body = response.body
        assert isinstance(body, bytes)
        pieces = (body[at : at + PIECE_BYTES] for at in range(0, len(body), PIECE_BYTES))
        length = (b"content-length", b"%d" % len(body))
        sent = Delivery(pieces, lambda _is_sent, _bytes: self._request_clients.end(client))
        return Response(response.status, (*response.headers, length), sent)

    def _stream(self, request: Request, address: str, room: str) -> Response:
        async def judge() -> Admitted | Refusal:
            try:
                admitted = await self._admitted(request, address)
            except _Refused as error:
                return error.why
            return admitted if room in admitted.grants else forbidden(room)

        if request.method == "HEAD":
            return Response(200, STREAM_HEADERS, iter(()))  # without a length, as the stream
        last_id = request.header(b"last-event-id")
        stream = self._streams.stream(judge, address, room, last_id)
        return Response(200, STREAM_HEADERS, stream)


def _methods_at(path: str) -> frozenset[str]:
    return frozenset({"GET", "POST"} if path.endswith(MESSAGES) else {"GET"})


def _message(request: Request, room: str) -> dict[str, Any] | Refusal:
    """The payload of the message; one without a messageId gets a new one."""
    written = read_body(request.body, room, request.header(b"idempotency-key"))
    if not isinstance(written, Refusal) and written.get(MESSAGE_ID) is None:
        written[MESSAGE_ID] = new_uuid()
    return written

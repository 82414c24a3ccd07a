"""Answers as files: `GET /api/answers/{messageId}.csv|json|md|ndjson|xlsx`
(docs/answers, "Export").

A request has a token as Bearer, or a ticket from `POST /api/answers/{messageId}/ticket` in its
query. The directory is asked for the room each time. An answer that is not there, or that the user
may not see, is not found. Bad tokens back off per address, together with those of handshakes. What
a file holds is `export_files`.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qs

import attrs
import trio

from chatd.answers.exports import FORMATS
from chatd.answers.stored_table import StoredTable
from chatd.auth import (
    Admitted,
    Authenticator,
    Credentials,
    Directory,
    DirectoryFailed,
    Grant,
    Identity,
    pick_token,
)
from chatd.chat.records import Message
from chatd.net.http.app import (
    Headers,
    HttpRoute,
    Request,
    Response,
    json_response,
    method_not_allowed,
)
from chatd.net.http.cors import CorsPolicy
from chatd.observe.clock import Clock
from chatd.service.delivery import Delivery
from chatd.service.download_tickets import TICKET_S, DownloadTickets
from chatd.service.export_files import ExportFiles, FileWanted
from chatd.service.http_refusals import refused
from chatd.service.request_clients import RequestClients
from chatd.service.request_places import Placed, RequestPlace
from chatd.store import MessageReader, StoreClosed, StoreReadFailed
from chatd.wire.codes import Code, Refusal

ANSWERS_PATH = "/api/answers/"
QUERY_BYTES_MAX = 4_096  # of a request; beyond: none of it counts, and there is no ticket

_FILE = re.compile(r"/api/answers/([0-9A-Fa-f-]{36})\.([a-z]+)")
_TICKET = re.compile(r"/api/answers/([0-9A-Fa-f-]{36})/ticket")
_GUARDED: Headers = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_HOW = "Send the token as `Authorization: Bearer ...`, or a ticket."
_VOID = "This ticket is not good any more."
_KINDS = "An answer is exported as .csv, .json, .md, .ndjson or .xlsx."
_DAMAGED = "This answer cannot be read: its record on the server's disk is damaged."


class _Refused(Exception):
    def __init__(self, why: Refusal) -> None:
        super().__init__()
        self.why = why


@attrs.define(eq=False)
class Downloads:
    """The routes below `/api/answers/`."""

    _authenticator: Authenticator
    _directory: Directory
    _log: MessageReader
    _files: ExportFiles
    _origins: CorsPolicy
    _tickets: DownloadTickets
    _request_clients: RequestClients
    _clock: Clock

    def replace_directory(self, directory: Directory) -> None:
        """The rooms of users are asked of this one from now on."""
        self._directory = directory

    def route(self) -> HttpRoute:
        """All of them, as one route."""
        methods = frozenset({"GET", "POST"})
        return HttpRoute(
            self._answer, methods, max_body_bytes=0, cors=self._origins, headers=_GUARDED
        )

    async def _answer(self, request: Request) -> Response:
        try:
            if ticket := _TICKET.fullmatch(request.path):
                if request.method != "POST":
                    return method_not_allowed(["POST"])
                return await self._give_ticket(request, ticket[1].lower())
            if file := _FILE.fullmatch(request.path):
                if request.method == "POST":
                    return method_not_allowed(["GET", "HEAD"])
                return await self._send_file(request, file[1].lower(), file[2])
        except _Refused as error:
            return refused(error.why)
        except (StoreReadFailed, StoreClosed):
            return refused(Refusal(Code.STORAGE_READ_ERROR))
        return refused(Refusal(Code.NOT_FOUND, _KINDS))

    async def _give_ticket(self, request: Request, message_id: str) -> Response:
        admitted = await self._admitted(request)
        self._count(admitted.identity.user_id)
        message = await self._find(message_id, admitted.grants)
        why_not = _table_of(message).refusal
        if why_not is not None:
            raise _Refused(why_not)
        now_s = trio.current_time()
        room = message.connection_id
        may_write = admitted.grants[room].may_write
        ticket = self._tickets.give(message_id, room, admitted.identity, now_s, may_write=may_write)
        body = {"ticket": ticket, "expiresInMs": round(TICKET_S * 1000)}
        return json_response(201, body)

    async def _send_file(self, request: Request, message_id: str, name: str) -> Response:
        ticket = _asked(request, "ticket")
        if ticket is None:
            admitted = await self._admitted(request)
            return await self._answer_user(
                request, message_id, name, admitted.identity, admitted.grants
            )
        is_real = name in FORMATS and request.method == "GET"
        identity = await self._of_ticket(request, message_id, ticket, use=is_real)
        response = None
        try:
            rooms = await self._grants(identity)
            response = await self._answer_user(request, message_id, name, identity, rooms)
        finally:
            if is_real and (response is None or response.status != 200):
                self._tickets.give_back(ticket)  # no file came of it
        return response

    async def _answer_user(
        self,
        request: Request,
        message_id: str,
        name: str,
        identity: Identity,
        rooms: Mapping[str, Grant],
    ) -> Response:
        """The file for a user who may use these rooms."""
        self._count(identity.user_id)
        if name not in FORMATS:
            raise _Refused(Refusal(Code.NOT_FOUND, _KINDS))
        address = request.arrival(self._origins).address
        place = self._request_clients.places.take(identity.user_id, address)
        if isinstance(place, Refusal):
            raise _Refused(place)
        response = None
        try:
            message = await self._find(message_id, rooms)
            response = await self._file_of(message, name, request, rooms, place)
        finally:
            if response is None or not isinstance(response.body, Delivery):
                place.give_back()
        if isinstance(response.body, Delivery):
            return attrs.evolve(response, body=Placed(response.body, place))
        return response

    async def _file_of(
        self,
        message: Message,
        name: str,
        request: Request,
        rooms: Mapping[str, Grant],
        place: RequestPlace,
    ) -> Response:
        """The answer in a message as a file. While the client reads it, only those bytes of the
        answer are held that `place` counts."""
        table = _table_of(message)
        full = place.owe(table.rows.size_bytes)
        if full is not None:
            raise _Refused(full)
        if request.method != "HEAD":
            limited = self._request_clients.spend_download(place.user_id)
            if limited is not None:
                raise _Refused(limited)
        wanted = FileWanted(
            name,
            is_head=request.method == "HEAD",
            has_byte_order_mark=_is_set(request, "bom"),
            # A viewer may not have the database run anything.
            only_stored=_is_set(request, "stored") or not rooms[message.connection_id].may_write,
        )
        without_answer = attrs.evolve(message, answer=None)  # the table has it
        outcome = await self._files.respond(
            wanted, without_answer, table, place.user_id, place.address, request.gone
        )
        return refused(outcome) if isinstance(outcome, Refusal) else outcome

    async def _of_ticket(
        self, request: Request, message_id: str, ticket: str, *, use: bool
    ) -> Identity:
        """The user of a ticket, which is used up if `use`."""
        # If a token comes with the ticket, the ticket has to be the same user's.
        shown = None if _bearer(request) is None else await self._admitted(request)
        now_s = trio.current_time()
        identity = self._tickets.look(ticket, message_id, now_s)
        if (
            identity is not None
            and shown is not None
            and shown.identity.user_id != identity.user_id
        ):
            raise _Refused(Refusal(Code.UNAUTHORIZED, _VOID))  # and it stays good
        if use:
            self._tickets.use(ticket, message_id, now_s)
        if identity is None or identity.expires_at_ms <= self._clock.wall_s() * 1000:
            raise _Refused(Refusal(Code.UNAUTHORIZED, _VOID))
        return identity

    async def _grants(self, identity: Identity) -> Mapping[str, Grant]:
        try:
            return await self._directory.grants(identity)
        except DirectoryFailed as error:
            raise _Refused(Refusal(Code.DIRECTORY_UNAVAILABLE, str(error))) from error

    def _count(self, user_id: str) -> None:
        """Count a request, whatever it comes to."""
        limited = self._request_clients.spend_request(user_id)
        if limited is not None:
            raise _Refused(limited)

    async def _admitted(self, request: Request) -> Admitted:
        address = request.arrival(self._origins).address
        authorization = request.header(b"authorization")
        admitted = await self._authenticator.authenticate(
            Credentials(address, "http", authorization=authorization)
        )
        if isinstance(admitted, Admitted):
            return admitted
        if admitted.code is Code.UNAUTHORIZED:
            admitted = attrs.evolve(admitted, message=_HOW)
        raise _Refused(admitted)

    async def _find(self, message_id: str, rooms: Mapping[str, Grant]) -> Message:
        """The message, in one of these rooms, that holds an answer."""
        try:
            message = await self._log.message(message_id, rooms)
        except ValueError:
            message = None
        if message is None:
            raise _Refused(Refusal(Code.NOT_FOUND))
        if message.is_damaged and message.answer is None:
            raise _Refused(Refusal(Code.STORAGE_READ_ERROR, _DAMAGED))
        if message.answer is None:
            raise _Refused(Refusal(Code.NOT_FOUND))
        return message


def _table_of(message: Message) -> StoredTable:
    """The table in a message that holds an answer."""
    assert message.answer is not None
    try:
        return StoredTable.of(message.answer)
    except (LookupError, TypeError):  # still JSON, but no longer a table
        raise _Refused(Refusal(Code.STORAGE_READ_ERROR, _DAMAGED)) from None


def _bearer(request: Request) -> object | None:
    return pick_token(None, request.header(b"authorization"), {}, query_allowed=False)


def _asked(request: Request, name: str) -> str | None:
    """What the query says for a name."""
    if len(request.query) > QUERY_BYTES_MAX:
        return None
    values = parse_qs(request.query.decode("latin-1")).get(name)
    return values[0] if values else None


def _is_set(request: Request, name: str) -> bool:
    return _asked(request, name) in ("1", "true")

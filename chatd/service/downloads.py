"""Answers as files: `GET /api/answers/{messageId}.csv|json|md|ndjson|xlsx`
(docs/answers, "Export").

A request has a token as Bearer, or a ticket from `POST /api/answers/{messageId}/ticket` in its
query. The directory is asked for the room each time. What is not there, or is not for the user to
see, is not found. Bad tokens back off per address, together with those of handshakes. What a file
holds is `export_files`.
"""

import math
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
    refusal,
)
from chatd.net.http.cors import CorsPolicy
from chatd.observe.clock import Clock
from chatd.service.download_tickets import TICKET_S, DownloadTickets
from chatd.service.export_files import ExportFiles, FileWanted
from chatd.service.http_refusals import status_of
from chatd.store import MessageReader, StoreClosed, StoreReadFailed
from chatd.wire.codes import EXPLANATIONS, Code, Refusal

ANSWERS_PATH = "/api/answers/"
QUERY_BYTES_MAX = 4_096  # of a request; beyond: nothing in it counts, and it has no ticket

_FILE = re.compile(r"/api/answers/([0-9A-Fa-f-]{36})\.([a-z]+)")
_TICKET = re.compile(r"/api/answers/([0-9A-Fa-f-]{36})/ticket")
_GUARDED: Headers = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_CHALLENGE = (b"www-authenticate", b"Bearer")
_HOW = "Send the token as `Authorization: Bearer ...`, or a ticket."
_VOID = "This ticket is not good any more."
_KINDS = "An answer is exported as .csv, .json, .md, .ndjson or .xlsx."
_DAMAGED = "This answer cannot be read: its record on the server's disk is damaged."

_EXPORT_STATUSES = {
    **dict.fromkeys(
        (
            Code.DB_BUSY,
            Code.DB_UNAVAILABLE,
            Code.DB_INTERRUPTED,
            Code.DRAINING,
            Code.INTERNAL,
            Code.OVERLOADED,
            Code.STORAGE_ERROR,
            Code.STORAGE_FULL,
        ),
        503,
    ),
    Code.DB_CANCELLED: 408,
    Code.DB_TIMEOUT: 504,
}
"""Of a statement that does not run again now; else 409: it does not run again at all."""


class _Refused(Exception):
    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


@attrs.define(eq=False)
class Downloads:
    """The routes below `/api/answers/`."""

    _authenticator: Authenticator
    _directory: Directory
    _log: MessageReader
    _files: ExportFiles
    _origins: CorsPolicy
    _tickets: DownloadTickets
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
        except _Refused as refused:
            return refused.response
        except (StoreReadFailed, StoreClosed):
            return _refuse(503, Code.STORAGE_READ_ERROR)
        return _refuse(404, Code.NOT_FOUND, _KINDS)

    async def _give_ticket(self, request: Request, message_id: str) -> Response:
        admitted = await self._admitted(request)
        message = await self._find(message_id, admitted.grants)
        refused = _table_of(message).refusal
        if refused is not None:
            raise _Refused(_refuse_export(refused))
        now_s = trio.current_time()
        room = message.connection_id
        ticket = self._tickets.give(message_id, room, admitted.identity, now_s)
        body = {"ticket": ticket, "expiresInMs": round(TICKET_S * 1000)}
        return json_response(201, body)

    async def _send_file(self, request: Request, message_id: str, name: str) -> Response:
        is_real = name in FORMATS and request.method == "GET"
        identity, rooms = await self._rooms(request, message_id, spend=is_real)
        if name not in FORMATS:
            return _refuse(404, Code.NOT_FOUND, _KINDS)
        message = await self._find(message_id, rooms)
        table = _table_of(message)
        wanted = FileWanted(
            name,
            is_head=request.method == "HEAD",
            has_byte_order_mark=_is_set(request, "bom"),
            # A viewer has the database run nothing.
            only_stored=_is_set(request, "stored") or not rooms[message.connection_id].may_write,
        )
        address = request.arrival(self._origins).address
        outcome = await self._files.respond(
            wanted, message, table, identity.user_id, address, request.gone
        )
        return _refuse_export(outcome) if isinstance(outcome, Refusal) else outcome

    async def _rooms(
        self, request: Request, message_id: str, *, spend: bool
    ) -> tuple[Identity, Mapping[str, Grant]]:
        """The user of a ticket or token, and the user's rooms; `spend`: the ticket is used up."""
        name = _asked(request, "ticket")
        if name is None:
            admitted = await self._admitted(request)
            return admitted.identity, admitted.grants
        # A token beside the ticket says whose the ticket has to be.
        shown = None if _bearer(request) is None else await self._admitted(request)
        now_s = trio.current_time()
        identity = self._tickets.look(name, message_id, now_s)
        if (
            identity is not None
            and shown is not None
            and shown.identity.user_id != identity.user_id
        ):
            raise _Refused(_refuse(401, Code.UNAUTHORIZED, _VOID))  # and it stays good
        if spend:
            self._tickets.use(name, message_id, now_s)
        if identity is None or identity.expires_at_ms <= self._clock.wall_s() * 1000:
            raise _Refused(_refuse(401, Code.UNAUTHORIZED, _VOID))
        try:
            return identity, await self._directory.grants(identity)
        except DirectoryFailed as error:
            raise _Refused(_refuse(503, Code.DIRECTORY_UNAVAILABLE, str(error))) from error

    async def _admitted(self, request: Request) -> Admitted:
        address = request.arrival(self._origins).address
        authorization = request.header(b"authorization")
        admitted = await self._authenticator.authenticate(
            Credentials(address, "http", authorization=authorization)
        )
        if isinstance(admitted, Admitted):
            return admitted
        sentence = _HOW if admitted.code is Code.UNAUTHORIZED else admitted.message
        response = _refuse(status_of(admitted), admitted.code, sentence)
        if admitted.retry_after_ms is not None:
            wait = _retry_after(admitted.retry_after_ms)
            response = attrs.evolve(response, headers=(*response.headers, wait))
        raise _Refused(response)

    async def _find(self, message_id: str, rooms: Mapping[str, Grant]) -> Message:
        """The message that these rooms let see, which holds an answer."""
        try:
            message = await self._log.message(message_id, rooms)
        except ValueError:
            message = None
        if message is None:
            raise _Refused(_refuse(404, Code.NOT_FOUND))
        if message.is_damaged and message.answer is None:
            raise _Refused(_refuse(503, Code.STORAGE_READ_ERROR, _DAMAGED))
        if message.answer is None:
            raise _Refused(_refuse(404, Code.NOT_FOUND))
        return message


def _table_of(message: Message) -> StoredTable:
    """The table in a message that holds an answer."""
    assert message.answer is not None
    try:
        return StoredTable.of(message.answer)
    except (LookupError, TypeError):  # JSON still, and no table any more
        raise _Refused(_refuse(503, Code.STORAGE_READ_ERROR, _DAMAGED)) from None


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


def _refuse_export(refused: Refusal) -> Response:
    """An answer that is no file now."""
    headers: Headers = ()
    if refused.retry_after_ms is not None:
        headers = (_retry_after(refused.retry_after_ms),)
    status = _EXPORT_STATUSES.get(refused.code, 409)
    return refusal(status, refused.code, refused.sentence, headers)


def _retry_after(retry_after_ms: int) -> tuple[bytes, bytes]:
    return b"retry-after", b"%d" % math.ceil(retry_after_ms / 1000)


def _refuse(status: int, code: Code, sentence: str | None = None) -> Response:
    headers = (_CHALLENGE,) if status == 401 else ()
    return refusal(status, code, sentence or EXPLANATIONS[code].sentence, headers)

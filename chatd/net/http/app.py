"""Routing: an ASGI application that is a table from paths to handlers.

Owns methods, preflights, the headers that every answer of a route has, and how large a body may be.
Knows neither sockets nor the server beneath: waits, the reading of a body and the end of a
connection are `hypercorn`'s, which calls `judge_body` before it reads one. A handler turns a
`Request` into a `Response`; a path that ends in a slash stands for all below it. A route with a
CORS policy is for web pages too: its preflights are answered, pages of strangers are refused, and
each answer, an error as well, says which page may read it.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import unquote

import attrs
import orjson
import trio

from chatd.net.addresses import peer_address
from chatd.net.http.arrival import Arrival
from chatd.net.http.cors import VARY, CorsPolicy, Forbidden
from chatd.net.http.reader import RequestHead

if TYPE_CHECKING:
    from chatd.net.http.connection import HttpConnection

AsgiMessage = dict[str, Any]
AsgiScope = dict[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""Methods whose requests may have a body, where their route takes one; others have none."""

UNJUDGED_BODY_BYTES: Final = 65_536
"""The most of a body that is read before anybody knows whose it is."""

LENGTHLESS: Final = frozenset({204, 304})
"""Statuses of answers that have no body, and do not say the length of one (RFC 9110, 8.6)."""

NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
"""In each answer: what a client has written may be repeated in it, and is never a script."""

PREFLIGHT_S: Final = 600
"""Seconds for which a browser may remember the answer to a preflight."""

EXPOSED: Final[Headers] = (
    (
        b"access-control-expose-headers",
        b"content-disposition, retry-after, x-chatd-executed-at, x-chatd-truncated",
    ),
)
"""What a page may read of an answer, beside its body."""


class Pieces(Protocol):
    """A body that comes piece by piece, with waits; it is always closed, even if it was not read to
    its end."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None: ...


class Live(ABC):
    """A body that goes on for as long as its connection is open, and is written by its owner.

    Only a route that says so by `is_live` may answer with one.
    """

    @abstractmethod
    async def serve(
        self, connection: "HttpConnection", head: bytes, carries: Callable[[Any], None]
    ) -> "Response | None":
        """Write `head`, then the body, and return at its end; or return the refusal, with nothing
        written. `carries` is told once of the session that the connection serves."""


@attrs.frozen
class Response:
    """`body` is whole, or comes in pieces; their sum is not known before, or is in `headers`."""

    status: int
    headers: Headers
    body: bytes | Iterator[bytes] | Pieces | Live


@attrs.frozen
class Request:
    """A request, whole.

    `path` is decoded. `query` is raw, without its question mark; names in `headers` are lower-case.
    `peer` is the address of the connection's other end, which may be a proxy. `gone` returns when
    the client has closed its side of the connection; a handler that takes long awaits it.
    """

    method: str
    path: str
    query: bytes
    headers: Headers
    peer: str
    body: bytes = b""
    gone: Callable[[], Awaitable[None]] = trio.sleep_forever

    def header(self, name: bytes) -> str | None:
        """The value of a header; several of one name are one list (RFC 9110, 5.3)."""
        values = [value for known, value in self.headers if known == name]
        return b", ".join(values).decode("latin-1") if values else None

    def arrival(self, policy: CorsPolicy) -> Arrival:
        """How it came, by the proxies that a policy trusts. The names of headers are unique here:
        the reader of requests has joined what came twice."""
        return policy.arrival(dict(self.headers), self.peer)


Handler = Callable[[Request], Awaitable[Response]]


@attrs.frozen
class HttpRoute:
    """What answers at a path. HEAD comes with GET, `headers` with every answer.

    `max_body_bytes`: of a request by one of `BODY_METHODS`; a larger body is refused with 413.
    `methods_at` says which methods a path below it has, if they differ. `asks_with`: the headers
    that pages may send. `is_live` says whether a GET of a path may be answered by a `Live` body.
    `denial_of` gives the answer to a request that goes no further, None to others; it is asked
    before reading a body that is larger than `UNJUDGED_BODY_BYTES`, or does not say how large it
    is.
    """

    handler: Handler
    methods: frozenset[str] = frozenset({"GET"})
    max_body_bytes: int = 0
    cors: CorsPolicy | None = None
    headers: Headers = ()
    methods_at: Callable[[str], frozenset[str]] | None = None
    asks_with: tuple[str, ...] = ("authorization",)
    is_live: Callable[[str], bool] = lambda _path: False
    denial_of: Callable[[Request], Awaitable[Response | None]] | None = None

    def allowed(self, path: str) -> list[str]:
        methods = self.methods if self.methods_at is None else self.methods_at(path)
        return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


def json_response(status: int, value: object, headers: Headers = ()) -> Response:
    return Response(status, ((b"content-type", b"application/json"), *headers), orjson.dumps(value))


def refusal(status: int, code: str, message: str, headers: Headers = ()) -> Response:
    """An error as REST answers it: `{"error": {"code", "message"}}`."""
    return json_response(status, {"error": {"code": code, "message": message}}, headers)


def method_not_allowed(allowed: Iterable[str]) -> Response:
    """The answer to a method that a path does not have: it has those in `allowed`."""
    methods = ", ".join(allowed)
    return refusal(
        405,
        "method_not_allowed",
        f"This path answers to {methods}.",
        ((b"allow", methods.encode("ascii")),),
    )


class HttpApp:
    """Routes, and nothing else, as an ASGI application."""

    def __init__(
        self,
        table: Mapping[str, HttpRoute],
        turned_away: Callable[[str, Forbidden], None] = lambda _address, _forbidden: None,
    ) -> None:
        """`turned_away` is told of each request that is forbidden, and whose it is."""
        self._table = table
        self._turned_away = turned_away

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer an "http" scope; no other comes from a request that was read here."""
        request = await _request_of(scope, receive)
        await send_response(scope["method"], await self._respond(request), send)

    async def judge_body(self, head: RequestHead, peer: str) -> int | Response:
        """How many bytes of body this request may have, or the answer if it goes no further.

        For a request that says it has a body, before that is read.
        """
        request = _request_with(head, peer)
        route = _find(self._table, request.path)
        if route is None:
            return NOT_FOUND
        most_bytes = route.max_body_bytes if request.method in BODY_METHODS else 0
        early = self._answer_early(route, request)
        if early is not None:
            return _dressed(route, request, early)
        if head.declared_length > most_bytes or (head.is_chunked and not most_bytes):
            says = f"at most {most_bytes} bytes" if most_bytes else "no body"
            too_large = refusal(413, "body_too_large", f"This path takes {says}.")
            return _dressed(route, request, too_large)
        is_large = head.is_chunked or head.declared_length > UNJUDGED_BODY_BYTES
        if is_large and route.denial_of is not None:
            denied = await route.denial_of(request)
            if denied is not None:
                return _dressed(route, request, denied)
        return most_bytes

    def refuse(self, head: RequestHead, peer: str, response: Response) -> Response:
        """`response`, with what the route of this request adds; for an answer that the route itself
        does not give."""
        request = _request_with(head, peer)
        route = _find(self._table, request.path)
        return response if route is None else _dressed(route, request, response)

    def is_live(self, head: RequestHead) -> bool:
        """Whether this request may be answered by a `Live` body."""
        path = _path(head)
        route = _find(self._table, path)
        return head.method == "GET" and route is not None and route.is_live(path)

    async def answer(self, head: RequestHead, peer: str) -> Response:
        """The answer to a request without a body."""
        return await self._respond(_request_with(head, peer))

    async def _respond(self, request: Request) -> Response:
        route = _find(self._table, request.path)
        if route is None:
            return NOT_FOUND
        early = self._answer_early(route, request)
        response = await route.handler(request) if early is None else early
        return _dressed(route, request, response)

    def _answer_early(self, route: HttpRoute, request: Request) -> Response | None:
        """The answer that needs no handler: to strangers' pages, preflights, other methods."""
        if route.cors is not None:
            arrival, origin = request.arrival(route.cors), request.header(b"origin")
            forbidden = route.cors.forbids(origin, arrival)
            if forbidden is not None:
                self._turned_away(arrival.address, forbidden)
                return refusal(403, "forbidden_origin", forbidden.sentence)
            if request.method == "OPTIONS" and route.cors.may_read(origin, arrival):
                return Response(204, _preflight_headers(route, request.path), b"")
        allowed = route.allowed(request.path)
        if request.method not in allowed:
            return method_not_allowed(allowed)
        return None


INTERNAL: Final = refusal(
    500,
    "internal",
    "Something went wrong in the server; try again, and tell its operator if it persists.",
)
"""The answer to a request in whose handling there was a fault, as the chat words it too."""
NOT_FOUND: Final = refusal(404, "not_found", "There is nothing at this path.")


def _request_with(head: RequestHead, peer: str) -> Request:
    """A request before its body."""
    return Request(head.method, _path(head), head.query, tuple(head.headers.items()), peer)


def _path(head: RequestHead) -> str:
    """The path, decoded as an ASGI server does."""
    return unquote(head.path.decode("ascii"))


async def _request_of(scope: AsgiScope, receive: Receive) -> Request:
    """A request with its body, which is all there."""
    body = bytearray()
    has_more = True
    while has_more:
        message = await receive()
        body += message.get("body", b"")
        has_more = message.get("more_body", False)

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    return Request(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"],
        headers=tuple(scope["headers"]),
        peer=peer_address(scope.get("client")),
        body=bytes(body),
        gone=gone,
    )


def _cors(route: HttpRoute, request: Request) -> Headers:
    """What lets a page of an allowed origin read the answer."""
    if route.cors is None:
        return ()
    arrival, origin = request.arrival(route.cors), request.header(b"origin")
    fields = route.cors.header_fields(origin, arrival)
    if route.cors.forbids(origin, arrival) is not None:
        return VARY
    return (*fields, *EXPOSED) if route.cors.may_read(origin, arrival) else fields


def _dressed(route: HttpRoute, request: Request, response: Response) -> Response:
    """The response, with the headers of its route, and those that say which page may read it."""
    more = (*_cors(route, request), *route.headers)
    return attrs.evolve(response, headers=(*response.headers, *more))


def _preflight_headers(route: HttpRoute, path: str) -> Headers:
    methods = ", ".join(route.allowed(path)).encode("ascii")
    return (
        (b"access-control-allow-methods", methods),
        (b"access-control-allow-headers", ", ".join(route.asks_with).encode("ascii")),
        (b"access-control-max-age", b"%d" % PREFLIGHT_S),
    )


def _find(table: Mapping[str, HttpRoute], path: str) -> HttpRoute | None:
    """The route of a path: its own, or the longest one that ends in a slash and is above it."""
    own = table.get(path)
    if own is not None:
        return own
    # "/" itself is the page, and stands for nothing below it
    above = [one for one in table if one.endswith("/") and one != "/" and path.startswith(one)]
    return table[max(above, key=len)] if above else None


async def send_response(method: str, response: Response, send: Send) -> None:
    """Send a response to a request of this method."""
    body, headers = response.body, list(response.headers)
    assert not isinstance(body, Live)  # those bypass ASGI
    if NOSNIFF not in headers:
        headers.append(NOSNIFF)
    if not isinstance(body, bytes | Iterator):
        async with aclosing(body):
            await send(
                {"type": "http.response.start", "status": response.status, "headers": headers}
            )
            if method != "HEAD":
                async for piece in body:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    if isinstance(body, bytes) and response.status not in LENGTHLESS:
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if method == "HEAD":
        body = b""
    elif not isinstance(body, bytes):
        for piece in body:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        body = b""
    await send({"type": "http.response.body", "body": body, "more_body": False})

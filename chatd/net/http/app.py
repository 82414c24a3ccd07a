"""The HTTP side of the public port, as an ASGI application: health, and the page at `/`.

Owns the paths, their methods, their headers (SPEC 8, health) and the bodies that they take. Knows
neither sockets nor the server beneath: waits, the reading of a body and the end of a connection are
`http_lane`'s, which asks `judge_body` before it reads one. A route is an entry in a table, from a
path to a handler that turns a `Request` into a `Response`; a path that ends in a slash stands for
all below it. A route with `origins` is for web pages too: its preflights are answered, pages of
strangers are refused, and each answer, an error as well, says who may read it (SPEC 1, "Origins").
What a route says with each answer is said with its errors too.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from importlib import resources
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol
from urllib.parse import unquote

import attrs
import orjson

from chatd.net.addresses import peer_address
from chatd.net.http.cors import OriginRules
from chatd.net.http.reader import RequestHead

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

HEALTH_PATH: Final = "/api/websocket/health"

BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""Methods whose requests may have a body, where their route takes one; others have none."""

PREFLIGHT_S: Final = 600
"""Seconds for which a browser may remember the answer to a preflight."""

EXPOSED: Final[Headers] = ((b"access-control-expose-headers", b"content-disposition, retry-after"),)
"""What a page may read of an answer, beside its body."""

PAGE_HEADERS: Final[Headers] = (
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; "
            b"form-action 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-cache"),
)
PAGE_FILES: Final = MappingProxyType(
    {
        "/": ("index.html", b"text/html; charset=utf-8"),
        "/chatd.js": ("chatd.js", b"text/javascript; charset=utf-8"),
        "/chatd.css": ("chatd.css", b"text/css; charset=utf-8"),
    }
)


@attrs.frozen
class Health:
    """How the server is. `uptime_s` is in seconds; only "ok" is answered with 200."""

    status: Literal["ok", "draining", "degraded"]
    connected_clients: int
    uptime_s: float


class Status(Protocol):
    """Whoever knows how the server is."""

    def health(self) -> Health: ...


@attrs.frozen
class Response:
    """`body` is whole, or comes in pieces, whose sum is not known before."""

    status: int
    headers: Headers
    body: bytes | Iterator[bytes]


@attrs.frozen
class Request:
    """A request, whole.

    `path` is decoded. `query` is raw, without its question mark; names in `headers` are lower-case.
    `peer` is the address of the connection's other end, be it a proxy.
    """

    method: str
    path: str
    query: bytes
    headers: Headers
    peer: str
    body: bytes = b""

    def header(self, name: bytes) -> str | None:
        """The value of a header; several of one name are one list (RFC 9110, 5.3)."""
        values = [value for known, value in self.headers if known == name]
        return b", ".join(values).decode("latin-1") if values else None


Handler = Callable[[Request], Awaitable[Response]]


@attrs.frozen
class Route:
    """What answers at a path. HEAD comes with GET, `headers` with whatever is answered there.

    `max_body_bytes`: of a request by one of `BODY_METHODS`; a larger body is refused with 413.
    """

    handler: Handler
    methods: frozenset[str] = frozenset({"GET"})
    max_body_bytes: int = 0
    origins: OriginRules | None = None
    headers: Headers = ()

    def allowed(self) -> list[str]:
        return sorted(self.methods | ({"HEAD"} if "GET" in self.methods else set()))


def json_response(status: int, value: object, headers: Headers = ()) -> Response:
    return Response(status, ((b"content-type", b"application/json"), *headers), orjson.dumps(value))


def refusal(status: int, code: str, message: str, headers: Headers = ()) -> Response:
    """An error as REST answers it: `{"error": {"code", "message"}}`."""
    return json_response(status, {"error": {"code": code, "message": message}}, headers)


def method_not_allowed(allowed: Iterable[str]) -> Response:
    """A path does not answer to this method, but to those that are `allowed`."""
    methods = ", ".join(allowed)
    return refusal(
        405,
        "method_not_allowed",
        f"This path answers to {methods}.",
        ((b"allow", methods.encode("ascii")),),
    )


def build_app(status: Status, *, routes: Mapping[str, Route] = MappingProxyType({})) -> "HttpApp":
    """The application over health, the page and further `routes`.

    The page's files are read here, once. A path that is taken already is a `ValueError`.
    """
    table = {HEALTH_PATH: Route(_health_handler(status))}
    table.update({path: Route(_page_handler(*file)) for path, file in PAGE_FILES.items()})
    if taken := table.keys() & routes.keys():
        raise ValueError(f"routes given twice: {', '.join(sorted(taken))}")
    return HttpApp({**table, **routes})


class HttpApp:
    """Routes, and nothing else, as an ASGI application."""

    def __init__(self, table: Mapping[str, Route]) -> None:
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                request = await _request_of(scope, receive)
                await _send_response(scope["method"], await self._respond(request), send)
            case "lifespan":
                await _attend_lifespan(receive, send)
            case other:
                raise ValueError(f"an ASGI scope that this application does not serve: {other}")

    def judge_body(self, head: RequestHead) -> int | Response:
        """How many bytes of body are taken of this request, or the answer where it goes no further.

        For a request that says it has a body, before that is read.
        """
        request = _request_with(head)
        route = _find(self._table, request.path)
        if route is None:
            return NOT_FOUND
        most_bytes = route.max_body_bytes if request.method in BODY_METHODS else 0
        early = _answer_early(route, request)
        if early is not None:
            return _dressed(route, request, early)
        if head.declared_length > most_bytes or (head.is_chunked and not most_bytes):
            says = f"at most {most_bytes} bytes" if most_bytes else "no body"
            too_large = refusal(413, "body_too_large", f"This path takes {says}.")
            return _dressed(route, request, too_large)
        return most_bytes

    def refuse(self, head: RequestHead, response: Response) -> Response:
        """`response`, as the route of this request answers; for bodies that cannot be read."""
        request = _request_with(head)
        route = _find(self._table, request.path)
        return response if route is None else _dressed(route, request, response)

    async def _respond(self, request: Request) -> Response:
        route = _find(self._table, request.path)
        if route is None:
            return NOT_FOUND
        early = _answer_early(route, request)
        response = await route.handler(request) if early is None else early
        return _dressed(route, request, response)


NOT_FOUND: Final = refusal(404, "not_found", "There is nothing at this path.")


def _request_with(head: RequestHead) -> Request:
    """A request before its body; decoded as an ASGI server does."""
    path = unquote(head.path.decode("ascii"))
    return Request(head.method, path, head.query, tuple(head.headers.items()), peer="")


async def _request_of(scope: Scope, receive: Receive) -> Request:
    """A request with its body, which is all there."""
    body = bytearray()
    has_more = True
    while has_more:
        message = await receive()
        body += message.get("body", b"")
        has_more = message.get("more_body", False)
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"],
        headers=tuple(scope["headers"]),
        peer=_peer_of(scope),
        body=bytes(body),
    )


def _answer_early(route: Route, request: Request) -> Response | None:
    """The answer that needs no handler: to strangers' pages, to preflights, to other methods."""
    if not _comes_from_friends(route, request):
        return refusal(403, "forbidden_origin", "This origin, or this host, is not answered.")
    if request.method == "OPTIONS" and _cors(route, request):
        return Response(204, _preflight_headers(route), b"")
    if request.method not in route.allowed():
        return method_not_allowed(route.allowed())
    return None


def _comes_from_friends(route: Route, request: Request) -> bool:
    host = request.header(b"host")
    return route.origins is None or (
        route.origins.allows_host(host)
        and route.origins.allows_origin(request.header(b"origin"), host)
    )


def _cors(route: Route, request: Request) -> Headers:
    """What lets a page of an allowed origin read the answer."""
    if route.origins is None or not _comes_from_friends(route, request):
        return ()
    return route.origins.cors_fields(request.header(b"origin"), request.header(b"host"))


def _dressed(route: Route, request: Request, response: Response) -> Response:
    """The response, with what its route says each time, and who may read it."""
    cors = _cors(route, request)
    more = (*cors, *(EXPOSED if cors else ()), *route.headers)
    return attrs.evolve(response, headers=(*response.headers, *more))


def _preflight_headers(route: Route) -> Headers:
    methods = ", ".join(route.allowed()).encode("ascii")
    return (
        (b"access-control-allow-methods", methods),
        (b"access-control-allow-headers", b"authorization"),
        (b"access-control-max-age", b"%d" % PREFLIGHT_S),
    )


def _peer_of(scope: Scope) -> str:
    """The address of the connection's other end."""
    return peer_address(scope.get("client"))


def _find(table: Mapping[str, Route], path: str) -> Route | None:
    """The route of a path: its own, or the longest one that ends in a slash and is above it."""
    own = table.get(path)
    if own is not None:
        return own
    # "/" itself is the page, and stands for nothing below it
    above = [one for one in table if one.endswith("/") and one != "/" and path.startswith(one)]
    return table[max(above, key=len)] if above else None


async def _send_response(method: str, response: Response, send: Send) -> None:
    body, headers = response.body, list(response.headers)
    if isinstance(body, bytes) and response.status != 204:  # which has none (RFC 9110, 8.6)
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if method == "HEAD":
        body = b""
    elif not isinstance(body, bytes):
        for piece in body:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        body = b""
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _attend_lifespan(receive: Receive, send: Send) -> None:
    """Nothing is started here; a server that asks is told so."""
    while (await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


def _health_handler(status: Status) -> Handler:
    async def health(_request: Request) -> Response:
        now = status.health()
        return json_response(
            200 if now.status == "ok" else 503,
            {
                "status": now.status,
                "connectedClients": now.connected_clients,
                "uptime": now.uptime_s,
            },
            ((b"cache-control", b"no-store"), (b"access-control-allow-origin", b"*")),
        )

    return health


def _page_handler(name: str, content_type: bytes) -> Handler:
    content = resources.files("chatd").joinpath("web", name).read_bytes()
    response = Response(200, ((b"content-type", content_type), *PAGE_HEADERS), content)

    async def page(_request: Request) -> Response:
        return response

    return page

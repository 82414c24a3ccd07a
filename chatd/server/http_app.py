"""The HTTP side of the public port, as an ASGI application: health, and the page at `/`.

Owns the paths, their methods and their headers (SPEC 8, health). Knows neither sockets nor the
server beneath: waits, bounds on memory and the end of a connection are `http_lane`'s. A route is an
entry in a table, from a path to a handler that turns a `Request` into a `Response`; a path that
ends in a slash stands for all below it. A route with `origins` is for web pages too: its
preflights are answered, pages of strangers are refused, and each answer, an error as well, says who
may read it (SPEC 1, "Origins"). What a route says with each answer is said with its errors too.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from importlib import resources
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol

import attrs
import orjson

from chatd.server.addresses import peer_address
from chatd.server.origin import OriginRules

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

HEALTH_PATH: Final = "/api/websocket/health"

DEFAULT_MAX_BODY_BYTES: Final = 16 * 1024
"""Bytes of a request's body, where a route says nothing else; beyond it: 413."""

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


class BodyTooLarge(Exception):
    """The request's body exceeds what its route takes."""


class BodyCut(Exception):
    """The peer left before the end of its request's body."""


@attrs.frozen
class Request:
    """A request whose body may still be on its way.

    `query` is raw, without its question mark; names in `headers` are lower-case. `peer` is the
    address of the connection's other end, be it a proxy.
    """

    method: str
    path: str
    query: bytes
    headers: Headers
    peer: str
    max_body_bytes: int
    _receive: Receive

    def header(self, name: bytes) -> str | None:
        """The value of a header; several of one name are one list (RFC 9110, 5.3)."""
        values = [value for known, value in self.headers if known == name]
        return b", ".join(values).decode("latin-1") if values else None

    def declared_bytes(self) -> int:
        """The length that the request declares for its body; 0 when it declares none."""
        for name, value in self.headers:
            if name == b"content-length":
                return int(value)
        return 0

    async def body(self) -> bytes:
        """The whole body. Raises `BodyTooLarge` once it is that, `BodyCut` when it ends early.

        A handler that needs no body does not ask for it, and then nothing waits for it.
        """
        body = bytearray()
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise BodyCut
            body += message.get("body", b"")
            if len(body) > self.max_body_bytes:
                raise BodyTooLarge
            more = message.get("more_body", False)
        return bytes(body)


Handler = Callable[[Request], Awaitable[Response]]


@attrs.frozen
class Route:
    """What answers at a path. HEAD comes with GET, `headers` with whatever is answered there."""

    handler: Handler
    methods: frozenset[str] = frozenset({"GET"})
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
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


def build_app(status: Status, *, routes: Mapping[str, Route] = MappingProxyType({})) -> AsgiApp:
    """The application over health, the page and further `routes`.

    The page's files are read here, once. A path that is taken already is a `ValueError`.
    """
    table = {HEALTH_PATH: Route(_health_handler(status))}
    table.update({path: Route(_page_handler(*file)) for path, file in PAGE_FILES.items()})
    if taken := table.keys() & routes.keys():
        raise ValueError(f"routes given twice: {', '.join(sorted(taken))}")
    return make_app({**table, **routes})


def make_app(table: Mapping[str, Route]) -> AsgiApp:
    """The application over these routes and nothing else."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                response = await _respond(table, scope, receive)
                await _send_response(scope["method"], response, send)
            case "websocket":
                await _deny_websocket(scope, send)
            case "lifespan":
                await _attend_lifespan(receive, send)
            case other:
                raise ValueError(f"an ASGI scope that this application does not serve: {other}")

    return app


async def _respond(table: Mapping[str, Route], scope: Scope, receive: Receive) -> Response:
    route = _find(table, scope["path"])
    if route is None:
        return refusal(404, "not_found", "There is nothing at this path.")
    request = Request(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"],
        headers=tuple(scope["headers"]),
        peer=peer_of(scope),
        max_body_bytes=route.max_body_bytes,
        receive=receive,
    )
    if route.origins is None:
        response = await _handle(route, request)
    else:
        response = await _handle_for_pages(route, route.origins, request)
    return attrs.evolve(response, headers=(*response.headers, *route.headers))


async def _handle_for_pages(route: Route, origins: OriginRules, request: Request) -> Response:
    """What pages of allowed origins may read, and those of others may not ask for."""
    origin, host = request.header(b"origin"), request.header(b"host")
    if not (origins.allows_host(host) and origins.allows_origin(origin, host)):
        return refusal(403, "forbidden_origin", "This origin, or this host, is not answered.")
    cors = origins.cors_fields(origin, host)
    if cors and request.method == "OPTIONS":
        response = Response(204, _preflight_headers(route), b"")
    else:
        response = await _handle(route, request)
    return attrs.evolve(response, headers=(*response.headers, *cors, *(EXPOSED if cors else ())))


def _preflight_headers(route: Route) -> Headers:
    methods = ", ".join(route.allowed()).encode("ascii")
    return (
        (b"access-control-allow-methods", methods),
        (b"access-control-allow-headers", b"authorization"),
        (b"access-control-max-age", b"%d" % PREFLIGHT_S),
    )


async def _handle(route: Route, request: Request) -> Response:
    if request.method not in route.allowed():
        return method_not_allowed(route.allowed())
    too_large = f"This path takes at most {route.max_body_bytes} bytes."
    if request.declared_bytes() > route.max_body_bytes:
        return refusal(413, "body_too_large", too_large)
    try:
        return await route.handler(request)
    except BodyTooLarge:
        return refusal(413, "body_too_large", too_large)
    except BodyCut:
        return refusal(400, "body_incomplete", "The request ended before its body did.")


def peer_of(scope: Scope) -> str:
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


async def _deny_websocket(scope: Scope, send: Send) -> None:
    """No WebSocket is served here: 404 where the server can say so, else its own refusal (403)."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1000, "reason": ""})
        return
    response = refusal(404, "not_found", "There is no WebSocket at this path.")
    assert isinstance(response.body, bytes)
    headers = [
        *response.headers,
        (b"content-length", b"%d" % len(response.body)),
        (b"connection", b"close"),
    ]
    await send(
        {"type": "websocket.http.response.start", "status": response.status, "headers": headers}
    )
    await send({"type": "websocket.http.response.body", "body": response.body, "more_body": False})


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

"""Files, read once: the page at `/` with strict headers, and the client's bundle for any page."""

from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Final

from chatd.net.http.app import Headers, HttpRoute, Request, Response, refusal

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


def page_routes() -> dict[str, HttpRoute]:
    """A route for each file of the page."""
    return {path: _file_route(*file) for path, file in PAGE_FILES.items()}


def _file_route(name: str, content_type: bytes) -> HttpRoute:
    content = resources.files("chatd").joinpath("web", name).read_bytes()
    response = Response(200, ((b"content-type", content_type), *PAGE_HEADERS), content)

    async def file(_request: Request) -> Response:
        return response

    return HttpRoute(file)


CLIENT_VERSION: Final = "4.8.1"
"""Of socket.io-client, that people without a copy of it are sent to."""

CLIENT_FILES: Final = (
    "socket.io.js",
    "socket.io.min.js",
    "socket.io.esm.min.js",
    "socket.io.msgpack.min.js",
)
"""Bundles of socket.io-client by the names that the reference server gives them. Those that lie in
`chatd/web` are served, each with the `.map` beside it."""

NO_CLIENT: Final = refusal(
    404,
    "no_client_bundle",
    "This server has no copy of this file of socket.io-client; install it with npm, or load "
    f"https://cdn.socket.io/{CLIENT_VERSION}/socket.io.min.js.",
)

CLIENT_HEADERS: Final[Headers] = (
    (b"x-content-type-options", b"nosniff"),
    (b"access-control-allow-origin", b"*"),
    (b"cache-control", b"no-cache"),
)
"""Any page may load the client: it is public, and the same for all."""


def client_routes(path: str, directory: Traversable | None = None) -> dict[str, HttpRoute]:
    """A route below `path` for each file of the client that pages ask for.

    `directory` has the files, `chatd/web` where nothing else is said. The small bundle stands in
    for the readable one.
    """
    directory = directory or resources.files("chatd").joinpath("web")
    routes = {}
    for name in CLIENT_FILES:
        stands_in = ("socket.io.min.js",) if name == "socket.io.js" else ()
        script = _client_route((name, *stands_in), b"text/javascript; charset=utf-8", directory)
        routes[path + name] = script
        maps = tuple(f"{known}.map" for known in (name, *stands_in))
        routes[f"{path}{name}.map"] = _client_route(maps, b"application/json", directory)
    return routes


def _client_route(names: Sequence[str], content_type: bytes, directory: Traversable) -> HttpRoute:
    """The first of these files that is there."""
    files = (directory.joinpath(name) for name in names)
    found = next((file.read_bytes() for file in files if file.is_file()), None)
    response = (
        NO_CLIENT if found is None else Response(200, ((b"content-type", content_type),), found)
    )

    async def file(_request: Request) -> Response:
        return response

    return HttpRoute(file, headers=CLIENT_HEADERS)

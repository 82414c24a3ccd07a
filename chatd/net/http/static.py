"""The page at `/` and its files: read once, sent with strict headers."""

from importlib import resources
from types import MappingProxyType
from typing import Final

from chatd.net.http.app import Headers, HttpRoute, Request, Response

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

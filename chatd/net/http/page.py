"""The files of the page and of socket.io-client, read once, and how each of them may be used.

The page is what was built into `chatd/web/dist`; if nothing was, the plain files of `chatd/web`
stand in for it, which say how to connect and how to build. A file `NAME.gz` or `NAME.br` beside
`NAME` is the same file, coded. Source of the policy: CSP 3 and Trusted Types; `'self'` of
`connect-src` covers the WebSocket of the same host.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from importlib import resources
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Final

import attrs

from chatd.net.http.app import Headers, HttpRoute, Request, Response, json_response, refusal
from chatd.net.http.cors import CorsPolicy
from chatd.net.http.encodings import IDENTITY
from chatd.net.http.static import StaticFile, StaticFiles

POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    b"img-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    b"trusted-types chatd"
)
PAGE_HEADERS: Final[Headers] = (
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
NO_CACHE: Final[Headers] = ((b"cache-control", b"no-cache"),)
"""Browsers keep it, and ask about it each time."""
IMMUTABLE: Final[Headers] = ((b"cache-control", b"public, max-age=31536000, immutable"),)
"""For files that get another name when their content changes."""

HASHED: Final = "/assets/"
INDEX: Final = "index.html"
CODINGS: Final = MappingProxyType({"br": ".br", "gzip": ".gz"})
"""Endings of coded files; what is smaller comes first."""

TYPES: Final = MappingProxyType(
    {
        "css": b"text/css; charset=utf-8",
        "html": b"text/html; charset=utf-8",
        "js": b"text/javascript; charset=utf-8",
        "json": b"application/json",
        "map": b"application/json",
        "png": b"image/png",
        "svg": b"image/svg+xml",
        "txt": b"text/plain; charset=utf-8",
        "webmanifest": b"application/manifest+json",
        "woff2": b"font/woff2",
    }
)
UNKNOWN_TYPE: Final = b"application/octet-stream"

NOT_SERVED: Final = frozenset({"stamp"})
"""Files of the build that are not part of the page."""
CLIENT_DIRECTORY: Final = "socket.io"
"""Where the build puts the bundles of socket.io-client, below the page."""
STAND_INS: Final = (INDEX, "chatd.css", "chatd.js")
"""The files that are served if no page was built."""

PAGE_OFF: Final = refusal(
    404, "page_off", "The page is switched off on this server ([web] enabled = false)."
)


class PageState(StrEnum):
    """What is at `/`: the page, a plain one in its place, or a refusal."""

    BUILT = "built"
    MISSING = "missing"
    OFF = "off"


@attrs.frozen
class Page:
    """The files of the page, and the routes of their paths."""

    state: PageState
    files: StaticFiles
    routes: dict[str, HttpRoute]

    def switched_off(self) -> "Page":
        """The same paths, which all answer that there is nothing."""

        async def off(_request: Request) -> Response:
            return PAGE_OFF

        route = HttpRoute(off, headers=NO_CACHE)
        return Page(PageState.OFF, StaticFiles(), dict.fromkeys([*self.routes, HASHED], route))


def web_directory() -> Traversable:
    """Where the package has the page."""
    return resources.files("chatd").joinpath("web")


def read_page(web: Traversable | None = None) -> Page:
    """The page of a directory like `chatd/web`, which is the default."""
    web = web_directory() if web is None else web
    built = web.joinpath("dist")
    is_built = built.joinpath(INDEX).is_file()
    found = list(_files(built)) if is_built else [(name, web.joinpath(name)) for name in STAND_INS]
    files = StaticFiles({_path(name): _page_file(name, file) for name, file in found})
    return Page(PageState.BUILT if is_built else PageState.MISSING, files, files.routes())


def _files(directory: Traversable, above: str = "") -> Iterator[tuple[str, Traversable]]:
    """Each file that is served, by its name below the directory; coded ones come with their own."""
    for entry in directory.iterdir():
        name = above + entry.name
        if entry.is_dir():
            if name != CLIENT_DIRECTORY:
                yield from _files(entry, f"{name}/")
        elif name not in NOT_SERVED and not name.endswith(tuple(CODINGS.values())):
            yield name, entry


def _path(name: str) -> str:
    return "/" if name == INDEX else f"/{name}"


def _page_file(name: str, file: Traversable) -> StaticFile:
    cached = IMMUTABLE if _path(name).startswith(HASHED) else NO_CACHE
    return _static_file(file, (*PAGE_HEADERS, *cached))


def _static_file(file: Traversable, headers: Headers) -> StaticFile:
    """A file, with the coded forms beside it."""
    bodies = {IDENTITY: file.read_bytes()}
    with resources.as_file(file) as path:
        beside = {coding: path.with_name(path.name + ending) for coding, ending in CODINGS.items()}
        coded = {coding: one.read_bytes() for coding, one in beside.items() if one.is_file()}
    kind = TYPES.get(file.name.rpartition(".")[2], UNKNOWN_TYPE)
    return StaticFile(kind, headers, {**coded, **bodies})


ADMIN_PATH: Final = "/admin"
ADMIN_FILES: Final = (INDEX, "admin.css", "admin.js")


def read_admin_page(web: Traversable | None = None) -> StaticFiles:
    """The page for administrators, of a directory like `chatd/web`; it needs no build."""
    directory = (web_directory() if web is None else web).joinpath("admin")
    return StaticFiles(
        {
            ADMIN_PATH if name == INDEX else f"{ADMIN_PATH}/{name}": _static_file(
                directory.joinpath(name), (*PAGE_HEADERS, *NO_CACHE)
            )
            for name in ADMIN_FILES
        }
    )


CONFIG_PATH: Final = "/api/web/config"


@attrs.define(eq=False)
class PageConfig:
    """What the page asks first: its title, where to sign in if that is elsewhere (`login_url`, or
    ""), which version serves it, and whether this server makes tokens itself (`mints`), so that the
    page can say where to get one. The HTML itself is the same everywhere."""

    title: str
    login_url: str
    version: str
    mints: bool

    def route(self, cors: CorsPolicy) -> HttpRoute:
        """Where the page asks."""
        return HttpRoute(self._answer, cors=cors)

    async def _answer(self, _request: Request) -> Response:
        told = {"title": self.title, "version": self.version, "mints": self.mints}
        if self.login_url:
            told["loginUrl"] = self.login_url
        return json_response(200, told, ((b"cache-control", b"no-store"),))


# The client

CLIENT_VERSION: Final = "4.8.1"
"""The version of socket.io-client that people without a copy of it are sent to."""

CLIENT_FILES: Final = (
    "socket.io.js",
    "socket.io.min.js",
    "socket.io.esm.min.js",
    "socket.io.msgpack.min.js",
)
"""Bundles of socket.io-client by the names that the reference server gives them. Those that the
build of the page brought along are served, each with the `.map` beside it, if that is there."""

NO_CLIENT: Final = refusal(
    404,
    "no_client_bundle",
    "This server has no copy of this file of socket.io-client; install it with npm, or load "
    f"https://cdn.socket.io/{CLIENT_VERSION}/socket.io.min.js.",
)

CLIENT_HEADERS: Final[Headers] = (
    (b"x-content-type-options", b"nosniff"),
    (b"access-control-allow-origin", b"*"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    *NO_CACHE,
)
"""Any page may load the client: it is public, and the same for all."""


@attrs.frozen
class Client:
    """The files of the client: those that are there, and routes for all that pages ask for."""

    files: StaticFiles
    routes: dict[str, HttpRoute]


def read_client(path: str, directory: Traversable | None = None) -> Client:
    """The client's files of a directory, at paths below `path`; by default, of the built page. The
    small bundle stands in for the readable one."""
    if directory is None:
        directory = web_directory().joinpath("dist", CLIENT_DIRECTORY)
    files: dict[str, StaticFile] = {}
    names: list[str] = []
    for name in CLIENT_FILES:
        stands_in = ("socket.io.min.js",) if name == "socket.io.js" else ()
        for ending in ("", ".map"):
            names.append(f"{path}{name}{ending}")
            found = _first_of([f"{known}{ending}" for known in (name, *stands_in)], directory)
            if found is not None:
                files[names[-1]] = _static_file(found, CLIENT_HEADERS)
    there = StaticFiles(files)
    missing = HttpRoute(_no_client, headers=CLIENT_HEADERS)
    return Client(there, {**dict.fromkeys(names, missing), **there.routes()})


async def _no_client(_request: Request) -> Response:
    return NO_CLIENT


def _first_of(names: Sequence[str], directory: Traversable) -> Traversable | None:
    files = (directory.joinpath(name) for name in names)
    return next((file for file in files if file.is_file()), None)

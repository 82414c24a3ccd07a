"""Files that are the same for everybody: held in memory, answered from the head of a request alone.

Pure: makes a `Response`, and its bytes, from a request's headers. `page` reads the files; the
listener writes the bytes. It answers a request from here only if it asks for a file and nothing
else, and keeps the connection. Anything odd (another method, a body, an upgrade, a path that is
percent-encoded) goes on to the application, which has a route for each file too.
"""

import hashlib
from collections.abc import Mapping
from typing import Final, Protocol

import attrs

from chatd.net.http.app import Headers, HttpRoute, Request, Response
from chatd.net.http.connection import PHRASES
from chatd.net.http.encodings import IDENTITY, preferred
from chatd.net.http.reader import RequestHead

READING_METHODS: Final = frozenset({"GET", "HEAD"})
VARY: Final[Headers] = ((b"vary", b"Accept-Encoding"),)
KEEP_ALIVE: Final[Headers] = ((b"connection", b"keep-alive"),)
"""Said to clients of HTTP/1.0, which keep no connection unless they are told (RFC 9112, 9.3)."""
CLOSE: Final[Headers] = ((b"connection", b"close"),)


class RequestHeaders(Protocol):
    """A request, as far as it matters here."""

    def header(self, name: bytes) -> str | None: ...


@attrs.frozen
class StaticFile:
    """A file with its codings: `bodies` by the name of the coding, the best one first, `identity`
    always among them. `headers` are those of every answer, a 304 as well."""

    content_type: bytes
    headers: Headers
    bodies: Mapping[str, bytes]
    _tags: Mapping[str, bytes] = attrs.field(init=False)

    @_tags.default
    def _digests(self) -> Mapping[str, bytes]:
        """A strong tag for each coding, as each has other bytes (RFC 9110, 8.8.3.3)."""
        return {
            coding: b'"%b"' % hashlib.sha256(body).hexdigest()[:32].encode()
            for coding, body in self.bodies.items()
        }

    def answer(self, asked: RequestHeaders) -> Response:
        """200 with the body in the coding that the client takes best, or 304 if the client has
        that."""
        coding = preferred(asked.header(b"accept-encoding"), tuple(self.bodies))
        tag = self._tags[coding]
        varies = VARY if len(self.bodies) > 1 else ()
        about = (*self.headers, *varies, (b"etag", tag))
        if _is_known(asked.header(b"if-none-match"), tag):
            return Response(304, about, b"")
        coded = () if coding == IDENTITY else ((b"content-encoding", coding.encode()),)
        headers = ((b"content-type", self.content_type), *coded, *about)
        return Response(200, headers, self.bodies[coding])


def _is_known(known: str | None, tag: bytes) -> bool:
    """Whether a client has these bytes already; compared weakly (RFC 9110, 13.1.2), as proxies that
    recode a body weaken its tag."""
    if known is None:
        return False
    tags = {one.strip(" \t").removeprefix("W/") for one in known.split(",")}
    return "*" in tags or tag.decode() in tags


@attrs.frozen
class StaticFiles:
    """Files by their path, as a request names it."""

    by_path: Mapping[str, StaticFile] = attrs.field(factory=dict)
    _by_raw: Mapping[bytes, StaticFile] = attrs.field(init=False)

    @_by_raw.default
    def _raw(self) -> Mapping[bytes, StaticFile]:
        return {path.encode("ascii"): file for path, file in self.by_path.items()}

    def find(self, head: RequestHead) -> StaticFile | None:
        """The file that answers this request; None if it asks for no file, or for more than a
        file."""
        if head.method not in READING_METHODS or head.has_body or head.asks_for_upgrade:
            return None
        return self._by_raw.get(head.path)

    def routes(self) -> dict[str, HttpRoute]:
        """The same as routes, which also say what is wrong with a request."""
        return {path: _route(file) for path, file in self.by_path.items()}


def _route(file: StaticFile) -> HttpRoute:
    async def answer(request: Request) -> Response:
        return file.answer(request)

    return HttpRoute(answer)


def encoded(head: RequestHead, answer: Response, *, keeps_alive: bool) -> tuple[bytes, bytes]:
    """The head and the body of an answer to this request. The body is no copy."""
    assert isinstance(answer.body, bytes)
    lines = [b"HTTP/1.1 %d %b" % (answer.status, PHRASES[answer.status])]
    lines += [b"%b: %b" % field for field in answer.headers]
    if answer.status != 304:  # which would have to say the length of a 200 (RFC 9110, 8.6)
        lines.append(b"content-length: %d" % len(answer.body))
    if not keeps_alive:
        lines += [b"%b: %b" % field for field in CLOSE]
    elif head.version == "1.0":
        lines += [b"%b: %b" % field for field in KEEP_ALIVE]
    body = b"" if head.method == "HEAD" else answer.body
    return b"\r\n".join([*lines, b"", b""]), body

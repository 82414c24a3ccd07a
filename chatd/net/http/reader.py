"""Requests of one connection: heads and bodies, one after the other, judged once and strictly.

Owns the grammar and the framing of HTTP/1.1 (RFC 9112): what a head is, how long a body is, and
what is left for the next request. Knows no route. A head is one regular expression, matched from
its first byte to its last. Whatever another reader of the same bytes might read differently is
refused: bare CR or LF, folded lines, NUL, white space before a colon, two lengths, a length beside
chunks, an encoding other than chunked, a target that is not a path, another version. So a request
that came this far means the same to a proxy before us and to Hypercorn behind.

Chunks are taken in slices of `CHUNKS_PER_TURN`, so that a body in crumbs does not keep others
waiting, and their number is bounded by what they carry.
"""

import re
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Final

import attrs

from chatd.net.http.authority import parse_host

HEADERS_MAX: Final = 128
"""Headers of one request; beyond: 431. Browsers behind proxies send about forty."""

EMPTY_LINES_MAX: Final = 8
"""Empty lines before a request that are passed over (RFC 9112, 2.2); beyond: 400."""

CHUNKS_FREE: Final = 1_024
CHUNK_BYTES_MIN: Final = 64
"""A body may have `CHUNKS_FREE` chunks of any size; further chunks must carry so many bytes on
average, or it is refused with 413. A body in smaller pieces is an attack."""

CHUNKS_PER_TURN: Final = 128
"""Chunks that are taken before others get their turn: a third of a millisecond."""

TOO_LARGE: Final = frozenset({413, 431})
"""Statuses for a request that is well-formed, but too large in some part."""

_END: Final = b"\r\n\r\n"
_LINE_END: Final = b"\r\n"

# RFC 9110, 5.6.2, 5.5; RFC 9112, 3 and 5. Possessive or atomic: nothing is ever tried twice.
_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_TEXT: Final = rb"[\t\x20-\x7e\x80-\xff]*+"
_FIELD: Final = rb"%b:%b\r\n" % (_TOKEN, _TEXT)
_METHOD_MAX: Final = 24
_METHOD: Final = rb"[A-Z][A-Z-]{0,%d}+" % (_METHOD_MAX - 1)
_HEAD: Final = re.compile(
    rb"(%b) (/[\x21\x22\x24-\x7e]*+) HTTP/1\.([01])\r\n((?>(?:%b)*))\r\n" % (_METHOD, _FIELD)
)
_BEGINNING: Final = re.compile(rb"%b(?:\Z| )|\r?\Z" % _METHOD)
_NEVER_IN_A_LINE: Final = re.compile(rb"[^\t\r\n\x20-\x7e\x80-\xff]|(?<!\r)\n|\r[^\n]")
_OTHER_VERSION: Final = re.compile(rb"%b [\x21-\x7e]++ HTTP/([0-9])\.([0-9])\r\n" % _METHOD)
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
_QUOTED: Final = rb'"(?>(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*)"'
_VALUE: Final = rb"[ \t]*+=[ \t]*+(?:%b|%b)" % (_TOKEN, _QUOTED)
_EXTENSION: Final = rb"[ \t]*+;[ \t]*+%b(?>(?:%b)?)" % (_TOKEN, _VALUE)
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8}+)((?>(?:%b)*))" % _EXTENSION)
_TRAILER: Final = re.compile(rb"%b:%b" % (_TOKEN, _TEXT))

# If two of these differ, two readers of the request may see two different requests.
_SINGLE: Final = frozenset(
    {
        b"authorization",
        b"content-length",
        b"host",
        b"origin",
        b"sec-websocket-key",
        b"transfer-encoding",
    }
)


class BadRequestError(Exception):
    """The bytes are not a request that this server takes; `status` is the answer's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@attrs.frozen
class RequestHead:
    """Method, target and headers. Header names are lower case; the values of a repeated one are
    joined by commas, as RFC 9110 has it. `version` is `1.0` or `1.1`. `asks_for_upgrade`: it wants
    to go on as another protocol, whichever (RFC 9110, 7.8); `is_websocket`: as this one (RFC 6455,
    4.2.1). `is_chunked`: its body comes in chunks, and then it declares no length."""

    method: str
    path: bytes
    query: bytes
    headers: dict[bytes, bytes]
    version: str = "1.1"
    keeps_alive: bool = True
    asks_for_upgrade: bool = False
    is_websocket: bool = False
    is_chunked: bool = False

    @property
    def expects_continue(self) -> bool:
        """Whether the body comes only after a 100 (RFC 9110, 10.1.1)."""
        expected = self.headers.get(b"expect")
        if expected is None:
            return False
        return self.version == "1.1" and expected.lower() == b"100-continue"

    @property
    def declared_length(self) -> int:
        """Bytes of the body, as far as the head says."""
        return int(self.headers.get(b"content-length", b"0"))

    @property
    def has_body(self) -> bool:
        """Whether a body follows; one in chunks may be empty."""
        return self.is_chunked or self.declared_length > 0

    def header(self, name: bytes) -> str | None:
        """A header as text, or None."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


class _Part(Enum):
    """Which part of a body is expected next; `LENGTH` is for a body of declared length, which may
    be 0."""

    LENGTH = auto()
    CHUNK_LINE = auto()
    CHUNK_BYTES = auto()
    CHUNK_END = auto()
    TRAILER = auto()


class RequestReader:
    """The input of one connection. Feed it, then ask for the head, then for the body."""

    __slots__ = (
        "_body",
        "_buffer",
        "_chunks",
        "_empty_lines",
        "_framing_bytes",
        "_left",
        "_max_head_bytes",
        "_part",
        "_seen",
        "can_go_on",
    )

    def __init__(self, max_head_bytes: int) -> None:
        self._max_head_bytes = max_head_bytes
        self._buffer = bytearray()
        self._part = _Part.LENGTH
        self._seen = 0  # bytes of a head or line that were searched for its end in vain
        self._empty_lines = 0
        self._left = 0  # bytes of the body, or of its chunk, that are still to come
        self._begin_chunks()

    def _begin_chunks(self) -> None:
        self._body = bytearray()
        self._chunks = 0
        self._framing_bytes = 0  # of their extensions and trailers
        self.can_go_on = False  # a slice of the body was taken, and the next is here already

    def feed(self, data: bytes) -> None:
        """Take what one read brought."""
        self._buffer += data

    @property
    def rest(self) -> bytes:
        """What was fed and belongs to no request yet."""
        return bytes(self._buffer)

    @property
    def waiting_bytes(self) -> int:
        """How much that is."""
        return len(self._buffer)

    def drop(self) -> int:
        """Forget it; returns how much it was."""
        dropped = len(self._buffer)
        self._buffer.clear()
        return dropped

    def head(self) -> RequestHead | None:
        """The next head once it is complete. Raises BadRequestError. If a body follows, it has to
        be taken before the next head."""
        buffer = self._buffer
        if self._seen < len(_LINE_END) and buffer.startswith(_LINE_END):
            self._pass_over_empty_lines()
        end = buffer.find(_END, max(0, self._seen - len(_END) + 1))
        stop = end + len(_END) if end >= 0 else len(buffer)
        if stop > self._max_head_bytes:
            raise BadRequestError(431, "The head of the request is too large.")
        if end < 0:
            self._judge_beginning()
            self._seen = stop
            return None
        head = _parse(bytes(memoryview(buffer)[:stop]))
        del buffer[:stop]
        self._seen = self._empty_lines = 0
        self._left = head.declared_length
        if head.is_chunked:
            self._part = _Part.CHUNK_LINE
        return head

    def _pass_over_empty_lines(self) -> None:
        buffer = self._buffer
        while buffer.startswith(_LINE_END):
            self._empty_lines += 1
            if self._empty_lines > EMPTY_LINES_MAX:
                raise BadRequestError(400, "There are too many empty lines before the request.")
            del buffer[:2]
            self._seen = 0

    def _judge_beginning(self) -> None:
        """Refuse what cannot become a head whatever follows: other protocols end at once."""
        buffer, seen = self._buffer, self._seen
        if (seen <= _METHOD_MAX and not _BEGINNING.match(buffer)) or _NEVER_IN_A_LINE.search(
            buffer, max(0, seen - 1)
        ):
            raise _not_a_request()

    def body(self, max_bytes: int, *, is_wanted: bool = True) -> bytes | None:
        """The body of the request whose head was given, once it is complete.

        None if more bytes are needed, or, with `can_go_on`, another call. After the body the next
        head can be asked for. A body of declared length that is not wanted is not kept; then what
        is returned is empty. Raises BadRequestError: 413 for a body of more than `max_bytes`,
        judged by its declared length if it has one, and for one in too many chunks; 431 for chunks
        whose extensions and trailers are together larger than a head may be.
        """
        if self._part is not _Part.LENGTH:
            return self._chunked_body(max_bytes)
        if self._left > max_bytes:
            raise BadRequestError(413, "The body is too large.")
        buffer = self._buffer
        if not is_wanted:
            dropped = min(self._left, len(buffer))
            del buffer[:dropped]
            self._left -= dropped
        if len(buffer) < self._left:
            return None
        body = bytes(memoryview(buffer)[: self._left])
        del buffer[: self._left]
        self._left = 0
        return body

    def _chunked_body(self, max_bytes: int) -> bytes | None:
        buffer, at = self._buffer, 0
        turn_ends = self._chunks + CHUNKS_PER_TURN
        while True:
            if self._part is _Part.CHUNK_BYTES:
                piece = buffer[at : at + self._left]
                self._body += piece
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
                self._part = _Part.CHUNK_END
            if self._part is _Part.CHUNK_END:
                if len(buffer) - at < len(_LINE_END):
                    break
                if buffer[at : at + 2] != _LINE_END:
                    raise BadRequestError(400, "A chunk is not as long as it says.")
                at += 2
                self._part = _Part.CHUNK_LINE
                if self._chunks >= turn_ends:
                    self.can_go_on = True
                    del buffer[:at]
                    return None
            end = buffer.find(_LINE_END, at + max(0, self._seen - 1))
            if end < 0:
                self._judge_half_line(at)
                break
            line = bytes(buffer[at:end])
            at = end + 2
            self._seen = 0
            if self._part is _Part.CHUNK_LINE:
                self._begin_chunk(line, max_bytes)
            elif self._end_trailers(line):
                del buffer[:at]
                body = bytes(self._body)
                self._part = _Part.LENGTH
                self._begin_chunks()
                return body
        self.can_go_on = False
        del buffer[:at]
        return None

    def _judge_half_line(self, at: int) -> None:
        """Refuse a line that has not ended yet, and is already malformed or too long."""
        if _NEVER_IN_A_LINE.search(self._buffer, at + max(0, self._seen - 1)):
            raise BadRequestError(400, "A line between the chunks is not well-formed.")
        self._seen = len(self._buffer) - at
        self._judge_framing(self._seen)

    def _judge_framing(self, coming_bytes: int = 0) -> None:
        if self._framing_bytes + coming_bytes > self._max_head_bytes:
            raise BadRequestError(431, "The extensions or trailers of the chunks are too large.")

    def _begin_chunk(self, line: bytes, max_bytes: int) -> None:
        found = _CHUNK.fullmatch(line)
        if found is None:
            raise BadRequestError(400, "The length of a chunk is not well-formed.")
        size = int(found[1], 16)
        self._framing_bytes += len(found[2])
        self._judge_framing()
        if size == 0:
            self._part = _Part.TRAILER
            return
        carried = len(self._body) + size
        self._chunks += 1
        if carried > max_bytes:
            raise BadRequestError(413, "The body is too large.")
        if self._chunks > CHUNKS_FREE + carried // CHUNK_BYTES_MIN:
            raise BadRequestError(413, "The body comes in too many chunks.")
        self._left = size
        self._part = _Part.CHUNK_BYTES

    def _end_trailers(self, line: bytes) -> bool:
        """Whether this line ends the body; trailers are passed over."""
        if not line:
            return True
        if not _TRAILER.fullmatch(line):
            raise BadRequestError(400, "A trailer is not well-formed.")
        self._framing_bytes += len(line) + len(_LINE_END)
        self._judge_framing()
        return False


def _parse(raw: bytes) -> RequestHead:
    """Parse these bytes, from the method to the empty line, as a head."""
    found = _HEAD.fullmatch(raw)
    if found is None:
        raise _not_a_request(raw)
    method, target, minor, lines = found.groups()
    headers = _headers(lines)
    version = "1.1" if minor == b"1" else "1.0"
    _judge_host(headers, version)
    path, _, query = target.partition(b"?")
    options = _options(headers.get(b"connection", b"").lower())
    is_newer = version == "1.1"
    keeps_alive = b"close" not in options and (is_newer or b"keep-alive" in options)
    asks_for_upgrade = is_newer and b"upgrade" in options and b"upgrade" in headers
    return RequestHead(
        method.decode("ascii"),
        path,
        query,
        headers,
        version,
        keeps_alive,
        asks_for_upgrade,
        asks_for_upgrade and headers[b"upgrade"].lower() == b"websocket",
        _is_chunked(headers, version),
    )


def _options(listed: bytes) -> Sequence[bytes]:
    """The options of the header Connection, in lower case; most requests have one, or none."""
    if not listed:
        return ()
    if b"," in listed:
        return [option.strip(b" \t") for option in listed.split(b",")]
    return (listed,)


def _headers(lines: bytes) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    fields = lines.split(_LINE_END)
    fields.pop()
    if len(fields) > HEADERS_MAX:
        raise BadRequestError(431, f"The request has more than {HEADERS_MAX} headers.")
    for field in fields:
        name, _, value = field.partition(b":")
        name, value = name.lower(), value.strip(b" \t")
        if name in headers:
            if name in _SINGLE:
                raise BadRequestError(400, f"There are two {name.decode('ascii')} headers.")
            value = headers[name] + b", " + value
        headers[name] = value
    return headers


def _judge_host(headers: Mapping[bytes, bytes], version: str) -> None:
    """RFC 9112, 3.2: a request of HTTP/1.1 says whom it is for; one of 1.0 may."""
    host = headers.get(b"host")
    if host is None:
        if version == "1.1":
            raise BadRequestError(400, "A request of HTTP/1.1 needs a Host header.")
    elif parse_host(host.decode("latin-1")) is None:
        raise BadRequestError(400, "The Host header is not a name with an optional port.")


def _is_chunked(headers: Mapping[bytes, bytes], version: str) -> bool:
    """Whether the body comes in chunks; a length beside chunks, or one that is not a number, is
    refused."""
    length, encoding = headers.get(b"content-length"), headers.get(b"transfer-encoding")
    if length is not None and not _LENGTH.fullmatch(length):
        raise BadRequestError(400, "The Content-Length is not a number of bytes.")
    if encoding is None:
        return False
    if length is not None:
        raise BadRequestError(400, "A request has a Content-Length or a Transfer-Encoding.")
    if version == "1.0" or encoding.lower() != b"chunked":
        raise BadRequestError(400, "The only Transfer-Encoding is chunked, of HTTP/1.1.")
    return True


def _not_a_request(raw: bytes = b"") -> BadRequestError:
    """Why these bytes are not a head, as far as one sentence can say that."""
    other = _OTHER_VERSION.match(raw)
    if other is not None and other.groups() not in ((b"1", b"0"), (b"1", b"1")):
        return BadRequestError(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    return BadRequestError(400, "This is not an HTTP/1.1 request.")

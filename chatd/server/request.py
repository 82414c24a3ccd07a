"""Requests of one connection, read with httptools (llhttp): heads, bodies, one after the other.

Owns the framing of HTTP/1.1 (RFC 9112): where a head ends, how long a body is, what is left for the
next request. Knows no route. llhttp judges the grammar; because it does not tell where a message
ends, it is fed up to each place where one may: after an empty line.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Final

import attrs
import httptools

_END = b"\r\n\r\n"

CHUNK_FRAME_BYTES: Final = 12
"""Bytes that each chunk may take beside its data: eight digits of its length, two ends of lines.
What chunks take beyond that, for extensions and trailers, counts for the bound on heads: 431."""

TOO_LARGE: Final = frozenset({413, 431})
"""What a request is told of which some part is too large; the rest of it is well-formed."""


class BadRequestError(Exception):
    """The bytes are no request that this server takes; `status` is the answer's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@attrs.frozen
class RequestHead:
    """Method, target and headers. Header names are lower case; of a repeated one the values are
    joined by commas, as RFC 9110 has it. `is_websocket`: it asks for an upgrade. `raw` is the head
    as it came."""

    method: str
    path: bytes
    query: bytes
    headers: dict[bytes, bytes]
    keeps_alive: bool
    is_websocket: bool
    raw: bytes

    @property
    def expects_continue(self) -> bool:
        """Whether the body comes only after a 100 (RFC 9110, 10.1.1)."""
        return self.headers.get(b"expect", b"").lower() == b"100-continue"

    @property
    def declared_length(self) -> int:
        """Bytes of the body, as far as the head says."""
        return int(self.headers.get(b"content-length", b"0"))

    def header(self, name: bytes) -> str | None:
        """A header as text, or None."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


def asks_for_websocket(headers: Mapping[bytes, bytes]) -> bool:
    """Whether these are the headers of an upgrade to a WebSocket (RFC 6455, 4.2.1)."""
    if headers.get(b"upgrade", b"").lower() != b"websocket":
        return False
    options = headers.get(b"connection", b"").lower().split(b",")
    return b"upgrade" in [option.strip() for option in options]


# Where two of these differ, two readers of the request may see two different requests.
_SINGLE = frozenset({b"host", b"origin", b"authorization", b"sec-websocket-key", b"content-length"})


class _State(Enum):
    HEAD = auto()
    LENGTH = auto()
    CHUNKED = auto()


class RequestReader:
    """The input of one connection. Feed it, then ask for the head, then for the body."""

    __slots__ = (
        "_body",
        "_body_bytes",
        "_buffer",
        "_chunks",
        "_fed",
        "_framing_bytes",
        "_headers",
        "_is_complete",
        "_is_head_complete",
        "_keeps_alive",
        "_length",
        "_max_head_bytes",
        "_parser",
        "_state",
        "_tail",
        "_url",
    )

    def __init__(self, max_head_bytes: int) -> None:
        self._max_head_bytes = max_head_bytes
        self._buffer = bytearray()
        self._begin()

    def _begin(self) -> None:
        self._parser: Any = httptools.HttpRequestParser(self)
        self._state = _State.HEAD
        self._fed = 0
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._is_head_complete = False
        self._is_complete = False
        self._keeps_alive = False
        self._length = 0
        self._body = bytearray()
        self._body_bytes = 0  # of chunks, kept or not
        self._chunks = 0
        self._framing_bytes = 0  # of chunks, beside their data
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Take what one read brought."""
        self._buffer += data

    @property
    def waiting_bytes(self) -> int:
        """How much was fed and belongs to nothing that was taken yet."""
        return len(self._buffer)

    def drop(self) -> None:
        """Forget what was fed."""
        self._buffer.clear()

    @property
    def rest(self) -> bytes:
        """What was fed and belongs to nothing that was taken yet."""
        return bytes(self._buffer)

    def head(self) -> RequestHead | None:
        """The next head once it is complete. Raises BadRequestError."""
        buffer = self._buffer
        if self._fed == 0:
            while buffer[:2] == b"\r\n":
                del buffer[:2]  # RFC 9112, 2.2: empty lines before a request are passed over
        end = buffer.find(_END, max(0, self._fed - len(_END) + 1))
        stop = end + len(_END) if end >= 0 else len(buffer)
        if stop > self._max_head_bytes:
            raise BadRequestError(431, "The head of the request is too large.")
        if stop > self._fed:
            self._parse(bytes(memoryview(buffer)[self._fed : stop]))
            self._fed = stop
        if end < 0:
            return None
        if not self._is_head_complete:
            raise BadRequestError(400, "This is not an HTTP/1.1 request.")
        raw = bytes(memoryview(buffer)[:stop])
        del buffer[:stop]
        path, _, query = self._url.partition(b"?")
        headers = self._headers
        if b"transfer-encoding" in headers:
            self._state = _State.CHUNKED
        else:
            self._state = _State.LENGTH
        head = RequestHead(
            self._parser.get_method().decode("ascii"),
            path,
            query.partition(b"#")[0],
            headers,
            self._keeps_alive,
            asks_for_websocket(headers),
            raw,
        )
        self._length = head.declared_length
        return head

    def body(self, max_bytes: int, *, is_wanted: bool = True) -> bytes | None:
        """The body of the request whose head was given, once it is complete.

        After it the next head can be asked for. Of a body that is not wanted nothing is kept, and
        what is returned is empty. Raises BadRequestError: 413 for a body of more than `max_bytes`,
        from its declared length where it has one; 431 for chunks whose extensions and trailers are
        together larger than a head may be.
        """
        if self._state is _State.LENGTH:
            if self._length > max_bytes:
                raise BadRequestError(413, "The body is too large.")
            if not is_wanted:
                dropped = min(self._length, len(self._buffer))
                del self._buffer[:dropped]
                self._length -= dropped
            if len(self._buffer) < self._length:
                return None
            body = bytes(memoryview(self._buffer)[: self._length])
            del self._buffer[: self._length]
            self._begin()
            return body
        while self._buffer and not self._is_complete:
            self._feed_chunks(max_bytes)
            if not is_wanted:
                self._body.clear()
        if not self._is_complete:
            return None
        body = bytes(self._body)
        self._begin()
        return body

    def _feed_chunks(self, max_bytes: int) -> None:
        """Give llhttp the bytes up to the next place where the message may end."""
        buffer = self._buffer
        window = self._tail + buffer[: len(_END)]
        across = window.find(_END)
        if 0 <= across < len(self._tail):
            stop = across + len(_END) - len(self._tail)
        else:
            end = buffer.find(_END)
            stop = end + len(_END) if end >= 0 else len(buffer)
        piece = bytes(memoryview(buffer)[:stop])
        del buffer[:stop]
        self._tail = b"" if piece.endswith(_END) else (self._tail + piece)[-len(_END) + 1 :]
        self._framing_bytes += len(piece) + self._body_bytes
        self._parse(piece)
        self._framing_bytes -= self._body_bytes
        if self._body_bytes > max_bytes:
            raise BadRequestError(413, "The body is too large.")
        if self._framing_bytes > self._max_head_bytes + self._chunks * CHUNK_FRAME_BYTES:
            raise BadRequestError(431, "The extensions or trailers of the chunks are too large.")

    def _parse(self, piece: bytes) -> None:
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass  # the head ends here, and what follows is not HTTP
        except httptools.HttpParserCallbackError as error:
            if isinstance(error.__context__, BadRequestError):
                raise error.__context__ from None
            raise
        except httptools.HttpParserError as error:
            raise BadRequestError(400, "This is not an HTTP/1.1 request.") from error

    def on_url(self, url: bytes) -> None:
        """httptools: a piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: one header, or a trailer after chunks, which nobody asked for."""
        if self._is_head_complete:
            return
        name = name.lower()
        if name in self._headers:
            if name in _SINGLE:
                raise BadRequestError(400, f"There are two {name.decode('latin-1')} headers.")
            value = self._headers[name] + b", " + value
        self._headers[name] = value

    def on_headers_complete(self) -> None:
        """httptools: the head ends."""
        self._is_head_complete = True
        # Behind the end of the message, which may follow at once, llhttp has forgotten this.
        self._keeps_alive = self._parser.should_keep_alive()

    def on_chunk_header(self) -> None:
        """httptools: a chunk begins."""
        self._chunks += 1

    def on_body(self, piece: bytes) -> None:
        """httptools: a piece of a chunked body."""
        self._body += piece
        self._body_bytes += len(piece)

    def on_message_complete(self) -> None:
        """httptools: the request ends."""
        self._is_complete = True

"""The head of a request, read with httptools (llhttp) before anything is routed.

Owns how bytes become a `RequestHead`; knows no route. RFC 9112.
"""

import attrs
import httptools


class BadRequestError(Exception):
    """The bytes are no request that this server takes; `status` is the answer's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@attrs.frozen
class RequestHead:
    """Method, target and headers. Header names are lower case; of a repeated one the values are
    joined by commas, as RFC 9110 has it. `rest` is what followed the head in the bytes read."""

    method: str
    path: bytes
    query: bytes
    headers: dict[bytes, bytes]
    rest: bytes

    def header(self, name: bytes) -> str | None:
        """A header as text, or None."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def is_websocket(self) -> bool:
        """Whether it asks for a WebSocket (RFC 6455, 4.2.1)."""
        options = self.headers.get(b"connection", b"").lower().split(b",")
        return self.headers.get(b"upgrade", b"").lower() == b"websocket" and any(
            option.strip() == b"upgrade" for option in options
        )


# Where two of these differ, two readers of the request may see two different requests.
_SINGLE = frozenset({b"host", b"origin", b"authorization", b"sec-websocket-key", b"content-length"})


class HeadReader:
    """Collects the head of one request; one object for each connection that is being opened."""

    __slots__ = ("_complete", "_headers", "_max_bytes", "_parser", "_received", "_url")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._received = b""
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._complete = False
        self._parser = httptools.HttpRequestParser(self)

    @property
    def received(self) -> bytes:
        """Every byte that was fed, to hand over to whoever serves the request."""
        return self._received

    def feed(self, data: bytes) -> RequestHead | None:
        """Take bytes; the head once it is complete. Raises BadRequestError."""
        self._received += data
        rest = b""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            if isinstance(cause, BadRequestError):
                raise cause from None
            raise
        except httptools.HttpParserError as error:
            if not self._complete:
                raise BadRequestError(400, "This is not an HTTP/1.1 request.") from error
        # What is behind the head does not count, but the blank line must come in time.
        if len(self._received) > self._max_bytes and (
            not self._complete or self._received.find(b"\r\n\r\n", 0, self._max_bytes) < 0
        ):
            raise BadRequestError(431, "The head of the request is too large.")
        if not self._complete:
            return None
        path, _, query = self._url.partition(b"?")
        method = self._parser.get_method().decode("ascii")
        return RequestHead(method, path, query.partition(b"#")[0], self._headers, rest)

    def on_url(self, url: bytes) -> None:
        """httptools: a piece of the target."""
        if not self._complete:  # what follows may be a second request already
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: one header."""
        if self._complete:
            return
        name = name.lower()
        if name in self._headers:
            if name in _SINGLE:
                raise BadRequestError(400, f"There are two {name.decode('latin-1')} headers.")
            value = self._headers[name] + b", " + value
        self._headers[name] = value

    def on_headers_complete(self) -> None:
        """httptools: the head ends."""
        self._complete = True

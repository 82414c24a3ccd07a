"""MCP with a server at a URL: streamable HTTP by the SDK, over a client with bounds.

The SDK follows redirects only within the origin of the URL. Its client reads whole responses, and
unpacks them; so bytes are counted before that, and compressed responses are refused.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx2
from mcp.client._transport import TransportStreams
from mcp.client.streamable_http import streamable_http_client

from chatd.answers.mcp.link import SIZES_A_CALL, Link
from chatd.answers.mcp.settings import DatabaseSettings

CONNECT_S: Final = 5.0
"""Seconds that it may take to connect, and to take a request."""


CALL: Final = b'"tools/call"'
"""What the body of a call has, and that of nothing else which is posted."""


class TooMuch(httpx2.StreamError):
    """A response has more bytes than it may have, or is compressed."""


class _Counted(httpx2.AsyncByteStream):
    """The body of a response, up to a number of bytes, read as its rows are taken."""

    def __init__(self, body: httpx2.AsyncByteStream, bytes_left: int, link: Link) -> None:
        self._body = body
        self._bytes_left = bytes_left
        self._link = link

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._body:
            self._bytes_left -= len(piece)
            if self._bytes_left < 0:
                raise TooMuch("more bytes than a response may have")
            await self._link.flowing()
            yield piece

    async def aclose(self) -> None:
        await self._body.aclose()


class Bounded(httpx2.AsyncBaseTransport):
    """Another transport, whose responses are bounded.

    A single JSON document may have the bytes of a message; a stream of events, each of which the
    SDK bounds, some times as many, or what a call may bring. A 404 to a call is how a server says
    that it does not know the session. To a GET it says also that it has no stream of events, or no
    longer that of a call which it has begun.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport, link: Link) -> None:
        self._inner = inner
        self._link = link

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        is_events = response.headers.get("content-type", "").startswith("text/event-stream")
        is_packed = response.headers.get("content-encoding", "identity") != "identity"
        most = self._link.max_message_bytes
        if is_events:
            most = max(SIZES_A_CALL * most, self._link.bytes_left)
        if is_packed:
            most = 0
        is_call = request.method == "POST" and CALL in request.content
        if is_call and response.status_code == httpx2.codes.NOT_FOUND:
            self._link.is_forgotten = True
        response.stream = _Counted(response.stream, most, self._link)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


@asynccontextmanager
async def http_streams(settings: DatabaseSettings, link: Link) -> AsyncIterator[TransportStreams]:
    """The streams to and from a server. If the connection dies, the block is cancelled, and this
    raises."""
    async with (
        httpx2.AsyncClient(
            transport=Bounded(httpx2.AsyncHTTPTransport(), link),
            headers={**settings.headers, "Accept-Encoding": "identity"},
            timeout=httpx2.Timeout(CONNECT_S, read=settings.call_timeout_s + CONNECT_S),
            trust_env=False,
        ) as client,
        streamable_http_client(
            settings.url, http_client=client, max_sse_event_size=link.max_message_bytes
        ) as streams,
    ):
        yield streams

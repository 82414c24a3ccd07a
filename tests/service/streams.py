"""The far end of a stream of events: what the HTML standard reads of it (9.2.6), by plain code."""

from collections.abc import Mapping
from typing import Any

import attrs
import orjson
import trio

from tests.net.peers import HARD_LIMIT_S
from tests.service.chats import ROOM, Chat, token


@attrs.frozen
class Heard:
    """One event, and the id that the client has after it."""

    name: str
    payload: Any
    last_id: str


@attrs.define
class Stream:
    """A stream that is open: its status and headers, and its events as they come."""

    sock: trio.SocketStream
    status: int = 0
    headers: dict[str, str] = attrs.field(factory=dict)
    retry_ms: int | None = None
    last_id: str = ""
    heartbeats: int = 0
    _buffer: bytes = b""

    async def read_head(self) -> None:
        head = await self._until(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1])
        pairs = (line.partition(": ") for line in lines)
        self.headers = {name.lower(): value for name, _, value in pairs}

    async def event(self) -> Heard:
        """The next event; trio.EndOfChannel where the stream has ended."""
        while True:
            block = (await self._until(b"\n\n")).decode("utf-8")
            name, payload = "message", None
            for line in block.split("\n"):
                field, _, value = line.partition(":")
                value = value.removeprefix(" ")
                match field:
                    case "":
                        self.heartbeats += 1
                    case "retry":
                        self.retry_ms = int(value)
                    case "id":
                        self.last_id = value
                    case "event":
                        name = value
                    case "data":
                        assert payload is None, "each event has one line of data"
                        payload = orjson.loads(value)
                    case _:
                        raise AssertionError(line)
            if payload is not None:
                return Heard(name, payload, self.last_id)
            if self.heartbeats:
                return Heard("", None, self.last_id)

    async def expect(self, name: str) -> Any:
        """The payload of the next event, which has this name; heartbeats are passed over."""
        while True:
            heard = await self.event()
            if heard.name:
                assert heard.name == name, heard
                return heard.payload

    async def until(self, name: str) -> Any:
        """The payload of the next event of this name; others are passed over."""
        while True:
            heard = await self.event()
            if heard.name == name:
                return heard.payload

    async def rest(self) -> list[Heard]:
        """What comes up to the end of the stream."""
        heard = []
        try:
            while True:
                heard.append(await self.event())
        except trio.EndOfChannel:
            return heard

    async def error(self) -> Any:
        """The body of a refusal."""
        length = int(self.headers["content-length"])
        while len(self._buffer) < length:
            await self._read()
        return orjson.loads(self._buffer[:length])["error"]

    async def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            await self._read()
        found, _, self._buffer = self._buffer.partition(end)
        return found

    async def _read(self) -> None:
        with trio.fail_after(HARD_LIMIT_S):
            try:
                data = await self.sock.receive_some()
            except trio.BrokenResourceError:
                data = b""
        if not data:
            raise trio.EndOfChannel
        self._buffer += data


async def open_stream(
    chat: Chat,
    bearer: str | None = None,
    *,
    room: str = ROOM,
    last_id: str | None = None,
    headers: Mapping[str, str] = {},
    behind: bytes = b"",
    receive_bytes: int | None = None,
) -> Stream:
    """A stream whose head was read. `behind` is sent at once behind the request."""
    sock = trio.socket.socket()
    if receive_bytes is not None:
        sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, receive_bytes)
    await sock.connect(chat.address)
    stream = Stream(trio.SocketStream(sock))
    chat.streams.append(stream.sock)
    sent = {"Host": "localhost", "Authorization": f"Bearer {bearer or token()}", **headers}
    if last_id is not None:
        sent["Last-Event-ID"] = last_id
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    request = f"GET /api/rooms/{room}/events HTTP/1.1\r\n{lines}\r\n"
    await stream.sock.send_all(request.encode("latin-1") + behind)
    await stream.read_head()
    return stream


async def listening(chat: Chat, bearer: str | None = None, **request: Any) -> Stream:
    """A stream that is open, and has said so."""
    stream = await open_stream(chat, bearer, **request)
    assert stream.status == 200, await stream.error()
    await stream.expect("stream:open")
    return stream

"""A raw WebSocket peer whose codec is not ours: wsproto over a real socket."""

import os
import socket
import struct
from base64 import b64encode
from collections.abc import Iterable

import orjson
import trio
from wsproto import ConnectionType
from wsproto.connection import Connection, ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

HARD_LIMIT_S = 60
NO_CODE = 1005  # what wsproto calls a close frame without a code
CUT = 1006  # what it calls an end without a close frame

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
CONTINUATION = 0x0


def upgrade_request(
    query: str = "EIO=4&transport=websocket",
    *,
    path: str = "/socket.io/",
    method: str = "GET",
    headers: Iterable[str] = (),
    without: str = "",
) -> bytes:
    """The opening handshake; a header in `headers` replaces the usual one of that name."""
    key = b64encode(os.urandom(16)).decode()
    usual = {
        "host": "Host: 127.0.0.1",
        "upgrade": "Upgrade: websocket",
        "connection": "Connection: Upgrade",
        "sec-websocket-version": "Sec-WebSocket-Version: 13",
        "sec-websocket-key": f"Sec-WebSocket-Key: {key}",
    }
    usual.update({line.partition(":")[0].lower(): line for line in headers})
    usual.pop(without, None)
    lines = [f"{method} {path}?{query} HTTP/1.1", *usual.values()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    masked: bool = True,
    claimed_size: int | None = None,
) -> bytes:
    """One frame, also of kinds that no honest client sends. `claimed_size` is what it says."""
    size = len(payload) if claimed_size is None else claimed_size
    first = fin << 7 | rsv << 4 | opcode
    if size < 126:
        head = struct.pack("!BB", first, masked << 7 | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, masked << 7 | 126, size)
    else:
        head = struct.pack("!BBQ", first, masked << 7 | 127, size)
    if not masked:
        return head + payload
    mask = b"\x01\x02\x03\x04"
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


class Ended(Exception):
    """The connection ended; `code` is that of the close frame."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class Peer:
    """One end of a WebSocket, whole messages at a time."""

    def __init__(self, stream: trio.SocketStream, head: bytes, rest: bytes) -> None:
        self.stream = stream
        self.head = head
        self._codec = Connection(ConnectionType.CLIENT)
        self._codec.receive_data(rest)
        self._events = self._codec.events()
        self._pieces: list[str | bytes | bytearray] = []

    async def event(self) -> Event:
        """The next event as wsproto has it; messages are put together."""
        while True:
            for event in self._events:
                if isinstance(event, TextMessage | BytesMessage):
                    self._pieces.append(event.data)
                    if not event.message_finished:
                        continue
                    whole = self._pieces[0][:0].join(self._pieces)  # type: ignore[arg-type]
                    self._pieces = []
                    return type(event)(data=whole)
                return event
            try:
                received = await self.stream.receive_some(65536)
            except trio.BrokenResourceError:
                received = b""
            if self._codec.state is ConnectionState.CLOSED:
                assert not received, "bytes behind the close frame"
                return CloseConnection(code=CUT)
            self._codec.receive_data(received or None)
            self._events = self._codec.events()

    async def message(self) -> str | bytes:
        """The next message; raises Ended where the connection ends instead."""
        while True:
            event = await self.event()
            match event:
                case TextMessage(data) | BytesMessage(data):
                    return bytes(data) if isinstance(data, bytearray) else data
                case CloseConnection(code):
                    raise Ended(int(code))
                case Ping() | Pong():
                    continue
                case _:
                    raise AssertionError(event)

    async def send(self, *messages: str | bytes) -> None:
        """Send messages, all in one segment."""
        data = b"".join(
            frame(TEXT, message.encode())
            if isinstance(message, str)
            else frame(BINARY, bytes(message))
            for message in messages
        )
        await self.stream.send_all(data)

    async def end(self) -> int:
        """Read to the end of the connection; the code of the close frame."""
        while True:
            event = await self.event()
            if isinstance(event, CloseConnection):
                code = int(event.code)
                if code != CUT:
                    assert await self.stream.receive_some(1) == b"", "no FIN behind the close"
                return code

    async def connect(self, packet: str = "40") -> dict[str, object]:
        """Join a namespace; the payload of the reply."""
        await self.send(packet)
        reply = await self.message()
        assert isinstance(reply, str)
        assert reply.startswith("40"), reply
        return orjson.loads(reply[reply.index("{") :])  # type: ignore[no-any-return]

    async def echo(self, text: str = "still here") -> None:
        """The other side answers as ever."""
        sent = orjson.dumps(["echo", text]).decode()
        await self.send("42" + sent)
        assert await self.message() == "42" + sent

    async def reset(self) -> None:
        """Go away with a RST."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self.stream.aclose()


async def read_to_end(stream: trio.SocketStream) -> bytes:
    """All that comes until the other side closes or breaks off."""
    seen = b""
    while True:
        try:
            piece = await stream.receive_some()
        except trio.BrokenResourceError:
            return seen
        if not piece:
            return seen
        seen += piece


async def read_head(stream: trio.SocketStream) -> tuple[bytes, bytes]:
    """A response's head, and what came behind it."""
    seen = b""
    while b"\r\n\r\n" not in seen:
        piece = await stream.receive_some()
        assert piece, seen
        seen += piece
    head, _, rest = seen.partition(b"\r\n\r\n")
    return head, rest

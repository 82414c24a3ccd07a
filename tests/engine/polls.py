"""A raw HTTP peer, one connection at a time, and a session that polls with it."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import attrs
import orjson
import trio

from chatd.engine.polling import PollingTransport
from chatd.engine.session import Session
from tests.engine.listeners import Door, open_websocket
from tests.net.peers import HARD_LIMIT_S, Peer

RS = b"\x1e"
UNKNOWN_SID = b'{"code":1,"message":"Session ID unknown"}'
BAD_REQUEST = b'{"code":3,"message":"Bad request"}'


@attrs.frozen
class Answer:
    """One response. Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def request(
    method: str = "GET",
    query: str = "EIO=4&transport=polling",
    body: bytes | None = None,
    *,
    headers: Iterable[str] = (),
    path: str = "/socket.io/",
    host: str = "127.0.0.1",
) -> bytes:
    """The bytes of one request; `Content-Length` is there where there is a body."""
    lines = [f"{method} {path}?{query} HTTP/1.1", f"Host: {host}", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


def chunked(*pieces: bytes) -> bytes:
    """A body in chunks, to its end."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


class HttpPeer:
    """One connection, whose responses are read one after the other."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.seen = b""

    async def send(self, *args: Any, **kwargs: Any) -> None:
        """Send `request(...)`."""
        await self.stream.send_all(request(*args, **kwargs))

    async def answer(self, *, to_head: bool = False) -> Answer:
        """The next response; it must say how long it is."""
        while b"\r\n\r\n" not in self.seen:
            await self._more()
        head, _, self.seen = self.seen.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(": ")
            known = headers.get(name.lower())
            headers[name.lower()] = value if known is None else f"{known}, {value}"
        if status == "100":
            return Answer(100, headers, b"")
        length = 0 if to_head else int(headers["content-length"])
        while len(self.seen) < length:
            await self._more()
        body, self.seen = self.seen[:length], self.seen[length:]
        return Answer(int(status), headers, body)

    async def _more(self) -> None:
        piece = await self.stream.receive_some()
        assert piece, f"the connection ended behind {self.seen!r}"
        self.seen += piece

    async def ask(self, *args: Any, **kwargs: Any) -> Answer:
        """Send a request and read its response."""
        await self.send(*args, **kwargs)
        return await self.answer()

    async def ended(self) -> bool:
        """Wait for the end of the connection; whether it came without another byte."""
        while True:
            try:
                piece = await self.stream.receive_some()
            except trio.BrokenResourceError:
                piece = b""
            if not piece:
                return not self.seen
            self.seen += piece


async def dial(door: Door) -> HttpPeer:
    return HttpPeer(await door.dial())


async def ask(door: Door, *args: Any, **kwargs: Any) -> Answer:
    """One request on a connection of its own."""
    return await (await dial(door)).ask(*args, **kwargs)


async def until(condition: Callable[[], object]) -> None:
    """Let others run until it holds; the limit is on the real clock, whatever Trio's says."""
    limit_s = time.monotonic() + HARD_LIMIT_S
    while not condition():
        assert time.monotonic() < limit_s, "it never comes"
        await trio.lowlevel.checkpoint()


@attrs.frozen
class Poller:
    """A session over polling. Every request has a connection of its own unless it brings one."""

    door: Door
    sid: str
    query: str

    @property
    def session(self) -> Session:
        return self.door.sessions.by_sid[self.sid]

    @property
    def transport(self) -> PollingTransport:
        transport = self.session.transport
        assert isinstance(transport, PollingTransport)
        return transport

    @property
    def is_alive(self) -> bool:
        return self.sid in self.door.sessions.by_sid

    async def get(self) -> Answer:
        return await ask(self.door, "GET", self.query)

    async def post(self, body: bytes, **kwargs: Any) -> Answer:
        return await ask(self.door, "POST", self.query, body, **kwargs)

    async def say(self, body: bytes) -> None:
        """A POST that is taken."""
        answer = await self.post(body)
        assert (answer.status, answer.body) == (200, b"ok")

    async def poll(self) -> HttpPeer:
        """A GET that waits at the server."""
        peer = await dial(self.door)
        await peer.send("GET", self.query)
        transport = self.transport
        await until(lambda: transport._poll is not None)
        return peer

    async def probe(self) -> Peer:
        """A WebSocket as far as its 101."""
        query = f"EIO=4&transport=websocket&sid={self.sid}"
        return await open_websocket(await self.door.dial(), query=query)

    async def echo(self, text: str = "still here") -> None:
        """The session works in both directions."""
        packet = b"42" + orjson.dumps(["echo", text])
        await self.say(packet)
        assert (await self.get()).body == packet

    async def gone(self) -> None:
        """The session ends, and the next GET is told so."""
        await until(lambda: not self.is_alive)
        answer = await self.get()
        assert (answer.status, answer.body) == (400, UNKNOWN_SID)


async def open_poller(door: Door, peer: HttpPeer | None = None, **kwargs: Any) -> Poller:
    """A session over polling that has joined nothing yet."""
    answer = await (peer or await dial(door)).ask(**kwargs)
    assert answer.status == 200, answer
    assert answer.body.startswith(b"0{")
    sid = orjson.loads(answer.body[1:])["sid"]
    return Poller(door, sid, f"EIO=4&transport=polling&sid={sid}")


async def join(door: Door) -> Poller:
    """A session over polling in the main namespace."""
    poller = await open_poller(door)
    await poller.say(b"40")
    assert (await poller.get()).body.startswith(b'40{"sid":"')
    return poller

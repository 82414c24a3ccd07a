"""A small Socket.IO client over WebSocket, on an independent WebSocket implementation.

It keeps all that it was told, in order, so that a test can ask for it afterwards. It knows the
bytes of Engine.IO 4 and Socket.IO 5 that a chat client meets, and nothing of chatd.
"""

import json
import re
import socket
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import jwt
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

ANSWER_S = 40.0
_ACK = re.compile(r"43(\d+)(.*)", re.DOTALL)


class Gone(Exception):
    """The transport has closed."""


class Refused(Exception):
    """CONNECT_ERROR; `code` is that of its data."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error)
        self.code = error["data"]["code"]


def token_for(secret: str, user: str, rooms: Sequence[str] = ("demo",), **claims: Any) -> str:
    """A token as an identity provider signs it."""
    now_s = int(time.time())
    payload = {
        "sub": user,
        "aud": "authenticated",
        "iat": now_s,
        "exp": now_s + 3600,
        "connections": list(rooms),
    }
    return jwt.encode(payload | claims, secret, "HS256")


class NotHeard(trio.TooSlowError):
    """An event was not told in its time; says which others were, and what was refused."""

    def __init__(self, name: str, fields: dict[str, Any], heard: Sequence[tuple[str, Any]]) -> None:
        told = dict(Counter(event for event, _ in heard))
        refused = [payload for event, payload in heard if event == "chat:error"]
        super().__init__(f"{name} {fields} was not told, but {told}; refused: {refused}")


class Client:
    """A connected client: `heard` is each event as (name, payload), `packets` all else of note."""

    def __init__(self, websocket: WebSocketConnection) -> None:
        self._websocket = websocket
        self._acks: dict[int, Callable[[Any], None]] = {}
        self._next_ack = 0
        self._news = trio.lowlevel.ParkingLot()
        self._reading = trio.CancelScope()
        self._refusal: dict[str, Any] | None = None
        self._joined = False
        self._listener: Callable[[str, Any], None] | None = None
        self.heard: list[tuple[str, Any]] = []
        self.packets: list[str] = []
        self.is_gone = False

    @classmethod
    async def connect(
        cls,
        nursery: trio.Nursery,
        port: int,
        token: str | None = None,
        *,
        query: dict[str, str] | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
        receive_buffer_bytes: int | None = None,
        **auth: Any,
    ) -> "Client":
        """Connect to the namespace `/`. Raises `Refused`, `Gone`, `HandshakeError`.

        A small `receive_buffer_bytes` makes a peer that stops reading felt soon.
        """
        with trio.fail_after(ANSWER_S):
            sock = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            nursery.start_soon(_close_at_the_end, sock)
            if receive_buffer_bytes is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
            await sock.connect(("127.0.0.1", port))
            parameters = {"EIO": "4", "transport": "websocket", **(query or {})}
            websocket = await wrap_client_stream(
                nursery,
                trio.SocketStream(sock),
                f"127.0.0.1:{port}",
                f"/socket.io/?{urlencode(parameters)}",
                extra_headers=list(headers),
                max_message_size=2**26,
            )
            client = cls(websocket)
            nursery.start_soon(client._read, sock)
            payload = auth if token is None else {"token": token, **auth}
            await client._send("40" + (json.dumps(payload) if payload else ""))
            while not (client._joined or client._refusal or client.is_gone):
                await client._news.park()
        if client._refusal is not None:
            raise Refused(client._refusal)
        if client.is_gone:
            raise Gone
        return client

    async def _read(self, sock: trio.socket.SocketType) -> None:
        try:
            with self._reading:
                while True:
                    packet = await self._websocket.get_message()
                    self._take(packet)
                    if packet == "2":
                        await self._send("3")
        except (ConnectionClosed, Gone):
            sock.close()
            self.is_gone = True
            for answer in self._acks.values():
                answer(Gone())
            self._acks.clear()
            self._news.unpark_all()

    def _take(self, packet: str) -> None:
        if packet.startswith("42"):
            name, *arguments = json.loads(packet[2:])
            if self._listener is not None:
                self._listener(name, *arguments)
            else:
                self.heard.append((name, *arguments))
        elif (ack := _ACK.fullmatch(packet)) is not None:
            answer = self._acks.pop(int(ack[1]), None)
            if answer is not None:
                answer(*json.loads(ack[2]))
        else:
            self.packets.append(packet)
            if packet.startswith("44"):
                self._refusal = json.loads(packet[2:])
            elif packet.startswith("40"):
                self._joined = True
        self._news.unpark_all()

    async def _send(self, packet: str) -> None:
        try:
            await self._websocket.send_message(packet)
        except ConnectionClosed:
            raise Gone from None

    async def emit(self, name: str, payload: Any) -> None:
        """Send an event and ask for no answer."""
        await self._send("42" + json.dumps([name, payload]))

    async def ask(self, name: str, payload: Any, within_s: float = ANSWER_S) -> Any:
        """Send an event and return what its ack carries. Raises `Gone`."""
        if self.is_gone:
            raise Gone
        answers: list[Any] = []
        answered = trio.Event()

        def answer(value: Any) -> None:
            answers.append(value)
            answered.set()

        number = self._next_ack
        self._next_ack += 1
        self._acks[number] = answer
        with trio.fail_after(within_s):
            await self._send(f"42{number}" + json.dumps([name, payload]))
            await answered.wait()
        if isinstance(answers[0], Gone):
            raise answers[0]
        return answers[0]

    def tell(self, listener: Callable[[str, Any], None]) -> None:
        """Tell of each event, those so far first, as it comes, and keep none from now on."""
        for said in self.heard:
            listener(*said)
        self.heard.clear()
        self._listener = listener

    async def say(self, content: str, room: str = "demo", message_id: str | None = None) -> Any:
        """Send a message and return its ack."""
        return await self.ask("chat:message", message(content, room, message_id))

    async def hear(self, name: str, within_s: float = ANSWER_S, **fields: Any) -> dict[str, Any]:
        """The first event of that name with these fields, once it was told. Raises `NotHeard`."""
        with trio.move_on_after(within_s):
            seen = 0
            while True:
                for said in self.heard[seen:]:
                    if said[0] == name and fields.items() <= said[1].items():
                        return said[1]
                if self.is_gone:
                    raise Gone
                seen = len(self.heard)
                await self._news.park()
        raise NotHeard(name, fields, self.heard)

    async def gone(self, within_s: float = ANSWER_S) -> None:
        """Return when the transport has closed."""
        with trio.fail_after(within_s):
            while not self.is_gone:
                await self._news.park()

    async def caught_up(self, rooms: Sequence[str]) -> None:
        """Return when the catch-up of these rooms is over: another join of theirs is answered."""
        for room in rooms:
            await self.hear("chat:history", connectionId=room)
        await self.joins_are_over()

    async def joins_are_over(self, within_s: float = ANSWER_S) -> None:
        """Return when each join so far has succeeded or was refused: what comes next waits."""
        await self.ask("connection:leave", {"connectionId": "a room that is not there"}, within_s)

    async def close(self) -> None:
        """Hang up, and return when the daemon has hung up too."""
        with trio.fail_after(ANSWER_S):
            await self._websocket.aclose()
        await self.gone()

    def said(self, name: str) -> list[dict[str, Any]]:
        """The payloads of all events of that name so far."""
        return [said[1] for said in self.heard if said[0] == name]

    def stop_reading(self) -> None:
        """Take nothing more from the socket, and keep it open."""
        self._reading.cancel()

    async def whole_room(self, room: str = "demo", after: int = 0) -> list[dict[str, Any]]:
        """All messages of a room, or those after a seq, page by page."""
        messages: list[dict[str, Any]] = []
        more = True
        while more:
            wanted = {"connectionId": room, "after": after + len(messages), "limit": 200}
            page = await self.ask("chat:history:get", wanted)
            assert page["ok"], page
            messages += page["messages"]
            more = page["hasMore"]
        return messages


async def _close_at_the_end(sock: trio.socket.SocketType) -> None:
    try:
        await trio.sleep_forever()
    finally:
        sock.close()


def message(content: str, room: str = "demo", message_id: str | None = None) -> dict[str, Any]:
    return {
        "messageId": message_id or str(uuid.uuid4()),
        "content": content,
        "connectionId": room,
    }

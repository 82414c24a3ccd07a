"""One client of Socket.IO over each of its transports, without I/O: bytes in, bytes out.

Owns the client's half of Engine.IO 4 and Socket.IO 5 in the namespace `/`, and of the upgrade. It
must not know sockets, clocks, or what an event means. A client has up to three connections (lanes);
it asks `Wires` for what it wants of them, and tells its `Owner` what comes.

Events and acks stay bytes, `42[...]` and `43ID[...]`: a generator looks at a few bytes of each, and
JSON would cost more than everything else.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import IntEnum, StrEnum
from typing import Any, Final, Protocol

import orjson

from chatd.bench.address import Address
from chatd.bench.http_answers import Answer, Answers, NoHttpError
from chatd.engineio.handshake import POLLING, WEBSOCKET
from chatd.engineio.packet import PacketType
from chatd.engineio.payload import encode_payload
from chatd.engineio.upgrade import PROBE
from chatd.socketio.encoder import encode
from chatd.socketio.packet import Connect
from chatd.websocket.client import (
    ACCEPTED,
    ServerEvent,
    ServerFrames,
    masked_pong,
    masked_text,
    upgrade_request,
)
from chatd.websocket.frames import Close, Ping, ProtocolError


class Transport(StrEnum):
    """How a client comes: by a WebSocket, by polling, or by polling and from there to a
    WebSocket, as stock clients in browsers do."""

    WEBSOCKET = "websocket"
    POLLING = "polling"
    UPGRADE = "upgrade"


class Lane(IntEnum):
    """The connections of a client."""

    MAIN = 0  # the WebSocket of a client that has no other, or the GETs of one that polls
    POSTS = 1
    UPGRADE = 2  # the WebSocket of a client that has polled


class Wires(Protocol):
    """What a client asks of its shell. A lane that is dialled tells `connected` or `lost`."""

    def dial(self, lane: Lane) -> None: ...
    def write(self, lane: Lane, data: bytes) -> None: ...
    def hang_up(self, lane: Lane) -> None: ...


class Owner(Protocol):
    """The player whose client this is; `packet` begins with Engine.IO's `4`."""

    def live(self) -> None:
        """The namespace is joined, over the transport that was chosen for it."""

    def event(self, packet: bytes) -> None: ...
    def ack(self, ack_id: int, packet: bytes) -> None: ...

    def ended(self, why: str) -> None:
        """Nothing comes any more; called once, and not after `close`."""


SENTENCE_CHARACTERS: Final = 120
"""How much of a server's sentence about a refusal is kept; anything may answer, even in HTML."""

_PONG: Final = PacketType.PONG.value.encode()
_MESSAGE: Final = PacketType.MESSAGE.value.encode()
_UPGRADE: Final = PacketType.UPGRADE.value.encode()
_PROBE: Final = PacketType.PING.value.encode() + PROBE.encode()
_PROBED: Final = PacketType.PONG.value.encode() + PROBE.encode()
_SEPARATOR: Final = encode_payload([b"", b""])


def make_client(
    transport: Transport, address: Address, auth: dict[str, Any] | None, wires: Wires
) -> "Client":
    """A client that shows `auth` in its CONNECT; set its `owner` before it starts."""
    connect = _MESSAGE + encode(Connect("/", auth)).text
    kinds: dict[Transport, Callable[[Address, bytes, Wires], Client]] = {
        Transport.WEBSOCKET: WebSocketClient,
        Transport.POLLING: PollingClient,
        Transport.UPGRADE: UpgradingClient,
    }
    return kinds[transport](address, connect, wires)


class WebSocketLane:
    """A lane from the request for a WebSocket on: what the server sends, without the 101."""

    __slots__ = ("_answers", "_frames")

    def __init__(self) -> None:
        self._answers: Answers | None = Answers()
        self._frames = ServerFrames()

    @property
    def is_open(self) -> bool:
        """Whether the server has switched protocols."""
        return self._answers is None

    def receive(self, data: bytes) -> list[ServerEvent]:
        """The events that `data` completes. Raises NoHttpError, also if the server answers anything
        but a 101, and ProtocolError."""
        if self._answers is not None:
            answers = self._answers.receive(data)
            if not answers:
                return []
            if answers[0].status != 101:
                raise NoHttpError(_refusal(answers[0]))
            if answers[0].field(b"sec-websocket-accept") != ACCEPTED.lower():
                raise NoHttpError("What answers is no WebSocket server.")
            data, self._answers = bytes(self._answers.rest), None
        return self._frames.receive(data)


class Client(ABC):
    """What all transports share. Slots, as 10,000 of them live in one process."""

    __slots__ = ("_address", "_connect", "_is_joined", "_wires", "is_over", "owner")

    owner: Owner

    def __init__(self, address: Address, connect: bytes, wires: Wires) -> None:
        self._address = address
        self._connect = connect
        self._wires = wires
        self._is_joined = False
        self.is_over = False

    def start(self) -> None:
        """Connect."""
        self._wires.dial(Lane.MAIN)

    @abstractmethod
    def connected(self, lane: Lane) -> None:
        """A lane that was dialled is open."""

    @abstractmethod
    def received(self, lane: Lane, data: bytes) -> None:
        """A lane has brought bytes."""

    def lost(self, lane: Lane, why: str) -> None:
        """A lane has broken, or could not be opened."""
        self._end(why)

    @abstractmethod
    def send(self, packet: bytes) -> None:
        """Send an Engine.IO packet in its text form, for instance `42["name"]`."""

    def close(self) -> None:
        """Disconnect, without telling the owner."""
        if not self.is_over:
            self.is_over = True
            for lane in Lane:
                self._wires.hang_up(lane)

    def _end(self, why: str) -> None:
        if not self.is_over:
            self.close()
            self.owner.ended(why)

    def _take(self, packet: bytes) -> None:
        """A packet of Engine.IO, in its text form; frequent ones first."""
        match packet[:2]:
            case b"42":
                self.owner.event(packet)
            case b"43":
                try:
                    ack_id = int(packet[2 : packet.index(b"[")])
                except ValueError:
                    return self._end("the server sent an ack that is not one")
                self.owner.ack(ack_id, packet)
            case b"2":
                self.send(_PONG)
            case b"40":
                self._is_joined = True
                self._joined()
            case b"44":
                self._end(f"refused: {_sentence(packet[2:])}")
            case b"41" | b"1":
                self._end("the server ended the session")
            case _ if packet.startswith(b"0"):
                self._opened(packet)
        return None

    def _take_from(self, websocket: WebSocketLane, lane: Lane, data: bytes) -> None:
        """Take what a lane with a WebSocket has brought."""
        try:
            events = websocket.receive(data)
        except (NoHttpError, ProtocolError) as error:
            return self._end(f"the WebSocket failed: {error}")
        for event in events:
            if type(event) is bytes:
                self._take(event)
            elif isinstance(event, Ping):
                self._wires.write(lane, masked_pong(event.payload))
            elif isinstance(event, Close):
                self._end(f"the server closed the WebSocket ({event.code})")
            if self.is_over:
                break
        return None

    def _joined(self) -> None:
        self.owner.live()

    @abstractmethod
    def _opened(self, packet: bytes) -> None:
        """The server has opened a session."""


class WebSocketClient(Client):
    """One lane, with a WebSocket from its first byte on."""

    __slots__ = ("_websocket",)

    def __init__(self, address: Address, connect: bytes, wires: Wires) -> None:
        super().__init__(address, connect, wires)
        self._websocket = WebSocketLane()

    def connected(self, lane: Lane) -> None:
        request = upgrade_request(self._address.target(WEBSOCKET), self._address.authority)
        self._wires.write(lane, request)

    def received(self, lane: Lane, data: bytes) -> None:
        self._take_from(self._websocket, lane, data)

    def send(self, packet: bytes) -> None:
        self._wires.write(Lane.MAIN, masked_text(packet))

    def _opened(self, packet: bytes) -> None:
        self.send(self._connect)


class PollingClient(Client):
    """A lane for GETs, of which one always waits, and one for POSTs, one after the other."""

    __slots__ = ("_gets", "_has_posts_lane", "_is_posting", "_outbox", "_posts", "_sid")

    def __init__(self, address: Address, connect: bytes, wires: Wires) -> None:
        super().__init__(address, connect, wires)
        self._sid: str | None = None
        self._gets = Answers()
        self._posts = Answers()
        self._outbox: list[bytes] = []
        self._has_posts_lane = False
        self._is_posting = False

    def connected(self, lane: Lane) -> None:
        if lane is Lane.MAIN:
            self._get()
        else:
            self._has_posts_lane = True
            self._post()

    def received(self, lane: Lane, data: bytes) -> None:
        try:
            for answer in (self._gets if lane is Lane.MAIN else self._posts).receive(data):
                if self.is_over:
                    return
                if answer.status != 200 or not answer.keeps_the_connection:
                    self._end(_refusal(answer))
                elif lane is Lane.MAIN:
                    self._got(answer.body)
                else:
                    self._posted()
        except NoHttpError as error:
            self._end(str(error))

    def send(self, packet: bytes) -> None:
        self._outbox.append(packet)
        self._post()

    def _get(self) -> None:
        target = self._address.target(POLLING, self._sid)
        head = f"GET {target} HTTP/1.1\r\nHost: {self._address.authority}\r\n\r\n"
        self._wires.write(Lane.MAIN, head.encode())

    def _post(self) -> None:
        """Send everything that waits in one POST, once the last one was answered."""
        if not self._outbox or self._is_posting or not self._has_posts_lane:
            return
        self._is_posting = True
        body = encode_payload(self._outbox)
        self._outbox.clear()
        head = (
            f"POST {self._address.target(POLLING, self._sid)} HTTP/1.1\r\n"
            f"Host: {self._address.authority}\r\nContent-Type: text/plain;charset=UTF-8\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._wires.write(Lane.POSTS, head.encode() + body)

    def _posted(self) -> None:
        self._is_posting = False
        self._post()

    def _got(self, body: bytes) -> None:
        for packet in body.split(_SEPARATOR):
            self._take(packet)
            if self.is_over:
                return
        self._get()

    def _opened(self, packet: bytes) -> None:
        try:
            self._sid = str(orjson.loads(packet[1:])["sid"])
        except (ValueError, KeyError, TypeError):
            return self._end("the server opened a session without a name")
        self._outbox.append(self._connect)
        self._wires.dial(Lane.POSTS)
        return None


class UpgradingClient(PollingClient):
    """Polls, and moves to a WebSocket as soon as the server answers the probe; then it is live.

    It stops polling between two GETs, as the stock client does: the server ends the one that waits.
    """

    __slots__ = ("_has_probed", "_has_upgraded", "_is_probed", "_is_waiting", "_websocket")

    def __init__(self, address: Address, connect: bytes, wires: Wires) -> None:
        super().__init__(address, connect, wires)
        self._websocket = WebSocketLane()
        self._has_probed = False
        self._is_probed = False  # the server has answered
        self._is_waiting = False  # for the answer to a GET
        self._has_upgraded = False

    def connected(self, lane: Lane) -> None:
        if lane is Lane.UPGRADE:
            target = self._address.target(WEBSOCKET, self._sid)
            self._wires.write(lane, upgrade_request(target, self._address.authority))
        else:
            super().connected(lane)

    def received(self, lane: Lane, data: bytes) -> None:
        if lane is not Lane.UPGRADE:
            super().received(lane, data)
            return
        self._take_from(self._websocket, lane, data)
        if self._websocket.is_open and not self._has_probed and not self.is_over:
            self._has_probed = True
            self._wires.write(lane, masked_text(_PROBE))

    def send(self, packet: bytes) -> None:
        if self._has_upgraded:
            self._wires.write(Lane.UPGRADE, masked_text(packet))
        else:
            super().send(packet)

    def _take(self, packet: bytes) -> None:
        if packet == _PROBED:
            self._is_probed = True
            self._move()
        else:
            super()._take(packet)

    def _opened(self, packet: bytes) -> None:
        super()._opened(packet)
        if not self.is_over:
            self._wires.dial(Lane.UPGRADE)

    def _get(self) -> None:
        self._is_waiting = not self._is_probed
        if self._is_waiting:
            super()._get()
        else:
            self._move()

    def _post(self) -> None:
        if not self._is_probed:
            super()._post()

    def _posted(self) -> None:
        super()._posted()
        self._move()

    def _move(self) -> None:
        """Move to the WebSocket once no request is on its way."""
        if not self._is_probed or self._is_waiting or self._is_posting or self._has_upgraded:
            return
        self._has_upgraded = True
        self._wires.write(Lane.UPGRADE, masked_text(_UPGRADE))
        self._wires.hang_up(Lane.MAIN)
        self._wires.hang_up(Lane.POSTS)
        for packet in self._outbox:
            self._wires.write(Lane.UPGRADE, masked_text(packet))
        self._outbox.clear()
        if self._is_joined:
            self.owner.live()

    def _joined(self) -> None:
        if self._has_upgraded:
            self.owner.live()


def _refusal(answer: Answer) -> str:
    if answer.body.lstrip().startswith(b"<"):
        return f"HTTP {answer.status}: a web page, as from something else than a Socket.IO server"
    return f"HTTP {answer.status}: {_sentence(answer.body)}"


def _sentence(payload: bytes) -> str:
    """The sentence of a refusal, if it has one: on one line, without its full stop."""
    try:
        told = orjson.loads(payload)
    except orjson.JSONDecodeError:
        told = payload.decode("utf-8", "replace")
    message = told.get("message", "") if isinstance(told, dict) else told
    return " ".join(str(message).split())[:SENTENCE_CHARACTERS].rstrip(".")

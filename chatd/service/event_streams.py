"""What a room gets, for a client that only listens: `GET /api/rooms/{connectionId}/events`.

A stream is a session with one socket, whose transport is a response that never ends. So it counts
against the limits of sessions and sockets, has their heartbeat and backlog, and ends as they do:
when its token runs out, when its room is taken away, when the daemon drains. It joins nothing:
nobody sees it in the room, and no queue fills or empties for it. It catches up from what
`Last-Event-ID` says, as a socket that comes back does (`catch_up`).
"""

import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

import attrs
import trio

from chatd.auth import Admitted
from chatd.engine.admission import Overload
from chatd.engine.engine import Engine
from chatd.engine.event_stream import EventStreamTransport
from chatd.engine.session import Session
from chatd.engine.transport import Work
from chatd.net.disconnects import DisconnectReason
from chatd.net.http.app import Headers, Live, Response
from chatd.net.http.connection import HttpConnection
from chatd.observe import EventLog, SocketConnected, SocketDisconnected
from chatd.observe.ids import unguessable_id
from chatd.service.catch_up import CatchUp, Stand
from chatd.service.client import Client
from chatd.service.clients import Clients
from chatd.service.event_frames import MessageFrames, RoomFrames
from chatd.service.events.token import TokenLife
from chatd.service.http_refusals import refused
from chatd.service.rate_limits import RateLimits
from chatd.service.request_clients import RequestClients
from chatd.service.rooms import Rooms
from chatd.service.timeline import Timelines
from chatd.sockets.adapter import NAMESPACE
from chatd.sockets.emitter import rendered_packet
from chatd.sockets.socket import Socket
from chatd.store import StoreReadFailed
from chatd.wire.codes import Code, Refusal
from chatd.wire.events import EventPayload, RoomHistory, RoomRevoked
from chatd.wire.names import ServerEvent
from chatd.wire.over_http import StreamOpened

STREAM_HEADERS: Final[Headers] = (
    (b"content-type", b"text/event-stream"),
    (b"x-accel-buffering", b"no"),  # nginx would keep events back
)
RETRY_MS: Final = 3_000
"""How long a client whose stream broke off waits before it comes back; a drain tells it another
time."""

_LAST_ID: Final = re.compile(r"([!-9;-~]{1,64}):(0|[1-9][0-9]{0,15})", re.ASCII)


Judge: TypeAlias = Callable[[], Awaitable[Admitted | Refusal]]
"""Says who the client is now, and what it may use, or why it may not use the room of a stream."""


@attrs.frozen
class StreamStart:
    """Where a stream begins: after which seq, and whether that is where the client was."""

    seq: int
    is_resumed: bool
    is_reset: bool


def stream_start(last_id: str | None, epoch: str, last_seq: int) -> StreamStart:
    """Where a stream begins if its client has seen `last_id` (`epoch:seq`), in a log of this epoch
    and a room whose newest message is `last_seq`. Without a `last_id` it begins with what is new.

    >>> stream_start("e:3", "e", 5)
    StreamStart(seq=3, is_resumed=True, is_reset=False)
    """
    if last_id is None or not last_id:
        return StreamStart(last_seq, is_resumed=False, is_reset=False)
    seen = _LAST_ID.fullmatch(last_id)
    if seen is None or seen[1] != epoch or int(seen[2]) > last_seq:
        return StreamStart(last_seq, is_resumed=False, is_reset=True)
    return StreamStart(int(seen[2]), is_resumed=True, is_reset=False)


def seq_of(last_id: str | None, epoch: str) -> int:
    """The seq that a client has seen, in a log of this epoch; 0 if `last_id` names none."""
    seen = _LAST_ID.fullmatch(last_id or "")
    return int(seen[2]) if seen is not None and seen[1] == epoch else 0


class Unseen:
    """The roster of those whom nobody sees."""

    def enter(self, client: Client, connection_id: str) -> None:
        """Nobody is told, and neither is the client."""


@attrs.define(eq=False)
class Listening(Client):
    """The client of a stream, which has one room, and is in it unseen."""

    is_unseen: bool = attrs.field(init=False, default=True)

    def send_page(self, history: RoomHistory, bodies: Sequence[bytes]) -> None:
        """Each message by itself: a stream can go on after any of them."""
        for body in bodies:
            self.send_catch_up(rendered_packet(ServerEvent.CHAT_MESSAGE, body))

    def send(self, payload: EventPayload) -> None:
        super().send(payload)
        if isinstance(payload, RoomRevoked):
            self.end(DisconnectReason.SERVER_DISCONNECT)


@attrs.define(eq=False)
class EventStreams:
    """The streams of a daemon. `catch_up` is one whose rosters are `Unseen`."""

    _engine: Engine
    _clients: Clients
    _request_clients: RequestClients
    _limits: RateLimits
    _rooms: Rooms
    _timelines: Timelines
    _catch_up: CatchUp
    _tokens: TokenLife
    _event_log: EventLog
    _epoch: str = attrs.field(kw_only=True)
    _frames: MessageFrames = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._frames = MessageFrames(self._epoch)

    def stream(self, judge: Judge, address: str, room: str, last_id: str | None) -> Live:
        """The events of a room, from the place that `last_id` names, if `judge` still admits the
        user once they are there."""
        return _Stream(partial(self._serve, judge, address, room, last_id))

    async def _serve(
        self,
        judge: Judge,
        address: str,
        room: str,
        last_id: str | None,
        connection: HttpConnection,
        head: bytes,
        carries: Callable[[Session], None],
    ) -> Response | None:
        began_s = trio.current_time()
        self._timelines.hold(room)
        try:
            await self._timelines.load(room, seq_of(last_id, self._epoch))
            admitted = await judge()  # the user may have lost the room, or all, meanwhile
            if isinstance(admitted, Refusal):
                return refused(admitted)
            limited = self._admit(admitted.identity.user_id)
            if limited is not None:
                return refused(limited)
            place = stream_start(last_id, self._epoch, self._timelines.last_seq(room))
            frames = RoomFrames(self._frames, room, place.seq)
            opened = self._engine.begin(
                address,
                lambda session: EventStreamTransport(
                    connection.sock, connection.watch, session, frames.of_packet
                ),
                lambda session: _Listener(self, session, admitted, room, place, began_s),
            )
            if isinstance(opened, Overload):
                return refused(_overloaded(opened))
            carries(opened)
            await self._run(opened, head + frames.opened(self._opened(room, place), RETRY_MS))
        except StoreReadFailed:
            return refused(Refusal(Code.STORAGE_READ_ERROR))
        finally:
            self._timelines.release(room)
        return None

    def _admit(self, user_id: str) -> Refusal | None:
        """Why the user may not have another stream now: it counts as one of the user's sockets."""
        limited = self._limits.admit_socket(user_id, len(self._clients.of(user_id)))
        if limited is None:
            return None
        sentence = "You have too many connections; close some first."
        return limited.refusal(user_id, self._event_log, sentence)

    def _opened(self, room: str, place: StreamStart) -> StreamOpened:
        return StreamOpened(
            connection_id=room,
            epoch=self._epoch,
            first_seq=self._timelines.first_seq(room),
            last_seq=self._timelines.last_seq(room),
            last_rev=self._timelines.last_rev(room),
            resumed=place.is_resumed,
            reset=True if place.is_reset else None,
        )

    async def _run(self, session: Session, first: bytes) -> None:
        listener, transport = session.upper, session.transport
        assert isinstance(listener, _Listener)
        assert isinstance(transport, EventStreamTransport)
        try:
            await transport.run(first, listener.catch_up())
        finally:
            session.lost(DisconnectReason.TRANSPORT_CLOSE)

    def enter(
        self, session: Session, admitted: Admitted, room: str, place: StreamStart, began_s: float
    ) -> Listening:
        """The client of a session that has just begun; it was asked for at `began_s`."""
        identity = admitted.identity
        socket = Socket(session, NAMESPACE, unguessable_id())
        allowance = self._request_clients.allowance(identity.user_id)
        client = Listening(socket, identity, admitted.grants, allowance, self._tokens)
        socket.state = client
        self._timelines.hold(room)
        client.begin_catching_up(room, place.seq)
        session.identify(identity.user_id)
        self._clients.add(client)
        self._tokens.start(client, identity)
        self._event_log.record(
            SocketConnected(
                client.log_id,
                socket.id,
                client.user_id,
                (room,),
                resumed=place.is_resumed,
                took_ms=(trio.current_time() - began_s) * 1000,
            )
        )
        return client

    async def catch_up(self, client: Listening, room: str, place: StreamStart) -> None:
        """Bring the client up to what is new in the room."""
        try:
            await self._catch_up.run(client, room, Stand(since=place.seq))
        except StoreReadFailed:
            client.end(DisconnectReason.INTERNAL_ERROR)  # it comes back with what it has

    def leave(self, client: Listening, reason: DisconnectReason) -> None:
        """The session of the client is over."""
        self._rooms.leave(client, list(client.rooms))
        self._clients.remove(client)
        self._tokens.stop(client)
        self._event_log.record(
            SocketDisconnected(client.log_id, client.socket.id, client.user_id, reason.value)
        )
        client.socket.state = None  # which knows the socket


@attrs.frozen
class _Stream(Live):
    """A stream before its connection is known."""

    _serve: Callable[
        [HttpConnection, bytes, Callable[[Any], None]], Coroutine[Any, Any, Response | None]
    ]

    async def serve(
        self, connection: HttpConnection, head: bytes, carries: Callable[[Any], None]
    ) -> Response | None:
        return await self._serve(connection, head, carries)


class _Listener:
    """What the session of a stream carries: nothing comes in."""

    is_joined = True

    def __init__(
        self,
        streams: EventStreams,
        session: Session,
        admitted: Admitted,
        room: str,
        place: StreamStart,
        began_s: float,
    ) -> None:
        self._streams, self._room, self._place = streams, room, place
        self._client = streams.enter(session, admitted, room, place, began_s)

    def receive(self, message: str | bytes) -> Work | None:
        """A stream takes no messages."""

    def on_heartbeat(self, now_s: float) -> None:
        """The peer leaves nothing undone."""

    def on_close(self, reason: DisconnectReason) -> None:
        self._streams.leave(self._client, reason)

    def catch_up(self) -> Coroutine[Any, Any, None]:
        return self._streams.catch_up(self._client, self._room, self._place)


def _overloaded(why: Overload) -> Refusal:
    code = Code.DRAINING if why.limit == "draining" else Code.OVERLOADED
    return Refusal(code, retry_after_ms=why.retry_after_s * 1000)

"""The chat as an application of sockets: who comes in, what their events do, who goes (SPEC 3, 4).

Nothing here waits: what must wait (a mailbox that is full, a room that is not loaded, a look into
the log) is returned as a `Later`, for the task that owns the socket's input.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

import trio

from chatd.observe import Connected, Disconnected, Emit, LimitHit, Reconnected
from chatd.observe.chance import jitter_ms
from chatd.server.clients import Client, Clients
from chatd.server.effects import NAMESPACE
from chatd.server.entrance import Admitted, Entrance, Welcome
from chatd.server.feeds import Feeds
from chatd.server.message_events import MessageEvents
from chatd.server.reasons import DisconnectReason
from chatd.server.replies import refused
from chatd.server.room_events import CEILING_RETRY_MS, RoomEvents
from chatd.server.session import Later
from chatd.server.sockets import Socket, SocketIOConnection
from chatd.server.token_events import TokenLife
from chatd.socketio import Event
from chatd.wire.codes import Code, Refusal
from chatd.wire.names import ClientEvent, ServerEvent

Handler: TypeAlias = Callable[[Client, object, int | None], Later | None]

REFUSALS_MAX = 10  # refused CONNECTs of one session; then the session ends
NAMED_ROOMS_MAX = 200  # rooms of a handshake that are looked at
RECONNECT_SPREAD_MS = 5_000  # clients that are sent away come back spread over so long


class ChatApp:
    """The chat. One for a server; its state is in the clients, the feeds and the hub."""

    def __init__(
        self,
        entrance: Entrance,
        welcome: Welcome,
        clients: Clients,
        feeds: Feeds,
        messages: MessageEvents,
        rooms: RoomEvents,
        tokens: TokenLife,
        emit: Emit,
    ) -> None:
        self._entrance = entrance
        self._welcome = welcome
        self._clients = clients
        self._feeds = feeds
        self._messages = messages
        self._rooms = rooms
        self._emit = emit
        self._handlers: dict[object, Handler] = {
            ClientEvent.CHAT_MESSAGE.value: messages.message_event,
            ClientEvent.CHAT_ACK.value: messages.ack_event,
            ClientEvent.CONNECTION_JOIN.value: rooms.join_event,
            ClientEvent.CONNECTION_LEAVE.value: rooms.leave_event,
            ClientEvent.HISTORY_GET.value: rooms.history_event,
            ClientEvent.AUTH_REFRESH.value: tokens.refresh_event,
        }

    def on_connect(
        self, connection: SocketIOConnection, namespace: str, auth: dict[str, Any] | None
    ) -> Later | None:
        if namespace != NAMESPACE:
            connection.refuse(namespace, "Invalid namespace")
            return None
        admitted = self._entrance.admit(connection, auth)
        if isinstance(admitted, Admitted) and not self._clients.has_room_for(
            admitted.identity.user_id
        ):
            self._emit.emit(LimitHit("sockets_per_user", admitted.identity.user_id, None))
            admitted = Refusal(
                Code.RATE_LIMITED,
                "You have too many connections; close some first.",
                retry_after_ms=CEILING_RETRY_MS,
            )
        if isinstance(admitted, Refusal):
            error = admitted.as_error()
            connection.refuse(namespace, error.pop("message"), error)
            if connection.refusals >= REFUSALS_MAX:
                connection.session.end(DisconnectReason.FORCED_CLOSE)
            return None
        if auth is not None and "token" in auth:
            connection.handshake = None  # has told all that it can; thousands would be kept
        socket = connection.accept(namespace)
        client = Client(self._clients, socket, admitted.identity, admitted.grants)
        socket.state = client
        connection.session.identify(admitted.identity.user_id)
        self._clients.add(client)
        self._entrance.start_clock(client, admitted.identity)
        return self._greet(client, admitted, auth or {})

    def _greet(self, client: Client, admitted: Admitted, auth: dict[str, Any]) -> Later | None:
        socket = client.socket
        attempts = auth.get("reconnectAttempts")
        attempts = attempts if type(attempts) is int and 0 <= attempts < 2**31 else None
        last_seqs = {room: self._feeds.last_seq(room) for room in admitted.grants}
        socket.emit_json(
            ServerEvent.CONNECTION_STATUS, self._welcome.payload(admitted, last_seqs, attempts)
        )
        rooms = self._rooms_to_join(client, auth.get("connectionId"))
        self._emit.emit(
            Connected(
                socket.session.log_id,
                socket.id,
                client.identity.user_id,
                tuple(rooms),
                resumed=False,
            )
        )
        if attempts:
            self._emit.emit(Reconnected(socket.session.log_id, client.identity.user_id, attempts))
        if len(rooms) == 1:
            return self._rooms.join(client, rooms[0], None)
        return partial(self._join_all, client, rooms) if rooms else None

    def _rooms_to_join(self, client: Client, named: object) -> list[str]:
        """The rooms that the handshake names, or all that the directory gives; permitted ones."""
        most = int(min(self._clients.rates.rooms_per_socket, len(client.grants)))
        if named is None:
            return list(client.grants)[:most]
        if isinstance(named, str):
            named = [named]
        if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
            refusal = Refusal(Code.INVALID_PAYLOAD, path="connectionId")
            refused(client.socket, ClientEvent.CONNECTION_JOIN, None, refusal)
            return []
        for name in list(dict.fromkeys(named))[:NAMED_ROOMS_MAX]:
            if name not in client.grants:
                self._rooms.refuse(client, ClientEvent.CONNECTION_JOIN, None, name)
        return [name for name in dict.fromkeys(named) if name in client.grants][:most]

    async def _join_all(self, client: Client, rooms: Iterable[str]) -> None:
        """Join one room after the other, at the speed at which the client takes their history."""
        session = client.socket.session
        for room in rooms:
            settled = trio.Event()
            later = self._rooms.join(client, room, None, settled=settled)
            if later is not None:
                await later()
            if room in client.wanted:
                await settled.wait()
            session.flush()
            await session.transport.caught_up()
            if session.is_over:
                return

    def on_event(self, socket: Socket, event: Event) -> Later | None:
        args = event.args
        handler = self._handlers.get(args[0])
        if handler is None:
            return None
        client: Client = socket.state
        wait_ms = client.admit_event()
        if wait_ms is not None:
            self._emit.emit(LimitHit("socket_events_per_minute", client.identity.user_id, None))
            refusal = Refusal(Code.RATE_LIMITED, retry_after_ms=wait_ms)
            payload = args[1] if len(args) > 1 else None
            if args[0] == ClientEvent.CHAT_MESSAGE:
                self._messages.refuse_message(client, event.ack_id, payload, refusal)
            else:
                refused(socket, ClientEvent(args[0]), event.ack_id, refusal)
            return None
        return handler(client, args[1] if len(args) > 1 else None, event.ack_id)

    def on_disconnect(self, socket: Socket, reason: DisconnectReason) -> None:
        client: Client = socket.state
        for room in client.wanted:
            self._feeds.release(room)
        client.wanted = {}
        self._clients.remove(client)
        self._emit.emit(
            Disconnected(socket.session.log_id, socket.id, client.identity.user_id, reason.value)
        )

    def drain(self, deadline_ms: int) -> None:
        """Tell everybody that the server is about to close their transport."""
        for client in self._clients.everybody():
            socket = client.socket
            back_ms = jitter_ms(100, RECONNECT_SPREAD_MS)
            socket.emit(
                ServerEvent.SERVER_DRAINING, {"deadline": deadline_ms, "reconnectAfterMs": back_ms}
            )
            socket.emit(
                ServerEvent.CONNECTION_STATUS,
                {"status": "draining", "code": Code.DRAINING, "retryAfterMs": back_ms},
            )

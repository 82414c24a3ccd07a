"""The chat as an application of sockets: who comes in, what their events do, who goes (SPEC 3, 4).

Nothing here waits: what must wait (a mailbox that is full, a room that is not loaded, a look into
the log) is returned as a `Work`, for the task that owns the socket's input.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from chatd.engine.transport import Work
from chatd.net.disconnects import DisconnectReason
from chatd.observe import Connected, Disconnected, EventLog, LimitHit, Reconnected
from chatd.observe.ids import jitter_ms
from chatd.service.acks import refused
from chatd.service.authenticator import Admitted, Entrance, Welcome
from chatd.service.clients import Allowance, Client, Clients
from chatd.service.events.answers import AnswerEvents
from chatd.service.events.messages import MessageEvents
from chatd.service.events.presence import PresenceEvents
from chatd.service.events.rooms import NOTHING, RoomEvents, Since
from chatd.service.events.search import SearchEvents
from chatd.service.events.token import TokenLife
from chatd.service.events.typing import TypingEvents
from chatd.service.timeline import Timelines
from chatd.socketio import Event
from chatd.sockets.adapter import NAMESPACE
from chatd.sockets.socket import Socket, SocketIOConnection
from chatd.wire.codes import Code, Refusal
from chatd.wire.converter import SAFE_INTEGER
from chatd.wire.names import ClientEvent, ServerEvent

Handler: TypeAlias = Callable[[Client, object, int | None], Work | None]

REFUSALS_MAX = 10  # refused CONNECTs of one session; then the session ends
NAMED_ROOMS_MAX = 200  # rooms of a handshake that are looked at
RECONNECT_SPREAD_MS = 5_000  # clients that are sent away come back spread over so long


class Members(Protocol):
    """What the actor knows of members, to be looked at between its batches."""

    def unread(self, connection_id: str, user_id: str) -> int:
        """How many messages of a room are owed to the user."""
        ...


class Dispatcher:
    """The chat. One for a server; its state is in the clients, the timelines and the adapter."""

    def __init__(
        self,
        entrance: Entrance,
        welcome: Welcome,
        clients: Clients,
        timelines: Timelines,
        members: Members,
        messages: MessageEvents,
        rooms: RoomEvents,
        presence: PresenceEvents,
        typing: TypingEvents,
        search: SearchEvents,
        answers: AnswerEvents,
        tokens: TokenLife,
        event_log: EventLog,
    ) -> None:
        self._entrance = entrance
        self._welcome = welcome
        self._clients = clients
        self._timelines = timelines
        self._members = members
        self._messages = messages
        self._rooms = rooms
        self._event_log = event_log
        self._handlers: dict[object, Handler] = {
            ClientEvent.CHAT_MESSAGE.value: messages.message_event,
            ClientEvent.CHAT_ACK.value: messages.ack_event,
            ClientEvent.CONNECTION_JOIN.value: rooms.join_event,
            ClientEvent.CONNECTION_LEAVE.value: rooms.leave_event,
            ClientEvent.HISTORY_GET.value: rooms.history_event,
            ClientEvent.SEARCH.value: search.search_event,
            ClientEvent.ANSWER_CANCEL.value: answers.cancel_event,
            ClientEvent.TYPING_START.value: typing.start_event,
            ClientEvent.TYPING_STOP.value: typing.stop_event,
            ClientEvent.PRESENCE_UPDATE.value: presence.update_event,
            ClientEvent.AUTH_REFRESH.value: tokens.refresh_event,
        }

    def on_connect(
        self, connection: SocketIOConnection, namespace: str, auth: dict[str, Any] | None
    ) -> Work | None:
        if namespace != NAMESPACE:
            self._refuse(connection, namespace, "Invalid namespace", None)
            return None
        admitted = self._entrance.admit(connection, auth)
        if isinstance(admitted, Admitted):
            admitted = self._one_more(admitted)
        if isinstance(admitted, Refusal):
            error = admitted.as_error()
            self._refuse(connection, namespace, error.pop("message"), error)
            return None
        if auth is not None and "token" in auth:
            connection.handshake = None  # has told all that it can; thousands would be kept
        socket = connection.accept(namespace)
        allowance = connection.state
        if allowance is None:  # it outlives the socket: to come and go gives nobody a fresh one
            allowance = connection.state = Allowance(self._clients.rates)
        client = Client(self._clients, socket, admitted.identity, admitted.grants, allowance)
        socket.state = client
        connection.session.identify(admitted.identity.user_id)
        self._clients.add(client)
        self._entrance.start_clock(client, admitted.identity)
        if self._rooms.needs_trim(admitted.identity.user_id):
            return self._trim_and_greet(client, admitted, auth or {})
        return self._greet(client, admitted, auth or {})

    def _refuse(
        self, connection: SocketIOConnection, namespace: str, message: str, data: Any
    ) -> None:
        connection.refuse(namespace, message, data)
        if connection.refusals >= REFUSALS_MAX:
            connection.session.end(DisconnectReason.FORCED_CLOSE)

    def _one_more(self, admitted: Admitted) -> Admitted | Refusal:
        """The same, unless the user has too many sockets."""
        user_id = admitted.identity.user_id
        wait_ms = self._clients.admit_socket(user_id)
        if wait_ms is None:
            return admitted
        self._event_log.record(LimitHit("sockets_per_user", user_id, None))
        sentence = "You have too many connections; close some first."
        return Refusal(Code.RATE_LIMITED, sentence, retry_after_ms=wait_ms)

    async def _trim_and_greet(
        self, client: Client, admitted: Admitted, auth: dict[str, Any]
    ) -> None:
        await self._rooms.trim(client)
        work = None if client.socket.session.is_over else self._greet(client, admitted, auth)
        if work is not None:
            await work

    def _greet(self, client: Client, admitted: Admitted, auth: dict[str, Any]) -> Work | None:
        socket, user_id = client.socket, client.identity.user_id
        attempts = auth.get("reconnectAttempts")
        attempts = attempts if type(attempts) is int and 0 <= attempts < 2**31 else None
        since = _since(auth)
        is_resumed = bool(since.seqs) if isinstance(since, Since) else False
        stands = {
            room: (self._timelines.last_seq(room), self._members.unread(room, user_id))
            for room in admitted.grants
        }
        socket.emit_json(
            ServerEvent.CONNECTION_STATUS,
            self._welcome.payload(admitted, stands, attempts, is_resumed=is_resumed),
        )
        if isinstance(since, Refusal):
            refused(socket, ClientEvent.CONNECTION_JOIN, None, since)
            since = NOTHING
        self._rooms.end_memberships(client)
        rooms = self._rooms_to_join(client, auth.get("connectionId"))
        self._event_log.record(
            Connected(socket.session.log_id, socket.id, user_id, tuple(rooms), resumed=is_resumed)
        )
        if attempts:
            self._event_log.record(Reconnected(socket.session.log_id, user_id, attempts))
        return self._rooms.enter(client, rooms, None, since) if rooms else None

    def _rooms_to_join(self, client: Client, named: object) -> list[str]:
        """The rooms that the handshake names, or all that the directory gives where it names none
        (an empty list names none); permitted ones.

        Of those that are too many one is left, for the client to be told.
        """
        most = int(min(self._clients.rates.rooms_per_socket, len(client.grants))) + 1
        if named is None or named == []:
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

    def on_event(self, socket: Socket, event: Event) -> Work | None:
        args = event.args
        handler = self._handlers.get(args[0])
        if handler is None:
            return socket.session.idle()
        client: Client = socket.state
        wait_ms = client.allowance.admit_event()
        if wait_ms is not None:
            self._event_log.record(
                LimitHit("socket_events_per_minute", client.identity.user_id, None)
            )
            refusal = Refusal(Code.RATE_LIMITED, retry_after_ms=wait_ms)
            payload = args[1] if len(args) > 1 else None
            if args[0] == ClientEvent.CHAT_MESSAGE:
                self._messages.refuse_message(client, event.ack_id, payload, refusal)
            else:
                refused(socket, ClientEvent(args[0]), event.ack_id, refusal)
            return socket.session.idle()
        return handler(client, args[1] if len(args) > 1 else None, event.ack_id)

    def on_disconnect(self, socket: Socket, reason: DisconnectReason) -> None:
        client: Client = socket.state
        self._rooms.give_up(client, list(client.wanted))
        self._clients.remove(client)
        self._event_log.record(
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


def _since(auth: dict[str, Any]) -> Since | Refusal:
    """What the handshake says that the client has: `{since: {connectionId: seq}, epoch}`.

    Of a room whose seq is null it says nothing (SPEC 3).
    """
    written, epoch = auth.get("since"), auth.get("epoch")
    if written is None:
        return NOTHING
    if not isinstance(written, dict):
        return Refusal(Code.INVALID_PAYLOAD, path="since")
    seqs = {room: seq for room, seq in written.items() if seq is not None}
    if not all(type(seq) is int and 0 <= seq <= SAFE_INTEGER for seq in seqs.values()):
        return Refusal(Code.INVALID_PAYLOAD, path="since")
    if epoch is not None and not isinstance(epoch, str):
        return Refusal(Code.INVALID_PAYLOAD, path="epoch")
    return Since(seqs, epoch)

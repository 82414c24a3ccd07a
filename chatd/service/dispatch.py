"""The chat as an application of sockets: one table of events, and one way through it.

An event goes through these steps; the first that refuses it ends it:

    known      the table has its name; other events count as idle traffic (`engine/throttle`)
    counted    the socket may send one more event now
    structure  the payload is of the route's class
    read       its values are good, whichever room it names
    access     the client may use the room that it names
    rate       a limit of its own admits it
    join       the client is in the room, or joins it first
    handler    carries it out: an ack, a refusal, or a coroutine that ends in one of these

Nothing here waits. A coroutine is awaited by the task that owns the socket's input, and answered
then. Where the handler gives None, the event is answered by the effect of its command.
"""

from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, TypeAlias

import attrs

from chatd.engine.transport import Work
from chatd.net.disconnects import DisconnectReason
from chatd.observe import Disconnected, EventLog, LimitHit
from chatd.observe.ids import jitter_ms
from chatd.service.acks import Handled, Outcome, echoed_id, outcome_of
from chatd.service.client import Client
from chatd.service.clients import Clients
from chatd.service.connect import Connector, forbidden
from chatd.service.events.acks import AckEvents
from chatd.service.events.answers import AnswerEvents
from chatd.service.events.history import HistoryEvents
from chatd.service.events.messages import MessageEvents
from chatd.service.events.presence import PresenceEvents
from chatd.service.events.rooms import RoomEvents
from chatd.service.events.search import SearchEvents
from chatd.service.events.token import TokenLife
from chatd.service.events.typing import TypingEvents
from chatd.service.rate_limits import RateLimits
from chatd.service.rooms import Rooms
from chatd.socketio import Event
from chatd.sockets.socket import Socket, SocketIOConnection
from chatd.wire.codes import Code, Refusal
from chatd.wire.converter import structure
from chatd.wire.events import ServerDraining, StatusDraining
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import (
    AnswerCancel,
    AuthRefresh,
    ChatAck,
    ChatMessage,
    ChatSearch,
    ConnectionJoin,
    ConnectionLeave,
    HistoryGet,
    PresenceUpdate,
    TypingSignal,
)

RECONNECT_SPREAD_MS = 5_000  # a server that stops spreads the return of its clients over this time

Read: TypeAlias = Callable[[Client, Any, int | None], Any]  # what the handler gets, or a Refusal
Handler: TypeAlias = Callable[[Client, Any, int | None], Handled]


@attrs.frozen
class Rate:
    """A limit on one kind of event: its key in the configuration, and what counts an event of a
    user, or says how many ms it has to wait."""

    limit: str
    admit: Callable[[str], int | None]


@attrs.frozen
class Route:
    """What happens to one kind of event; see the steps above.

    `is_room_named`: a refusal of the payload itself names the room that stands in it. `is_page`:
    the ack does not count as backlog, since the handler has waited for the peer to catch up.
    """

    event: ClientEvent
    payload: type[Any]
    handler: Handler
    read: Read | None = None
    needs_access: bool = False
    rate: Rate | None = None
    joins: bool = False
    is_room_named: bool = False
    is_page: bool = False


class Dispatcher:
    """The chat. One for a server; its state is in the clients and in the handlers."""

    def __init__(
        self,
        connector: Connector,
        clients: Clients,
        rooms: Rooms,
        limits: RateLimits,
        messages: MessageEvents,
        acks: AckEvents,
        room_events: RoomEvents,
        history: HistoryEvents,
        search: SearchEvents,
        answers: AnswerEvents,
        typing: TypingEvents,
        presence: PresenceEvents,
        tokens: TokenLife,
        event_log: EventLog,
    ) -> None:
        self._connector = connector
        self._clients = clients
        self._rooms = rooms
        self._messages = messages
        self._tokens = tokens
        self._event_log = event_log
        of_typing = Rate("user_typing_per_minute", limits.admit_typing)
        routes = (
            # It joins, and is limited, by itself: a repeated message does not count.
            Route(
                ClientEvent.CHAT_MESSAGE,
                ChatMessage,
                messages.send,
                read=messages.read,
                needs_access=True,
            ),
            Route(ClientEvent.CHAT_ACK, ChatAck, acks.acknowledge),
            Route(
                ClientEvent.CONNECTION_JOIN,
                ConnectionJoin,
                room_events.join,
                read=room_events.read_join,
                needs_access=True,
            ),
            Route(ClientEvent.CONNECTION_LEAVE, ConnectionLeave, room_events.leave),
            Route(
                ClientEvent.HISTORY_GET,
                HistoryGet,
                history.page,
                read=history.read,
                needs_access=True,
                joins=True,
                is_room_named=True,
                is_page=True,
            ),
            # It joins by itself, once it has read the query.
            Route(
                ClientEvent.SEARCH,
                ChatSearch,
                search.search,
                read=search.read,
                needs_access=True,
                is_room_named=True,
                is_page=True,
            ),
            Route(ClientEvent.ANSWER_CANCEL, AnswerCancel, answers.cancel),
            Route(
                ClientEvent.TYPING_START,
                TypingSignal,
                typing.start,
                needs_access=True,
                rate=of_typing,
                joins=True,
            ),
            Route(
                ClientEvent.TYPING_STOP, TypingSignal, typing.stop, needs_access=True, joins=True
            ),
            Route(
                ClientEvent.PRESENCE_UPDATE,
                PresenceUpdate,
                presence.update,
                needs_access=True,
                joins=True,
            ),
            Route(ClientEvent.AUTH_REFRESH, AuthRefresh, tokens.refresh),
        )
        self._routes: dict[object, Route] = {route.event.value: route for route in routes}

    def on_connect(
        self, connection: SocketIOConnection, namespace: str, auth: dict[str, Any] | None
    ) -> Work | None:
        return self._connector.connect(connection, namespace, auth)

    def on_event(self, socket: Socket, event: Event) -> Work | None:
        args, ack_id = event.args, event.ack_id
        route = self._routes.get(args[0])
        if route is None:
            return socket.session.idle()
        client: Client = socket.state
        written = args[1] if len(args) > 1 else None
        wait_ms = client.allowance.admit_event()
        if wait_ms is not None:
            refusal = self._limited(client, "socket_events_per_minute", wait_ms)
            self._answer(client, route, written, ack_id, refusal)
            return socket.session.idle()
        handled = self._handle(client, route, written, ack_id)
        if handled is None:
            return None
        if isinstance(handled, Coroutine):
            return AnsweredLater(handled, partial(self._answer, client, route, written, ack_id))
        self._answer(client, route, written, ack_id, handled)
        return None

    def _handle(self, client: Client, route: Route, written: object, ack_id: int | None) -> Handled:
        request = structure(written, route.payload)
        if route.read is not None and type(request) is not Refusal:
            request = route.read(client, request, ack_id)
        if type(request) is Refusal:
            if not route.is_room_named:
                return request
            room = written.get("connectionId") if isinstance(written, dict) else None
            return attrs.evolve(request, connection_id=echoed_id(room))
        if route.needs_access:
            room = request.connection_id
            if room not in client.grants and room is not None:
                return forbidden(room)
        if route.rate is not None:
            wait_ms = route.rate.admit(client.user_id)
            if wait_ms is not None:
                refusal = self._limited(client, route.rate.limit, wait_ms)
                return attrs.evolve(refusal, connection_id=request.connection_id)
        if route.joins and request.connection_id not in client.wanted:
            return self._join_and_handle(client, route, request, ack_id)
        return route.handler(client, request, ack_id)

    async def _join_and_handle(
        self, client: Client, route: Route, request: Any, ack_id: int | None
    ) -> Outcome:
        room = request.connection_id
        refusal = await self._rooms.enter(client, [room])
        if refusal is not None:
            return attrs.evolve(refusal, connection_id=room)
        if room not in client.wanted:
            return None  # the client is gone
        return await outcome_of(route.handler(client, request, ack_id))

    def _limited(self, client: Client, limit: str, wait_ms: int) -> Refusal:
        self._event_log.record(LimitHit(limit, client.user_id, None))
        return Refusal(Code.RATE_LIMITED, retry_after_ms=wait_ms)

    def _answer(
        self, client: Client, route: Route, written: object, ack_id: int | None, outcome: Outcome
    ) -> None:
        if outcome is None:
            return
        if not isinstance(outcome, Refusal):
            client.acknowledge(ack_id, outcome, is_page=route.is_page)
        elif route.event is ClientEvent.CHAT_MESSAGE:
            self._messages.refuse(client, ack_id, written, outcome)
        else:
            client.refuse(route.event, ack_id, outcome)

    def on_disconnect(self, socket: Socket, reason: DisconnectReason) -> None:
        client: Client = socket.state
        self._rooms.leave(client, list(client.wanted))
        self._clients.remove(client)
        self._tokens.stop(client)
        self._event_log.record(Disconnected(client.log_id, socket.id, client.user_id, reason.value))

    def drain(self, deadline_ms: int) -> None:
        """Announce to all clients that the server is about to close their transport."""
        for client in self._clients.everybody():
            back_ms = jitter_ms(100, RECONNECT_SPREAD_MS)
            client.send(ServerDraining(deadline_ms, back_ms))
            client.send(StatusDraining(retry_after_ms=back_ms))


class AnsweredLater:
    """A handler's coroutine and the answer that follows on it. Closing it closes the coroutine,
    which an `async def` that has not begun could not."""

    __slots__ = ("_answer", "_handled")

    def __init__(
        self, handled: Coroutine[Any, Any, Outcome], answer: Callable[[Outcome], None]
    ) -> None:
        self._handled = handled
        self._answer = answer

    def __await__(self) -> Generator[Any, Any, None]:
        self._answer((yield from self._handled.__await__()))

    def close(self) -> None:
        self._handled.close()

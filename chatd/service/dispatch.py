"""The chat as an application of sockets: one table of events (`routes`), and one way through it.

An event goes through these steps; the first that refuses it ends it:

    known      the table has its name; other events count as idle traffic (`engine/throttle`)
    counted    the socket may send one more event now
    structure  the payload is of the route's class
    read       its values are good, whichever room it names
    access     the client may use the room that it names, and write there if the event does
    limit      a limit of its own admits it
    join       the client is in the room, or joins it first
    handler    carries it out: an ack, a refusal, or a coroutine that ends in one of these
    access     a query is answered only if the client may use that room now too

Nothing here waits. The task that owns the socket's input awaits a coroutine, and then answers the
event. If the handler gives None, the effect of its command answers the event.
"""

from collections.abc import Callable, Coroutine, Generator, Iterable
from functools import partial
from typing import Any

import attrs

from chatd.engine.transport import Work
from chatd.net.disconnects import DisconnectReason
from chatd.observe import EventLog, SocketDisconnected
from chatd.observe.ids import jitter_ms
from chatd.service.acks import Handled, Outcome, echoed_id
from chatd.service.client import Client
from chatd.service.clients import Clients
from chatd.service.connect import Connector
from chatd.service.events.schema import SchemaEvents
from chatd.service.events.token import TokenLife
from chatd.service.grants import refusal_to_write
from chatd.service.rate_limits import RateLimits
from chatd.service.rooms import Rooms, forbidden
from chatd.service.routes import JOINED, Route, Routed, table
from chatd.socketio.packet import Event
from chatd.sockets.connection import SocketIOConnection
from chatd.sockets.emitter import event_packet
from chatd.sockets.socket import Socket
from chatd.wire.acks import AckPayload
from chatd.wire.codes import Refusal
from chatd.wire.converter import structure
from chatd.wire.events import ServerDraining, StatusDraining
from chatd.wire.names import ClientEvent
from chatd.wire.unknown import unknown_fields

RECONNECT_SPREAD_MS = 5_000  # when a server stops, its clients return spread over this time


class Dispatcher:
    """The chat. One for a server; its state is in the clients and in the handlers."""

    def __init__(
        self,
        connector: Connector,
        clients: Clients,
        rooms: Rooms,
        limits: RateLimits,
        tokens: TokenLife,
        schema: SchemaEvents,
        events: Iterable[Routed],
        event_log: EventLog,
    ) -> None:
        """`events` carry out every event, each once; `tokens` and `schema` are among them."""
        self._connector = connector
        self._clients = clients
        self._rooms = rooms
        self._limits = limits
        self._tokens = tokens
        self._schema = schema
        self._event_log = event_log
        self._routes = table(events)

    def on_connect(
        self, connection: SocketIOConnection, namespace: str, auth: dict[str, Any] | None
    ) -> Work | None:
        return self._connector.connect(connection, namespace, auth)

    def on_event(self, socket: Socket, event: Event) -> Work | None:
        name, ack_id = event.args[0], event.ack_id
        route = self._routes.get(name)
        if route is None:
            return socket.session.idle()
        client: Client = socket.state
        written = event.args[1] if len(event.args) > 1 else None
        limited = client.allowance.admit_event()
        if limited is not None:
            refusal = limited.refusal(client.user_id, self._event_log)
            self._answer(client, name, written, ack_id, refusal)
            return socket.session.idle()
        if (
            ack_id is not None
            and written.__class__ is dict
            and not route.plain_names.issuperset(written)
        ):
            client.ignore(ack_id, unknown_fields(written, route.payload))
        handled = self._handle(client, route, written, ack_id)
        if handled is None:
            return None
        if isinstance(handled, Coroutine):
            return AnsweredLater(handled, partial(self._answer_late, client, name, written, ack_id))
        self._answer(client, name, written, ack_id, handled)
        return None

    def _handle(self, client: Client, route: Route, written: object, ack_id: int | None) -> Handled:
        request = structure(written, route.payload)
        if route.read is not None and type(request) is not Refusal:
            request = route.read(client, request, ack_id)
        if type(request) is Refusal:
            return request
        room: str | None = None if route.room is None else request.connection_id
        if room is not None:
            grant = client.grants.get(room)
            if grant is None:
                return forbidden(room)
            if route.writes and not grant.may_write:
                return refusal_to_write(client.grants, room)
        if route.limit is not None:
            limited = self._limits.admit(route.limit, client.user_id, client.allowance)
            if limited is not None:
                refusal = limited.refusal(client.user_id, self._event_log)
                return attrs.evolve(refusal, connection_id=room)
        if route.room == JOINED and room is not None and room not in client.rooms:
            handle = partial(route.handler, client, request, ack_id)
            return self._rooms.enter_first(client, room, handle)
        return route.handler(client, request, ack_id)

    def _answer_late(
        self, client: Client, name: str, written: object, ack_id: int | None, outcome: Outcome
    ) -> None:
        """Answer an event whose handler has waited."""
        if outcome is not None and self._routes[name].is_query:
            outcome = _if_permitted(client, written, outcome)
        self._answer(client, name, written, ack_id, outcome)

    def _answer(
        self, client: Client, name: str, written: object, ack_id: int | None, outcome: Outcome
    ) -> None:
        if outcome is None:
            return
        route = self._routes[name]
        if not isinstance(outcome, Refusal):
            if ack_id is None and route.as_event is not None:
                client.send_catch_up(event_packet(route.as_event(outcome)))
            client.acknowledge(ack_id, outcome, is_page=route.is_query)
        elif route.refuse is not None:
            route.refuse(client, ack_id, written, outcome)
        else:
            if outcome.connection_id is None and "connectionId" in route.plain_names:
                outcome = attrs.evolve(outcome, connection_id=_named_room(written))
            client.refuse(ClientEvent(name), ack_id, outcome)

    def on_disconnect(self, socket: Socket, reason: DisconnectReason) -> None:
        client: Client = socket.state
        self._rooms.leave(client, list(client.rooms))
        self._clients.remove(client)
        self._tokens.stop(client)
        self._schema.leave(client)
        self._event_log.record(
            SocketDisconnected(client.log_id, socket.id, client.user_id, reason.value)
        )

    def drain(self, deadline_ms: int) -> None:
        """Announce to all clients that the server is about to close their transport."""
        for client in self._clients.everybody():
            back_ms = jitter_ms(100, RECONNECT_SPREAD_MS)
            client.send(ServerDraining(deadline_ms, back_ms))
            client.send(StatusDraining(retry_after_ms=back_ms))


def _if_permitted(
    client: Client, written: object, outcome: AckPayload | Refusal
) -> AckPayload | Refusal:
    """What a query of the client came to, unless the room that it named was taken away while the
    query waited: for its turn, or for a client that reads slowly."""
    room = _named_room(written)
    return outcome if room is None or room in client.grants else forbidden(room)


def _named_room(written: object) -> str | None:
    """The room that a payload names, as far as that can be repeated to the client."""
    return echoed_id(written.get("connectionId")) if isinstance(written, dict) else None


@attrs.define(eq=False)
class AnsweredLater:
    """A handler's coroutine and the answer that follows on it. Closing it closes the coroutine,
    which an `async def` that has not begun could not."""

    _handled: Coroutine[Any, Any, Outcome]
    _answer: Callable[[Outcome], None]

    def __await__(self) -> Generator[Any, Any, None]:
        self._answer((yield from self._handled.__await__()))

    def close(self) -> None:
        self._handled.close()

"""How a client comes in: who it is, `connection:status`, and the rooms that it joins first
(docs/protocol, "Connecting").

Synchronous as long as nothing has to be waited for, so that the answer to CONNECT and
`connection:status` go out in one write.
"""

import math
from collections.abc import Mapping
from typing import Any

import attrs
import orjson
import trio

from chatd.auth import Admitted, Authenticator, Credentials
from chatd.chat.markup import Markup
from chatd.chat.reading import Reading
from chatd.engine.transport import Work
from chatd.net.disconnects import DisconnectReason
from chatd.observe import EventLog, LimitHit, SocketConnected, SocketReconnected
from chatd.observe.clock import Clock
from chatd.service.allowance import Allowance
from chatd.service.answer_rows import WRONG_ANSWER_ROWS
from chatd.service.client import Client
from chatd.service.clients import Clients
from chatd.service.events.token import TokenLife
from chatd.service.membership import Standing
from chatd.service.rate_limits import RateLimits
from chatd.service.rates import Limit
from chatd.service.readings import Readings
from chatd.service.rooms import NOTHING, Rooms, Since, forbidden
from chatd.service.timeline import Timelines
from chatd.sockets.adapter import NAMESPACE
from chatd.sockets.connection import SocketIOConnection
from chatd.wire.codes import Code, Refusal
from chatd.wire.connect import ConnectAuth, ConnectErrorData
from chatd.wire.converter import SAFE_INTEGER, WRONG_STATUS, presence_status
from chatd.wire.encoder import plain
from chatd.wire.events import RoomStanding, ServerLimits, StatusConnected
from chatd.wire.names import ClientEvent
from chatd.wire.unknown import unknown_fields

REFUSALS_MAX = 10  # refused CONNECTs of one session; then the session ends
REFUSALS_LIMIT = "refused_connects"  # the name of this limit, where it has ended a session
NAMED_ROOMS_MAX = 200  # rooms of a handshake that are looked at


@attrs.frozen
class Welcome:
    """What `connection:status` tells all clients alike, until it is replaced. Parts that are equal
    for all clients are JSON already: `server`, and the `databases` that answer, by room."""

    epoch: str
    limits: ServerLimits
    markup: Markup
    server: orjson.Fragment
    databases: Mapping[str, orjson.Fragment]

    def rendered(self, text: str | None) -> str | None:
        """A name or a title as clients get it."""
        return None if text is None else self.markup(text)


@attrs.define(eq=False)
class Connector:
    """Admits clients, and greets them."""

    _authenticator: Authenticator
    _welcome: Welcome
    _clients: Clients
    _timelines: Timelines
    _rooms: Rooms
    _readings: Readings
    _tokens: TokenLife
    _limits: RateLimits
    _clock: Clock
    _event_log: EventLog

    def replace_welcome(self, welcome: Welcome) -> None:
        """Tell this to clients that come from now on."""
        self._welcome = welcome

    def connect(
        self, connection: SocketIOConnection, namespace: str, auth: dict[str, Any] | None
    ) -> Work | None:
        """Accept or refuse a CONNECT."""
        if namespace != NAMESPACE:
            self._refuse(connection, namespace, "Invalid namespace", None)
            return None
        began_s = trio.current_time()
        credentials = _credentials(connection, auth)
        admitted = self._authenticator.authenticate_now(credentials)
        if admitted is None:
            return self._connect_later(connection, credentials, auth or {}, began_s)
        client = self._admit(connection, auth or {}, admitted)
        if client is None:
            return None
        standing = self._rooms.standing(client)
        readings = self._readings.readings_now(client.user_id, client.grants)
        if self._rooms.are_shared or standing.is_overdue or readings is None:
            return self._greet_later(client, auth or {}, began_s)
        rooms, since = self._greet(client, auth or {}, standing, readings, began_s)
        return self._rooms.enter(client, rooms, None, since) if rooms else None

    async def _connect_later(
        self,
        connection: SocketIOConnection,
        credentials: Credentials,
        auth: dict[str, Any],
        began_s: float,
    ) -> None:
        admitted = await self._authenticator.authenticate(credentials)
        if connection.session.is_over:
            return
        client = self._admit(connection, auth, admitted)
        if client is not None:
            await self._greet_later(client, auth, began_s)

    async def _greet_later(self, client: Client, auth: dict[str, Any], began_s: float) -> None:
        while True:
            grants = client.grants
            await self._rooms.look(client)
            readings = await self._readings.readings(client.user_id, grants)
            standing = await self._rooms.trimmed_standing(client)
            if client.is_gone:
                return
            if client.grants is grants:  # else it may now use other rooms than were read
                break
        rooms, since = self._greet(client, auth, standing, readings, began_s)
        if rooms:
            await self._rooms.enter(client, rooms, None, since)

    def _admit(
        self, connection: SocketIOConnection, auth: dict[str, Any], admitted: Admitted | Refusal
    ) -> Client | None:
        """The client of an admitted peer; None if it is refused."""
        if isinstance(admitted, Admitted):
            user_id = admitted.identity.user_id
            limited = self._limits.admit_socket(user_id, len(self._clients.of(user_id)))
            if limited is not None:
                sentence = "You have too many connections; close some first."
                admitted = limited.refusal(user_id, self._event_log, sentence)
        if isinstance(admitted, Refusal):
            data = plain(ConnectErrorData.of(admitted))
            self._refuse(connection, NAMESPACE, admitted.sentence, data)
            return None
        if "token" in auth:
            connection.handshake = None  # nothing more is read of it; thousands would be kept
        socket = connection.accept(NAMESPACE)
        allowance = connection.state
        if allowance is None:  # it outlives the socket: a new one gets no fresh allowance
            allowance = connection.state = Allowance(self._limits.rates)
        client = Client(socket, admitted.identity, admitted.grants, allowance, self._tokens)
        socket.state = client
        connection.session.identify(client.user_id)
        self._clients.add(client)
        self._tokens.start(client, admitted.identity)
        return client

    def _refuse(
        self, connection: SocketIOConnection, namespace: str, message: str, data: Any
    ) -> None:
        connection.refuse(namespace, message, data)
        session = connection.session
        if connection.refusals >= REFUSALS_MAX and not session.is_over:
            self._event_log.record(LimitHit(REFUSALS_LIMIT, session.user_id, session.address))
            session.end(DisconnectReason.CONNECTS_REFUSED)

    def _greet(
        self,
        client: Client,
        auth: dict[str, Any],
        standing: Standing,
        readings: Mapping[str, Reading],
        began_s: float,
    ) -> tuple[list[str], Since]:
        """Send `connection:status`; returns the rooms to join, and what the client has of them. Its
        CONNECT came at `began_s`."""
        attempts = auth.get("reconnectAttempts")
        attempts = attempts if type(attempts) is int and 0 <= attempts < 2**31 else None
        since = _since(auth)
        is_resumed = isinstance(since, Since) and bool(since.seqs)
        ignored = unknown_fields(auth, ConnectAuth)
        client.send(
            self._status(client, standing, readings, attempts, ignored, is_resumed=is_resumed)
        )
        client.is_greeted = True
        if isinstance(since, Refusal):
            client.refuse(ClientEvent.CONNECTION_JOIN, None, since)
            since = NOTHING
        client.answer_rows = self._answer_rows(client, auth.get("answerRows"))
        self._rooms.end_memberships(client, standing)
        rooms = self._rooms_to_join(client, auth.get("connectionId"))
        self._declare(client, auth.get("status"), rooms)
        self._event_log.record(
            SocketConnected(
                client.log_id,
                client.socket.id,
                client.user_id,
                tuple(rooms),
                resumed=is_resumed,
                took_ms=(trio.current_time() - began_s) * 1000,
            )
        )
        if attempts:
            self._event_log.record(SocketReconnected(client.log_id, client.user_id, attempts))
        return rooms, since

    def _answer_rows(self, client: Client, written: object) -> int | None:
        """How many rows of answers the handshake asks for."""
        if written is None or (type(written) is int and 0 <= written <= SAFE_INTEGER):
            return written
        refusal = Refusal(Code.INVALID_PAYLOAD, WRONG_ANSWER_ROWS, path="answerRows")
        client.refuse(ClientEvent.CONNECTION_JOIN, None, refusal)
        return None

    def _declare(self, client: Client, written: object, rooms: list[str]) -> None:
        """Note the status that the handshake declares, before others can see the client."""
        status = presence_status(written)
        if status is not None:
            client.status, client.declared = status, dict.fromkeys(rooms, status)
        elif written is not None:
            refusal = Refusal(Code.INVALID_PAYLOAD, WRONG_STATUS, path="status")
            client.refuse(ClientEvent.CONNECTION_JOIN, None, refusal)

    def _status(
        self,
        client: Client,
        standing: Standing,
        readings: Mapping[str, Reading],
        attempts: int | None,
        ignored: tuple[str, ...] | None,
        *,
        is_resumed: bool,
    ) -> StatusConnected:
        welcome, identity = self._welcome, client.identity
        return StatusConnected(
            user_id=identity.user_id,
            server_time=self._clock.wall_ms(),
            epoch=welcome.epoch,
            expires_at=identity.expires_at_ms,
            resumed=is_resumed,
            rooms=[
                RoomStanding(
                    connection_id=room,
                    last_seq=head.seq,
                    last_rev=head.rev,
                    read_seq=readings[room].read_seq,
                    unread=readings[room].unread,
                    mentions=readings[room].mentions,
                    owed=standing.owed.get(room, 0),
                    role=grant.role,
                    title=welcome.rendered(grant.title),
                    database=welcome.databases.get(room),
                )
                for room, grant in client.grants.items()
                for head in (self._timelines.head(room),)
            ],
            limits=welcome.limits,
            server=welcome.server,
            name=welcome.rendered(identity.name),
            reconnect_attempts=attempts,
            ignored=ignored,
        )

    def _rooms_to_join(self, client: Client, named: object) -> list[str]:
        """Those rooms that the handshake names and the client may use; if it names none (or an
        empty list), all that the directory gives.

        The client is told once how many are beyond the limit, and are not joined.
        """
        if named is None or named == []:
            return self._as_many_as_may_be(client, list(client.grants))
        if isinstance(named, str):
            named = [named]
        if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
            refusal = Refusal(Code.INVALID_PAYLOAD, path="connectionId")
            client.refuse(ClientEvent.CONNECTION_JOIN, None, refusal)
            return []
        for name in list(dict.fromkeys(named))[:NAMED_ROOMS_MAX]:
            if name not in client.grants:
                client.refuse(ClientEvent.CONNECTION_JOIN, None, forbidden(name))
        permitted = [name for name in dict.fromkeys(named) if name in client.grants]
        return self._as_many_as_may_be(client, permitted)

    def _as_many_as_may_be(self, client: Client, rooms: list[str]) -> list[str]:
        """The first of these rooms, as many as a socket may be in."""
        most = math.ceil(min(self._limits.rates[Limit.ROOMS_PER_SOCKET], len(rooms)))
        limited = self._limits.admit_room(client.allowance, most) if most < len(rooms) else None
        if limited is not None:
            sentence = (
                f"You may be in {most} rooms at once, and are in these; {len(rooms) - most} more "
                "were not joined. Leave one, then join another by connection:join."
            )
            refusal = limited.refusal(client.user_id, self._event_log, sentence)
            refusal = attrs.evolve(refusal, connection_id=rooms[most])
            client.refuse(ClientEvent.CONNECTION_JOIN, None, refusal)
        return rooms[:most]


def _credentials(connection: SocketIOConnection, auth: dict[str, Any] | None) -> Credentials:
    session, handshake = connection.session, connection.handshake
    if handshake is None:
        return Credentials(session.address, session.log_id, auth)
    return Credentials(
        session.address, session.log_id, auth, handshake.authorization, handshake.query.parameters
    )


def _since(auth: Mapping[str, Any]) -> Since | Refusal:
    """What the client has, as the handshake says: `{since: {connectionId: seq}, epoch}`; a seq of
    null says nothing of its room."""
    written, epoch = auth.get("since"), auth.get("epoch")
    if written is None:
        written = {}
    if not isinstance(written, dict):
        return Refusal(Code.INVALID_PAYLOAD, path="since")
    seqs = {room: seq for room, seq in written.items() if seq is not None}
    if not all(type(seq) is int and 0 <= seq <= SAFE_INTEGER for seq in seqs.values()):
        return Refusal(Code.INVALID_PAYLOAD, path="since")
    if epoch is not None and not isinstance(epoch, str):
        return Refusal(Code.INVALID_PAYLOAD, path="epoch")
    return Since(seqs, epoch)

"""A token's later life: renewed, running out, run out (SPEC 2)."""

import math

import trio

from chatd.auth import Admitted, Authenticator, Credentials, Identity
from chatd.engine.transport import Work
from chatd.net.deadlines import Deadlines
from chatd.net.disconnects import DisconnectReason
from chatd.observe.clock import Clock
from chatd.service.acks import accepted, refused
from chatd.service.client import Client
from chatd.service.events.rooms import RoomEvents
from chatd.wire.codes import Code, Refusal
from chatd.wire.converter import structure
from chatd.wire.names import ClientEvent, ServerEvent
from chatd.wire.payloads import AuthRefresh

EXPIRY_NOTICE_S = 60.0  # `auth:expiring` is sent so long before the token expires


class TokenLife:
    """What becomes of clients whose tokens change or end; a token is taken for `leeway_s` after its
    `exp`."""

    def __init__(
        self,
        authenticator: Authenticator,
        rooms: RoomEvents,
        deadlines: Deadlines,
        clock: Clock,
        *,
        leeway_s: float,
    ) -> None:
        self._authenticator = authenticator
        self._rooms = rooms
        self._deadlines = deadlines
        self._clock = clock
        self._leeway_s = leeway_s

    def refresh_event(self, client: Client, payload: object, ack_id: int | None) -> Work | None:
        refresh = structure(payload, AuthRefresh)
        if isinstance(refresh, Refusal):
            refused(client.socket, ClientEvent.AUTH_REFRESH, ack_id, refresh)
            return None
        session = client.socket.session
        credentials = Credentials(
            session.address, session.log_id, {"token": refresh.token}, is_renewal=True
        )
        admitted = self._authenticator.authenticate_now(credentials)
        if admitted is None:
            return self._authenticate(client, credentials, ack_id)
        self._answer(client, admitted, ack_id)
        return None

    async def _authenticate(
        self, client: Client, credentials: Credentials, ack_id: int | None
    ) -> None:
        admitted = await self._authenticator.authenticate(credentials)
        if not client.socket.session.is_over:
            self._answer(client, admitted, ack_id)

    def _answer(self, client: Client, admitted: Admitted | Refusal, ack_id: int | None) -> None:
        if isinstance(admitted, Admitted):
            if admitted.identity.user_id == client.identity.user_id:
                self._renew(client, admitted)
                accepted(client.socket, ack_id, expiresAt=admitted.identity.expires_at_ms)
                return
            admitted = Refusal(Code.TOKEN_INVALID, "The new token is for another user.")
        refused(client.socket, ClientEvent.AUTH_REFRESH, ack_id, admitted)

    def _renew(self, client: Client, admitted: Admitted) -> None:
        client.grants = admitted.grants
        self.start(client, admitted.identity)
        for room in [room for room in client.wanted if room not in admitted.grants]:
            self._rooms.give_up(client, [room])
            client.socket.emit(
                ServerEvent.CONNECTION_LEFT, {"connectionId": room, "code": Code.FORBIDDEN_ROOM}
            )
        self._rooms.end_memberships(client)

    def start(self, client: Client, identity: Identity) -> None:
        """The client has this token from now on."""
        client.identity = identity
        client.is_expiry_announced = False
        expires_s = trio.current_time() + identity.expires_at_ms / 1000 - self._clock.wall_s()
        client.expires_s = expires_s + self._leeway_s
        self._deadlines.schedule(client, expires_s - EXPIRY_NOTICE_S)

    def stop(self, client: Client) -> None:
        """The client has disconnected."""
        self._deadlines.schedule(client, math.inf)

    def on_deadline(self, client: Client, now_s: float) -> float:
        """Announce that the token expires, then end the session; returns the next deadline."""
        try:
            if now_s >= client.expires_s:
                client.socket.emit(
                    ServerEvent.CONNECTION_STATUS, {"status": "closing", "code": Code.TOKEN_EXPIRED}
                )
                client.end(DisconnectReason.TOKEN_EXPIRED)
                return math.inf
            if not client.is_expiry_announced:
                client.is_expiry_announced = True
                client.socket.emit(
                    ServerEvent.AUTH_EXPIRING, {"expiresAt": client.identity.expires_at_ms}
                )
        except Exception as error:  # one client's fault must not stop everybody's deadlines
            client.socket.session.crash(error)
            return math.inf
        return client.expires_s

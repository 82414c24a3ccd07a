"""A token's later life: renewed, running out, run out (SPEC 2)."""

import math

import trio

from chatd.auth import DirectoryFailed, Identity, TokenRefused
from chatd.engine.throttle import Work
from chatd.net.deadlines import Deadlines
from chatd.net.disconnects import DisconnectReason
from chatd.observe.clock import wall_s
from chatd.service.acks import accepted, refused
from chatd.service.authenticator import Admitted, Entrance
from chatd.service.client import Client
from chatd.service.events.rooms import RoomEvents
from chatd.wire.codes import Code, Refusal
from chatd.wire.converter import structure
from chatd.wire.names import ClientEvent, ServerEvent
from chatd.wire.payloads import AuthRefresh

EXPIRY_NOTICE_S = 60.0  # `auth:expiring` is sent so long before the token expires


class TokenLife:
    """Renews and expires tokens. A token is valid for `leeway_s` after its `exp`."""

    def __init__(
        self, entrance: Entrance, rooms: RoomEvents, deadlines: Deadlines, *, leeway_s: float
    ) -> None:
        self._entrance = entrance
        self._rooms = rooms
        self._deadlines = deadlines
        self._leeway_s = leeway_s

    def refresh_event(self, client: Client, payload: object, ack_id: int | None) -> Work | None:
        refresh = structure(payload, AuthRefresh)
        refusal: Refusal
        if isinstance(refresh, Refusal):
            refusal = refresh
        else:
            try:
                admitted = self._entrance.judge(refresh.token)
            except TokenRefused as error:
                refusal = Refusal(Code(error.code), str(error))
            except DirectoryFailed as error:
                refusal = Refusal(Code.INTERNAL, str(error))
            else:
                if admitted.identity.user_id == client.identity.user_id:
                    self._renew(client, admitted)
                    accepted(client.socket, ack_id, expiresAt=admitted.identity.expires_at_ms)
                    return None
                refusal = Refusal(Code.TOKEN_INVALID, "The new token is for another user.")
        refused(client.socket, ClientEvent.AUTH_REFRESH, ack_id, refusal)
        return None

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
        expires_s = trio.current_time() + identity.expires_at_ms / 1000 - wall_s()
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

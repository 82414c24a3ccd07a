"""A token's later life: renewed, running out, run out (SPEC 2)."""

from chatd.auth import DirectoryFailed, TokenRefused
from chatd.engine.transport import Work
from chatd.net.disconnects import DisconnectReason
from chatd.service.acks import accepted, refused
from chatd.service.authenticator import Admitted, Entrance
from chatd.service.clients import Client
from chatd.service.events.rooms import RoomEvents
from chatd.wire.codes import Code, Refusal
from chatd.wire.converter import structure
from chatd.wire.names import ClientEvent, ServerEvent
from chatd.wire.payloads import AuthRefresh


class TokenLife:
    """What becomes of clients whose tokens change or end."""

    def __init__(self, entrance: Entrance, rooms: RoomEvents) -> None:
        self._entrance = entrance
        self._rooms = rooms

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
        self._entrance.start_clock(client, admitted.identity)
        for room in [room for room in client.wanted if room not in admitted.grants]:
            self._rooms.give_up(client, [room])
            client.socket.emit(
                ServerEvent.CONNECTION_LEFT, {"connectionId": room, "code": Code.FORBIDDEN_ROOM}
            )
        self._rooms.end_memberships(client)

    def on_token_expiring(self, client: Client) -> None:
        client.socket.emit(ServerEvent.AUTH_EXPIRING, {"expiresAt": client.identity.expires_at_ms})

    def on_token_expired(self, client: Client) -> None:
        client.socket.emit(
            ServerEvent.CONNECTION_STATUS, {"status": "closing", "code": Code.TOKEN_EXPIRED}
        )
        client.socket.session.end(DisconnectReason.TOKEN_EXPIRED)

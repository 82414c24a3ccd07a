"""`auth:refresh` from clients, and what happens when a token expires (docs/protocol, "Tokens")."""

import math

import attrs
import trio

from chatd.auth import Admitted, Authenticator, Credentials, Identity
from chatd.net.deadlines import Deadlines
from chatd.net.disconnects import DisconnectReason
from chatd.observe.clock import Clock
from chatd.service.acks import Handled, Outcome
from chatd.service.client import Client
from chatd.service.grants import Granting
from chatd.service.routes import Route, Routes
from chatd.wire.acks import TokenAck
from chatd.wire.codes import Code, Refusal
from chatd.wire.events import StatusClosing, TokenExpiring
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import AuthRefresh

EXPIRY_NOTICE_S = 60.0  # `auth:expiring` is sent so long before the token expires


@attrs.define(eq=False)
class TokenLife:
    """Renews and expires the tokens of clients. A token is valid for `leeway_s` after its `exp`."""

    _authenticator: Authenticator
    _granting: Granting
    _deadlines: Deadlines
    _clock: Clock
    _leeway_s: float = attrs.field(kw_only=True)

    def routes(self) -> Routes:
        return {ClientEvent.AUTH_REFRESH: Route(AuthRefresh, self.refresh)}

    def refresh(self, client: Client, refresh: AuthRefresh, ack_id: int | None) -> Handled:
        credentials = Credentials(
            client.address, client.log_id, {"token": refresh.token}, is_renewal=True
        )
        admitted = self._authenticator.authenticate_now(credentials)
        if admitted is None:
            return self._refresh_later(client, credentials)
        return self._renew(client, admitted)

    async def _refresh_later(self, client: Client, credentials: Credentials) -> Outcome:
        admitted = await self._authenticator.authenticate(credentials)
        return None if client.is_gone else self._renew(client, admitted)

    def _renew(self, client: Client, admitted: Admitted | Refusal) -> Outcome:
        """Give the client its new token, and take it out of the rooms that this token does not
        give."""
        if isinstance(admitted, Refusal):
            return admitted
        if admitted.identity.user_id != client.user_id:
            return Refusal(Code.TOKEN_INVALID, "The new token is for another user.")
        self.start(client, admitted.identity)
        self._granting.give(client, admitted.grants)
        return TokenAck(expires_at=admitted.identity.expires_at_ms)

    def replace_leeway(self, leeway_s: float) -> None:
        """Tokens that come from now on are valid for so long after their `exp`."""
        self._leeway_s = leeway_s

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
        if now_s >= client.expires_s:
            client.send(StatusClosing())
            client.end(DisconnectReason.TOKEN_EXPIRED)
            return math.inf
        if not client.is_expiry_announced:
            client.is_expiry_announced = True
            client.send(TokenExpiring(client.identity.expires_at_ms))
        return client.expires_s

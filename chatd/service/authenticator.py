"""How a socket comes in: its token, its rooms, the first things that it is told (SPEC 2 and 4).

A token may stand in the CONNECT payload, in the Authorization header, or in the query. Failures
back off per address. Whoever is let in is told `connection:status` first of all.
"""

import math
from collections.abc import Container, Mapping
from typing import Any, Protocol

import attrs
import orjson
import trio

from chatd.auth import (
    Directory,
    DirectoryFailed,
    FailureBackoff,
    Grant,
    Identity,
    TokenRefused,
    Verifier,
    pick_token,
)
from chatd.chat.markup import Markup
from chatd.net.addresses import counted_as
from chatd.observe import AuthenticationFailed, EventLog, LimitHit
from chatd.observe.clock import wall_ms, wall_s
from chatd.sockets.socket import SocketIOConnection
from chatd.wire.codes import Code, Refusal


@attrs.frozen
class Admitted:
    """Who came in, and which rooms the directory gives them."""

    identity: Identity
    grants: Mapping[str, Grant]


class Passes(Protocol):
    """What was given out on the strength of a token, and must not outlive its right."""

    def withdraw(self, identity: Identity, rooms: Container[str]) -> None:
        """A token was shown that gives its user these rooms, and no others."""
        ...


class Entrance:
    """Judges tokens."""

    def __init__(
        self,
        verifier: Verifier,
        directory: Directory,
        backoff: FailureBackoff,
        passes: Passes,
        *,
        query_token: bool,
        event_log: EventLog,
    ) -> None:
        self._verifier = verifier
        self._directory = directory
        self._backoff = backoff
        self._passes = passes
        self._query_token = query_token
        self._event_log = event_log

    def admit(
        self, connection: SocketIOConnection, auth: dict[str, Any] | None
    ) -> Admitted | Refusal:
        """Who the peer is, or why it may not come in."""
        handshake = connection.handshake
        query: Mapping[str, str] = handshake.query.parameters if handshake is not None else {}
        authorization = handshake.authorization if handshake is not None else None
        token = pick_token(auth, authorization, query, self._query_token)
        return self.let_in(token, connection.session.address, connection.session.log_id)

    def let_in(self, token: object, address: str, log_id: str) -> Admitted | Refusal:
        """Who somebody at this address is, or why not; `log_id` is how logs name what they use."""
        now_s, source = trio.current_time(), counted_as(address)
        try:
            admitted = self.judge(token)
        except TokenRefused as error:
            # Only bad tokens back off: a neighbour's keeps no good one out, and nobody from hearing
            # that a token is missing, or has run out.
            wait_s = self._backoff.retry_after_s(source, now_s)
            if wait_s > 0 and error.code is Code.TOKEN_INVALID:
                self._event_log.record(LimitHit("auth_failures", None, address))
                return Refusal(Code.RATE_LIMITED, retry_after_ms=math.ceil(wait_s * 1000))
            if wait_s == 0 and error.code is not Code.UNAUTHORIZED:
                self._backoff.record_failure(source, now_s)
            self._event_log.record(AuthenticationFailed(log_id, address, error.code))
            return Refusal(Code(error.code), str(error))
        except DirectoryFailed as error:
            self._event_log.record(AuthenticationFailed(log_id, address, Code.INTERNAL))
            return Refusal(Code.INTERNAL, str(error))
        self._backoff.record_success(source)
        return admitted

    def judge(self, token: object) -> Admitted:
        """Who the token is for. Raises TokenRefused, DirectoryFailed."""
        identity = self._verifier.verify(token, wall_s())
        rooms = self.rooms(identity)
        self._passes.withdraw(identity, rooms)
        return Admitted(identity, rooms)

    def rooms(self, identity: Identity) -> Mapping[str, Grant]:
        """The rooms that somebody may use now. Raises DirectoryFailed."""
        return self._directory.rooms(identity)


@attrs.frozen
class Welcome:
    """What `connection:status` tells everybody alike."""

    epoch: str
    limits: Mapping[str, Any]
    markup: Markup

    def payload(
        self,
        admitted: Admitted,
        stands: Mapping[str, tuple[int, int]],
        reconnect_attempts: int | None,
        *,
        is_resumed: bool,
    ) -> bytes:
        """The payload of the first `connection:status` as JSON.

        `stands` has the last seq of each room, and how many messages there the user is owed.
        """
        identity = admitted.identity
        status: dict[str, Any] = {
            "status": "connected",
            "userId": identity.user_id,
            "serverTime": wall_ms(),
            "epoch": self.epoch,
            "expiresAt": identity.expires_at_ms,
            "resumed": is_resumed,
            "rooms": [
                self._room(grant, *stands[connection_id])
                for connection_id, grant in admitted.grants.items()
            ],
            "limits": self.limits,
        }
        if identity.name is not None:
            status["name"] = self.markup(identity.name)
        if reconnect_attempts is not None:
            status["reconnectAttempts"] = reconnect_attempts
        return orjson.dumps(status)

    def _room(self, grant: Grant, last_seq: int, unread: int) -> dict[str, Any]:
        room: dict[str, Any] = {
            "connectionId": grant.connection_id,
            "lastSeq": last_seq,
            "unread": unread,
        }
        if grant.title is not None:
            room["title"] = self.markup(grant.title)
        return room

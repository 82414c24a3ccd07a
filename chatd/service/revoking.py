"""Ending everything that a user's earlier tokens gave (docs/operations, "Tokens")."""

import math

import attrs
import trio

from chatd.auth import Revocations
from chatd.net.disconnects import DisconnectReason
from chatd.observe import EventLog, UserRevoked
from chatd.observe.clock import Clock
from chatd.service.clients import Clients
from chatd.service.grants import WritingAnswers
from chatd.wire.codes import Code
from chatd.wire.events import StatusClosing
from chatd.wire.identifiers import USER_ID_RULE, is_user_id


class RevocationNotKept(OSError):
    """The disk did not take a revocation: it holds until the daemon ends. `str()` says what to
    do."""


@attrs.define(eq=False)
class Revoking:
    """Revokes the tokens of users."""

    _revocations: Revocations
    _clients: Clients
    _answers: WritingAnswers
    _clock: Clock
    _event_log: EventLog
    _writing: trio.Lock = attrs.field(init=False, factory=trio.Lock)

    async def revoke(self, user_id: str) -> int:
        """Refuse all tokens that were issued to the user before now, and close the user's sockets:
        their transport, after `connection:status`. Returns how many there were.

        It holds at once, and is on the disk when this returns. Raises ValueError if this is not a
        user id, and RevocationNotKept if the disk does not take it: it holds all the same, until
        the daemon ends.
        """
        if not is_user_id(user_id):
            raise ValueError(f"a user id is {USER_ID_RULE}")
        closed = len(self._clients.of(user_id))
        # The issuer's clock may be ahead of ours: a token that was already shown was issued before
        # now.
        self._revocations.add(user_id, max(self._clock.wall_s(), self._shown_s(user_id)))
        self._close_revoked(user_id)
        failure = await self._keep()
        self._event_log.record(UserRevoked(user_id, closed, durable=failure is None))
        if failure is not None:
            raise RevocationNotKept(
                f"The tokens of {user_id} are refused until the daemon ends, but the disk did not "
                f"take it: {failure.strerror}. Revoke again when it does."
            )
        return closed

    def _shown_s(self, user_id: str) -> float:
        """When the newest token was issued that a client of the user has shown."""
        clients = self._clients.of(user_id)
        return max((client.identity.issued_at_s for client in clients), default=-math.inf)

    def _close_revoked(self, user_id: str) -> None:
        """Close the sockets whose tokens are revoked; if the user has no other, what the user asked
        writes no more."""
        is_in = False
        for client in list(self._clients.of(user_id)):
            if self._revocations.is_revoked(client.identity):
                client.send(StatusClosing(code=Code.TOKEN_REVOKED))
                client.end(DisconnectReason.TOKEN_REVOKED)
            else:
                is_in = True
        if not is_in:
            self._answers.end_writing(user_id)

    async def _keep(self) -> OSError | None:
        """Write all revocations; returns what the disk said if it did not take them."""
        async with self._writing:
            try:
                content = self._revocations.content()
                await trio.to_thread.run_sync(self._revocations.write, content)
            except OSError as error:
                return error
        return None

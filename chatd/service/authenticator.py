"""The authenticator of the daemon: tokens, a directory, a back-off.

Bad tokens back off per address (docs/protocol, "Tokens").
"""

import math
from collections.abc import Callable, Container, Mapping

import attrs
import trio

from chatd.auth import (
    Admitted,
    Credentials,
    Directory,
    DirectoryFailed,
    FailureBackoff,
    Grant,
    Identity,
    TokenRefused,
    Verifier,
    pick_token,
)
from chatd.net.addresses import counted_as
from chatd.observe import AuthenticationFailed, EventLog, LimitHit
from chatd.observe.clock import Clock
from chatd.wire.codes import Code, Refusal

DIRECTORY_TIMEOUT_S = 5.0  # that a directory has to answer: a client's connection waits meanwhile
TOO_SLOW = "The directory of rooms does not answer; try again later."


@attrs.define(eq=False)
class TokenAuthenticator:
    """The `Authenticator` over one verifier and one directory.

    `on_admitted` is called with each identity that was admitted and its rooms, and no others: what
    was given out for an older token must not outlive its right.
    """

    _verifier: Verifier
    _directory: Directory
    _backoff: FailureBackoff
    _on_admitted: Callable[[Identity, Container[str]], None]
    _query_token: bool = attrs.field(kw_only=True)
    _clock: Clock = attrs.field(kw_only=True)
    _event_log: EventLog = attrs.field(kw_only=True)
    _directory_timeout_s: float = attrs.field(default=DIRECTORY_TIMEOUT_S, kw_only=True)

    def replace(self, verifier: Verifier, directory: Directory, *, query_token: bool) -> None:
        """Judge by these from now on; what is judged in this moment is judged once more."""
        self._verifier, self._directory, self._query_token = verifier, directory, query_token

    def authenticate_now(self, credentials: Credentials) -> Admitted | Refusal | None:
        try:
            identity = self._identify(credentials)
            grants = self._directory.grants_now(identity)
        except (TokenRefused, DirectoryFailed) as error:
            return self._refuse(credentials, error)
        return None if grants is None else self._admit(credentials, identity, grants)

    async def authenticate(self, credentials: Credentials) -> Admitted | Refusal:
        try:
            with trio.fail_after(self._directory_timeout_s):
                identity, grants = await self._identity_and_grants(credentials)
        except trio.TooSlowError:
            return self._refuse(credentials, DirectoryFailed(TOO_SLOW))
        except (TokenRefused, DirectoryFailed) as error:
            return self._refuse(credentials, error)
        return self._admit(credentials, identity, grants)

    async def _identity_and_grants(
        self, credentials: Credentials
    ) -> tuple[Identity, Mapping[str, Grant]]:
        while True:
            verifier, directory = self._verifier, self._directory
            identity = self._identify(credentials)
            grants = await directory.grants(identity)
            if verifier is self._verifier and directory is self._directory:
                return identity, grants

    def _identify(self, credentials: Credentials) -> Identity:
        token = pick_token(
            credentials.auth, credentials.authorization, credentials.query, self._query_token
        )
        return self._verifier.verify(token, self._clock.wall_s())

    def _admit(
        self, credentials: Credentials, identity: Identity, grants: Mapping[str, Grant]
    ) -> Admitted:
        self._on_admitted(identity, grants)
        if not credentials.is_renewal:
            self._backoff.record_success(counted_as(credentials.address))
        return Admitted(identity, grants)

    def _refuse(self, credentials: Credentials, error: TokenRefused | DirectoryFailed) -> Refusal:
        code = error.code if isinstance(error, TokenRefused) else Code.INTERNAL
        address, refusal = credentials.address, Refusal(code, str(error))
        reason = error.reason if isinstance(error, TokenRefused) else str(error)
        if isinstance(error, TokenRefused) and not credentials.is_renewal:
            # Only bad tokens back off. Those of a neighbour refuse no good token, and where a token
            # is missing or has run out, the client still gets that code.
            now_s, source = trio.current_time(), counted_as(address)
            wait_s = self._backoff.retry_after_s(source, now_s)
            if wait_s > 0 and code is Code.TOKEN_INVALID:
                self._event_log.record(LimitHit("auth_failures", None, address))
                return Refusal(Code.RATE_LIMITED, retry_after_ms=math.ceil(wait_s * 1000))
            if wait_s == 0 and code is not Code.UNAUTHORIZED:
                self._backoff.record_failure(source, now_s)
        self._event_log.record(AuthenticationFailed(credentials.log_id, address, code, reason))
        return refusal

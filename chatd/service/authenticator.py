"""The authenticator of the daemon: tokens, a directory, a back-off.

Bad tokens back off per address (docs/protocol, "Tokens").
"""

import math
from collections.abc import Callable, Mapping

import attrs
import trio

from chatd.auth import (
    BOT_TOKEN_PREFIX,
    Admitted,
    Bots,
    Credentials,
    Directory,
    DirectoryFailed,
    FailureBackoff,
    Grant,
    Identity,
    KeySource,
    KeysUnavailable,
    KeyUnknown,
    Revocations,
    TokenRefused,
    Verifier,
    pick_token,
    token_in,
)
from chatd.auth.directory import NO_ANSWER
from chatd.auth.key_source import REFETCH_S
from chatd.net.addresses import counted_as
from chatd.observe import AuthenticationFailed, EventLog, LimitHit
from chatd.observe.clock import Clock
from chatd.wire.codes import Code, Refusal

DIRECTORY_TIMEOUT_S = 5.0  # for a directory to answer: a client's connection waits meanwhile
KEYS_TIMEOUT_S = 5.0  # a client's connection waits so long for a key set with the token's key
NO_KEY_YET = "The server does not know the key of this token yet; try again shortly."


@attrs.define(eq=False)
class TokenAuthenticator:
    """The `Authenticator` over one verifier and one directory.

    When a token names a key that is not known, `_keys` is asked to read the key set again, and the
    client's connection waits for that, `KEYS_TIMEOUT_S` at most. `on_admitted` is called with each
    identity that was admitted and its rooms, and no others: what was given out for an older token
    must not outlive its right.
    """

    _verifier: Verifier
    _keys: KeySource
    _revocations: Revocations
    _directory: Directory
    _backoff: FailureBackoff
    _on_admitted: Callable[[Identity, Mapping[str, Grant]], None]
    _query_token: bool = attrs.field(kw_only=True)
    _clock: Clock = attrs.field(kw_only=True)
    _event_log: EventLog = attrs.field(kw_only=True)
    _directory_timeout_s: float = attrs.field(default=DIRECTORY_TIMEOUT_S, kw_only=True)
    _keys_timeout_s: float = attrs.field(default=KEYS_TIMEOUT_S, kw_only=True)

    def replace(
        self, verifier: Verifier, directory: Directory, *, directory_timeout_s: float
    ) -> None:
        """Judge by these from now on; what is judged in this moment is judged once more."""
        self._verifier, self._directory = verifier, directory
        self._directory_timeout_s = directory_timeout_s

    def replace_query_token(self, is_taken: bool) -> None:
        """Take tokens from the query, or not, from now on."""
        self._query_token = is_taken

    def authenticate_now(self, credentials: Credentials) -> Admitted | Refusal | None:
        try:
            identity = self._identify(credentials)
            grants = self._directory.grants_now(identity)
        except KeyUnknown as error:
            return None if self._may_wait(credentials) else self._refuse(credentials, error)
        except (TokenRefused, DirectoryFailed) as error:
            return self._refuse(credentials, error)
        return None if grants is None else self._admit(credentials, identity, grants)

    async def authenticate(self, credentials: Credentials) -> Admitted | Refusal:
        try:
            identity, grants = await self._identity_and_grants(credentials)
            self._revocations.check(identity)  # one may have come while the directory was asked
        except trio.TooSlowError:
            return self._refuse(credentials, DirectoryFailed(NO_ANSWER))
        except (TokenRefused, DirectoryFailed, KeysUnavailable) as error:
            return self._refuse(credentials, error)
        return self._admit(credentials, identity, grants)

    async def _identity_and_grants(
        self, credentials: Credentials
    ) -> tuple[Identity, Mapping[str, Grant]]:
        while True:
            verifier, directory = self._verifier, self._directory
            identity = await self._identify_patiently(credentials)
            with trio.fail_after(self._directory_timeout_s):
                grants = await directory.grants(identity)
            if verifier is self._verifier and directory is self._directory:
                return identity, grants

    def _identify(self, credentials: Credentials) -> Identity:
        shown = pick_token(
            credentials.auth, credentials.authorization, credentials.query, self._query_token
        )
        identity = self._verifier.verify(token_in(shown), self._clock.wall_s())
        self._revocations.check(identity)
        return identity

    async def _identify_patiently(self, credentials: Credentials) -> Identity:
        """As `_identify`, but waits for a key that is not known. Raises KeysUnavailable if nobody
        can say whether there is such a key."""
        keys = self._keys
        known = keys.begun
        with trio.move_on_after(self._keys_timeout_s):
            while True:
                try:
                    return self._identify(credentials)
                except KeyUnknown:
                    # A reading that began after the token was shown says the last word.
                    is_last_word = keys.ended > known
                    if not self._may_wait(credentials) or (is_last_word and keys.is_decisive):
                        raise
                if is_last_word:
                    break
                await keys.next_reading()
        raise KeysUnavailable(NO_KEY_YET, keys.trouble or "Its key set was read a moment ago.")

    def _may_wait(self, credentials: Credentials) -> bool:
        """Whether a token with an unknown key is worth waiting for. For an address that sends bad
        tokens the key set is asked for, but not waited for: a client that retries finds it."""
        self._keys.ask()
        if credentials.is_renewal:
            return True
        source = counted_as(credentials.address)
        return self._backoff.retry_after_s(source, trio.current_time()) == 0

    def _admit(
        self, credentials: Credentials, identity: Identity, grants: Mapping[str, Grant]
    ) -> Admitted:
        self._on_admitted(identity, grants)
        if not credentials.is_renewal:
            self._backoff.record_success(counted_as(credentials.address))
        return Admitted(identity, grants)

    def _refuse(
        self, credentials: Credentials, error: TokenRefused | DirectoryFailed | KeysUnavailable
    ) -> Refusal:
        match error:
            case TokenRefused():
                code = error.code
            case DirectoryFailed():
                code = Code.DIRECTORY_UNAVAILABLE
            case KeysUnavailable():
                code = Code.INTERNAL
        address, refusal = credentials.address, Refusal(code, str(error))
        if isinstance(error, KeysUnavailable):
            refusal = attrs.evolve(refusal, retry_after_ms=round(REFETCH_S * 1000))
        if isinstance(error, TokenRefused) and not credentials.is_renewal:
            # Only bad tokens back off. A neighbour's bad tokens refuse no good token, and when a
            # token is missing or has run out, the client still gets that code.
            now_s, source = trio.current_time(), counted_as(address)
            wait_s = self._backoff.retry_after_s(source, now_s)
            if wait_s > 0 and code is Code.TOKEN_INVALID:
                self._event_log.record(LimitHit("auth_failures", None, address))
                return Refusal(Code.RATE_LIMITED, retry_after_ms=math.ceil(wait_s * 1000))
            if wait_s == 0 and code is not Code.UNAUTHORIZED:
                self._backoff.record_failure(source, now_s)
        self._event_log.record(
            AuthenticationFailed(credentials.log_id, address, code, error.reason)
        )
        return refusal


@attrs.define(eq=False)
class ApiAuthenticator(TokenAuthenticator):
    """The `Authenticator` of requests over HTTP, which takes the tokens of bots as well. No socket
    takes those: the rules of what a bot may do are about requests."""

    _bots: Bots = attrs.field(kw_only=True)

    async def authenticate(self, credentials: Credentials) -> Admitted | Refusal:
        token = pick_token(None, credentials.authorization, {}, query_allowed=False)
        if not isinstance(token, str) or not token.startswith(BOT_TOKEN_PREFIX):
            return await TokenAuthenticator.authenticate(self, credentials)
        try:
            identity = self._bots.identify(token)
        except TokenRefused as error:
            return self._refuse(credentials, error)
        return self._admit(credentials, identity, self._bots.grants(identity))

"""Turns a token into an identity, or a refusal (docs/protocol, "Tokens").

A token is a JWS in compact form (RFC 7515) whose payload is a set of claims (RFC 7519). PyJWT's own
`decode` takes 130 us for a Supabase token (it looks at each character in Python and prepares the
key again each time) and reads the wall clock; in a reconnect storm each client costs one call. So
the form is read here (`compact`), PyJWT checks the signature (`keys`), and time is an argument. In
the tests PyJWT is the oracle: what passes here passes there.

The order is: bounds, form, algorithm, key, signature, and only then what the token says. Nothing in
a token is believed before its signature holds. From the header, only `alg` and `kid` are used, to
pick among our own keys; what would name other keys (`jwk`, `jku`, `x5u`, `x5c`) is never looked at.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import attrs

from chatd.auth.callers import API_KEY, Caller, callers_in
from chatd.auth.claims import display_name, expiry_of, user_id_of
from chatd.auth.compact import CompactToken, read_compact
from chatd.auth.jwk import KEY_ID_CHARS_MAX
from chatd.auth.keyring import KeyRing
from chatd.auth.keys import HS256, BoundKey
from chatd.auth.refusals import KeyUnknown, TokenRefused, invalid, named
from chatd.auth.strict_json import strict_object
from chatd.observe.shown import shown
from chatd.wire.codes import Code


@attrs.frozen
class Identity:
    """Who a verified token speaks for.

    `user_id` is its `sub`; `name` is for showing only. `expires_at_ms` is its `exp` in
    milliseconds since the epoch, without leeway: a token accepted within the leeway has it in the
    past. If its key ends earlier, it is the end of the key. `claims` is the whole payload, for the
    directory; it must not be changed or logged. `key` is what the token was verified with.
    """

    user_id: str
    name: str | None
    expires_at_ms: int
    claims: Mapping[str, Any] = attrs.field(repr=False, hash=False)
    key: BoundKey | None = attrs.field(default=None, repr=False, eq=False)

    @property
    def issued_at_s(self) -> float:
        """Its `iat`: seconds since the epoch."""
        return float(self.claims["iat"])


class Verifier:
    """Verifies tokens against a key ring, one audience and one issuer; keeps no state between
    tokens.

    `issuer` "" means that `iss` is not checked. `leeway_s` is granted to clocks that differ, for
    `exp`, `nbf` and `iat` alike. A token longer than `max_token_bytes` is refused unread. `allowed`
    are callers who are let in besides users who have signed up. Raises ValueError for an empty
    audience.
    """

    __slots__ = ("_allowed", "_audience", "_issuer", "_keys", "_leeway_s", "_max_token_bytes")

    def __init__(
        self,
        keys: KeyRing,
        audience: str,
        issuer: str,
        leeway_s: int,
        max_token_bytes: int,
        allowed: frozenset[Caller] = frozenset(),
    ) -> None:
        if not audience:
            raise ValueError("the token audience is empty; Supabase's is 'authenticated'")
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._leeway_s = leeway_s
        self._max_token_bytes = max_token_bytes
        self._allowed = allowed

    def verify(self, token: object, now_s: float) -> Identity:
        """The identity that `token` proves at `now_s` (seconds since the epoch).

        Raises TokenRefused, and nothing else, for anything that proves none; KeyUnknown if a newer
        key set may have the key. None and "" mean that there is no token; a type other than str is
        an invalid token.
        """
        if token is not None and not isinstance(token, str):
            raise invalid("The token is not a string.")
        if not token:
            raise TokenRefused(
                Code.UNAUTHORIZED, "A token is needed: send it as auth.token when connecting."
            )
        parts = read_compact(token, self._max_token_bytes)
        key = self._key_of(parts, now_s)
        claims = _claims(parts.payload)
        self._refuse_callers(callers_in(claims) - self._allowed)
        user_id = user_id_of(claims, self._audience, self._issuer)
        expires_s = min(expiry_of(claims, now_s, self._leeway_s), key.until_s)
        return Identity(user_id, display_name(claims), int(expires_s * 1000), claims, key)

    def _key_of(self, parts: CompactToken, now_s: float) -> BoundKey:
        """The key that the token is signed with. Raises TokenRefused if there is none."""
        header = parts.header
        if "crit" in header or "b64" in header:  # RFC 7515, 4.1.11: understood or refused
            raise invalid("The token asks for extensions that are not supported.")
        key_id = header.get("kid")
        if key_id is not None and not _is_key_id(key_id):
            raise invalid(
                "The token's header names its key (kid) with something that is not a name."
            )
        name = header.get("alg")
        if not isinstance(name, str) or name not in self._keys.algorithm_names:
            self._refuse_algorithm(parts)
        candidates = self._candidates(name, key_id)
        for key in candidates:
            if key.verifies(parts.signing_input, parts.signature):
                if key.until_s <= now_s:
                    raise TokenRefused(
                        Code.TOKEN_EXPIRED,
                        "The token was signed with a key that is not taken any more: get a new "
                        "one.",
                        f"The token was signed with a secret that ended {now_s - key.until_s:.0f} "
                        "s ago (auth.former_secrets).",
                    )
                return key
        if name == HS256:
            raise invalid(
                "The token's signature is wrong.",
                "The token's signature is wrong: it was signed with a secret other than "
                f"auth.jwt_secret, or changed{_key_id(header)}.",
            )
        if key_id is None or all(key.key_id is None for key in candidates):
            # a set that does not name its keys may have a new one all the same
            raise KeyUnknown(
                Code.TOKEN_INVALID,
                "The token is signed with a key that this server does not know.",
                f"No key of the key set for {name} has signed the token{_key_id(header)}.",
            )
        raise invalid(
            "The token's signature is wrong.",
            f"The token's signature is not that of the key of the key set{_key_id(header)}.",
        )

    def _candidates(self, name: str, key_id: str | None) -> Sequence[BoundKey]:
        """Our keys that may have signed a token with this header."""
        if name == HS256:
            return self._keys.secrets
        key_set = self._keys.key_set
        assert key_set is not None  # or the algorithm would not be one of ours
        candidates = key_set.find(name, key_id)
        if candidates or key_id is None:
            return candidates
        if key_set.has(key_id):
            raise invalid(
                "The token is signed with another algorithm than the key is for.",
                f'The token\'s algorithm (alg) is "{name}", and its key is for another '
                f'one: kid "{shown(key_id)}".',
            )
        raise KeyUnknown(
            Code.TOKEN_INVALID,
            "The token is signed with a key that this server does not know.",
            f'The token\'s key (kid) is "{shown(key_id)}"; the key set has no such key: the token '
            "is of another project, or the key was withdrawn.",
        )

    def _refuse_algorithm(self, parts: CompactToken) -> NoReturn:
        """Refuse an algorithm that no key of ours is for. The API keys of a project are tokens too,
        and are often pasted; what they say changes only the words of the refusal."""
        try:
            callers = callers_in(strict_object(parts.payload))
        except ValueError:
            callers = frozenset()
        self._refuse_callers((callers & API_KEY) - self._allowed)
        taken, name = ", ".join(self._keys.algorithm_names), parts.header.get("alg")
        hint = "those of a key set need auth.jwks or auth.supabase.url"
        if name == HS256:
            hint = "for a project that signs with its legacy secret write auth.jwt_secret too"
        raise invalid(
            "The token is signed with another algorithm than the key is for.",
            f"The token's algorithm (alg) is {named(name)}{_key_id(parts.header)}; taken with the "
            f"keys of the configuration: {taken}; {hint}.",
        )

    def _refuse_callers(self, refused: frozenset[Caller]) -> None:
        """Refuse the gravest of these, if there is one."""
        for caller in Caller:
            if caller in refused:
                reason = f'{caller.sentence} (auth.allow does not list "{caller}".)'
                raise invalid(caller.sentence, reason)


def _key_id(header: dict[str, Any]) -> str:
    """The key that a token names, if it names one: keys of a key set have names, secrets do not."""
    key_id = header.get("kid")
    return f" (the key that it names, kid, is {named(key_id)})" if isinstance(key_id, str) else ""


def _is_key_id(value: object) -> bool:
    return isinstance(value, str) and len(value) <= KEY_ID_CHARS_MAX


def _claims(payload: bytes) -> dict[str, Any]:
    try:
        return strict_object(payload)
    except ValueError:
        raise invalid("The token's payload is not a JSON object, or repeats a name.") from None

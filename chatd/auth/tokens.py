"""From a token to an identity, or to a refusal (docs/protocol, "Tokens").

A token is a JWS in compact form (RFC 7515) whose payload is a set of claims (RFC 7519). PyJWT's own
`decode` takes 130 us for a Supabase token (it looks at each character in Python and prepares the
key again each time) and reads the wall clock; in a reconnect storm each client costs one. So the
compact form is read here, strictly, PyJWT does the signature (`keys`), and time is an argument. In
the tests PyJWT is the oracle: what passes here passes there.

The order is: bounds, form, algorithm, key, signature, and only then what the token says. Nothing in
a token is believed before its signature holds. Of the header `alg` and `kid` are read, and pick
among our own keys; what would name other keys (`jwk`, `jku`, `x5u`, `x5c`) is never looked at.
"""

from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

import attrs

from chatd.auth.callers import API_KEY, Caller, callers_in
from chatd.auth.display import display_text
from chatd.auth.jwk import KEY_ID_CHARS_MAX
from chatd.auth.keyring import KeyRing
from chatd.auth.keys import HS256, BoundKey
from chatd.auth.strict_json import strict_object
from chatd.observe.shown import shown
from chatd.wire.codes import Code
from chatd.wire.identifiers import USER_ID_RULE, is_user_id

LATEST_DATE_S: Final = 253_402_300_799
"""Seconds since the epoch, the end of the year 9999: a date beyond it is refused as garbage, and
every accepted one is exact in milliseconds in a client's double."""


NAMED_MAX: Final = 3
"""Entries of a list that a reason names; a list of audiences has one or two."""

_FROM_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class TokenRefused(Exception):
    """A token gives no identity. `code` is for programs, `str()` is a sentence for people.

    `unauthorized`: there was no token; `token_expired`: it was good once, a new one helps;
    `token_invalid`: anything else. The sentence holds nothing of the token. `reason` is a sentence
    for the operator: it says more where more is known, with at most a few printable characters of
    what the token names.
    """

    def __init__(self, code: Code, sentence: str, reason: str | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.reason = reason or sentence


class KeyUnknown(TokenRefused):
    """A token is signed with a key that the key set does not have: a newer set may have it."""


@attrs.frozen
class Identity:
    """Who a verified token speaks for.

    `user_id` is its `sub`; `name` is for showing only. `expires_at_ms` is its `exp` in
    milliseconds since the epoch, without leeway: a token accepted within the leeway has it in the
    past. Where its key ends before, it is the end of the key. `claims` is the whole payload, for
    the directory; it is not to be changed or logged. `key` is what it was verified with.
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


@attrs.frozen
class _Parts:
    """A token in compact form, taken apart. The payload is bytes until the signature holds."""

    header: dict[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes


class Verifier:
    """Verifies tokens against a key ring, one audience and one issuer; holds no state between them.

    `issuer` "" means that `iss` is not checked. `leeway_s` is granted to clocks that differ, for
    `exp`, `nbf` and `iat` alike. A token longer than `max_token_bytes` is refused unread. `allowed`
    are callers who are let in beside users who have signed up. Raises ValueError for an empty
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

        Raises TokenRefused for everything else that may come in, and nothing but that; KeyUnknown
        where a newer key set may have the key. None and "" are the absence of a token; another type
        than str is an invalid one.
        """
        if token is not None and not isinstance(token, str):
            raise _invalid("The token is not a string.")
        if not token:
            raise TokenRefused(
                Code.UNAUTHORIZED, "A token is needed: send it as auth.token when connecting."
            )
        parts = self._parts(token)
        key = self._key_of(parts, now_s)
        claims = _claims(parts.payload)
        self._refuse_callers(callers_in(claims) - self._allowed)
        user_id = self._check_parties(claims)
        expires_s = min(self._check_times(claims, now_s), key.until_s)
        return Identity(user_id, _display_name(claims), int(expires_s * 1000), claims, key)

    def _parts(self, token: str) -> _Parts:
        if len(token) > self._max_token_bytes:  # what is not ASCII is refused next
            raise _invalid(f"The token is longer than {self._max_token_bytes} bytes.")
        try:
            signing_input, signature_segment = token.encode("ascii").rsplit(b".", 1)
            header_segment, payload_segment = signing_input.split(b".")
            payload = _base64url(payload_segment)
            signature = _base64url(signature_segment)
            header_text = _base64url(header_segment)
        except ValueError:  # of every step above; its text may hold the token
            raise _invalid("The token is not a JWT.") from None
        try:
            header = strict_object(header_text)
        except ValueError:
            raise _invalid("The token's header is not a JSON object.") from None
        return _Parts(header, payload, signing_input, signature)

    def _key_of(self, parts: _Parts, now_s: float) -> BoundKey:
        """The key whose signature the token has. Raises TokenRefused where there is none."""
        header = parts.header
        if "crit" in header or "b64" in header:  # RFC 7515, 4.1.11: understood or refused
            raise _invalid("The token asks for extensions that are not supported.")
        key_id = header.get("kid")
        if key_id is not None and not _is_key_id(key_id):
            raise _invalid("The token's header names its key (kid) by what is no name.")
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
            raise _invalid(
                "The token's signature is wrong.",
                "The token's signature is wrong: it was signed with another secret than "
                f"auth.jwt_secret, or changed{_key_id(header)}.",
            )
        if key_id is None or all(key.key_id is None for key in candidates):
            # a set that does not name its keys may have a new one all the same
            raise KeyUnknown(
                Code.TOKEN_INVALID,
                "The token is signed with a key that this server does not know.",
                f"No key of the key set for {name} has signed the token{_key_id(header)}.",
            )
        raise _invalid(
            "The token's signature is wrong.",
            f"The token's signature is not that of the key of the key set{_key_id(header)}.",
        )

    def _candidates(self, name: str, key_id: str | None) -> Sequence[BoundKey]:
        """Our keys that may have signed a token with this header."""
        if name == HS256:
            return self._keys.secrets
        key_set = self._keys.key_set
        assert key_set is not None  # or the algorithm would be none of ours
        candidates = key_set.find(name, key_id)
        if candidates or key_id is None:
            return candidates
        if key_set.has(key_id):
            raise _invalid(
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

    def _refuse_algorithm(self, parts: _Parts) -> NoReturn:
        """Refuse an algorithm that no key of ours is for. The API keys of a project are tokens
        too, and often pasted: only the words of the refusal depend on what they say."""
        try:
            callers = callers_in(strict_object(parts.payload))
        except ValueError:
            callers = frozenset()
        self._refuse_callers((callers & API_KEY) - self._allowed)
        taken = " and ".join(self._keys.algorithm_names)
        secret = self._keys.key_set is None
        raise _invalid(
            "The token is signed with another algorithm than the key is for.",
            f"The token's algorithm (alg) is {_named(parts.header.get('alg'))}"
            f"{_key_id(parts.header)}; only {taken} is taken, with "
            + ("auth.jwt_secret; other algorithms need auth.jwks." if secret else "auth.jwks."),
        )

    def _refuse_callers(self, refused: frozenset[Caller]) -> None:
        """Refuse the gravest of these, where there is one."""
        for caller in Caller:
            if caller in refused:
                reason = f'{caller.sentence} (auth.allow does not list "{caller}".)'
                raise _invalid(caller.sentence, reason)

    def _check_parties(self, claims: dict[str, Any]) -> str:
        audience = claims.get("aud")
        if isinstance(audience, list):
            if self._audience not in audience or not all(isinstance(a, str) for a in audience):
                raise _invalid("The token is for another audience.", self._other_audience(claims))
        elif audience != self._audience:
            raise _invalid(
                "The token is for another audience, or names none.", self._other_audience(claims)
            )
        if self._issuer and claims.get("iss") != self._issuer:
            raise _invalid(
                "The token is from another issuer, or names none.",
                f"The token's issuer (iss) is {_named(claims.get('iss'))}; auth.issuer is "
                f"{_named(self._issuer)}.",
            )
        user_id = claims.get("sub")
        if not is_user_id(user_id):
            what = "missing" if user_id is None else "not a user id"
            raise _invalid(f"The token's sub is {what}: {USER_ID_RULE}.")
        return str(user_id)

    def _other_audience(self, claims: dict[str, Any]) -> str:
        return (
            f"The token's audience (aud) is {_named(claims.get('aud'))}; auth.audience is "
            f"{_named(self._audience)}."
        )

    def _check_times(self, claims: dict[str, Any], now_s: float) -> float:
        issued_s = _date_s(claims, "iat")
        if issued_s > now_s + self._leeway_s:
            raise _invalid(
                "The token was issued in the future: a clock is wrong.",
                f"The token was issued {issued_s - now_s:.0f} s in the future (iat): a clock is "
                "wrong.",
            )
        valid_from_s = _date_s(claims, "nbf") if "nbf" in claims else 0
        if valid_from_s > now_s + self._leeway_s:
            raise _invalid(
                "The token is not valid yet.",
                f"The token is not valid for another {valid_from_s - now_s:.0f} s (nbf).",
            )
        expires_s = _date_s(claims, "exp")
        if expires_s <= now_s - self._leeway_s:
            raise TokenRefused(
                Code.TOKEN_EXPIRED,
                "The token has expired: get a new one.",
                f"The token expired {now_s - expires_s:.0f} s ago (exp).",
            )
        return expires_s


def _invalid(sentence: str, reason: str | None = None) -> TokenRefused:
    return TokenRefused(Code.TOKEN_INVALID, sentence, reason)


def _named(value: object) -> str:
    """What a token or the configuration names, fit for the log."""
    if value is None:
        return "missing"
    entries = value[:NAMED_MAX] if isinstance(value, list) else [value]
    names = [f'"{shown(entry)}"' if isinstance(entry, str) else "no text" for entry in entries]
    if isinstance(value, list) and len(value) > NAMED_MAX:
        names.append("...")
    return ", ".join(names) or "an empty list"


def _key_id(header: dict[str, Any]) -> str:
    """The key that a token names, where it names one: a key set has it, and a secret does not."""
    named = header.get("kid")
    return f" (the key that it names, kid, is {_named(named)})" if isinstance(named, str) else ""


def _is_key_id(value: object) -> bool:
    return isinstance(value, str) and len(value) <= KEY_ID_CHARS_MAX


def _claims(payload: bytes) -> dict[str, Any]:
    try:
        return strict_object(payload)
    except ValueError:
        raise _invalid("The token's payload is not a JSON object, or repeats a name.") from None


def _base64url(segment: bytes) -> bytes:
    """The bytes of one segment, in the only form that RFC 7515 gives them, else ValueError.

    The decoder passes over foreign characters, padding and stray last bits. Encoding again and
    comparing refuses all of them at once, so that no two tokens are the same token.
    """
    decoded = a2b_base64(segment.translate(_FROM_URL_SAFE) + b"==")
    if b2a_base64(decoded, newline=False).rstrip(b"=").translate(_TO_URL_SAFE) != segment:
        raise ValueError("not canonical base64url")
    return decoded


def _date_s(claims: dict[str, Any], claim: str) -> float:
    """A NumericDate: a JSON number of seconds. Strings, booleans and absurd dates are refused."""
    value = claims.get(claim)
    # bool is an int to isinstance; orjson makes integers beyond 64 bits floats
    if type(value) is not int and type(value) is not float:
        raise _invalid(f"The token's {claim} is missing or not a number.")
    if not 0 <= value <= LATEST_DATE_S:
        raise _invalid(f"The token's {claim} is not a date.")
    return value


def _display_name(claims: dict[str, Any]) -> str | None:
    profile = claims.get("user_metadata")
    if isinstance(profile, dict):
        for key in ("full_name", "name"):
            name = display_text(profile.get(key))
            if name is not None:
                return name
    email = claims.get("email")
    if isinstance(email, str) and "@" in email:
        return display_text(email.partition("@")[0])
    return None

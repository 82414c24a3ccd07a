"""Keys that verify tokens, each bound to the one algorithm that it is for.

The algorithm is a property of the key, never the token's choice: a token whose header names another
one is refused before any mathematics (RFC 8725, 3.1). So `none` matches no key, and a public key
can never be used as an HMAC secret. PyJWT owns the algorithms; a key is prepared once, here and in
`jwk`, not for every token.
"""

import math
from typing import Any, Final

import attrs
from jwt.algorithms import Algorithm, HMACAlgorithm
from jwt.exceptions import InvalidKeyError

MIN_SECRET_BYTES: Final = 32
"""Bytes of a secret for HS256 (RFC 7518, 3.2: as long as the hash); a shorter one is refused."""

HS256: Final = "HS256"


@attrs.frozen
class BoundKey:
    """A prepared key and its algorithm, under the name that a token's header gives the algorithm.

    `key_id` is the `kid` of a key in a set. After `until_s` (seconds since the epoch) the key is
    not accepted any more, and neither is what it has signed.
    """

    algorithm_name: str
    _algorithm: Algorithm = attrs.field(repr=False)
    _material: Any = attrs.field(repr=False, eq=False)
    key_id: str | None = None
    until_s: float = math.inf

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `signing_input`, in constant time for HMAC."""
        return self._algorithm.verify(signing_input, self._material, signature)


@attrs.frozen
class FormerSecret:
    """A secret that is on its way out: what it signed is accepted until `until_s`, in seconds since
    the epoch."""

    secret: str = attrs.field(repr=False)
    until_s: float


def bound_secret(secret: str, until_s: float = math.inf) -> BoundKey:
    """The HS256 key of a shared secret, whose UTF-8 bytes are the key (as Supabase has it).

    Raises ValueError, with a sentence that does not repeat it, for a secret of less than
    `MIN_SECRET_BYTES`, and for a PEM, certificate or JWK that was put in a secret's place.
    """
    try:
        material = secret.encode()
    except UnicodeEncodeError:  # the original holds the secret
        raise ValueError("the token secret is not text that can be encoded as UTF-8") from None
    if len(material) < MIN_SECRET_BYTES:
        raise ValueError(
            f"the token secret has {len(material)} bytes; HS256 needs at least {MIN_SECRET_BYTES}: "
            "take the JWT secret of the Supabase project, or 48 random bytes in base64"
        )
    algorithm = HMACAlgorithm(HMACAlgorithm.SHA256)
    try:
        return BoundKey(HS256, algorithm, algorithm.prepare_key(material), until_s=until_s)
    except InvalidKeyError:
        raise ValueError(
            "the token secret is a public key, certificate or JWK; HS256 needs the secret itself"
        ) from None

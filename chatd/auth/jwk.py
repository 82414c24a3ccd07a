"""From a JSON Web Key (RFC 7517, RFC 7518, RFC 8037) to a key that verifies tokens.

What a key is for is judged here, once, by everything that its JWK says: type, curve, size, `use`,
`key_ops` and `alg`. A token has no say in it. These are accepted:

    kty    crv        algorithm
    RSA               RS256, of 2,048 to 8,192 bits
    EC     P-256      ES256
    OKP    Ed25519    EdDSA (RFC 8037), or Ed25519 where `alg` says so (RFC 9864)
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import Algorithm, ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from chatd.auth.keys import BoundKey
from chatd.observe.shown import shown

RSA_BITS: Final = (2048, 8192)
"""RFC 7518, 3.3, sets the least. Verifying with a key larger than the most takes long."""

RSA_EXPONENT_MAX: Final = 2**32
"""Real exponents are 65537 or 3; a huge one makes each verification slow."""

KEY_ID_CHARS_MAX: Final = 255
_MEMBER_CHARS_MAX: Final = 2048  # of n, x and y in base64url: 8,192 bits have 1,366

_PRIVATE: Final = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")


class KeyUnusable(Exception):
    """A JWK cannot verify anything here; `str()` ends a sentence that begins with the key."""


@attrs.frozen
class _Type:
    """What is known about a type of key: its algorithms, the usual one first, and how it is
    read."""

    algorithms: tuple[str, ...]
    members: tuple[str, ...]
    algorithm: Algorithm
    read: Callable[[dict[str, Any]], object]
    made: type


_TYPES: Final[Mapping[tuple[str, str | None], _Type]] = {
    ("RSA", None): _Type(
        ("RS256",),
        ("n", "e"),
        RSAAlgorithm(RSAAlgorithm.SHA256),
        RSAAlgorithm.from_jwk,
        RSAPublicKey,
    ),
    ("EC", "P-256"): _Type(
        ("ES256",),
        ("x", "y"),
        ECAlgorithm(ECAlgorithm.SHA256),
        ECAlgorithm.from_jwk,
        EllipticCurvePublicKey,
    ),
    ("OKP", "Ed25519"): _Type(
        ("EdDSA", "Ed25519"), ("x",), OKPAlgorithm(), OKPAlgorithm.from_jwk, Ed25519PublicKey
    ),
}

ALGORITHMS: Final = tuple(name for type_ in _TYPES.values() for name in type_.algorithms)
"""The algorithms of key sets, as a token's header names them."""


def bound_jwk(jwk: object) -> BoundKey:
    """The key that a JWK holds, bound to its algorithm. Raises KeyUnusable, and nothing else."""
    if not isinstance(jwk, dict):
        raise KeyUnusable("is not a JSON object")
    said = {name: value for name, value in jwk.items() if value is not None}
    if said.get("kty") == "oct":
        raise KeyUnusable("is a secret; a secret belongs in auth.jwt_secret, not in a key set")
    if any(name in said for name in _PRIVATE):
        raise KeyUnusable("holds its private part, with which every reader could sign tokens")
    type_ = _type_of(said)
    key_id = said.get("kid")
    if key_id is not None and not _is_text(key_id, KEY_ID_CHARS_MAX):
        raise KeyUnusable(f"has a kid that is not a text of 1 to {KEY_ID_CHARS_MAX} characters")
    return BoundKey(_algorithm_name(said, type_), type_.algorithm, _material(said, type_), key_id)


def _type_of(said: dict[str, Any]) -> _Type:
    kind, curve = said.get("kty"), said.get("crv")
    if not isinstance(kind, str) or not (curve is None or isinstance(curve, str)):
        raise KeyUnusable("does not say which type it is (kty, crv)")
    type_ = _TYPES.get((kind, curve))
    if type_ is None:
        named = shown(kind) if curve is None else f"{shown(kind)} {shown(curve)}"
        raise KeyUnusable(f"is of the type {named}; RSA, EC P-256 and OKP Ed25519 are taken")
    return type_


def _algorithm_name(said: dict[str, Any], type_: _Type) -> str:
    """The algorithm that the key is for, as its JWK says. Raises KeyUnusable."""
    if said.get("use", "sig") != "sig":
        raise KeyUnusable("is not for signatures (use)")
    operations = said.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise KeyUnusable("is not for verifying (key_ops)")
    name = said.get("alg", type_.algorithms[0])
    if name not in type_.algorithms:
        named = shown(name) if isinstance(name, str) else "no text"
        raise KeyUnusable(f"is for the algorithm {named}; {type_.algorithms[0]} is taken")
    return str(name)


def _material(said: dict[str, Any], type_: _Type) -> object:
    if not all(_is_text(said.get(member), _MEMBER_CHARS_MAX) for member in type_.members):
        raise KeyUnusable(f"lacks one of its members ({', '.join(type_.members)}), or it is wrong")
    try:
        material = type_.read(said)
    except (PyJWTError, ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnusable("is not a key of its type: its numbers are wrong") from None
    if not isinstance(material, type_.made):
        raise KeyUnusable("is not a public key")
    if isinstance(material, RSAPublicKey):
        least, most = RSA_BITS
        if not least <= material.key_size <= most:
            raise KeyUnusable(f"has {material.key_size} bits; {least} to {most} are taken")
        if not 3 <= material.public_numbers().e <= RSA_EXPONENT_MAX:
            raise KeyUnusable("has an exponent (e) that no real key has")
    return material


def _is_text(value: object, most: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= most

"""An issuer of tokens as Supabase is one: keys of each kind, their key set, tokens by hand."""

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import Algorithm, ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.auth.tokens_by_hand import good_claims, segment

ALGORITHMS: dict[str, Algorithm] = {
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
    "ES256": ECAlgorithm(ECAlgorithm.SHA256),
    "EdDSA": OKPAlgorithm(),
}


def private_key(algorithm: str, number: int = 0) -> Any:
    """A key for an algorithm; the same for the same number."""
    return _private_key(algorithm, number)


@cache
def _private_key(algorithm: str, _number: int) -> Any:
    match algorithm:
        case "RS256":
            return rsa.generate_private_key(65537, 2048)
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
    raise ValueError(algorithm)


def jwk(algorithm: str, number: int = 0, **changes: Any) -> dict[str, Any]:
    """The public JWK of a key as Supabase publishes it, named "ES256-0" for example; `...` leaves
    a member out."""
    public = private_key(algorithm, number).public_key()
    members = {
        **ALGORITHMS[algorithm].to_jwk(public, as_dict=True),
        "alg": algorithm,
        "kid": f"{algorithm}-{number}",
        "use": "sig",
        "key_ops": ["verify"],
        "ext": True,
    } | changes
    return {name: value for name, value in members.items() if value is not ...}


def key_set(*keys: object) -> bytes:
    """The document of a key set."""
    return json.dumps({"keys": keys}).encode()


def issued(
    algorithm: str,
    number: int = 0,
    claims: dict[str, Any] | None = None,
    header: dict[str, Any] | None = None,
) -> str:
    """A token of the issuer, signed with this key whatever the header says; `...` leaves out."""
    said = {"alg": algorithm, "typ": "JWT", "kid": f"{algorithm}-{number}"} | (header or {})
    return token_of(
        {name: value for name, value in said.items() if value is not ...},
        claims or good_claims(),
        lambda text: ALGORITHMS[algorithm].sign(text, private_key(algorithm, number)),
    )


def token_of(header: object, claims: object, sign: Any) -> str:
    """A token of any header and claims: bytes are taken as they are."""
    parts = [
        segment(part if isinstance(part, bytes) else json.dumps(part).encode())
        for part in (header, claims)
    ]
    signing_input = ".".join(parts).encode()
    return f"{signing_input.decode()}.{segment(sign(signing_input))}"


def pem_forms(public_key: Any) -> Iterable[bytes]:
    """What of a public key has been used as an HMAC secret elsewhere."""
    for encoding in (Encoding.PEM, Encoding.DER):
        yield public_key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    if isinstance(public_key, rsa.RSAPublicKey):
        yield public_key.public_bytes(Encoding.PEM, PublicFormat.PKCS1)


def decoded_by_pyjwt(token: str, algorithm: str, number: int = 0) -> dict[str, Any]:
    """The claims as PyJWT reads them, times aside: the oracle."""
    return jwt.decode(
        token,
        private_key(algorithm, number).public_key(),
        [algorithm],
        audience="authenticated",
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )

"""Key sets and their keys: what is taken, and for which algorithm; what is passed over, and why."""

import contextlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from chatd.auth.jwk import KeyUnusable, bound_jwk
from chatd.auth.key_set import CANDIDATES_MAX, KEYS_MAX, KeySetInvalid, read_key_set
from tests.auth.issuer import ALGORITHMS, jwk, key_set, private_key
from tests.rows import rows


@rows(
    ("document", "algorithm"),
    [
        (jwk("RS256"), "RS256"),
        (jwk("ES256"), "ES256"),
        (jwk("EdDSA"), "EdDSA"),
        (jwk("EdDSA", alg="Ed25519"), "Ed25519"),
        (jwk("RS256", alg=..., use=..., key_ops=...), "RS256"),
        (jwk("ES256", alg=None, use=None, key_ops=None), "ES256"),
        (jwk("EdDSA", alg=...), "EdDSA"),
        (jwk("ES256", kid=...), "ES256"),
        (jwk("ES256", key_ops=["sign", "verify"]), "ES256"),
        (jwk("ES256", x5c=["MII"], x5u="https://evil.example", more=[]), "ES256"),
    ],
)
def test_a_usable_key_is_bound_to_one_algorithm(document: dict[str, Any], algorithm: str) -> None:
    key = bound_jwk(document)
    assert key.algorithm_name == algorithm
    assert key.key_id == document.get("kid")
    signer = "EdDSA" if algorithm == "Ed25519" else algorithm
    signature = ALGORITHMS[signer].sign(b"text", private_key(signer))
    assert key.verifies(b"text", signature)
    assert not key.verifies(b"texT", signature)
    assert not any(key.verifies(b"text", bad) for bad in (b"", b"\0", signature[:-1], bytes(64)))


def _rsa(bits: int, exponent: int = 65537) -> dict[str, Any]:
    public = rsa.generate_private_key(exponent, bits).public_key()
    return RSAAlgorithm.to_jwk(public, as_dict=True)


def _point(curve: ec.EllipticCurve) -> dict[str, Any]:
    return ECAlgorithm.to_jwk(ec.generate_private_key(curve).public_key(), as_dict=True)


PRIVATE = ECAlgorithm.to_jwk(private_key("ES256"), as_dict=True)

UNUSABLE: dict[str, object] = {
    "no object": ["RSA"],
    "null": None,
    "empty": {},
    "no type": jwk("ES256", kty=...),
    "a type that is no text": jwk("ES256", kty=["EC"]),
    "an unknown type": jwk("ES256", kty="AKP"),
    "the type of another key": jwk("ES256", kty="RSA"),
    "a type in small letters": jwk("ES256", kty="ec"),
    "a secret": {"kty": "oct", "k": "c2VjcmV0" * 8, "alg": "HS256", "kid": "1"},
    "a private key": PRIVATE,
    "a private RSA key": RSAAlgorithm.to_jwk(private_key("RS256"), as_dict=True),
    "a public key with the private part of another": jwk("EdDSA", d="AAAA"),
    "RSA of 1024 bits": _rsa(1024),
    "RSA of 2047 bits": jwk("RS256", n="f" * 341),
    "RSA of 9000 bits": jwk("RS256", n="_" * 1500),
    "RSA with the exponent 1": jwk("RS256", e="AQ"),
    "RSA with an even exponent": jwk("RS256", e="Ag"),
    "RSA with a huge exponent": jwk("RS256", e="AQAAAAAB"),
    "RSA without a modulus": jwk("RS256", n=...),
    "RSA with an empty modulus": jwk("RS256", n=""),
    "RSA with a number for a modulus": jwk("RS256", n=7),
    "RSA with a modulus that never ends": jwk("RS256", n="A" * 100_000),
    "RSA with a curve": jwk("RS256", crv="P-256"),
    "a curve of ES384": _point(ec.SECP384R1()),
    "a curve of ES512": _point(ec.SECP521R1()),
    "a curve of bitcoin": _point(ec.SECP256K1()),
    "the name of another curve": _point(ec.SECP256K1()) | {"crv": "P-256"},
    "a curve that is no text": jwk("ES256", crv=["P-256"]),
    "no curve": jwk("ES256", crv=...),
    "a point that is not on the curve": jwk("ES256", y=jwk("ES256", 1)["y"]),
    "the point of zeros": jwk("ES256", x="A" * 43, y="A" * 43),
    "a short point": jwk("ES256", x="AAAA"),
    "a point in another alphabet": jwk("ES256", x="\u00e4" * 43),
    "half a point": jwk("ES256", y=...),
    "Ed448": OKPAlgorithm.to_jwk(ed448.Ed448PrivateKey.generate().public_key(), as_dict=True),
    "X25519": jwk("EdDSA", crv="X25519"),
    "a short key of Ed25519": jwk("EdDSA", x="AAAA"),
    "for encryption": jwk("RS256", use="enc"),
    "of unknown use": jwk("RS256", use="SIG"),
    "a use that is a list": jwk("RS256", use=["sig"]),
    "for signing only": jwk("RS256", key_ops=["sign"]),
    "for nothing": jwk("RS256", key_ops=[]),
    "operations that are a text": jwk("RS256", key_ops="verify"),
    "for RS512": jwk("RS256", alg="RS512"),
    "for PS256": jwk("RS256", alg="PS256"),
    "for RSA-OAEP": jwk("RS256", alg="RSA-OAEP-256"),
    "RSA for HS256": jwk("RS256", alg="HS256"),
    "EC for HS256": jwk("ES256", alg="HS256"),
    "EC for RS256": jwk("ES256", alg="RS256"),
    "Ed25519 for ES256": jwk("EdDSA", alg="ES256"),
    "for none": jwk("ES256", alg="none"),
    "an algorithm that is a list": jwk("ES256", alg=["ES256"]),
    "an empty name": jwk("ES256", kid=""),
    "a number for a name": jwk("ES256", kid=7),
    "a name that never ends": jwk("ES256", kid="k" * 256),
}


@rows("document", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_key_that_is_for_something_else_verifies_nothing(document: object) -> None:
    with pytest.raises(KeyUnusable) as caught:
        bound_jwk(document)
    said = str(caught.value)
    assert said.isascii()
    assert said.isprintable()
    assert len(said) < 200


def test_a_private_key_is_told_as_one() -> None:
    for algorithm in ALGORITHMS:
        document = ALGORITHMS[algorithm].to_jwk(private_key(algorithm), as_dict=True)
        with pytest.raises(KeyUnusable, match="its private part, with which every reader"):
            bound_jwk(document)


def test_a_set_has_its_usable_keys_and_says_what_is_wrong_with_others() -> None:
    read = read_key_set(key_set(jwk("ES256"), _rsa(1024), {"kty": "AKP", "kid": "<b>\n"}))
    assert [key.key_id for key in read.keys] == ["ES256-0"]
    small, strange = read.passed_over
    assert small == "the key 2 has 1024 bits; 2048 to 8192 are taken"
    assert strange.startswith('the key "?b??" is of the type AKP;')


def test_an_empty_set_is_one() -> None:
    """A project of Supabase that has no signing keys yet publishes this."""
    assert read_key_set(b'{"keys":[]}').keys == ()


@rows(
    "document",
    [
        b"", b"null", b"[]", b"{}", b'"keys"', b'{"keys":{}}', b'{"keys":null}', b"<html>",
        b'{"error":"no"}', b"\xff", b"[" * 9000, json.dumps([jwk("ES256")]).encode(),
        json.dumps(jwk("ES256")).encode(), key_set(*[{}] * (KEYS_MAX + 1)),
    ],
)  # fmt: skip
def test_what_is_no_key_set_is_refused_as_a_whole(document: bytes) -> None:
    with pytest.raises(KeySetInvalid):
        read_key_set(document)


def test_a_token_is_tried_with_the_keys_that_it_may_mean() -> None:
    keys = [jwk("ES256", 0), jwk("ES256", 1), jwk("RS256"), jwk("EdDSA", kid="ES256-0")]
    read = read_key_set(key_set(*keys, jwk("ES256", 2, kid=...)))
    assert [key.key_id for key in read.find("ES256", "ES256-0")] == ["ES256-0"]
    assert [key.algorithm_name for key in read.find("EdDSA", "ES256-0")] == ["EdDSA"]
    assert [key.key_id for key in read.find("ES256", None)] == ["ES256-0", "ES256-1", None]
    assert [key.key_id for key in read.find("ES256", "other")] == [None]
    assert read.find("RS256", "other") == ()
    assert read.has("ES256-1")
    assert not read.has("other")


def test_one_token_is_never_tried_with_many_keys() -> None:
    read = read_key_set(key_set(*[jwk("ES256", kid="same")] * KEYS_MAX))
    assert len(read.find("ES256", "same")) == CANDIDATES_MAX
    assert len(read.find("ES256", None)) == CANDIDATES_MAX


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.sampled_from(list(ALGORITHMS)),
    st.dictionaries(st.sampled_from(["kty", "crv", "n", "e", "x", "y", "alg", "kid"]), any_json),
)
def test_any_key_is_usable_or_not_and_nothing_else_comes_of_it(
    algorithm: str, changes: dict[str, Any]
) -> None:
    read = read_key_set(json.dumps({"keys": [jwk(algorithm) | changes]}).encode())
    assert len(read.keys) + len(read.passed_over) == 1


@given(st.binary())
def test_any_bytes_are_a_key_set_or_not_and_nothing_else_comes_of_them(document: bytes) -> None:
    with contextlib.suppress(KeySetInvalid):
        assert read_key_set(document)

"""What people have done to other readers of tokens: none of it lets anybody in.

Each row is a token that an attacker can make without the private key or the secret, or that an
honest issuer would never sign. It is refused as invalid, and nothing else is raised.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, RSAAlgorithm

from chatd.auth import Identity, KeyRing, KeyUnknown, TokenRefused, Verifier, bound_secret
from chatd.auth.key_set import read_key_set
from tests.auth.issuer import (
    ALGORITHMS,
    decoded_by_pyjwt,
    issued,
    jwk,
    key_set,
    pem_forms,
    private_key,
    token_of,
)
from tests.auth.tokens_by_hand import NOW_S, SECRET, USER, good_claims, segment, signed
from tests.rows import rows

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of the group of P-256 (FIPS 186-4, D.1.2.3)."""


def verifier(*, secrets: bool = True, **changes: Any) -> Verifier:
    """A verifier with a secret and a key of each kind, as a project that moves has them."""
    ring = KeyRing(
        [bound_secret(SECRET)] if secrets else [], read_key_set(key_set(*map(jwk, ALGORITHMS)))
    )
    settings: dict[str, Any] = {
        "audience": "authenticated",
        "issuer": "https://project.example/auth/v1",
        "leeway_s": 30,
        "max_token_bytes": 8192,
    }
    return Verifier(ring, **(settings | changes))


VERIFIER = verifier()


def verdict(token: object, judge: Verifier = VERIFIER) -> str | Identity:
    """The code of the refusal, or the identity."""
    try:
        return judge.verify(token, NOW_S)
    except TokenRefused as error:
        refused = error
    assert str(refused)
    assert refused.__cause__ is None
    return refused.code


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_honest_token_of_each_algorithm_is_taken(algorithm: str) -> None:
    token = issued(algorithm)
    identity = VERIFIER.verify(token, NOW_S)
    assert identity.user_id == USER
    assert identity.key is not None
    assert (identity.key.algorithm_name, identity.key.key_id) == (algorithm, f"{algorithm}-0")
    assert decoded_by_pyjwt(token, algorithm) == identity.claims
    assert VERIFIER.verify(signed(b'{"alg":"HS256"}', json.dumps(good_claims()).encode()), NOW_S)


def _hmac(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda text: hmac.new(secret, text, hashlib.sha256).digest()


def _unsigned(_text: bytes) -> bytes:
    return b""


def _es256(text: bytes) -> bytes:
    return ALGORITHMS["ES256"].sign(text, private_key("ES256"))


def _der(text: bytes) -> bytes:
    return bytes(private_key("ES256").sign(text, ec.ECDSA(SHA256())))


def _of_another_curve(text: bytes) -> bytes:
    key = ec.derive_private_key(7, ec.SECP256K1())
    return ECAlgorithm(ECAlgorithm.SHA256).sign(text, key)


def _raw(r: int, s: int) -> Callable[[bytes], bytes]:
    return lambda _text: r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _confusions() -> Iterator[tuple[str, str]]:
    """Tokens that take a public key for an HMAC secret, in each form that it is known in."""
    for algorithm in ALGORITHMS:
        public = private_key(algorithm).public_key()
        document = jwk(algorithm)
        secrets = [*pem_forms(public), json.dumps(document).encode(), b""]
        secrets += [document[name].encode() for name in ("n", "x", "y") if name in document]
        for index, secret in enumerate(secrets):
            for alg in ("HS256", "HS384", algorithm):
                header = {"alg": alg, "kid": document["kid"]}
                token = token_of(header, good_claims(), _hmac(secret))
                yield f"{alg} with form {index} of the {algorithm} key", token


def _header(algorithm: str = "ES256", **changes: Any) -> str:
    return issued(algorithm, header=changes)


def _algorithm(name: object, sign: Callable[[bytes], bytes] = _unsigned) -> str:
    return token_of({"alg": name, "kid": "ES256-0"}, good_claims(), sign)


GOOD = issued("ES256")
HEAD, BODY, SIGNATURE = GOOD.split(".")
OWN = jwk("ES256", 1)  # a key of the attacker's
EVIL = "https://evil.example/keys.json"
ATTACKER = {"kid": "ES256-0"}

FORGED: dict[str, str] = {
    **{f"alg {name!r} without signature": _algorithm(name)
       for name in ("none", "None", "NONE", "nOnE", "", " none", "none\0", None, 0, True, [], {},
                    ["none"], ["ES256"], {"ES256": 1})},
    **{f"alg {name!r}": _algorithm(name, _es256)
       for name in ("es256", "ES256 ", "ES256K", "ES384", "ES512", "PS256", "RS384", "RS512",
                    "HS512", "HS1", "A128KW", "dir", "Ed448", "SHA256", "\u0415S256")},
    **dict(_confusions()),
    "RS256 by the kid of an EC key": _header("RS256", kid="ES256-0"),
    "ES256 by the kid of an RSA key": _header("ES256", kid="RS256-0"),
    "EdDSA by the kid of an EC key": _header("EdDSA", kid="ES256-0"),
    "the name Ed25519 for a key that is bound to EdDSA": _header("EdDSA", alg="Ed25519"),
    "another key's signature": issued("ES256", 1, header=ATTACKER),
    "another RSA key's signature": issued("RS256", 1, header={"kid": "RS256-0"}),
    "another Ed25519 key's signature": issued("EdDSA", 1, header={"kid": "EdDSA-0"}),
    "its own key in jwk": issued("ES256", 1, header={**ATTACKER, "jwk": OWN}),
    "its own key in jwk, and no kid": issued("ES256", 1, header={"kid": ..., "jwk": OWN}),
    "its own set in jku": issued("ES256", 1, header={**ATTACKER, "jku": EVIL}),
    "its own certificates in x5u": issued("ES256", 1, header={**ATTACKER, "x5u": EVIL}),
    "its own certificates in x5c": issued("ES256", 1, header={**ATTACKER, "x5c": ["MIIB"]}),
    **{f"kid {kid!r:.40}": issued("ES256", 1, header={"kid": kid})
       for kid in ("../../../../dev/null", "/dev/null", "file:///etc/passwd", EVIL, "ES256-0\0",
                   "ES256-0\n", " ES256-0", "es256-0", "' OR 1=1 --", "| whoami", "", "0", "*",
                   "ES256-0" * 1000, "__proto__", "\ud800", "\uff25\uff33256-0")},
    **{f"kid {kid!r}": _header(kid=kid)
       for kid in (0, 1, 1.5, True, [], ["ES256-0"], {}, {"$ne": None})},
    "crit": _header(crit=["exp"], exp=1),
    "crit of an unknown extension": _header(crit=["x"], x=1),
    "crit null": _header(crit=None),
    "b64 false": _header(b64=False),
    "zip": HEAD + "." + segment(b"x\x9c\xab\x00") + "." + SIGNATURE,
    "r and s zero": token_of({"alg": "ES256", "kid": "ES256-0"}, good_claims(), _raw(0, 0)),
    "r zero": token_of({"alg": "ES256", "kid": "ES256-0"}, good_claims(), _raw(0, 1)),
    "s zero": token_of({"alg": "ES256", "kid": "ES256-0"}, good_claims(), _raw(1, 0)),
    "r and s the order": token_of({"alg": "ES256", "kid": "ES256-0"}, good_claims(),
                                  _raw(ORDER, ORDER)),
    "r and s one": token_of({"alg": "ES256", "kid": "ES256-0"}, good_claims(), _raw(1, 1)),
    "r and s as large as may be": token_of({"alg": "ES256", "kid": "ES256-0"}, good_claims(),
                                           lambda _text: b"\xff" * 64),
    "a signature in DER": token_of({"alg": "ES256", "kid": "ES256-0"}, good_claims(), _der),
    "a DER signature of zeros": token_of({"alg": "ES256", "kid": "ES256-0"}, good_claims(),
                                         lambda _text: encode_dss_signature(0, 0)),
    "a signature of another curve": token_of({"alg": "ES256", "kid": "ES256-0"}, good_claims(),
                                             _of_another_curve),
    "a signature of half the length": f"{HEAD}.{BODY}.{SIGNATURE[:43]}",
    "a signature of twice the length": f"{HEAD}.{BODY}.{SIGNATURE}{SIGNATURE}",
    "an RSA signature of zeros": token_of({"alg": "RS256", "kid": "RS256-0"}, good_claims(),
                                          lambda _text: bytes(256)),
    "an RSA signature of one": token_of({"alg": "RS256", "kid": "RS256-0"}, good_claims(),
                                        lambda _text: (1).to_bytes(256, "big")),
    "an Ed25519 signature of zeros": token_of({"alg": "EdDSA", "kid": "EdDSA-0"}, good_claims(),
                                              lambda _text: bytes(64)),
    "an RSA signature without padding": issued("RS256").rsplit(".", 1)[0] + ".AA",
    "no signature": f"{HEAD}.{BODY}.",
    "no dot behind the payload": f"{HEAD}.{BODY}",
    "two dots more": f"{HEAD}.{BODY}.{SIGNATURE}..",
    "a dot before": f".{GOOD}",
    "an empty header": f".{BODY}.{SIGNATURE}",
    "an empty payload": f"{HEAD}..{SIGNATURE}",
    "five parts": f"{HEAD}.{HEAD}.{BODY}.{BODY}.{SIGNATURE}",
    "payload and header exchanged": f"{BODY}.{HEAD}.{SIGNATURE}",
    "padding behind the signature": f"{GOOD}==",
    "padding in the header": f"{HEAD}=.{BODY}.{SIGNATURE}",
    "standard base64": GOOD.replace("-", "+").replace("_", "/") + "+",
    "a line break in the payload": f"{HEAD}.{BODY[:9]}\n{BODY[9:]}.{SIGNATURE}",
    "a space in the signature": f"{HEAD}.{BODY}.{SIGNATURE[:9]} {SIGNATURE[9:]}",
    "a full stop of another script": GOOD.replace(".", "\uff0e"),
    "letters of another script": "\u0435" + GOOD[1:],
    "percent encoding": GOOD.replace(".", "%2e"),
    "a NUL behind": f"{GOOD}\0",
    "stray last bits": f"{HEAD}.{BODY}.{SIGNATURE[:-1]}{'B' if SIGNATURE[-1] == 'A' else 'A'}",
    "another payload under the signature":
        f"{HEAD}.{segment(json.dumps(good_claims(sub='root')).encode())}.{SIGNATURE}",
    "another header above the signature":
        f"{segment(json.dumps({'alg': 'ES256', 'kid': 'ES256-0'}).encode())}.{BODY}.{SIGNATURE}",
    "a huge header": token_of({"alg": "ES256", "kid": "ES256-0", "x": "y" * 9000},
                              good_claims(), _es256),
    "a header of deep lists": token_of(b'{"alg":"ES256","x":' + b"[" * 2000 + b"]" * 2000 + b"}",
                                       good_claims(), _es256),
}  # fmt: skip


@rows("token", FORGED.values(), ids=FORGED.keys())
def test_a_forged_token_lets_nobody_in(token: str) -> None:
    assert verdict(token) == "token_invalid"
    assert verdict(token, verifier(secrets=False)) == "token_invalid"


def _payload(text: str) -> str:
    """A token that the issuer signed, with this payload behind the usual claims."""
    usual = json.dumps(good_claims(exp=..., sub=..., aud=...))[:-1]
    return issued_payload(f"{usual},{text}}}".encode())


def issued_payload(payload: bytes, header: object = None) -> str:
    return token_of(header or {"alg": "ES256", "kid": "ES256-0"}, payload, _es256)


EXP = f'"exp":{int(NOW_S) + 3600}'
WHO = '"sub":"ada","aud":"authenticated"'

STRANGE: dict[str, str] = {
    "sub twice": _payload(f'{WHO},{EXP},"sub":"root"'),
    "sub twice, once escaped": _payload(f'{WHO},{EXP},"\\u0073ub":"root"'),
    "exp twice": _payload(f"{WHO},{EXP},{EXP}"),
    "a claim twice, deep inside": _payload(f'{WHO},{EXP},"app_metadata":{{"a":[{{"b":1,"b":2}}]}}'),
    "alg twice": issued_payload(
        json.dumps(good_claims()).encode(), b'{"alg":"none","kid":"ES256-0","alg":"ES256"}'
    ),
    "kid twice": issued_payload(
        json.dumps(good_claims()).encode(), b'{"alg":"ES256","kid":"x","kid":"ES256-0"}'
    ),
    **{
        f"exp {exp}": _payload(f'{WHO},"exp":{exp}')
        for exp in (
            "-1", "-1e9", "1e30", "1e400", "9" * 400, "253402300800", "NaN", "Infinity", "null",
            '"9999999999"', "true", "[9999999999]", "{}", "0x7fffffff", "9999999999.",
            "09999999999",
        )
    },
    "exp missing": _payload(WHO),
    "nbf later": _payload(f'{WHO},{EXP},"nbf":{int(NOW_S) + 31}'),
    "nbf null": _payload(f'{WHO},{EXP},"nbf":null'),
    "nbf a text": _payload(f'{WHO},{EXP},"nbf":"0"'),
    "nbf negative": _payload(f'{WHO},{EXP},"nbf":-1'),
    **{
        f"aud {aud}": _payload(f'"sub":"ada",{EXP},"aud":{aud}')
        for aud in (
            "null", '""', "[]", '["anon"]', '[["authenticated"]]', '{"authenticated":1}', "1",
            '"authenticated "', '"AUTHENTICATED"', '"authenticated,anon"', '["authenticated",null]',
            '"\\u0000authenticated"', '"authenticated\\u200b"',
        )
    },
    **{
        f"iss {iss}": token_of({"alg": "ES256", "kid": "ES256-0"}, good_claims(iss=iss), _es256)
        for iss in (
            None, "", "https://project.example/auth/v1/", "https://PROJECT.example/auth/v1",
            "http://project.example/auth/v1", "https://project.example.evil.example/auth/v1",
            ["https://project.example/auth/v1"], {"iss": 1}, 1, True,
            "https://project.example/auth/v1\u200b",
        )
    },
    "a payload in UTF-16": issued_payload(json.dumps(good_claims()).encode("utf-16")),
    "a payload with a mark before":
        issued_payload(b"\xef\xbb\xbf" + json.dumps(good_claims()).encode()),
    "a payload behind a payload": issued_payload(json.dumps(good_claims()).encode() * 2),
    "a payload that is a list": issued_payload(json.dumps([good_claims()]).encode()),
    "a payload that is a token": issued_payload(GOOD.encode()),
    "a payload of deep lists": _payload(f'{WHO},{EXP},"x":{"[" * 1500}{"]" * 1500}'),
    "a header in UTF-16": issued_payload(b"{}", '{"alg":"ES256"}'.encode("utf-16")),
}  # fmt: skip


@rows("token", STRANGE.values(), ids=STRANGE.keys())
def test_what_no_honest_issuer_signs_is_refused_though_the_signature_holds(token: str) -> None:
    assert verdict(token) == "token_invalid"


def test_the_tables_of_attacks_lack_only_what_they_are_about() -> None:
    for token in (_header(), _payload(f"{WHO},{EXP}"), issued("RS256"), issued("EdDSA")):
        assert isinstance(verdict(token), Identity)
    assert isinstance(verdict(_header(jku=EVIL, x5u=EVIL, jwk=OWN, typ=["x"], cty="JWT")), Identity)
    assert isinstance(verdict(_payload(f'{WHO},"exp":{int(NOW_S) + 3600}.5')), Identity)


def test_the_other_form_of_a_signature_of_es256_gives_the_same_identity() -> None:
    """(r, n - s) is a signature too, which anybody can make of (r, s): no token is known by its
    bytes, so nothing comes of it."""
    raw = _es256(f"{HEAD}.{BODY}".encode())
    r, s = raw[:32], int.from_bytes(raw[32:], "big")
    twin = f"{HEAD}.{BODY}.{segment(r + (ORDER - s).to_bytes(32, 'big'))}"
    identity = verdict(twin)
    assert isinstance(identity, Identity)
    assert identity.user_id == USER


@pytest.mark.parametrize("kid", ["unknown", None])
def test_a_key_that_is_not_known_may_be_in_a_newer_set(kid: str | None) -> None:
    token = issued("ES256", 1, header={"kid": kid if kid is not None else ...})
    with pytest.raises(KeyUnknown):
        VERIFIER.verify(token, NOW_S)


def test_a_set_that_names_no_keys_may_have_a_newer_one() -> None:
    ring = KeyRing(key_set=read_key_set(key_set(jwk("ES256", kid=...))))
    judge = Verifier(ring, "authenticated", "", 30, 8192)
    assert isinstance(verdict(issued("ES256"), judge), Identity)
    for header in ({}, {"kid": ...}):
        with pytest.raises(KeyUnknown):
            judge.verify(issued("ES256", 1, header=header), NOW_S)


def test_a_secret_is_no_key_of_the_set_nor_the_other_way_round() -> None:
    alone = Verifier(KeyRing.of_secret(SECRET), "authenticated", "", 30, 8192)
    assert verdict(issued("ES256"), alone) == "token_invalid"
    ours = signed(b'{"alg":"HS256"}', json.dumps(good_claims()).encode())
    assert verdict(ours, verifier(secrets=False)) == "token_invalid"
    with pytest.raises(ValueError, match="no key"):
        KeyRing()


def test_the_attacks_are_made_as_they_say() -> None:
    """With the right key each of these forgeries would hold: PyJWT's own signatures."""
    text = f"{HEAD}.{BODY}".encode()
    assert HMACAlgorithm(HMACAlgorithm.SHA256).sign(text, b"k") == _hmac(b"k")(text)
    public = private_key("RS256").public_key()
    rsa256 = RSAAlgorithm(RSAAlgorithm.SHA256)
    assert rsa256.verify(text, public, rsa256.sign(text, private_key("RS256")))

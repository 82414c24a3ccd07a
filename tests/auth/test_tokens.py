"""Tokens: what is refused and how, what an identity holds, and that nothing else comes out."""

import base64
import json
import warnings
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given
from hypothesis import strategies as st

from chatd.auth import Identity, KeyRing, TokenRefused, Verifier
from tests.auth.tokens_by_hand import HEADER, NOW_S, SECRET, USER, good_claims, signed, token
from tests.rows import rows

LEEWAY_S = 30
ISSUER = "https://project.example/auth/v1"


def verifier(**changes: Any) -> Verifier:
    settings: dict[str, Any] = {
        "audience": "authenticated",
        "issuer": ISSUER,
        "leeway_s": LEEWAY_S,
        "max_token_bytes": 8192,
    }
    keys = KeyRing.of_secret(changes.pop("secret", SECRET))
    return Verifier(keys, **(settings | changes))


def refusal(candidate: object, **changes: Any) -> TokenRefused:
    with pytest.raises(TokenRefused) as caught:
        verifier(**changes).verify(candidate, NOW_S)
    return caught.value


def test_a_good_token_gives_the_identity_that_it_states() -> None:
    claims = good_claims()
    identity = verifier().verify(token(claims), NOW_S)
    assert identity == Identity(USER, "Ada Lovelace", (int(NOW_S) + 3600) * 1000, claims)
    assert hash(identity) is not None
    assert "example.org" not in repr(identity)


@pytest.mark.parametrize("absent", [None, ""])
def test_no_token_is_unauthorized(absent: object) -> None:
    assert refusal(absent).code == "unauthorized"


@rows(
    "candidate",
    [
        b"bytes", b"", 0, 1, True, False, 1.5, float("nan"), 10**400, [], ["a.b.c"], {}, {"a": 1},
        object(), "a", ".", "..", "...", "a.b", "a.b.c", "\ud800", "\ud800.\udfff.x", "é.é.é",
        "a" * 8193, "." * 8192, "\0", " ", "null", "undefined", "[object Object]",
    ],
)  # fmt: skip
def test_what_is_no_token_at_all_is_invalid(candidate: object) -> None:
    assert refusal(candidate).code == "token_invalid"


CLAIMS_REFUSED: dict[str, dict[str, Any]] = {
    "exp missing": {"exp": ...},
    "exp null": {"exp": None},
    "exp a string of digits": {"exp": "1790003600"},
    "exp true": {"exp": True},
    "exp a list": {"exp": [1790003600]},
    "exp beyond 64 bits": {"exp": 10**30},
    "exp after the year 9999": {"exp": 253_402_300_800},
    "exp negative": {"exp": -1},
    "iat missing": {"iat": ...},
    "iat true": {"iat": True},
    "iat a string": {"iat": "0"},
    "iat in the future": {"iat": NOW_S + LEEWAY_S + 1},
    "nbf in the future": {"nbf": NOW_S + LEEWAY_S + 1},
    "nbf null": {"nbf": None},
    "nbf a string": {"nbf": "0"},
    "aud missing": {"aud": ...},
    "aud another": {"aud": "anon"},
    "aud empty": {"aud": ""},
    "aud an empty list": {"aud": []},
    "aud a list of others": {"aud": ["anon", "service"]},
    "aud a list with a number": {"aud": ["authenticated", 1]},
    "aud an object": {"aud": {"authenticated": True}},
    "aud that only contains ours": {"aud": "unauthenticated"},
    "iss missing": {"iss": ...},
    "iss another": {"iss": ISSUER + "/"},
    "iss a list": {"iss": [ISSUER]},
    "sub missing": {"sub": ...},
    "sub null": {"sub": None},
    "sub a number": {"sub": 7},
    "sub empty": {"sub": ""},
    "sub of 256 characters": {"sub": "u" * 256},
    "sub not ASCII": {"sub": "ädä"},
    "sub with a line end": {"sub": "ada\n"},
    "sub with a NUL": {"sub": "a\0da"},
    "sub with a lone surrogate": {"sub": "\ud800"},
    "sub with a tab": {"sub": "a\tda"},
    "sub with an escape": {"sub": "a\x1b[31mda"},
    "sub with a wide look-alike": {"sub": "ｄｂ：sales"},
    "sub with a Cyrillic look-alike": {"sub": "аda"},
    "sub with a joiner": {"sub": "a\u200dda"},
    "sub with a space before": {"sub": " ada"},
    "sub with a space behind": {"sub": "ada "},
    "sub of a space": {"sub": " "},
    "sub with a space that does not break": {"sub": "ada\u00a0"},
    "sub of a database": {"sub": "db:sales"},
    "sub of a database in capitals": {"sub": "DB:sales"},
    "sub of a database in both": {"sub": "dB:"},
    "sub of a database with a space": {"sub": "db :sales"},
    "sub of a database with spaces": {"sub": "d  B: sales"},
    "sub with markup": {"sub": "ada<img src=x>"},
    "sub that ends in a bracket": {"sub": "ada<"},
}


@rows("changes", CLAIMS_REFUSED.values(), ids=CLAIMS_REFUSED.keys())
def test_claims_that_are_refused_as_invalid(changes: dict[str, Any]) -> None:
    candidate = token(good_claims(**changes))
    assert refusal(candidate).code == "token_invalid"


@rows(
    "changes",
    [
        {"exp": NOW_S + 0.5},
        {"exp": NOW_S - LEEWAY_S + 1},
        {"iat": NOW_S + LEEWAY_S},
        {"iat": 0},
        {"nbf": NOW_S + LEEWAY_S},
        {"aud": ["anon", "authenticated"]},
        {"sub": "u"},
        {"sub": "u" * 255},
        {"sub": "auth0|5f7c8ec7c33c6c004bbafe82"},
        {"sub": "a db: within"},
        {"sub": "db"},
        {"sub": "dba:ada"},
        {"sub": "Ada Lovelace"},
        {"sub": "o'brien & co <3 <= 4>"},
        {"unknown": [None, {"deep": []}]},
    ],
)
def test_claims_at_the_edge_of_what_is_allowed_pass(changes: dict[str, Any]) -> None:
    claims = good_claims(**changes)
    assert verifier().verify(token(claims), NOW_S).claims == claims


def test_without_a_configured_issuer_any_will_do() -> None:
    for iss in (..., "somebody", 7):
        assert verifier(issuer="").verify(token(good_claims(iss=iss)), NOW_S).user_id == USER


def test_a_token_expires_when_its_exp_and_the_leeway_have_passed() -> None:
    candidate = token(good_claims(exp=NOW_S))
    last_moment_s = NOW_S + LEEWAY_S - 0.001
    assert verifier().verify(candidate, last_moment_s).expires_at_ms == NOW_S * 1000
    with pytest.raises(TokenRefused) as caught:
        verifier().verify(candidate, NOW_S + LEEWAY_S)
    assert caught.value.code == "token_expired"


def test_an_expired_token_that_is_bad_in_other_ways_is_invalid_not_expired() -> None:
    assert refusal(token(good_claims(exp=1))).code == "token_expired"
    assert refusal(token(good_claims(exp=1, aud="anon"))).code == "token_invalid"
    assert refusal(token(good_claims(exp=1), secret="another " * 8)).code == "token_invalid"


HEADERS_REFUSED: list[object] = [
    {},
    {"typ": "JWT"},
    {"alg": "none"},
    {"alg": "None"},
    {"alg": ""},
    {"alg": None},
    {"alg": "hs256"},
    {"alg": "HS384"},
    {"alg": "RS256"},
    {"alg": ["HS256"]},
    {"alg": "HS256", "crit": ["exp"]},
    {"alg": "HS256", "crit": []},
    {"alg": "HS256", "b64": False},
    [],
    "HS256",
    None,
    7,
]


@rows("header", HEADERS_REFUSED)
def test_a_header_that_is_not_for_our_key_is_refused_though_the_signature_holds(
    header: object,
) -> None:
    assert refusal(token(good_claims(), header)).code == "token_invalid"


def test_a_token_without_a_signature_is_refused() -> None:
    unsigned = jwt.encode(good_claims(), "", algorithm="none")
    assert unsigned.endswith(".")
    assert refusal(unsigned).code == "token_invalid"
    header, payload, _ = token(good_claims()).split(".")
    assert refusal(f"{header}.{payload}.").code == "token_invalid"
    assert refusal(f"{header}.{payload}").code == "token_invalid"


def test_a_token_by_an_asymmetric_key_is_refused_by_a_secret() -> None:
    private_key = generate_private_key(65537, 2048)
    candidate = jwt.encode(good_claims(), private_key, algorithm="RS256")
    assert refusal(candidate).code == "token_invalid"


@pytest.mark.parametrize("extra", ["=", "==", "\n", " ", ".", ".x", "+", "A"])
def test_anything_after_the_signature_is_refused(extra: str) -> None:
    assert refusal(token(good_claims()) + extra).code == "token_invalid"


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"null", b"[]", b'"text"', b"{", b'{"exp":NaN}', b'{"exp":1e400}', b"\xff\xfe{}",
        b"[" * 5000, b'{"a":' * 1500, b"9" * 5000, b"\xef\xbb\xbf{}",
    ],
)  # fmt: skip
def test_a_signed_payload_that_is_no_object_is_refused(payload: bytes) -> None:
    assert refusal(signed(json.dumps(HEADER).encode(), payload)).code == "token_invalid"


def test_the_length_of_a_token_is_bounded_first() -> None:
    candidate = token(good_claims())
    assert verifier(max_token_bytes=len(candidate)).verify(candidate, NOW_S).user_id == USER
    refused = refusal(candidate, max_token_bytes=len(candidate) - 1)
    assert refused.code == "token_invalid"
    assert "longer" in str(refused)


def test_a_refusal_carries_nothing_of_the_token() -> None:
    for candidate in ("secret-ish é", "c2VjcmV0.c2VjcmV0.c2VjcmV0", token(good_claims(sub="db:x"))):
        refused = refusal(candidate)
        assert refused.__cause__ is None
        assert refused.__suppress_context__ or refused.__context__ is None
        assert "secret" not in str(refused)


WEIRD = "<b>\n\x1b[31m\u202e é"


@rows(
    ("candidate", "said"),
    [
        (token(good_claims(), {"alg": "RS256"}), ['(alg) is "RS256"', "HS256", "auth.jwks"]),
        (token(good_claims(), {"alg": "none"}), ['(alg) is "none"']),
        (token(good_claims(), {}), ["(alg) is missing"]),
        (token(good_claims(), {"alg": 7}), ["(alg) is no text"]),
        (token(good_claims(), {"alg": "ES256", "kid": "key-7"}), ['"ES256"', 'kid, is "key-7"']),
        (token(good_claims(), {"alg": "HS256", "kid": "k"}, secret="x" * 32), ["signature", '"k"']),
        (token(good_claims(aud="anon")), ['(aud) is "anon"', 'auth.audience is "authenticated"']),
        (token(good_claims(aud=["a", "b"])), ['"a", "b"']),
        (token(good_claims(aud=["a", 1, "c", "d"])), ['"a", no text, "c", ...']),
        (token(good_claims(aud=[])), ["an empty list"]),
        (token(good_claims(aud=...)), ["(aud) is missing"]),
        (token(good_claims(iss="https://x.example")), ['"https://x.example"', "auth.issuer is"]),
        (token(good_claims(iss=...)), ["(iss) is missing"]),
        (token(good_claims(sub=...)), ["sub is missing"]),
        (token(good_claims(exp=...)), ["exp is missing"]),
        (token(good_claims(iat=...)), ["iat is missing"]),
        (token(good_claims(exp=NOW_S - 3600)), ["expired 3600 s ago"]),
        (token(good_claims(iat=NOW_S + 90)), ["90 s in the future"]),
        (token(good_claims(nbf=NOW_S + 90)), ["not valid for another 90 s"]),
    ],
)
def test_an_operator_hears_the_reason(candidate: str, said: list[str]) -> None:
    reason = refusal(candidate).reason
    for part in said:
        assert part in reason
    assert "\n" not in reason


@rows(
    "candidate",
    [
        token(good_claims(), {"alg": WEIRD * 50}),
        token(good_claims(), {"alg": "ES256", "kid": WEIRD * 50}),
        token(good_claims(aud=WEIRD * 50)),
        token(good_claims(aud=[WEIRD * 20] * 9)),
        token(good_claims(iss=WEIRD * 50)),
        token(good_claims(aud=[[[[["a"]]]]])),
    ],
)
def test_what_a_token_names_is_told_short_and_plain_and_to_operators_alone(candidate: str) -> None:
    refused = refusal(candidate)
    assert len(refused.reason) < 600
    assert refused.reason.isascii()
    assert refused.reason.isprintable()
    assert "<b>" not in refused.reason
    assert "?b?" not in str(refused)
    for part in candidate.split("."):
        assert part not in refused.reason


def test_a_user_hears_a_sentence_that_names_no_claim_of_the_token() -> None:
    assert str(refusal(token(good_claims(aud="anon")))) == (
        "The token is for another audience, or names none."
    )
    assert str(refusal(token(good_claims(exp=NOW_S - 3600)))) == (
        "The token has expired: get a new one."
    )


def test_the_display_name_is_the_first_that_there_is() -> None:
    table: list[tuple[dict[str, Any], str | None]] = [
        ({"user_metadata": {"full_name": "Ada Lovelace", "name": "ada"}}, "Ada Lovelace"),
        ({"user_metadata": {"name": "ada"}}, "ada"),
        ({"user_metadata": {"full_name": " \u202e ", "name": "ada"}}, "ada"),
        ({"user_metadata": {"full_name": 7, "name": None}}, "ada.l"),
        ({"user_metadata": {}}, "ada.l"),
        ({"user_metadata": ["full_name"]}, "ada.l"),
        ({"user_metadata": ...}, "ada.l"),
        ({"user_metadata": ..., "email": "@example.org"}, None),
        ({"user_metadata": ..., "email": "not an address"}, None),
        ({"user_metadata": ..., "email": 7}, None),
        ({"user_metadata": ..., "email": ...}, None),
    ]
    for changes, name in table:
        claims = good_claims(**({"email": "ada.l@example.org"} | changes))
        assert verifier().verify(token(claims), NOW_S).name == name, changes


@pytest.mark.parametrize("secret", ["", "short", "x" * 31, "é" * 15])
def test_a_short_secret_is_refused_at_once_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="at least 32") as caught:
        verifier(secret=secret)
    assert not secret or secret not in str(caught.value)


def test_a_key_that_is_no_secret_is_refused_as_one() -> None:
    public_key = generate_private_key(65537, 2048).public_key()
    pem = public_key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
    jwk = json.dumps({"kty": "oct", "k": base64.b64encode(SECRET.encode()).decode()})
    for secret in (pem, jwk, "\ud800" * 40):
        with pytest.raises(ValueError, match="token secret"):
            verifier(secret=secret)


def test_a_secret_of_32_bytes_gives_no_warning() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        secret = "x" * 32
        verifier(secret=secret).verify(token(good_claims(), secret=secret), NOW_S)
    assert not caught


def test_an_empty_audience_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="audience"):
        verifier(audience="")


VERIFIER = verifier()
GOOD = token(good_claims())

any_text = st.text(st.characters(exclude_categories=()))  # lone surrogates too
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)
times = st.integers(int(NOW_S) - 100, int(NOW_S) + 100) | any_json


def identity_or_refusal(candidate: object) -> Identity | TokenRefused:
    try:
        return VERIFIER.verify(candidate, NOW_S)
    except TokenRefused as caught:
        refused = caught
    assert refused.code in {"unauthorized", "token_expired", "token_invalid"}
    assert str(refused)
    return refused


@given(any_json | st.binary() | any_text | st.from_regex(r"[\w.=+-]*\.[\w.-]*\.[\w.-]*"))
def test_garbage_ends_in_a_refusal_and_in_nothing_else(candidate: object) -> None:
    assert isinstance(identity_or_refusal(candidate), TokenRefused)


@given(header=st.binary(), payload=st.binary())
def test_signed_garbage_ends_in_a_refusal_and_in_nothing_else(
    header: bytes, payload: bytes
) -> None:
    assert isinstance(identity_or_refusal(signed(header, payload)), TokenRefused)
    with_good_header = signed(json.dumps(HEADER).encode(), payload)
    assert isinstance(identity_or_refusal(with_good_header), TokenRefused)


@given(
    changes=st.fixed_dictionaries(
        {},
        optional={
            "exp": times,
            "iat": times,
            "nbf": times,
            "aud": st.lists(st.sampled_from(["authenticated", "anon", 1])) | any_json,
            "iss": st.just(ISSUER) | any_json,
            "sub": st.from_regex(r"[ -~]{1,255}", fullmatch=True) | any_json,
            "email": any_json,
            "user_metadata": any_json
            | st.fixed_dictionaries({}, optional={"full_name": any_json, "name": any_json}),
        },
    ),
    more=st.dictionaries(any_text, any_json, max_size=3),
)
def test_what_signed_claims_may_say_is_accepted_only_where_pyjwt_accepts_it_too(
    changes: dict[str, Any], more: dict[str, Any]
) -> None:
    candidate = token(more | good_claims(**changes))
    outcome = identity_or_refusal(candidate)
    if isinstance(outcome, TokenRefused):
        return
    by_pyjwt = jwt.decode(
        candidate,
        SECRET,
        algorithms=["HS256"],
        audience="authenticated",
        issuer=ISSUER,
        options={
            "require": ["exp", "iat", "sub", "aud"],
            "verify_exp": False,  # its clock is not ours
            "verify_nbf": False,
            "verify_iat": False,
            "verify_jti": False,
        },
    )
    assert outcome.user_id == by_pyjwt["sub"]
    assert outcome.expires_at_ms == int(by_pyjwt["exp"] * 1000)
    assert by_pyjwt["exp"] > NOW_S - LEEWAY_S
    assert outcome.name is None or (0 < len(outcome.name) <= 100)


@given(
    place=st.integers(0, len(GOOD) - 1),
    character=st.characters(codec="ascii") | st.sampled_from("-_=.+/A"),
)
def test_a_token_with_one_character_changed_is_refused(place: int, character: str) -> None:
    mutated = GOOD[:place] + character + GOOD[place + 1 :]
    outcome = identity_or_refusal(mutated)
    assert isinstance(outcome, Identity) == (mutated == GOOD)


@given(start=st.integers(0, len(GOOD)), end=st.integers(0, len(GOOD)), insert=any_text)
def test_a_token_that_was_cut_or_stuffed_is_refused(start: int, end: int, insert: str) -> None:
    mutated = GOOD[:start] + insert + GOOD[end:]
    outcome = identity_or_refusal(mutated)
    assert isinstance(outcome, Identity) == (mutated == GOOD)

"""Tokens that speak for somebody else than a user who has signed up."""

from typing import Any

import pytest

from chatd.auth import Caller, KeyRing, TokenRefused, Verifier, bound_secret
from chatd.auth.key_set import read_key_set
from tests.auth.issuer import issued, jwk, key_set
from tests.auth.tokens_by_hand import NOW_S, SECRET, good_claims, token
from tests.rows import rows

LEGACY_KEY = {"iss": "supabase", "ref": "abcdefgh", "iat": 1_700_000_000, "exp": 2_015_000_000}
"""The claims of a legacy API key, its role aside: no user, no audience."""


def judged(candidate: str, *allowed: Caller, secrets: bool = True) -> str:
    """The user that a token speaks for, or the sentence of its refusal."""
    ring = KeyRing([bound_secret(SECRET)] if secrets else [], read_key_set(key_set(jwk("ES256"))))
    verifier = Verifier(ring, "authenticated", "", 30, 8192, frozenset(allowed))
    try:
        return verifier.verify(candidate, NOW_S).user_id
    except TokenRefused as error:
        refused = error
    assert refused.code == "token_invalid"
    return str(refused)


REFUSED: dict[str, tuple[dict[str, Any], Caller]] = {
    "the legacy anon key": ({**LEGACY_KEY, "role": "anon"}, Caller.ANON),
    "the legacy service_role key": ({**LEGACY_KEY, "role": "service_role"}, Caller.SERVICE_ROLE),
    "an anon role with a user": (good_claims(role="anon"), Caller.ANON),
    "a service role with a user": (good_claims(role="service_role"), Caller.SERVICE_ROLE),
    "roles in a list": (good_claims(role=["authenticated", "service_role"]), Caller.SERVICE_ROLE),
    "both": (good_claims(role=["anon", "service_role"]), Caller.SERVICE_ROLE),
    "an anonymous user": (good_claims(is_anonymous=True), Caller.ANONYMOUS),
    "an anonymous user by a text": (good_claims(is_anonymous="true"), Caller.ANONYMOUS),
    "an anonymous user by a number": (good_claims(is_anonymous=1), Caller.ANONYMOUS),
    "an anonymous user by a list": (good_claims(is_anonymous=[]), Caller.ANONYMOUS),
}


@rows(("claims", "caller"), REFUSED.values(), ids=REFUSED.keys())
def test_who_is_no_user_that_has_signed_up_is_told_what_to_send(
    claims: dict[str, Any], caller: Caller
) -> None:
    assert judged(token(claims)) == caller.sentence
    others = set(Caller) - {caller}
    assert judged(token(claims | {"role": caller.value} if "role" in claims else claims), *others)


@pytest.mark.parametrize("caller", Caller)
def test_the_operator_can_let_them_in(caller: Caller) -> None:
    claims = {
        Caller.ANON: good_claims(role="anon"),
        Caller.SERVICE_ROLE: good_claims(role="service_role"),
        Caller.ANONYMOUS: good_claims(is_anonymous=True),
    }[caller]
    assert judged(token(claims), caller) == claims["sub"]
    assert judged(token(claims)) == caller.sentence
    assert judged(token(claims), *set(Caller) - {caller}) == caller.sentence


def test_each_kind_has_a_sentence_of_its_own() -> None:
    assert len({caller.sentence for caller in Caller}) == len(Caller)


def test_an_allowed_api_key_is_no_user_all_the_same() -> None:
    legacy = token({**LEGACY_KEY, "role": "anon"})
    assert "audience" in judged(legacy, Caller.ANON)
    named = token({**LEGACY_KEY, "role": "anon", "aud": "authenticated"})
    assert "sub is missing" in judged(named, Caller.ANON)


def test_a_key_of_the_project_is_named_where_secrets_are_not_taken_at_all() -> None:
    """A project with signing keys, and its legacy anon key pasted: only the words depend on it."""
    for role in (Caller.ANON, Caller.SERVICE_ROLE):
        key = token(
            {**LEGACY_KEY, "role": role.value}, secret="of nobody that we know, long enough"
        )
        assert judged(key, secrets=False) == role.sentence
    assert "another algorithm" in judged(token(good_claims()), secrets=False)


def test_an_operator_whose_project_signs_with_its_legacy_secret_is_told_what_to_write() -> None:
    ring = KeyRing(key_set=read_key_set(key_set(jwk("ES256"))))
    with pytest.raises(TokenRefused) as caught:
        Verifier(ring, "authenticated", "", 30, 8192).verify(token(good_claims()), NOW_S)
    assert "write auth.jwt_secret too" in caught.value.reason


@rows("role", ["authenticated", "editor", "ANON", "anonymous", "", None, 7, ["editor"], ..., {}])
def test_other_roles_are_users(role: object) -> None:
    claims = good_claims(role=role)
    assert judged(token(claims)) == claims["sub"]
    assert judged(issued("ES256", claims=claims)) == claims["sub"]


def test_who_says_that_it_is_not_anonymous_is_a_user() -> None:
    for value in (False, None, ...):
        assert judged(token(good_claims(is_anonymous=value))) == good_claims()["sub"]

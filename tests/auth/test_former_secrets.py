"""A secret that is replaced: the old one is taken until its end, and what it signed with it."""

import pytest

from chatd.auth import KeyRing, TokenRefused, Verifier, bound_secret
from chatd.auth.keyring import SECRETS_MAX
from tests.auth.tokens_by_hand import NOW_S, SECRET, good_claims, token

OLD = "the secret of before, which somebody has seen"
END_S = NOW_S + 600


def verifier(until_s: float = END_S) -> Verifier:
    ring = KeyRing([bound_secret(SECRET), bound_secret(OLD, until_s)])
    return Verifier(ring, "authenticated", "", 30, 8192)


def test_both_secrets_are_taken_side_by_side() -> None:
    for secret in (SECRET, OLD):
        assert verifier().verify(token(good_claims(), secret=secret), NOW_S)


def test_a_token_of_a_former_secret_runs_out_with_it() -> None:
    old = verifier().verify(token(good_claims(), secret=OLD), NOW_S)
    assert old.expires_at_ms == END_S * 1000
    short = verifier().verify(token(good_claims(exp=NOW_S + 60), secret=OLD), NOW_S)
    assert short.expires_at_ms == (NOW_S + 60) * 1000
    new = verifier().verify(token(good_claims()), NOW_S)
    assert new.expires_at_ms == (NOW_S + 3600) * 1000


def test_after_its_end_a_former_secret_is_refused_as_an_expired_token_is() -> None:
    old = token(good_claims(), secret=OLD)
    assert verifier().verify(old, END_S - 0.001)
    with pytest.raises(TokenRefused) as caught:
        verifier().verify(old, END_S)
    assert caught.value.code == "token_expired"
    assert "get a new one" in str(caught.value)
    assert "auth.former_secrets" in caught.value.reason
    assert verifier().verify(token(good_claims()), END_S)


def test_a_secret_that_was_never_ours_is_not_called_a_former_one() -> None:
    with pytest.raises(TokenRefused) as caught:
        verifier(0).verify(token(good_claims(), secret="x" * 32), NOW_S)
    assert caught.value.code == "token_invalid"


def test_a_token_is_tried_with_a_bounded_number_of_secrets() -> None:
    secrets = [bound_secret(f"{number}{SECRET}") for number in range(SECRETS_MAX + 1)]
    assert KeyRing(secrets[:-1])
    with pytest.raises(ValueError, match="too many"):
        KeyRing(secrets)


def test_a_secret_shows_in_no_repr() -> None:
    assert OLD not in repr(KeyRing([bound_secret(OLD, END_S)]))

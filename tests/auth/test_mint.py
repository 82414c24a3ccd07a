"""Minted tokens are what the verifier and the directory of claims read."""

from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.auth import ClaimDirectory, KeyRing, Verifier, mint
from chatd.auth.display import display_text
from chatd.auth.role import AdministratorRule
from chatd.wire.identifiers import is_connection_id, is_user_id
from tests.auth.tokens_by_hand import NOW_S, SECRET
from tests.rows import rows


def minted(**changes: Any) -> str:
    arguments: dict[str, Any] = {
        "user_id": "ada",
        "rooms": ["sales", "crm"],
        "name": "Ada",
        "ttl_s": 60,
        "now_s": NOW_S,
        "audience": "authenticated",
        "issuer": "",
        "claim": "connections",
    } | changes
    return mint(arguments.pop("secret", SECRET), **arguments)


def test_a_minted_token_looks_like_one_of_supabase() -> None:
    token = minted(issuer="https://project.example/auth/v1", claim="app_metadata.connections")
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    assert jwt.decode(token, options={"verify_signature": False}) == {
        "sub": "ada",
        "aud": "authenticated",
        "iss": "https://project.example/auth/v1",
        "role": "authenticated",
        "iat": int(NOW_S),
        "exp": int(NOW_S) + 60,
        "user_metadata": {"full_name": "Ada"},
        "app_metadata": {"connections": ["sales", "crm"]},
    }


ascii_text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1)


@given(
    user_id=ascii_text.map(lambda text: text[:255]).filter(is_user_id),
    rooms=st.lists(
        ascii_text.map(lambda text: text[:128]).filter(is_connection_id), unique=True, max_size=20
    ),
    name=st.none() | st.text(st.characters(exclude_categories=())),
    ttl_s=st.integers(1, 10**9),
    now_s=st.floats(0, 10**10),
    issuer=st.sampled_from(["", "https://project.example/auth/v1"]),
    claim=st.sampled_from(["connections", "app_metadata.connections", "user_metadata.a.b", "x"]),
)
def test_what_is_minted_is_verified(
    user_id: str,
    rooms: list[str],
    name: str | None,
    ttl_s: int,
    now_s: float,
    issuer: str,
    claim: str,
) -> None:
    token = minted(
        user_id=user_id,
        rooms=rooms,
        name=name,
        ttl_s=ttl_s,
        now_s=now_s,
        issuer=issuer,
        claim=claim,
    )
    verifier = Verifier(KeyRing.of_secret(SECRET), "authenticated", issuer, 0, len(token))
    identity = verifier.verify(token, now_s)
    assert identity.user_id == user_id
    assert identity.name == display_text(name)
    assert identity.expires_at_ms == (int(now_s) + ttl_s) * 1000
    assert list(ClaimDirectory(claim).grants_now(identity)) == rooms


@rows(
    "changes",
    [
        {"secret": "short"},
        {"user_id": ""},
        {"user_id": "db:sales"},
        {"user_id": "DB:sales"},
        {"user_id": "ada "},
        {"user_id": "ädä"},
        {"user_id": "<img src=x>"},
        {"rooms": ["a<b"]},
        {"rooms": [""]},
        {"rooms": ["sales", "r" * 129]},
        {"ttl_s": 0},
        {"ttl_s": -1},
        {"ttl_s": 10**12},
        {"now_s": -5.0},
        {"audience": ""},
        {"claim": ""},
        {"claim": "a..b"},
        {"claim": "sub"},
        {"claim": "iss"},
        {"claim": "aud.connections"},
        {"claim": "sub.a.b"},
        {"claim": "user_metadata"},
        {"claim": "user_metadata.full_name"},
    ],
)
def test_what_the_verifier_would_refuse_is_not_minted(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        minted(**changes)


@rows(
    ("path", "rooms_at"),
    [
        ("app_metadata.role", "connections"),
        ("app_metadata.role", "app_metadata.connections"),
        ("role", "connections"),
        ("connections", "connections"),
        ("roles", "connections"),
    ],
)
def test_a_token_of_an_administrator_is_one_by_the_rule(path: str, rooms_at: str) -> None:
    rule = AdministratorRule(path, "chief")
    verifier = Verifier(KeyRing.of_secret(SECRET), "authenticated", "", 0, 8192)
    token = minted(claim=rooms_at, administrator=rule)
    identity = verifier.verify(token, NOW_S)
    assert rule.admits(identity)
    assert {"sales", "crm"} <= set(ClaimDirectory(rooms_at).grants_now(identity))
    assert not rule.admits(verifier.verify(minted(claim=rooms_at), NOW_S))


@rows("path", ["sub", "aud", "iss", "nbf", "exp", "sub.role", "app_metadata"])
def test_a_role_takes_no_claim_that_has_another_meaning(path: str) -> None:
    with pytest.raises(ValueError, match="another meaning"):
        minted(claim="app_metadata.rooms", administrator=AdministratorRule(path, "chief"))

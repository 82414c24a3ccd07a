"""Tokens that we make ourselves, in the form of Supabase's: for `chatd token`, the link that is
shown on a terminal, and tests."""

from collections.abc import Sequence
from typing import Any, Final

import jwt

from chatd.auth.claims import LATEST_DATE_S
from chatd.auth.directories import claim_path
from chatd.auth.display import display_text
from chatd.auth.keys import HS256, bound_secret
from chatd.auth.role import AdministratorRule
from chatd.wire.identifiers import USER_ID_RULE, is_connection_id, is_user_id

ROLE: Final = "authenticated"
"""The role that Supabase gives everybody who is signed in."""

_TAKEN: Final = frozenset({"iss", "nbf"})  # claims with a meaning that we may leave out


def mint(
    secret: str,
    *,
    user_id: str,
    rooms: Sequence[str],
    name: str | None,
    ttl_s: int,
    now_s: float,
    audience: str,
    issuer: str,
    claim: str,
    administrator: AdministratorRule | None = None,
) -> str:
    """An HS256 token for `user_id`, issued at `now_s`, that expires `ttl_s` seconds later.

    `rooms` are connectionIds; they stand at the dotted path `claim`, where `ClaimDirectory` looks
    for them. `issuer` "" leaves `iss` out. What `Verifier` would refuse is not minted: ValueError
    for such a secret, user id, room or lifetime, and for a `claim` inside a claim that is taken.
    With `administrator` the token is one of an administrator by that rule.
    """
    bound_secret(secret)  # the rules for a secret; if they hold, PyJWT has nothing to warn about
    if not audience:
        raise ValueError("the token audience is empty; Supabase's is 'authenticated'")
    if not is_user_id(user_id):
        raise ValueError(f"a user id is {USER_ID_RULE}")
    if not all(is_connection_id(room) for room in rooms):
        raise ValueError(
            "a connectionId is 1 to 128 printable ASCII characters that open no HTML tag"
        )
    issued_s = int(now_s)
    expires_s = issued_s + ttl_s
    if not 0 <= issued_s < expires_s <= LATEST_DATE_S:
        raise ValueError(f"a token cannot live from {issued_s} to {expires_s} (seconds, UTC)")
    shown_name = display_text(name)
    claims: dict[str, Any] = {
        "sub": user_id,
        "aud": audience,
        "role": ROLE,
        "iat": issued_s,
        "exp": expires_s,
        "user_metadata": {} if shown_name is None else {"full_name": shown_name},
    }
    if issuer:
        claims["iss"] = issuer
    _put(claims, claim, list(rooms))
    if administrator is not None:
        _make_administrator(claims, administrator)
    return jwt.encode(claims, secret, algorithm=HS256)


def _make_administrator(claims: dict[str, Any], rule: AdministratorRule) -> None:
    """Have the claim of the rule hold its role: of a list it becomes one more member, and `role`
    is what it replaces."""
    place, last = _place(claims, rule.path)
    found = None if place is None else place.get(last)
    if isinstance(found, list):
        found.append(rule.role)
    elif place is None or rule.path in _TAKEN or (found is not None and rule.path != "role"):
        raise ValueError(f"the claim {rule.path!r} cannot hold a role: it has another meaning")
    else:
        place[last] = rule.role


def _place(claims: dict[str, Any], claim: str) -> tuple[dict[str, Any] | None, str]:
    """Where the claim at a dotted path stands, and its name there; no place if it is inside a
    claim that holds something else."""
    *parents, last = claim_path(claim)
    place: Any = claims
    for key in parents:
        place = place.setdefault(key, {}) if isinstance(place, dict) else None
    return (place if isinstance(place, dict) else None), last


def _put(claims: dict[str, Any], claim: str, rooms: list[str]) -> None:
    place, last = _place(claims, claim)
    if place is None or last in place or claim in _TAKEN:
        raise ValueError(f"the claim {claim!r} cannot hold rooms: it has another meaning")
    place[last] = rooms

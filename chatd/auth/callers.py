"""Supabase's tokens that speak for somebody other than a user who has signed up.

They are signed like users' tokens, and some are public. So each kind is refused, with a sentence
that says what to send instead, unless the operator allows it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final


class Caller(StrEnum):
    """Who a token may speak for besides a user who has signed up; the gravest first."""

    SERVICE_ROLE = "service_role"
    ANON = "anon"
    ANONYMOUS = "anonymous"

    @property
    def sentence(self) -> str:
        """Why it is refused, and what to do."""
        return _SENTENCES[self]


_SENTENCES: Final = {
    Caller.SERVICE_ROLE: (
        "This is the service_role key of the project, which may do everything there, not a user's "
        "token. Take it out of this client, and send the access_token of a user who is signed in."
    ),
    Caller.ANON: (
        "This is the anon key of the project, which everybody has, not a user's token. "
        "Sign in, and send the access_token of the session."
    ),
    Caller.ANONYMOUS: (
        "This is the token of an anonymous user, and this server takes users who have signed up. "
        "Sign up, and connect again."
    ),
}

API_KEY: Final = frozenset({Caller.SERVICE_ROLE, Caller.ANON})
"""Those that are keys of the project rather than somebody's sessions."""


def callers_in(claims: Mapping[str, Any]) -> frozenset[Caller]:
    """The callers that the claims of a token name. For `is_anonymous`, anything but false or null
    counts as true: a wrong type must not let in somebody whom the operator keeps out."""
    role = claims.get("role")
    named = role if isinstance(role, list) else [role]
    found = {caller for caller in API_KEY if caller.value in named}
    if claims.get("is_anonymous") not in (None, False):
        found.add(Caller.ANONYMOUS)
    return frozenset(found)

"""Who is an administrator: a claim of the token says so that only the issuer can write.

With Supabase that is one in `app_metadata`. What users can write about themselves, `user_metadata`,
is never looked at (docs/administration, "The page").
"""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from chatd.auth.tokens import Identity

WRITTEN_BY_USERS: Final = frozenset({"user_metadata", "raw_user_meta_data"})
"""Claims that users fill in themselves."""


def is_own_claim(path: str) -> bool:
    """Whether a dotted path avoids everything that users write; an empty one, for no claim,
    does."""
    keys = path.split(".")
    return not path or (all(keys) and WRITTEN_BY_USERS.isdisjoint(keys))


@attrs.frozen
class AdministratorRule:
    """A token is an administrator's if its claim at the dotted path is `role`, or a list that holds
    it; with an empty path no token is."""

    path: str
    role: str

    def admits(self, identity: Identity) -> bool:
        """Whether a verified token is an administrator's."""
        if not self.path or not self.role or not is_own_claim(self.path):
            return False
        found: Any = identity.claims
        for key in self.path.split("."):
            if not isinstance(found, Mapping):
                return False
            found = found.get(key)
        return found == self.role if isinstance(found, str) else _holds(found, self.role)


def _holds(found: object, role: str) -> bool:
    return isinstance(found, list) and any(type(one) is str and one == role for one in found)

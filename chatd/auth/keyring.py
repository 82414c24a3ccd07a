"""All keys that tokens are verified with: secrets of the operator, and the key set of an issuer."""

from collections.abc import Sequence
from typing import Final

import attrs

from chatd.auth.jwk import ALGORITHMS
from chatd.auth.key_set import KeySet
from chatd.auth.keys import HS256, BoundKey, bound_secret

SECRETS_MAX: Final = 8
"""Secrets that a token is tried with; a rotation needs two."""


@attrs.define(eq=False)
class KeyRing:
    """`secrets` verify HS256 until they end. `key_set` is None if no issuer has one; it is replaced
    as a whole when the issuer's set was read again.

    Raises ValueError for more than `SECRETS_MAX` secrets, and if there is nothing to verify with.
    """

    secrets: Sequence[BoundKey] = ()
    key_set: KeySet | None = None

    def __attrs_post_init__(self) -> None:
        if len(self.secrets) > SECRETS_MAX:
            raise ValueError(f"{len(self.secrets)} secrets are too many; take {SECRETS_MAX}")
        if not self.secrets and self.key_set is None:
            raise ValueError("there is no key that tokens could be verified with")

    @classmethod
    def of_secret(cls, secret: str) -> "KeyRing":
        """One secret, and no more. Raises ValueError as `bound_secret`."""
        return cls([bound_secret(secret)])

    @property
    def algorithm_names(self) -> tuple[str, ...]:
        """What the header of a token may name (`alg`)."""
        of_secrets = (HS256,) if self.secrets else ()
        return of_secrets if self.key_set is None else (*of_secrets, *ALGORITHMS)

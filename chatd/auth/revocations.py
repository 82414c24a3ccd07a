"""Users whose tokens from before a moment are refused; kept in a file of the state directory.

A token is good until it expires, whatever happens to its user. A revocation ends that: it names a
user and a moment, and tokens issued to the user up to then are refused. It is kept for ever, since
nobody knows how long the issuer's tokens live. The file is whole or as it was before, and is on the
disk before `write` returns.

Tokens are dated to the second. One that was issued in the very second of the revocation is refused
too: in doubt, refuse.
"""

import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from chatd.auth.refusals import TokenRefused
from chatd.auth.tokens import Identity
from chatd.files import give_to_owner_of, open_file, sync_directory
from chatd.wire.codes import EXPLANATIONS, Code

REVOCATIONS_NAME: Final = "revocations.json"  # in the state directory
REVOCATIONS_MAX: Final = 100_000
"""Users that are remembered (some 10 MB). Beyond that, the oldest revocation counts for everybody:
what was issued before it, to anybody, is refused, so that no revoked token is accepted again."""
_FILE_BYTES_MAX: Final = 64 * 1024 * 1024


class RevocationsUnreadable(Exception):
    """The file is damaged; without it nobody can be let in. `str()` says what to do."""


@attrs.define(eq=False)
class Revocations:
    """When the tokens of a user were last revoked, in seconds since the epoch, by user id.

    `everybody_s` is the moment that counts for everybody: see `REVOCATIONS_MAX`.
    """

    _path: Path
    _moments: dict[str, float] = attrs.field(factory=dict)
    _everybody_s: float = -math.inf

    def __len__(self) -> int:
        return len(self._moments)

    def moment_s(self, user_id: str) -> float:
        """The moment up to which tokens issued to a user are refused; minus infinity if none
        are."""
        return self._moments.get(user_id, self._everybody_s)

    def is_revoked(self, identity: Identity) -> bool:
        """Whether the token of `identity` is revoked."""
        return identity.issued_at_s <= self.moment_s(identity.user_id)

    def check(self, identity: Identity) -> None:
        """Raise TokenRefused if the token of `identity` is revoked."""
        if self.is_revoked(identity):
            raise TokenRefused(Code.TOKEN_REVOKED, EXPLANATIONS[Code.TOKEN_REVOKED].sentence)

    def add(self, user_id: str, moment_s: float) -> None:
        """Refuse, from now on, what was issued to the user up to `moment_s`."""
        before_s = self._moments.pop(user_id, self._everybody_s)
        self._moments[user_id] = max(before_s, moment_s)
        while len(self._moments) > REVOCATIONS_MAX:
            oldest = min(self._moments, key=self._moments.__getitem__)
            self._everybody_s = max(self._everybody_s, self._moments.pop(oldest))

    def add_everybody(self, moment_s: float) -> None:
        """Refuse, from now on, what was issued to anybody up to `moment_s`."""
        self._everybody_s = max(self._everybody_s, moment_s)

    def known(self) -> tuple[float, Mapping[str, float]]:
        """The moment that counts for everybody, and the moments of users."""
        return self._everybody_s, self._moments

    def content(self) -> bytes:
        """All revocations, as the file holds them."""
        everybody = None if self._everybody_s == -math.inf else self._everybody_s
        document = {"version": 1, "everybody": everybody, "users": self._moments}
        return json.dumps(document, indent=0).encode()

    def write(self, content: bytes) -> None:
        """Make `content` durable; blocks. If it raises OSError, the file is as it was before."""
        descriptor, temporary = tempfile.mkstemp(
            prefix=f".{self._path.name}.", dir=self._path.parent
        )
        try:
            with open(descriptor, "wb") as file:
                give_to_owner_of(self._path.parent, descriptor)
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, self._path)
        except OSError:
            os.unlink(temporary)
            raise
        sync_directory(self._path.parent)


def read_revocations(state_dir: Path) -> Revocations:
    """The revocations of a state directory; none if there is no file.

    Raises RevocationsUnreadable if the file cannot be understood, and OSError if it cannot be read.
    """
    path = state_dir / REVOCATIONS_NAME
    try:
        with open(open_file(path, os.O_RDONLY), "rb") as file:
            content = file.read(_FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return Revocations(path)
    try:
        document = json.loads(content)
        everybody, users = document["everybody"], document["users"]
        moments = {str(user_id): _moment_s(moment) for user_id, moment in users.items()}
        everybody_s = -math.inf if everybody is None else _moment_s(everybody)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise RevocationsUnreadable(
            f"The list of revoked users {path} is damaged. Bring it back from a backup; or remove "
            "it, and every token that was revoked is taken again until it expires."
        ) from None
    return Revocations(path, moments, everybody_s)


def _moment_s(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("not a moment")
    return float(value)

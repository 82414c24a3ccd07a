"""The port that tells which rooms a user may use.

A directory answers for an identity that has been verified. It gives grants or fails, and the caller
treats a failure as a refusal. The caller decides how long to keep an answer.
"""

from collections.abc import Mapping
from typing import Final, Protocol

import attrs

from chatd.auth.tokens import Identity
from chatd.wire.names import Role

_VIEWER: Final = Role.VIEWER  # each message asks, and looking a member up costs 0.1 us
NO_ANSWER: Final = "The directory of rooms does not answer; try again later."


@attrs.frozen
class Grant:
    """A room that a user may use, the title under which it is shown, and what the user may do."""

    connection_id: str
    title: str | None
    role: Role = Role.MEMBER

    @property
    def may_write(self) -> bool:
        """Whether the user may change anything in the room, or have its database run anything."""
        return self.role is not _VIEWER


def role_of(value: object) -> Role | None:
    """The role that a directory names: member if it names none, None if it is not a role. Nobody
    gets a room with an unknown role."""
    if value is None:
        return Role.MEMBER
    return _ROLES.get(value) if isinstance(value, str) else None


_ROLES: Final[Mapping[str, Role]] = {role.value: role for role in Role}


class DirectoryFailed(Exception):
    """The directory cannot say which rooms there are; the caller refuses.

    `str()` is a sentence for the user; `reason` is one for the operator, and says more.
    """

    def __init__(self, sentence: str, reason: str | None = None) -> None:
        super().__init__(sentence)
        self.reason = reason or sentence


@attrs.frozen
class DirectoryStatus:
    """The state of a directory: `why_unavailable` is a sentence for the operator, None if the
    directory is well or was not asked yet."""

    why_unavailable: str | None = None


class Directory(Protocol):
    """A source of grants."""

    @property
    def status(self) -> DirectoryStatus:
        """Its state when it was last asked."""
        ...

    def grants_now(self, identity: Identity) -> Mapping[str, Grant] | None:
        """As `grants`; None if the directory would have to wait."""
        ...

    async def grants(self, identity: Identity) -> Mapping[str, Grant]:
        """The rooms of `identity` by connectionId, in the order in which to show them.

        The mapping may be shared between users and must not be changed. Raises DirectoryFailed, and
        TokenRefused if the token is at fault: no retry helps then.
        """
        ...

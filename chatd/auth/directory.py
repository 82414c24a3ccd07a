"""The port behind which a user becomes the rooms that the user may use.

A directory answers for an identity that was verified before. It gives grants or fails, and the
caller treats a failure as a refusal. How long an answer is kept is the caller's business.
"""

from collections.abc import Mapping
from typing import Final, Protocol

import attrs

from chatd.auth.tokens import Identity
from chatd.wire.names import Role

_VIEWER: Final = Role.VIEWER  # each message asks, and to look a member up costs 0.1 us
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
    """The role that a directory writes down: member where there is none, and None where it is no
    role. A room with a role that nobody knows is given to nobody."""
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
    """How a directory is: `why_unavailable` is a sentence for the operator, None where it is well
    or was not asked yet."""

    why_unavailable: str | None = None


class Directory(Protocol):
    """A source of grants."""

    @property
    def status(self) -> DirectoryStatus:
        """How it was when it was asked last."""
        ...

    def grants_now(self, identity: Identity) -> Mapping[str, Grant] | None:
        """As `grants`; None where the directory would have to wait."""
        ...

    async def grants(self, identity: Identity) -> Mapping[str, Grant]:
        """The rooms of `identity` by connectionId, in the order in which to show them.

        The mapping may be shared between users and is not to be changed. Raises DirectoryFailed,
        and TokenRefused where it is the token that is at fault: no retry helps then.
        """
        ...

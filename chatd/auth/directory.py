"""The port behind which a user becomes the rooms that the user may use.

A directory answers for an identity that was verified before. It gives grants or fails, and the
caller treats a failure as a refusal. How long an answer is kept is the caller's business.
"""

from collections.abc import Mapping
from typing import Protocol

import attrs

from chatd.auth.tokens import Identity


@attrs.frozen
class Grant:
    """A room that a user may use, and the title under which it is shown."""

    connection_id: str
    title: str | None


class DirectoryFailed(Exception):
    """The directory cannot say which rooms there are; the caller refuses. `str()` says why."""


class Directory(Protocol):
    """A source of grants."""

    def grants_now(self, identity: Identity) -> Mapping[str, Grant] | None:
        """As `grants`; None where the directory would have to wait."""
        ...

    async def grants(self, identity: Identity) -> Mapping[str, Grant]:
        """The rooms of `identity` by connectionId, in the order in which to show them.

        The mapping may be shared between users and is not to be changed. Raises DirectoryFailed,
        and TokenRefused where it is the token that is at fault: no retry helps then.
        """
        ...

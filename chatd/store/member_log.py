"""The port to the members in a log that several nodes write."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import attrs

from chatd.chat.order import Place
from chatd.chat.shares import Seen


@attrs.frozen
class Standings:
    """Where a user stands: how far rooms are, and its memberships."""

    heads: Mapping[str, Place]
    members: Sequence[Seen]


@attrs.frozen
class WrittenMembers:
    """Members that were written since a mark, some of them again; and the mark of now."""

    members: Sequence[Seen]
    mark: int


class MemberLog(Protocol):
    """The members that the log has now. Reads raise StoreReadFailed."""

    async def standings(self, user_id: str, rooms: Collection[str]) -> Standings:
        """Where a user stands, and how far these rooms are, and those that it is a member of."""
        ...

    async def written_since(self, mark: int) -> WrittenMembers:
        """The members that were written since a look whose mark this is."""
        ...

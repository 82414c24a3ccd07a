"""The port to what is known of a user's rooms: which they are, and what their queues hold."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import attrs

from chatd.chat.queue import Gap


@attrs.frozen
class Standing:
    """A user's rooms at one moment: `owed` is how many messages the queue of each holds.

    `is_overdue`: together the queues hold too many or too old messages.
    """

    owed: Mapping[str, int]
    is_overdue: bool


class Membership(Protocol):
    """The rooms and queues of users. Times are in milliseconds."""

    @property
    def is_shared(self) -> bool:
        """Whether other nodes write them too: then a user who connects is looked up first."""
        ...

    def standing(self, user_id: str, now_ms: int) -> Standing:
        """Where a user stands, as far as it is known here."""
        ...

    async def look(self, user_id: str, rooms: Collection[str]) -> None:
        """Learn where a user stands now, and how far `rooms` are. If that cannot be read, what is
        known stays."""
        ...

    async def follow(self) -> None:
        """Learn what other nodes write, until cancelled."""
        ...

    def overdue(self, user_id: str, now_ms: int) -> Mapping[str, Sequence[Gap]] | None:
        """What the user's queues hold, by room, if it is too much or too old; else None."""
        ...

"""The port to what is known of a user's rooms: which they are, and what their queues hold."""

from collections.abc import Mapping, Sequence
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

    def standing_now(self, user_id: str, now_ms: int) -> Standing | None:
        """As `standing`; None where it would have to wait, which it never has to for the user of a
        connected client."""
        ...

    async def standing(self, user_id: str, now_ms: int) -> Standing:
        """Where a user who connects stands."""
        ...

    async def overdue(self, user_id: str, now_ms: int) -> Mapping[str, Sequence[Gap]] | None:
        """What the user's queues hold, by room, where it is too much or too old; else None."""
        ...

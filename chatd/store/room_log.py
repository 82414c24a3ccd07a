"""The port through which a node reads what any of several nodes has committed in rooms."""

from collections.abc import Mapping
from typing import Protocol

import attrs

from chatd.chat.commits import StoreReadFailed
from chatd.chat.order import Place
from chatd.chat.records import Change, Message


class EpochChanged(StoreReadFailed):
    """The log has another epoch than it had when this node started: all nodes start over."""

    def __init__(self) -> None:
        super().__init__("The log has another epoch than before.")


@attrs.frozen
class Head:
    """How far a room is, and up to which seq retention has removed its messages. `message_id` is
    that of the message at the seq that was asked for, None if there is no such message."""

    place: Place = attrs.field(factory=Place)
    forgotten_seq: int = 0
    message_id: str | None = None


@attrs.frozen
class Shown:
    """How far a node has published a room, and the id of the message at that seq, if it is
    known."""

    place: Place = attrs.field(factory=Place)
    message_id: str | None = None

    def is_in(self, head: Head) -> bool:
        """Whether a log with this head, which was asked about this seq, has all that was shown."""
        has_other = None not in (head.message_id, self.message_id) and (
            head.message_id != self.message_id
        )
        is_short = head.place.seq < self.place.seq or head.place.rev < self.place.rev
        return not has_other and not is_short


NO_MESSAGES = Head()
"""The head of a room without messages."""


@attrs.frozen
class Stretch:
    """What the log has of a room after a place: messages as they are now, and changes.

    It has no other messages and changes up to `up_to`. If `is_to_the_end`, it has none after that
    either; if not, `up_to` is further than the place.
    """

    messages: tuple[Message, ...]
    changes: tuple[Change, ...]
    up_to: Place
    is_to_the_end: bool


class RoomLog(Protocol):
    """What is committed in the rooms, by whichever node. Reads raise StoreReadFailed."""

    async def heads(self, rooms: Mapping[str, int]) -> Mapping[str, Head]:
        """How far each of these rooms is, and what it has at its seq; nothing of a room without a
        message. Raises EpochChanged."""
        ...

    async def read_after(self, room: str, place: Place) -> Stretch:
        """What was committed after `place`: at least a page of it."""
        ...

    async def require(self, room: str, shown: Shown) -> None:
        """This node has published so much of a room. If the log lacks some of it, it was restored,
        or another server has taken over without its end: it gets another epoch. Raises EpochChanged
        then, and also if another node has already found that."""
        ...

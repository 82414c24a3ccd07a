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
    that of the message at the seq that was asked for, None where there is none."""

    place: Place = attrs.field(factory=Place)
    forgotten_seq: int = 0
    message_id: str | None = None


@attrs.frozen
class Shown:
    """How far a node has published a room, and the id of the message at that seq, where it is
    known."""

    place: Place = attrs.field(factory=Place)
    message_id: str | None = None

    def is_in(self, head: Head) -> bool:
        """Whether a log whose head this is, asked for this seq, has all of it."""
        has_other = None not in (head.message_id, self.message_id) and (
            head.message_id != self.message_id
        )
        is_short = head.place.seq < self.place.seq or head.place.rev < self.place.rev
        return not has_other and not is_short


NO_MESSAGES = Head()
"""The head of a room that has none yet."""


@attrs.frozen
class Stretch:
    """What the log has of a room behind a place: messages as they are now, and changes.

    It has no other messages and changes up to `up_to`. Where `is_to_the_end`, it has none behind
    either; where not, `up_to` is further than the place.
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
        """What was committed behind `place`: a page of it, at least."""
        ...

    async def require(self, room: str, shown: Shown) -> None:
        """This node has published so much of a room. Where the log has not all of it, it was
        restored, or another server has taken over without its end: it gets another epoch. Raises
        EpochChanged then, and wherever another node has found that before."""
        ...

"""The port to how much of their rooms users have not read, and to what the members of rooms are
called."""

from collections.abc import Collection, Mapping
from typing import Protocol

from chatd.chat.mentions import Names
from chatd.chat.reading import Reading
from chatd.wire.acks import ReadAck


class Readings(Protocol):
    """Where users stand in rooms. A user who is not a member of a room has read all of it."""

    def readings_now(self, user_id: str, rooms: Collection[str]) -> Mapping[str, Reading] | None:
        """As `readings`; None if something has to be read for it."""
        ...

    async def readings(self, user_id: str, rooms: Collection[str]) -> Mapping[str, Reading]:
        """Where the user stands in each of the rooms. If the history cannot be read, or not in
        time, what is not known counts as messages of others."""
        ...

    def is_known(self, user_id: str, room: str, read_seq: int) -> bool:
        """Whether `reading` would be right at once, were the user to have read up to `read_seq`."""
        ...

    def reading(self, user_id: str, room: str) -> Reading:
        """Where the user stands in the room, as far as that is known now."""
        ...

    def names_in(self, room: str) -> Names:
        """What the members of the room are called."""
        ...


def read_ack(connection_id: str, now: Reading) -> ReadAck:
    """The ack that tells a user where it stands in a room now."""
    return ReadAck(
        connection_id=connection_id,
        read_seq=now.read_seq,
        unread=now.unread,
        mentions=now.mentions,
    )

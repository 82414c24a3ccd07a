"""How many sockets each user has in each room.

A user's queue in a room fills while none of the user's sockets is there (docs/protocol, "Queue"),
so that the last one to leave reports what the user has seen. A socket counts from its join on.
"""

from collections.abc import Collection

import attrs


@attrs.define
class _Stay:
    sockets: int
    seen_seq: int


class Occupancy:
    """Counts by room and user; a count of zero is not kept."""

    def __init__(self) -> None:
        self._occupancy: dict[tuple[str, str], _Stay] = {}

    def __len__(self) -> int:
        return len(self._occupancy)

    def pairs(self) -> Collection[tuple[str, str]]:
        """(connectionId, userId) of all users with a socket in a room."""
        return self._occupancy.keys()

    def enter(self, connection_id: str, user_id: str) -> None:
        """A socket of the user joins the room."""
        stay = self._occupancy.get((connection_id, user_id))
        if stay is None:
            self._occupancy[connection_id, user_id] = _Stay(1, 0)
        else:
            stay.sockets += 1

    def leave(self, connection_id: str, user_id: str, seen_seq: int) -> int | None:
        """One that has seen up to `seen_seq` has left; returns what all have seen, if it was the
        last."""
        stay = self._occupancy[connection_id, user_id]
        stay.sockets -= 1
        stay.seen_seq = max(stay.seen_seq, seen_seq)
        if stay.sockets:
            return None
        del self._occupancy[connection_id, user_id]
        return stay.seen_seq

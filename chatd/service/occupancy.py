"""Who is in which room, counted in sockets: when the first comes, and when the last one is gone.

A user's queue in a room fills while no socket of theirs is there (SPEC 5, "Queue"), so that the
last one to go says what was seen. A socket is counted from the moment at which it asks to join.
"""

from collections.abc import Collection

import attrs


@attrs.define
class _Stay:
    sockets: int
    seen_seq: int


class Occupancy:
    """Counts by room and user; those of nobody are not kept."""

    def __init__(self) -> None:
        self._occupancy: dict[tuple[str, str], _Stay] = {}

    def __len__(self) -> int:
        return len(self._occupancy)

    def pairs(self) -> Collection[tuple[str, str]]:
        """(connectionId, userId) of everybody who has a socket in a room."""
        return self._occupancy.keys()

    def enter(self, connection_id: str, user_id: str) -> None:
        """A socket of the user is about to be in the room."""
        stay = self._occupancy.get((connection_id, user_id))
        if stay is None:
            self._occupancy[connection_id, user_id] = _Stay(1, 0)
        else:
            stay.sockets += 1

    def leave(self, connection_id: str, user_id: str, seen_seq: int) -> int | None:
        """One is gone, having seen up to `seen_seq`; what all had seen, where it was the last."""
        stay = self._occupancy[connection_id, user_id]
        stay.sockets -= 1
        stay.seen_seq = max(stay.seen_seq, seen_seq)
        if stay.sockets:
            return None
        del self._occupancy[connection_id, user_id]
        return stay.seen_seq

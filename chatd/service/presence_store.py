"""Presence and typing as rooms know them: the last change of each user that was sent to a room.

A client that joins gets what is in here, and then what changes; an actor that is started again
begins from it. Of several nodes each has its own; the shared rosters make them equal.
"""

from collections.abc import Collection, Mapping
from typing import Protocol, TypeVar

T = TypeVar("T")


class PresenceStore(Protocol[T]):
    """A value for each user of a room, as it was last sent to the room."""

    def rooms(self) -> Collection[str]:
        """The rooms of which something is kept."""
        ...

    def room(self, connection_id: str) -> Mapping[str, T]:
        """What is kept of a room, by user; it changes with the next `put` or `drop`."""
        ...

    def put(self, connection_id: str, user_id: str, value: T) -> None:
        """The room gets this value of the user."""
        ...

    def drop(self, connection_id: str, user_id: str) -> None:
        """The room learns that the user is no longer there, or no longer types."""
        ...

"""The port of an erasure: finding what the log holds of a user or a room, and taking it out."""

from collections.abc import Sequence
from typing import Protocol

from chatd.chat.records import Message
from chatd.store.erasure import Found, Unfinished


class Traces(Protocol):
    """Finds and removes them. Reads may raise `StoreReadFailed`, removals `CommitFailed`, both
    `StoreClosed`."""

    async def unfinished(self) -> Sequence[Unfinished]:
        """The erasures that were begun, and have no end."""
        ...

    async def messages_of(self, user_id: str, after: int, most: int) -> Found:
        """The next messages that a user wrote, whatever became of them."""
        ...

    async def answers_to(self, user_id: str, most: int) -> Sequence[Message]:
        """Answers that have ended to what a user asked."""
        ...

    async def reacted_by(self, user_id: str, after: int, most: int) -> Found:
        """The next messages to which a user has put a reaction that is there."""
        ...

    async def forget_user(self, user_id: str, name: str) -> int:
        """Take out what names a user, except the user's own messages, or put another name there;
        returns in how many places."""
        ...

    async def forget_room(self, connection_id: str) -> int:
        """Take out who was a member of a room, and what was asked there; returns in how many
        places."""
        ...

    async def write_anew(self) -> None:
        """Leave nothing of what was removed in the files of the log."""
        ...

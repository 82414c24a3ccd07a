"""The port of an erasure: what of a user or a room is in the log, and taking it out."""

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

    async def forget_user(self, user_id: str, name: str) -> None:
        """Take out what names a user, or give it another name, beside messages of its own."""
        ...

    async def forget_room(self, connection_id: str) -> None:
        """Take out who was a member of a room, and what was asked there."""
        ...

    async def write_anew(self) -> None:
        """Leave nothing of what was removed in the files of the log."""
        ...

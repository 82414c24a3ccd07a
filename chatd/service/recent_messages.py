"""The port to what memory knows of recent messages, so that most events need not ask the log."""

from collections.abc import Collection
from typing import Protocol

from chatd.chat.records import MessagePlace


class RecentMessages(Protocol):
    """Hints, as of the actor's last batch: the log may know what is not known here."""

    def knows(self, message_id: str, rooms: Collection[str]) -> bool:
        """Whether a message of this id is among the recent ones of these rooms."""
        ...

    def last_seq(self, connection_id: str) -> int:
        """The newest seq of a room that is known here; other nodes may have stored more."""
        ...

    def recent_from(self, connection_id: str) -> int:
        """The first seq of a room from which on receipts are known without the log."""
        ...

    def settled_to(self, connection_id: str, user_id: str) -> int:
        """The seq of a room up to which every message already has a receipt, so that the user's
        would only repeat it; 0 if that is not known."""
        ...

    def undelivered(
        self, connection_id: str, user_id: str, first_seq: int, last_seq: int, limit: int
    ) -> tuple[MessagePlace, ...]:
        """As `MessageReader.undelivered`, of the recent messages alone."""
        ...

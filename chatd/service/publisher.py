"""The port to where messages go once they are committed."""

from typing import Protocol

from chatd.chat.records import Change, Message


class Publisher(Protocol):
    """Makes committed messages visible to clients, in each room in the order of their seqs."""

    def publish(self, message: Message) -> None:
        """The message is committed. The clients in its room get it once, after all that are before
        it there: at once, or when those are known."""
        ...

    def publish_change(self, change: Change) -> None:
        """A change of a message is committed: likewise, after all messages and changes before it in
        its room."""
        ...

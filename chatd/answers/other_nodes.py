"""The port to the nodes that answer other questions; what is told through it may get lost."""

from typing import Protocol


class OtherNodes(Protocol):
    """Tells the other nodes what concerns answers that are theirs. No method waits."""

    def want_end(self, question_id: str, connection_id: str) -> None:
        """Somebody here has cancelled an answer that is not this node's, or deleted its question;
        the id is the one that clients know."""
        ...

    def ended(self, question_id: str, state: str, *, is_confirmed: bool | None) -> None:
        """An answer that another node wanted to end has ended; the arguments are as in
        `CancelOutcome`."""
        ...

    def written(self, connection_id: str) -> None:
        """The database of a room was written to: what is remembered of it is out of date."""
        ...

    def end_those(self, user_id: str | None, connection_id: str | None) -> None:
        """A user, or a room, is erased: as `AnswerService.end_those`."""
        ...

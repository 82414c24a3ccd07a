"""The port to how much users and rooms may still send (docs/protocol, "Limits").

It is synchronous, since each message asks it: of several nodes each decides by what it knows, and
they tell each other afterwards what they admitted (`SharedRateLimits`). What is one session's own
is its `Allowance`: its buckets, and the waits that it was told. A user's tokens are shared by the
user's sockets; a wait that has grown holds the socket alone that went on too early.
"""

from typing import Protocol

from chatd.service.allowance import Allowance
from chatd.service.rates import Limited, Rates


class RateLimits(Protocol):
    """The limits that sockets share. Synchronous: each message asks.

    A message spends a token of its user, its session and its room, or none. Where an `admit` method
    returns None, what it is about is admitted; else the wait grows with each refusal, but where
    others have emptied the room.
    """

    @property
    def rates(self) -> Rates: ...

    def spend_message(self, user_id: str, session: Allowance, connection_id: str) -> bool:
        """Count a message; False where a token is missing, which adds to no wait."""
        ...

    def admit_message(self, user_id: str, session: Allowance, connection_id: str) -> Limited | None:
        """Count a message, or say what limits it."""
        ...

    def refund_message(self, user_id: str, session: Allowance, connection_id: str) -> None:
        """A message that was counted stored nothing."""
        ...

    def admit_typing(self, user_id: str, session: Allowance) -> Limited | None:
        """Count a start of typing, or say what limits it."""
        ...

    def admit_change(self, user_id: str, session: Allowance) -> Limited | None:
        """Count a deletion or a reaction, or say what limits it."""
        ...

    def admit_socket(self, user_id: str, sockets: int) -> Limited | None:
        """Whether a user with so many sockets may have one more."""
        ...

    def admit_room(self, session: Allowance, rooms: int) -> Limited | None:
        """Whether a socket in so many rooms may join one more."""
        ...

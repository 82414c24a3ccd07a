"""The port to how much users and rooms may still send (docs/protocol, "Limits").

It is synchronous, since each message asks it: of several nodes each decides by what it knows, and
they tell each other afterwards what they admitted (`SharedRateLimits`). What is one session's own
is its `Allowance`: its buckets, and the waits that it was told. A user's sockets share the user's
tokens; a wait that has grown holds only the socket that went on too early.
"""

from typing import Protocol

from chatd.service.allowance import Allowance
from chatd.service.rates import Limit, Limited, Rates


class RateLimits(Protocol):
    """The limits that sockets share. Synchronous: each message asks.

    A message spends a token of its user, of its session and of its room, or no token at all. If an
    `admit` method returns None, the event is admitted; else the wait grows with each refusal,
    except when others have emptied the room.
    """

    @property
    def rates(self) -> Rates: ...

    def spend_message(self, user_id: str, session: Allowance, connection_id: str) -> bool:
        """Count a message; False if a token is missing; no wait grows from that."""
        ...

    def admit_message(self, user_id: str, session: Allowance, connection_id: str) -> Limited | None:
        """Count a message, or say what limits it."""
        ...

    def refund_message(self, user_id: str, session: Allowance, connection_id: str) -> None:
        """Give back what a message spent that stored nothing."""
        ...

    def admit(self, limit: Limit, user_id: str, session: Allowance) -> Limited | None:
        """Count what spends a token of this limit of its user and no other, or say that it limits
        it."""
        ...

    def admit_socket(self, user_id: str, sockets: int) -> Limited | None:
        """Whether a user with so many sockets may have one more."""
        ...

    def admit_room(self, session: Allowance, rooms: int) -> Limited | None:
        """Whether a socket in so many rooms may join one more."""
        ...

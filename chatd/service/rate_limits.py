"""The port to how much users and rooms may still send (docs/protocol, "Limits").

It is synchronous, since each message asks it, and so is local to a node: of several nodes, each
admits its share of a limit. What is one session's own is `Allowance`.
"""

from typing import Protocol

import attrs

from chatd.chat.limits import Bucket
from chatd.observe import EventLog, LimitHit
from chatd.wire.codes import Code, Refusal


@attrs.frozen
class Rates:
    """How much is admitted a minute; and how many sockets and rooms there may be."""

    user_messages: float
    socket_messages: float
    room_messages: float
    user_typing: float
    socket_events: float
    sockets_per_user: float
    rooms_per_socket: float


@attrs.frozen
class Limited:
    """What refuses something: the limit, by its key in the configuration, and for how long."""

    limit: str
    wait_ms: int

    def refusal(self, user_id: str, event_log: EventLog, sentence: str | None = None) -> Refusal:
        """What the user gets; recorded."""
        event_log.record(LimitHit(self.limit, user_id, None))
        return Refusal(Code.RATE_LIMITED, sentence, retry_after_ms=self.wait_ms)


class RateLimits(Protocol):
    """The limits that sockets share. Synchronous: each message asks.

    A message spends a token of its user, its socket (`socket` is that bucket) and its room, or
    none. Where an `admit` method returns None, what it is about is admitted.
    """

    @property
    def rates(self) -> Rates: ...

    def spend_message(self, user_id: str, socket: Bucket, connection_id: str) -> bool:
        """Count a message; False where a token is missing, which adds to no wait."""
        ...

    def admit_message(self, user_id: str, socket: Bucket, connection_id: str) -> Limited | None:
        """Count a message, or say what limits it; the wait grows with each refusal."""
        ...

    def refund_message(self, user_id: str, socket: Bucket, connection_id: str) -> None:
        """A message that was counted stored nothing."""
        ...

    def admit_typing(self, user_id: str) -> Limited | None:
        """Count a start of typing, or say what limits it."""
        ...

    def admit_socket(self, user_id: str, sockets: int) -> Limited | None:
        """Whether a user with so many sockets may have one more."""
        ...

    def admit_room(self, user_id: str, rooms: int) -> Limited | None:
        """Whether a socket in so many rooms may join one more."""
        ...

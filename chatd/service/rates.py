"""The limits on users, sockets and rooms, and what a refusal comes to (docs/protocol, "Limits").

A new limit is a member of `Limit` and a key in the section [limits]. If a user has it for one kind
of event, the route of that event names it (`RateLimits.admit`).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self, TypeAlias

import attrs

from chatd.observe import EventLog, LimitHit
from chatd.wire.codes import Code, Refusal


class Limit(StrEnum):
    """A limit, by its key in the configuration.

    `shared_as` is the name of its buckets in what nodes tell each other (`SharedRateLimits`). A
    limit has no such name if it is on a count, or if each session has a bucket of its own.
    """

    shared_as: str | None

    def __new__(cls, key: str, shared_as: str | None = None) -> Self:
        limit = str.__new__(cls, key)
        limit._value_, limit.shared_as = key, shared_as
        return limit

    USER_MESSAGES = "user_messages_per_minute", "user"
    SOCKET_MESSAGES = "socket_messages_per_minute"
    ROOM_MESSAGES = "room_messages_per_minute", "room"
    USER_TYPING = "user_typing_per_minute", "typing"
    USER_CHANGES = "user_changes_per_minute", "changes"
    SOCKET_EVENTS = "socket_events_per_minute"
    SOCKETS_PER_USER = "sockets_per_user"
    ROOMS_PER_SOCKET = "rooms_per_socket"


Rates: TypeAlias = Mapping[Limit, float]
"""What each limit admits: so many a minute, or so many at once."""


@attrs.frozen
class Limited:
    """What refuses something, and for how long."""

    limit: Limit
    wait_ms: int

    def refusal(self, user_id: str, event_log: EventLog, sentence: str | None = None) -> Refusal:
        """What the user gets; recorded."""
        event_log.record(LimitHit(self.limit, user_id, None))
        return Refusal(Code.RATE_LIMITED, sentence, retry_after_ms=self.wait_ms)

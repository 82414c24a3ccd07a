"""How much users and rooms may still send (docs/protocol, "Limits").

`RateLimits` is the port: what the sockets of a user share, and what the members of a room share.
`LocalRateLimits` keeps it in memory; a restart forgets it. What is one socket's own is `Allowance`.
"""

import math
from typing import Protocol

import attrs
import trio

from chatd.chat.limits import Bucket, Limiter, Penalties, Penalty, acquire, admit
from chatd.observe import EventLog, LimitHit
from chatd.wire.codes import Code, Refusal

CEILING_RETRY_S = 5.0  # the first wait of a client that met a limit on a count


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


class Allowance:
    """What one session may send, on whichever of its sockets. `__slots__`: one a session."""

    __slots__ = ("_events", "_penalty", "messages")

    def __init__(self, rates: Rates) -> None:
        now_s = trio.current_time()
        self.messages = Bucket(rates.socket_messages, now_s)
        self._events = Bucket(rates.socket_events, now_s)
        self._penalty: Penalty | None = None  # most are never refused

    def admit_event(self) -> Limited | None:
        """Count an event, or say what limits it."""
        now_s, penalty = trio.current_time(), self._penalty
        blocked_s = penalty.blocked_s(now_s) if penalty is not None else 0.0
        wait_s = blocked_s or self._events.wait_s(now_s)
        if wait_s == 0.0:
            self._events.spend()
            if penalty is not None:
                penalty.admitted()
            return None
        if penalty is None:
            penalty = self._penalty = Penalty()
        wait_ms = math.ceil(penalty.refuse(wait_s, now_s) * 1000)
        return Limited("socket_events_per_minute", wait_ms)


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


class LocalRateLimits:
    """The limits of one daemon, in memory."""

    def __init__(self, rates: Rates) -> None:
        self.rates = rates
        self._users = Limiter(rates.user_messages)
        self._rooms = Limiter(rates.room_messages)
        self._typing = Limiter(rates.user_typing)
        self._penalties = Penalties()
        self._room_penalties = Penalties()  # by user and room: a full room blocks no other room
        self._typing_penalties = Penalties()  # of its own: too much typing blocks no message
        self._ceilings = Penalties()  # by limit and user

    def spend_message(self, user_id: str, socket: Bucket, connection_id: str) -> bool:
        now_s = trio.current_time()
        buckets = self._message_buckets(user_id, socket, connection_id, now_s)
        key, penalties = self._held_by(user_id, connection_id, buckets, now_s)
        return acquire(key, buckets, penalties, now_s) == 0.0

    def admit_message(self, user_id: str, socket: Bucket, connection_id: str) -> Limited | None:
        now_s = trio.current_time()
        buckets = self._message_buckets(user_id, socket, connection_id, now_s)
        key, penalties = self._held_by(user_id, connection_id, buckets, now_s)
        wait_ms = admit(key, buckets, penalties, now_s)
        if wait_ms is None:
            return None
        _, penalties = self._held_by(user_id, connection_id, buckets, now_s)
        if penalties is self._room_penalties:
            return Limited("room_messages_per_minute", wait_ms)
        owner = "socket" if socket.wait_s(now_s) > buckets[0].wait_s(now_s) else "user"
        return Limited(f"{owner}_messages_per_minute", wait_ms)

    def refund_message(self, user_id: str, socket: Bucket, connection_id: str) -> None:
        now_s = trio.current_time()
        for bucket in self._message_buckets(user_id, socket, connection_id, now_s):
            bucket.give_back()

    def admit_typing(self, user_id: str) -> Limited | None:
        now_s, penalties = trio.current_time(), self._typing_penalties
        wait_ms = admit(user_id, (self._typing.bucket(user_id, now_s),), penalties, now_s)
        return None if wait_ms is None else Limited("user_typing_per_minute", wait_ms)

    def admit_socket(self, user_id: str, sockets: int) -> Limited | None:
        is_room = sockets < self.rates.sockets_per_user
        return self._admit_one_more("sockets_per_user", user_id, is_room)

    def admit_room(self, user_id: str, rooms: int) -> Limited | None:
        is_room = rooms < self.rates.rooms_per_socket
        return self._admit_one_more("rooms_per_socket", user_id, is_room)

    def _admit_one_more(self, limit: str, user_id: str, is_room: bool) -> Limited | None:
        key = f"{limit} {user_id}"
        if not is_room:
            wait_s = self._ceilings.refuse(key, CEILING_RETRY_S, trio.current_time())
            return Limited(limit, math.ceil(wait_s * 1000))
        penalty = self._ceilings.get(key)
        if penalty is not None:
            penalty.admitted()
        return None

    def _held_by(
        self,
        user_id: str,
        connection_id: str,
        buckets: tuple[Bucket, Bucket, Bucket],
        now_s: float,
    ) -> tuple[str, Penalties]:
        """The key and the table of the penalty that a refusal counts in: the user's, for all
        rooms, or where the room alone is full, that of the user in this room."""
        user, socket, room = buckets
        if not len(self._room_penalties) and room.wait_s(now_s) == 0.0:  # as nearly always
            return user_id, self._penalties
        key = f"{connection_id}\n{user_id}"  # no two are equal: neither holds a line break
        own, there = self._penalties.get(user_id), self._room_penalties.get(key)
        is_own = (own is not None and own.blocked_s(now_s) > 0.0) or (
            user.wait_s(now_s) > 0.0 or socket.wait_s(now_s) > 0.0
        )
        is_theirs = room.wait_s(now_s) > 0.0 or (there is not None and there.blocked_s(now_s) > 0.0)
        if is_theirs and not is_own:
            return key, self._room_penalties
        if there is not None and not is_theirs and not is_own:
            there.admitted()
        return user_id, self._penalties

    def _message_buckets(
        self, user_id: str, socket: Bucket, connection_id: str, now_s: float
    ) -> tuple[Bucket, Bucket, Bucket]:
        return self._users.bucket(user_id, now_s), socket, self._rooms.bucket(connection_id, now_s)

"""How much users and rooms may still send (docs/protocol, "Limits").

`RateLimits` is the port: what the sockets of a user share, and what the members of a room share.
`LocalRateLimits` keeps it in memory; a restart forgets it. What is one socket's own is `Allowance`.
"""

import math
from typing import Protocol

import attrs
import trio

from chatd.chat.limits import Bucket, Limiter, Penalties, Penalty, admit, take

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


class Allowance:
    """What one session may send, on whichever of its sockets. `__slots__`: one a session."""

    __slots__ = ("_events", "_penalty", "messages")

    def __init__(self, rates: Rates) -> None:
        now_s = trio.current_time()
        self.messages = Bucket(rates.socket_messages, now_s)
        self._events = Bucket(rates.socket_events, now_s)
        self._penalty: Penalty | None = None  # most are never refused

    def admit_event(self) -> int | None:
        """Count an event, or the milliseconds to wait before another try."""
        now_s, penalty = trio.current_time(), self._penalty
        blocked_s = penalty.blocked_s(now_s) if penalty is not None else 0.0
        wait_s = blocked_s or self._events.wait_s(now_s)
        if wait_s == 0.0:
            self._events.take()
            if penalty is not None:
                penalty.admitted()
            return None
        if penalty is None:
            penalty = self._penalty = Penalty()
        return math.ceil(penalty.refuse(wait_s, now_s) * 1000)


class RateLimits(Protocol):
    """The limits that sockets share. Synchronous: each message asks.

    A message spends a token of its user, its socket (`socket` is that bucket) and its room, or
    none. A wait is in milliseconds, for `retryAfterMs`; None admits.
    """

    @property
    def rates(self) -> Rates: ...

    def spend_message(self, user_id: str, socket: Bucket, connection_id: str) -> bool:
        """Count a message; False where a token is missing, which adds to no wait."""
        ...

    def admit_message(self, user_id: str, socket: Bucket, connection_id: str) -> int | None:
        """Count a message, or the wait, which grows with each refusal."""
        ...

    def message_limit(self, user_id: str, socket: Bucket, connection_id: str) -> str:
        """The configuration key of the limit that has just refused a message."""
        ...

    def refund_message(self, user_id: str, socket: Bucket, connection_id: str) -> None:
        """A message that was counted stored nothing."""
        ...

    def admit_typing(self, user_id: str) -> int | None:
        """Count a start of typing, or the wait."""
        ...

    def admit_socket(self, user_id: str, sockets: int) -> int | None:
        """Whether a user with so many sockets may have one more, or the wait."""
        ...

    def admit_room(self, user_id: str, rooms: int) -> int | None:
        """Whether a socket in so many rooms may join one more, or the wait."""
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
        return take(key, buckets, penalties, now_s) == 0.0

    def admit_message(self, user_id: str, socket: Bucket, connection_id: str) -> int | None:
        now_s = trio.current_time()
        buckets = self._message_buckets(user_id, socket, connection_id, now_s)
        key, penalties = self._held_by(user_id, connection_id, buckets, now_s)
        return admit(key, buckets, penalties, now_s)

    def message_limit(self, user_id: str, socket: Bucket, connection_id: str) -> str:
        now_s = trio.current_time()
        buckets = self._message_buckets(user_id, socket, connection_id, now_s)
        _, penalties = self._held_by(user_id, connection_id, buckets, now_s)
        if penalties is self._room_penalties:
            return "room_messages_per_minute"
        owner = "socket" if socket.wait_s(now_s) > buckets[0].wait_s(now_s) else "user"
        return f"{owner}_messages_per_minute"

    def refund_message(self, user_id: str, socket: Bucket, connection_id: str) -> None:
        now_s = trio.current_time()
        for bucket in self._message_buckets(user_id, socket, connection_id, now_s):
            bucket.give_back()

    def admit_typing(self, user_id: str) -> int | None:
        now_s = trio.current_time()
        return admit(user_id, (self._typing.bucket(user_id, now_s),), self._typing_penalties, now_s)

    def admit_socket(self, user_id: str, sockets: int) -> int | None:
        is_room = sockets < self.rates.sockets_per_user
        return self._admit_one_more(f"sockets_per_user {user_id}", is_room)

    def admit_room(self, user_id: str, rooms: int) -> int | None:
        is_room = rooms < self.rates.rooms_per_socket
        return self._admit_one_more(f"rooms_per_socket {user_id}", is_room)

    def _admit_one_more(self, key: str, is_room: bool) -> int | None:
        if not is_room:
            wait_s = self._ceilings.refuse(key, CEILING_RETRY_S, trio.current_time())
            return math.ceil(wait_s * 1000)
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

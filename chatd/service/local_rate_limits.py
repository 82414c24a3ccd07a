"""The limits that sockets share, in the memory of this node; a restart forgets them."""

import math

import trio

from chatd.chat.limits import Bucket, Limiter, Penalties, acquire, admit
from chatd.service.rate_limits import Limited, Rates

CEILING_RETRY_S = 5.0  # the first wait of a client that met a limit on a count


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

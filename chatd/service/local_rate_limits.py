"""The limits that sockets share, in the memory of this node; a restart forgets them."""

import math
from collections.abc import Mapping
from types import MappingProxyType

import attrs
import trio

from chatd.chat.limits import BACKOFF_FIRST_S, Bucket, Limiter, Penalties
from chatd.service.allowance import Allowance
from chatd.service.rates import Limit, Limited, Rates

CEILING_RETRY_S = 5.0  # the first wait of a client that met a limit on a count
OWN_SHARE = 0.25
"""The share of a room's messages of a minute from which on its sender has helped to empty the room,
and is held to the waits that it is told there. For any other user these waits do not grow."""

# What a message spends a token of. To look a member up costs 0.2 us.
USER, SOCKET, ROOM = Limit.USER_MESSAGES, Limit.SOCKET_MESSAGES, Limit.ROOM_MESSAGES
_IN_ROOM = f"{ROOM}\n"  # before the room, in the key of a penalty


@attrs.frozen
class _Claim:
    """A token that a message needs: of which limit, and the key of the session's penalty there."""

    limit: Limit
    bucket: Bucket
    key: str


class LocalRateLimits:
    """The limits of one daemon, in memory."""

    def __init__(self, rates: Rates, own_rates: Mapping[str, float] = MappingProxyType({})) -> None:
        """`own_rates`: messages a minute, of users who have a rate of their own."""
        self.rates = rates
        self._limiters = {limit: Limiter(rates[limit]) for limit in Limit if limit.shared_as}
        self._users, self._rooms = self._limiters[USER], self._limiters[ROOM]
        self._own = {user_id: Limiter(rate) for user_id, rate in own_rates.items()}
        # By room and user, counted while less than half of the room's tokens is left.
        self._shares = Limiter(rates[ROOM] * OWN_SHARE)
        self._ceilings = Penalties()  # of users with too many sockets

    def replace(self, rates: Rates, own_rates: Mapping[str, float]) -> None:
        """Put other rates in force from now on; what was sent until now still counts."""
        now_s = trio.current_time()
        self.rates = rates
        for limit, limiter in self._limiters.items():
            limiter.change(rates[limit], now_s)
        before = self._own
        self._own = {
            user_id: before.get(user_id) or Limiter(own_rates[user_id]) for user_id in own_rates
        }
        for user_id, limiter in self._own.items():
            limiter.change(own_rates[user_id], now_s)
        self._shares.change(rates[ROOM] * OWN_SHARE, now_s)

    def spend_message(self, user_id: str, session: Allowance, connection_id: str) -> bool:
        now_s, own = trio.current_time(), session.messages
        user = self._own.get(user_id, self._users).bucket(user_id, now_s)
        room = self._rooms.bucket(connection_id, now_s)
        if user.wait_s(now_s) or own.wait_s(now_s) or room.wait_s(now_s):
            return False
        if session.penalties is not None:
            claims = self._claims(user_id, session, connection_id, now_s)
            if any(session.blocked_s(one.key, now_s) for one in claims):
                return False
            for one in claims:
                session.admitted(one.key)
        user.spend()
        own.spend()
        room.spend()
        if room.is_scarce and not self._has_emptied(user_id, connection_id, now_s):
            self._share(user_id, connection_id, now_s).spend()
        return True

    def admit_message(self, user_id: str, session: Allowance, connection_id: str) -> Limited | None:
        if self.spend_message(user_id, session, connection_id):
            return None
        now_s, refused = trio.current_time(), []
        for one in self._claims(user_id, session, connection_id, now_s):
            blocked_s, wait_s = session.blocked_s(one.key, now_s), one.bucket.wait_s(now_s)
            if not (blocked_s or wait_s):
                continue
            is_own = one.limit is not ROOM or self._has_emptied(user_id, connection_id, now_s)
            if is_own or blocked_s:
                told_s = session.own_penalties().refuse(one.key, blocked_s or wait_s, now_s)
            else:
                told_s = max(BACKOFF_FIRST_S, wait_s)
            refused.append(Limited(one.limit, math.ceil(told_s * 1000)))
        return max(refused, key=lambda limited: limited.wait_ms)

    def refund_message(self, user_id: str, session: Allowance, connection_id: str) -> None:
        now_s = trio.current_time()
        room = self._rooms.bucket(connection_id, now_s)
        if room.is_scarce:
            self._share(user_id, connection_id, now_s).give_back()
        user = self._own.get(user_id, self._users).bucket(user_id, now_s)
        for bucket in (user, session.messages, room):
            bucket.give_back()

    def admit(self, limit: Limit, user_id: str, session: Allowance) -> Limited | None:
        now_s = trio.current_time()
        return session.admit(limit, self._limiters[limit].bucket(user_id, now_s), now_s)

    def admit_socket(self, user_id: str, sockets: int) -> Limited | None:
        if sockets < self.rates[Limit.SOCKETS_PER_USER]:
            penalty = self._ceilings.get(user_id)
            if penalty is not None:
                penalty.admitted()
            return None
        wait_s = self._ceilings.refuse(user_id, CEILING_RETRY_S, trio.current_time())
        return Limited(Limit.SOCKETS_PER_USER, math.ceil(wait_s * 1000))

    def admit_room(self, session: Allowance, rooms: int) -> Limited | None:
        if rooms < self.rates[Limit.ROOMS_PER_SOCKET]:
            session.admitted(Limit.ROOMS_PER_SOCKET)
            return None
        return session.refuse(Limit.ROOMS_PER_SOCKET, CEILING_RETRY_S, trio.current_time())

    def _claims(
        self, user_id: str, session: Allowance, connection_id: str, now_s: float
    ) -> tuple[_Claim, ...]:
        return (
            _Claim(USER, self._own.get(user_id, self._users).bucket(user_id, now_s), USER),
            _Claim(SOCKET, session.messages, SOCKET),
            _Claim(ROOM, self._rooms.bucket(connection_id, now_s), _IN_ROOM + connection_id),
        )

    def _share(self, user_id: str, connection_id: str, now_s: float) -> Bucket:
        """What the user may still send to a room that is nearly full before it has emptied it."""
        return self._shares.bucket(f"{connection_id}\n{user_id}", now_s)

    def _has_emptied(self, user_id: str, connection_id: str, now_s: float) -> bool:
        """Whether this user, alone or with others, has filled a room that is full."""
        return self._share(user_id, connection_id, now_s).wait_s(now_s) > 0.0

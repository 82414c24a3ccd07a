"""What one session may send (docs/protocol, "Limits"); what sessions share is in `RateLimits`."""

import math

import trio

from chatd.chat.limits import Bucket, Penalties, admit
from chatd.service.rates import Limit, Limited, Rates

PENALTIES_MAX = 100  # one for each limit, and each full room, that has refused the session
_EVENTS = Limit.SOCKET_EVENTS  # to look a member up costs 0.2 us


class Allowance:
    """What one session may send, on whichever of its sockets. `__slots__`: one a session.

    `messages` are the tokens of the socket. `penalties` are the waits that it was told, by limit;
    None, as for most, as long as nothing was refused.
    """

    __slots__ = ("_events", "messages", "penalties")

    def __init__(self, rates: Rates) -> None:
        now_s = trio.current_time()
        self.messages = Bucket(rates[Limit.SOCKET_MESSAGES], now_s)
        self._events = Bucket(rates[_EVENTS], now_s)
        self.penalties: Penalties | None = None

    def replace(self, rates: Rates) -> None:
        """Other rates are in force from now on."""
        now_s = trio.current_time()
        self.messages.change(rates[Limit.SOCKET_MESSAGES], now_s)
        self._events.change(rates[_EVENTS], now_s)

    def admit_event(self) -> Limited | None:
        """Count an event, or say what limits it."""
        now_s = trio.current_time()
        if self.penalties is None and self._events.wait_s(now_s) == 0.0:  # as nearly always
            self._events.spend()
            return None
        return self.admit(_EVENTS, self._events, now_s)

    def give_event_back(self) -> None:
        """An event that was counted is about to be counted again."""
        self._events.give_back()

    def admit(self, limit: Limit, bucket: Bucket, now_s: float) -> Limited | None:
        """Spend a token of this limit, or say for how long to wait; the session is held to that."""
        if self.penalties is None and bucket.wait_s(now_s) == 0.0:  # as nearly always
            bucket.spend()
            return None
        wait_ms = admit(limit, bucket, self.own_penalties(), now_s)
        return None if wait_ms is None else Limited(limit, wait_ms)

    def refuse(self, limit: Limit, wait_s: float, now_s: float) -> Limited:
        """Say what limits it; the limit itself needs `wait_s`."""
        wait_s = self.own_penalties().refuse(limit, wait_s, now_s)
        return Limited(limit, math.ceil(wait_s * 1000))

    def own_penalties(self) -> Penalties:
        """Its penalties, made at the first refusal."""
        if self.penalties is None:
            self.penalties = Penalties(keys_max=PENALTIES_MAX)
        return self.penalties

    def blocked_s(self, key: str, now_s: float) -> float:
        """Seconds that it still has to wait by what it was told."""
        penalty = None if self.penalties is None else self.penalties.get(key)
        return 0.0 if penalty is None else penalty.blocked_s(now_s)

    def admitted(self, key: str) -> None:
        """It was let through: the next refusal is about something new."""
        penalty = None if self.penalties is None else self.penalties.get(key)
        if penalty is not None:
            penalty.admitted()

"""What one session may send (docs/protocol, "Limits"); what sessions share is in `RateLimits`."""

import math

import trio

from chatd.chat.limits import Bucket, Penalty
from chatd.service.rate_limits import Limited, Rates


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

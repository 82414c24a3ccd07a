"""How much a user may send: token buckets and penalties (docs/protocol, "Limits").

A bucket fills at its rate and holds a minute's worth. A message spends a token of several buckets
(user, socket, room), or of none (`service.local_rate_limits`); what else a sender does spends one
of a bucket of its own (`admit`). A refusal says how long to wait, which is what the bucket needs;
each further violation by the same key doubles the wait, up to a minute; a clean minute resets it. A
sender that waits as long as it has to, and is refused again because others emptied the bucket
meanwhile, commits no violation; one that is admitted in between, and refused after that, does.

Pure: `now_s` is any clock that does not go back. Every collection is bounded.
"""

import math
from itertools import islice

from chatd.chat.backoff import next_wait_s

BACKOFF_FIRST_S = 1.0  # the least that a refused sender has to wait
BACKOFF_MAX_S = 60.0  # the doubling stops here
CLEAN_S = 60.0  # without a violation for so long, the doubling starts over
DEBT_BURSTS_MAX = 16  # bursts that nodes may have let through before they told each other
TOKEN_ENOUGH = 1.0 - 1e-6  # a token; sums of clock readings fall short of 1 by their rounding
LOOKED_AT = 8  # states that are looked at for an idle one, when there is no room for another
KEYS_MAX = 50_000  # keys with a state of their own, before idle ones are swept out


class Bucket:
    """Tokens that come back with time. `__slots__`: one for each user, socket and room."""

    __slots__ = ("_burst", "_rate_per_s", "_tokens", "_updated_s")

    def __init__(self, per_minute: float, now_s: float, burst: float | None = None) -> None:
        """Full at first, with `burst` tokens or a minute's worth; refilled evenly."""
        self._burst = max(1.0, per_minute if burst is None else burst)
        self._rate_per_s = per_minute / 60.0
        self._tokens = self._burst
        self._updated_s = now_s

    def change(self, per_minute: float, now_s: float, burst: float | None = None) -> None:
        """Have another rate from now on; what it holds stays, as far as it may."""
        self.wait_s(now_s)
        self._burst = max(1.0, per_minute if burst is None else burst)
        self._rate_per_s = per_minute / 60.0
        self._tokens = min(self._tokens, self._burst)

    def wait_s(self, now_s: float, kept: float = 0.0) -> float:
        """Seconds until a token is there, beside `kept` for others; 0 if one is there now."""
        tokens = self._tokens + (now_s - self._updated_s) * self._rate_per_s
        self._tokens = tokens if tokens < self._burst else self._burst
        self._updated_s = now_s
        free = self._tokens - kept
        return 0.0 if free >= TOKEN_ENOUGH else (1.0 - free) / self._rate_per_s

    def spend(self) -> None:
        """Spend the token that `wait_s` has just found."""
        self._tokens -= 1.0

    def give_back(self) -> None:
        """Take back a token that was spent for nothing."""
        self._tokens = min(self._burst, self._tokens + 1.0)

    def debit(self, tokens: float, now_s: float) -> None:
        """Other nodes have spent these tokens; a negative number was given back. So the bucket may
        hold less than nothing, down to `DEBT_BURSTS_MAX` times what it holds when full."""
        self.wait_s(now_s)
        least = -self._burst * DEBT_BURSTS_MAX
        self._tokens = max(least, min(self._burst, self._tokens - tokens))

    @property
    def is_scarce(self) -> bool:
        """Whether less than half of what it may hold is left, as of the last look."""
        return self._tokens < self._burst / 2

    def is_full(self, now_s: float) -> bool:
        """Whether nothing is known here that a new bucket would not know."""
        self.wait_s(now_s)
        return self._tokens >= self._burst


class Penalty:
    """How long a refused sender has to wait, and how often it did not."""

    __slots__ = ("_level_s", "_may_retry", "_until_s", "_violated_s")

    def __init__(self) -> None:
        self._level_s = 0.0  # the wait of the last violation
        self._may_retry = False  # it was refused, and not let through since
        self._until_s = -math.inf
        self._violated_s = -math.inf

    def blocked_s(self, now_s: float) -> float:
        """Seconds that the sender still has to wait."""
        return max(0.0, self._until_s - now_s)

    def admitted(self) -> None:
        """The sender was let through: the next refusal is about something new."""
        self._may_retry = False

    def refuse(self, wait_s: float, now_s: float) -> float:
        """Seconds to wait after a refusal at `now_s`; the bucket itself needs `wait_s`."""
        has_waited = self._may_retry and now_s >= self._until_s
        if self.is_idle(now_s):
            self._level_s = 0.0
            has_waited = False
        if not has_waited:
            least_s = max(BACKOFF_FIRST_S, wait_s)
            self._level_s = next_wait_s(self._level_s, least_s, BACKOFF_MAX_S)
            self._violated_s = now_s
        self._may_retry = True
        wait = max(wait_s, self._level_s)
        self._until_s = now_s + wait
        return wait

    def is_idle(self, now_s: float) -> bool:
        """Whether nothing is known here that a new back-off would not know."""
        return now_s >= self._until_s and now_s - self._violated_s >= CLEAN_S


class Limiter:
    """Buckets by key for one kind of limit, all of one rate."""

    def __init__(self, per_minute: float, *, keys_max: int = KEYS_MAX) -> None:
        self._per_minute = per_minute
        self._buckets: dict[str, Bucket] = {}
        self._keys_max = keys_max

    def __len__(self) -> int:
        return len(self._buckets)

    def bucket(self, key: str, now_s: float) -> Bucket:
        """The bucket of a key, made at its first use."""
        found = self._buckets.get(key)
        if found is None:
            if len(self._buckets) >= self._keys_max:
                self._sweep(now_s)
            found = self._buckets[key] = Bucket(self._per_minute, now_s)
        return found

    def change(self, per_minute: float, now_s: float) -> None:
        """Have another rate from now on, for the keys that are known too."""
        self._per_minute = per_minute
        for bucket in self._buckets.values():
            bucket.change(per_minute, now_s)

    def _sweep(self, now_s: float) -> None:
        """Drop what is idle; if nothing is, drop the oldest half: no new key may grow this."""
        for key in [key for key, bucket in self._buckets.items() if bucket.is_full(now_s)]:
            del self._buckets[key]
        if len(self._buckets) >= self._keys_max:
            for key in list(self._buckets)[: (self._keys_max + 1) // 2]:
                del self._buckets[key]


class Penalties:
    """Penalties by key, bounded; only senders that were refused have one."""

    def __init__(self, *, keys_max: int = KEYS_MAX) -> None:
        self._states: dict[str, Penalty] = {}
        self._keys_max = keys_max

    def __len__(self) -> int:
        return len(self._states)

    def get(self, key: str) -> Penalty | None:
        """The state of a key that was refused before."""
        return self._states.get(key)

    def refuse(self, key: str, wait_s: float, now_s: float) -> float:
        """Seconds that `key` has to wait after one more refusal."""
        state = self._states.pop(key, None)
        if state is None:
            if len(self._states) >= self._keys_max:
                self._drop_one(now_s)
            state = Penalty()
        self._states[key] = state  # at the end: the one refused longest ago stands first
        return state.refuse(wait_s, now_s)

    def _drop_one(self, now_s: float) -> None:
        """Drop one that is idle, if there is one among those first in line; else the first."""
        first = list(islice(self._states, LOOKED_AT))
        idle = (key for key in first if self._states[key].is_idle(now_s))
        del self._states[next(idle, first[0])]


def admit(key: str, bucket: Bucket, penalties: Penalties, now_s: float) -> int | None:
    """Spend a token of the bucket, and return None; or refuse, and return the ms for which the
    sender has to wait (`retryAfterMs`). `key` is what it has its penalty by."""
    penalty = penalties.get(key)
    wait_s = 0.0 if penalty is None else penalty.blocked_s(now_s)
    if wait_s == 0.0:
        wait_s = bucket.wait_s(now_s)
    if wait_s > 0.0:
        return math.ceil(penalties.refuse(key, wait_s, now_s) * 1000)
    bucket.spend()
    if penalty is not None:
        penalty.admitted()
    return None

"""The limits that sockets share, on several nodes (docs/cluster, "Presence, typing and limits").

Each node decides at once, by its own buckets. Once a second it tells what it took from them, and
the others take that from theirs, which may leave less than nothing there. So each node may let one
burst through before it hears of the others; in the long run all nodes together admit what one
would.

    taken   [at, [[name, key, tokens], ...]]   each signal counts once, by its stamp

`name` is `shared_as` of the limit, `key` the user or room.

Nodes do not share who has emptied a room: it matters only to the waits that one node tells. What is
to be told while the bus is away is forgotten.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

import attrs
import trio

from chatd.chat.limits import KEYS_MAX, Bucket
from chatd.chat.shared_clock import SharedClock
from chatd.observe.clock import Clock
from chatd.service.allowance import Allowance
from chatd.service.local_rate_limits import ROOM, USER, LocalRateLimits
from chatd.service.nodes_alive import NodesAlive
from chatd.service.rates import Limit, Limited, Rates
from chatd.service.signals import Signals, in_pieces
from chatd.service.socket_counts import SocketCounts

TOLD_MAX: Final = 5_000
"""Buckets that one beat tells of; the rest waits for the next ones."""
REMEMBERED: Final = 64
"""Stamps of a node's signals that are remembered, so that no signal counts twice."""
TOKENS_MAX: Final = 1_000_000
"""Of one bucket in one signal; nobody took more in a second."""
_KIND: Final = "taken"
_LIMITS: Final = {limit.shared_as: limit for limit in Limit if limit.shared_as}

Key: TypeAlias = tuple[Limit, str]
"""The limit of a bucket, and the user or room that it is of."""


@attrs.frozen
class Elsewhere:
    """How the limits of a node hear of those of the others."""

    signals: Signals
    nodes: NodesAlive
    shared: SharedClock
    clock: Clock
    sockets: SocketCounts


class SharedRateLimits(LocalRateLimits):
    """The limits of one of several nodes."""

    def __init__(self, rates: Rates, own_rates: Mapping[str, float], elsewhere: Elsewhere) -> None:
        super().__init__(rates, own_rates)
        self._elsewhere = elsewhere
        self._taken: dict[Key, int] = {}
        self._heard_at: dict[str, deque[int]] = {}  # by node
        elsewhere.signals.on(_KIND, self._heard)
        elsewhere.nodes.watch(self)

    def spend_message(self, user_id: str, session: Allowance, connection_id: str) -> bool:
        is_admitted = super().spend_message(user_id, session, connection_id)
        if is_admitted:
            self._take(USER, user_id)
            self._take(ROOM, connection_id)
        return is_admitted

    def refund_message(self, user_id: str, session: Allowance, connection_id: str) -> None:
        super().refund_message(user_id, session, connection_id)
        self._take(USER, user_id, -1)
        self._take(ROOM, connection_id, -1)

    def admit(self, limit: Limit, user_id: str, session: Allowance) -> Limited | None:
        limited = super().admit(limit, user_id, session)
        if limited is None:
            self._take(limit, user_id)
        return limited

    def admit_socket(self, user_id: str, sockets: int) -> Limited | None:
        return super().admit_socket(user_id, sockets + self._elsewhere.sockets.elsewhere(user_id))

    def beat(self) -> None:
        """Tell what was taken since the last time."""
        told = [(place, self._taken[place]) for place in islice(self._taken, TOLD_MAX)]
        for place, _ in told:
            del self._taken[place]
        of = self._elsewhere
        taken = ([limit.shared_as, key, tokens] for (limit, key), tokens in told if tokens)
        for piece in in_pieces(taken):
            of.signals.send_all(_KIND, [of.shared.stamp(of.clock.wall_ms()), piece])

    def gone(self, node: str) -> None:
        """What it took is taken; its stamps go on from where they were."""
        self._heard_at.pop(node, None)

    def _take(self, limit: Limit, key: str, tokens: int = 1) -> None:
        taken = self._taken
        place = limit, key
        if place not in taken and len(taken) >= KEYS_MAX:
            return  # more than can ever be told in time
        taken[place] = taken.get(place, 0) + tokens

    def _heard(self, _room: str, node: str, fields: Sequence[Any]) -> None:
        at, taken, *_ = fields
        read = [_read(entry) for entry in taken]
        self._elsewhere.shared.witness(at, self._elsewhere.clock.wall_ms())
        if not self._elsewhere.nodes.heard(node):
            return
        known = self._heard_at.setdefault(node, deque(maxlen=REMEMBERED))
        if at in known or (len(known) == REMEMBERED and at < min(known)):
            return
        known.append(at)
        now_s = trio.current_time()
        for name, key, tokens in read:
            limit = _LIMITS.get(name)
            if limit is not None:  # else only a newer version has it
                self._bucket(limit, key, now_s).debit(tokens, now_s)

    def _bucket(self, limit: Limit, key: str, now_s: float) -> Bucket:
        limiter = self._own.get(key, self._users) if limit is USER else self._limiters[limit]
        return limiter.bucket(key, now_s)


def _read(entry: Any) -> tuple[str, str, int]:
    name, key, tokens, *_ = entry
    if not isinstance(name, str) or not isinstance(key, str) or type(tokens) is not int:
        raise TypeError("no bucket")
    if not -TOKENS_MAX <= tokens <= TOKENS_MAX:
        raise ValueError("no number of tokens")
    return name, key, tokens

"""How many packets that lead nowhere a session may send: beyond that it is read more slowly.

The limits of the chat count events. Pings, pongs, CONNECT and DISCONNECT, acks that nothing waits
for, frames that complete no message, events that are unknown or already refused do not count as
events, but each of them costs the daemon something, and a flood of them would cost every client.
Such a packet takes a token; if none is left, the task that reads for the session sleeps until there
is one, and TCP holds the peer back. A peer that keeps going loses the session. A client that
behaves comes nowhere near it: it sends one pong every 25 seconds.

What does lead somewhere is handled in turns of `PACKETS_PER_TURN`, so that a peer that sends much
at once gets its share and no more.
"""

import trio

from chatd.chat.limits import Bucket

IDLE_BURST = 100  # idle packets of a session at once
IDLE_PER_S = 20.0  # and from then on; beyond it the session is read at this speed
IDLE_FIRST = 8  # idle packets of a session that are only counted: most send no more of them
IDLE_WAITS_MAX = 600  # idle packets in a row that had to wait (for half a minute); then it ends
IDLE_LIMIT = "idle_packets"  # the name of this limit, where it has ended a session
PACKETS_PER_TURN = 32  # packets of a connection that are handled before others get their turn


class Throttle:
    """What one session has left. `__slots__`: one for each session that ever needed it."""

    __slots__ = ("_bucket", "_waits", "_waits_max")

    def __init__(self, waits_max: int = IDLE_WAITS_MAX, *, spent: int = 0) -> None:
        """`spent`: idle packets that came before this throttle existed, `IDLE_BURST` at most."""
        self._bucket = Bucket(60 * IDLE_PER_S, trio.current_time(), burst=IDLE_BURST)
        for _ in range(spent):
            self._bucket.spend()
        self._waits = 0  # in a row
        self._waits_max = waits_max

    @property
    def is_exhausted(self) -> bool:
        """Whether the peer has gone too far."""
        return self._waits > self._waits_max

    def spend(self) -> float:
        """Count an idle packet; returns the seconds for which the peer has to wait for it."""
        wait_s = self._bucket.wait_s(trio.current_time())
        self._bucket.spend()  # it may owe one: the wait is for that
        self._waits = self._waits + 1 if wait_s > 0.0 else 0
        return wait_s

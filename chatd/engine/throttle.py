"""How much of what leads nowhere a session may send: beyond it, it is read no faster than that.

The limits of the chat count events. What is none (pings, pongs, CONNECT and DISCONNECT, acks that
nobody waits for, frames that complete no message), is unknown, or is refused already still costs
the daemon something each time, and a peer that sends nothing else would cost everybody (SPEC 9,
promise 5). Such packets take a token
each; where none is left, the task that reads for the session sleeps until there is one, and TCP
tells the peer; who goes on and on loses the session. Nobody who behaves comes near it: a client
sends a pong in 25 seconds.

What does lead somewhere is handled in turns of `PACKETS_PER_TURN`, so that a peer which sends much
at once gets its share and no more.
"""

import trio

from chatd.chat.limits import Bucket

IDLE_BURST = 100  # idle packets of a session at once
IDLE_PER_S = 20.0  # and from then on; beyond it the session is read at this speed
IDLE_WAITED_MAX = 600  # idle packets in a row that had to wait (for half a minute); then it ends
PACKETS_PER_TURN = 32  # packets of a connection that are handled before others get their turn


class Throttle:
    """What one session has left. `__slots__`: one for each session that ever needed it."""

    __slots__ = ("_bucket", "_waited")

    def __init__(self) -> None:
        self._bucket = Bucket(60 * IDLE_PER_S, trio.current_time(), burst=IDLE_BURST)
        self._waited = 0  # in a row

    @property
    def is_at_its_end(self) -> bool:
        """Whether the peer has gone too far."""
        return self._waited > IDLE_WAITED_MAX

    def spend(self) -> float:
        """Count an idle packet; returns the seconds for which the peer has to wait for it."""
        wait_s = self._bucket.wait_s(trio.current_time())
        self._bucket.take()  # it may owe one: the wait is for that
        if wait_s == 0.0:
            self._waited = 0
            return 0.0
        self._waited += 1
        return wait_s

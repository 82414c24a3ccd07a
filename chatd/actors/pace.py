"""How soon one commit follows on another (DESIGN, "Store", group commit).

A commit costs the same for one message and for a hundred: a sync of the disk, two hops between
threads, a round of writes to sockets. While the event loop has time to spare, commits begin
`WINDOW_S` apart at least, and what comes meanwhile shares the next one; the first after a quiet
moment begins at once. While the loop is busy, what comes during a commit fills the next one by
itself, and waiting would only leave the processor idle: the window shrinks as the loop gets busier.
"""

WINDOW_S = 0.020  # between the beginnings of two commits, while the loop has time to spare
SPARE, BUSY = 0.12, 0.25  # shares of its time that the loop works: the window is whole, and gone
MEMORY_S = 0.1  # of how busy the loop was: what is older counts little


class Pace:
    """Watches how busy a thread is. Times are given; `busy_s` is the time that it has worked."""

    def __init__(self, now_s: float, busy_s: float) -> None:
        self._began_s = float("-inf")
        self._looked_s = now_s
        self._busy_s = busy_s
        self._share = 0.0

    def due_s(self) -> float:
        """The earliest time at which the next commit may begin."""
        spare = (BUSY - self._share) / (BUSY - SPARE)
        return self._began_s + WINDOW_S * min(1.0, max(0.0, spare))

    def begin(self, now_s: float, busy_s: float) -> None:
        """A commit begins."""
        passed_s = now_s - self._looked_s
        if passed_s > 0.0:
            share = (busy_s - self._busy_s) / passed_s
            kept = MEMORY_S / (MEMORY_S + passed_s)
            self._share = kept * self._share + (1.0 - kept) * share
        self._looked_s, self._busy_s = now_s, busy_s
        self._began_s = now_s

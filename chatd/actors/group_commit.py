"""How soon one commit follows on another.

A commit costs the same for one message and for a hundred: a sync of the disk, two hops between
threads, a round of writes to sockets. While the event loop has time to spare, commits begin
`WINDOW_S` apart at least, and what comes meanwhile shares the next one; the first after a quiet
moment begins at once. While the loop is busy, what comes during a commit fills the next one by
itself, and waiting would only leave the processor idle: the window shrinks as the loop gets busier.

Once there are `ENOUGH` commands the commit does not wait, whatever the loop does: more would hardly
make each of them cheaper. So many users who each send on the ack of their last message are in two
or three groups, one of which is answered while the log takes the next; in one group, the loop and
the disk would wait for each other (measured with a hundred of them: a fifth fewer messages).
"""

ENOUGH = 32  # commands: a commit costs 0.5 ms, and each of these 0.08 ms beside it
WINDOW_S = 0.020  # between the beginnings of two commits, while the loop has time to spare
SPARE, BUSY = 0.12, 0.25  # shares of its time that the loop works: the window is whole, and gone
EAGER = 2.0  # what the same load costs more without the window, as a multiple (measured: 2 to 3)
MEMORY_S = 0.1  # how far back it looks at how busy the loop was: older times count little


class GroupCommit:
    """Watches how busy a thread is. Times are given; `busy_s` is the time that it has worked.

    What counts is how busy it would be with the window: without it, a light load looks like a heavy
    one, and would never get the window back.
    """

    def __init__(self, now_s: float, busy_s: float, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._began_s = float("-inf")
        self._looked_s = now_s
        self._busy_s = busy_s
        self._load = 0.0
        self._part = 1.0  # the part of the window that is in force

    def due_s(self) -> float:
        """The earliest time at which the next commit may begin."""
        return self._began_s + self._window_s * self._part

    def begin(self, now_s: float, busy_s: float) -> None:
        """A commit begins."""
        passed_s = now_s - self._looked_s
        if passed_s > 0.0:
            share = (busy_s - self._busy_s) / passed_s
            load = share / (1.0 + EAGER * (1.0 - self._part))
            kept = MEMORY_S / (MEMORY_S + passed_s)
            self._load = kept * self._load + (1.0 - kept) * load
            self._part = min(1.0, max(0.0, (BUSY - self._load) / (BUSY - SPARE)))
        self._looked_s, self._busy_s = now_s, busy_s
        self._began_s = now_s

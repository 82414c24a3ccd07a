"""At the end of a turn, one write to each socket that is owed something.

A reply or a broadcast touches sessions and returns. The flusher's task runs once the tasks that are
running now have run, so that all that they owe goes out together: with many senders to a room this
is ten times the rate, and replies alone gain a half, because peers are not woken one by one between
reads.

A flush to very many sessions, or of very much to some, is sliced, so that others get their turn.
Between two slices of a broadcast, all who are owed a reply by now get it: who sent a message has
its ack while the thousand sockets of the room are still being written to, and what that sender says
next goes out together with the rest.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol

import trio

from chatd.engine.outgoing import Outgoing

# What a session is owed that waits for the flusher. A reply may come on top of a broadcast.
OWED_NOTHING: Final = 0
OWED_BROADCAST: Final = 1
OWED_REPLY: Final = 2

SLICE = 256  # sessions flushed before others get their turn, at most; a power of 2
# For how long sessions are flushed before others get their turn, at most. Those of a broadcast are
# shorter: a message takes some turns from its sender to the room, and the more of them come during
# a round, the more share its writes. Replies would only go out in smaller parts.
REPLIES_S = 0.001
BROADCASTS_S = 0.00025


class Flushable(Protocol):
    """A session, as far as the flusher knows it."""

    pending: list[Outgoing]  # what the peer is owed and its transport does not have yet
    owed: int  # one of those above

    def flush(self) -> None: ...

    def fail(self, error: Exception) -> None: ...


class Flusher:
    """The sessions to flush, and the task that does it.

    `flushed` gets what was noted while sessions were touched, once these are flushed.
    """

    def __init__(self, flushed: Callable[[Sequence[float]], None] = lambda _noted: None) -> None:
        self._flushed = flushed
        self._replies: list[Flushable] = []
        self._broadcasts: list[Flushable] = []
        self._noted: list[float] = []
        self._is_flushing = False
        self._parked: trio.lowlevel.Task | None = None

    def touch(self, session: Flushable) -> None:
        """Flush this session, which is not owed a reply yet, at the end of the turn."""
        session.owed = OWED_REPLY
        self._replies.append(session)
        self._wake()

    def broadcast(self, sessions: Iterable[Flushable], outgoing: Outgoing) -> None:
        """Owe this to all of them; for sessions that are not over.

        As `Session.send` to each, without a call for each, as a room has a thousand; and it goes
        out after all replies.
        """
        broadcasts = self._broadcasts
        for session in sessions:
            session.pending.append(outgoing)
            if not session.owed:
                session.owed = OWED_BROADCAST
                broadcasts.append(session)
        self._wake()

    def note(self, time_s: float) -> None:
        """Hand this to `flushed` once everything that is owed now is written; if nothing is,
        never."""
        if self._is_flushing or self._replies or self._broadcasts:
            self._noted.append(time_s)

    def _wake(self) -> None:
        if self._parked is not None:
            trio.lowlevel.reschedule(self._parked)
            self._parked = None

    async def run(self) -> None:
        """Flush until cancelled."""
        while True:
            if not (self._replies or self._broadcasts or self._noted):
                self._is_flushing = False
                self._parked = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(self._abort)
            self._is_flushing = True
            noted, self._noted = self._noted, []
            listeners, self._broadcasts = iter(self._broadcasts), []
            has_more = True
            while has_more:
                repliers, self._replies = iter(self._replies), []
                while _flush_slice(repliers, REPLIES_S):
                    await trio.lowlevel.checkpoint()
                has_more = _flush_slice(listeners, BROADCASTS_S)
                if has_more:
                    await trio.lowlevel.checkpoint()
            if noted:
                self._flushed(noted)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._parked = None
        return trio.lowlevel.Abort.SUCCEEDED


def _flush_slice(sessions: Iterator[Flushable], slice_s: float) -> bool:
    """Flush the next of these until others are to get their turn; returns False at their end, True
    if some may be left."""
    next_look = 1  # at the clock: after 1, 2, 4, 8 sessions, and so on
    began_s = trio.current_time()
    for flushed, session in enumerate(sessions, start=1):
        session.owed = OWED_NOTHING
        try:
            session.flush()
        except Exception as error:  # one session's fault must not stop the other writes
            session.fail(error)
        if flushed == next_look:
            if flushed == SLICE or trio.current_time() - began_s > slice_s:
                return True
            next_look *= 2
    return False

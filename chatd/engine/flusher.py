"""At the end of a turn, one write to each socket that is owed something.

A reply or a broadcast touches sessions and returns. The flusher's task runs once the tasks that are
running now have run, so that all that they owe goes out together: with many senders to a room this
is ten times the rate, and replies alone gain a half, because peers are not woken one by one between
reads. A flush to very many sessions, or of very much to some, is sliced, so that others get their
turn: 64 KiB of an answer to a hundred sockets take 4 ms, and the ack of somebody in another room
waits for its turn four times.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import trio

from chatd.engine.outgoing import Outgoing

SLICE = 256  # sessions flushed before others get their turn, at most; a power of 2
SLICE_S = 0.001  # for which sessions are flushed before others get their turn, at most


class Flushable(Protocol):
    """A session, as far as the flusher knows it."""

    pending: list[Outgoing]  # what the peer is owed and its transport does not have yet
    is_touched: bool  # it is on the flusher's list

    def flush(self) -> None: ...

    def fail(self, error: Exception) -> None: ...


class Flusher:
    """The list of sessions to flush, and the task that does it.

    `flushed` gets what was noted while sessions were touched, once these are flushed.
    """

    def __init__(self, flushed: Callable[[Sequence[float]], None] = lambda _noted: None) -> None:
        self._flushed = flushed
        self._touched: list[Flushable] = []
        self._noted: list[float] = []
        self._parked: trio.lowlevel.Task | None = None

    def touch(self, session: Flushable) -> None:
        """Flush this session at the end of the turn."""
        session.is_touched = True
        self._touched.append(session)
        self._wake()

    def broadcast(self, sessions: Iterable[Flushable], outgoing: Outgoing) -> None:
        """Owe this to all of them; for sessions that are not over.

        The same as `Session.send` to each, without a call for each: a room has a thousand.
        """
        touched = self._touched
        for session in sessions:
            session.pending.append(outgoing)
            if not session.is_touched:
                session.is_touched = True
                touched.append(session)
        self._wake()

    def note(self, time_s: float) -> None:
        """Hand this to `flushed` once everything that is owed now is written; if nothing is,
        never."""
        if self._touched:
            self._noted.append(time_s)

    def _wake(self) -> None:
        if self._parked is not None:
            trio.lowlevel.reschedule(self._parked)
            self._parked = None

    async def run(self) -> None:
        """Flush until cancelled."""
        while True:
            if not self._touched:
                self._parked = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(self._abort)
            touched, self._touched = self._touched, []
            noted, self._noted = self._noted, []
            in_slice, next_look = 0, 1  # at the clock: after 1, 2, 4, 8 sessions, and so on
            began_s = trio.current_time()
            for session in touched:
                session.is_touched = False
                try:
                    session.flush()
                except Exception as error:  # one session's fault must not stop the other writes
                    session.fail(error)
                in_slice += 1
                if in_slice == next_look:
                    if in_slice == SLICE or trio.current_time() - began_s > SLICE_S:
                        await trio.lowlevel.checkpoint()
                        in_slice, next_look, began_s = 0, 1, trio.current_time()
                    else:
                        next_look *= 2
            if noted:
                self._flushed(noted)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._parked = None
        return trio.lowlevel.Abort.SUCCEEDED

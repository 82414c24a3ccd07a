"""All the deadlines of all sessions, served by one task.

A sleeping task for each session would cost kilobytes and a timer each; here a session is one entry
of a heap, for the nearest of its deadlines; its owner says when the next one is.

Most deadlines are never met: that of a request is taken back as soon as the request is there, and
the next one is later. So an entry stays where it is in the heap when its deadline moves back, and
is put to its new place when its old one comes up: a request costs no work on the heap. An entry
whose deadline moves forward is overtaken by a new one. An entry that was overtaken, or whose
deadline was taken back, lets go of its owner at once and is passed over when its time comes.
"""

import heapq
import math
from typing import Protocol

import attrs
import trio

VOID_MIN = 1_000  # fewer void entries are left to come up by themselves


class HasDeadline(Protocol):
    """What wants to be called when a time has come."""

    deadline_entry: "TimerEntry | None"

    def on_deadline(self, now_s: float) -> float:
        """Do what is due at `now_s`; returns the next deadline, `math.inf` for none."""
        ...


@attrs.define(eq=False, repr=False, weakref_slot=False)
class TimerEntry:
    """An entry of the heap; `owner` is None while it is void. It comes up at `queued_s`, which is
    never after `due_s`; infinite once it is no longer in the heap. Slots: one for each session."""

    due_s: float
    queued_s: float
    owner: HasDeadline | None

    def __lt__(self, other: "TimerEntry") -> bool:
        return self.queued_s < other.queued_s


class Deadlines:
    """The heap, and the task that serves it. Times are those of `trio.current_time`."""

    def __init__(self) -> None:
        self._heap: list[TimerEntry] = []
        self._void = 0  # entries of the heap that have no owner
        self._sleep: trio.CancelScope | None = None

    def schedule(self, owner: HasDeadline, due_s: float) -> None:
        """Call `owner` at `due_s`, instead of at whatever time was scheduled before."""
        entry = owner.deadline_entry
        if entry is not None:
            if entry.queued_s <= due_s < math.inf:
                if entry.owner is None:
                    entry.owner = owner
                    self._void -= 1
                entry.due_s = due_s
                return
            self._release(entry)
            owner.deadline_entry = None
        if due_s == math.inf:
            return
        owner.deadline_entry = entry = TimerEntry(due_s, due_s, owner)
        self._push(entry)

    def suspend(self, owner: HasDeadline) -> None:
        """Do not call `owner` until it is scheduled again, which it is about to be: its entry keeps
        its place."""
        if owner.deadline_entry is not None:
            self._release(owner.deadline_entry)

    def _push(self, entry: TimerEntry) -> None:
        heapq.heappush(self._heap, entry)
        if self._sleep is not None and entry.queued_s < self._sleep.deadline:
            self._sleep.deadline = entry.queued_s

    def _release(self, entry: TimerEntry) -> None:
        """Make the entry void: it calls nobody."""
        if entry.owner is None:
            return
        entry.owner = None
        entry.due_s = math.inf
        self._void += 1
        if self._void > VOID_MIN and self._void > len(self._heap) // 2:
            self._sweep()

    def _sweep(self) -> None:
        """Remove void entries once they are the greater half: they may be due only in hours."""
        kept = []
        for entry in self._heap:
            if entry.owner is None:
                entry.queued_s = math.inf
            else:
                kept.append(entry)
        self._heap[:] = kept
        heapq.heapify(self._heap)
        self._void = 0

    async def run(self) -> None:
        """Serve deadlines until cancelled."""
        heap = self._heap
        while True:
            due_s = heap[0].queued_s if heap else math.inf
            with trio.CancelScope(deadline=due_s) as self._sleep:
                await trio.sleep_forever()
            self._sleep = None
            now_s = trio.current_time()
            while heap and heap[0].queued_s <= now_s:
                self._come_up(heapq.heappop(heap), now_s)

    def _come_up(self, entry: TimerEntry, now_s: float) -> None:
        """An entry has left the heap."""
        owner, due_s = entry.owner, entry.due_s
        entry.queued_s = math.inf
        if owner is None:
            self._void -= 1
        elif due_s > now_s:
            entry.queued_s = due_s
            self._push(entry)
        else:
            entry.owner = owner.deadline_entry = None
            self.schedule(owner, owner.on_deadline(now_s))

"""All the deadlines of all sessions, served by one task.

A sleeping task for each session would cost kilobytes and a timer each; here a session is one entry
of a heap, for the nearest of its deadlines; its owner says when the next one is. An entry that was
overtaken by a newer one, or whose owner ended, lets go of its owner at once and is passed over when
its time comes.
"""

import heapq
import itertools
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
    """An entry of the heap; `owner` is None once it is void. Slots: one for each session."""

    due_s: float
    order: int
    owner: HasDeadline | None

    def __lt__(self, other: "TimerEntry") -> bool:
        return (self.due_s, self.order) < (other.due_s, other.order)


class Deadlines:
    """The heap, and the task that serves it. Times are those of `trio.current_time`."""

    def __init__(self) -> None:
        self._heap: list[TimerEntry] = []
        self._order = itertools.count()
        self._void = 0  # entries of the heap that were overtaken
        self._sleep: trio.CancelScope | None = None

    def schedule(self, owner: HasDeadline, due_s: float) -> None:
        """Call `owner` at `due_s`, instead of at whatever time was scheduled before."""
        if owner.deadline_entry is not None:
            owner.deadline_entry.owner = None
            owner.deadline_entry = None
            self._void += 1
            if self._void > VOID_MIN and self._void > len(self._heap) // 2:
                self._sweep()
        if due_s == math.inf:
            return
        owner.deadline_entry = entry = TimerEntry(due_s, next(self._order), owner)
        heapq.heappush(self._heap, entry)
        if self._sleep is not None and due_s < self._sleep.deadline:
            self._sleep.deadline = due_s

    def _sweep(self) -> None:
        """Void entries may be due in hours: they go once they are the greater half."""
        self._heap[:] = [entry for entry in self._heap if entry.owner is not None]
        heapq.heapify(self._heap)
        self._void = 0

    async def run(self) -> None:
        """Serve deadlines until cancelled."""
        heap = self._heap
        while True:
            due_s = heap[0].due_s if heap else math.inf
            with trio.CancelScope(deadline=due_s) as self._sleep:
                await trio.sleep_forever()
            self._sleep = None
            now_s = trio.current_time()
            while heap and heap[0].due_s <= now_s:
                owner = heapq.heappop(heap).owner
                if owner is None:
                    self._void -= 1
                else:
                    owner.deadline_entry = None
                    self.schedule(owner, owner.on_deadline(now_s))

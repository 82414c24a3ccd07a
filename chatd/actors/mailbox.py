"""A bounded mailbox: `offer` never waits; a sender that is refused may wait for space.

One reader takes everything that is there as one batch, which is what makes group commit and
decisions over a batch cheap: under load the batches grow by themselves.

A command may be patient: it is taken with the first one that is not, or when its patience is at an
end. So for a while it causes no batch of its own, and holds none back; the order stays. Or it is
urgent: the reader, which may let more gather, does not wait then.
"""

import math
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Commands for one actor, in the order in which they were offered.

    `capacity` bounds the commands that wait; beyond it `offer` refuses, and a session stops
    reading from its peer until `space` returns.
    """

    def __init__(self, capacity: int) -> None:
        self._commands: deque[T] = deque()
        self._capacity = capacity
        self._reader: trio.lowlevel.Task | None = None
        self._waiting = trio.lowlevel.ParkingLot()
        self._closed = False
        self._is_read_out = False  # the reader was told that nothing more comes
        self._too_late: list[T] = []
        self._due_s = math.inf  # when the waiting commands are to be taken
        self.is_urgent = False
        """Whether an urgent command waits, so that the reader does not let more gather."""
        self._enough = capacity  # so many commands that the reader waits for no more
        self.waiting_since_s = 0.0
        """When the first of the commands that wait was put in, or its patience ends; where more
        waited than one batch takes: when the batch before them was taken."""

    def __len__(self) -> int:
        return len(self._commands)

    def waits_s(self, now_s: float) -> float:
        """For how many seconds the first command that is due has waited; 0 if none is."""
        return max(0.0, now_s - self.waiting_since_s) if self._commands else 0.0

    @property
    def is_closed(self) -> bool:
        """Whether the actor takes nothing more."""
        return self._closed

    def offer(self, command: T, patience_s: float = 0.0, *, is_urgent: bool = False) -> bool:
        """Put a command in; False if the mailbox is full or closed."""
        if self._closed or len(self._commands) >= self._capacity:
            return False
        self._put(command, patience_s)
        if is_urgent:
            self.is_urgent = True
            self._wake()
        return True

    def put(self, command: T, patience_s: float = 0.0) -> None:
        """Put in a command that must not be lost, whatever the capacity, even after `close`: the
        reader gets it, or it is `left` if the reader has ended.

        For commands that follow on offered ones, which bound their number: a socket that leaves a
        room has joined it.
        """
        if self._is_read_out:
            self._too_late.append(command)
        else:
            self._put(command, patience_s)

    def left(self) -> Sequence[T]:
        """What was put in and the reader has not taken."""
        return (*self._commands, *self._too_late)

    def _put(self, command: T, patience_s: float) -> None:
        self._commands.append(command)
        due_s = trio.current_time() + patience_s if patience_s > 0.0 else -math.inf
        if due_s < self._due_s:
            self._due_s = due_s
            self.waiting_since_s = max(due_s, trio.current_time())
            self._wake()
        elif len(self._commands) == self._enough:
            self._wake()

    def _wake(self) -> None:
        if self._reader is not None:
            trio.lowlevel.reschedule(self._reader)
            self._reader = None

    async def space(self) -> None:
        """Wait until the mailbox takes commands again, or is closed."""
        while not self._closed and len(self._commands) >= self._capacity:
            await self._waiting.park()

    async def receive(self, most: int) -> list[T]:
        """Up to `most` commands, once one is due; an empty list once the mailbox is closed and
        empty."""
        await self.filled()
        count = min(most, len(self._commands))
        batch = [self._commands.popleft() for _ in range(count)]
        self._due_s = math.inf
        self.is_urgent = self.is_urgent and bool(self._commands)
        if self._commands:
            self._due_s = -math.inf
            self.waiting_since_s = trio.current_time()
        self._waiting.unpark_all()
        return batch

    @property
    def has_due(self) -> bool:
        """Whether there is a command that is to be taken now."""
        return bool(self._commands) and (self._closed or self._due_s <= trio.current_time())

    async def filled(self) -> bool:
        """Wait until there is a command that is to be taken; False once it is closed and empty."""
        while not self._closed:
            if not self._commands:
                await self._put_in()
            elif self._due_s == -math.inf or self._due_s <= trio.current_time():
                return True
            else:
                with trio.move_on_at(self._due_s):
                    await self._put_in()
        self._is_read_out = not self._commands
        return not self._is_read_out

    async def gather(self, until_s: float, enough: int) -> None:
        """Let more commands come until `until_s`, or until the mailbox `has_enough`."""
        self._enough = enough
        with trio.move_on_at(until_s):
            while not self.has_enough(enough):
                await self._put_in()

    def has_enough(self, enough: int) -> bool:
        """Whether nothing more is to be waited for: so many commands are there, or an urgent one,
        or the mailbox is closed."""
        return self.is_urgent or self._closed or len(self._commands) >= enough

    async def _put_in(self) -> None:
        """Wait until something is put in that is urgent, due sooner, or makes them enough, or until
        the mailbox is closed."""
        self._reader = trio.lowlevel.current_task()

        def abort(_: object) -> trio.lowlevel.Abort:
            self._reader = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def close(self) -> None:
        """Refuse what is offered; the reader gets what is left, and then nothing."""
        self._closed = True
        self._waiting.unpark_all()
        self._wake()

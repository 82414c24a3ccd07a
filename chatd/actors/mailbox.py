"""A bounded mailbox: `offer` never waits; a sender that is refused may wait for space.

One reader takes everything that is there as one batch, which is what makes group commit and
decisions over a batch cheap: under load the batches grow by themselves.
"""

from collections import deque
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
        self.waiting_since_s = 0.0
        """When the first of the commands that wait was put in; where more waited than one batch
        takes: when the batch before them was taken."""

    def __len__(self) -> int:
        return len(self._commands)

    @property
    def is_closed(self) -> bool:
        """Whether the actor takes nothing more."""
        return self._closed

    def offer(self, command: T) -> bool:
        """Put a command in, or say False where the mailbox is full or closed."""
        if self._closed or len(self._commands) >= self._capacity:
            return False
        self.put(command)
        return True

    def put(self, command: T) -> None:
        """Put a command in that must not be lost, whatever the capacity; nothing once it is closed.

        For commands that follow on offered ones, which bound their number: a socket that leaves a
        room has joined it.
        """
        if self._closed:
            return
        if not self._commands:
            self.waiting_since_s = trio.current_time()
        self._commands.append(command)
        if self._reader is not None:
            trio.lowlevel.reschedule(self._reader)
            self._reader = None

    async def space(self) -> None:
        """Wait until the mailbox takes commands again, or is closed."""
        while not self._closed and len(self._commands) >= self._capacity:
            await self._waiting.park()

    async def receive(self, most: int) -> list[T]:
        """Up to `most` commands, as soon as there is one; none once it is closed and empty."""
        await self.filled()
        count = min(most, len(self._commands))
        batch = [self._commands.popleft() for _ in range(count)]
        if self._commands:
            self.waiting_since_s = trio.current_time()
        self._waiting.unpark_all()
        return batch

    async def filled(self) -> bool:
        """Wait until there is a command; False once it is closed and empty."""
        while not self._commands:
            if self._closed:
                return False
            self._reader = trio.lowlevel.current_task()

            def abort(_: object) -> trio.lowlevel.Abort:
                self._reader = None
                return trio.lowlevel.Abort.SUCCEEDED

            await trio.lowlevel.wait_task_rescheduled(abort)
        return True

    def close(self) -> None:
        """Take nothing more; the reader gets what is left, and then nothing."""
        self._closed = True
        self._waiting.unpark_all()
        if self._reader is not None:
            trio.lowlevel.reschedule(self._reader)
            self._reader = None

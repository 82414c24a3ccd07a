"""Waiting until a socket can be read, and reading from it, for thousands of tasks, cheaply.

Trio's `wait_readable` arms and disarms the kernel for every single wait. On Linux this module keeps
one private epoll in which each socket is registered once. A task that waits parks itself; one small
task waits for the epoll's own descriptor and asks it for a bounded number of events. Elsewhere it
is Trio's `wait_readable`.

A task waits in one of two ways. `readable` returns to it when there is something to read. `reads`
leaves the reading to the small task as well, so long as the task would only read, handle what it
read, and wait again: that saves a pass through the scheduler for each read (measured: a third of
what an echo costs). The task still owns its connection: it is woken when something has to be
awaited, written later or ended, and what the reading raises is raised in it.

The epoll is edge-triggered: bytes are reported once, when they come. So nothing has to be asked of
the kernel for a socket whose task does not read just now, and the small task need not let others
run before it asks again; but a reader that got as much as it asked for, and so may have left bytes
behind, has to say so (`again`). An end of the stream is remembered, as no edge follows it.
"""

import contextlib
import select
import socket
from collections.abc import Awaitable
from typing import Protocol, TypeAlias

import attrs
import outcome
import trio

EVENTS_MAX = 256  # events taken from the epoll in one go, so that others get their turn

if hasattr(select, "epoll"):
    EDGES = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
    ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


class Reader(Protocol):
    """What reads in the place of a task. An object, as a bound method for each connection that
    waits would be 64 bytes more."""

    def read(self) -> bool:
        """Read once and handle what came, without waiting; returns whether the task has to go
        on."""
        ...


class EpollPoller:
    """The cheaper wait: see above. `run` serves the waiting tasks, until cancelled."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.watches: dict[int, EpollWatch] = {}  # by descriptor; those that the epoll knows

    def watch(self, sock: socket.socket) -> "EpollWatch":
        return EpollWatch(self, sock.fileno())

    async def run(self) -> None:
        epoll, watches = self.epoll, self.watches
        reschedule = trio.lowlevel.reschedule
        try:
            while True:
                await trio.lowlevel.wait_readable(epoll.fileno())
                for fd, flags in epoll.poll(0, EVENTS_MAX):
                    watch = watches[fd]
                    if flags & ENDED:
                        watch.has_ended = True
                    task = watch.task
                    if task is None:
                        watch.is_ready = True
                        continue
                    watch.task = None
                    if watch.reader is not None:
                        try:
                            goes_on = watch.reader.read()
                        except Exception as error:
                            reschedule(task, outcome.Error(error))
                            continue
                        if not (goes_on or watch.is_ready or watch.has_ended):
                            watch.task = task
                            continue
                    reschedule(task)
        finally:
            epoll.close()


@attrs.define(eq=False, repr=False, weakref_slot=False)
class EpollWatch:
    """The wait of one socket, for one task. One exists for each connection, hence slots."""

    _owner: EpollPoller
    _fd: int
    task: trio.lowlevel.Task | None = None
    reader: Reader | None = None  # the waiting task leaves the reading to it
    is_ready: bool = False  # an edge came while no task waited
    has_ended: bool = False  # no further edge will come

    async def readable(self) -> None:
        """Return when the socket has bytes, an end, or an error to read."""
        if self.is_ready or self.has_ended:
            self.is_ready = False
            await trio.lowlevel.checkpoint()
            return
        self._park(None)
        await trio.lowlevel.wait_task_rescheduled(self)

    def reads(self, reader: Reader) -> Awaitable[None]:
        """Let `reader` read whenever there is something to read, until it says that the task has to
        go on, or until `wake`, or earlier: the caller looks what is to be done, and waits again.
        What it raises is raised here.

        To be awaited at once. This is not a coroutine itself: that would be 216 bytes a connection.
        """
        if self.is_ready or self.has_ended:
            return self._reads_what_is_there(reader)
        self._park(reader)
        return trio.lowlevel.wait_task_rescheduled(self)  # noqa: ASYNC105 - the caller awaits it

    async def _reads_what_is_there(self, reader: Reader) -> None:
        """It does not wait for more: a connection that was once quick would hold it ever after."""
        self.is_ready = False
        await trio.lowlevel.checkpoint()
        reader.read()

    def _park(self, reader: Reader | None) -> None:
        self.reader = reader
        watches = self._owner.watches
        if self._fd not in watches:
            watches[self._fd] = self
            self._owner.epoll.register(self._fd, EDGES)
        self.task = trio.lowlevel.current_task()

    def __call__(self, _: object) -> trio.lowlevel.Abort:
        """Trio's abort function of the wait, for as long as that lasts: hence the object itself."""
        if self.task is None:
            # The reading in its place that is going on now has cancelled it. It is woken after
            # that, and is cancelled when it would wait again.
            self.is_ready = True
            return trio.lowlevel.Abort.FAILED
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def again(self) -> None:
        """A read brought as much as it asked for: there may be more to read already."""
        self.is_ready = True

    def wake(self) -> None:
        """Let the wait return now; its caller finds that there is nothing to read."""
        if self.task is not None:
            trio.lowlevel.reschedule(self.task)
            self.task = None

    def close(self) -> None:
        """The socket is about to be closed."""
        self.reader = None
        # By the time of a second call the descriptor may be another connection's.
        if self._owner.watches.get(self._fd) is not self:
            return
        del self._owner.watches[self._fd]
        # Closing it would do that too, unless a process that is being started has a copy of it for
        # an instant: what came for the copy would be taken for what comes for the next one here.
        if not self._owner.epoll.closed:
            with contextlib.suppress(OSError):
                self._owner.epoll.unregister(self._fd)


class TrioPoller:
    """Trio's own wait, where there is no epoll."""

    def watch(self, sock: socket.socket) -> "TrioWatch":
        return TrioWatch(sock)

    async def run(self) -> None:
        await trio.sleep_forever()


class TrioWatch:
    """The wait of one socket, through Trio."""

    __slots__ = ("_sock",)

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def readable(self) -> None:
        with contextlib.suppress(trio.ClosedResourceError):
            await trio.lowlevel.wait_readable(self._sock.fileno())

    async def reads(self, reader: Reader) -> None:
        with contextlib.suppress(trio.ClosedResourceError):
            await trio.lowlevel.wait_readable(self._sock.fileno())
            while not reader.read():
                await trio.lowlevel.wait_readable(self._sock.fileno())

    def again(self) -> None:
        pass  # Trio's wait reports what is there, however long

    def wake(self) -> None:
        trio.lowlevel.notify_closing(self._sock.fileno())

    def close(self) -> None:
        if self._sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self._sock.fileno())


Poller: TypeAlias = EpollPoller | TrioPoller
Watch: TypeAlias = EpollWatch | TrioWatch


def make_poller() -> Poller:
    """The cheapest wait that this platform has."""
    return EpollPoller() if hasattr(select, "epoll") else TrioPoller()

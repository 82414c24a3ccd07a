"""Waiting until a socket can be read, for thousands of tasks, cheaply.

Trio's `wait_readable` arms and disarms the kernel for every single wait. On Linux this module keeps
one private epoll in which each socket is registered once. A task that waits parks itself; one small
task waits for the epoll's own descriptor, asks it for a bounded number of events, and reschedules
the tasks that these are for. Elsewhere it is Trio's `wait_readable`.

The epoll is edge-triggered: bytes are reported once, when they come. So nothing has to be asked of
the kernel for a socket whose task does not read just now, and the small task need not let others
run before it asks again; but a task that read as much as it asked for, and so may have left bytes
behind, has to say so (`again`). An end of the stream is remembered, as no edge follows it.
"""

import contextlib
import select
import socket
from typing import TypeAlias

import attrs
import trio

EVENTS_MAX = 256  # events taken from the epoll in one go, so that others get their turn

if hasattr(select, "epoll"):
    EDGES = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
    ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


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
                    if task is not None:
                        watch.task = None
                        reschedule(task)
                    else:
                        watch.is_ready = True
        finally:
            epoll.close()


@attrs.define(eq=False, repr=False, weakref_slot=False)
class EpollWatch:
    """The wait of one socket, for one task. One exists for each connection, hence slots."""

    _owner: EpollPoller
    _fd: int
    task: trio.lowlevel.Task | None = None
    is_ready: bool = False  # an edge came while no task waited
    has_ended: bool = False  # no edge will come any more

    async def readable(self) -> None:
        """Return when the socket has bytes, an end, or an error to read."""
        if self.is_ready or self.has_ended:
            self.is_ready = False
            await trio.lowlevel.checkpoint()
            return
        watches = self._owner.watches
        if self._fd not in watches:
            watches[self._fd] = self
            self._owner.epoll.register(self._fd, EDGES)
        self.task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def again(self) -> None:
        """A read brought as much as it asked for: there may be more to read already."""
        self.is_ready = True

    def wake(self) -> None:
        """Let `readable` return now; its caller finds that there is nothing to read."""
        if self.task is not None:
            trio.lowlevel.reschedule(self.task)
            self.task = None

    def close(self) -> None:
        """The socket is about to be closed."""
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

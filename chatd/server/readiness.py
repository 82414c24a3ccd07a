"""Waiting until a socket can be read, for thousands of tasks, cheaply.

Trio's `wait_readable` arms and disarms the kernel for every single wait. On Linux this module keeps
one private, level-triggered epoll in which each socket is registered once. A task that waits parks
itself; one small task waits for the epoll's own descriptor, asks it for a bounded number of events,
and reschedules the tasks that these are for. Elsewhere it is Trio's `wait_readable`.

Level-triggered means that a socket whose task does not read (back-pressure) is reported again and
again. Such a socket is taken out of the epoll, and put back at its task's next wait.
"""

import contextlib
import select
import socket
from typing import Protocol

import trio

EVENTS_MAX = 256  # events taken from the epoll in one go, so that others get their turn


class Wait(Protocol):
    """One socket's way to wait; used by one task."""

    async def readable(self) -> None:
        """Return when the socket has bytes, an end, or an error to read."""
        ...

    def wake(self) -> None:
        """Let `readable` return now; its caller finds that there is nothing to read."""
        ...

    def forget(self) -> None:
        """The socket is given away: its new owner waits in its own way."""
        ...

    def close(self) -> object:
        """The socket is about to be closed, which takes it out of the kernel's lists."""
        ...


class Readiness(Protocol):
    """How the tasks of a server wait for their sockets."""

    def watch(self, sock: socket.socket) -> Wait:
        """A way to wait for this socket."""
        ...

    async def run(self) -> None:
        """Serve the waiting tasks, until cancelled."""
        ...


class EpollReadiness:
    """The cheaper wait: see above."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.waits: dict[int, EpollWait] = {}  # by descriptor; those that the epoll knows

    def watch(self, sock: socket.socket) -> "EpollWait":
        return EpollWait(self, sock.fileno())

    async def run(self) -> None:
        epoll, waits = self.epoll, self.waits
        reschedule = trio.lowlevel.reschedule
        try:
            while True:
                await trio.lowlevel.wait_readable(epoll.fileno())
                for fd, _ in epoll.poll(0, EVENTS_MAX):
                    wait = waits[fd]
                    task = wait.task
                    if task is not None:
                        wait.task = None
                        reschedule(task)
                    else:
                        wait.forget()
                # Let the tasks read before the epoll is asked again: it would report them anew.
                await trio.lowlevel.checkpoint()
        finally:
            epoll.close()


class EpollWait:
    """The wait of one socket. One exists for each connection, hence `__slots__`."""

    __slots__ = ("_fd", "_owner", "task")

    def __init__(self, owner: EpollReadiness, fd: int) -> None:
        self._owner = owner
        self._fd = fd
        self.task: trio.lowlevel.Task | None = None

    async def readable(self) -> None:
        waits = self._owner.waits
        if self._fd not in waits:
            self._owner.epoll.register(self._fd, select.EPOLLIN)
            waits[self._fd] = self
        self.task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def wake(self) -> None:
        if self.task is not None:
            trio.lowlevel.reschedule(self.task)
            self.task = None

    def forget(self) -> None:
        if self.close() and not self._owner.epoll.closed:
            self._owner.epoll.unregister(self._fd)

    def close(self) -> bool:
        """Also says whether the epoll knew the socket."""
        # By the time of a second call the descriptor may be another connection's.
        if self._owner.waits.get(self._fd) is not self:
            return False
        del self._owner.waits[self._fd]
        return True


class TrioReadiness:
    """Trio's own wait, where there is no epoll."""

    def watch(self, sock: socket.socket) -> "TrioWait":
        return TrioWait(sock)

    async def run(self) -> None:
        await trio.sleep_forever()


class TrioWait:
    """The wait of one socket, through Trio."""

    __slots__ = ("_sock",)

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def readable(self) -> None:
        with contextlib.suppress(trio.ClosedResourceError):
            await trio.lowlevel.wait_readable(self._sock.fileno())

    def wake(self) -> None:
        trio.lowlevel.notify_closing(self._sock.fileno())

    def forget(self) -> None:
        trio.lowlevel.notify_closing(self._sock.fileno())

    def close(self) -> None:
        if self._sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self._sock.fileno())


def make_readiness() -> Readiness:
    """The cheapest wait that this platform has."""
    return EpollReadiness() if hasattr(select, "epoll") else TrioReadiness()

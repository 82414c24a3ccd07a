"""Accepting connections: one task for each, from accept to close, whatever happens in it.

At the hard deadline every socket that is still open is shut down (`sever`), so that no peer,
however silent, keeps a task.
"""

import contextlib
import errno
import math
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs
import trio

from chatd.observe import EventLog, InternalError, LimitHit

ACCEPTS_MAX: Final = 64  # connections accepted before others get their turn
ACCEPT_PAUSE_S: Final = 0.1  # before another accept, when the process is out of descriptors
SHORTAGE_LOGGED_S: Final = 60.0  # between two log lines that there are none; peers wait


@attrs.define(eq=False, repr=False)
class Acceptor:
    """Accepts from listeners and gives each connection to `serve`, as a non-blocking socket and
    the address that the system gave for its peer.

    `serve` is the whole task of the connection: it gives its faults to `report` and calls `close`
    last. A task around it would cost each idle connection a frame.
    """

    _serve: Callable[[socket.socket, object], Awaitable[None]]
    _event_log: EventLog
    _shortage_logged_s: float = attrs.field(default=-math.inf, init=False)
    open: dict[socket.socket, object] = attrs.field(factory=dict, init=False)
    """Open connections, the oldest first, without those that were cut; each with what its server
    has put there."""
    is_open: trio.Event = attrs.field(factory=trio.Event, init=False)  # connections are accepted
    _accepting: trio.Nursery = attrs.field(init=False)
    _connections: trio.Nursery = attrs.field(init=False)

    async def run(
        self,
        listeners: Sequence[socket.socket],
        task_status: trio.TaskStatus = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept from all listeners until `stop`, and serve until the last connection has ended; or
        until cancelled. The listeners are closed by then."""
        async with trio.open_nursery() as connections, trio.open_nursery() as accepting:
            self._accepting, self._connections = accepting, connections
            for listener in listeners:
                accepting.start_soon(self._accept, listener, connections)
            self.is_open.set()
            task_status.started()

    def start_soon(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task that a connection leaves behind; it catches its faults itself."""
        self._connections.start_soon(task)

    def stop(self) -> None:
        """Take no new connections."""
        self._accepting.cancel_scope.cancel()

    def sever(self) -> None:
        """End every connection now, politeness aside."""
        for sock in list(self.open):
            self.cut(sock)

    def cut(self, sock: socket.socket) -> None:
        """End a connection; its task sees that, and closes it."""
        del self.open[sock]
        with contextlib.suppress(OSError):  # the peer was faster
            sock.shutdown(socket.SHUT_RDWR)

    def report(self, error: Exception) -> None:
        """Log what went wrong in one connection; no other one ends by it."""
        self._event_log.record(InternalError.of("connection", error))

    def close(self, sock: socket.socket) -> None:
        """The connection has ended."""
        self.open.pop(sock, None)
        sock.close()

    async def _accept(self, listener: socket.socket, connections: trio.Nursery) -> None:
        listener.setblocking(False)
        with listener:  # when this ends, the kernel refuses peers, and keeps none waiting for ever
            while True:
                await trio.lowlevel.wait_readable(listener.fileno())
                if self._accepting.cancel_scope.cancel_called:
                    return  # the peer came just before, and another process may have the listener
                for _ in range(ACCEPTS_MAX):
                    try:
                        sock, peer = listener.accept()
                    except BlockingIOError:
                        break
                    except OSError as error:
                        # The peer is gone already, or descriptors have run out: not the end.
                        self._not_accepted(error)
                        await trio.sleep(ACCEPT_PAUSE_S)
                        break
                    sock.setblocking(False)
                    self.open[sock] = None
                    connections.start_soon(self._serve, sock, peer)

    def _not_accepted(self, error: OSError) -> None:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            self._event_log.record(InternalError.of("accept", error))
        elif (now_s := trio.current_time()) >= self._shortage_logged_s + SHORTAGE_LOGGED_S:
            self._shortage_logged_s = now_s
            self._event_log.record(LimitHit("descriptors", None, None))

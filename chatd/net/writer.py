"""The way out of one socket: one non-blocking write, and a bounded backlog for what is refused.

Writing never waits. What the kernel does not take is kept, up to a bound, and drained by a task
that exists only while there is something to drain, in a nursery of the connection that owns the
socket: `needs_task` says when, `changed` is told when that turns. A peer that is owed more than the
bound is given up; bytes that it asked for itself (a page of history) are allowed on top.
"""

import contextlib
import socket
from collections.abc import Callable

import trio

from chatd.net.disconnects import DisconnectReason


class SocketWriter:
    """Writes to one socket. `__slots__`: there is one for each connection.

    `failed` is told once, with the reason, when the peer cannot be written to any more; the socket
    is shut down then, so that whoever reads from it sees its end.
    """

    __slots__ = (
        "_allowance",
        "_backlog",
        "_backlog_max",
        "_caught_up",
        "_changed",
        "_failed",
        "_linger_s",
        "_nursery",
        "_sock",
        "is_ending",
    )

    def __init__(
        self,
        sock: socket.socket,
        backlog_max: int,
        failed: Callable[[DisconnectReason], None],
        changed: Callable[[], None],
    ) -> None:
        """`sock` is connected and non-blocking; `backlog_max` is in bytes."""
        self._sock = sock
        self._backlog_max = backlog_max
        self._failed = failed
        self._changed = changed
        self._linger_s = 0.0
        self._backlog: bytearray | None = None
        self._allowance = 0
        self._caught_up: trio.Event | None = None
        self.is_ending = False  # nothing can be written any more
        self._nursery: trio.Nursery | None = None

    @property
    def needs_task(self) -> bool:
        """Whether there is something to drain, or an end to see to."""
        return self._backlog is not None or self.is_ending

    def start(self, nursery: trio.Nursery) -> None:
        """Tasks of this outlet may live in this nursery, until `stop`."""
        self._nursery = nursery
        if self._backlog is not None:
            nursery.start_soon(self._drain)
        if self.is_ending:
            nursery.start_soon(self._linger)

    def stop(self) -> None:
        """The nursery ends; so have the tasks in it."""
        self._nursery = None

    @property
    def is_behind(self) -> bool:
        """Whether the peer has not taken all that was written."""
        return self._backlog is not None

    @property
    def backlog_bytes(self) -> int:
        """How much the peer has not taken, beside what it asked for."""
        backlog = self._backlog
        return 0 if backlog is None else max(0, len(backlog) - self._allowance)

    def allow(self, size: int) -> None:
        """So many bytes, which the peer asked for, do not count as its backlog."""
        self._allowance += size

    async def caught_up(self) -> None:
        """Return when the peer has taken all that was written, or is gone."""
        if self._backlog is not None:
            if self._caught_up is None:
                self._caught_up = trio.Event()
            await self._caught_up.wait()

    def write(self, data: bytes) -> None:
        """Send what the kernel takes now, and keep the rest for when it takes more."""
        if self.is_ending:
            return
        if self._backlog is not None:
            self._backlog += data
            if len(self._backlog) > self._backlog_max + self._allowance:
                self.abort(DisconnectReason.SLOW_CONSUMER)
            return
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.abort(DisconnectReason.TRANSPORT_ERROR)
            return
        if sent == len(data):
            self._allowance = 0
            return
        self._backlog = bytearray(memoryview(data)[sent:])
        if len(self._backlog) > self._backlog_max + self._allowance:
            self.abort(DisconnectReason.SLOW_CONSUMER)
        elif self._nursery is not None:
            self._nursery.start_soon(self._drain)
        else:
            self._changed()

    def finish(self, data: bytes, linger_s: float) -> None:
        """Write the last bytes, then say so to TCP; the peer has `linger_s` to hang up itself.

        A peer that is slow to take them has as long again after everything that it takes.
        """
        if self.is_ending:
            return
        self.write(data)
        if self.is_ending:
            return
        self.is_ending = True
        self._linger_s = linger_s
        if self._backlog is None:
            self._shut(socket.SHUT_WR)
        if self._nursery is not None:
            self._nursery.start_soon(self._linger)
        else:
            self._changed()

    def abort(self, reason: DisconnectReason) -> None:
        """End at once; whoever reads from the socket sees the end of its input."""
        self.is_ending = True
        self._settle()
        self._shut(socket.SHUT_RDWR)
        self._failed(reason)

    async def _drain(self) -> None:
        while self._backlog:
            await trio.lowlevel.wait_writable(self._sock.fileno())
            if self._backlog is None:
                return  # given up meanwhile, and the connection with it
            try:
                sent = self._sock.send(self._backlog)
            except BlockingIOError:
                continue
            except OSError:
                self.abort(DisconnectReason.TRANSPORT_ERROR)
                return
            del self._backlog[:sent]
        self._settle()
        if self.is_ending:
            self._shut(socket.SHUT_WR)
        else:
            self._changed()

    def _settle(self) -> None:
        self._backlog = None
        self._allowance = 0
        if self._caught_up is not None:
            self._caught_up.set()
            self._caught_up = None

    async def _linger(self) -> None:
        """Cut the peer off once it takes nothing more and does not hang up."""
        owed = None
        while owed != (left := len(self._backlog or b"")):
            owed = left
            await trio.sleep(self._linger_s)
        self._shut(socket.SHUT_RDWR)

    def _shut(self, how: int) -> None:
        with contextlib.suppress(OSError):  # the peer was faster
            self._sock.shutdown(how)

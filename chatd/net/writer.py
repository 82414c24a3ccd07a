"""The way out of one socket: one non-blocking write, and a bounded backlog for what is refused.

Writing never waits. What the kernel does not take is kept, up to a bound, and drained by a task
that exists only while there is something to drain, in a nursery of the connection that owns the
socket: `needs_task` says when, and the owner is told when that changes.
"""

import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import attrs
import trio

from chatd.net.backlog import Backlog
from chatd.net.disconnects import DisconnectReason


class Owner(Protocol):
    """Whose connection it is. One object: two bound methods would be 128 bytes a connection."""

    def on_writer_failed(self, reason: DisconnectReason) -> None:
        """The peer cannot be written to any more; called once. The socket is shut down, so that the
        task that reads from it sees its end."""
        ...

    def on_writer_changed(self) -> None:
        """`needs_task` has changed."""
        ...


class _Nobody:
    """The owner of a writer whose connection has ended."""

    def on_writer_failed(self, reason: DisconnectReason) -> None:
        """Nobody writes to the peer any more."""

    def on_writer_changed(self) -> None:
        """Nobody waits for the peer any more."""


_NOBODY: Final = _Nobody()


@attrs.define(eq=False, repr=False, weakref_slot=False)
class SocketWriter(Backlog):
    """Writes to one socket, and is the backlog of what the kernel refuses: one object for each
    connection.

    `sock` is connected and non-blocking.
    """

    _sock: socket.socket
    _owner: Owner
    _linger_s: float = attrs.field(kw_only=True)
    """Seconds that the peer has after the last bytes to hang up itself."""
    is_ending: bool = attrs.field(default=False, init=False)  # nothing can be written any more
    _nursery: trio.Nursery | None = attrs.field(default=None, init=False)
    _unsent: bytearray | None = attrs.field(default=None, init=False)

    @property
    def needs_task(self) -> bool:
        """Whether there is something to drain, or an end to see to."""
        return self._unsent is not None or self.is_ending

    def start(self, nursery: trio.Nursery) -> None:
        """Tasks of this writer may live in this nursery, until `stop`."""
        self._nursery = nursery
        if self._unsent is not None:
            nursery.start_soon(self._drain)
        if self.is_ending:
            nursery.start_soon(self._linger)

    def stop(self) -> None:
        """The nursery ends; so have the tasks in it."""
        self._nursery = None

    def let_go(self) -> None:
        """The connection has ended: tell its owner nothing more, and keep nothing for its peer. So
        the two leave no circle for the garbage collector."""
        self._owner = _NOBODY
        self.settle()

    def write(self, data: bytes) -> None:
        """Send what the kernel takes now, and keep the rest for when it takes more."""
        if self.is_ending:
            return
        if self._unsent is not None:
            self._unsent += data
            self._owe(len(data))
            return
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.abort(DisconnectReason.TRANSPORT_ERROR)
            return
        if sent == len(data):
            self.allowed_bytes = 0
            return
        self._unsent = bytearray(memoryview(data)[sent:])
        if self._owe(len(self._unsent)):
            self._start(self._drain)

    def _owe(self, size: int) -> bool:
        """Count what is kept for the peer; False, and the connection is over, if that is too
        much."""
        self.owed_bytes += size
        if self.is_exceeded:
            self.abort(DisconnectReason.SLOW_CONSUMER)
            return False
        return True

    def finish(self, data: bytes) -> None:
        """Write the last bytes, then end the stream; the peer has `linger_s` to hang up itself.

        A peer that is slow to take them has as long again after everything that it takes.
        """
        self.write(data)
        if self.is_ending:
            return
        self.is_ending = True
        if self._unsent is None:
            self._shut(socket.SHUT_WR)
        self._start(self._linger)

    def _start(self, task: Callable[[], Awaitable[None]]) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(task)
        else:
            self._owner.on_writer_changed()

    def abort(self, reason: DisconnectReason) -> None:
        """End at once; the task that reads from the socket sees the end of its input."""
        self.is_ending = True
        self.settle()
        self._shut(socket.SHUT_RDWR)
        self._owner.on_writer_failed(reason)

    async def _drain(self) -> None:
        while self.owed_bytes:
            await trio.lowlevel.wait_writable(self._sock.fileno())
            unsent = self._unsent
            if unsent is None:
                return  # given up meanwhile, and the connection with it
            try:
                sent = self._sock.send(unsent)
            except BlockingIOError:
                continue
            except OSError:
                self.abort(DisconnectReason.TRANSPORT_ERROR)
                return
            del unsent[:sent]
            self.owed_bytes -= sent
        self.settle()
        if self.is_ending:
            self._shut(socket.SHUT_WR)
        else:
            self._owner.on_writer_changed()

    def settle(self) -> None:
        self._unsent = None
        super().settle()

    async def _linger(self) -> None:
        """Cut the peer off once it takes nothing more and does not hang up."""
        owed = None
        while owed != (left := self.owed_bytes):
            owed = left
            await trio.sleep(self._linger_s)
        self._shut(socket.SHUT_RDWR)

    def _shut(self, how: int) -> None:
        with contextlib.suppress(OSError):  # the peer was faster
            self._sock.shutdown(how)

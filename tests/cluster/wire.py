"""A proxy between a node and one of its servers, which a test breaks as networks break.

It knows bytes and connections, and nothing of what travels. It runs in the test's own loop, so that
nothing that blocks may run there meanwhile.
"""

import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Final, TypeAlias

import attrs
import trio

CHUNK_BYTES: Final = 65_536
UNDER_WAY_MAX: Final = 256
"""Chunks of one direction that a slow wire holds; beyond, the sender has to wait."""


class Direction(Enum):
    """Where bytes go: from the node, or to it."""

    FROM_NODE = "from the node"
    TO_NODE = "to the node"


Listener: TypeAlias = Callable[[Direction, bytes], None]


@attrs.define(eq=False)
class Wire:
    """Passes each connection that it is given on to a server's socket at `target`."""

    target: Path
    _delays_s: dict[Direction, float] = attrs.field(factory=lambda: dict.fromkeys(Direction, 0.0))
    _is_cut: bool = False
    _flows: trio.Event | None = None  # set when a pause is over; None while there is none
    _open: dict[trio.abc.Stream, None] = attrs.field(factory=dict)
    carried_bytes: int = 0
    tap: Callable[[], Listener] | None = None
    """For each new connection, who hears what is carried."""

    def pause(self) -> None:
        """Lose what is sent, as a network does that drops all: connections stand and say nothing.
        What waits here goes on after `heal`, as what is sent again does."""
        if self._flows is None:
            self._flows = trio.Event()

    def cut(self) -> None:
        """End all connections, and end whichever comes."""
        self._is_cut = True
        self._end_all()

    def slow(self, direction: Direction, delay_s: float) -> None:
        """Have each byte of a direction arrive that much later, in order."""
        self._delays_s[direction] = delay_s

    def heal(self) -> None:
        """Go on as ever."""
        self._is_cut = False
        self._delays_s = dict.fromkeys(Direction, 0.0)
        if self._flows is not None:
            self._flows.set()
            self._flows = None

    def lead_to(self, target: Path) -> None:
        """Lead to another server from now on; who is connected with the last one loses it."""
        self.target = target
        self._end_all()

    def _end_all(self) -> None:
        for stream in list(self._open):
            assert isinstance(stream, trio.SocketStream)
            stream.socket.close()

    async def join(self, near: trio.SocketStream) -> None:
        """Carry a connection until it is over."""
        async with near:
            await self._passes()
            if self._is_cut:
                return
            try:
                far = await trio.open_unix_socket(str(self.target))
            except OSError:
                return  # nobody listens there: the node is hung up
            self._open |= {near: None, far: None}
            try:
                listener = None if self.tap is None else self.tap()
                async with far, trio.open_nursery() as nursery:
                    for source, sink, direction in (
                        (near, far, Direction.FROM_NODE),
                        (far, near, Direction.TO_NODE),
                    ):
                        nursery.start_soon(self._carry, source, sink, direction, listener, nursery)
            finally:
                del self._open[near], self._open[far]

    async def _carry(
        self,
        source: trio.SocketStream,
        sink: trio.SocketStream,
        direction: Direction,
        listener: Listener | None,
        connection: trio.Nursery,
    ) -> None:
        """One direction, until either side hangs up: then the connection is over."""
        put, get = trio.open_memory_channel[tuple[float, bytes]](UNDER_WAY_MAX)

        async def read() -> None:
            async with put:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    while chunk := await source.receive_some(CHUNK_BYTES):
                        await put.send((trio.current_time() + self._delays_s[direction], chunk))

        connection.start_soon(read)
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for due_s, chunk in get:
                await trio.sleep_until(due_s)  # the delay itself
                await self._passes()
                self.carried_bytes += len(chunk)
                if listener is not None:
                    listener(direction, chunk)
                await sink.send_all(chunk)
        await self._passes()
        connection.cancel_scope.cancel()

    async def _passes(self) -> None:
        while self._flows is not None:
            await self._flows.wait()


@asynccontextmanager
async def an_exchange(path: Path, wire_of: Callable[[int], Wire | None]) -> AsyncIterator[None]:
    """A socket that all nodes are given as the one address of a server; `wire_of` tells, by the
    process that comes, whose wire its connection goes over. Nobody else is let in."""
    sock = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    await sock.bind(str(path))
    sock.listen()

    async def come(stream: trio.SocketStream) -> None:
        size = struct.calcsize("3i")
        told = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        wire = wire_of(struct.unpack("3i", told)[0])
        if wire is None:
            await stream.aclose()
        else:
            await wire.join(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, come, [trio.SocketListener(sock)])
        try:
            yield
        finally:
            nursery.cancel_scope.cancel()

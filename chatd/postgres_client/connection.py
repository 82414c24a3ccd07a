"""One connection of psycopg whose queries wait in Trio, without a thread.

psycopg knows asyncio alone. All that its `AsyncConnection` waits for goes through one method,
`wait`, which gets a generator: it yields what its socket is to become, and is told what the socket
is. So one method is replaced. That method and the generator are half private: the minor version of
psycopg is pinned, and the tests hold it to what is used here.

Measured: 0.45 ms a query, where a thread with psycopg's blocking connection took 0.93 ms.
"""

import threading
from typing import Any, Final, Self, TypeVar

import attrs
import psycopg
import trio
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.waiting import Ready, Wait

Result = TypeVar("Result")

CONNECT_S: Final = 4
"""Whole seconds in which a connection is to be opened, for each host of the address."""
_USUAL: Final = {
    "application_name": "chatd",
    # A peer that went away without a word is noticed within a minute.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""What an address may say otherwise."""
_NEEDED: Final = {"connect_timeout": str(CONNECT_S), "client_encoding": "UTF8"}


def conninfo_of(address: str) -> str:
    """What libpq is given to connect with the database at `address`: it holds the password. Raises
    `psycopg.ProgrammingError` where the address cannot be read."""
    said = conninfo_to_dict(address)
    usual = {name: value for name, value in _USUAL.items() if name not in said}
    return make_conninfo(address, **usual, **_NEEDED)


class TrioConnection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """A connection for one task at a time, whose statements are committed one by one.

    What is cancelled while it waits leaves the connection in the middle of an answer: it is closed
    then. What the server was asked goes on there until its `statement_timeout`.
    """

    _opened: "psycopg.Connection[Any]"  # warns where it is forgotten before its end

    @classmethod
    async def open(cls, address: str, threads: trio.CapacityLimiter) -> Self:
        """Connect, in one of these threads. Raises `psycopg.Error`.

        A pooler may give each transaction another session of the server, so nothing is prepared.
        """
        opening = _Opening(address)
        try:
            await trio.to_thread.run_sync(opening.run, abandon_on_cancel=True, limiter=threads)
        except trio.Cancelled:
            opening.abandon()
            raise
        assert opening.opened is not None
        return await cls.adopt(opening.opened)

    @classmethod
    async def adopt(cls, opened: "psycopg.Connection[Any]") -> Self:
        """Go on with a connection that blocks, and that nobody else uses from now on."""
        connection = cls(opened.pgconn)
        connection._opened = opened
        connection.prepare_threshold = None
        await connection.set_autocommit(True)
        return connection

    async def wait(
        self,
        gen: PQGen[Result],
        interval: float = 0.0,
        timeout: float | None = None,  # noqa: ASYNC109  (psycopg's signature)
    ) -> Result:
        """Do what psycopg waits for. It is cancelled by Trio, and takes no time of its own."""
        if timeout is not None:
            raise psycopg.NotSupportedError("a wait ends by its cancel scope")
        try:
            return await _driven(gen, self.pgconn.socket)
        except trio.Cancelled:
            self.drop()
            raise

    async def notified(self) -> None:
        """Wait until the server says something while nothing is asked, and hand notifications to
        `add_notify_handler`'s callbacks. A cancel leaves the connection as it is. Raises
        `psycopg.Error` where it is lost."""
        await trio.lowlevel.wait_readable(self.pgconn.socket)
        self.pgconn.consume_input()
        while (one := self.pgconn.notifies()) is not None:
            assert self.pgconn.notify_handler is not None
            self.pgconn.notify_handler(one)

    def drop(self) -> None:
        """Close the connection at once; it may be closed already."""
        self.pgconn.finish()


@attrs.define(eq=False)
class _Opening:
    """A connection that is being opened by a thread, for which the task may not wait any more."""

    _address: str = attrs.field(repr=False)
    opened: "psycopg.Connection[Any] | None" = attrs.field(init=False, default=None)
    _is_abandoned: bool = attrs.field(init=False, default=False)
    _lock: threading.Lock = attrs.field(init=False, factory=threading.Lock)

    def run(self) -> None:
        opened = psycopg.connect(conninfo_of(self._address))
        with self._lock:
            if self._is_abandoned:
                opened.close()
            else:
                self.opened = opened

    def abandon(self) -> None:
        with self._lock:
            self._is_abandoned = True
            if self.opened is not None:
                self.opened.close()


async def _driven(gen: PQGen[Result], fd: int) -> Result:
    """Run a generator of psycopg to its end."""
    try:
        want = next(gen)
        while True:
            want = gen.send(await _ready(fd, want))
    except StopIteration as end:
        result: Result = end.value
        return result


async def _ready(fd: int, want: Wait) -> Ready:
    """Wait until the socket is what the generator wants."""
    if want == Wait.R:  # psycopg's compiled part gives plain numbers
        await trio.lowlevel.wait_readable(fd)
        return Ready.R
    if want == Wait.W:
        await trio.lowlevel.wait_writable(fd)
        return Ready.W
    found: list[Ready] = []

    async def readable() -> None:
        await trio.lowlevel.wait_readable(fd)
        found.append(Ready.R)
        nursery.cancel_scope.cancel()

    async def writable() -> None:
        await trio.lowlevel.wait_writable(fd)
        found.append(Ready.W)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(readable)
        nursery.start_soon(writable)
    return Ready.RW if len(found) > 1 else found[0]

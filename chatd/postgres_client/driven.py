"""One psycopg connection whose queries wait in Trio, without a thread.

psycopg knows only asyncio. Everything that its `AsyncConnection` waits for goes through one method,
`wait`, which gets a generator: that yields which state of the socket it needs, and is told which
state came. So one method is replaced. The method and the generator are half private: the minor
version of psycopg is pinned, and tests check what is used here. If psycopg is not as expected, a
thread for each connection waits (`threaded`, `choice`).

Measured: 0.45 ms per query; a thread with psycopg's blocking connection took 0.93 ms.
"""

from collections.abc import Sequence
from typing import Any, Self, TypeVar

import psycopg
import trio
from psycopg.abc import PQGen, QueryNoTemplate
from psycopg.waiting import Ready, Wait

from chatd.postgres_client.notifications import hand_on
from chatd.postgres_client.opening import opened_in_thread

Result = TypeVar("Result")


class DrivenConnection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """A connection for one task at a time, whose statements are committed one by one.

    A statement that is cancelled while it waits leaves the connection in the middle of an answer,
    so the connection is closed. In the server the statement goes on until its `statement_timeout`.
    """

    _opened: "psycopg.Connection[Any]"  # warns if it is forgotten before its end

    @classmethod
    async def open(cls, address: str, threads: trio.CapacityLimiter) -> Self:
        """Connect, in one of these threads. Raises `psycopg.Error`.

        A pooler may give each transaction another session of the server, so nothing is prepared.
        """
        return await cls.adopt(await opened_in_thread(address, threads))

    @classmethod
    async def adopt(cls, opened: "psycopg.Connection[Any]") -> Self:
        """Go on with a blocking connection that nobody else uses from now on."""
        connection = cls(opened.pgconn)
        connection._opened = opened
        connection.prepare_threshold = None
        await connection.set_autocommit(True)
        return connection

    async def execute_raw(
        self, query: QueryNoTemplate, parameters: Sequence[object]
    ) -> psycopg.AsyncCursor[tuple[Any, ...]]:
        """As `execute`, for a statement that is written as the server takes it ($1)."""
        cursor = psycopg.AsyncRawCursor(self)
        return await cursor.execute(query, parameters)

    async def wait(
        self,
        gen: PQGen[Result],
        interval: float = 0.0,
        timeout: float | None = None,  # noqa: ASYNC109  (psycopg's signature)
    ) -> Result:
        """Do what psycopg waits for. Trio cancels it; it takes no timeout of its own."""
        if timeout is not None:
            raise psycopg.NotSupportedError("a wait ends by its cancel scope")
        try:
            return await _driven(gen, self.pgconn.socket)
        except trio.Cancelled:
            self.drop()
            raise

    async def notified(self) -> None:
        """Wait until the server says something while nothing is asked, and hand notifications to
        the callbacks of `add_notify_handler`. A cancel leaves the connection as it is. Raises
        `psycopg.Error` if the connection is lost."""
        await hand_on(self.pgconn)

    def drop(self) -> None:
        """Close the connection at once; it may be closed already."""
        self.pgconn.finish()


async def _driven(gen: PQGen[Result], fd: int) -> Result:
    """Run one of psycopg's generators to its end."""
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

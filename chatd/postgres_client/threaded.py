"""The fall-back for `driven`: a blocking psycopg connection, with each statement in a thread.

It has the same methods, and takes twice the time. It uses only what psycopg promises.

A thread that waits for the server cannot be ended, and libpq must not be closed under it. So a
cancel shuts down the socket: the thread finds the connection lost, and closes it.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, Self, TypeVar

import psycopg
import trio
from psycopg.abc import Params, QueryNoTemplate
from psycopg.pq.abc import PGconn, PGresult

from chatd.postgres_client.notifications import hand_on
from chatd.postgres_client.opening import opened_in_thread

Row = TypeVar("Row")
Notified = Callable[[psycopg.Notify], None]


class ThreadedCursor(Generic[Row]):
    """The result of a statement, all of which is here already."""

    def __init__(self, cursor: "psycopg.Cursor[Row]") -> None:
        self._cursor = cursor

    @property
    def pgresult(self) -> PGresult | None:
        """The result as the server wrote it."""
        return self._cursor.pgresult

    async def fetchone(self) -> Row | None:
        """The next row."""
        return self._cursor.fetchone()

    async def fetchall(self) -> list[Row]:
        """All further rows."""
        return self._cursor.fetchall()


class ThreadedConnection:
    """A connection for one task at a time, whose statements are committed one by one.

    A statement that is cancelled while it waits leaves the connection in the middle of an answer,
    so the connection is closed. In the server the statement goes on until its `statement_timeout`.
    """

    def __init__(self, opened: "psycopg.Connection[Any]") -> None:
        opened.prepare_threshold = None
        opened.autocommit = True
        self._connection = opened
        self._threads = trio.CapacityLimiter(1)
        self._lock = threading.Lock()  # for the next two, so that one side closes what is dropped
        self._is_dropped = False
        self._is_busy = False
        self._handlers: list[Notified] = []
        self._noted: list[psycopg.Notify] = []  # while a thread had the connection

    @classmethod
    async def open(cls, address: str, threads: trio.CapacityLimiter) -> Self:
        """Connect, in one of these threads. Raises `psycopg.Error`."""
        return await cls.adopt(await opened_in_thread(address, threads))

    @classmethod
    async def adopt(cls, opened: "psycopg.Connection[Any]") -> Self:
        """Go on with a blocking connection that nobody else uses from now on."""
        await trio.lowlevel.checkpoint()
        return cls(opened)

    @property
    def closed(self) -> bool:
        """Whether it cannot be used any more."""
        return self._is_dropped or self._connection.closed

    @property
    def pgconn(self) -> PGconn:
        """The connection of libpq."""
        return self._connection.pgconn

    async def execute(
        self, query: QueryNoTemplate, params: Params | None = None, *, binary: bool = False
    ) -> ThreadedCursor[tuple[Any, ...]]:
        """The rows of a statement. Raises `psycopg.Error`."""
        cursor = self._connection.cursor(binary=binary)
        return await self._in_thread(lambda: cursor.execute(query, params))

    async def execute_raw(
        self, query: QueryNoTemplate, parameters: Sequence[object]
    ) -> ThreadedCursor[tuple[Any, ...]]:
        """As `execute`, for a statement that is written as the server takes it ($1)."""
        cursor = psycopg.RawCursor(self._connection)
        return await self._in_thread(lambda: cursor.execute(query, parameters))

    async def _in_thread(
        self, work: "Callable[[], psycopg.Cursor[tuple[Any, ...]]]"
    ) -> ThreadedCursor[tuple[Any, ...]]:
        if self._is_dropped:
            raise psycopg.OperationalError("the connection is closed")
        self._is_busy = True

        def run() -> "psycopg.Cursor[tuple[Any, ...]]":
            try:
                return work()
            finally:
                with self._lock:
                    self._is_busy = False
                    is_dropped = self._is_dropped
                if is_dropped:
                    self._connection.close()

        try:
            cursor = await trio.to_thread.run_sync(
                run, abandon_on_cancel=True, limiter=self._threads
            )
        except trio.Cancelled:
            self.drop()
            raise
        finally:
            self._hand_on_noted()
        return ThreadedCursor(cursor)

    def add_notify_handler(self, handler: Notified) -> None:
        """Hand notifications to this, in the task that uses the connection."""
        if not self._handlers:
            self._connection.add_notify_handler(self._noted.append)
        self._handlers.append(handler)

    async def notified(self) -> None:
        """Wait until the server says something while nothing is asked, and hand notifications to
        the callbacks of `add_notify_handler`. A cancel leaves the connection as it is. Raises
        `psycopg.Error` if the connection is lost."""
        await hand_on(self.pgconn)
        self._hand_on_noted()

    def _hand_on_noted(self) -> None:
        while self._noted:
            one = self._noted.pop(0)
            for handler in self._handlers:
                handler(one)

    def drop(self) -> None:
        """Close the connection at once; it may be closed already."""
        with self._lock:
            if self._is_dropped:
                return
            self._is_dropped = True
            if self._is_busy:
                self._shut_down()
                return
        self._connection.close()

    def _shut_down(self) -> None:
        """Make the thread find the connection lost."""
        with (
            contextlib.suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self.pgconn.socket)) as shared,
        ):
            shared.shutdown(socket.SHUT_RDWR)

"""A bounded number of connections with one database, kept open and opened again with a back-off.

Requests wait for a connection in the order in which they came, each within its own time. While the
database cannot be reached, one request tries again after waits that double, and those that come
meanwhile fail at once: a database that comes back is not met by everybody's attempts.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

import psycopg
import trio
from psycopg.pq import TransactionStatus

from chatd.chat.backoff import Backoff
from chatd.postgres_client.address import why_unreached
from chatd.postgres_client.choice import TrioConnection

Result = TypeVar("Result")
Work = Callable[[TrioConnection], Awaitable[Result]]

FIRST_WAIT_S: Final = 0.5
"""Seconds to wait after the first failure to connect; doubled with each further one."""
LONGEST_WAIT_S: Final = 10.0
"""The most seconds until a database that came back is noticed, unless its pool says otherwise."""
IDLE_S: Final = 60.0
"""A connection that nobody used for so many seconds is not trusted: networks forget connections
without a word."""
_ENDS_IT: Final = ("FATAL", "PANIC")
"""Severities of errors with which the server ends the connection."""


class Unreachable(Exception):
    """The database gave no answer; `str()` is a sentence for the operator, without a password."""


class Pool:
    """Connections with the database at `address`, at most `connections_max`.

    Each connection has these `settings` of the server, by their names. A database that cannot be
    reached is tried again after `longest_wait_s` at the latest.
    """

    def __init__(
        self,
        address: str,
        connections_max: int,
        settings: Mapping[str, str] | None = None,
        *,
        longest_wait_s: float = LONGEST_WAIT_S,
    ) -> None:
        self._address = address
        self._connections_max = connections_max
        self._settings = dict(settings or {})
        self._places = trio.Semaphore(connections_max)
        self._threads = trio.CapacityLimiter(connections_max)
        self._kept: list[tuple[TrioConnection, float]] = []  # and since when
        self._backoff = Backoff(FIRST_WAIT_S, longest_wait_s)
        self._not_before_s = 0.0
        self._is_tried_again = False  # by one caller, for all who ask meanwhile
        self._why = ""
        self._closed = 0

    async def run(self, work: Work[Result], timeout_s: float) -> Result:
        """What `work` returns; it gets a connection to itself and may leave that in any state.

        A kept connection may be dead already, and `work` then begins again with another: it must be
        safe to do twice. Raises Unreachable, and `psycopg.Error` if the server answers with an
        error.
        """
        has_place = False
        with trio.move_on_after(timeout_s):
            async with self._places:
                has_place = True
                return await self._run(work)
        if has_place:
            raise Unreachable(f"The database gave no answer within {timeout_s:g} s.")
        raise Unreachable(
            f"All connections with the database ({self._connections_max}) were busy for "
            f"{timeout_s:g} s."
        )

    async def _run(self, work: Work[Result]) -> Result:
        closed = self._closed
        while True:
            connection = self._take()
            was_kept = connection is not None
            if connection is None:
                connection = await self._open()
            try:
                result = await work(connection)
            except psycopg.Error as error:
                if not _is_lost(connection, error):
                    await self._give_back(connection, closed)
                    raise
                connection.drop()
                if not was_kept:
                    raise Unreachable(why_unreached(self._address, error)) from None
                continue
            except BaseException:
                connection.drop()
                raise
            await self._give_back(connection, closed)
            return result

    def _take(self) -> TrioConnection | None:
        """The kept connection that was used last; or None."""
        now_s = trio.current_time()
        while self._kept:
            connection, since_s = self._kept.pop()
            if now_s - since_s < IDLE_S and not connection.closed:
                return connection
            connection.drop()
        return None

    async def _open(self) -> TrioConnection:
        if self._is_tried_again or trio.current_time() < self._not_before_s:
            raise Unreachable(self._why)
        self._is_tried_again = self._backoff.wait_s > 0
        try:
            connection = await TrioConnection.open(self._address, self._threads)
            await self._set(connection)
        except psycopg.Error as error:
            self._why = why_unreached(self._address, error)
            self._not_before_s = trio.current_time() + self._backoff.failed()
            raise Unreachable(self._why) from None
        finally:
            self._is_tried_again = False
        self._backoff.succeeded()
        return connection

    async def _set(self, connection: TrioConnection) -> None:
        """Apply the settings. A pooler might not pass them on as options of the address."""
        if not self._settings:
            return
        calls = ", ".join(["set_config(%s, %s, false)"] * len(self._settings))
        try:
            await connection.execute(
                f"SELECT {calls}", [part for pair in self._settings.items() for part in pair]
            )
        except BaseException:
            connection.drop()
            raise

    async def _give_back(self, connection: TrioConnection, closed: int) -> None:
        if closed != self._closed:
            connection.drop()
            return
        try:
            if connection.pgconn.transaction_status != TransactionStatus.IDLE:
                await connection.execute("ROLLBACK")
        except psycopg.Error:
            connection.drop()
        if not connection.closed:
            self._kept.append((connection, trio.current_time()))

    def close(self) -> None:
        """Close the connections that nobody uses, and the others as they are given back. Later
        requests open new ones."""
        self._closed += 1
        for connection, _ in self._kept:
            connection.drop()
        self._kept.clear()


def _is_lost(connection: TrioConnection, error: psycopg.Error) -> bool:
    """Whether an error ends the connection."""
    severity = error.diag.severity_nonlocalized
    return connection.closed or error.sqlstate is None or severity in _ENDS_IT

"""The bus over PostgreSQL: LISTEN and NOTIFY, for a cluster that has no Redis.

It has two connections: one listens, one notifies. A NOTIFY is a separate statement, and so a
transaction of its own: within the transaction of a commit it would make all commits of the server
wait for each other. If a node dies between its commit and the NOTIFY, the hint is lost, as hints
may be.

All payloads go to one channel, and each node picks its topics. Messages do not travel: a payload
has at most 8,000 bytes, and every node would get the messages of every room. The bus is up when a
payload that this node sent has come back to it: through a pooler in transaction mode none does.

Source: PostgreSQL, "LISTEN", "NOTIFY".
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, NoReturn

import psycopg
import trio
from psycopg.sql import SQL, Composed, Identifier

from chatd.bus.bus import TOPIC_BYTES_MAX
from chatd.bus.link import PING_S, BusLost, together
from chatd.bus.server_bus import ServerBus
from chatd.postgres_client import TrioConnection, why_unreached

NOTIFICATION_BYTES_MAX: Final = 7_999
"""PostgreSQL's limit, unless it is built otherwise."""
PAYLOAD_BYTES_MAX: Final = NOTIFICATION_BYTES_MAX - TOPIC_BYTES_MAX - 1
SILENCE_S: Final = 3.0
"""Seconds for an answer of the server, which a busy server gives late; beyond: the connection is
lost."""
WAITING_MAX: Final = 10_000
"""Payloads that wait to be sent; beyond: new ones are dropped. A statement takes everything that
came while the one before was under way."""
_SEND: Final = b"SELECT count(pg_notify(%s, payload)) FROM unnest(%s::text[]) AS sent(payload)"
_NOT_HEARD: Final = (
    "The database does not give back a NOTIFY: a pooler in transaction mode has no LISTEN; write "
    "the address of the server itself, or of a pooler in session mode (Supabase: port 5432)."
)
_TO_ALL: Final = "\n"  # between topic and payload; no topic contains it


class NotifyBus(ServerBus):
    """A `Bus`. `scope` names the cluster, in at most 57 bytes: nodes of one scope hear each other.
    `address` is one for libpq, and leads to the server itself or to a pooler in session mode."""

    payload_bytes_max = PAYLOAD_BYTES_MAX
    carries_messages = False

    def __init__(
        self,
        address: str,
        scope: str,
        on_change: Callable[[str | None], None] = lambda _why: None,
    ) -> None:
        super().__init__(on_change)
        self._address = address
        self._channel = f"chatd:{scope}"
        self._threads = trio.CapacityLimiter(2)
        self._waiting: dict[tuple[str, object], str] = {}
        self._has_waiting = trio.Event()

    def publish(self, topic: str, payload: bytes, latest_of: str | None = None) -> bool:
        if not self.is_up or len(payload) > PAYLOAD_BYTES_MAX:
            return False
        key = (topic, object() if latest_of is None else latest_of)
        if len(self._waiting) >= WAITING_MAX and key not in self._waiting:
            return False
        self._put(key, topic, payload)
        return True

    async def subscribe(self, topic: str) -> bool:
        self._topics.add(topic)
        await trio.lowlevel.checkpoint()
        return self.is_up  # the channel of all topics is listened to

    def unsubscribe(self, topic: str) -> None:
        self._topics.discard(topic)

    def _put(self, key: tuple[str, object], topic: str, payload: bytes) -> None:
        self._waiting[key] = f"{topic}{_TO_ALL}{payload.decode()}"
        self._has_waiting.set()

    async def _connect(self) -> NoReturn:
        self._waiting.clear()
        async with self._opened() as listening, self._opened() as notifying:
            listening.add_notify_handler(self._take)
            await self._ask(listening, SQL("LISTEN {}").format(Identifier(self._channel)))
            await together(
                lambda: self._listen(listening),
                lambda: self._notify(notifying),
                lambda: self._begin(self._hear_oneself, _NOT_HEARD),
            )

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[TrioConnection]:
        try:
            connection = await TrioConnection.open(self._address, self._threads)
        except psycopg.Error as error:
            raise BusLost(why_unreached(self._address, error)) from None
        try:
            yield connection
        finally:
            connection.drop()

    async def _hear_oneself(self) -> None:
        self._put((self._probe, None), self._probe, b"")
        await self._probe_came.wait()

    async def _listen(self, connection: TrioConnection) -> None:
        """Hear notifications. If the server is silent for `PING_S`, it is asked whether it is
        there."""
        while True:
            with trio.move_on_after(PING_S) as until_ping:
                try:
                    await connection.notified()
                except psycopg.Error as error:
                    raise BusLost(why_unreached(self._address, error)) from None
            if until_ping.cancelled_caught:
                await self._ask(connection, b"SELECT 1")

    async def _notify(self, connection: TrioConnection) -> None:
        """Send everything that waits in one statement."""
        while True:
            await self._has_waiting.wait()
            self._has_waiting = trio.Event()
            waiting, self._waiting = self._waiting, {}
            await self._ask(connection, _SEND, [self._channel, list(waiting.values())])

    async def _ask(
        self,
        connection: TrioConnection,
        statement: bytes | Composed,
        parameters: Sequence[object] | None = None,
    ) -> None:
        try:
            with trio.fail_after(SILENCE_S):
                await connection.execute(statement, parameters)
        except trio.TooSlowError:
            raise BusLost(f"The database has not answered for {SILENCE_S:g} s.") from None
        except psycopg.Error as error:
            raise BusLost(why_unreached(self._address, error)) from None

    def _take(self, notification: psycopg.Notify) -> None:
        topic, _, payload = notification.payload.partition(_TO_ALL)
        self._hear(topic, payload.encode())

"""The life of this node: a session with the server that holds the lock of its row in `nodes`, and
what the node does for dead nodes.

No clock of ours says who is alive. When the process ends, the server ends the session within
milliseconds; when the process is stopped, or cut off, it does so after not hearing from it for
`dead_after_s`. Then any other node may take the lock, and reaps (schema/005_reaping.sql).

    the session is lost                  connect again, and take the locks again
    the row is still there               the same life goes on: nobody has reaped it
    it is not                            another life begins, with a row and a number of its own;
                                         what writes, and the messages actor, begin anew with it
    another node has the name meanwhile  try again: this one is not alive, and says so

A node that has just come back to the server reaps nobody for `dead_after_s`: after a restart of the
server, the others are on their way back too.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs
import psycopg
import trio

from chatd import __version__
from chatd.chat.backoff import Backoff
from chatd.chat.records import OpenAnswer
from chatd.observe import EventLog, LifeBegunAnew, LifeLost, LifeResumed, NodeReaped
from chatd.observe.clock import Clock
from chatd.postgres_client import TrioConnection, why_unreached
from chatd.postgres_store.lives import (
    BEGIN,
    END,
    LOOK_S,
    REAP_S,
    SEEN,
    TAKE_NAME,
    TIMEOUTS,
    NodeSeen,
    timeouts_of,
)
from chatd.postgres_store.opening import SESSION, OpenedLog
from chatd.postgres_store.recovery import AS_ASKED, OPEN_ANSWERS, open_answer
from chatd.postgres_store.sessions import STATEMENT_S, connect_on_trio
from chatd.postgres_store.writer import AGAIN, END_SESSION, is_lost

FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 2.0
"""Seconds before the server is tried again, doubled from the first wait to the longest."""
_TRUSTED_S: Final = 1.0
"""Seconds that an answer may take at most for its time to be trusted."""
LEAVE_S: Final = 3.0
"""Seconds for the end of a life; otherwise whichever node finds it ends it."""

_OPEN: Final = f"{OPEN_ANSWERS} AND a.node_id = %s AND a.question_id = ANY (%s) {AS_ASKED}"
_LEFT_OPEN: Final = "SELECT question_id FROM answers WHERE state IS NULL AND node_id = %s"
_TAKE: Final = "SELECT pg_try_advisory_lock(life_key(%s))"
_GIVE_BACK: Final = "SELECT pg_advisory_unlock(life_key(%s))"
_IS_THERE: Final = "SELECT EXISTS (SELECT FROM nodes WHERE node_id = %s)"
_BEAT: Final = """
    WITH heard AS (
        UPDATE nodes SET beat = clock_timestamp(), sockets = %s WHERE node_id = (
            SELECT node_id FROM nodes WHERE node_id = %s FOR NO KEY UPDATE SKIP LOCKED))
    SELECT extract(epoch FROM clock_timestamp())::float8, m.version FROM meta m
"""
"""A batch that holds the row is a beat too; the statement does not wait for it."""
# In the order in which a batch locks them.
_SEEN_BY: Final = """
    UPDATE members m SET seen_seq = l.seq, version = pg_current_xact_id()::text::bigint
    FROM (SELECT m.room_id, m.user_id, x.seq
          FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS x(room, user_id, seq)
          JOIN rooms r ON r.connection_id = x.room
          JOIN members m ON m.room_id = r.room_id AND m.user_id = x.user_id
          WHERE %s = ANY (m.stays) AND m.seen_seq < x.seq
          ORDER BY m.room_id, m.user_id COLLATE "C" FOR UPDATE OF m) l
    WHERE m.room_id = l.room_id AND m.user_id = l.user_id RETURNING m.seen_seq
"""
_LEAVE: Final = """
    SELECT members FROM end_life(%s, NULL, false, clock_timestamp() - make_interval(secs => %s),
                                 %s, %s)
"""

_TAKEN: Final = (
    "Another session has the name of this node, {}: one that the database has not given up yet, or "
    "that of another node; give each node a name of its own."
)
_WAITS: Final = "The database has not given the last session of this node up yet."
_REPLACED: Final = "Another chatd has taken over the log: this one writes nothing any more."
_GONE: Final = "The database does not know this node any more: it begins anew."


class _NotAlive(Exception):
    """The node cannot be alive now; its text says why."""


@attrs.define(eq=False)
class Life:
    """The life of the node of a log. What it knows about the nodes is as of its last look.

    `adopted` gets the answers that it inherits from dead nodes; `changed` is called when another
    life has begun, or when there can be no other.
    """

    _opened: OpenedLog
    adopted: Callable[[Sequence[OpenAnswer]], None] = attrs.field(default=lambda _answers: None)
    changed: Callable[[], None] = attrs.field(default=lambda: None)
    nodes: Sequence[NodeSeen] = attrs.field(init=False, default=())
    schema_version: int = attrs.field(init=False, default=0)
    clock_off_s: float = attrs.field(init=False, default=0.0)
    """By how many seconds the clock of this machine is ahead of the server's."""
    why_lost: str | None = attrs.field(init=False, default=None)
    """A sentence for the operator; None while the node is alive."""
    lost_at_s: float | None = attrs.field(init=False, default=None)
    _connection: TrioConnection | None = attrs.field(init=False, default=None)
    _is_adopted: bool = attrs.field(init=False, default=False)
    _session: tuple[int, datetime] = attrs.field(init=False)
    _threads: trio.CapacityLimiter = attrs.field(init=False)
    _turn: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    _back_s: float = attrs.field(init=False, default=0.0)
    _inherited: set[bytes] = attrs.field(init=False, factory=set)  # and not adopted yet
    _is_over: bool = attrs.field(init=False, default=False)
    _pause: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)
    _last_seen: tuple[float, Mapping[tuple[str, str], int]] | None = attrs.field(
        init=False, default=None
    )

    def __attrs_post_init__(self) -> None:
        assert self._opened.life is not None
        self._session = self._opened.life.session
        self._threads = trio.CapacityLimiter(1)

    @property
    def node_id(self) -> int:
        """The number of the current life, or else the last one."""
        return self._opened.node_id

    @property
    def name(self) -> str:
        """The name of the node; empty if it has the log alone."""
        return self._opened.address.node

    async def run(self, event_log: EventLog, sockets: Callable[[], int], clock: Clock) -> None:
        """Live until `leave`, or until cancelled. `sockets` says how many the node has."""
        backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        while not self._is_over:
            try:
                async with self._turn:
                    connection = await self._alive(event_log)
                    await self._look(connection, sockets(), clock)
                    await self._reap(connection, event_log)
                if self.why_lost is not None:
                    self.why_lost = self.lost_at_s = None
                    event_log.record(LifeResumed(self.node_id))
                backoff.succeeded()
                with trio.move_on_after(_look_s(self._opened)) as self._pause:
                    while not self._is_over:
                        await connection.notified()  # learns of its end before the next round
            except (psycopg.Error, _NotAlive) as error:
                if not self._is_over:
                    self._lose(error, event_log)
                    with trio.move_on_after(backoff.failed()) as self._pause:
                        await trio.sleep_forever()

    def end_with(self, seen: Mapping[tuple[str, str], int]) -> None:
        """The sockets of this node have ended, having seen their rooms up to these seqs, by
        connectionId and userId; `leave` writes that."""
        self._last_seen = trio.current_time(), seen

    async def leave(self) -> None:
        """End the life, so that nobody has to reap it. If the server does not do so in time,
        somebody will."""
        self._is_over = True
        self._pause.cancel()
        with trio.move_on_after(LEAVE_S):
            async with self._turn:
                connection = self._connection
                if connection is not None and not connection.closed and self.why_lost is None:
                    with contextlib.suppress(psycopg.Error, _NotAlive):
                        await self._leave_rooms(connection)
        self.close()

    async def _leave_rooms(self, connection: TrioConnection) -> None:
        """Write what the users of this node have seen: in each room what all of them have seen,
        and, before that, how much more some users have."""
        at_s, seen = self._last_seen or (trio.current_time(), {})
        seqs: dict[str, int] = {}
        for (room, _), seq in seen.items():
            seqs[room] = min(seq, seqs.get(room, seq))
        ahead = [(room, user, seq) for (room, user), seq in seen.items() if seq > seqs[room]]
        if ahead:
            rooms, users, their_seqs = (list(column) for column in zip(*ahead, strict=True))
            with contextlib.suppress(psycopg.Error):  # if it fails, more is owed than has to be
                await self._asked(connection, _SEEN_BY, (rooms, users, their_seqs, self.node_id))
        ago_s = trio.current_time() - at_s
        parameters = (self.node_id, ago_s, list(seqs), list(seqs.values()))
        await self._asked(connection, _LEAVE, parameters)

    def close(self) -> None:
        """Close the session, which frees its locks."""
        self._is_over = True
        if self._connection is not None:
            self._connection.drop()
        if self._opened.life is not None:
            self._opened.life.connection.close()

    # A round

    async def _look(self, connection: TrioConnection, sockets: int, clock: Clock) -> None:
        asked_s, wall_s = trio.current_time(), clock.wall_s()
        rows = await self._asked(connection, _BEAT, (sockets, self.node_id))
        took_s = trio.current_time() - asked_s
        [(server_s, self.schema_version)] = rows
        if took_s < _TRUSTED_S:
            self.clock_off_s = wall_s + took_s / 2 - server_s
        nodes = [NodeSeen(*row) for row in await self._asked(connection, SEEN, ())]
        if all(node.node_id != self.node_id for node in nodes):
            connection.drop()
            raise _NotAlive(_GONE)
        self.nodes = nodes

    async def _reap(self, connection: TrioConnection, event_log: EventLog) -> None:
        """Reap dead nodes, and adopt what they left."""
        if trio.current_time() >= self._back_s + self._opened.address.dead_after_s:
            for node in self.nodes:
                if not node.is_alive:
                    with _suppressed_again():
                        await self._reap_one(connection, node, event_log)
        if self._inherited:
            parameters = (self.node_id, list(self._inherited))
            rows = await self._asked(connection, _OPEN, parameters)
            self._inherited.clear()
            if rows:
                self.adopted([open_answer(*row) for row in rows])

    async def _reap_one(
        self, connection: TrioConnection, node: NodeSeen, event_log: EventLog
    ) -> None:
        # Asked before: the answer to the reaping itself may get lost, and then it is done.
        for (question,) in await self._asked(connection, _LEFT_OPEN, (node.node_id,)):
            self._inherited.add(bytes(question))
        parameters = (node.node_id, self.node_id, False)
        for members, questions in await self._asked(connection, END, parameters, REAP_S):
            self._inherited.update(map(bytes, questions))
            event_log.record(NodeReaped(node.name, node.node_id, members, len(questions)))

    # The session

    async def _alive(self, event_log: EventLog) -> TrioConnection:
        """The session by which the node is alive. Raises _NotAlive, `psycopg.Error`."""
        connection = self._connection
        if connection is not None and not connection.closed:
            return connection
        opened = self._opened
        if not self._is_adopted and opened.life is not None:
            self._is_adopted = True
            connection = await TrioConnection.adopt(opened.life.connection)
        else:
            connection = await connect_on_trio(opened.address, self._threads)
            try:
                await self._take_up(connection, event_log)
            except BaseException:
                connection.drop()
                raise
        self._back_s = trio.current_time()
        self._connection = connection
        return connection

    async def _take_up(self, connection: TrioConnection, event_log: EventLog) -> None:
        """Go on with the life of this node over a new session, or begin another one."""
        opened = self._opened
        address = opened.address
        await self._asked(connection, END_SESSION, self._session)
        await self._asked(connection, TIMEOUTS, timeouts_of(address))
        [self._session] = await self._asked(connection, SESSION, ())
        if address.node and not await self._is_so(connection, TAKE_NAME, address.node):
            raise _NotAlive(_TAKEN.format(address.node))
        if not await self._is_so(connection, _TAKE, self.node_id):
            raise _NotAlive(_WAITS)
        if await self._is_so(connection, _IS_THERE, self.node_id):
            return
        if not address.node:
            self.changed()
            raise _NotAlive(_REPLACED)
        await self._asked(connection, _GIVE_BACK, (self.node_id,))
        parameters = (address.node, __version__, address.bus)
        [(opened.node_id, _)] = await self._asked(connection, BEGIN, parameters)
        event_log.record(LifeBegunAnew(opened.node_id))
        self.changed()

    async def _is_so(self, connection: TrioConnection, statement: str, parameter: object) -> bool:
        [(found,)] = await self._asked(connection, statement, (parameter,))
        return bool(found)

    async def _asked(
        self,
        connection: TrioConnection,
        statement: str,
        parameters: Sequence[object],
        within_s: float = STATEMENT_S,
    ) -> list[tuple[Any, ...]]:
        """The rows of a statement. Raises _NotAlive if no answer comes, and `psycopg.Error`."""
        wait_s = within_s + 1.0
        with trio.move_on_after(wait_s):
            try:
                cursor = await connection.execute(statement, parameters)
                return await cursor.fetchall()
            except psycopg.Error as error:
                if is_lost(connection, error):
                    connection.drop()
                raise
        raise _NotAlive(f"The database gave no answer within {wait_s:g} s.")

    def _lose(self, error: Exception, event_log: EventLog) -> None:
        if isinstance(error, psycopg.Error):
            if error.sqlstate is None:
                why = why_unreached(self._opened.address.url, error)
            else:
                why = f"The database has failed ({error.sqlstate}, {type(error).__name__})."
        else:
            why = str(error)
        if self.why_lost is None:
            self.lost_at_s = trio.current_time()
            event_log.record(LifeLost(self.node_id, why))
        self.why_lost = why if why[-1] in ".?" else f"{why}."


def _look_s(opened: OpenedLog) -> float:
    return min(LOOK_S, opened.address.dead_after_s / 3)


@contextlib.contextmanager
def _suppressed_again() -> Iterator[None]:
    """Leave what the server could not do now to the next round."""
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate not in AGAIN:
            raise

"""The one connection of a node that writes, and what becomes of a batch on it.

A batch is one statement, so that it is carried out wholly or not at all, and no lock waits for this
node. What may go wrong, and what is done:

    the connection is lost, or nothing     the outcome is unknown: connect again, and ask the row of
    is answered for `ANSWER_S`             this node how many batches were carried out
    an id is known                         look up whose it is: `Conflict`
    a deadlock, a lock held for long       nothing was written: again
    refused, behind an attempt that was    that one may still be carried out: `CommitFailed`, and
    lost                                   in doubt
    all that until `GIVE_UP_S`             `CommitFailed`

A batch that was given up while its outcome was unknown is in doubt, and nothing else is written
until it is known: `settled` says so. If it was carried out after all, memory has to begin again
with what the log holds. If a statement of a lost connection goes on by itself, that does no harm:
its number can be taken only once.
"""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs
import psycopg
import trio

from chatd.chat.backoff import Backoff
from chatd.chat.commits import (
    Behind,
    CommitFailed,
    CommitOutcome,
    Committed,
    Conflict,
    EndedBefore,
    RecordRefused,
)
from chatd.chat.ids import scoped_id
from chatd.chat.records import AnswerClosed, Message, MessageStored, Record
from chatd.postgres_client import TrioConnection, why_unreached
from chatd.postgres_store.batch import COMMIT, Batch, Heads, rooms_of
from chatd.postgres_store.errors import CommitsLost, NodeReplaced
from chatd.postgres_store.members import OF_BATCH, seen
from chatd.postgres_store.opening import SESSION, OpenedLog, new_epoch, take_lock
from chatd.postgres_store.rows import CHANGED, MENTIONED, MESSAGE_COLUMNS
from chatd.postgres_store.rows import message as message_in
from chatd.postgres_store.sessions import ANSWER_S, connect_on_trio
from chatd.postgres_store.written import SELECT_WRITTEN, written_from_row
from chatd.store.errors import FailedCommitFound
from chatd.store.rows import ids_from, uuid_bytes
from chatd.wire.codes import Code

GIVE_UP_S: Final = 8.0
"""Seconds for a batch, with all attempts; then its senders get `storage_error`."""
FIRST_WAIT_S: Final = 0.05
LONGEST_WAIT_S: Final = 0.5
"""Seconds before the connection is tried again, doubled from the first wait to the longest."""

MAYBE_LATE: Final = "an earlier attempt at this batch may still be carried out"
_NOT_NEXT: Final = "CHD01"
_BEHIND: Final = "CHD06"
_SCOPED: Final = "CHD03"
_TWIN: Final = "CHD05"
_ENDED: Final = "CHD07"
AGAIN: Final = frozenset({"40001", "40P01", "55P03", "57014"})
"""Serialization, deadlock, a lock that is held, a statement that took too long: nothing was
written."""
_ELSEWHERE: Final = frozenset({"25006", "57P03"})
"""A server that is read-only, or does not serve yet, is the wrong one: another connection may lead
to the right one."""
_FULL: Final = "53100"
_OF_RECORDS: Final = ("22", "23", _TWIN)  # classes of errors: the caller erred
_ENDS_IT: Final = ("FATAL", "PANIC")

_COMMITS: Final = "SELECT commits FROM nodes WHERE node_id = %s"
_IS_REPLICA: Final = "SELECT pg_is_in_recovery()"
_NUMBER_ROOMS: Final = "SELECT name, id FROM number_rooms(%s)"
HEADS: Final = """
    SELECT connection_id, last_seq, last_rev FROM rooms WHERE connection_id = ANY (%s)
"""
MESSAGES: Final = f"""
    SELECT {MESSAGE_COLUMNS} FROM unnest(%s::text[], %s::bigint[]) AS i(n, s)
    JOIN rooms r ON r.connection_id = i.n JOIN messages m ON m.room_id = r.room_id AND m.seq = i.s
    {CHANGED} {MENTIONED}
"""
SEQS_OF: Final = """
    SELECT i.n, i.u, m.seq FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS i(n, u, s)
    JOIN rooms r ON r.connection_id = i.n
    JOIN messages m ON m.room_id = r.room_id AND m.seq > i.s AND m.user_id = i.u
"""
_SEQS: Final = "SELECT message_id, seq FROM messages WHERE message_id = ANY (%s)"
_ENDED_BEFORE: Final = "SELECT question_id FROM ended_before(%s)"
END_SESSION: Final = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start = %s
"""
_NAME_ANEW: Final = "UPDATE meta SET epoch = %s WHERE epoch = %s RETURNING epoch"

UNKNOWN_VERSION: Final = -1
"""The version of a member: no row has it."""
_NOTHING: Final = Batch.of((), Heads({}))


@attrs.frozen
class _Answer:
    """What the server says about a batch that it has carried out."""

    last_seqs: Mapping[str, int]
    version: int
    repeated: frozenset[tuple[str, int]]


class _Lost(Exception):
    """The connection is gone, or of no use: the outcome of what was asked is unknown."""


@attrs.define(eq=False)
class LogWriter:
    """Writes for one node and one task at a time, first over the connection that opened the log."""

    _opened: OpenedLog
    _node_id: int = attrs.field(init=False)  # of the life that it writes for
    _heads: Heads = attrs.field(init=False)
    _threads: trio.CapacityLimiter = attrs.field(init=False)
    _connection: TrioConnection | None = attrs.field(init=False, default=None)
    _is_adopted: bool = attrs.field(init=False, default=False)
    _has_lock: bool = attrs.field(init=False, default=True)
    _session: tuple[int, datetime] = attrs.field(init=False)
    _commits: int = attrs.field(init=False, default=0)  # known to have been carried out
    _pending: Batch | None = attrs.field(init=False, default=None)  # whose outcome is unknown
    _why: str = attrs.field(init=False, default="the database gave no answer")

    def __attrs_post_init__(self) -> None:
        log = self._opened.log
        self._node_id = self._opened.node_id
        self._heads = Heads(dict(log.room_ids), log.has_scoped)
        self._threads = trio.CapacityLimiter(1)
        self._session = self._opened.session

    @property
    def is_in_doubt(self) -> bool:
        """Whether a batch was given up, and nobody knows whether it was carried out."""
        return self._pending is not None

    async def commit(self, records: Sequence[Record]) -> CommitOutcome:
        """Write all records or none. Raises CommitFailed, RecordRefused, NodeReplaced, CommitsLost;
        FailedCommitFound if the batch that was in doubt was carried out."""
        with trio.move_on_after(GIVE_UP_S) as scope:
            return await self._commit(records)
        assert scope.cancelled_caught
        raise CommitFailed(Code.STORAGE_ERROR, self._why)

    async def settled(self) -> None:
        """Wait until nothing is in doubt. Raises as `commit`."""
        backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        while self._pending is not None:
            with contextlib.suppress(_Lost, CommitFailed, psycopg.Error):
                await self._settle(await self._connected())
                return
            await trio.sleep(backoff.failed())

    async def run(self, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """The rows of a statement of upkeep, which may be carried out twice; or CommitFailed."""
        with trio.move_on_after(GIVE_UP_S):
            backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
            while True:
                try:
                    return await self._asked(await self._connected(), statement, parameters)
                except _Lost:
                    await trio.sleep(backoff.failed())
                except psycopg.Error as error:
                    if error.sqlstate not in AGAIN:
                        raise self._failed(error) from None
        raise CommitFailed(Code.STORAGE_ERROR, self._why)

    @property
    def is_of_past_life(self) -> bool:
        """Whether another life of this node has begun (`Life`) for which it does not write yet."""
        return self._node_id != self._opened.node_id

    def begin_anew(self) -> None:
        """Write for the life that has begun. What was in doubt is in the log by now, or never will
        be."""
        self._node_id = self._opened.node_id
        self._pending = None
        self._commits = 0

    def close(self) -> None:
        """Close the connection, which frees the lock of the log."""
        self._is_adopted = True
        self._opened.close()
        if self._connection is not None:
            self._connection.drop()

    # A batch

    async def _commit(self, records: Sequence[Record]) -> CommitOutcome:
        backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        batch: Batch | None = None
        while True:
            try:
                connection = await self._connected()
                if self._pending is not None and self._pending is not batch:
                    await self._settle(connection)
                if batch is None:
                    await self._number_rooms(connection, records)
                    batch = Batch.of(records, self._heads)
                answer = await self._sent(connection, batch)
            except _Lost:
                await trio.sleep(backoff.failed())
            except psycopg.Error as error:
                state = error.sqlstate or ""
                if state == _SCOPED:
                    self._heads = attrs.evolve(self._heads, has_scoped=True)
                    batch = None
                elif state in AGAIN:
                    self._why = f"the database is busy ({type(error).__name__})"
                    await trio.sleep(backoff.failed())
                elif self._pending is not None:
                    # Only `settled` takes its number: should the answer to that get lost, nobody
                    # could tell this batch from one of nothing.
                    raise CommitFailed(Code.STORAGE_ERROR, MAYBE_LATE) from None
                else:
                    try:
                        return await self._not_written(connection, records, batch, error)
                    except _Lost:
                        pass  # and then again
                    except psycopg.Error as later:  # the server could not say what was wrong
                        if later.sqlstate not in AGAIN:
                            raise self._failed(later) from None
                        await trio.sleep(backoff.failed())
            else:
                return self._committed(batch, answer)

    async def _not_written(
        self,
        connection: TrioConnection,
        records: Sequence[Record],
        batch: Batch | None,
        error: psycopg.Error,
    ) -> CommitOutcome:
        """Why the server did not write a batch. Raises _Lost, RecordRefused, CommitFailed."""
        if error.sqlstate == _BEHIND and batch is not None:
            return await self._behind(connection, batch)
        if error.sqlstate == _ENDED:
            return await self._ended_before(connection, records)
        return await self._refused(connection, records, error)

    async def _sent(self, connection: TrioConnection, batch: Batch) -> _Answer:
        """Carry out a batch once, whatever was tried before."""
        before, self._pending = self._pending, batch
        number = self._commits + 1
        try:
            [(seqs, version, repeated)] = await self._asked(
                connection, COMMIT, batch.parameters(self._node_id, number)
            )
        except psycopg.Error as error:
            if error.sqlstate == _NOT_NEXT and await self._count(connection) > self._commits:
                return await self._found(connection, batch)
            self._pending = before  # this statement wrote nothing; one that was lost may have
            raise
        last_seqs = dict(zip(batch.rooms, seqs, strict=True))
        if not repeated:
            return _Answer(last_seqs, version, frozenset())
        names = {room_id: room for room, room_id in self._heads.room_ids.items()}
        again = frozenset((names[room_id], seq) for room_id, seq in repeated)
        return _Answer(last_seqs, version, again)

    def _committed(self, batch: Batch, answer: _Answer) -> Committed:
        self._pending = None
        self._commits += 1
        if batch.has_scoped:
            self._heads = attrs.evolve(self._heads, has_scoped=True)
        moved = {
            room: answer.last_seqs[room] - known
            for room, known in batch.last_seqs.items()
            if answer.last_seqs[room] != known
        }
        return Committed(self._commits, moved, answer.version, answer.repeated)

    async def _settle(self, connection: TrioConnection) -> None:
        """Learn what became of the batch that is in doubt, by taking its number. Who lost the
        answer to that finds the number taken, and memory reads what the log holds."""
        number = self._commits + 1
        try:
            await self._asked(connection, COMMIT, _NOTHING.parameters(self._node_id, number))
        except psycopg.Error as error:
            if error.sqlstate == _NOT_NEXT and await self._count(connection) > self._commits:
                self._pending, self._commits = None, number
                raise FailedCommitFound(
                    "The log holds a batch that was reported as failed."
                ) from None
            if error.sqlstate in AGAIN:  # the batch is still under way
                raise _Lost from None
            raise self._failed(error) from None
        self._pending = None
        self._commits = number

    async def _count(self, connection: TrioConnection) -> int:
        """How many batches of this node were carried out."""
        address = self._opened.address
        rows = await self._asked(connection, _COMMITS, (self._node_id,))
        if not rows and (address.node or not self._has_lock):
            [(is_replica,)] = await self._asked(connection, _IS_REPLICA, ())
            if is_replica:  # it may lag, and not know this node yet
                connection.drop()
                self._why = "the address leads to a server that follows another one"
                raise _Lost
            raise NodeReplaced(
                f"Another chatd has taken over the log in the schema {address.schema}: this one "
                "writes nothing any more."
            )
        count = rows[0][0] if rows else -1
        if count < self._commits:
            epochs = new_epoch(), self._opened.log.epoch
            await self._asked(connection, _NAME_ANEW, epochs)
            raise CommitsLost(
                "The database has lost what it had committed (an older standby, or a restored "
                "backup): the log has another epoch now, and clients start over."
            )
        return int(count)

    async def _found(self, connection: TrioConnection, batch: Batch) -> _Answer:
        """The outcome of a batch whose answer was lost. Its members get a version that no row has,
        so that they are read again before they are written; its receipts count as the first."""
        keys = {uuid_bytes(one.message_id): one for one in batch.messages}
        rows = await self._asked(connection, _SEQS, (list(keys),))
        seqs = dict(batch.last_seqs)
        for key, seq in rows:
            message = keys[bytes(key)]
            room = message.connection_id
            seqs[room] = seq - (message.seq - batch.last_seqs[room])
        return _Answer(seqs, UNKNOWN_VERSION, frozenset())

    async def _number_rooms(self, connection: TrioConnection, records: Sequence[Record]) -> None:
        unknown = rooms_of(records) - self._heads.room_ids.keys()
        if unknown:
            found = await self._asked(connection, _NUMBER_ROOMS, (sorted(unknown),))
            self._heads.room_ids.update(found)

    async def _behind(self, connection: TrioConnection, batch: Batch) -> Behind:
        """What a batch relies on, as it is now."""
        heads = await self._asked(connection, HEADS, (list(batch.rooms),))
        changed = [room for room, _ in batch.changed], [seq for _, seq in batch.changed]
        messages = await self._asked(connection, MESSAGES, changed) if batch.changed else []
        named = [room for room, _ in batch.members], [user_id for _, user_id in batch.members]
        members = await self._asked(connection, OF_BATCH, named) if batch.members else []
        return Behind(
            {room: (seq, rev) for room, seq, rev in heads},
            {(one.connection_id, one.seq): one for one in map(message_in, messages)},
            {(one.connection_id, one.user_id): one.member for one in map(seen, members)},
        )

    async def _ended_before(
        self, connection: TrioConnection, records: Sequence[Record]
    ) -> EndedBefore:
        closing = {
            uuid_bytes(one.question_id): one.question_id
            for one in records
            if isinstance(one, AnswerClosed)
        }
        rows = await self._asked(connection, _ENDED_BEFORE, (list(closing),))
        return EndedBefore(frozenset(closing[bytes(key)] for (key,) in rows))

    async def _refused(
        self, connection: TrioConnection, records: Sequence[Record], error: psycopg.Error
    ) -> Conflict:
        """The outcome of a batch of which the server refuses a record. Raises RecordRefused, and
        CommitFailed if it is not the record's fault."""
        state = error.sqlstate or ""
        if not state.startswith(_OF_RECORDS):
            raise self._failed(error) from None
        existing = await self._existing(connection, records)
        if existing:
            return Conflict(existing)
        # The words of the server may quote what was written.
        raise RecordRefused(f"A record does not fit the log ({state}, {type(error).__name__}).")

    async def _existing(
        self, connection: TrioConnection, records: Sequence[Record]
    ) -> dict[str, Message]:
        """The messages in the log whose ids are among the records'."""
        existing: dict[str, Message] = {}
        messages = [one.message for one in records if isinstance(one, MessageStored)]
        if not messages:
            return existing
        bounds = [ids_from(uuid_bytes(one.message_id)) for one in messages]
        firsts, lasts = [first for first, _ in bounds], [last for _, last in bounds]
        rows = await self._asked(connection, SELECT_WRITTEN, (firsts, lasts))
        found = {one.message_id: one for one in map(written_from_row, rows)}
        for message in messages:
            own_id = message.message_id
            twin = scoped_id(own_id, message.connection_id)
            if own_id in found or twin in found:  # otherwise it was refused for another reason
                existing |= {key: one for key, one in found.items() if key.startswith(own_id)}
        return existing

    # The connection

    async def _connected(self) -> TrioConnection:
        """A connection that can be used. Raises _Lost if there is none now."""
        connection = self._connection
        if connection is not None and not connection.closed:
            return connection
        address = self._opened.address
        if not self._is_adopted:
            self._is_adopted = True
            self._connection = connection = await TrioConnection.adopt(self._opened.connection)
            return connection
        try:
            connection = await connect_on_trio(address, self._threads)
        except psycopg.Error as error:
            self._why = why_unreached(address.url, error)
            raise _Lost from None
        try:
            # End what the lost connection still does in the server, so that its lock is free.
            await self._asked(connection, END_SESSION, self._session)
            [(self._has_lock,)] = await self._asked(connection, *take_lock(address))
            await self._count(connection)
            [self._session] = await self._asked(connection, SESSION, ())
        except psycopg.Error as error:
            connection.drop()
            self._why = f"the database has failed ({type(error).__name__})"
            raise _Lost from None
        except BaseException:
            connection.drop()
            raise
        self._connection = connection
        return connection

    async def _asked(
        self, connection: TrioConnection, statement: str, parameters: Sequence[object]
    ) -> list[tuple[Any, ...]]:
        """The rows of a statement. Raises _Lost, and `psycopg.Error` if the server answers with an
        error."""
        with trio.move_on_after(ANSWER_S) as scope:
            try:
                cursor = await connection.execute(statement, parameters)
                return await cursor.fetchall()
            except psycopg.Error as error:
                if is_lost(connection, error):
                    self._why = why_unreached(self._opened.address.url, error)
                    connection.drop()
                    raise _Lost from None
                raise
        assert scope.cancelled_caught
        self._why = f"the database gave no answer within {ANSWER_S:g} s"
        raise _Lost

    def _failed(self, error: psycopg.Error) -> CommitFailed:
        code = Code.STORAGE_FULL if error.sqlstate == _FULL else Code.STORAGE_ERROR
        return CommitFailed(code, f"the database says {error.sqlstate} ({type(error).__name__})")


def is_lost(connection: TrioConnection, error: psycopg.Error) -> bool:
    """Whether an error ends the connection, or shows that it leads to a server that cannot be
    written to."""
    severity = error.diag.severity_nonlocalized
    state = error.sqlstate
    return connection.closed or state is None or severity in _ENDS_IT or state in _ELSEWHERE

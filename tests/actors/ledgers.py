"""Ledgers over a log in SQLite, and in PostgreSQL: what a test of `Ledger` needs of each."""

import abc
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

import orjson
import trio

from chatd.actors.ledger import Ledger, RecordLog
from chatd.actors.machine_ledger import MachineLedger
from chatd.actors.shared_ledger import SharedLedger
from chatd.actors.taking_up import take_up
from chatd.chat.message_machine import MessageMachine
from chatd.chat.messages import Command, Effect
from chatd.postgres_store.log import PostgresLog
from chatd.postgres_store.opening import open_log
from chatd.postgres_store.recovery import recover
from chatd.postgres_store.sessions import LogAddress, connect
from chatd.store.log_file import LOG_NAME
from chatd.store.opening import open_store
from chatd.store.recovery import Recovered
from tests.postgres import Postgres
from tests.postgres_store.logs import new_address

KINDS: Final = ["sqlite", "postgres"]
NOW_MS: Final = 1_700_000_000_000

# What both hold, in the same words: JSON and ids as text, rooms by name.
_TABLES: Final = {
    "messages": "r.connection_id, t.seq, {hex}(t.message_id), {hex}(t.thread_id), t.timestamp_ms,"
    " t.delivered_ms, t.delivered_by, t.user_id, t.name, t.context, t.content, {hex}(t.reply_to),"
    " t.answer",
    "mentions": "r.connection_id, t.seq, t.author, t.users",
    "changes": "r.connection_id, t.rev, {seq}, t.kind, t.user_id, t.at_ms, t.written",
    "changed": "r.connection_id, t.seq, t.rev, t.at_ms, t.edited_rev, t.edited_ms, t.content,"
    " t.deleted_ms, t.reactions",
    "members": "r.connection_id, t.user_id, t.joined_ms, t.away_seq, t.away_ms, t.gaps, t.fallen,"
    " t.read_seq, t.name",
    "answers": "r.connection_id, {hex}(t.question_id), {hex}(t.answer_id), t.user_id,"
    " {hex}(t.thread_id), t.opened_ms, t.state, t.is_to_read, t.address",
}
_AUDIT: Final = (
    "SELECT at_ms, action, user_id, outcome, address, room, message_id, statement, target, format,"
    " code, rows, size_bytes, elapsed_ms, span FROM audit ORDER BY position"
)


class Kept(abc.ABC):
    """A ledger, and the log that it keeps."""

    machine: MessageMachine
    ledger: Ledger

    async def begin(self, log: RecordLog, recovered: Recovered) -> None:
        self.machine = MessageMachine({}, {})
        take_up(self.machine, recovered)
        self.ledger = self.ledger_of(log)
        await self.ledger.begin((), NOW_MS)

    def ledger_of(self, log: RecordLog) -> Ledger:
        return MachineLedger(self.machine, log)

    async def carry_out(self, *batch: Command, now_ms: int = NOW_MS) -> Sequence[Effect]:
        return await self.ledger.carry_out(batch, now_ms)

    @abc.abstractmethod
    async def restart(self) -> None:
        """End, and begin with what the log holds."""

    @abc.abstractmethod
    def recovered(self) -> Recovered: ...

    @abc.abstractmethod
    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that the log holds, by table."""


class SqliteKept(Kept):
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._store = open_store(directory, "write")

    async def start(self) -> None:
        self._writer = self._store.start_writer(trio.lowlevel.current_trio_token())
        await self.begin(self._writer, self._store.recovered)

    async def restart(self) -> None:
        await self.end()
        self._store = open_store(self._directory, "write")
        await self.start()

    def recovered(self) -> Recovered:
        return self._store.reread()

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        with closing(sqlite3.connect(self._directory / LOG_NAME)) as connection:
            seq = "(SELECT seq FROM messages WHERE position = t.message)"
            return _rows(connection, "lower(hex(t.{}))", seq, "t.is_member")

    async def end(self) -> None:
        assert await self._writer.close(30)
        self._store.close()


class PostgresKept(Kept):
    def __init__(self, address: LogAddress) -> None:
        self.address = address

    def ledger_of(self, log: RecordLog) -> Ledger:
        return SharedLedger(self.machine, log)

    async def start(self) -> None:
        opened = open_log(self.address, NOW_MS)
        self.node_id, self.log = opened.node_id, PostgresLog(opened)
        await self.begin(self.log, opened.log.recovered)

    async def restart(self) -> None:
        await self.end()
        await self.start()

    def recovered(self) -> Recovered:
        with connect(self.address) as connection:
            return recover(connection, self.node_id).recovered

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        with connect(self.address) as connection:
            return _rows(connection, "encode(t.{}, 'hex')", "t.seq", "true")

    async def end(self) -> None:
        assert await self.log.close(30)


def _rows(connection: Any, encode: str, seq: str, where: str) -> dict[str, list[tuple[Any, ...]]]:
    found = {}
    for table, columns in _TABLES.items():
        query = (
            f"SELECT {_in_words(columns, encode, seq)} FROM {table} t JOIN rooms r USING (room_id)"
        )
        if table == "members":
            query += f" WHERE {where}"
        found[table] = sorted(
            (tuple(map(_plain, row)) for row in connection.execute(query)), key=repr
        )
    found["audit"] = [tuple(row) for row in connection.execute(_AUDIT)]
    return found


def _in_words(columns: str, encode: str, seq: str) -> str:
    for name in ("message_id", "thread_id", "reply_to", "question_id", "answer_id"):
        columns = columns.replace(f"{{hex}}(t.{name})", encode.format(name))
    return columns.replace("{seq}", seq)


def _plain(value: Any) -> Any:
    """JSON as PostgreSQL gives it, bytes as text, and no difference between no id and none."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return orjson.dumps(value).decode()
    if isinstance(value, bool):
        return int(value)
    return None if value == "" else value


@asynccontextmanager
async def open_ledger(kind: str, directory: Path, postgres: Postgres) -> AsyncIterator[Kept]:
    kept = SqliteKept(directory) if kind == "sqlite" else PostgresKept(new_address(postgres))
    await kept.start()
    yield kept
    await kept.end()

"""Histories to read from, in SQLite, in memory, in PostgreSQL: what a test of `MessageReader` needs
of each."""

import abc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import trio

from chatd.chat.records import Record
from chatd.postgres_store.log import PostgresLog
from chatd.postgres_store.opening import OpenedLog, open_log
from chatd.postgres_store.readers import PostgresReaders
from chatd.postgres_store.search_index import SearchIndex, pool_to_index
from chatd.postgres_store.sessions import LogAddress
from chatd.store.message_reader import MessageReader
from chatd.store.opening import Store, open_store
from chatd.store.reader_pool import ReaderPool
from chatd.store.readers import LogReaders
from chatd.store.retention import Surplus
from chatd.store.writer import LogWriter
from tests.postgres_store.logs import NOW_MS, emptied
from tests.store.memory_reader import MemoryReader

KINDS = ["sqlite", "memory", "postgres"]


class History(abc.ABC):
    reader: MessageReader

    @abc.abstractmethod
    async def commit(self, records: Sequence[Record]) -> None: ...

    @abc.abstractmethod
    async def forget(self, room: str, last_seq: int) -> None:
        """Remove the messages of a room up to a seq."""

    @abc.abstractmethod
    def set_page_bytes(self, page_bytes: int) -> None: ...


class SqliteHistory(History):
    def __init__(self, store: Store, writer: LogWriter) -> None:
        self.reader = store.readers
        self._store = store
        self._writer = writer

    async def commit(self, records: Sequence[Record]) -> None:
        await self._writer.commit(records)

    async def forget(self, room: str, last_seq: int) -> None:
        await self._writer.remove([Surplus(room, last_seq + 1)])

    def set_page_bytes(self, page_bytes: int) -> None:
        self.reader = LogReaders(
            ReaderPool(self._store.path, 1),
            ReaderPool(self._store.path, 1),
            self._writer.index_until,
            page_bytes=page_bytes,
        )


class MemoryHistory(History):
    def __init__(self) -> None:
        self.reader = self._memory = MemoryReader()

    async def commit(self, records: Sequence[Record]) -> None:
        self._memory.add(records)

    async def forget(self, room: str, last_seq: int) -> None:
        self._memory.remove(room, last_seq + 1)

    def set_page_bytes(self, page_bytes: int) -> None:
        self._memory.page_bytes = page_bytes


class PostgresHistory(History):
    def __init__(self, address: LogAddress, opened: OpenedLog) -> None:
        self.address = address
        self.log = PostgresLog(opened)
        self._index_pool = pool_to_index(address)
        self.index = SearchIndex(self._index_pool)
        self.reader = self.readers = PostgresReaders.at(address, self.index.index_until)

    async def commit(self, records: Sequence[Record]) -> None:
        await self.log.commit(records)

    async def forget(self, room: str, last_seq: int) -> None:
        await self.log.remove([Surplus(room, last_seq + 1)])

    def set_page_bytes(self, page_bytes: int) -> None:
        self.readers.close()
        self.reader = self.readers = PostgresReaders.at(
            self.address, self.index.index_until, page_bytes=page_bytes
        )

    async def close(self) -> None:
        self.readers.close()
        self._index_pool.close()
        assert await self.log.close(30)


OpenHistory: TypeAlias = Callable[[Path], AbstractAsyncContextManager[History]]


@asynccontextmanager
async def open_in_memory(_directory: Path) -> AsyncIterator[History]:
    yield MemoryHistory()


@asynccontextmanager
async def open_in_sqlite(directory: Path) -> AsyncIterator[History]:
    store = open_store(directory, "write")
    writer = store.start_writer(trio.lowlevel.current_trio_token())
    yield SqliteHistory(store, writer)
    assert await writer.close(30)
    store.close()


@asynccontextmanager
async def open_in_postgres(address: LogAddress) -> AsyncIterator[PostgresHistory]:
    history = PostgresHistory(address, open_log(emptied(address), NOW_MS))
    try:
        await history.index.renew_form()
        yield history
    finally:
        await history.close()

"""Histories to read from, in SQLite and in memory: what a test of `MessageReader` needs of each."""

import abc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from chatd.chat.records import Record
from chatd.store.message_reader import MessageReader
from chatd.store.opening import Store, open_store
from chatd.store.reader_pool import ReaderPool
from chatd.store.readers import LogReaders
from chatd.store.retention import Surplus
from chatd.store.writer import LogWriter
from tests.store.memory_reader import MemoryReader

KINDS = ["sqlite", "memory"]


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


@asynccontextmanager
async def open_history(kind: str, directory: Path) -> AsyncIterator[History]:
    if kind == "memory":
        yield MemoryHistory()
        return
    store = open_store(directory, "write")
    writer = store.start_writer(trio.lowlevel.current_trio_token())
    yield SqliteHistory(store, writer)
    assert await writer.close(30)
    store.close()

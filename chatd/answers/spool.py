"""Rows on their way from a database into a temporary file, and out of it to whoever downloads it.

A file is made whole before the first byte of it leaves: so its headers say what is cut, an error is
sent as one, and a slow download holds no connection with the database. Rows are written in batches,
in a thread; the database waits while a batch is written (`PacedSink`). The file has no name:
nothing of it outlives the process. A workbook is made beside it in a directory that is removed with
it.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from typing import BinaryIO, Final, Protocol, cast

import attrs
import trio

from chatd.answers.cut import WHOLE, Cut
from chatd.answers.exports import PIECE_BYTES, FileFormat, LineWriter
from chatd.answers.table import Column, Row

THREADS_MAX: Final = 2
"""Files that are written at the same moment: each holds the interpreter for most of its time."""
BATCH_CELLS_MAX: Final = 10_000
"""Cells that are written in one go, a tenth of a second of work, so that a cancelled export ends
soon."""


class TableFile(Protocol):
    """Writes a table to a file."""

    def begin(self, columns: Sequence[Column]) -> None: ...

    def rows(self, rows: Iterable[Row]) -> None: ...

    def end(self, row_count: int, cut: Cut) -> Cut:
        """Write what is left; returns all that is missing from so many rows."""
        ...

    def discard(self) -> None:
        """Drop what was written beside the file."""
        ...


@attrs.frozen
class LinesFile:
    """The lines of a `LineWriter` in a file."""

    _file: BinaryIO
    _writer: LineWriter

    def begin(self, columns: Sequence[Column]) -> None:
        self._file.write(self._writer.begin(columns))

    def rows(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._file.write(self._writer.rows((row,)))

    def end(self, row_count: int, cut: Cut) -> Cut:
        self._file.write(self._writer.end(row_count, cut))
        return cut

    def discard(self) -> None:
        pass


@attrs.define(eq=False)
class SpooledFile:
    """A file that is made, and then read once. `close` it whatever happens.

    `executed_ms` is when the database gave the rows, None if it gave them with the answer.
    """

    _file: BinaryIO
    size: int = 0
    row_count: int = 0
    cut: Cut = WHOLE
    executed_ms: int | None = None
    on_close: Callable[[], None] = attrs.field(init=False, default=lambda: None)
    _offset: int = attrs.field(init=False, default=0)

    def __aiter__(self) -> "SpooledFile":
        return self

    async def __anext__(self) -> bytes:
        piece = await trio.to_thread.run_sync(
            os.pread, self._file.fileno(), PIECE_BYTES, self._offset
        )
        if not piece:
            raise StopAsyncIteration
        self._offset += len(piece)
        return piece

    def close(self) -> None:
        """Give the file up; a second time changes nothing."""
        self._file.close()
        on_close, self.on_close = self.on_close, lambda: None
        on_close()

    def __del__(self) -> None:
        self.close()


class RowsSink:
    """Takes the rows of a database, and writes them as fast as it can: a `PacedSink`."""

    def __init__(self, table: TableFile, threads: trio.CapacityLimiter) -> None:
        self._table = table
        self._threads = threads
        self._columns: Sequence[Column] | None = None
        self._waiting: list[Row] = []
        self._news = trio.Event()
        self._written = trio.Event()
        self._is_complete = False
        self._is_over = False
        self.row_count = 0

    def columns(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._news.set()

    def rows(self, rows: Sequence[Row]) -> None:
        if not self._is_over:
            self._waiting += rows
            self.row_count += len(rows)
            self._news.set()

    async def caught_up(self) -> None:
        while self._waiting and not self._is_over:
            await self._written.wait()

    async def complete(self) -> None:
        """No more rows come; return when all are written."""
        self._is_complete = True
        self._news.set()
        while not self._is_over:
            await self._written.wait()

    async def write(self) -> None:
        """Write what comes, until it is complete. Raises `OSError`."""
        try:
            while self._columns is None and not self._is_complete:
                await self._heard()
            await self._in_thread(partial(self._table.begin, self._columns or ()))
            while not self._is_complete or self._waiting:
                if self._waiting:
                    await self._write_batch()
                else:
                    await self._heard()
        finally:
            self._is_over = True
            self._waiting = []
            self._written.set()

    async def _heard(self) -> None:
        await self._news.wait()
        self._news = trio.Event()

    async def _write_batch(self) -> None:
        most = max(1, BATCH_CELLS_MAX // max(1, len(self._columns or ())))
        batch, self._waiting = self._waiting[:most], self._waiting[most:]
        await self._in_thread(partial(self._table.rows, batch))
        self._written.set()
        self._written = trio.Event()

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await trio.to_thread.run_sync(work, limiter=self._threads)


@attrs.define(eq=False)
class Spool:
    """A file that is being made: `sink` takes the rows, `finished` gives the file."""

    _file: BinaryIO
    _table: TableFile
    _threads: trio.CapacityLimiter
    sink: "RowsSink" = attrs.field(init=False)
    is_taken: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self.sink = RowsSink(self._table, self._threads)

    async def finished(self, cut: Cut, executed_ms: int | None = None) -> SpooledFile:
        """Write what waits and the end, and give the file to be read. Raises `OSError`.

        A workbook is packed now, which takes seconds if it is large: a cancellation does not wait
        for that.
        """
        await self.sink.complete()

        def end() -> tuple[Cut, int]:
            whole = self._table.end(self.sink.row_count, cut)
            self._file.flush()
            return whole, os.fstat(self._file.fileno()).st_size

        whole, size = await trio.to_thread.run_sync(
            end, limiter=self._threads, abandon_on_cancel=True
        )
        self.is_taken = True
        return SpooledFile(self._file, size, self.sink.row_count, whole, executed_ms)


@asynccontextmanager
async def open_spool(
    file_format: FileFormat, threads: trio.CapacityLimiter
) -> AsyncIterator[Spool]:
    """A file that is made in the block, and taken there; one that is not taken is dropped. An
    `OSError` of the disk ends the block, in an exception group."""
    file, table = await trio.to_thread.run_sync(_opened, file_format, limiter=threads)
    spool = Spool(file, table, threads)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(spool.sink.write)
            yield spool
            nursery.cancel_scope.cancel()
    finally:
        table.discard()
        if not spool.is_taken:
            file.close()


def _opened(file_format: FileFormat) -> tuple[BinaryIO, TableFile]:
    """A file without a name, where the system keeps temporary ones (`TMPDIR`), and its writer."""
    file = cast(BinaryIO, tempfile.TemporaryFile(buffering=PIECE_BYTES))  # noqa: SIM115  # see Spool
    if file_format.lines is not None:
        return file, LinesFile(file, file_format.lines())
    try:
        # Imported here, since few daemons are ever asked for a workbook.
        module = import_module("chatd.answers.workbook")
        return file, module.WorkbookFile(file)
    except BaseException:
        file.close()
        raise

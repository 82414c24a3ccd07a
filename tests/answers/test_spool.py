"""Rows on their way into a temporary file, and out of it."""

import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
import trio
import trio.testing

from chatd.answers import spool, workbook
from chatd.answers.csv_lines import CsvLines
from chatd.answers.cut import WHOLE, Cut
from chatd.answers.exports import FORMATS, PIECE_BYTES, FileFormat, LineWriter
from chatd.answers.spool import BATCH_CELLS_MAX, RowsSink, SpooledFile, open_spool
from chatd.answers.table import Column, Row
from chatd.wire.names import RowsCut

AB = (Column("a"), Column("b"))


def limiter() -> trio.CapacityLimiter:
    return trio.CapacityLimiter(1)


MAY_GO_ON = threading.Event()


class HeldLines(CsvLines):
    """Lines whose writing the test holds."""

    def rows(self, rows: Iterable[Row]) -> bytes:
        assert MAY_GO_ON.wait(30)
        return super().rows(rows)


def left_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def whole(file: SpooledFile) -> bytes:
    try:
        return b"".join([piece async for piece in file])
    finally:
        file.close()


@pytest.mark.parametrize("name", FORMATS)
async def test_rows_that_come_in_parts_are_one_file(name: str) -> None:
    made: list[bytes] = []
    for parts in ([500], [1, 250, 0, 249]):
        async with open_spool(FORMATS[name], limiter()) as one:
            one.sink.columns(AB)
            at = 0
            for count in parts:
                one.sink.rows([[number, "x" * 200] for number in range(at, at + count)])
                await one.sink.caught_up()
                at += count
            file = await one.finished(Cut(RowsCut.MAX_ROWS), 7)
        assert (file.row_count, file.cut, file.executed_ms) == (500, Cut(RowsCut.MAX_ROWS), 7)
        made.append(await whole(file))
        assert len(made[-1]) == file.size
    assert len(made[0]) == len(made[1])
    assert name == "xlsx" or made[0] == made[1]  # a workbook holds the time


async def test_a_table_without_rows_is_a_file_too() -> None:
    async with open_spool(FORMATS["csv"], limiter()) as one:
        one.sink.columns(AB)
        file = await one.finished(WHOLE)
    assert await whole(file) == b"a,b\r\n"


async def test_a_database_that_says_nothing_makes_an_empty_file() -> None:
    async with open_spool(FORMATS["json"], limiter()) as one:
        file = await one.finished(WHOLE)
    assert await whole(file) == b"[]\n"


async def test_who_feeds_rows_waits_while_they_are_written() -> None:
    MAY_GO_ON.clear()
    async with open_spool(FileFormat("text/csv", HeldLines), limiter()) as one:
        one.sink.columns(AB)
        one.sink.rows([[1, 2]] * BATCH_CELLS_MAX)  # of two cells: two batches
        caught_up = trio.Event()

        async def wait() -> None:
            await one.sink.caught_up()
            caught_up.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            for _ in range(50):
                await trio.lowlevel.checkpoint()
            assert not caught_up.is_set()
            MAY_GO_ON.set()
            await caught_up.wait()
        file = await one.finished(WHOLE)
    assert (await whole(file)).count(b"\r\n") == 1 + BATCH_CELLS_MAX
    assert file.row_count == BATCH_CELLS_MAX


async def test_rows_of_many_cells_are_written_in_small_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[int] = []

    class Noting(spool.LinesFile):
        def rows(self, rows: Iterable[Row]) -> None:
            found = list(rows)
            written.append(len(found))
            super().rows(found)

    monkeypatch.setattr(spool, "LinesFile", Noting)
    async with open_spool(FORMATS["csv"], limiter()) as one:
        one.sink.columns([Column("a")] * 3_000)
        one.sink.rows([[0] * 3_000] * 7)
        (await one.finished(WHOLE)).close()
    assert sum(written) == 7
    assert max(written) * 3_000 <= BATCH_CELLS_MAX


async def test_a_disk_that_fails_ends_the_block_and_keeps_no_rows() -> None:
    class Failing(CsvLines):
        def rows(self, rows: Iterable[Row]) -> bytes:
            raise OSError(28, "no space left")

    def failing() -> LineWriter:
        return Failing()

    sinks: list[RowsSink] = []
    with pytest.RaisesGroup(pytest.RaisesExc(OSError), flatten_subgroups=True):
        async with open_spool(FileFormat("text/csv", failing), limiter()) as one:
            sinks.append(one.sink)
            one.sink.columns(AB)
            one.sink.rows([[1, 2]])
            await trio.sleep_forever()
    [sink] = sinks
    sink.rows([[3, 4]] * 1_000)
    await sink.caught_up()  # nobody waits for what is over
    assert sink.row_count == 1


async def test_what_is_given_up_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool.tempfile, "tempdir", str(tmp_path))
    for name in FORMATS:
        with trio.move_on_after(30) as scope:
            async with open_spool(FORMATS[name], limiter()) as one:
                one.sink.columns(AB)
                one.sink.rows([[1, 2]])
                await one.sink.caught_up()
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert left_in(tmp_path) == []


async def test_a_workbook_that_is_being_packed_keeps_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool.tempfile, "tempdir", str(tmp_path))
    is_packing, may_end, has_ended = threading.Event(), threading.Event(), threading.Event()

    def end(self: workbook.WorkbookFile, row_count: int, cut: Cut) -> Cut:
        is_packing.set()
        assert may_end.wait(30)
        has_ended.set()
        return cut

    monkeypatch.setattr(workbook.WorkbookFile, "end", end)
    with trio.CancelScope() as scope:
        async with open_spool(FORMATS["xlsx"], limiter()) as one, trio.open_nursery() as nursery:
            one.sink.columns(AB)
            nursery.start_soon(one.finished, WHOLE)
            await trio.to_thread.run_sync(is_packing.wait)
            scope.cancel()
    assert scope.cancelled_caught
    assert left_in(tmp_path) == []
    may_end.set()
    assert await trio.to_thread.run_sync(has_ended.wait, 30)


async def test_a_file_is_closed_once_and_says_so_once() -> None:
    closed: list[None] = []
    async with open_spool(FORMATS["csv"], limiter()) as one:
        one.sink.columns(AB)
        one.sink.rows([["x" * PIECE_BYTES, 1]])
        file = await one.finished(WHOLE)
    file.on_close = lambda: closed.append(None)
    assert len(await anext(file)) == PIECE_BYTES
    file.close()
    file.close()
    assert closed == [None]

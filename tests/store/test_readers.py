"""The history in SQLite: from an index each time, beside the writer; what a read costs."""

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from chatd.chat.commits import StoreReadFailed
from chatd.chat.queue import Gap
from chatd.chat.records import Message
from chatd.store.connections import connect_to_read
from chatd.store.lookups import NEWEST, UNDELIVERED
from chatd.store.message_reader import Page
from chatd.store.opening import Store
from chatd.store.pages import CHANGED_AFTER, OWED, page_statement
from chatd.store.reader_pool import ReaderPool
from chatd.store.readers import LogReaders
from chatd.store.writer import LogWriter
from tests.store.logs import NOW_MS, ROOM, last_page, message, stored, stored_from


def seqs(page: Page) -> list[int]:
    return [message.seq for message in page.messages]


@pytest.fixture
async def filled(store: Store, writer: LogWriter) -> Store:
    await writer.commit([*stored_from(1, 3, room="other"), *stored_from(1, 30)])
    return store


async def test_readers_see_each_commit_at_once_while_many_read(
    store: Store, writer: LogWriter
) -> None:
    async def read() -> None:
        for _ in range(20):
            current = await last_page(store.readers, ROOM, 100)
            assert seqs(current) == list(range(1, current.last_seq + 1))

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(read)
        for seq in range(1, 41):
            await writer.commit([stored(seq)])
            assert (await last_page(store.readers, ROOM, 1)).last_seq == seq
    assert 1 <= len(store.readers._pool._idle) <= 4


async def test_a_log_that_cannot_be_read_is_told_and_the_readers_go_on(
    filled: Store, directory: Path
) -> None:
    nowhere = ReaderPool(directory / "nothing.sqlite3", 1)
    lost = LogReaders(nowhere, nowhere, filled._index_until)
    with pytest.raises(StoreReadFailed) as caught:
        await last_page(lost, ROOM, 1)
    assert caught.value.code == "storage_read_error"

    await last_page(filled.readers, ROOM, 1)
    for connection in filled.readers._pool._idle:
        connection.set_progress_handler(lambda: 1, 1)  # interrupts each statement
    with pytest.raises(StoreReadFailed):
        await last_page(filled.readers, ROOM, 1)
    assert seqs(await last_page(filled.readers, ROOM, 1)) == [30]


def test_a_reader_can_change_nothing(store: Store) -> None:
    connection = connect_to_read(store.path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("UPDATE meta SET position = 7")
    connection.close()


@pytest.mark.parametrize("backward", [True, False])
@pytest.mark.parametrize("of_thread", [True, False])
def test_a_page_is_read_from_an_index_without_sorting(
    store: Store, backward: bool, of_thread: bool
) -> None:
    connection = connect_to_read(store.path)
    statement = page_statement(backward=backward, of_thread=of_thread)
    parameters = (1, 10, 50, b"0" * 16)[: 4 if of_thread else 3]
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    connection.close()
    index = "messages_by_thread" if of_thread else "messages_by_seq"
    assert any(f"USING INDEX {index} (room_id=? AND" in step for step in plan)
    assert not any("SCAN" in step or "TEMP B-TREE" in step for step in plan)


def test_what_was_changed_is_read_from_an_index_without_sorting(store: Store) -> None:
    connection = connect_to_read(store.path)
    explained = connection.execute(f"EXPLAIN QUERY PLAN {CHANGED_AFTER}", (1, 2, 3))
    plan = [row[3] for row in explained]
    connection.close()
    assert any("USING INDEX changed_by_rev (room_id=? AND rev>?)" in step for step in plan)
    assert not any("SCAN" in step or "TEMP B-TREE" in step for step in plan)


def test_messages_are_values(store: Store) -> None:
    assert message(1, message_id="0" * 8 + "-0000-0000-0000-" + "0" * 12) == Message(
        "00000000-0000-0000-0000-000000000000",
        ROOM,
        1,
        "ada",
        "Ada",
        "How many orders came in today?",
        None,
        None,
        NOW_MS + 1,
    )


def gap(first: int, last: int) -> Gap:
    return Gap(first, last, NOW_MS)


async def test_the_newest_owed_read_no_more_rows_than_stay_and_one_a_gap(
    store: Store, writer: LogWriter
) -> None:
    for room in "ab":
        await writer.commit(stored_from(1, 3_000, room=room))
    owed = {"a": (gap(1, 3_000),), "b": (gap(1, 10), gap(1_000, 3_000)), "c": (gap(1, 9),)}
    steps = await steps_of(store, lambda: store.readers.newest_owed(owed, 100, 0))
    assert steps < 3_000
    assert await steps_of(store, lambda: store.readers.newest_owed(owed, 1_000, 0)) > steps * 5


async def test_reads_of_a_queue_cost_what_they_return(store: Store, writer: LogWriter) -> None:
    await writer.commit(stored_from(1, 5_000))
    gaps = (gap(10, 10), gap(2_000, 5_000))
    assert await steps_of(store, lambda: store.readers.owed(ROOM, gaps, 0, 10)) < 1_000
    few = await steps_of(store, lambda: store.readers.undelivered(ROOM, "bob", 4_000, 4_009, 1_000))
    assert few < 1_000


async def test_a_read_that_stops_early_leaves_no_old_view_behind(
    store: Store, writer: LogWriter
) -> None:
    await writer.commit(stored_from(1, 100))
    await store.readers.newest_owed({ROOM: (gap(1, 100),)}, 3, 0)
    await writer.commit(stored_from(101, 102))
    assert (await last_page(store.readers, ROOM, 1)).last_seq == 102
    assert len(store.readers._pool._idle) == 1


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [(OWED, (1, 2, 3, 4)), (UNDELIVERED, (1, 2, 3, "ada", 5)), (NEWEST, (1, 2, 3))],
)
def test_a_queue_is_read_from_an_index_without_sorting(
    store: Store, statement: str, parameters: tuple[object, ...]
) -> None:
    connection = connect_to_read(store.path)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    connection.close()
    assert any("INDEX messages_by_seq (room_id=? AND seq>? AND seq<?)" in step for step in plan)
    assert not any("SCAN" in step or "TEMP B-TREE" in step for step in plan)


async def steps_of(store: Store, question: Callable[[], Awaitable[object]]) -> int:
    """Virtual steps that SQLite takes for a question."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    await last_page(store.readers, ROOM, 1)
    for connection in store.readers._pool._idle:
        connection.set_progress_handler(count, 1)
    await question()
    for connection in store.readers._pool._idle:
        connection.set_progress_handler(None, 1)
    return steps

"""The history: pages both ways, threads, single messages; each from an index."""

import sqlite3
from pathlib import Path

import pytest
import trio

from chatd.chat.records import Delivered, Message
from chatd.store.connections import connect_to_read
from chatd.store.errors import StoreReadFailed
from chatd.store.opening import Store
from chatd.store.readers import LogReaders, Page, page_statement
from chatd.store.writer import LogWriter
from tests.store.logs import NOW_MS, ROOM, message, stored, stored_from


async def page(
    store: Store,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = 10,
    thread_id: str | None = None,
) -> Page:
    return await store.readers.page(
        ROOM, before=before, after=after, limit=limit, thread_id=thread_id
    )


def seqs(page: Page) -> list[int]:
    return [message.seq for message in page.messages]


@pytest.fixture
async def filled(store: Store, writer: LogWriter) -> Store:
    await writer.commit([*stored_from(1, 3, room="other"), *stored_from(1, 30)])
    return store


async def test_a_message_comes_back_as_it_was_written(store: Store, writer: LogWriter) -> None:
    opener = message(1, name=None, content=" <b>'; -- 🐘\n", context=b'{"tables":["a"]}')
    reply = message(2, thread_id=opener.message_id)
    await writer.commit([type(stored(1))(opener), type(stored(1))(reply)])

    assert (await store.readers.last(ROOM, 10)).messages == (opener, reply)
    assert await store.readers.message(opener.message_id) == opener
    assert await store.readers.message(reply.message_id) == reply
    assert await store.readers.message("00000000-0000-0000-0000-000000000000") is None


async def test_the_last_messages_come_oldest_first(filled: Store) -> None:
    last = await filled.readers.last(ROOM, 4)
    assert seqs(last) == [27, 28, 29, 30]
    assert (last.has_more, last.first_seq, last.last_seq) == (True, 1, 30)
    assert {message.connection_id for message in last.messages} == {ROOM}


async def test_pages_lead_back_to_the_beginning(filled: Store) -> None:
    met: list[int] = []
    current = await page(filled, limit=7)
    while current.has_more:
        met = seqs(current) + met
        current = await page(filled, before=met[0], limit=7)
    assert seqs(current) + met == list(range(1, 31))


async def test_pages_lead_forward_to_the_end(filled: Store) -> None:
    met: list[int] = []
    current = await page(filled, after=0, limit=7)
    while current.has_more:
        met += seqs(current)
        current = await page(filled, after=met[-1], limit=7)
    assert met + seqs(current) == list(range(1, 31))


async def test_the_ends_have_no_more(filled: Store) -> None:
    assert await page(filled, before=1) == Page((), False, 1, 30)
    assert await page(filled, after=30) == Page((), False, 1, 30)
    assert await page(filled, after=99) == Page((), False, 1, 30)
    assert not (await page(filled, before=11, limit=10)).has_more
    assert not (await page(filled, after=20, limit=10)).has_more
    assert seqs(await page(filled, before=99, limit=1)) == [30]


async def test_an_unknown_room_is_an_empty_page(filled: Store) -> None:
    assert await filled.readers.last("nowhere", 5) == Page((), False, 0, 0)


async def test_a_thread_has_pages_of_its_own_both_ways(store: Store, writer: LogWriter) -> None:
    opener = message(1)
    thread = opener.message_id
    replies = [stored(seq, thread_id=thread if seq % 2 else None) for seq in range(2, 22)]
    await writer.commit([type(stored(1))(opener), *replies])

    last = await page(store, limit=3, thread_id=thread)
    assert seqs(last) == [17, 19, 21]
    assert (last.has_more, last.first_seq, last.last_seq) == (True, 1, 21)
    assert seqs(await page(store, before=7, thread_id=thread)) == [3, 5]
    forward = await page(store, after=14, limit=4, thread_id=thread)
    assert (seqs(forward), forward.has_more) == ([15, 17, 19, 21], False)
    elsewhere = await store.readers.page(
        "other", before=None, after=None, limit=3, thread_id=thread
    )
    assert elsewhere.messages == ()


async def test_delivered_messages_are_marked_on_their_page(store: Store, writer: LogWriter) -> None:
    await writer.commit([*stored_from(1, 5), Delivered(ROOM, 2, "bob", NOW_MS)])
    await writer.commit([Delivered(ROOM, 5, "bob", NOW_MS)])
    assert (await page(store)).delivered == {2, 5}
    assert (await page(store, before=5)).delivered == {2}


async def test_questions_that_make_no_sense_are_refused(filled: Store) -> None:
    with pytest.raises(ValueError, match="not both"):
        await page(filled, before=3, after=1)
    with pytest.raises(ValueError, match="not for 0"):
        await page(filled, limit=0)
    with pytest.raises(ValueError, match="UUID"):
        await page(filled, thread_id="ABCD")
    with pytest.raises(ValueError, match="hexadecimal"):
        await filled.readers.message("no uuid")


async def test_readers_see_each_commit_at_once_while_many_read(
    store: Store, writer: LogWriter
) -> None:
    async def read() -> None:
        for _ in range(20):
            current = await store.readers.last(ROOM, 100)
            assert seqs(current) == list(range(1, current.last_seq + 1))

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(read)
        for seq in range(1, 41):
            await writer.commit([stored(seq)])
            assert (await store.readers.last(ROOM, 1)).last_seq == seq
    assert 1 <= len(store.readers._idle) <= 4


async def test_a_log_that_cannot_be_read_is_told_and_the_readers_go_on(
    filled: Store, directory: Path
) -> None:
    lost = LogReaders(directory / "nothing.sqlite3")
    with pytest.raises(StoreReadFailed) as caught:
        await lost.last(ROOM, 1)
    assert caught.value.code == "storage_error"

    await filled.readers.last(ROOM, 1)
    for connection in filled.readers._idle:
        connection.set_progress_handler(lambda: 1, 1)  # interrupts each statement
    with pytest.raises(StoreReadFailed):
        await filled.readers.last(ROOM, 1)
    assert seqs(await filled.readers.last(ROOM, 1)) == [30]


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

"""The history: pages both ways, threads, single messages; each from an index."""

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.ids import scoped_id
from chatd.chat.queue import Gap
from chatd.chat.records import Delivered, Message, MessagePlace, MessageStored
from chatd.store import readers
from chatd.store.connections import connect_to_read
from chatd.store.errors import StoreReadFailed
from chatd.store.opening import Store, open_store
from chatd.store.readers import (
    NEWEST,
    OWED,
    UNDELIVERED,
    Cut,
    LogReaders,
    Page,
    page_statement,
)
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


async def test_one_of_two_messages_of_one_id_is_read_by_its_room(
    store: Store, writer: LogWriter
) -> None:
    theirs = message(1, room="other")
    mine = message(1, message_id=scoped_id(theirs.message_id, ROOM))
    await writer.commit([MessageStored(theirs), MessageStored(mine)])

    read = store.readers.message
    assert await read(theirs.message_id) == theirs
    assert await read(theirs.message_id, ["other"]) == theirs
    assert await read(theirs.message_id, [ROOM]) == mine
    assert await read(theirs.message_id, ["elsewhere"]) is None
    assert await read(mine.message_id, [ROOM]) == mine
    assert await store.readers.has_thread(ROOM, theirs.message_id)
    assert not await store.readers.has_thread("elsewhere", theirs.message_id)


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


@pytest.fixture
async def weighty(store: Store, writer: LogWriter, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Ten messages of 40 bytes, 30 of which are the answer, on pages of 100."""
    monkeypatch.setattr(readers, "PAGE_BYTES", 100)
    fields = {"content": "é" * 5, "answer": b'{"rows":"' + b"r" * 19 + b'"}'}
    await writer.commit(stored_from(1, 10, **fields))
    return store


async def test_a_page_holds_so_many_bytes_and_says_that_there_is_more(weighty: Store) -> None:
    backward = await page(weighty)
    assert (seqs(backward), backward.has_more) == ([9, 10], True)
    backward = await page(weighty, before=4)
    assert (seqs(backward), backward.has_more) == ([2, 3], True)
    forward = await page(weighty, after=0)
    assert (seqs(forward), forward.has_more) == ([1, 2], True)
    forward = await page(weighty, after=8)
    assert (seqs(forward), forward.has_more) == ([9, 10], False)


async def test_pages_that_are_cut_lead_on_without_a_hole(weighty: Store) -> None:
    met: list[int] = []
    current = await page(weighty)
    while current.has_more:
        met = seqs(current) + met
        current = await page(weighty, before=met[0])
    assert seqs(current) + met == list(range(1, 11))
    met = []
    current = await page(weighty, after=0)
    while current.has_more:
        met += seqs(current)
        current = await page(weighty, after=met[-1])
    assert met + seqs(current) == list(range(1, 11))


async def test_a_page_holds_one_message_of_any_size(
    weighty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "PAGE_BYTES", 1)
    assert seqs(await page(weighty)) == [10]
    assert seqs(await page(weighty, after=3)) == [4]
    assert [one.seq for one, _ in await weighty.readers.owed(ROOM, (gap(2, 9),), 0, 5)] == [2]


async def test_owed_messages_are_as_many_as_a_page_holds_and_lead_on(weighty: Store) -> None:
    gaps = (gap(1, 1), gap(4, 4), gap(6, 10))
    met: list[list[int]] = []
    while found := await weighty.readers.owed(ROOM, gaps, met[-1][-1] if met else 0, 9):
        met.append([one.seq for one, _ in found])
    assert met == [[1, 4], [6, 7], [8, 9], [10]]


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


async def test_a_thread_is_where_its_opener_or_a_reply_is(store: Store, writer: LogWriter) -> None:
    opener, elsewhere = message(1), message(1, room="other")
    reply = message(2, thread_id=opener.message_id)
    await writer.commit([MessageStored(one) for one in (opener, reply, elsewhere)])

    async def has_thread(room: str, thread_id: str) -> bool:
        return await store.readers.has_thread(room, thread_id)

    assert await has_thread(ROOM, opener.message_id)
    assert not await has_thread(ROOM, reply.message_id), "it is in a thread itself"
    assert not await has_thread(ROOM, elsewhere.message_id)
    assert not await has_thread("other", opener.message_id)
    assert not await has_thread("nowhere", opener.message_id)
    await forget(writer, ROOM, 1)
    assert await has_thread(ROOM, opener.message_id)
    await forget(writer, ROOM, 2)
    assert not await has_thread(ROOM, opener.message_id)
    with pytest.raises(ValueError, match="not a UUID"):
        await has_thread(ROOM, "00")


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
    assert caught.value.code == "storage_read_error"

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


def gap(first: int, last: int) -> Gap:
    return Gap(first, last, NOW_MS)


async def forget(writer: LogWriter, room: str, last_seq: int) -> None:
    """Remove the messages of a room up to a seq, as retention does."""

    def job(connection: sqlite3.Connection) -> None:
        [(room_id,)] = connection.execute(
            "SELECT room_id FROM rooms WHERE connection_id = ?", (room,)
        )
        connection.execute(
            "DELETE FROM messages WHERE room_id = ? AND seq <= ?", (room_id, last_seq)
        )
        connection.execute(
            "UPDATE rooms SET forgotten_seq = ? WHERE room_id = ?", (last_seq, room_id)
        )

    await writer.maintain(job)


async def test_the_ends_of_a_room_after_retention(filled: Store, writer: LogWriter) -> None:
    await forget(writer, ROOM, 12)
    assert await page(filled, before=13) == Page((), False, 13, 30)
    assert seqs(await page(filled, after=0, limit=2)) == [13, 14]
    await forget(writer, ROOM, 30)
    assert await page(filled) == Page((), False, 0, 30)
    await writer.commit([stored(31)])
    last = await page(filled)
    assert (seqs(last), last.first_seq, last.last_seq) == ([31], 31, 31)


async def test_owed_messages_are_those_of_the_gaps_in_order(filled: Store) -> None:
    async def owed(after_seq: int, limit: int) -> list[int]:
        gaps = (gap(2, 4), gap(9, 9), gap(20, 99))
        found = await filled.readers.owed(ROOM, gaps, after_seq, limit)
        return [one.seq for one, _ in found]

    assert await owed(0, 5) == [2, 3, 4, 9, 20]
    assert await owed(3, 2) == [4, 9]
    assert await owed(4, 2) == [9, 20]
    assert await owed(28, 50) == [29, 30]
    assert await owed(30, 50) == []
    assert await filled.readers.owed(ROOM, (), 0, 5) == ()
    assert await filled.readers.owed("nowhere", (gap(1, 9),), 0, 5) == ()


async def test_owed_messages_that_retention_removed_are_not_there(
    filled: Store, writer: LogWriter
) -> None:
    await forget(writer, ROOM, 9)
    found = await filled.readers.owed(ROOM, (gap(1, 3), gap(8, 11)), 0, 50)
    assert [one.seq for one, _ in found] == [10, 11]


async def test_undelivered_are_the_newest_of_others_that_nobody_acknowledged(
    store: Store, writer: LogWriter
) -> None:
    for seq in range(1, 11):
        await writer.commit([stored(seq, user_id="bob" if seq == 6 else "ada")])
    await writer.commit([Delivered(ROOM, seq, "eve", NOW_MS) for seq in (3, 8)])

    async def undelivered(user_id: str, first: int, last: int, limit: int = 50) -> list[int]:
        found = await store.readers.undelivered(ROOM, user_id, first, last, limit)
        return [one.seq for one in found]

    assert await undelivered("bob", 1, 10) == [1, 2, 4, 5, 7, 9, 10]
    assert await undelivered("bob", 2, 9, limit=3) == [5, 7, 9]
    assert await undelivered("ada", 1, 10) == [6]
    assert await undelivered("bob", 8, 8) == []
    [newest] = await store.readers.undelivered(ROOM, "bob", 1, 10, 1)
    known = await store.readers.message(newest.message_id)
    assert known is not None
    assert newest == MessagePlace(known.message_id, ROOM, 10, "ada")
    assert await store.readers.undelivered("nowhere", "bob", 1, 9, 9) == ()


async def test_the_newest_owed_are_chosen_over_all_rooms(store: Store, writer: LogWriter) -> None:
    # Positions: a 1..3, b 1..3, a 4..6, c 1
    for room, first, last in (("a", 1, 3), ("b", 1, 3), ("a", 4, 6), ("c", 1, 1)):
        await writer.commit(stored_from(first, last, room=room))
    owed = {"a": (gap(1, 2), gap(4, 5)), "b": (gap(2, 3),), "c": (gap(1, 1),), "no": (gap(1, 7),)}

    async def newest(most: int, oldest_ms: int = 0) -> dict[str, int]:
        cuts = await store.readers.newest_owed(owed, most, oldest_ms)
        for room, cut in cuts.items():
            stays = cut.first_seq <= owed[room][-1].last and room != "no"
            assert cut.since_ms == (NOW_MS + cut.first_seq if stays else oldest_ms)
        return {room: cut.first_seq for room, cut in cuts.items()}

    assert await newest(99) == {"a": 1, "b": 2, "c": 1, "no": 8}
    assert await newest(6) == {"a": 2, "b": 2, "c": 1, "no": 8}
    assert await newest(4) == {"a": 4, "b": 3, "c": 1, "no": 8}
    assert await newest(1) == {"a": 6, "b": 4, "c": 1, "no": 8}
    assert await newest(0) == {"a": 6, "b": 4, "c": 2, "no": 8}
    assert await newest(99, NOW_MS + 4) == {"a": 4, "b": 4, "c": 2, "no": 8}
    assert await store.readers.newest_owed({"a": ()}, 5, 0) == {}


@given(
    rooms=st.lists(st.sampled_from("abc"), max_size=40),
    owed=st.dictionaries(st.sampled_from("abcd"), st.sets(st.integers(1, 15), min_size=1)),
    forgotten=st.dictionaries(st.sampled_from("abc"), st.integers(1, 15)),
    most=st.integers(0, 20),
    oldest=st.integers(0, 45),
)
def test_what_stays_of_the_owed_is_what_a_full_search_finds(
    rooms: list[str],
    owed: dict[str, set[int]],
    forgotten: dict[str, int],
    most: int,
    oldest: int,
) -> None:
    log: list[
        tuple[int, str, int]
    ] = []  # position, which is the time from NOW_MS on too, room, seq
    last_seqs: Counter[str] = Counter()
    for position, room in enumerate(rooms, 1):
        last_seqs[room] += 1
        log.append((position, room, last_seqs[room]))
    forgotten = {room: min(seq, last_seqs[room]) for room, seq in forgotten.items()}
    stays: dict[str, list[tuple[int, int]]] = {room: [] for room in owed}
    there = [one for one in log if one[2] > forgotten.get(one[1], 0)]
    candidates = [one for one in there if one[2] in owed.get(one[1], ()) and one[0] >= oldest]
    for position, room, seq in candidates[::-1][:most]:
        stays[room].append((seq, position))
    expected = {
        room: Cut(first := min(found)[0], NOW_MS + dict(found)[first])
        if found
        else Cut(max(owed[room]) + 1, NOW_MS + oldest)
        for room, found in stays.items()
    }

    async def ask(directory: Path) -> dict[str, Cut]:
        store = open_store(directory, "write")
        writer = store.start_writer(trio.lowlevel.current_trio_token())
        await writer.commit(
            [stored(seq, room=room, timestamp_ms=NOW_MS + position) for position, room, seq in log]
        )
        for room, seq in forgotten.items():
            if last_seqs[room]:
                await forget(writer, room, seq)
        gaps = {room: [gap(seq, seq) for seq in sorted(seqs)] for room, seqs in owed.items()}
        cuts = await store.readers.newest_owed(gaps, most, NOW_MS + oldest)
        await writer.close(30)
        store.close()
        return cuts

    with tempfile.TemporaryDirectory() as directory:
        assert trio.run(ask, Path(directory)) == expected


async def test_what_a_clock_that_was_never_set_has_stored_falls_out_of_no_queue(
    store: Store, writer: LogWriter
) -> None:
    await writer.commit([stored(seq, timestamp_ms=1_000 * seq) for seq in range(1, 4)])
    cuts = await store.readers.newest_owed({ROOM: (gap(1, 3),)}, 10, NOW_MS)
    assert cuts[ROOM].first_seq == 1


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
    assert (await store.readers.last(ROOM, 1)).last_seq == 102
    assert len(store.readers._idle) == 1


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

    await store.readers.last(ROOM, 1)
    for connection in store.readers._idle:
        connection.set_progress_handler(count, 1)
    await question()
    for connection in store.readers._idle:
        connection.set_progress_handler(None, 1)
    return steps

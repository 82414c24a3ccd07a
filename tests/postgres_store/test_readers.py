"""The history in PostgreSQL: what a read costs, and how it fails."""

from collections.abc import Sequence
from typing import Any

import orjson
import psycopg
import pytest
import trio
from trio.testing import MockClock

from chatd.chat.commits import CommitFailed, StoreClosed, StoreReadFailed
from chatd.chat.queue import Gap
from chatd.chat.reading import Lack
from chatd.chat.records import MessageEdited, MessageStored
from chatd.postgres_client import TrioConnection
from chatd.postgres_store import cuts, lookups, pages, room_log, stretches
from chatd.postgres_store.log import PostgresLog
from chatd.postgres_store.opening import open_log
from chatd.postgres_store.reader_pool import (
    LONGEST_WAIT_S,
    READ_S,
    ReaderPool,
    pool_to_read,
)
from chatd.postgres_store.readers import PostgresReaders
from chatd.postgres_store.sessions import LogAddress, connect
from chatd.store.damage import Damaged
from chatd.store.message_reader import Page
from chatd.store.pages import PAGE_BYTES
from chatd.wire.codes import Code
from tests.postgres import a_server
from tests.postgres_store.logs import SCHEMA, new_address, run_in
from tests.store.histories import PostgresHistory
from tests.store.logs import (
    NOW_MS,
    ROOM,
    edited,
    last_page,
    message,
    search_for,
    stored,
    stored_from,
)
from tests.store.test_damage import Heard

LIMIT_S = 60.0


# What a read costs

SOUGHT: dict[str, object] = {
    "room": ROOM, "after": 2_000, "limit": 51, "bytes": 2**21, "thread": b"t" * 16,
    "firsts": [5, 1_000], "lasts": [7, 9_999], "rooms": [ROOM, "other"], "pieces": [32, 32],
}  # fmt: skip
READS: list[tuple[str, dict[str, object], int]] = [
    (pages.page_statement(backward=True, of_thread=False), SOUGHT, 51),
    (pages.page_statement(backward=False, of_thread=False), SOUGHT, 51),
    (pages.page_statement(backward=True, of_thread=True), SOUGHT, 20),
    (pages.page_statement(backward=False, of_thread=True), SOUGHT, 20),
    (pages.CHANGED_AFTER, SOUGHT | {"after": 5}, 30),
    (pages.OWED, SOUGHT | {"after": 0}, 2 * 51),
    (lookups.UNDELIVERED, SOUGHT | {"first": 1, "last": 9_999, "user": "bob"}, 50),
    (cuts.NEWEST, SOUGHT, 4 * 32),
    (stretches.STRETCHES, SOUGHT | {"firsts": [10, 10], "lasts": [29, 29]}, 40),
    (stretches.MENTIONING, SOUGHT, 10),
    (room_log.HEADS, SOUGHT | {"seqs": [4_001, 1]}, 2),
]
AT_ONCE = 8  # rows of messages and of what belongs to them, for each message that is found


@pytest.fixture
async def long(history: PostgresHistory) -> PostgresHistory:
    """A room of 4,000 messages, one of 20 in a thread, 30 of which were changed; and another."""
    opener = message(1)
    await history.commit([MessageStored(opener), *stored_from(1, 4_000, room="other")])
    messages = [
        message(seq, thread_id=opener.message_id if seq % 200 == 0 else None)
        for seq in range(2, 4_001)
    ]
    await history.commit([MessageStored(one) for one in messages])
    await history.commit([edited(one, "new", rev) for rev, one in enumerate(messages[:30], 1)])
    await history.commit([stored(4_001, mentions=("bob",))])
    run_in(history.address, f"SET search_path TO {SCHEMA}; ANALYZE")
    return history


async def test_what_is_read_comes_by_an_index_and_costs_what_it_returns(
    long: PostgresHistory,
) -> None:
    with connect(long.address) as connection:
        for statement, parameters, found in READS:
            [(plan,)] = connection.execute(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}".encode(),
                parameters,
            ).fetchall()
            steps = list(_steps(plan[0]["Plan"]))
            scanned = {
                step.get("Relation Name") for step in steps if "Seq Scan" in step["Node Type"]
            }
            assert not {"messages", "changes"} & scanned, statement
            rows = sum(
                step["Actual Rows"] * step["Actual Loops"] + step.get("Rows Removed by Filter", 0)
                for step in steps
                if step.get("Relation Name") == "messages"
            )
            assert rows <= AT_ONCE * found + 100, (rows, statement)


def _steps(plan: Any) -> Any:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _steps(child)


async def test_the_server_sends_no_more_of_a_page_than_it_holds(history: PostgresHistory) -> None:
    """Ten answers of 1 MB: a page of 2 MB is two of them, and no other leaves the server."""
    rows = orjson.dumps({"rows": ["r" * 1_000_000]})
    await history.commit(stored_from(1, 10, answer=rows))
    statement = pages.page_statement(backward=True, of_thread=False)
    asked = {"room": ROOM, "after": 99, "limit": 11, "bytes": PAGE_BYTES}
    with connect(history.address) as connection:
        found = connection.execute(statement.encode(), asked).fetchall()
    assert [row[3] for row in found] == [10, 10]
    assert len((await last_page(history.readers, ROOM, 10)).messages) == 2


async def test_answers_that_are_cut_are_read_piece_by_piece(
    history: PostgresHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "RAW_BYTES", 2_000)
    monkeypatch.setattr("chatd.postgres_store.search.RAW_BYTES", 2_000)
    monkeypatch.setattr(pages, "IN_THREAD_BYTES", 1_500)
    rows = [["r" * 50]] * 20
    answer = orjson.dumps({"state": "done", "rowCount": 20, "rows": rows})
    messages = [message(seq, content="late", answer=answer) for seq in range(1, 11)]
    await history.commit([MessageStored(one) for one in messages])
    await history.commit([edited(one, "late", rev) for rev, one in enumerate(messages, 1)])
    reader, all_seqs = history.readers, list(range(1, 11))

    async def page(**asked: Any) -> tuple[list[int], bool]:
        asked = {"before": None, "after": None, "thread_id": None, "answer_rows": 1} | asked
        found = await reader.page(ROOM, **asked)
        return [one.seq for one in found.messages], found.has_more

    assert await page(limit=50) == (all_seqs, False)
    assert await page(limit=10) == (all_seqs, False)
    assert await page(limit=9) == (all_seqs[1:], True)
    assert await page(limit=4, after=3) == ([4, 5, 6, 7], True)
    assert await page(limit=9, after=1) == (all_seqs[1:], False)
    changed = await reader.changed(ROOM, 2, 7, 0)
    assert ([one.rev for one in changed.messages], changed.has_more) == (
        [3, 4, 5, 6, 7, 8, 9],
        True,
    )
    gaps = [Gap(2, 3, 0), Gap(6, 99, 0)]
    owed = await reader.owed(ROOM, gaps, 2, 50, 1)
    assert [one.seq for one, _ in owed] == [3, 6, 7, 8, 9, 10]
    found = await reader.search(search_for("late"), 6, None, 1)
    assert [hit.message.seq for hit in found.hits] == [10, 9, 8, 7, 6, 5]
    found = await reader.search(search_for("late"), 6, found.cursor, 1)
    assert ([hit.message.seq for hit in found.hits], found.cursor) == ([4, 3, 2, 1], None)


async def test_the_newest_owed_are_read_in_pieces(
    history: PostgresHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuts, "FIRST_PIECE", 2)
    for first in range(1, 101, 10):
        for room in "ab":
            await history.commit(stored_from(first, first + 9, room=room))
    owed = {"a": [Gap(n, n, 0) for n in range(2, 100, 2)], "b": [Gap(1, 40, 0), Gap(60, 200, 0)]}
    for most in (1, 7, 50, 60, 1_000):
        found = await history.readers.newest_owed(owed, most, 0)
        seqs = {
            room: [seq for gap in gaps for seq in range(gap.first, min(gap.last, 100) + 1)]
            for room, gaps in owed.items()
        }
        # Ten of a, ten of b, and so on: by the time at which they were stored.
        newest = sorted(((seq - 1) // 10, room, seq) for room in owed for seq in seqs[room])[-most:]
        for room, cut in found.items():
            stays = [seq for _, other, seq in newest if other == room]
            assert cut.first_seq == (min(stays) if stays else owed[room][-1].last + 1)


async def test_many_stretches_are_read_as_each_alone(history: PostgresHistory) -> None:
    rooms = [f"room {n}" for n in range(stretches.LACKS_AT_ONCE * 2 + 1)]
    for n, room in enumerate(rooms, 1):
        await history.commit(stored_from(1, n, room=room, mentions=("bob",)))
    lacks = [Lack(room, 2, 99, 0) for room in rooms]
    together = await history.readers.stretches(lacks)
    alone = [(await history.readers.stretches([lack]))[0] for lack in lacks]
    assert list(together) == alone
    assert [len(one.mentioning) for one in together] == list(range(1, len(rooms) + 1))
    assert await history.readers.stretches([]) == ()


# How it fails


async def test_a_reader_can_change_nothing(log_address: LogAddress) -> None:
    pool = pool_to_read(log_address, 1, 5)

    async def write(connection: TrioConnection) -> None:
        await connection.execute("DELETE FROM messages")

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        await pool.run(write, LIMIT_S)
    pool.close()


async def test_a_read_that_takes_too_long_is_given_up_and_told(history: PostgresHistory) -> None:
    pool = ReaderPool(pool_to_read(history.address, 1, 0.05))
    pool.witness = heard = Heard()

    async def sleep(connection: TrioConnection) -> None:
        await connection.execute("SELECT pg_sleep(600), 'secret'")

    with trio.fail_after(LIMIT_S), pytest.raises(StoreReadFailed) as caught:
        await pool.read(sleep)
    assert str(caught.value) == (
        "The log could not be read: PostgreSQL says QueryCanceled (57014)."
    )
    assert not caught.value.is_damage
    assert heard.failures == [caught.value]
    pool.close()


@pytest.mark.parametrize(
    ("error", "is_damage"),
    [
        (psycopg.errors.DataCorrupted, True),
        (psycopg.errors.IndexCorrupted, True),
        (psycopg.errors.InternalError_, True),
        (psycopg.errors.UndefinedTable, False),
        (psycopg.errors.OutOfMemory, False),
        (ValueError, True),
    ],
)
async def test_an_error_of_the_server_is_told_without_its_words(
    history: PostgresHistory, error: type[Exception], is_damage: bool
) -> None:
    pool = ReaderPool(pool_to_read(history.address, 1, 5))

    async def fail(_connection: TrioConnection) -> None:
        raise error("column content has secret words")

    with pytest.raises(StoreReadFailed) as caught:
        await pool.read(fail)
    assert "secret" not in str(caught.value)
    assert error.__name__ in str(caught.value)
    assert caught.value.is_damage is is_damage
    pool.close()


async def test_a_server_that_is_away_is_told_and_read_again_once_it_is_back() -> None:
    with a_server() as server:
        address = new_address(server)
        reader = await _of_a_new_log(address)
        assert len((await last_page(reader, ROOM, 9)).messages) == 2
        reader._pool._wait_s = 0.3
        server.freeze()
        try:
            with trio.fail_after(LIMIT_S), pytest.raises(StoreReadFailed, match="no answer"):
                await last_page(reader, ROOM, 1)
        finally:
            server.thaw()
        reader._pool._wait_s = LIMIT_S
        assert len((await last_page(reader, ROOM, 9)).messages) == 2
        run_in(address, "CHECKPOINT")
        server.crash()
        with pytest.raises(StoreReadFailed) as caught:
            await last_page(reader, ROOM, 1)
        assert not caught.value.is_damage
        with pytest.raises(StoreReadFailed):
            await reader.search(search_for("orders"), 5)
        server.start()
        assert len((await _page_in_the_end(reader)).messages) == 2
        reader.close()


async def _page_in_the_end(reader: PostgresReaders) -> Page:
    with trio.fail_after(LIMIT_S):
        while True:
            try:
                return await last_page(reader, ROOM, 9)
            except StoreReadFailed:
                await trio.sleep(0.1)


async def test_a_log_that_was_away_for_long_is_tried_again_each_second(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def refused(address: str, threads: trio.CapacityLimiter) -> TrioConnection:
        nonlocal tries
        tries += 1
        raise psycopg.OperationalError("connection refused")

    async def never(_connection: TrioConnection) -> None:
        raise AssertionError

    monkeypatch.setattr(TrioConnection, "open", refused)
    pool = pool_to_read(LogAddress("postgresql://nowhere/log", SCHEMA), 1, READ_S)
    reader = ReaderPool(pool)
    for second in range(1, 60):
        for _ in range(20):
            with pytest.raises(StoreReadFailed):
                await reader.read(never)
        assert tries == second
        mock_clock.jump(LONGEST_WAIT_S)


async def test_readers_that_were_closed_say_so(history: PostgresHistory) -> None:
    history.readers.close()
    with pytest.raises(StoreClosed):
        await last_page(history.readers, ROOM, 1)
    with pytest.raises(StoreClosed):
        await history.readers.search(search_for("late"), 1)


async def test_a_row_that_cannot_be_is_shown_as_damaged_and_told(history: PostgresHistory) -> None:
    await history.commit([stored(1, content="late", answer=b'{"rows":[]}'), stored(2)])
    await history.readers.search(search_for("late"), 5)
    run_in(history.address, f"UPDATE {SCHEMA}.messages SET answer = 'no json' WHERE seq = 1")
    history.readers.witness = heard = Heard()
    first, second = (await last_page(history.readers, ROOM, 9)).messages
    assert (first.is_damaged, first.content, first.answer) == (True, "late", None)
    assert not second.is_damaged
    assert await history.readers.message(first.message_id) == first
    [hit] = (await history.readers.search(search_for("late"), 5)).hits
    assert (hit.message, hit.matches) == (first, ())
    assert heard.rows == [Damaged("messages", ROOM, 1)] * 3


async def test_readers_see_each_commit_at_once_while_many_read(history: PostgresHistory) -> None:
    async def read() -> None:
        for _ in range(20):
            current = await last_page(history.readers, ROOM, 100)
            assert [one.seq for one in current.messages] == list(range(1, current.last_seq + 1))

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(read)
        for seq in range(1, 41):
            await history.commit([stored(seq)])
            assert (await last_page(history.readers, ROOM, 1)).last_seq == seq


async def test_what_a_change_says_while_its_message_is_removed_is_nothing(
    history: PostgresHistory,
) -> None:
    first, second = message(1), message(2)
    await history.commit([MessageStored(first), MessageStored(second)])
    await history.commit([edited(first, "a", 1), edited(second, "b", 2)])
    await history.forget(ROOM, 1)
    [change] = await history.readers.changes(ROOM, 0, 9)
    assert isinstance(change, MessageEdited)
    assert (change.rev, change.message.content, change.at_ms) == (2, "b", NOW_MS)


async def _of_a_new_log(address: LogAddress) -> PostgresReaders:
    """Readers of a log with two messages."""
    log = PostgresLog(open_log(address, NOW_MS))
    await log.commit(stored_from(1, 2))
    await log.close(LIMIT_S)

    async def index_until(_until_s: float, _rooms: Sequence[int]) -> None:
        raise CommitFailed(Code.STORAGE_ERROR, "for the test")

    return PostgresReaders.at(address, index_until)

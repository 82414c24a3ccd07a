"""What any node has committed in rooms, as another one reads it."""

from collections.abc import AsyncIterator

import pytest

from chatd.chat.commits import StoreReadFailed
from chatd.chat.order import Place
from chatd.chat.records import Message, MessageDeleted, MessageEdited, MessageStored
from chatd.postgres_store import room_log as reading
from chatd.postgres_store.room_log import PostgresRoomLog
from chatd.store.damage import Damaged
from chatd.store.retention import Surplus
from chatd.store.room_log import EpochChanged, Head, Shown
from tests.postgres_store.logs import SCHEMA, rows_of, run_in
from tests.store.histories import PostgresHistory
from tests.store.logs import ROOM, deleted, edited, message, stored, stored_from
from tests.store.test_damage import Heard

NOTHING = Place()


@pytest.fixture
async def log(history: PostgresHistory) -> AsyncIterator[PostgresRoomLog]:
    [(epoch,)] = rows_of(history.address, "SELECT epoch FROM meta")
    log = PostgresRoomLog.at(history.address, history.log, epoch, Heard())
    yield log
    log.close()


async def read_all(log: PostgresRoomLog) -> tuple[list[int], list[int], int]:
    """The seqs and revs of a room, read page by page, and how many pages that took."""
    place, seqs, revs = NOTHING, list[int](), list[int]()
    for pages in range(1, 1_000):
        read = await log.read_after(ROOM, place)
        seqs += [one.seq for one in read.messages]
        revs += [one.rev for one in read.changes if one.rev > max(revs, default=0)]
        if read.is_to_the_end:
            return seqs, revs, pages
        assert read.up_to != place
        place = read.up_to
    raise AssertionError("the room does not end")


async def test_heads_of_many_rooms_come_at_once_and_none_of_unknown_ones(
    history: PostgresHistory, log: PostgresRoomLog
) -> None:
    first, second = message(1), message(2)
    await history.commit([MessageStored(first), MessageStored(second), stored(1, room="other")])
    await history.commit([edited(first, "new", 1), *stored_from(1, 3, room="third")])
    await history.log.remove([Surplus("third", 3)])
    asked = {ROOM: 2, "other": 0, "third": 1, "nowhere": 1, "a\0b": 1}
    assert await log.heads(asked) == {
        ROOM: Head(Place(2, 1), message_id=second.message_id),
        "other": Head(Place(1, 0)),
        "third": Head(Place(3, 0), forgotten_seq=2),
    }
    assert await log.heads({}) == {}


async def test_what_lies_behind_a_place_comes_as_it_is_now_with_the_changes(
    history: PostgresHistory, log: PostgresRoomLog
) -> None:
    one, two, three = (message(seq) for seq in (1, 2, 3))
    await history.commit([MessageStored(one), MessageStored(two)])
    await history.commit([edited(one, "edited", 1), MessageStored(three)])
    await history.commit([deleted(three, 2)])
    read = await log.read_after(ROOM, Place(1, 0))
    assert [(message.seq, message.content) for message in read.messages] == [
        (2, two.content),
        (3, ""),
    ]
    assert [type(change) for change in read.changes] == [MessageEdited, MessageDeleted]
    assert read.changes[0].message.content == "edited"
    assert (read.up_to, read.is_to_the_end) == (Place(3, 2), True)
    behind = await log.read_after(ROOM, Place(3, 2))
    assert (behind.messages, behind.changes, behind.up_to) == ((), (), Place(3, 2))
    assert behind.is_to_the_end
    unknown = await log.read_after("nowhere", NOTHING)
    assert (unknown.messages, unknown.up_to, unknown.is_to_the_end) == ((), NOTHING, True)


async def test_a_place_beyond_the_log_is_no_hole(
    history: PostgresHistory, log: PostgresRoomLog
) -> None:
    await history.commit(stored_from(1, 2))
    read = await log.read_after(ROOM, Place(5, 3))
    assert (read.messages, read.changes, read.up_to) == ((), (), Place(5, 3))
    assert read.is_to_the_end


async def test_a_long_room_comes_in_pages_bounded_by_number_and_by_size(
    history: PostgresHistory, log: PostgresRoomLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MESSAGES_MAX", 4)
    monkeypatch.setattr(reading, "REVS_MAX", 3)
    messages = [message(seq, content="x" * 400 if seq == 6 else "x") for seq in range(1, 11)]
    await history.commit([MessageStored(one) for one in messages])
    await history.commit([edited(messages[9], "y", rev) for rev in range(1, 8)])
    seqs, revs, pages = await read_all(log)
    assert (seqs, revs, pages) == (list(range(1, 11)), list(range(1, 8)), 3)
    monkeypatch.setattr(reading, "BYTES_MAX", 100)
    seqs, _, pages = await read_all(log)
    assert (seqs, pages) == (list(range(1, 11)), 4)  # the sixth is on a page of its own


async def test_what_retention_removed_is_passed_over(
    history: PostgresHistory, log: PostgresRoomLog
) -> None:
    messages = [message(seq) for seq in range(1, 7)]
    await history.commit([MessageStored(one) for one in messages])
    await history.commit([edited(messages[1], "y", 1), edited(messages[5], "y", 2)])
    await history.log.remove([Surplus(ROOM, 4)])
    read = await log.read_after(ROOM, NOTHING)
    assert [one.seq for one in read.messages] == [4, 5, 6]
    assert [one.rev for one in read.changes] == [2]
    assert (read.up_to, read.is_to_the_end) == (Place(6, 2), True)
    await history.log.remove([Surplus(ROOM, 7)])
    read = await log.read_after(ROOM, NOTHING)
    assert (read.messages, read.changes, read.up_to) == ((), (), Place(6, 2))
    assert read.is_to_the_end


async def test_damaged_rows_are_shown_as_such_and_stop_nothing(
    history: PostgresHistory, log: PostgresRoomLog
) -> None:
    messages = [message(seq) for seq in range(1, 5)]
    await history.commit([MessageStored(one) for one in messages])
    await history.commit([edited(messages[0], "y", 1), edited(messages[1], "z", 2)])
    run_in(history.address, f"UPDATE {SCHEMA}.messages SET context = 'x' WHERE seq = 2")
    run_in(history.address, f"DELETE FROM {SCHEMA}.messages WHERE seq = 3")
    run_in(history.address, f"UPDATE {SCHEMA}.changes SET kind = 'x' WHERE rev = 1")
    read = await log.read_after(ROOM, NOTHING)
    assert [(one.seq, one.is_damaged) for one in read.messages] == [
        (1, False),
        (2, True),
        (4, False),
    ]
    assert [one.rev for one in read.changes] == [2]
    assert (read.up_to, read.is_to_the_end) == (Place(4, 2), True)
    assert log._pool.witness.rows == [Damaged("messages", ROOM, 2)]  # type: ignore[union-attr]


async def test_what_is_committed_while_it_is_read_lies_behind(
    history: PostgresHistory, log: PostgresRoomLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the messages and the changes another node commits both."""
    first = message(1)
    await history.commit([MessageStored(first), edited(first, "a", 1)])
    read_changes, late = reading.read_changes, list[Message]()

    async def meanwhile(*arguments: object) -> object:
        if not late:
            late.append(message(2))
            await history.commit([MessageStored(late[0]), edited(late[0], "b", 2)])
        return await read_changes(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "read_changes", meanwhile)
    read = await log.read_after(ROOM, NOTHING)
    assert [one.seq for one in read.messages] == [1]
    assert [one.rev for one in read.changes] == [1]
    assert read.up_to == Place(1, 1)
    read = await log.read_after(ROOM, read.up_to)
    assert ([one.seq for one in read.messages], read.up_to) == ([2], Place(2, 2))


async def test_a_log_that_has_lost_its_end_gets_another_epoch_once(
    history: PostgresHistory, log: PostgresRoomLog
) -> None:
    async def epoch() -> str:
        [(found,)] = rows_of(history.address, "SELECT epoch FROM meta")
        return str(found)

    await history.commit([stored(1), stored(2)])
    before = await epoch()
    other = PostgresRoomLog.at(history.address, history.log, before)
    await log.require(ROOM, Shown(Place(2, 0)))  # a reader has met a server that lags
    assert await epoch() == before
    with pytest.raises(EpochChanged):
        await log.require(ROOM, Shown(Place(3, 0)))
    renamed = await epoch()
    assert renamed != before
    for late in (
        other.require(ROOM, Shown(Place(3, 0))),
        other.require(ROOM, Shown()),
        log.heads({}),
    ):
        with pytest.raises(EpochChanged):
            await late
    assert await epoch() == renamed
    other.close()


async def test_changes_that_are_lost_are_missed_too(
    history: PostgresHistory, log: PostgresRoomLog
) -> None:
    first = message(1)
    await history.commit([MessageStored(first), edited(first, "a", 1)])
    await log.require(ROOM, Shown(Place(1, 1)))
    with pytest.raises(EpochChanged):
        await log.require(ROOM, Shown(Place(1, 2)))


async def test_a_tail_that_was_lost_and_written_over_is_missed(
    history: PostgresHistory, log: PostgresRoomLog
) -> None:
    one, two = message(1), message(2)
    await history.commit([MessageStored(one), MessageStored(two)])
    for shown in (
        Shown(Place(2, 0), two.message_id),
        Shown(Place(1, 0), one.message_id),
        Shown(Place(2, 0)),
    ):
        await log.require(ROOM, shown)
    await history.log.remove([Surplus(ROOM, 2)])
    await log.require(ROOM, Shown(Place(1, 0), two.message_id))  # nobody knows any more
    head = (await log.heads({ROOM: 2}))[ROOM]
    assert not Shown(Place(2, 0), one.message_id).is_in(head)
    with pytest.raises(EpochChanged):
        await log.require(ROOM, Shown(Place(2, 0), one.message_id))


async def test_a_database_that_gives_no_answer_is_a_read_that_failed(
    history: PostgresHistory, log: PostgresRoomLog
) -> None:
    await history.commit([stored(1)])
    run_in(history.address, f"ALTER TABLE {SCHEMA}.rooms RENAME TO away")
    try:
        for asked in (
            log.heads({ROOM: 1}),
            log.read_after(ROOM, NOTHING),
            log.require(ROOM, Shown()),
        ):
            with pytest.raises(StoreReadFailed):
                await asked
        assert len(log._pool.witness.failures) == 2  # type: ignore[union-attr]
    finally:
        run_in(history.address, f"ALTER TABLE {SCHEMA}.away RENAME TO rooms")

"""The log for Trio tasks: groups, no cancel half way, a bounded end. On the real clock."""

from pathlib import Path

import pytest
import trio
import trio.testing

from chatd.chat.records import MemberJoined, MessageStored
from chatd.store.errors import CommitFailed, RecordRefused, StoreClosed, StoreLocked
from chatd.store.log import CommitOutcome, Committed, Conflict, Log
from chatd.store.opening import Store, open_store
from chatd.store.writer import MAX_GROUP_RECORDS, LogWriter
from tests.store.logs import NOW_MS, ROOM, HeldLog, stored, stored_from


async def held_writer(store: Store, monkeypatch: pytest.MonkeyPatch) -> tuple[LogWriter, HeldLog]:
    held: list[HeldLog] = []

    def hold(connect: object) -> HeldLog:
        held.append(HeldLog(Log(connect)))  # type: ignore[arg-type]
        return held[0]

    with monkeypatch.context() as patch:
        patch.setattr("chatd.store.opening.Log", hold)
        writer = store.start_writer(trio.lowlevel.current_trio_token())
    return writer, held[0]


async def test_a_commit_is_there_after_reopening(directory: Path) -> None:
    store = open_store(directory, "fsync")
    writer = store.start_writer(trio.lowlevel.current_trio_token())
    assert await writer.commit(stored_from(1, 3)) == Committed(3)
    assert await writer.close(30)
    assert store.close()

    again = open_store(directory, "write")
    assert again.epoch == store.epoch
    assert again.recovered.rooms == {ROOM: 3}
    assert again.recovered.position == 3
    assert (await again.readers.last(ROOM, 10)).last_seq == 3
    assert again.close()


async def test_requests_that_wait_together_are_committed_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, held = await held_writer(store, monkeypatch)
    outcomes: dict[int, CommitOutcome] = {}

    async def commit(seq: int) -> None:
        outcomes[seq] = await writer.commit([stored(1, room=f"room {seq}")])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(commit, 0)
        await held.reached()
        for seq in range(1, 21):
            nursery.start_soon(commit, seq)
        await trio.testing.wait_all_tasks_blocked()
        assert outcomes == {}
        held.release()

    assert held.groups == [1, 20]
    assert sorted(outcome.position for outcome in outcomes.values()) == list(range(1, 22))  # type: ignore[union-attr]
    assert await writer.close(30)


async def test_a_group_is_closed_at_its_size(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, held = await held_writer(store, monkeypatch)
    joined = [MemberJoined(ROOM, "bob", NOW_MS)] * (MAX_GROUP_RECORDS // 2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.commit, joined)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(5):
            nursery.start_soon(writer.commit, joined)
        await trio.testing.wait_all_tasks_blocked()
        held.release()
    assert max(held.groups) == 2
    assert sum(held.groups) == 6
    assert await writer.close(30)


async def test_each_request_of_a_group_gets_its_own_result(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, held = await held_writer(store, monkeypatch)
    first = stored(1)
    records = (first, stored(1, message_id=first.message.message_id, name="Bob"), stored(7))
    results: dict[object, object] = {}

    async def commit(record: MessageStored) -> None:
        try:
            results[record] = await writer.commit([record])
        except RecordRefused as refused:
            results[record] = type(refused)

    async with trio.open_nursery() as nursery:
        for record in records:
            nursery.start_soon(commit, record)
            await trio.testing.wait_all_tasks_blocked()
        held.release()

    assert [results[record] for record in records] == [
        Committed(1),
        Conflict({first.message.message_id: first.message}),
        RecordRefused,
    ]
    assert await writer.close(30)


async def test_a_commit_cannot_be_cancelled_half_way(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, held = await held_writer(store, monkeypatch)
    outcomes: list[CommitOutcome] = []

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def commit() -> None:
                outcomes.append(await writer.commit([stored(1)]))

            nursery.start_soon(commit)
            await held.reached()
            scope.cancel()
            with trio.CancelScope(shield=True):
                await trio.testing.wait_all_tasks_blocked()
            assert nursery.child_tasks
            held.release()

    assert outcomes == [Committed(1)]
    assert await writer.close(30)


async def test_close_returns_in_its_bound_while_the_disk_hangs_and_no_second_writer_starts(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(directory, "fsync")
    writer, held = await held_writer(store, monkeypatch)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.commit, [stored(1)])
        await held.reached()

        with trio.fail_after(10):
            assert await writer.close(0.01) is False
        assert writer.alive
        with pytest.raises(StoreLocked):
            store.start_writer(trio.lowlevel.current_trio_token())
        assert store.close() is False
        with pytest.raises(StoreLocked):
            open_store(directory, "fsync")
        held.release()

    assert await writer.close(30)
    assert store.close()
    again = open_store(directory, "fsync")
    assert again.recovered.rooms == {ROOM: 1}
    assert again.close()


async def test_what_was_asked_before_close_is_committed_and_what_comes_after_is_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, held = await held_writer(store, monkeypatch)
    async with trio.open_nursery() as nursery:
        for seq in (1, 2, 3):
            nursery.start_soon(writer.commit, [stored(seq)])
            await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(writer.close, 30)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(StoreClosed):
            await writer.commit([stored(4)])
        held.release()
    assert store.reread().rooms == {ROOM: 3}


async def test_a_writer_can_follow_one_that_ended(store: Store) -> None:
    for seq in (1, 2):
        writer = store.start_writer(trio.lowlevel.current_trio_token())
        assert await writer.commit([stored(seq)]) == Committed(seq)
        assert await writer.close(30)


async def test_a_full_disk_is_told_to_every_waiting_task_and_passes(store: Store) -> None:
    writer = store.start_writer(trio.lowlevel.current_trio_token())
    await writer.commit([stored(1)])
    connection = writer._log._connection  # type: ignore[attr-defined]
    [(pages,)] = connection.execute("PRAGMA page_count")
    connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    failures: list[CommitFailed] = []

    async def commit() -> None:
        try:
            await writer.commit([stored(2, content="x" * 100_000)])
        except CommitFailed as failure:
            failures.append(failure)

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(commit)
    assert [failure.code for failure in failures] == ["storage_full"] * 5
    assert len(set(map(id, failures))) == 5

    connection.execute("PRAGMA max_page_count = 100000").fetchall()
    assert await writer.commit([stored(2, content="x" * 100_000)]) == Committed(2)
    assert await writer.close(30)


async def test_a_fault_in_the_thread_is_told_and_does_not_end_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = store.start_writer(trio.lowlevel.current_trio_token())
    with monkeypatch.context() as patch:
        patch.setattr("chatd.store.log.Batch", lambda heads: 1 / 0)
        with pytest.raises(CommitFailed) as caught:
            await writer.commit([stored(1)])
    assert caught.value.code == "storage_error"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert await writer.commit([stored(1)]) == Committed(1)
    assert await writer.close(30)


def test_the_thread_ends_although_its_run_is_over(store: Store) -> None:
    async def leave_a_commit_behind() -> LogWriter:
        writer = store.start_writer(trio.lowlevel.current_trio_token())
        await writer.commit([stored(1)])
        return writer

    writer = trio.run(leave_a_commit_behind)
    assert trio.run(writer.close, 0.01) is False  # its word goes to the run that is over
    writer._thread.join(30)
    assert not writer.alive
    assert store.close()

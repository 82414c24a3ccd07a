"""The log for Trio tasks: groups, no cancel half way, a bounded end. On the real clock."""

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from chatd.chat.commits import (
    CommitFailed,
    CommitOutcome,
    Committed,
    Conflict,
    RecordRefused,
    StoreClosed,
)
from chatd.chat.records import MessageStored
from chatd.store.errors import StoreLocked
from chatd.store.log import Log
from chatd.store.opening import Store, open_store
from chatd.store.writer import MAX_GROUP_RECORDS, LogWriter
from tests.store.logs import ROOM, HeldLog, kept, last_page, stored, stored_from


async def held_writer(store: Store, monkeypatch: pytest.MonkeyPatch) -> tuple[LogWriter, HeldLog]:
    held: list[HeldLog] = []

    def hold(connect: object, *beside: object) -> HeldLog:
        held.append(HeldLog(Log(connect, *beside)))  # type: ignore[arg-type]
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
    assert (await last_page(again.readers, ROOM, 10)).last_seq == 3
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
    joined = [kept("bob")] * (MAX_GROUP_RECORDS // 2)
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
    results: dict[int, object] = {}

    async def commit(number: int, record: MessageStored) -> None:
        try:
            results[number] = await writer.commit([record])
        except RecordRefused as refused:
            results[number] = type(refused)

    async with trio.open_nursery() as nursery:
        for number, record in enumerate(records):
            nursery.start_soon(commit, number, record)
            await trio.testing.wait_all_tasks_blocked()
        held.release()

    assert [results[number] for number in range(3)] == [
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


async def test_a_job_has_its_turn_between_commits(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, held = await held_writer(store, monkeypatch)
    positions: list[int] = []

    def job(connection: sqlite3.Connection) -> int:
        [(position,)] = connection.execute("SELECT position FROM meta")
        return int(position)

    async def maintain() -> None:
        positions.append(await writer.maintain(job))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.commit, [stored(1)])
        await held.reached()
        for seq in (2, 3):
            nursery.start_soon(writer.commit, [stored(seq)])
            await trio.testing.wait_all_tasks_blocked()
        for _ in range(2):
            nursery.start_soon(maintain)
            await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(writer.commit, [stored(4)])
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(maintain)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(writer.close, 30)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(StoreClosed):
            await writer.maintain(job)
        held.release()

    assert held.groups == [1, 2, 0, 0, 1, 0]
    assert positions == [3, 3, 4]


async def test_what_a_job_raises_reaches_its_caller_and_the_thread_lives_on(
    store: Store, writer: LogWriter
) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE meta SET position = 99")
        raise KeyError("of the job")

    with pytest.raises(KeyError, match="of the job"):
        await writer.maintain(fail)
    with pytest.raises(CommitFailed):
        await writer.maintain(lambda connection: connection.execute("no statement"))
    assert await writer.commit([stored(1)]) == Committed(1)
    assert store.reread().position == 1


async def test_a_job_cannot_be_cancelled_half_way(writer: LogWriter) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        assert await writer.maintain(lambda connection: 7) == 7
        await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught


async def test_a_commit_of_nothing_is_a_commit(writer: LogWriter) -> None:
    assert await writer.commit(()) == Committed(0)
    await writer.commit([stored(1)])
    assert await writer.commit([]) == Committed(1)


@pytest.mark.parametrize("fault", [MemoryError("no more"), SystemExit(3)])
async def test_when_the_thread_ends_by_a_fault_nobody_is_left_waiting(
    store: Store, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    writer, held = await held_writer(store, monkeypatch)
    met: dict[str, BaseException] = {}

    async def wait(name: str, ask: Callable[[], Awaitable[object]]) -> None:
        try:
            await ask()
        except (CommitFailed, StoreClosed) as error:
            met[name] = error

    def answer(*_: object) -> None:
        raise fault

    monkeypatch.setattr(writer, "_answer", answer)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait, "at hand", lambda: writer.commit([stored(1)]))
            await held.reached()
            nursery.start_soon(wait, "queued", lambda: writer.commit([stored(2)]))
            nursery.start_soon(wait, "a job", lambda: writer.maintain(lambda connection: 7))
            nursery.start_soon(wait, "its end", writer.ended)
            await trio.testing.wait_all_tasks_blocked()
            held.release()
    assert isinstance(met.pop("at hand"), CommitFailed)
    assert {type(error) for error in met.values()} == {StoreClosed}
    assert len(met) == 3
    assert all(error.__cause__ is fault for error in met.values())

    with pytest.raises(StoreClosed):
        await writer.commit([stored(3)])
    assert not writer.alive
    assert await writer.close(30)
    assert store.reread().rooms == {ROOM: 1}  # it was in the log: the next writer begins with it
    following = store.start_writer(trio.lowlevel.current_trio_token())
    assert await following.commit([stored(2)]) == Committed(2)
    assert await following.close(30)
    await following.ended()


async def test_results_that_are_too_few_end_the_thread_and_not_the_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, held = await held_writer(store, monkeypatch)
    held.release()
    monkeypatch.setattr(held, "commit", lambda requests: [])
    with trio.fail_after(10), pytest.raises(CommitFailed):
        await writer.commit([stored(1)])
    with pytest.raises(StoreClosed):
        await writer.ended()

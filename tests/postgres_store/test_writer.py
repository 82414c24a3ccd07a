"""The writer of a log in PostgreSQL: a batch is carried out once, whatever becomes of connections,
of servers and of other nodes."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import attrs
import psycopg
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from chatd.actors.shared_ledger import SharedLedger
from chatd.chat.commits import Behind, CommitFailed, Committed, Conflict, RecordRefused
from chatd.chat.message_machine import MessageMachine
from chatd.chat.messages import Accepted, Effect, Joined, NotStored, Repeated
from chatd.chat.records import Record
from chatd.postgres_client import TrioConnection
from chatd.postgres_store import writer as writing
from chatd.postgres_store.batch import COMMIT
from chatd.postgres_store.errors import CommitsLost, NodeReplaced
from chatd.postgres_store.log import IN_DOUBT, PostgresLog
from chatd.postgres_store.opening import OpenedLog, open_log
from chatd.postgres_store.sessions import LogAddress, connect
from chatd.store.errors import FailedCommitFound
from chatd.store.retention import Surplus
from chatd.wire.codes import Code
from tests.chat.commands import join, message_id, send
from tests.postgres import Postgres, a_server
from tests.postgres_store.logs import NOW_MS, another_node, new_address, rows_of, run_in
from tests.store.logs import reacted, stored, stored_from

pytestmark = pytest.mark.timeout(120)

Execute = Callable[..., Any]


@pytest.fixture
def address(postgres: Postgres) -> LogAddress:
    return new_address(postgres)


@pytest.fixture
async def opened(address: LogAddress) -> OpenedLog:
    return open_log(address, NOW_MS)


@pytest.fixture
async def log(opened: OpenedLog) -> AsyncIterator[PostgresLog]:
    log = PostgresLog(opened)
    yield log
    await log.close(5)


@asynccontextmanager
async def second_log(opened: OpenedLog) -> AsyncIterator[PostgresLog]:
    log = PostgresLog(another_node(opened))
    yield log
    await log.close(5)


@contextmanager
def gives_up_after(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Iterator[None]:
    """A commit that begins in here is given up so soon; those after it are not."""
    with monkeypatch.context() as patched:
        patched.setattr(writing, "GIVE_UP_S", seconds)
        yield


def seqs(address: LogAddress, room: str = "sales") -> list[int]:
    """The seqs of a room, in the order in which they were stored."""
    query = f"""
        SELECT seq FROM messages JOIN rooms USING (room_id)
        WHERE connection_id = '{room}' ORDER BY position
    """
    return [seq for (seq,) in rows_of(address, query)]


def on_commits(monkeypatch: pytest.MonkeyPatch, *turns: str) -> list[str]:
    """Have the first calls of `commit_batch` go wrong: "unsent", "unanswered" (it is carried out,
    and the connection is lost), or "well". The statements that were sent are in what is returned.
    """
    execute: Execute = TrioConnection.execute
    waiting, sent = list(turns), []

    async def going_wrong(self: TrioConnection, statement: Any, *rest: Any, **more: Any) -> Any:
        turn = waiting.pop(0) if waiting and statement == COMMIT else "well"
        if turn != "unsent":
            sent.append(str(statement))
            result = await execute(self, statement, *rest, **more)
            if turn == "well":
                return result
        self.drop()
        raise psycopg.OperationalError("the connection is lost")

    monkeypatch.setattr(TrioConnection, "execute", going_wrong)
    return sent


class Away:
    """A batch is given up as soon as something is in doubt, if the server `is_away`; and nobody
    connects before `may_connect`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_away = False
        self.may_connect: trio.Event | None = None
        connected = writing.LogWriter._connected

        async def perhaps(writer: writing.LogWriter) -> TrioConnection:
            if self.may_connect is not None:
                await self.may_connect.wait()
            if self.is_away and writer.is_in_doubt:
                raise CommitFailed(Code.STORAGE_ERROR, "it is away")
            return await connected(writer)

        monkeypatch.setattr(writing.LogWriter, "_connected", perhaps)


@pytest.mark.parametrize(
    "turns",
    [
        ["unsent"],
        ["unanswered"],
        ["unanswered", "unsent"],
        ["unsent", "unsent", "unanswered"],
        ["unanswered", "unanswered"],
    ],
)
async def test_a_lost_connection_makes_neither_two_of_a_batch_nor_none(
    log: PostgresLog, address: LogAddress, monkeypatch: pytest.MonkeyPatch, turns: list[str]
) -> None:
    assert isinstance(await log.commit(stored_from(1, 2)), Committed)
    on_commits(monkeypatch, *turns)
    batch: list[Record] = [*stored_from(3, 5), *stored_from(1, 2, room="other")]
    outcome = await log.commit(batch)
    assert isinstance(outcome, Committed)
    assert outcome.moved == {}
    assert isinstance(await log.commit(stored_from(6, 6)), Committed)
    assert seqs(address) == [1, 2, 3, 4, 5, 6]
    assert seqs(address, "other") == [1, 2]


async def test_a_batch_that_was_lost_once_and_then_refused_keeps_nothing_from_being_written(
    log: PostgresLog, address: LogAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    [one, two] = stored_from(1, 2)
    await log.commit([one])
    for refused in (reacted(one.message, 2), one, reacted(two.message, 1)):
        on_commits(monkeypatch, "unsent")
        with pytest.raises(CommitFailed, match=writing.MAYBE_LATE):
            await log.commit([refused])
        assert log._doubted.is_set()
        await log._settle()  # as `run` does
    assert isinstance(await log.commit([reacted(one.message, 2)]), Behind)
    assert isinstance(await log.commit([two]), Committed)
    assert seqs(address) == [1, 2]


async def test_an_attempt_that_was_lost_is_found_if_it_comes_after_one_that_was_refused(
    log: PostgresLog, opened: OpenedLog, address: LogAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    [one] = stored_from(1, 1)
    await log.commit([one])
    execute: Execute = TrioConnection.execute
    late: Sequence[Any] = ()

    async def losing_one(self: TrioConnection, statement: Any, parameters: Sequence[Any]) -> Any:
        nonlocal late
        if statement == COMMIT and not late:
            late = parameters
            self.drop()
            raise psycopg.OperationalError("the connection is lost")
        return await execute(self, statement, parameters)

    monkeypatch.setattr(TrioConnection, "execute", losing_one)
    with pytest.raises(CommitFailed, match=writing.MAYBE_LATE):
        await log.commit([reacted(one.message, 2)])
    async with second_log(opened) as other:
        await other.commit([reacted(one.message, 1)])
    with connect(address) as connection:
        connection.execute(COMMIT, late)
    with pytest.raises(FailedCommitFound):
        await log._writer.settled()
    assert isinstance(await log.commit(stored_from(2, 2)), Committed)
    assert rows_of(address, "SELECT rev FROM changes ORDER BY rev") == [(1,), (2,)]
    assert seqs(address) == [1, 2]


async def test_a_number_that_was_taken_without_an_answer_counts_for_no_batch(
    log: PostgresLog, address: LogAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    [one] = stored_from(1, 1)
    await log.commit([one])
    on_commits(monkeypatch, "unsent", "well", "unanswered")
    with pytest.raises(CommitFailed, match=writing.MAYBE_LATE):
        await log.commit([reacted(one.message, 2)])
    with pytest.raises(FailedCommitFound):  # memory then reads what there is
        await log._writer.settled()
    assert rows_of(address, "SELECT rev FROM changes") == []
    assert isinstance(await log.commit([reacted(one.message, 1)]), Committed)


async def test_a_batch_without_a_message_is_carried_out_once_too(
    log: PostgresLog, address: LogAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    [one] = stored_from(1, 1)
    await log.commit([one])
    on_commits(monkeypatch, "unanswered")
    assert isinstance(await log.commit([reacted(one.message, 1)]), Committed)
    assert rows_of(address, "SELECT rev, kind FROM changes") == [(1, "react")]


async def test_a_server_that_ends_every_session_is_not_noticed_by_a_sender(
    log: PostgresLog, address: LogAddress
) -> None:
    await log.commit(stored_from(1, 1))
    run_in(
        address,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    assert isinstance(await log.commit(stored_from(2, 2)), Committed)
    assert not log.is_failing
    assert seqs(address) == [1, 2]


async def test_a_server_that_crashes_and_comes_again_has_all_that_was_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writing, "GIVE_UP_S", 60.0)  # however long a server takes to recover
    with a_server(fsync="on") as server:
        address = attrs.evolve(new_address(server), is_synced=True)
        log = PostgresLog(open_log(address, NOW_MS))
        await log.commit(stored_from(1, 1))
        server.crash()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(log.commit, stored_from(2, 2))
            await trio.sleep(0.1)
            await trio.to_thread.run_sync(server.start)
        assert seqs(address) == [1, 2]
        await log.close(5)


async def test_what_a_server_does_not_answer_in_time_is_in_doubt_until_it_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with a_server() as server:
        address = new_address(server)
        log = PostgresLog(open_log(address, NOW_MS))
        await log.commit(stored_from(1, 1))
        server.freeze()
        with gives_up_after(monkeypatch, 0.5), pytest.raises(CommitFailed) as caught:
            await log.commit(stored_from(2, 2))
        assert (caught.value.code, log.is_failing) == (Code.STORAGE_ERROR, True)
        with pytest.raises(CommitFailed, match=IN_DOUBT):
            await log.commit(stored_from(2, 2))
        server.thaw()
        found = False
        try:
            await log._writer.settled()
        except FailedCommitFound:
            found = True
        assert seqs(address) == ([1, 2] if found else [1])
        last_seq = 2 if found else 1
        assert isinstance(await log.commit(stored_from(last_seq + 1, 9)), Committed)
        assert seqs(address) == list(range(1, 10))
        await log.close(5)


async def test_the_actor_begins_again_where_a_batch_that_was_given_up_is_in_the_log(
    log: PostgresLog, address: LogAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log.commit(stored_from(1, 1))
    away = Away(monkeypatch)
    away.is_away = True
    on_commits(monkeypatch, "unanswered")
    found = trio.Event()

    async def first_life(task_status: trio.TaskStatus[None]) -> None:
        with pytest.raises(FailedCommitFound):
            await log.run(task_status=task_status)
        found.set()

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            await nursery.start(first_life)
            with pytest.raises(CommitFailed):
                await log.commit(stored_from(2, 2))
            away.is_away = False
            await found.wait()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            await nursery.start(log.run)  # the next life
            assert isinstance(await log.commit(stored_from(3, 3)), Committed)
            nursery.cancel_scope.cancel()
    assert seqs(address) == [1, 2, 3]


async def test_a_batch_whose_task_was_cancelled_is_looked_for_before_the_next_one(
    log: PostgresLog, address: LogAddress
) -> None:
    await log.commit(stored_from(1, 1))
    with connect_and_lock_rooms(address) as release:
        with trio.move_on_after(0.2):
            await log.commit(stored_from(2, 2))
        release()
    await trio.sleep(0.1)
    try:
        await log._writer.settled()
        last_seq = 1
    except FailedCommitFound:
        last_seq = 2
    assert seqs(address) == list(range(1, last_seq + 1))
    assert isinstance(await log.commit(stored_from(last_seq + 1, 3)), Committed)
    assert seqs(address) == [1, 2, 3]


class connect_and_lock_rooms:
    """Somebody holds the rows of all rooms until `release` is called."""

    def __init__(self, address: LogAddress) -> None:
        self._connection = psycopg.connect(address.url)

    def __enter__(self) -> Callable[[], None]:
        self._connection.execute("SELECT FROM chatd.rooms FOR UPDATE")
        return self._connection.rollback

    def __exit__(self, *_: object) -> None:
        self._connection.close()


async def test_a_room_that_somebody_holds_too_long_is_tried_again_until_it_is_free(
    log: PostgresLog, address: LogAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log.commit(stored_from(1, 1))
    await log.ask("SELECT set_config('statement_timeout', '100ms', false)", ())
    outcomes: list[object] = []
    tries = trio.Semaphore(0)
    slept = trio.sleep

    async def noting_sleep(seconds: float) -> None:
        tries.release()
        await slept(seconds)

    monkeypatch.setattr(trio, "sleep", noting_sleep)

    async def commit() -> None:
        outcomes.append(await log.commit(stored_from(2, 2)))

    with connect_and_lock_rooms(address) as release, trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(commit)
            for _ in range(2):
                await tries.acquire()
            release()
    assert isinstance(outcomes[0], Committed)
    assert seqs(address) == [1, 2]


async def test_a_room_that_is_held_for_good_is_a_storage_error(
    log: PostgresLog, address: LogAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log.commit(stored_from(1, 1))
    await log.ask("SELECT set_config('statement_timeout', '50ms', false)", ())
    with (
        gives_up_after(monkeypatch, 0.5),
        connect_and_lock_rooms(address),
        pytest.raises(CommitFailed) as caught,
    ):
        await log.commit(stored_from(2, 2))
    assert caught.value.code is Code.STORAGE_ERROR


async def test_a_batch_is_one_statement_and_leaves_no_transaction_open(
    log: PostgresLog, address: LogAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log.commit([*stored_from(1, 1), *stored_from(1, 1, room="other")])
    sent = on_commits(monkeypatch)
    [one] = stored_from(2, 2)
    await log.commit([one, *stored_from(2, 2, room="other"), reacted(one.message, 1)])
    assert sent == [COMMIT]
    states = rows_of(address, "SELECT DISTINCT state FROM pg_stat_activity WHERE query LIKE"
                              " '%commit_batch%' AND pid <> pg_backend_pid()")  # fmt: skip
    assert states == [("idle",)]


async def test_a_chatd_that_was_replaced_writes_nothing_any_more(
    log: PostgresLog, opened: OpenedLog, address: LogAddress
) -> None:
    await log.commit(stored_from(1, 1))
    run_in(address, f"SELECT pg_terminate_backend({opened.session[0]})")
    successor = open_log(address, NOW_MS)
    with pytest.raises(NodeReplaced, match="taken over the log in the schema chatd"):
        await log.commit(stored_from(2, 2))
    assert seqs(address) == [1]
    successor.close()


async def test_a_database_that_lost_what_it_had_gives_the_log_another_epoch(
    log: PostgresLog, opened: OpenedLog, address: LogAddress
) -> None:
    await log.commit(stored_from(1, 1))
    await log.commit(stored_from(2, 2))
    # As an older standby would have it.
    run_in(address, "DELETE FROM chatd.messages WHERE seq = 2; UPDATE chatd.rooms SET last_seq = 1;"
                    " UPDATE chatd.nodes SET commits = 1")  # fmt: skip
    for _ in range(2):
        with pytest.raises(CommitsLost, match="clients start over"):
            await log.commit(stored_from(3, 3))
    [(epoch,)] = rows_of(address, "SELECT epoch FROM meta")
    assert epoch != opened.log.epoch
    assert seqs(address) == [1]


async def test_messages_behind_those_of_another_node_get_the_next_seqs(
    log: PostgresLog, opened: OpenedLog, address: LogAddress
) -> None:
    await log.commit(stored_from(1, 2))
    async with second_log(opened) as other:
        await other.commit([*stored_from(3, 5), *stored_from(1, 1, room="other")])
    outcome = await log.commit([*stored_from(3, 4), *stored_from(1, 1, room="third")])
    assert isinstance(outcome, Committed)
    assert outcome.moved == {"sales": 3}
    assert seqs(address) == [1, 2, 3, 4, 5, 6, 7]


async def two_ledgers(opened: OpenedLog, log: PostgresLog) -> list[Effect]:
    """A ledger whose machine does not know what another node has stored; what it says of a batch of
    messages, and of one with a join."""
    machine = MessageMachine({}, {})
    ledger = SharedLedger(machine, log)
    await ledger.carry_out([send(1)], NOW_MS)
    async with second_log(opened) as other:
        elsewhere = SharedLedger(MessageMachine({"demo": 1}, {}), other)
        await elsewhere.carry_out([send(2), send(3)], NOW_MS)
        effects = [*await ledger.carry_out([send(4), send(4), send(5)], NOW_MS)]
        await elsewhere.carry_out([send(6)], NOW_MS)  # it takes 4 and 5 for its own number
        effects += await ledger.carry_out([send(7), join("demo")], NOW_MS)
    assert machine.last_seq("demo") == 7
    return effects


async def test_a_ledger_tells_the_seqs_that_the_log_gave_and_decides_again_where_they_matter(
    log: PostgresLog, opened: OpenedLog
) -> None:
    effects = await two_ledgers(opened, log)
    told = [one.message.seq for one in effects if isinstance(one, Accepted | Repeated)]
    assert told == [4, 4, 5, 7]
    assert isinstance(effects[-1], Joined)
    assert effects[-1].last_seqs == (7,)


async def test_one_id_that_two_nodes_store_at_once_is_stored_once(
    log: PostgresLog, opened: OpenedLog, address: LogAddress
) -> None:
    """Crossed over two rooms, so that each waits for the other's."""
    effects: list[Effect] = []

    async def send_all(to: PostgresLog, rooms: Sequence[str]) -> None:
        ledger = SharedLedger(MessageMachine({}, {}), to)
        for number in range(20):
            batch = [send(2 * number + at, connection_id=room) for at, room in enumerate(rooms)]
            effects.extend(await ledger.carry_out(batch, NOW_MS))

    async with second_log(opened) as other, trio.open_nursery() as nursery:
        nursery.start_soon(send_all, log, ["a", "b"])
        nursery.start_soon(send_all, other, ["b", "a"])
    assert not any(isinstance(one, NotStored) for one in effects)
    ids = rows_of(address, "SELECT encode(message_id, 'hex') FROM messages ORDER BY 1")
    assert ids == [(message_id(number).replace("-", ""),) for number in range(40)]
    for room in ("a", "b"):
        assert seqs(address, room) == list(range(1, len(seqs(address, room)) + 1))


async def test_a_change_that_does_not_follow_is_not_written_and_one_of_nothing_is_refused(
    log: PostgresLog, address: LogAddress
) -> None:
    [one, two] = stored_from(1, 2)
    await log.commit([one])
    behind = await log.commit([reacted(one.message, 2)])
    assert isinstance(behind, Behind)
    assert behind.heads == {"sales": (1, 0)}
    assert [message.content for message in behind.messages.values()] == [one.message.content]
    with pytest.raises(RecordRefused):
        await log.commit([reacted(two.message, 1)])
    assert rows_of(address, "SELECT * FROM changes") == []
    assert rows_of(address, "SELECT last_rev FROM rooms") == [(0,)]


@pytest.mark.parametrize(
    "question", [writing.HEADS, writing.SELECT_WRITTEN], ids=["heads", "written"]
)
async def test_a_server_that_cannot_say_at_once_what_was_wrong_is_asked_again(
    log: PostgresLog, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    [one] = stored_from(1, 1)
    await log.commit([one])
    execute: Execute = TrioConnection.execute
    is_slow = True

    async def slow(self: TrioConnection, statement: Any, *rest: Any) -> Any:
        nonlocal is_slow
        if statement == question and is_slow:
            is_slow = False
            raise psycopg.errors.QueryCanceled
        return await execute(self, statement, *rest)

    monkeypatch.setattr(TrioConnection, "execute", slow)
    refused = one if question == writing.SELECT_WRITTEN else reacted(one.message, 2)
    assert isinstance(await log.commit([refused]), Conflict | Behind)
    assert not is_slow


async def test_what_is_in_doubt_is_settled_though_the_server_is_slow_to_say_so(
    log: PostgresLog, address: LogAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log.commit(stored_from(1, 1))
    with monkeypatch.context() as patched:
        away = Away(patched)
        away.is_away = True
        on_commits(patched, "unanswered")
        with pytest.raises(CommitFailed):
            await log.commit(stored_from(2, 2))
    count, counted = writing.LogWriter._count, 0

    async def slow(self: writing.LogWriter, connection: TrioConnection) -> int:
        nonlocal counted
        counted += 1
        if counted == 2:  # the first one is of the new connection
            raise psycopg.errors.QueryCanceled
        return await count(self, connection)

    monkeypatch.setattr(writing.LogWriter, "_count", slow)
    with pytest.raises(FailedCommitFound):
        await log._writer.settled()
    assert counted > 2
    assert seqs(address) == [1, 2]


async def test_who_waits_behind_a_batch_in_doubt_is_not_told_in_its_place_what_became_of_it(
    log: PostgresLog, address: LogAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log.commit(stored_from(1, 1))
    away = Away(monkeypatch)
    away.is_away = True
    on_commits(monkeypatch, "unanswered")
    may_connect = away.may_connect = trio.Event()

    async def first_life(task_status: trio.TaskStatus[None]) -> None:
        with pytest.raises(FailedCommitFound):
            await log.run(task_status=task_status)

    async def commit(records: Sequence[Record]) -> None:
        with pytest.raises(CommitFailed):
            await log.commit(records)
        away.is_away = False

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(first_life)
            async with trio.open_nursery() as waiting:
                waiting.start_soon(commit, stored_from(2, 2))
                await wait_all_tasks_blocked()
                waiting.start_soon(commit, ())  # as upkeep does
                await wait_all_tasks_blocked()
                may_connect.set()
    assert seqs(address) == [1, 2]


async def test_a_server_that_follows_another_and_does_not_know_this_node_yet_is_the_wrong_one(
    opened: OpenedLog, address: LogAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = PostgresLog(attrs.evolve(opened, address=attrs.evolve(address, node="a")))
    await log.commit(stored_from(1, 1))
    execute: Execute = TrioConnection.execute
    lags = 1

    async def at_a_replica(self: TrioConnection, statement: Any, *rest: Any) -> Any:
        nonlocal lags
        if lags and statement == writing._COMMITS:
            return await execute(self, "SELECT WHERE false")
        if lags and statement == writing._IS_REPLICA:
            lags -= 1
            return await execute(self, "SELECT true")
        return await execute(self, statement, *rest)

    monkeypatch.setattr(TrioConnection, "execute", at_a_replica)
    run_in(address, f"SELECT pg_terminate_backend({opened.session[0]})")
    assert isinstance(await log.commit(stored_from(2, 2)), Committed)
    assert (lags, seqs(address)) == (0, [1, 2])
    await log.close(5)


async def test_what_no_text_of_postgres_can_hold_is_refused_without_its_words(
    log: PostgresLog, address: LogAddress
) -> None:
    for content in ("secret \ud800", "secret \0"):
        with pytest.raises(RecordRefused) as caught:
            await log.commit([stored(1, content=content)])
        assert "secret" not in str(caught.value)
    assert isinstance(await log.commit(stored_from(1, 1)), Committed)
    assert seqs(address) == [1]


async def test_a_full_disk_is_told_as_such(
    log: PostgresLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log.commit(stored_from(1, 1))
    execute: Execute = TrioConnection.execute

    async def full(self: TrioConnection, statement: Any, *rest: Any) -> Any:
        if statement == COMMIT:
            raise psycopg.errors.lookup("53100")("could not extend file")
        return await execute(self, statement, *rest)

    monkeypatch.setattr(TrioConnection, "execute", full)
    with pytest.raises(CommitFailed) as caught:
        await log.commit(stored_from(2, 2))
    assert caught.value.code is Code.STORAGE_FULL


async def test_a_password_is_nowhere_in_what_is_told_of_a_server_that_is_away(
    log: PostgresLog, opened: OpenedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = LogAddress("postgresql://chat:hunter2@127.0.0.1:1/app", "chatd")
    assert "hunter2" not in repr(away)
    monkeypatch.setattr(log._writer, "_opened", attrs.evolve(opened, address=away))
    await log.commit(())
    log._writer._connection.drop()  # type: ignore[union-attr]
    with gives_up_after(monkeypatch, 1.0), pytest.raises(CommitFailed) as caught:
        await log.commit(stored_from(1, 1))
    assert "hunter2" not in str(caught.value)
    assert "refused" in str(caught.value)


async def test_retention_removes_all_that_belongs_to_a_message_and_no_seq_is_used_again(
    log: PostgresLog, address: LogAddress
) -> None:
    one, *_ = batch = stored_from(1, 4, mentions=("bob",))
    await log.commit(batch)
    await log.commit([reacted(one.message, 1)])
    assert await log.remove([Surplus("sales", 3)]) == 2
    assert await log.remove([Surplus("sales", 3), Surplus("nowhere", 9)]) == 0
    assert seqs(address) == [3, 4]
    assert rows_of(address, "SELECT * FROM changes") == []
    assert rows_of(address, "SELECT seq FROM mentions") == [(3,), (4,)]
    await log.remove([Surplus("sales", 5)])
    assert rows_of(address, "SELECT last_seq, forgotten_seq FROM rooms") == [(4, 4)]
    assert isinstance(await log.commit(stored_from(5, 5)), Committed)

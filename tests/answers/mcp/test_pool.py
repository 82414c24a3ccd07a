"""A database over fake peers that misbehave in every way, as real processes."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trio

from chatd.answers.cut import Cut
from chatd.answers.mcp import link, session
from chatd.answers.mcp.last_words import WORDS_BYTES
from chatd.answers.mcp.mapping import READY, Call, PeerMapping
from chatd.answers.mcp.pool import OUTAGE, McpDatabase
from chatd.answers.mcp.results import UNEXPECTED
from chatd.answers.mcp.session_slot import BACKOFF_S
from chatd.answers.requests import (
    Answered,
    DatabaseFailed,
    DescribeTable,
    ExplainStatement,
    ListTables,
    RunStatement,
    SampleTable,
    Stopped,
    Terms,
)
from chatd.chat.backoff import Backoff
from chatd.observe import DatabaseAsked, DatabaseConnected, DatabaseLost, DatabaseWrote
from chatd.wire.codes import Code
from chatd.wire.names import RowsCut
from tests.answers.mcp.pools import LIMIT_S, Listening, Plate, Running, fake, running
from tests.processes import is_alive


async def failure(peer: Running, sql: str) -> DatabaseFailed:
    with pytest.raises(DatabaseFailed) as caught:
        await peer.ask(sql)
    return caught.value


def processes(file: Path) -> list[int]:
    """The processes that have started, the first first."""
    words = [line.split() for line in file.read_text().splitlines()]
    return [int(word[1]) for word in words if word[0] in ("process", "child")]


async def test_rows_come_while_they_are_read() -> None:
    async with running(fake()) as peer:
        end, plate = await peer.ask("rows")
        assert end == Answered()
        assert plate.names == ["n"]
        assert plate.rows_ == [[1], [2], [3]]


async def test_every_kind_of_request_is_carried_out() -> None:
    async with running(fake()) as peer:
        for request in (
            ListTables(),
            DescribeTable("t"),
            SampleTable("t"),
            ExplainStatement("rows"),
        ):
            assert (await peer.ask(request))[1].rows_ == [[1], [2], [3]]


async def test_calls_are_timed_and_told_by_how_they_ended_without_what_was_asked() -> None:
    async with running(fake()) as peer:
        await peer.ask("rows")
        assert (await failure(peer, "coded_error")).code is Code.DB_READ_ONLY
        assert (await failure(peer, "die")).code is not None
        asked = peer.recorder.of(DatabaseAsked)
        assert [call.outcome for call in asked[:2]] == ["answered", Code.DB_READ_ONLY]
        assert len(asked) == 3
        assert all(call.took_ms > 0 for call in asked)
        assert peer.database.waiting == 0


async def test_chunks_that_come_early_or_twice_are_put_in_order() -> None:
    async with running(fake()) as peer:
        end, plate = await peer.ask("out_of_order")
        assert end == Answered()
        assert plate.rows_ == [[1], [2], [3]]
        await peer.ask("progress_without_a_message")


async def test_columns_count_once_and_with_the_first_chunk() -> None:
    async with running(fake()) as peer:
        assert (await peer.ask("columns_again"))[1].rows_ == [[1], [2]]


@pytest.mark.parametrize(
    ("sql", "code", "sentence"),
    [
        ("error", Code.DB_SYNTAX, 'near "x": syntax error'),
        ("coded_error", Code.DB_READ_ONLY, "No."),
        ("protocol_error", Code.DB_ERROR, "Bad arguments"),
        ("wrong_document", Code.DB_ERROR, UNEXPECTED),
        ("a_chunk_is_missing", Code.DB_ERROR, UNEXPECTED),
    ],
)
async def test_an_error_leaves_the_session_as_it_was(sql: str, code: Code, sentence: str) -> None:
    async with running(fake()) as peer:
        before = (await peer.ask("who"))[1].rows_
        failed = await failure(peer, sql)
        assert (failed.code, failed.sentence) == (code, sentence)
        assert (await peer.ask("who"))[1].rows_ == before


CUT_OFF = "The database's server was cut off: "
ENDED = "The database's server ended while it answered; ask again."


@pytest.mark.parametrize(
    ("sql", "code", "sentence"),
    [
        ("wrong_schema", Code.DB_ERROR, UNEXPECTED),
        ("a_chunk_is_garbage", Code.DB_ERROR, UNEXPECTED),
        ("a_chunk_is_wide", Code.DB_ERROR, UNEXPECTED),
        ("garbage", Code.DB_ERROR, f"{CUT_OFF}it wrote something that is no message."),
        ("deep_json", Code.DB_ERROR, f"{CUT_OFF}it wrote something that is no message."),
        (
            "huge",
            Code.DB_ERROR,
            f"{CUT_OFF}it sent a message that is too long. Ask for fewer rows.",
        ),
        (
            "endless_line",
            Code.DB_ERROR,
            f"{CUT_OFF}it sent a message that is too long. Ask for fewer rows.",
        ),
        (
            "endless_progress",
            Code.DB_ERROR,
            f"{CUT_OFF}it sent more than a call may bring. Ask for fewer rows.",
        ),
        (
            "endless_logs",
            Code.DB_ERROR,
            f"{CUT_OFF}it sent more than a call may bring. Ask for fewer rows.",
        ),
        ("endless_requests", Code.DB_ERROR, f"{CUT_OFF}it asked more than a call may need."),
        ("half_json", Code.DB_UNAVAILABLE, ENDED),
        ("die", Code.DB_UNAVAILABLE, ENDED),
        ("die_in_the_middle", Code.DB_UNAVAILABLE, ENDED),
    ],
)
async def test_a_peer_that_breaks_costs_its_own_question_only(
    sql: str, code: Code, sentence: str
) -> None:
    async with running(fake()) as peer:
        failed = await failure(peer, sql)
        assert (failed.code, failed.sentence) == (code, sentence)
        assert (await peer.ask("rows"))[1].rows_ == [[1], [2], [3]]


async def test_a_hanging_statement_is_given_up_and_its_process_replaced(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with running(fake(file=file)) as peer:
        with peer.call_timeout(0.2):
            failed = await failure(peer, "hang")
        assert failed.code is Code.DB_TIMEOUT
        assert (await peer.ask("rows"))[0] == Answered()
        first, second = processes(file)
        assert not is_alive(first)
        assert is_alive(second)
    assert not is_alive(second)


async def stopped(peer: Running, sql: str) -> Stopped:
    """Ask, stop once the first row is there, and give the end."""
    end, plate = await peer.ask_and_stop(sql)
    assert isinstance(end, Stopped)
    assert plate.rows_ == [[1]]
    return end


async def test_a_confirmed_stop_keeps_the_session(tmp_path: Path, late_confirmations: None) -> None:
    file = tmp_path / "told"
    async with running(fake(file=file)) as peer:
        assert await stopped(peer, "wait") == Stopped(is_confirmed=True)
        await peer.ask("rows")
        assert len(processes(file)) == 1
        assert "cancelled" in file.read_text()


async def test_a_stop_that_nobody_confirms_replaces_the_session(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with running(fake(file=file)) as peer:
        assert await stopped(peer, "hang") == Stopped(is_confirmed=False)
        await peer.ask("rows")
        assert len(processes(file)) == 2


async def test_who_is_cancelled_while_it_asks_returns_at_once_and_the_peer_is_told(
    tmp_path: Path, late_confirmations: None
) -> None:
    file = tmp_path / "told"
    async with running(fake(file=file)) as peer:
        plate = Plate()
        with trio.fail_after(LIMIT_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(
                    peer.database.ask, RunStatement("wait"), Terms(), plate, trio.Event()
                )
                await plate.news.wait()
                nursery.cancel_scope.cancel()
        assert (await peer.ask("rows"))[0] == Answered()
        assert "cancelled" in file.read_text()
        assert len(processes(file)) == 1


async def test_more_rows_than_the_terms_allow_stop_the_call(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with running(fake(file=file)) as peer:
        end, plate = await peer.ask("endless_rows", max_rows=5)
        assert end == Answered(Cut(RowsCut.MAX_ROWS))
        assert plate.rows_ == [[0], [1], [2], [3], [4]]
        assert (await peer.ask("rows", max_bytes=5))[1].rows_ == [[1]]


async def test_calls_wait_in_order_for_a_session_and_one_that_waits_can_be_stopped(
    late_confirmations: None,
) -> None:
    async with running(fake()) as peer:
        order: list[str] = []
        first, stop, stop_waiting = Plate(), trio.Event(), trio.Event()

        async def ask(name: str, sql: str, plate: Plate, stop: trio.Event) -> None:
            end = await peer.database.ask(RunStatement(sql), Terms(), plate, stop)
            order.append(f"{name} {end}")

        with trio.fail_after(LIMIT_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask, "a", "wait", first, stop)
                await first.news.wait()
                for name, event in (("b", trio.Event()), ("c", stop_waiting), ("d", trio.Event())):
                    nursery.start_soon(ask, name, "rows", Plate(), event)
                    await trio.testing.wait_all_tasks_blocked()
                stop_waiting.set()
                await trio.testing.wait_all_tasks_blocked()
                stop.set()
        confirmed, answered = Stopped(is_confirmed=True), Answered()
        assert order == [
            f"c {confirmed}",
            f"a {confirmed}",
            f"b {answered}",
            f"d {answered}",
        ]


async def test_a_second_session_is_opened_where_the_first_is_busy(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with running(fake(file=file, connections=2)) as peer:
        await peer.ask("rows")
        assert len(processes(file)) == 1
        plate, stop = Plate(), trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.database.ask, RunStatement("hang"), Terms(), plate, stop)
            with trio.fail_after(LIMIT_S):
                await plate.news.wait()
            assert (await peer.ask("rows"))[0] == Answered()
            assert len(processes(file)) == 2
            stop.set()


async def test_a_peer_that_greets_is_understood() -> None:
    async with running(fake("greeting")) as peer:
        assert (await peer.ask("rows"))[0] == Answered()


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        ("dead", "the process ended"),
        ("silent", "not ready in time"),
        ("chatter", "it wrote something that is no message"),
        ("toolless", "without the tools explain, query, sample_table"),
    ],
)
async def test_a_peer_that_does_not_become_ready_is_unavailable(start: str, reason: str) -> None:
    start_s = 0.5 if start == "silent" else 20.0
    async with running(fake(start, start_timeout_s=start_s)) as peer:
        failed = await failure(peer, "rows")
        assert failed.code is Code.DB_UNAVAILABLE
        assert reason in failed.sentence
        assert not peer.database.is_available
        assert (await failure(peer, "rows")).code is Code.DB_UNAVAILABLE
        lost = peer.recorder.of(DatabaseLost)[0]
        assert (lost.connection_id, lost.reason, lost.retry_in_s) == ("room", reason, 1.0)


async def test_the_last_words_of_a_start_that_fails_are_logged_without_secrets() -> None:
    password = 'p@ss/"w\u00f6rd"'
    address = f"postgresql://reader:{quote(password, safe='')}@db/sales"
    async with running(fake("complaining", environment={"DB_URL": address})) as peer:
        await peer.recorder.until(DatabaseLost)
        failed = await failure(peer, "rows")
    words = peer.recorder.of(DatabaseLost)[0].last_words
    assert words.endswith(
        "x\ufffd\ufffd | connect('***') | quoted *** | no such role, password ***, \"***\""
    )
    assert WORDS_BYTES - 200 < len(words) < WORDS_BYTES + 200
    assert "first words" not in words
    assert "no such role" not in failed.sentence  # whoever asks is told less than the operator


async def test_the_last_words_of_a_start_that_hangs_are_logged() -> None:
    async with running(fake("silent", start_timeout_s=1.0)) as peer:
        await peer.recorder.until(DatabaseLost)
    [lost] = peer.recorder.of(DatabaseLost)
    assert (lost.reason, lost.last_words) == ("not ready in time", "silent from now on")


async def test_words_of_a_db_mcp_that_was_ready_are_kept_by_nobody() -> None:
    async with running(fake()) as peer:
        await peer.ask("complain")
        with pytest.raises(DatabaseFailed):
            await peer.ask("die")
        await peer.recorder.until(DatabaseLost)
    assert [lost.last_words for lost in peer.recorder.of(DatabaseLost)] == [""]


async def test_a_session_that_rests_until_its_next_try_is_none_to_wait_for(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with running(fake("fleeting", file, connections=3)) as peer:
        assert peer.database.sessions == 3
        await peer.recorder.until(DatabaseLost, count=2)
        await trio.testing.wait_all_tasks_blocked()
        assert peer.database.sessions == 2
    assert peer.database.sessions == 3
    async with running(fake("dead", connections=1)) as peer:
        await peer.recorder.until(DatabaseLost)
        await trio.testing.wait_all_tasks_blocked()
        assert peer.database.sessions == 1  # and a question is told that there is none


async def test_a_peer_that_is_being_started_ends_with_the_daemon(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with running(fake("silent", file)) as peer:
        await peer.recorder.until(DatabaseWrote)
    assert len(processes(file)) == 1
    assert not any(is_alive(pid) for pid in processes(file))


def test_the_wait_for_another_try_doubles_up_to_a_minute() -> None:
    backoff = Backoff(*BACKOFF_S)
    assert backoff.wait_s == 0
    assert [backoff.failed() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_the_sdk_is_imported_when_the_first_session_is_opened_and_not_before() -> None:
    code = "import sys, chatd.answers.mcp.pool; sys.exit('mcp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_program_that_is_not_there_is_unavailable() -> None:
    configured = fake()
    async with running(type(configured)(command=("/no/such/program",))) as peer:
        failed = await failure(peer, "rows")
        assert failed.code is Code.DB_UNAVAILABLE
        assert "No such file or directory" in failed.sentence


async def test_a_peer_that_dies_while_nobody_asks_is_there_again_for_the_next(
    tmp_path: Path,
) -> None:
    file = tmp_path / "told"
    async with running(fake(file=file)) as peer:
        (row,) = (await peer.ask("who"))[1].rows_
        os.kill(row[0], 9)
        await peer.recorder.until(DatabaseLost)
        (again,) = (await peer.ask("who"))[1].rows_
        assert again != row
        assert len(peer.recorder.of(DatabaseConnected)) == 2
        assert peer.recorder.of(DatabaseLost)[0].retry_in_s == 0


async def test_a_peer_that_says_its_database_is_away_is_started_again_to_see_whether_it_is(
    tmp_path: Path,
) -> None:
    async with running(fake(file=tmp_path / "told", connections=2)) as peer:
        async with trio.open_nursery() as nursery:  # two at a time open both sessions
            nursery.start_soon(peer.ask, "rows")
            nursery.start_soon(peer.ask, "rows")
        await peer.recorder.until(DatabaseConnected, count=2)
        assert (await failure(peer, "lost_database")).code is Code.DB_UNAVAILABLE
        assert (await peer.ask("rows"))[0] == Answered()
        before = processes(tmp_path / "told")[:2]
        assert not any(map(is_alive, before))
        [lost] = peer.recorder.of(DatabaseLost)
        assert (lost.reason, lost.retry_in_s) == (OUTAGE, 0)


async def test_a_peer_that_dies_before_anybody_asked_is_there_for_the_first(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with running(fake(file=file)) as peer:
        await peer.recorder.until(DatabaseConnected)
        os.kill(processes(file)[0], 9)
        await peer.recorder.until(DatabaseLost)
        assert peer.database.is_available
        assert (await peer.ask("rows"))[0] == Answered()
        assert [lost.retry_in_s for lost in peer.recorder.of(DatabaseLost)] == [0]


async def test_a_peer_that_dies_as_soon_as_it_is_ready_is_not_started_in_a_spin() -> None:
    async with running(fake("fleeting")) as peer:
        await peer.recorder.until(DatabaseLost, count=2)
        assert not peer.database.is_available
        assert (await failure(peer, "rows")).code is Code.DB_UNAVAILABLE
        await peer.recorder.until(DatabaseLost, count=3)
        assert len(peer.recorder.of(DatabaseConnected)) == 3
        assert [lost.retry_in_s for lost in peer.recorder.of(DatabaseLost)] == [0, 1, 2]


async def test_a_peer_that_was_ready_for_long_is_started_again_at_once() -> None:
    async with running(fake("fleeting"), lasting_s=0.0) as peer:
        await peer.recorder.until(DatabaseLost, count=3)
        assert [lost.retry_in_s for lost in peer.recorder.of(DatabaseLost)] == [0, 0, 0]


async def test_what_a_peer_starts_ends_with_it(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with running(fake(file=file)) as peer:
        await peer.ask("leave_a_child")
        _, child = processes(file)
        watched = os.pidfd_open(child)
    try:
        with trio.fail_after(LIMIT_S):
            await trio.lowlevel.wait_readable(watched)
    finally:
        os.close(watched)


async def ask_and_unwrap(peer: Running, plate: Plate, into: list[DatabaseFailed]) -> None:
    try:
        await peer.ask("hang", plate)
    except DatabaseFailed as failed:
        into.append(failed)


async def test_a_hanging_peer_ends_with_the_daemon_and_who_asked_is_told(tmp_path: Path) -> None:
    file, plate, told = tmp_path / "told", Plate(), []
    async with trio.open_nursery() as nursery, running(fake(file=file)) as peer:
        nursery.start_soon(ask_and_unwrap, peer, plate, told)
        with trio.fail_after(LIMIT_S):
            await plate.news.wait()
    (failed,) = told
    assert failed.code is Code.DB_UNAVAILABLE
    assert not any(is_alive(pid) for pid in processes(file))


async def test_a_child_sees_nothing_of_the_daemon_but_what_it_is_given() -> None:
    own = {
        "PATH": os.environ["PATH"],
        "HOME": "/home/x",
        "CHATD_AUTH__JWT_SECRET": "hush",
        "PGPASSWORD": "hush",
        "PGSSLROOTCERT": "/ca",
    }
    configured = fake(environment={"DB_URL": "x"}, pass_environment=("PGSSLROOTCERT", "NOT_SET"))
    async with running(configured, own_environment=own) as peer:
        seen = {row[0] for row in (await peer.ask("environment"))[1].rows_}
    python_adds = {row for row in seen if row.startswith("LC_CTYPE=")}
    assert seen - python_adds == {
        f"PATH={own['PATH']}",
        "HOME=/home/x",
        "DB_URL=x",
        "PGSSLROOTCERT=/ca",
    }


async def test_complaints_are_counted_and_forgotten() -> None:
    async with running(fake()) as peer:
        await peer.ask("complain")
    told = peer.recorder.of(DatabaseWrote)
    assert 0 < len(told) <= 20
    assert "secret" not in str(peer.recorder.events)


async def test_a_request_without_a_tool_is_refused_before_anybody_is_asked() -> None:
    mapping = PeerMapping(query=Call("query", "sql"))
    async with running(fake(mapping=mapping)) as peer:
        assert not peer.database.can_explain
        with pytest.raises(DatabaseFailed) as caught:
            await peer.ask(ExplainStatement("x"))
        assert caught.value.code is Code.DB_DRY_RUN_UNSUPPORTED
        with pytest.raises(DatabaseFailed) as caught:
            await peer.ask(ListTables())
        assert caught.value.code is Code.DB_ERROR


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads in which results are read."""
    names: list[str] = []

    def noting(real: Callable[..., Any]) -> Callable[..., Any]:
        def read(*arguments: Any) -> Any:
            names.append(threading.current_thread().name)
            return real(*arguments)

        return read

    for name in ("read", "read_chunk"):
        monkeypatch.setattr(session, name, noting(getattr(session, name)))
    return names


async def test_large_chunks_are_read_off_the_loop(threads: list[str]) -> None:
    async with running(fake()) as peer:
        _, plate = await peer.ask("large_chunks")
        assert [len(row[0]) for row in plate.rows_] == [40_000] * 5
        assert len(threads) == 5
        assert threading.main_thread().name not in threads
        await peer.ask("who")
        assert threads[5:] == [threading.main_thread().name]


async def test_a_large_result_is_read_off_the_loop_and_within_the_terms(
    threads: list[str],
) -> None:
    mapping = PeerMapping(query=READY["chatd"].query)
    async with running(fake(mapping=mapping)) as peer:
        end, plate = await peer.ask("large", max_rows=300)
        assert end == Answered(Cut(RowsCut.MAX_BYTES))
        assert len(plate.rows_) == 260  # of 1,005 bytes each, in 262,144
        assert len(threads) == 1
        assert threading.main_thread().name not in threads


async def test_a_peer_that_was_cut_off_is_not_asked_to_end(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with running(fake(file=file)) as peer:
        await peer.ask("rows")
        await failure(peer, "garbage_and_no_end")
        await peer.ask("rows")
    assert not is_alive(processes(file)[0])
    assert "terminated" not in file.read_text()


class SlowSink(Plate):
    """A sink that is not caught up until nothing new has come for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = self.most_waiting = 0
        self.turn = trio.Event()

    async def caught_up(self) -> None:
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        await self.turn.wait()
        self.waiting -= 1

    async def take_turns(self) -> None:
        while True:
            seen = -1
            while seen != self.waiting:
                seen = self.waiting
                await trio.sleep(0.02)
            turn, self.turn = self.turn, trio.Event()
            turn.set()


async def test_a_peer_that_streams_waits_for_a_sink_that_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "HELD_CHARS", 10_000)
    async with running(fake(file=tmp_path / "told")) as peer, trio.open_nursery() as nursery:
        sink = SlowSink()
        nursery.start_soon(sink.take_turns)
        end, _ = await peer.ask("endless_rows", sink, max_rows=4_000, max_bytes=10_000_000)
        nursery.cancel_scope.cancel()
    assert end == Answered(Cut(RowsCut.MAX_ROWS))
    assert sink.rows_ == [[index] for index in range(4_000)]
    assert sink.most_waiting < 1_500  # as many as are held, and as one read brings


async def test_databases_are_started_for_the_first_time_in_turns(nursery: trio.Nursery) -> None:
    turns = trio.CapacityLimiter(1)
    recorder = Listening()
    for room, configured in (
        ("hanging", fake("silent", start_timeout_s=0.5)),
        ("well", fake("well")),
        ("last", fake("well")),
    ):
        database = McpDatabase(room, configured, recorder, first_starts=turns)
        await nursery.start(database.run)
    await recorder.until(DatabaseConnected, 2)
    ends = [one for one in recorder.events if isinstance(one, DatabaseLost | DatabaseConnected)]
    assert isinstance(ends[0], DatabaseLost)
    assert turns.borrowed_tokens == 0
    nursery.cancel_scope.cancel()

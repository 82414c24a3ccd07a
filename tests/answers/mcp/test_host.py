"""Sessions in a process of their own: the same as in this one, and what becomes of that process."""

import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from chatd.answers.cut import Cut
from chatd.answers.mcp.calls import ToolCall
from chatd.answers.mcp.chunks import MESSAGE_CHARS_MAX
from chatd.answers.mcp.host import HANGS, HOST_ENDED, NO_HOST, PASSED, SessionHost, host_command
from chatd.answers.mcp.host_frames import Ask, Columns, Open, word_to_json
from chatd.answers.mcp.host_process import BEHIND_BYTES_MAX, WINDOW_BYTES, _Asking, _Session
from chatd.answers.mcp.link import HELD_CHARS
from chatd.answers.own_process import Outgoing
from chatd.answers.requests import Answered, DatabaseFailed, RunStatement, Stopped, Terms
from chatd.answers.table import Column
from chatd.observe import DatabaseConnected, DatabaseLost, SessionHostLost, SessionHostReady
from chatd.wire.codes import Code
from chatd.wire.names import RowsCut
from tests.answers.mcp.pools import (
    LIMIT_S,
    Hosted,
    Listening,
    Plate,
    Running,
    fake,
    hosting,
    running,
)
from tests.answers.mcp.test_pool import SlowSink, processes
from tests.app.questions import ended, watched
from tests.processes import is_alive, niceness_of, open_files, variables_of

CHILD = """
import os, sys, time
from chatd.answers.mcp import host_process
{change}
host_process.main(sys.argv[1:])
"""
UNANSWERED = "The database's server ended while it answered; ask again."


def changed(change: str) -> tuple[str, ...]:
    """The command of a process in which something was changed."""
    python, _, _, _, *arguments = host_command()
    return (python, "-P", "-c", CHILD.format(change=change), *arguments)


async def failure(peer: Running, sql: str) -> DatabaseFailed:
    with pytest.raises(DatabaseFailed) as caught:
        await peer.ask(sql)
    return caught.value


@attrs.define
class Both:
    """A database, and the process that has its sessions."""

    peer: Running
    hosted: Hosted


@asynccontextmanager
async def hosted_peer(
    file: Path | None = None,
    command: Sequence[str] | None = None,
    bounds: dict[str, float] | None = None,
    **configured: float,
) -> AsyncIterator[Both]:
    """A database over a fake peer, with its sessions in a process of their own."""
    async with (
        hosting(command, **(bounds or {})) as hosted,
        running(fake(file=file, **configured), opened=hosted.host.opened) as peer,
    ):
        yield Both(peer, hosted)


async def test_a_database_answers_as_it_does_in_one_process(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with hosted_peer(file) as both:
        end, plate = await both.peer.ask("rows")
        assert (end, plate.names, plate.rows_) == (Answered(), ["n"], [[1], [2], [3]])
        end, plate = await both.peer.ask("endless_rows", max_rows=5)
        assert (end, len(plate.rows_)) == (Answered(Cut(RowsCut.MAX_ROWS)), 5)
        refused = await failure(both.peer, "error")
        assert (refused.code, refused.sentence) == (Code.DB_SYNTAX, 'near "x": syntax error')
        stopped, plate = await both.peer.ask_and_stop("wait")
        assert (stopped, plate.rows_) == (Stopped(is_confirmed=True), [[1]])
        stopped, plate = await both.peer.ask_and_stop("hang")
        assert stopped == Stopped(is_confirmed=False)
        dead = await failure(both.peer, "die_in_the_middle")
        assert (dead.code, dead.sentence) == (Code.DB_UNAVAILABLE, UNANSWERED)
        await both.peer.ask("rows")
        [lost] = both.peer.recorder.of(DatabaseLost)
        assert lost.reason == "the process ended"
        assert len(both.hosted.recorder.of(SessionHostReady)) == 1
        *gone, last = processes(file)
        assert not any(map(is_alive, gone))
        assert is_alive(last)
    assert not is_alive(last)
    assert both.hosted.recorder.of(SessionHostLost) == []


async def test_columns_go_with_the_rows_of_their_chunk_in_one_write() -> None:
    written: list[tuple[bytes, ...]] = []

    class Pipe(Outgoing):
        def __init__(self) -> None:
            pass

        def offer(self, *contents: bytes) -> None:
            written.append(contents)

    def asking() -> _Asking:
        return _Asking(Ask(1, 2, ToolCall("query", {}), Terms(), 1.0), Pipe())

    columns = word_to_json(Columns(1, 2, (Column("n", None),)))
    with_rows, without, early = asking(), asking(), asking()
    for one in (with_rows, without, early):
        one.columns([Column("n", None)])
        assert written == []
    with_rows.rows([[1]])
    with_rows.rows([[2]])
    with_rows.end()
    assert written == [(columns, b"[1,2,[[1]]]"), (b"[1,2,[[2]]]",)]
    written.clear()
    without.end()
    assert written == [(columns,)]
    written.clear()
    await early.caught_up()
    early.rows([[1]])
    assert written == [(columns,), (b"[1,2,[[1]]]",)]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("endless_logs", "it sent more than a call may bring"),
        ("endless_requests", "it asked more than a call may need"),
    ],
)
async def test_a_peer_that_breaks_a_bound_is_cut_off_and_told_of(sql: str, reason: str) -> None:
    async with hosted_peer() as both:
        failed = await failure(both.peer, sql)
        assert failed.code is Code.DB_ERROR
        assert reason in failed.sentence
        await both.peer.ask("rows")
        assert [lost.reason for lost in both.peer.recorder.of(DatabaseLost)] == [reason]


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        ("toolless", "without the tools explain, query, sample_table"),
        ("dead", "the process ended"),
        ("silent", "not ready in time"),
    ],
)
async def test_a_peer_that_does_not_become_ready_is_told_of(start: str, reason: str) -> None:
    async with hosting() as hosted:
        await hosted.recorder.until(SessionHostReady)
        configured = fake(start, start_timeout_s=0.5 if start == "silent" else LIMIT_S)
        async with running(configured, opened=hosted.host.opened) as peer:
            await peer.recorder.until(DatabaseLost)
            assert peer.recorder.of(DatabaseLost)[0].reason == reason
        assert hosted.recorder.of(SessionHostLost) == []


async def test_what_a_peer_complains_of_is_heard() -> None:
    heard: list[bytes] = []
    async with (
        hosting() as hosted,
        running(fake(), opened=hosted.host.opened, on_complaint=heard.append) as peer,
    ):
        await peer.ask("complain")
    assert b"".join(heard) == b"secret words\n" * 100_000
    assert "secret" not in str(peer.recorder.events)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_where_the_process_ends_who_asks_is_told_and_the_next_one_is_answered(
    tmp_path: Path, number: signal.Signals
) -> None:
    file = tmp_path / "told"
    async with hosted_peer(file) as both, trio.open_nursery() as nursery:
        plate, failures = Plate(), []

        async def ask() -> None:
            try:
                await both.peer.ask("wait", plate)
            except DatabaseFailed as failed:
                failures.append(failed)

        nursery.start_soon(ask)
        with trio.fail_after(LIMIT_S):
            await plate.news.wait()
            [child] = processes(file)
            with watched(child) as its_end:
                os.kill(both.hosted.pid, number)
                await ended(its_end)
            await both.peer.recorder.until(DatabaseLost)
            assert (await both.peer.ask("rows"))[0] == Answered()
        [failed] = failures
        assert (failed.code, failed.sentence) == (Code.DB_UNAVAILABLE, UNANSWERED)
        assert both.peer.recorder.of(DatabaseLost)[0].reason == HOST_ENDED
        [lost] = both.hosted.recorder.of(SessionHostLost)
        assert lost.reason == "it ended"


@pytest.mark.parametrize("is_stopped", [False, True], ids=["out of time", "stopped"])
async def test_a_process_that_hangs_is_killed_and_who_asked_is_told(is_stopped: bool) -> None:
    timeout_s = LIMIT_S if is_stopped else 0.5
    async with hosted_peer(bounds={"late_s": 1.0}) as both:
        await both.peer.ask("rows")
        os.kill(both.hosted.pid, signal.SIGSTOP)
        stop = trio.Event()
        if is_stopped:
            stop.set()
        with (
            trio.fail_after(LIMIT_S),
            both.peer.call_timeout(timeout_s),
            pytest.raises(DatabaseFailed) as caught,
        ):
            await both.peer.database.ask(RunStatement("rows"), Terms(), Plate(), stop)
        assert caught.value.code is Code.DB_UNAVAILABLE
        await both.hosted.recorder.until(SessionHostLost)
        assert both.hosted.recorder.of(SessionHostLost)[0].reason == HANGS
        assert (await both.peer.ask("rows"))[0] == Answered()


async def test_where_the_process_is_given_up_its_sessions_are_over_at_once() -> None:
    recorder, scope = Listening(), trio.CancelScope()
    host = SessionHost(recorder)

    async def keep(task_status: trio.TaskStatus[None]) -> None:
        with scope:
            await host.run(task_status=task_status)

    async with trio.open_nursery() as nursery:
        await nursery.start(keep)
        async with running(fake(), opened=host.opened) as peer:
            await peer.ask("rows")
            scope.cancel()
            await peer.recorder.until(DatabaseLost)
            assert peer.recorder.of(DatabaseLost)[0].reason == HOST_ENDED


async def test_a_process_that_hangs_does_not_keep_the_daemon(tmp_path: Path) -> None:
    file = tmp_path / "told"
    with trio.fail_after(LIMIT_S):
        async with hosted_peer(file, bounds={"close_s": 0.2}) as both:
            await both.peer.ask("rows")
            [child] = processes(file)
            its_end = os.pidfd_open(child)
            os.kill(both.hosted.pid, signal.SIGSTOP)
    await ended(its_end)
    os.close(its_end)


@pytest.mark.parametrize(
    "said",
    [b"no frame at all", b"\xff" * 8, b"\x00\x00\x00\x02{}", b"\x00\x00\x00\x08[1,9,[]]"],
    ids=["text", "length", "shape", "rows of no call"],
)
async def test_a_process_that_says_what_is_no_answer_is_replaced(said: bytes) -> None:
    command = changed(
        "rows = host_process._Asking.rows\n"
        "def lie(asking, content):\n"
        f"    if 'lie' in asking.order.call.arguments['sql']: os.write(4, {said!r})\n"
        "    rows(asking, content)\n"
        "host_process._Asking.rows = lie"
    )
    async with hosted_peer(command=command) as both:
        await both.peer.ask("rows")
        failed = await failure(both.peer, "SELECT 'rows' -- lie")
        assert failed.code is Code.DB_UNAVAILABLE
        [lost] = both.hosted.recorder.of(SessionHostLost)
        assert lost.reason == "it said something that is not an answer"
        assert (await both.peer.ask("rows"))[0] == Answered()


async def test_where_no_process_can_be_started_databases_are_unavailable_and_say_why() -> None:
    async with hosted_peer(command=("/no/such/program",)) as both:
        failed = await failure(both.peer, "rows")
        assert failed.code is Code.DB_UNAVAILABLE
        assert NO_HOST in failed.sentence
        assert both.peer.recorder.of(DatabaseConnected) == []
        assert both.hosted.recorder.of(SessionHostLost)[0].reason == "No such file or directory"


async def test_rows_come_no_faster_than_they_are_taken() -> None:
    async with hosted_peer() as both, trio.open_nursery() as nursery:
        sink = SlowSink()
        terms = Terms(max_rows=10_000, max_bytes=20_000_000)
        is_over, ends = trio.Event(), []

        async def ask() -> None:
            statement = RunStatement("gigabyte_of_rows")
            ends.append(await both.peer.database.ask(statement, terms, sink, trio.Event()))
            is_over.set()

        with trio.fail_after(LIMIT_S):
            nursery.start_soon(ask)
            await sink.news.wait()
            await trio.testing.wait_all_tasks_blocked(0.5)
            assert both.hosted.waiting_bytes < WINDOW_BYTES + HELD_CHARS + MESSAGE_CHARS_MAX
            nursery.start_soon(sink.take_turns)
            await is_over.wait()
        nursery.cancel_scope.cancel()
    assert ends == [Answered(Cut(RowsCut.MAX_BYTES))]
    assert 1_900 < len(sink.rows_) < 2_000


async def test_rows_that_are_read_after_the_end_of_a_call_are_of_no_answer(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    command = changed(
        "from pathlib import Path\n"
        "from chatd.answers.mcp import session\n"
        f"session.CONFIRM_S = {LIMIT_S}\n"
        "read = session.read_chunk\n"
        "def wait(message):\n"
        f"    if len(message) > session.INLINE_CHARS: Path({str(gate)!r}).read_bytes()\n"
        "    return read(message)\n"
        "session.read_chunk = wait"
    )
    async with hosted_peer(command=command) as both:
        stopped, plate = await both.peer.ask_and_stop("wait_after_a_large_chunk")
        assert (stopped, plate.rows_) == (Stopped(is_confirmed=True), [[1]])
        await trio.to_thread.run_sync(gate.write_bytes, b"")
        gate.unlink()
        gate.touch()
        _, plate = await both.peer.ask("large_chunks")  # which is read after the one that is late
        assert len(plate.rows_) == 5
        assert both.hosted.recorder.of(SessionHostLost) == []


async def test_what_waits_for_a_slow_sink_does_so_no_longer_than_its_call() -> None:
    command = changed(
        "from chatd.answers.mcp import link, session\n"
        f"link.HELD_CHARS, session.CONFIRM_S = 400_000, {LIMIT_S}"
    )
    async with hosted_peer(command=command, bounds={"late_s": 0.5}, call_timeout_s=LIMIT_S) as both:
        for _ in range(4):  # and then nothing more would be read
            sink, stop = SlowSink(), trio.Event()
            with trio.fail_after(LIMIT_S):
                async with trio.open_nursery() as nursery:
                    statement = RunStatement("wait_after_much")
                    terms = Terms(max_rows=1_000, max_bytes=10_000_000)
                    nursery.start_soon(both.peer.database.ask, statement, terms, sink, stop)
                    await sink.news.wait()
                    await trio.testing.wait_all_tasks_blocked(0.2)
                    stop.set()
        _, plate = await both.peer.ask("large_chunks")
        assert len(plate.rows_) == 5
        assert len(both.peer.recorder.of(DatabaseConnected)) == 1


async def test_no_row_is_lost_where_the_sink_takes_longer_than_the_call_may() -> None:
    async with hosted_peer(bounds={"late_s": 0.0}, call_timeout_s=1.0) as both:
        sink = SlowSink()
        with trio.fail_after(LIMIT_S):
            end, _ = await both.peer.ask("large_chunks", sink)
        assert (end, len(sink.rows_)) == (Answered(), 5)
        assert both.hosted.recorder.of(SessionHostLost) == []


async def test_what_is_asked_while_a_session_ends_is_answered_by_the_next(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with hosted_peer(file) as both:
        await both.peer.ask("leave_slowly")
        with trio.fail_after(LIMIT_S):
            while "at the end of its input" not in file.read_text():  # noqa: ASYNC110 - of a process
                await trio.sleep(0.01)
        assert (await both.peer.ask("rows"))[0] == Answered()
        assert both.hosted.recorder.of(SessionHostLost) == []


async def test_of_what_a_child_writes_no_more_is_kept_than_a_bound_while_nobody_takes_it() -> None:
    inward, outward = os.pipe()
    async with trio.lowlevel.FdStream(inward), trio.lowlevel.FdStream(outward) as stream:
        outgoing = Outgoing(stream)
        session = _Session(Open(1, fake(), (), {}), outgoing)
        for _ in range(1_000):
            session._hear(b"x" * 65_536)
        assert BEHIND_BYTES_MAX <= outgoing.waiting_bytes < BEHIND_BYTES_MAX + 66_000
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outgoing.run)
            with trio.fail_after(LIMIT_S):
                while outgoing.waiting_bytes:
                    await trio.lowlevel.wait_readable(inward)
                    os.read(inward, 1_048_576)
                    await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()


async def test_the_process_has_nothing_of_the_daemon(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CHATD_AUTH__JWT_SECRET", "a secret")
    with (tmp_path / "open").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        async with hosting() as hosted:
            await hosted.recorder.until(SessionHostReady)
            assert variables_of(hosted.pid) <= {*PASSED, "LC_CTYPE"}
            opened = set(open_files(hosted.pid))
            assert not any(it.startswith(str(tmp_path)) for it in opened), opened
            assert niceness_of(hosted.pid) == os.getpriority(os.PRIO_PROCESS, 0)
            assert os.getsid(hosted.pid) == hosted.pid
            for number in (signal.SIGTERM, signal.SIGHUP):
                os.kill(hosted.pid, number)
        assert hosted.recorder.of(SessionHostLost) == []


async def test_a_process_whose_parent_is_another_does_not_stay() -> None:
    python, flag, module_flag, module, _ = host_command()
    with trio.fail_after(LIMIT_S):
        done = await trio.run_process(
            [python, flag, module_flag, module, "1"], check=False, capture_stdout=True
        )
    assert done.stdout == b""

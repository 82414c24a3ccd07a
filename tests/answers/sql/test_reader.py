"""Messages read in a process of their own, as a fake reads them here; and what becomes of it."""

import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import attrs
import pytest
import trio
import trio.lowlevel
import trio.testing

from chatd.answers.requests import DescribeTable, ListTables, RunStatement
from chatd.answers.sql.commands import Help, Misused
from chatd.answers.sql.reader import (
    BUSY,
    CRASHED,
    TOO_LONG,
    WAITING_MAX,
    StatementReader,
    child_command,
)
from chatd.answers.sql.reading import UNAVAILABLE, Piece, Reading, Response, Talk, Unread
from chatd.answers.sql.verdicts import Policy, Rejected
from chatd.observe import LogEvent, ReaderLost, ReaderReady
from chatd.observe.recorder import Recorder
from chatd.wire.codes import Code
from tests.answers.sql.readers import ReaderHere
from tests.processes import niceness_of, open_files, variables_of

LIMIT_S = 60.0
"""Nothing here takes so long, unless something is broken."""
SLOW = "/sql SELECT a" + "->'b'" * 1_900
"""A text that takes a tenth of a second at least."""
CHILD = """
import sys
from chatd.answers.sql import reader_process
{change}
reader_process.main(sys.argv[1:])
"""

AnyReader: TypeAlias = StatementReader | ReaderHere


class Listening(Recorder):
    """A recorder that can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._news = trio.Event()

    def record(self, event: LogEvent) -> None:
        super().record(event)
        self._news.set()
        self._news = trio.Event()

    async def until(self, kind: type[LogEvent], count: int = 1) -> None:
        with trio.fail_after(LIMIT_S):
            while len(self.of(kind)) < count:
                await self._news.wait()


@attrs.define
class Running:
    """A reader with its child."""

    reader: StatementReader
    recorder: Listening

    @property
    def child_id(self) -> int:
        """The process that is ready."""
        child = self.reader._kept.current
        assert child is not None
        return child.process.pid

    async def read(self, content: str, user_id: str = "ann") -> Response:
        with trio.fail_after(LIMIT_S):
            return await self.reader.respond(user_id, piece(content), never_accepted)


def never_accepted() -> None:
    """A reader knows that a message is a question when it has read it, and not before."""
    raise AssertionError


def piece(content: str, **policy: object) -> Piece:
    return Piece(content, Policy("sqlite", **policy))  # type: ignore[arg-type]


def changed(change: str) -> tuple[str, ...]:
    """The command of a child in which something was changed."""
    python, _, _, _, *arguments = child_command(["sqlite"])
    return (python, "-P", "-c", CHILD.format(change=change), *arguments)


@asynccontextmanager
async def running(command: Sequence[str] | None = None, **bounds: float) -> AsyncIterator[Running]:
    """Run a reader until the block ends; that its child has ended is demanded then."""
    recorder = Listening()
    bounds = {"start_interval_s": 0.0, **bounds}
    reader = StatementReader(
        child_command(["sqlite"]) if command is None else command, recorder, **bounds
    )
    children: list[int] = []
    async with trio.open_nursery() as nursery:
        await nursery.start(reader.run)
        one = Running(reader, recorder)
        yield one
        if reader._kept.current is not None:
            children.append(one.child_id)
        nursery.cancel_scope.cancel()
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
    assert reader._turns.is_idle


@pytest.mark.parametrize("kind", ["child", "fake"])
async def test_a_message_is_read_and_what_it_asks_is_judged(kind: str) -> None:
    expected: list[tuple[Piece, Reading]] = [
        (piece("hello"), Talk()),
        (piece("select the best one, please."), Talk()),
        (piece("SELECT 1 -- one"), RunStatement("SELECT 1")),
        (piece("/tables"), ListTables()),
        (piece("/help"), Help()),
        (
            piece("/describe"),
            Misused("Write /describe TABLE, with the name of a table in place of TABLE."),
        ),
        (piece('/describe main."order items"'), DescribeTable("order items", "main")),
        (piece("/sql SELECT '東 🐘 \u2028'"), RunStatement("SELECT '東 🐘 \u2028'")),
    ]
    refused = [
        (piece("DELETE FROM orders"), Code.DB_READ_ONLY),
        (piece("/sql SELECT load_extension('x')"), Code.DB_STATEMENT_REJECTED),
        (piece("/sample users", tables=("orders",)), Code.DB_STATEMENT_REJECTED),
    ]

    async def check(reader: AnyReader) -> None:
        for one, reading in expected:
            assert await reader.respond("ann", one, never_accepted) == reading, one.content
        for one, code in refused:
            rejected = await reader.respond("ann", one, never_accepted)
            assert isinstance(rejected, Rejected), one.content
            assert rejected.code is code

    if kind == "fake":
        await check(ReaderHere())
        return
    async with running() as one:
        await check(one.reader)
        assert len(one.recorder.of(ReaderReady)) == 1
        assert one.recorder.of(ReaderLost) == []


@pytest.mark.parametrize(
    ("command", "bounds"),
    [
        (changed("reader_process.PIECE_CPU_S = 0.02"), {}),
        (
            changed(
                "reader_process.read = lambda piece: reader_process.signal.pause() if len("
                "piece.content) > 1_000 "
                "else __import__('chatd.answers.sql.reading', fromlist=['x'])"
                ".read(piece)"
            ),
            {"piece_s": 3.0},  # it is to begin with the text by then, on a busy machine too
        ),
    ],
    ids=["of the processor", "altogether"],
)
async def test_a_text_that_takes_too_long_is_told_so_and_the_next_one_is_read(
    command: Sequence[str], bounds: dict[str, float]
) -> None:
    async with running(command, **bounds) as one:
        await one.recorder.until(ReaderReady)
        assert await one.read(SLOW) == TOO_LONG
        one.reader._piece_s = LIMIT_S
        assert await one.read("SELECT 1") == RunStatement("SELECT 1")
        [lost] = one.recorder.of(ReaderLost)
        assert lost.reason == "a text took too long"
        assert one.reader.why_unavailable is None
    assert "takes too long to read" in TOO_LONG.sentence
    assert not TOO_LONG.may_be_repeated


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_text_at_which_the_child_ends_is_told_so_and_is_not_tried_again(
    number: int,
) -> None:
    command = changed(
        "read = reader_process.read\n"
        "def die(piece):\n"
        "    if 'die' in piece.content:\n"
        f"        reader_process.os.kill(reader_process.os.getpid(), {number})\n"
        "    return read(piece)\n"
        "reader_process.read = die"
    )
    async with running(command) as one:
        await one.recorder.until(ReaderReady)
        read: dict[str, Response] = {}

        async def ask(user_id: str, content: str) -> None:
            read[user_id] = await one.read(content, user_id)

        async with trio.open_nursery() as nursery:
            for user_id, content in (("eve", "/sql die"), ("ann", "/tables"), ("bob", "hello")):
                nursery.start_soon(ask, user_id, content)
        assert read == {"eve": CRASHED, "ann": ListTables(), "bob": Talk()}
        await one.recorder.until(ReaderLost)
        assert len(one.recorder.of(ReaderLost)) == 1


@pytest.mark.parametrize(
    "said",
    [b"no frame at all", b"\xff" * 8, b"\x00\x00\x00\x02{}"],
    ids=["text", "length", "shape"],
)
async def test_a_child_that_says_what_is_no_answer_is_replaced(said: bytes) -> None:
    command = changed(
        "read = reader_process.read\n"
        "def lie(piece):\n"
        f"    if 'lie' in piece.content: reader_process.os.write(4, {said!r})\n"
        "    return read(piece)\n"
        "reader_process.read = lie"
    )
    async with running(command) as one:
        await one.recorder.until(ReaderReady)
        assert isinstance(await one.read("/sql SELECT 'lie'"), Unread)
        assert await one.read("/tables") == ListTables()


async def test_a_child_that_hangs_before_it_begins_is_nobodys_fault() -> None:
    async with running(piece_s=0.3) as one:
        await one.recorder.until(ReaderReady)
        os.kill(one.child_id, signal.SIGSTOP)
        assert await one.read("SELECT 1") == UNAVAILABLE
        one.reader._piece_s = LIMIT_S
        assert await one.read("SELECT 1") == RunStatement("SELECT 1")


async def test_a_child_that_was_killed_while_it_read_nothing_costs_nobody() -> None:
    async with running() as one:
        await one.recorder.until(ReaderReady)
        for _ in range(3):
            os.kill(one.child_id, signal.SIGKILL)
            assert await one.read("SELECT 1") == RunStatement("SELECT 1")
        assert len(one.recorder.of(ReaderReady)) == 4


async def test_a_child_is_not_started_again_sooner_than_it_may_be() -> None:
    async with running(start_interval_s=1_000.0) as one:
        await one.recorder.until(ReaderReady)
        os.kill(one.child_id, signal.SIGKILL)
        await one.recorder.until(ReaderLost)
        assert 900 < one.recorder.of(ReaderLost)[0].retry_in_s <= 1_000


async def test_who_comes_before_the_first_child_may_be_started_waits_for_it() -> None:
    recorder, opened = Listening(), trio.Event()
    reader = StatementReader(child_command(["sqlite"]), recorder)
    read: list[Response] = []

    async def ask() -> None:
        read.append(await reader.respond("ann", piece("/tables"), never_accepted))

    async with trio.open_nursery() as nursery:
        await nursery.start(reader.run, opened)
        async with trio.open_nursery() as asking:
            asking.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            assert (reader._kept.current, read) == (None, [])
            opened.set()
        assert read == [ListTables()]
        nursery.cancel_scope.cancel()


READS_ONCE = changed(
    "read = reader_process.read\n"
    "begun = []\n"
    "def once(piece):\n"
    "    assert piece.content not in begun, 'it was read before'\n"
    "    begun.append(piece.content)\n"
    "    return read(piece)\n"
    "reader_process.read = once"
)


async def test_a_piece_that_was_foreseen_is_read_once_before_it_is_asked_for() -> None:
    async with running(READS_ONCE) as one:
        await one.recorder.until(ReaderReady)
        one.reader.foresee("ann", piece("/tables"))
        ahead = one.reader._ahead
        assert ahead is not None
        with trio.fail_after(LIMIT_S):
            await ahead.done.wait()
        assert ahead.response == ListTables()
        assert await one.read("/tables", "ann") == ListTables()
        one.reader.foresee("ann", piece("SELECT 2"))
        assert await one.read("SELECT 2", "ann") == RunStatement("SELECT 2")  # it waits for that
        assert one.recorder.of(ReaderLost) == []


async def test_what_was_foreseen_is_of_no_use_to_others_and_keeps_nobody() -> None:
    async with running() as one:
        await one.recorder.until(ReaderReady)
        one.reader.foresee("ann", piece("/tables"))
        one.reader.foresee("ann", piece("SELECT 1"))  # one at a time
        assert await one.read("SELECT 2", "bob") == RunStatement("SELECT 2")
        one.reader.foresee("eve", piece("/help"))  # the one before was never asked for
        assert await one.read("/tables", "ann") == ListTables()
        assert await one.read("/help", "eve") == Help()


async def test_a_foreseen_piece_that_a_child_never_began_is_read_by_the_next() -> None:
    async with running() as one:
        await one.recorder.until(ReaderReady)
        os.kill(one.child_id, signal.SIGSTOP)
        one.reader.foresee("ann", piece("SELECT 1"))
        await trio.testing.wait_all_tasks_blocked()
        os.kill(one.child_id, signal.SIGKILL)
        assert await one.read("SELECT 1", "ann") == RunStatement("SELECT 1")  # it was not begun


async def test_who_gives_up_on_a_foreseen_piece_has_it_stopped() -> None:
    async with running() as one:
        await one.recorder.until(ReaderReady)
        os.kill(one.child_id, signal.SIGSTOP)
        one.reader.foresee("ann", piece("SELECT 1"))
        with trio.move_on_after(0.2):
            await one.reader.respond("ann", piece("SELECT 1"), never_accepted)
        await one.recorder.until(ReaderLost)
        assert await one.read("SELECT 1", "ann") == RunStatement("SELECT 1")


async def test_a_stop_of_all_processes_is_left_to_the_daemon() -> None:
    async with running() as one:
        await one.recorder.until(ReaderReady)
        for number in (signal.SIGTERM, signal.SIGHUP):
            os.kill(one.child_id, number)
        assert await one.read("/tables") == ListTables()
        assert one.recorder.of(ReaderLost) == []


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("/no/such/program",), "No such file or directory"),
        ((sys.executable, "-c", "print('hello')"), "it ended before it was ready"),
        ((sys.executable, "-c", "input()"), "not ready in time"),
        (changed("reader_process._warm_up = lambda _: 1 / 0"), "it ended before it was ready"),
    ],
    ids=["missing", "another program", "silent", "crashing"],
)
async def test_where_no_child_gets_ready_pieces_are_told_so(
    command: Sequence[str], reason: str
) -> None:
    async with running(command, start_s=0.3 if "input()" in command else LIMIT_S) as one:
        assert await one.read("SELECT 1") == UNAVAILABLE
        assert one.reader.why_unavailable is not None
        lost = one.recorder.of(ReaderLost)[0]
        assert (lost.reason, lost.retry_in_s) == (reason, 1.0)
        assert await one.read("SELECT 1") == UNAVAILABLE
    assert UNAVAILABLE.may_be_repeated


async def test_users_take_turns_and_each_has_a_bounded_line() -> None:
    order: list[str] = []

    async def ask(reader: AnyReader, user_id: str, content: str) -> None:
        if await reader.respond(user_id, piece(content), never_accepted) is BUSY:
            order.append("busy")
        else:
            order.append(user_id)

    async with running() as one, trio.open_nursery() as nursery:
        await one.recorder.until(ReaderReady)
        os.kill(one.child_id, signal.SIGSTOP)
        for _ in range(WAITING_MAX + 3):
            nursery.start_soon(ask, one.reader, "eve", "/tables")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ask, one.reader, "ann", "SELECT 1")
        await trio.testing.wait_all_tasks_blocked()
        os.kill(one.child_id, signal.SIGCONT)
        with trio.fail_after(LIMIT_S):
            while "ann" not in order:
                await trio.lowlevel.checkpoint()
        assert order.count("busy") == 2
        assert order.index("ann") <= 4  # behind two who were told so, and what was being read


async def test_who_is_cancelled_has_what_it_was_at_stopped() -> None:
    command = changed(
        "read = reader_process.read\n"
        "def hang(piece):\n"
        "    while 'hang' in piece.content: pass\n"
        "    return read(piece)\n"
        "reader_process.PIECE_CPU_S = 1_000\n"
        "reader_process.read = hang"
    )
    async with running(command) as one:
        await one.recorder.until(ReaderReady)
        with trio.move_on_after(0.1):
            await one.read("/sql hang")
        assert await one.read("/tables") == ListTables()
        assert len(one.recorder.of(ReaderLost)) == 1


def limits_of(process_id: int) -> dict[str, str]:
    """The soft limits of a process by their names in /proc."""
    lines = Path(f"/proc/{process_id}/limits").read_text().splitlines()[1:]
    return {line[:26].strip(): line[26:].split()[0] for line in lines}


async def test_the_child_has_nothing_of_the_daemon_and_takes_little(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CHATD_AUTH__JWT_SECRET", "a secret")
    with (tmp_path / "open").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        async with running() as one:
            await one.recorder.until(ReaderReady)
            assert variables_of(one.child_id) <= {"HOME", "PYTHONPATH", "LC_CTYPE"}
            opened = set(open_files(one.child_id))
            assert all(it.startswith("pipe:") or it == os.devnull for it in opened), opened
            limits = limits_of(one.child_id)
            assert limits["Max address space"] == str(512 * 1024 * 1024)
            assert (limits["Max core file size"], limits["Max file size"]) == ("0", "0")
            assert niceness_of(one.child_id) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 5)
            assert os.getsid(one.child_id) == one.child_id


async def test_a_text_that_takes_too_much_memory_ends_the_child_alone() -> None:
    command = changed(
        "read = reader_process.read\n"
        "def eat(piece):\n"
        "    return bytes(2 ** 30) if 'eat' in piece.content else read(piece)\n"
        "reader_process.read = eat"
    )
    async with running(command) as one:
        await one.recorder.until(ReaderReady)
        assert await one.read("/sql eat") == CRASHED
        assert await one.read("/tables") == ListTables()


async def test_a_child_whose_parent_is_another_does_not_stay() -> None:
    python, flag, module_flag, module, _, *dialects = child_command(["sqlite"])
    with trio.fail_after(LIMIT_S):
        done = await trio.run_process(
            [python, flag, module_flag, module, "1", *dialects], capture_stdout=True, check=False
        )
    assert (done.returncode, done.stdout) == (0, b"")

"""Messages read in a process of their own, which can be stopped (`reader_process`).

Reading holds the interpreter for as long as the text makes it: in a thread of the daemon, all
connections would wait. So a child reads one piece after the other. Users take turns: one user's
many slow texts make another wait for one of them. A piece that takes too long, or at which the
child ends, is answered with the reason, and is not tried again; the child is started anew for
the next one, no more often than every `START_INTERVAL_S`. A child that does not get ready
is started again after 1 s, 2 s, and so on up to a minute; meanwhile pieces are refused at once.

The child is given no descriptor of the daemon and no variable but where Python finds its modules.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs
import trio

from chatd.actors.fair_queue import RETRY_MS, FairQueue
from chatd.answers.sql.frames import (
    BEGUN,
    READY,
    FrameBreach,
    Frames,
    framed,
    piece_to_json,
    reading_from_json,
)
from chatd.answers.sql.reading import UNAVAILABLE, Piece, Response, Unread
from chatd.chat.backoff import Backoff
from chatd.observe import EventLog, ReaderLost, ReaderReady
from chatd.wire.codes import EXPLANATIONS, Code

PIECE_S: Final = 10.0
"""Seconds that a piece may take altogether: five times what it may take of the processor, so that a
busy machine is no reason. Beyond: the child is killed, and the piece is refused."""
START_S: Final = 20.0
"""Seconds that the child may take to get ready. Beyond: it is killed, and tried again later."""
START_INTERVAL_S: Final = 1.0
"""Seconds from one start to the next at least, so that texts which end it do not make it spin."""
RESTART_BACKOFF_S: Final = (1.0, 60.0)
"""Before the first and before any later start after one that came to nothing; doubled between."""
WAITING_MAX: Final = 32
"""Pieces of one user that wait: a burst of what the limits let through. Beyond: refused at once."""
END_S: Final = 1.0
"""Seconds that a killed child is waited for; then it is the system's."""
READ_BYTES: Final = 65_536
"""Read at once from the child."""
TOOK_TOO_LONG: Final = "a text took too long"
PASSED: Final = ("HOME", "PYTHONPATH")
"""Variables that the child is given: it is to find what the daemon has found."""


TOO_LONG: Final = Unread(
    Code.DB_STATEMENT_REJECTED,
    "This statement takes too long to read; write it shorter, or in another way.",
)
CRASHED: Final = Unread(
    Code.DB_STATEMENT_REJECTED,
    "This statement could not be read; write it shorter, or in another way.",
)
BUSY: Final = Unread(Code.DB_BUSY, EXPLANATIONS[Code.DB_BUSY].sentence, RETRY_MS)


def child_command(dialects: Sequence[str]) -> tuple[str, ...]:
    """What starts the process that reads for this one."""
    module = "chatd.answers.sql.reader_process"
    return (sys.executable, "-P", "-m", module, str(os.getpid()), *dialects)


class StatementReader:
    """Reads pieces for users; `run` is the life of a child of a supervisor."""

    def __init__(
        self,
        command: Sequence[str],
        event_log: EventLog,
        *,
        own_environment: Mapping[str, str] = os.environ,
        piece_s: float = PIECE_S,
        start_s: float = START_S,
        start_interval_s: float = START_INTERVAL_S,
    ) -> None:
        self._command = tuple(command)
        self._event_log = event_log
        self._variables = {
            name: own_environment[name] for name in PASSED if name in own_environment
        }
        self._piece_s = piece_s
        self._start_s = start_s
        self._start_interval_s = start_interval_s
        self._backoff = Backoff(*RESTART_BACKOFF_S)  # waits where starts in a row came to nothing
        self._turns = FairQueue(1, waiting_max=WAITING_MAX)
        self._child: _Child | None = None  # one that is ready
        self._is_running = False
        self._news = trio.Event()

    @property
    def why_unavailable(self) -> str | None:
        """A sentence where pieces cannot be read; None where they can, or soon will be."""
        is_failing = self._is_running and self._backoff.wait_s > 0
        return "The process that reads questions cannot be started." if is_failing else None

    async def respond(self, user_id: str, piece: Piece, accept: Callable[[], None]) -> Response:
        """Read a piece in the user's turn; see `Responder`. What it is known when it is read.

        Waits for the turn for a bounded time, for a child that is on its way, and for the reading.
        Cancelled, it has what it was at stopped.
        """
        if await self._turns.acquire(user_id) is not None:
            return BUSY
        try:
            while (child := await self._ready_child()) is not None:
                reading = await child.read(piece, self._piece_s)
                if reading is not None:
                    return reading
            return UNAVAILABLE
        finally:
            self._turns.release(user_id)

    async def _ready_child(self) -> "_Child | None":
        """A child that is ready; None where none is, and none is on its way."""
        while self._is_running and not self._backoff.wait_s:
            if self._child is not None and not self._child.is_over:
                return self._child
            await self._news.wait()
        return None

    async def run(
        self,
        after: trio.Event | None = None,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Keep a child, until cancelled; the first is started `after` this event. Pieces that come
        before it is ready wait for it."""
        self._is_running = True
        task_status.started()
        try:
            if after is not None:
                await after.wait()
            while True:
                began_s = trio.current_time()
                reason, was_ready = await self._live()
                if not was_ready:
                    self._backoff.failed()
                left_s = began_s + self._start_interval_s - trio.current_time()
                wait_s = max(self._backoff.wait_s, left_s, 0.0)
                self._event_log.record(ReaderLost(reason, round(wait_s, 3)))
                self._notify()
                await trio.sleep(wait_s)
        finally:
            self._is_running = False
            self._notify()

    async def _live(self) -> tuple[str, bool]:
        """One life of a child: why it ended, and whether it was ready before."""
        began_s = trio.current_time()
        try:
            child = _Child.started(self._command, self._variables)
        except OSError as error:
            return error.strerror or type(error).__name__, False
        try:
            with trio.move_on_after(self._start_s) as starting:
                if not await child.get_ready():
                    return "it ended before it was ready", False
            if starting.cancelled_caught:
                return "not ready in time", False
            self._child = child
            self._backoff.succeeded()
            self._event_log.record(ReaderReady(round((trio.current_time() - began_s) * 1000, 1)))
            self._notify()
            reason = await child.serve()
        finally:
            self._child = None
            await child.end()
        return reason, True

    def _notify(self) -> None:
        """Have all waiting tasks look again."""
        self._news.set()
        self._news = trio.Event()


@attrs.define(eq=False)
class _PieceAtChild:
    """The piece that the child is at; without a `reading` it was not begun."""

    done: trio.Event = attrs.field(factory=trio.Event)
    is_begun: bool = False
    reading: Response | None = None

    def end(self, reading: Response | None) -> None:
        self.reading = reading
        self.done.set()


class _Child:
    """The process, and the one piece that it is at. One task reads what it says."""

    def __init__(self, process: "subprocess.Popen[bytes]", to_child: int, from_child: int) -> None:
        self._process = process
        self._to_child = trio.lowlevel.FdStream(to_child)
        self._from_child = trio.lowlevel.FdStream(from_child)
        self._frames = Frames()
        self._waiting: _PieceAtChild | None = None
        self._is_late = False  # the last piece took too long
        self.is_over = False  # it gets no further piece

    @classmethod
    def started(cls, command: Sequence[str], variables: Mapping[str, str]) -> "_Child":
        """Start it; raises `OSError`.

        Not by Trio, which would start it in a thread: the kernel ends it with the thread that did.
        """
        theirs_in, to_child = os.pipe()
        from_child, theirs_out = os.pipe()
        try:
            process = subprocess.Popen(
                command,
                stdin=theirs_in,
                stdout=theirs_out,
                stderr=subprocess.DEVNULL,
                env=dict(variables),
                start_new_session=True,  # Ctrl-C is the daemon's: it drains
            )
        except OSError:
            os.close(to_child)
            os.close(from_child)
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        return cls(process, to_child, from_child)

    async def get_ready(self) -> bool:
        """Return when it is ready; False where it ended, or said something else."""
        while received := await self._from_child.receive_some(READ_BYTES):
            try:
                contents = list(self._frames.feed(received))
            except FrameBreach:
                return False
            if contents:
                return contents == [READY]
        return False

    async def serve(self) -> str:
        """Pass on what it says until it has ended; why it did."""
        try:
            while received := await self._from_child.receive_some(READ_BYTES):
                for content in self._frames.feed(received):
                    self._hear(content)
        except FrameBreach:
            reason = "it said something that is no answer"
        except trio.BrokenResourceError:
            reason = "it cannot be read from"
        else:
            reason = "it ended"
        self.kill()
        await self._wait()
        if self._is_late or self._process.returncode == -signal.SIGPROF:
            reason = TOOK_TOO_LONG
        waiting = self._waiting
        if waiting is not None and not waiting.done.is_set():
            at_fault = TOO_LONG if reason is TOOK_TOO_LONG else CRASHED
            waiting.end(at_fault if waiting.is_begun else None)
        return reason

    def _hear(self, content: bytes) -> None:
        """Take what it said of the piece that it is at. Raises `FrameBreach`."""
        waiting = self._waiting
        if waiting is None or waiting.done.is_set():
            raise FrameBreach("an answer to nothing")
        if content == BEGUN and not waiting.is_begun:
            waiting.is_begun = True
        else:
            waiting.end(reading_from_json(content))

    async def read(self, piece: Piece, within_s: float) -> Response | None:
        """What a piece came to; None where the child ended before it began with it."""
        waiting = self._waiting = _PieceAtChild()
        try:
            with trio.move_on_after(within_s) as bound:
                await self._to_child.send_all(framed(piece_to_json(piece)))
                await waiting.done.wait()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.kill()
            return None
        finally:
            if not waiting.done.is_set():
                self.kill()  # what it would say later belongs to no piece
        if bound.cancelled_caught:
            self._is_late = True
            return TOO_LONG if waiting.is_begun else UNAVAILABLE
        return waiting.reading

    def kill(self) -> None:
        """Have it end, whatever it is at."""
        self.is_over = True
        self._process.kill()

    async def end(self) -> None:
        """Kill it, and wait a little for its end."""
        self.kill()
        if self._waiting is not None and not self._waiting.done.is_set():
            self._waiting.end(UNAVAILABLE)
        await self._wait()
        await trio.aclose_forcefully(self._to_child)
        await trio.aclose_forcefully(self._from_child)

    async def _wait(self) -> None:
        with trio.move_on_after(END_S, shield=True):
            await trio.to_thread.run_sync(self._process.wait, abandon_on_cancel=True)

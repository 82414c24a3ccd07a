"""Reads messages in a child process, which can be stopped (`reader_process`).

Reading holds the interpreter for as long as the text makes it: in a thread of the daemon, all
connections would wait. So a process reads one piece after the other. Users take turns: one user's
many slow texts make another wait for one of them. A piece that takes too long, or at which the
process ends, is answered with the reason, and is not tried again; the process is started anew for
the next one (`own_process`). While no process can be started, pieces are refused at once.

A piece whose message is on its way into the log is read meanwhile, if nobody else has something to
read: the process is done with it at about the same time as the disk.
"""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import attrs
import trio

from chatd.actors.fair_queue import RETRY_MS, FairQueue
from chatd.answers.frames import FrameBreach, framed
from chatd.answers.own_process import (
    START_INTERVAL_S,
    START_S,
    KeptProcess,
    OwnProcess,
    own_command,
    passed,
)
from chatd.answers.sql.frames import BEGUN, piece_to_json, reading_from_json
from chatd.answers.sql.reading import UNAVAILABLE, Piece, Response, Unread
from chatd.observe import EventLog, ReaderLost, ReaderReady
from chatd.wire.codes import EXPLANATIONS, Code

PIECE_S: Final = 10.0
"""Seconds that a piece may take altogether: five times what it may take of the processor, so that a
busy machine alone does not count. Beyond: the child is killed, and the piece is refused."""
WAITING_MAX: Final = 32
"""Pieces of one user that wait: a burst of what the limits let through. Beyond: refused at once."""
TOOK_TOO_LONG: Final = "a text took too long"
PASSED: Final = ("HOME", "PYTHONPATH")
"""Variables that the child is given, so that it finds what the daemon found."""


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
    """The command that starts the process that reads for this one."""
    return own_command("chatd.answers.sql.reader_process", *dialects)


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
        variables = passed(own_environment, PASSED)
        self._piece_s = piece_s
        self._turns = FairQueue(1, waiting_max=WAITING_MAX)
        self._kept = KeptProcess(
            lambda: _Child(command, variables),
            lambda took_ms: event_log.record(ReaderReady(took_ms)),
            lambda reason, retry_in_s: event_log.record(ReaderLost(reason, retry_in_s)),
            start_s=start_s,
            start_interval_s=start_interval_s,
        )
        self._ahead: _Ahead | None = None  # nobody has asked for it yet
        self._begun: _Ahead | None = None  # it is read, or is about to be
        self._news = trio.Event()

    @property
    def why_unavailable(self) -> str | None:
        """A sentence if pieces cannot be read; None if they can, or soon will be."""
        is_failing = self._kept.is_failing
        return "The process that reads questions cannot be started." if is_failing else None

    async def run(
        self,
        after: trio.Event | None = None,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Keep a child, the first `after` this event, until cancelled. Pieces that come before it
        is ready wait for it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read_ahead)
            await self._kept.run(after, task_status=task_status)

    def foresee(self, user_id: str, piece: Piece) -> None:
        """Read a piece early, if nobody else has one; see `Responder`. The result of the piece
        before is forgotten if nobody has asked for it: its message was not stored."""
        if self._kept.current is not None and self._turns.is_idle and self._begun is None:
            self._ahead = self._begun = _Ahead(user_id, piece)
            self._news.set()

    async def _read_ahead(self) -> None:
        while True:
            while (ahead := self._begun) is not None:
                # What fails here fails again when somebody asks for it, and is told then.
                try:
                    with ahead.scope, suppress(Exception):
                        ahead.response = await self._read(ahead.user_id, ahead.piece)
                finally:
                    self._begun = None
                    ahead.done.set()
            self._news = trio.Event()
            await self._news.wait()

    async def respond(self, user_id: str, piece: Piece, accept: Callable[[], None]) -> Response:
        """Read a piece in the user's turn; see `Responder`. Only once it is read does anybody know
        whether it is a question, so `accept` is not called.

        Waits for the turn for a bounded time, for a child that is on its way, and for the reading.
        If cancelled, it stops what it was doing.
        """
        ahead = self._ahead
        if ahead is not None and (ahead.user_id, ahead.piece) == (user_id, piece):
            self._ahead = None
            try:
                await ahead.done.wait()
            finally:
                ahead.scope.cancel()  # where it has not ended
            if ahead.response not in (BUSY, UNAVAILABLE, None):
                return ahead.response
        return await self._read(user_id, piece)

    async def _read(self, user_id: str, piece: Piece) -> Response:
        if await self._turns.acquire(user_id) is not None:
            return BUSY
        try:
            while (child := await self._kept.ready()) is not None:
                reading = await child.read(piece, self._piece_s)
                if reading is not None:
                    return reading
            return UNAVAILABLE
        finally:
            self._turns.release(user_id)


@attrs.define(eq=False)
class _Ahead:
    """A piece that is read before it is asked for; without a `response`, the reading was given
    up."""

    user_id: str
    piece: Piece
    done: trio.Event = attrs.field(factory=trio.Event)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    response: Response | None = None


@attrs.define(eq=False)
class _PieceAtChild:
    """The piece that the child is working on; without a `reading` it was not begun."""

    done: trio.Event = attrs.field(factory=trio.Event)
    is_begun: bool = False
    reading: Response | None = None

    def end(self, reading: Response | None) -> None:
        self.reading = reading
        self.done.set()


class _Child(OwnProcess):
    """The process, and the one piece that it is at."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        super().__init__(command, variables)
        self._waiting: _PieceAtChild | None = None
        self._is_late = False  # the last piece took too long

    async def serve(self) -> str:
        """Pass on what it says until it has ended; returns why it did."""
        reason = await self.heard(self._hear)
        if self._is_late or self.process.returncode == -signal.SIGPROF:
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
        """What a piece came to; None if the child ended before it began the piece."""
        waiting = self._waiting = _PieceAtChild()
        try:
            with trio.move_on_after(within_s) as bound:
                await self.to_process.send_all(framed(piece_to_json(piece)))
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

    async def end(self) -> None:
        """Kill it, and wait a little for its end."""
        if self._waiting is not None and not self._waiting.done.is_set():
            self._waiting.end(UNAVAILABLE)
        await super().end()

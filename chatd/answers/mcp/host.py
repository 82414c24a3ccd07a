"""The daemon's side of the sessions with db-mcps, which are in a child process (`host_process`).

The MCP SDK takes a second to import, and what a db-mcp sends takes long to read, so that neither
happens in the daemon. One process has the sessions of all databases. If it ends, all sessions are
lost, as if every db-mcp had ended: calls fail at once, and the sessions are opened again in the
next process (`own_process`). A process that does not end a call or a session in time hangs, and is
killed.
"""

import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Final

import attrs
import trio

from chatd.answers.frames import FrameBreach
from chatd.answers.mcp.calls import ToolCall
from chatd.answers.mcp.host_frames import (
    Ask,
    Close,
    Columns,
    Ended,
    Failed,
    NotBegun,
    Open,
    Opened,
    Order,
    Over,
    Rows,
    Stop,
    Took,
    Wrote,
    order_to_json,
    word_from_json,
)
from chatd.answers.mcp.link import Forgotten, Link, SessionOver
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.own_process import (
    START_INTERVAL_S,
    START_S,
    KeptProcess,
    Outgoing,
    OwnProcess,
    own_command,
    passed,
)
from chatd.answers.requests import Answered, DatabaseFailed, PacedSink, Sink, Stopped, Terms
from chatd.observe import EventLog, SessionHostLost, SessionHostReady

LATE_S: Final = 10.0
"""Seconds that the process may be late with the end of a call, so that a busy machine alone does
not count. Beyond: it hangs, and is killed."""
CLOSE_S: Final = 6.0
"""Seconds that a session may take to end, even if its db-mcp ignores signals. Beyond: the process
is killed, and the wardens end what it had started."""
STOP_S: Final = 1.0
"""Seconds that the process may take to have a call stopped; see `session.CONFIRM_S`."""
PASSED: Final = (
    *("HOME", "LANG", "PATH", "PYTHONPATH"),
    *("SSL_CERT_DIR", "SSL_CERT_FILE"),  # of a db-mcp at a URL
)
"""Variables that the process is given, so that it finds what the daemon found. What its db-mcps are
given is another matter (`DatabaseSettings.variables`)."""
HOST_ENDED: Final = "the process that asks databases ended"
HANGS: Final = "it did not answer in time"
NO_HOST: Final = "the process that asks databases cannot be started"


def host_command() -> tuple[str, ...]:
    """The command that starts the process that has this daemon's sessions."""
    return own_command("chatd.answers.mcp.host_process")


class SessionHost:
    """Opens sessions; `run` is the life of a child of a supervisor, which outlives them."""

    def __init__(
        self,
        event_log: EventLog,
        command: Sequence[str] | None = None,
        *,
        own_environment: Mapping[str, str] = os.environ,
        late_s: float = LATE_S,
        close_s: float = CLOSE_S,
        start_s: float = START_S,
        start_interval_s: float = START_INTERVAL_S,
    ) -> None:
        variables = passed(own_environment, PASSED)
        started = host_command() if command is None else command
        self._late_s = late_s
        self._close_s = close_s
        self._numbers = count(1)
        self._kept = KeptProcess(
            lambda: _Process(started, variables),
            lambda took_ms: event_log.record(SessionHostReady(took_ms)),
            lambda reason, retry_in_s: event_log.record(SessionHostLost(reason, retry_in_s)),
            start_s=start_s,
            start_interval_s=start_interval_s,
        )
        self.run = self._kept.run
        """Keep the process; callers that open a session before it is ready wait for it."""

    @asynccontextmanager
    async def opened(
        self,
        settings: DatabaseSettings,
        command: Sequence[str],
        variables: Mapping[str, str],
        link: Link,
        on_complaint: Callable[[bytes], None],
    ) -> AsyncIterator["HostedSession"]:
        """Open a session, as `session.opened` does; it has ended when the block has.

        Raises `SessionOver` if it does not come about, and after the block if it was lost.
        """
        process = await self._kept.ready()
        if process is None:
            raise SessionOver(NO_HOST)
        session = HostedSession(next(self._numbers), process, link, on_complaint, self._late_s)
        process.begin(session)
        process.say(Open(session.number, settings, tuple(command), variables))
        try:
            await session.begun.wait()
            if not session.over.is_set():
                yield session
        finally:
            await self._end(process, session)
        if session.reason is not None:  # of its own end, which may have been on its way already
            raise SessionOver(session.reason)

    async def _end(self, process: "_Process", session: "HostedSession") -> None:
        """Have a session ended, and make sure that it is; bounded, and not cut short."""
        if not session.over.is_set():
            process.say(Close(session.number))
            with trio.move_on_after(self._close_s, shield=True):
                await session.over.wait()
        if not session.over.is_set():
            process.kill(HANGS)
        process.forget(session)


class _Process(OwnProcess):
    """One life of the process, and the sessions in it."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        super().__init__(command, variables)
        self._outgoing = Outgoing(self.to_process)
        self._sessions: dict[int, HostedSession] = {}

    def say(self, order: Order) -> None:
        """Give it an order, without a wait."""
        self._outgoing.offer(order_to_json(order))

    def begin(self, session: "HostedSession") -> None:
        """There is a session with this number from now on."""
        self._sessions[session.number] = session

    def forget(self, session: "HostedSession") -> None:
        """Ignore what is said about it from now on."""
        del self._sessions[session.number]

    async def serve(self) -> str:
        """Pass on what it says until it has ended; returns why it did."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._outgoing.run)
            reason = await self.heard(self._hear)
            nursery.cancel_scope.cancel()
        return reason

    async def end(self) -> None:
        """Kill it; all sessions are lost."""
        await super().end()
        for session in self._sessions.values():
            if not session.over.is_set():
                session.hear(Over(session.number, HOST_ENDED))

    def _hear(self, content: bytes) -> None:
        word = word_from_json(content)
        session = self._sessions.get(word.session)
        if session is not None:  # else it was given up
            session.hear(word)


@attrs.define(eq=False)
class _Call:
    """The call that a session is carrying out, and what came of it that nobody has taken yet."""

    number: int
    came: deque[Columns | Rows] = attrs.field(factory=deque)
    news: trio.Event = attrs.field(factory=trio.Event)
    ended: Ended | None = None


class HostedSession:
    """A session that another process has; see `pool.Session`.

    `begun` is set once it is open or over, `over` when nothing of it is left. `reason` is why it
    was lost.
    """

    def __init__(
        self,
        number: int,
        process: _Process,
        link: Link,
        on_complaint: Callable[[bytes], None],
        late_s: float,
    ) -> None:
        self.number = number
        self.is_usable = True
        self.begun = trio.Event()
        self.over = trio.Event()
        self.reason: str | None = None
        self._process = process
        self._link = link
        self._on_complaint = on_complaint
        self._late_s = late_s
        self._numbers = count(1)
        self._call: _Call | None = None

    def hear(self, word: Opened | Wrote | Columns | Rows | Ended | Over) -> None:
        """Take what the process says about this session. Raises `FrameBreach`."""
        match word:
            case Opened():
                self._link.is_ready = True
                self.begun.set()
            case Wrote(content=content):
                self._on_complaint(content)
            case Over(reason=reason, breach=breach):
                self.is_usable = False
                self.reason = reason
                if reason is not None:
                    self._link.lose(breach)
                self.over.set()
                self.begun.set()
                if self._call is not None:
                    self._call.news.set()
            case Columns() | Rows() | Ended():
                call = self._call
                if call is None or call.ended is not None:
                    raise FrameBreach("an answer to nothing")
                if call.number != word.number:
                    raise FrameBreach("an answer to another call")
                if isinstance(word, Ended):
                    call.ended = word
                else:
                    call.came.append(word)
                call.news.set()

    async def ask(
        self, call: ToolCall, terms: Terms, sink: Sink, stop: trio.Event, timeout_s: float
    ) -> Answered | Stopped:
        """Carry out a call. Raises `DatabaseFailed`, or `Forgotten`: it may be repeated."""
        asked = self._call = _Call(next(self._numbers))
        self._process.say(Ask(self.number, asked.number, call, terms, timeout_s))
        async with trio.open_nursery() as nursery:
            scope = nursery.cancel_scope
            scope.deadline = trio.current_time() + timeout_s + self._late_s
            nursery.start_soon(self._stop_when, stop, asked.number, scope)
            await self._pass_on(asked, sink)
            scope.cancel()
        if asked.ended is None:
            self.is_usable = False
            if not self.over.is_set():  # it hangs
                self._process.kill(HANGS)
                await self.over.wait()
            raise self._link.failure
        self._call = None
        for word in asked.came:  # the sink was too slow for these: a row that came is not lost
            _give(sink, word)
        self.is_usable = self.is_usable and asked.ended.is_usable
        match asked.ended.outcome:
            case Failed(code, sentence):
                raise DatabaseFailed(code, sentence)
            case NotBegun():
                raise Forgotten
            case outcome:
                return outcome

    async def _pass_on(self, call: _Call, sink: Sink) -> None:
        """Give the sink what comes, a frame at a time, until the call has ended."""
        paced = sink if isinstance(sink, PacedSink) else None
        while True:
            while call.came:
                word = call.came.popleft()
                _give(sink, word)
                if isinstance(word, Rows):
                    if paced is not None:
                        await paced.caught_up()
                    self._process.say(Took(self.number, call.number, word.size))
                    if call.came:
                        await trio.lowlevel.checkpoint()
            if call.ended is not None or self.over.is_set():
                return
            call.news = trio.Event()
            await call.news.wait()

    async def _stop_when(self, stop: trio.Event, number: int, scope: trio.CancelScope) -> None:
        """Have the call stopped once `stop` is set; its end then comes soon, or never."""
        await stop.wait()
        self._process.say(Stop(self.number, number))
        scope.deadline = min(scope.deadline, trio.current_time() + STOP_S + self._late_s)


def _give(sink: Sink, word: Columns | Rows) -> None:
    match word:
        case Columns(columns=columns):
            sink.columns(columns)
        case Rows(rows=rows):
            sink.rows(rows)

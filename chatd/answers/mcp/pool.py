"""The sessions with the db-mcp of one database, and the `Database` that they make.

Each session lives in a task of its own, so that a peer that dies, hangs or lies costs its own call
only. The first is opened at once and kept, so that a question does not wait for a process to start;
the others when there are more questions than sessions. A call holds a session; calls that find none
wait in order. A session that was lost is opened again, at once where it was of use; else after 1 s,
2 s, and so on up to a minute.

How a session is opened is the caller's choice (`Opener`): in the process that has those of a daemon
(`host`), or in this one (`opened_here`), which the MCP SDK is imported into then.
"""

import math
import os
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    suppress,
)
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import attrs
import trio

from chatd.answers.mcp.calls import ToolCall, tool_call
from chatd.answers.mcp.failures import NO_TOOL
from chatd.answers.mcp.last_words import LastWords
from chatd.answers.mcp.link import Forgotten, Link, reason_of
from chatd.answers.mcp.listing import ListedTables
from chatd.answers.mcp.pooled_call import PooledCall
from chatd.answers.mcp.secrets import Masks
from chatd.answers.mcp.session_slot import SessionSlot
from chatd.answers.mcp.settings import DatabaseSettings, bundled_command
from chatd.answers.requests import (
    Answered,
    DatabaseFailed,
    ExplainStatement,
    ListColumns,
    ListTables,
    Request,
    RunStatement,
    Sink,
    Stopped,
    Terms,
)
from chatd.answers.sql.complaints import located
from chatd.answers.sql.nearest import unknown_table, with_nearest
from chatd.observe import DatabaseAsked, DatabaseConnected, DatabaseLost, DatabaseWrote, EventLog
from chatd.wire.codes import EXPLANATIONS, Code

LASTING_S: Final = 10.0
"""A session that was ready for so long was of use, also where no request came."""
LISTING_S: Final = 3.0
"""How long a list of tables may take that a failure is told with: it comes at once, or not."""
WHOLE_COLUMNS_MAX: Final = 2_000
"""Columns of all tables that are asked of a db-mcp which sends them in one message: of 500 bytes
each, as some send them, these are as long as a message may be."""
COMPLAINTS: Final = 20
"""Times that a life of a child is said to have written to its standard error."""


class Session(Protocol):
    """A session that is ready. `is_usable` until a call may still run on, or the peer is gone."""

    is_usable: bool

    async def ask(
        self, call: ToolCall, terms: Terms, sink: Sink, stop: trio.Event, timeout_s: float
    ) -> Answered | Stopped:
        """Carry a call out. Raises `DatabaseFailed`, or `Forgotten`: it may be repeated."""
        ...


Opener: TypeAlias = Callable[
    [DatabaseSettings, Sequence[str], Mapping[str, str], Link, Callable[[bytes], None]],
    AbstractAsyncContextManager[Session],
]
"""Opens a session, which has ended when the block has; see `session.opened`."""


@asynccontextmanager
async def opened_here(
    settings: DatabaseSettings,
    command: Sequence[str],
    variables: Mapping[str, str],
    link: Link,
    on_complaint: Callable[[bytes], None],
) -> AsyncIterator[Session]:
    """Open a session in this process, for a command of chatd's that ends soon.

    The MCP SDK takes a second to import and 30 MB, so that it is imported here, and in a thread.
    """
    # Typed as Any, so that the import stays late; `session.opened` has the types.
    module: Any = await trio.to_thread.run_sync(import_module, "chatd.answers.mcp.session")
    async with module.opened(settings, command, variables, link, on_complaint) as session:
        yield session


class McpDatabase:
    """The database of one room; `run` is the life of a child of a supervisor."""

    def __init__(
        self,
        connection_id: str,
        settings: DatabaseSettings,
        event_log: EventLog,
        *,
        sample: Path | None = None,
        own_environment: Mapping[str, str] = os.environ,
        on_complaint: Callable[[bytes], None] | None = None,
        lasting_s: float = LASTING_S,
        first_starts: trio.CapacityLimiter | None = None,
        opened: Opener | None = None,
    ) -> None:
        """`sample` is the file of the sample database, where the settings name it. `opened` opens a
        session; without it they are in this process.

        `on_complaint` alone is given what the db-mcp writes to its standard error. `first_starts`
        has a place for each database that may be started for the first time at the same moment.
        """
        self._connection_id = connection_id
        self._settings = settings
        self._mapping = settings.peer
        self._event_log = event_log
        self._command = settings.command
        self._passed = settings.pass_environment
        file = sample if settings.sample else Path(settings.sqlite) if settings.sqlite else None
        if settings.is_bundled:
            self._command = bundled_command(settings, file)
            # The child is to find what the daemon has found.
            self._passed = (*settings.pass_environment, "PYTHONPATH")
        self._own_environment = own_environment
        self._on_complaint = on_complaint
        self._lasting_s = lasting_s
        self._opened = opened or opened_here
        self._first_starts = first_starts or trio.CapacityLimiter(1)
        self._masks = Masks(settings.secrets(own_environment))
        self._slots = [SessionSlot(is_warm=number == 0) for number in range(settings.connections)]
        self._queue: deque[PooledCall] = deque()
        self._news = trio.Event()
        self._is_running = False
        self._reason = EXPLANATIONS[Code.DB_UNAVAILABLE].sentence

    @property
    def is_available(self) -> bool:
        """Whether a session is there, or is opened for the first time."""
        return self._is_running and any(
            slot.is_ready or slot.is_about_to_open for slot in self._slots
        )

    @property
    def is_starting(self) -> bool:
        """Whether no session is there, and one is opened that did not fail before."""
        return self.is_available and not any(slot.is_ready for slot in self._slots)

    async def started(self) -> None:
        """Wait until it is not starting any more: a session is there, or it failed."""
        while self.is_starting:
            await self._news.wait()

    async def idle(self) -> None:
        """Wait until nothing is asked of it, and nothing waits."""
        while self._queue or any(slot.is_busy for slot in self._slots):
            await self._news.wait()

    @property
    def why_unavailable(self) -> str | None:
        """A sentence where no session is there; None where one is, or the first is on its way."""
        return None if self.is_available or not self._is_running else self._reason

    @property
    def sessions(self) -> int:
        """How many sessions there are, or would be opened now; 1 at least, which may be waited for
        while it is opened."""
        return max(1, sum(not slot.is_resting for slot in self._slots))

    @property
    def waiting(self) -> int:
        """How many calls wait for a session."""
        return len(self._queue)

    @property
    def can_explain(self) -> bool:
        """Whether the mapping has a tool for plans."""
        return self._mapping.explain is not None

    async def ask(
        self, request: Request, terms: Terms, sink: Sink, stop: trio.Event
    ) -> Answered | Stopped:
        """Carry a request out; see `Database`."""
        try:
            return await self._carry_out(request, terms, sink, stop)
        except DatabaseFailed as failed:
            if stop.is_set():
                raise
            sentence = await self._explained(failed.sentence, request, terms)
            raise DatabaseFailed(failed.code, sentence) from failed

    async def _explained(self, complaint: str, request: Request, terms: Terms) -> str:
        """What the database says, with the place that it means, or the tables that may be meant."""
        dialect = self._settings.dialect
        if isinstance(request, RunStatement | ExplainStatement):
            told = located(complaint, request.written or request.sql, dialect)
            if told != complaint:
                return told
        table = unknown_table(complaint)
        if table is None or complaint.endswith("?"):
            return complaint
        listed = ListedTables()
        with trio.move_on_after(LISTING_S), suppress(DatabaseFailed):
            await self._carry_out(ListTables(), terms, listed, trio.Event())
        return with_nearest(complaint, listed.nearest(table, dialect))

    async def _carry_out(
        self, request: Request, terms: Terms, sink: Sink, stop: trio.Event
    ) -> Answered | Stopped:
        if isinstance(request, ListColumns) and not self._mapping.streams:
            terms = attrs.evolve(terms, max_rows=min(terms.max_rows, WHOLE_COLUMNS_MAX))
        call = tool_call(self._mapping, self._settings.dialect, request, terms)
        if call is None:
            raise _impossible(request)
        if not self.is_available:
            raise self._unavailable()
        job = PooledCall(call, terms, sink)
        self._queue.append(job)
        self._notify()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._stop_when, stop, job)
                await job.done.wait()
                nursery.cancel_scope.cancel()
        finally:
            job.sink = None
            self._withdraw(job)
        assert job.outcome is not None
        if isinstance(job.outcome, DatabaseFailed):
            raise job.outcome
        return job.outcome

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the sessions until cancelled. Requests wait for the first one."""
        self._is_running = True
        try:
            async with trio.open_nursery() as nursery:
                for slot in self._slots:
                    nursery.start_soon(self._keep, slot)
                task_status.started()
        finally:
            self._is_running = False
            self._fail_waiting()
            for slot in self._slots:
                slot.is_ready = slot.is_opening = slot.is_busy = slot.is_resting = False
            self._notify()

    async def _stop_when(self, stop: trio.Event, job: PooledCall) -> None:
        await stop.wait()
        self._withdraw(job)

    def _withdraw(self, job: PooledCall) -> None:
        """Give a job up: one that waits is taken out, one that runs is stopped."""
        if job in self._queue:
            self._queue.remove(job)
            job.end(Stopped(is_confirmed=True))
        job.stop.set()

    def _notify(self) -> None:
        """Have all waiting tasks look again."""
        self._news.set()
        self._news = trio.Event()

    def _unavailable(self) -> DatabaseFailed:
        return DatabaseFailed(Code.DB_UNAVAILABLE, self._reason)

    def _fail_waiting(self) -> None:
        while self._queue:
            self._queue.popleft().end(self._unavailable())

    async def _keep(self, slot: SessionSlot) -> None:
        """Keep one slot filled: open a session, serve with it, and again."""
        while True:
            while not slot.is_warm and not self._is_wanted():
                await self._news.wait()
            slot.is_opening = True
            slot.has_served, slot.ready_at_s = False, None
            reason = await self._live(slot)
            slot.is_ready = slot.is_opening = slot.is_busy = False
            if reason is None:  # closed on our side, as a call may still run on
                continue
            slot.count(trio.current_time(), self._lasting_s)
            wait_s = slot.backoff.wait_s
            words = " | ".join(slot.last_words)
            self._event_log.record(DatabaseLost(self._connection_id, reason, wait_s, words))
            self._reason = f"The server of this database cannot be asked: {reason}."
            if not self.is_available:
                self._fail_waiting()
                self._notify()
            slot.is_resting = wait_s > 0
            await trio.sleep(wait_s)
            slot.is_resting = False

    def _is_wanted(self) -> bool:
        """Whether more wait than there are sessions that are free, or will be soon."""
        coming = (
            not slot.is_busy if slot.is_ready else slot.is_opening or slot.is_about_to_open
            for slot in self._slots
        )
        return len(self._queue) > sum(coming)

    async def _live(self, slot: SessionSlot) -> str | None:
        """One life of a session. The reason of its end, None where it was ended here.

        The time of a start counts from its turn.
        """
        async with AsyncExitStack() as turn:
            if slot.is_about_to_open:
                await turn.enter_async_context(self._first_starts)
            return await self._lived(slot, turn.aclose)

    async def _lived(
        self, slot: SessionSlot, end_turn: Callable[[], Awaitable[None]]
    ) -> str | None:
        """As `_live`, when it is its turn, which ends as soon as the session is ready."""
        began_s = trio.current_time()
        link = Link(self._settings.max_message_bytes, self._notify)
        words = LastWords(self._masks)
        fault: Exception | None = None
        is_closed_here = False
        start_s = self._settings.start_timeout_s
        try:
            with trio.CancelScope(deadline=began_s + start_s) as starting:
                variables = self._settings.variables(self._own_environment, self._passed)
                async with self._opened(
                    self._settings, self._command, variables, link, self._heard(slot, words)
                ) as session:
                    starting.deadline = math.inf
                    await end_turn()
                    slot.is_ready, slot.ready_at_s = True, trio.current_time()
                    took_ms = (slot.ready_at_s - began_s) * 1000
                    self._event_log.record(DatabaseConnected(self._connection_id, took_ms))
                    self._notify()
                    await self._serve(slot, session, link)
                    is_closed_here = not link.is_lost
        except* Exception as error:  # beside it there may be a cancellation, which goes its way
            fault = error
        slot.last_words = words.lines if slot.ready_at_s is None else ()
        if fault is None and is_closed_here:
            return None
        return "not ready in time" if starting.cancelled_caught else reason_of(link, fault)

    def _heard(self, slot: SessionSlot, words: LastWords) -> Callable[[bytes], None]:
        """What records that a child wrote to its standard error, and keeps it until it is ready:
        later words may be of what somebody asked."""
        left = COMPLAINTS

        def hear(piece: bytes) -> None:
            nonlocal left
            if left > 0:
                left -= 1
                self._event_log.record(DatabaseWrote(self._connection_id, len(piece)))
            if slot.ready_at_s is None:
                words.hear(piece)
            if self._on_complaint is not None:
                self._on_complaint(piece)

        return hear

    async def _serve(self, slot: SessionSlot, session: Session, link: Link) -> None:
        """Carry out one job after the other, until the session is of no more use."""
        while session.is_usable and not link.is_lost:
            if not self._queue:
                await self._news.wait()
                continue
            job = self._queue.popleft()
            slot.is_busy = slot.has_served = True
            began_s = trio.current_time()
            try:
                job.end(
                    await session.ask(
                        job.call, job.terms, job, job.stop, self._settings.call_timeout_s
                    )
                )
            except Forgotten:
                if not job.is_repeated and not job.stop.is_set():
                    job.is_repeated = True
                    self._queue.appendleft(job)
            except DatabaseFailed as failed:
                job.end(failed)
            finally:
                if job not in self._queue:  # cancelled by a dead peer, or with the daemon
                    job.end(link.failure)
                    took_ms = (trio.current_time() - began_s) * 1000
                    self._event_log.record(
                        DatabaseAsked(self._connection_id, _word_for(job.outcome), took_ms)
                    )
                slot.is_busy = False
                self._notify()


def _word_for(outcome: Answered | Stopped | DatabaseFailed | None) -> str:
    """How a call ended."""
    if isinstance(outcome, DatabaseFailed):
        return outcome.code
    return "answered" if isinstance(outcome, Answered) else "stopped"


def _impossible(request: Request) -> DatabaseFailed:
    if isinstance(request, ExplainStatement):
        return DatabaseFailed(Code.DB_DRY_RUN_UNSUPPORTED)
    return DatabaseFailed(Code.DB_ERROR, NO_TOOL)

"""The sessions with the db-mcp of one database, and the `Database` that they make.

Each session lives in a task of its own, so that a peer that dies, hangs or lies costs only its own
call. The first is opened at once and kept, so that a question does not wait for a process to start;
the others are opened when there are more questions than sessions. A call holds a session; calls
that find none wait in order. A session that was lost is opened again, at once if it was of use,
otherwise after 1 s, 2 s, and so on up to a minute.

What a statement of Postgres does after it was given up is looked up there (`running_on`), and told
to its sink for as long as it runs.

A db-mcp that says `db_unavailable` has lost its database. Its session then counts as lost, and the
others of the database are closed: a new one shows whether the database is back, as at the start.

The caller chooses how a session is opened (`Opener`): in the process that has a daemon's sessions
(`host`), or in this one (`opened_here`), which then imports the MCP SDK.
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
from chatd.answers.mcp.running_on import LOOK_TERMS, watch
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
from chatd.answers.sql.nearest import LISTS_TABLES, unknown_table, with_nearest
from chatd.observe import (
    DatabaseAsked,
    DatabaseConnected,
    DatabaseLost,
    DatabaseStuck,
    DatabaseWrote,
    EventLog,
)
from chatd.wire.codes import EXPLANATIONS, Code

LASTING_S: Final = 10.0
"""A session that was ready for so long was of use, even if no request came."""
LISTING_S: Final = 3.0
"""How long the list of tables that goes with a failure may take: it comes at once, or not at
all."""
WHOLE_COLUMNS_MAX: Final = 2_000
"""Columns of all tables that a db-mcp is asked for if it sends them in one message: at 500 bytes
each, as some send them, they are as long as a message may be."""
OUTAGE: Final = "it has lost its database"
"""The reason of the end of a session whose db-mcp said `db_unavailable`."""
COMPLAINTS: Final = 20
"""How often it is reported that a child, during its life, wrote to its standard error."""


class Session(Protocol):
    """A session that is ready. `is_usable` until a call may still run on, or the peer is gone."""

    is_usable: bool

    async def ask(
        self, call: ToolCall, terms: Terms, sink: Sink, stop: trio.Event, timeout_s: float
    ) -> Answered | Stopped:
        """Carry out a call. Raises `DatabaseFailed`, or `Forgotten`: it may be repeated."""
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
    """Open a session in this process, for a chatd command that ends soon.

    The MCP SDK takes a second to import and 30 MB, so it is imported here, and in a thread.
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
        """`sample` is the file of the sample database, if the settings name that. `opened` opens a
        session; without it, sessions are in this process.

        Only `on_complaint` is given what the db-mcp writes to its standard error. `first_starts`
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
            # So that the child finds what the daemon found.
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
        self._watches: trio.Nursery | None = None
        self._outages = 0
        self._reason = EXPLANATIONS[Code.DB_UNAVAILABLE].sentence

    @property
    def is_available(self) -> bool:
        """Whether a session is there, or is being opened for the first time."""
        return self._is_running and any(
            slot.is_ready or slot.is_about_to_open for slot in self._slots
        )

    @property
    def is_starting(self) -> bool:
        """Whether no session is there, and one is being opened that did not fail before."""
        return self.is_available and not any(slot.is_ready for slot in self._slots)

    async def started(self) -> None:
        """Wait until it is no longer starting: a session is there, or it failed."""
        while self.is_starting:
            await self._news.wait()

    async def idle(self) -> None:
        """Wait until nothing is asked of it, and nothing waits."""
        while self._queue or any(slot.is_busy for slot in self._slots):
            await self._news.wait()

    @property
    def why_unavailable(self) -> str | None:
        """A sentence if no session is there; None if one is, or the first is on its way."""
        return None if self.is_available or not self._is_running else self._reason

    @property
    def sessions(self) -> int:
        """How many sessions there are, or would be opened now; at least 1, for which callers may
        wait while it is being opened."""
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
        """Carry out a request; see `Database`."""
        try:
            return await self._carry_out(request, terms, sink, stop)
        except DatabaseFailed as failed:
            if stop.is_set():
                raise
            sentence = await self._explained(failed.sentence, request, terms)
            raise DatabaseFailed(failed.code, sentence) from failed

    async def _explained(self, complaint: str, request: Request, terms: Terms) -> str:
        """What the database says, with the place that it means, or the tables that the user may
        have meant, or may ask for."""
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
        near = listed.nearest(table, dialect)
        return with_nearest(complaint, near) if near else f"{complaint.rstrip('.')}; {LISTS_TABLES}"

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
                self._watches = nursery
                for slot in self._slots:
                    nursery.start_soon(self._keep, slot)
                task_status.started()
        finally:
            self._is_running, self._watches = False, None
            self._fail_waiting()
            for slot in self._slots:
                slot.is_ready = slot.is_opening = slot.is_busy = slot.is_resting = False
            self._notify()

    async def _stop_when(self, stop: trio.Event, job: PooledCall) -> None:
        await stop.wait()
        self._withdraw(job)

    def _withdraw(self, job: PooledCall) -> None:
        """Give up a job: one that waits is taken out, one that runs is stopped."""
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
            if reason is None:  # closed on our side, as a call may still be running
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
        """Whether more calls wait than there are sessions that are free, or will be soon."""
        coming = (
            not slot.is_busy if slot.is_ready else slot.is_opening or slot.is_about_to_open
            for slot in self._slots
        )
        return len(self._queue) > sum(coming)

    async def _live(self, slot: SessionSlot) -> str | None:
        """One life of a session. Returns the reason for its end, None if it was ended here.

        The time for a start counts from its turn.
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
        outage: str | None = None
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
                    outage = await self._serve(slot, session, link)
                    is_closed_here = outage is None and not link.is_lost
        except* Exception as error:  # beside it there may be a cancellation, which goes its way
            fault = error
        slot.last_words = words.lines if slot.ready_at_s is None else ()
        if outage is not None:
            return outage
        if fault is None and is_closed_here:
            return None
        return "not ready in time" if starting.cancelled_caught else reason_of(link, fault)

    def _heard(self, slot: SessionSlot, words: LastWords) -> Callable[[bytes], None]:
        """A function that records that a child wrote to its standard error, and keeps what it wrote
        until it is ready: later words may be about what somebody asked."""
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

    async def _serve(self, slot: SessionSlot, session: Session, link: Link) -> str | None:
        """Carry out one job after the other, until the session is of no more use, or any session
        of the database finds that it is away: OUTAGE if it was this one."""
        outages = self._outages
        while _is_well(session, link) and outages == self._outages:
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
                if failed.code is Code.DB_UNAVAILABLE and _is_well(session, link):
                    self._outages += 1
                    return OUTAGE
            finally:
                if not _is_well(session, link):
                    self._watch(job, began_s)
                if job not in self._queue:  # cancelled by a dead peer, or with the daemon
                    job.end(link.failure)
                    took_ms = (trio.current_time() - began_s) * 1000
                    self._event_log.record(
                        DatabaseAsked(self._connection_id, _word_for(job.outcome), took_ms)
                    )
                slot.is_busy = False
                self._notify()
        return None

    def _watch(self, job: PooledCall, began_s: float) -> None:
        """Watch what a call left behind in the database, if the database can be asked about it."""
        can_tell = self._settings.dialect == "postgres" and self._mapping.confirms_stop
        watcher = job.watcher
        if not can_tell or self._watches is None or watcher is None:
            return

        async def look(request: RunStatement, found: Sink) -> None:
            await self._carry_out(request, LOOK_TERMS, found, trio.Event())

        def tell(pids: tuple[int, ...], ended: trio.Event) -> None:
            age_s = trio.current_time() - began_s
            self._event_log.record(DatabaseStuck(self._connection_id, pids, age_s))
            watcher.runs_on(ended)

        self._watches.start_soon(watch, look, began_s, tell)


def _is_well(session: Session, link: Link) -> bool:
    return session.is_usable and not link.is_lost


def _word_for(outcome: Answered | Stopped | DatabaseFailed | None) -> str:
    """How a call ended."""
    if isinstance(outcome, DatabaseFailed):
        return outcome.code
    return "answered" if isinstance(outcome, Answered) else "stopped"


def _impossible(request: Request) -> DatabaseFailed:
    if isinstance(request, ExplainStatement):
        return DatabaseFailed(Code.DB_DRY_RUN_UNSUPPORTED)
    return DatabaseFailed(Code.DB_ERROR, NO_TOOL)

"""The daemon's tasks as one tree of supervisors, which docs/architecture, "Actors" shows.

Connections are not here: each is a task of the listener, and is never started again. A supervisor
that has started its children too often gives up; if the root gives up, the daemon ends.
"""

import contextlib
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from chatd.actors.group_commit import WINDOW_S
from chatd.actors.loop import BATCH_MAX, run_machine, run_messages
from chatd.actors.supervisor import Child, ChildRun, Restart, Strategy, Supervisor
from chatd.actors.taking_up import take_up
from chatd.app.build import Parts
from chatd.app.condition_watch import ConditionWatch
from chatd.app.garbage import Garbage
from chatd.app.loop_lag import watch_loop
from chatd.app.watchdog import Watchdog
from chatd.chat.order import Place
from chatd.observe import ActorCrashed, EventLog, InternalError, StoreFailed
from chatd.store.errors import FailedCommitFound, LogStartedOver
from chatd.wire.codes import Code

PAGE = 200  # messages that are read at once if a crash has left them unpublished


def _unobserved(*_figures: float) -> None:
    """Where nobody measures."""


def supervise(
    parts: Parts,
    event_log: EventLog,
    *,
    window_s: float = WINDOW_S,
    acknowledged: Callable[[int, float], None] = _unobserved,
    lagged: Callable[[float], None] = _unobserved,
    garbage: Garbage | None = None,
    watchdog: Watchdog | None = None,
) -> Supervisor:
    """The tree of a daemon, ready to run.

    `window_s` is that of the messages actor (`run_messages`), and so is `acknowledged`. `lagged` is
    told by how many seconds the event loop was late. `garbage` is None if the process is not the
    daemon's own.
    """

    def on_crash(name: str, error: Exception) -> None:
        for found in (error, error.__cause__):
            if isinstance(found, FailedCommitFound):  # after an outage; the daemon has no fault
                event_log.record(StoreFailed(Code.STORAGE_ERROR, str(found)))
                return
        event_log.record(ActorCrashed(name, type(error).__name__))
        event_log.record(InternalError.of(name, error))

    log = Supervisor(
        "log",
        [
            Child("writer", partial(_until_all_start_over, parts, parts.storage.log.run)),
            Child(
                "messages",
                partial(
                    _until_all_start_over,
                    parts,
                    _Messages(parts, window_s, acknowledged).run,
                    then=partial(_refuse_commands, parts),
                ),
                restart=Restart.TRANSIENT,
            ),
        ],
        strategy=Strategy.ONE_FOR_ALL,
        on_crash=on_crash,
    )
    publishing, is_open = parts.publishing, parts.http.listener.is_open
    databases = partial(parts.answering.databases.run, on_crash)
    return Supervisor(
        "chatd",
        [
            Child("flusher", partial(_ready, parts.engine_io.sessions.flusher.run)),
            Child("deadlines", partial(_ready, parts.engine_io.sessions.deadlines.run)),
            Child("readiness", partial(_ready, parts.http.poller.run)),
            Child("log", log.run),
            *(
                []
                if publishing.fan_out is None
                else [
                    Child("bus", publishing.fan_out.run_bus),
                    Child("fan-out", partial(_ready, publishing.fan_out.publisher.run)),
                    Child("members", partial(_ready, parts.messages.membership.follow)),
                ]
            ),
            *(
                []
                if publishing.sharing is None
                else [
                    Child("nodes", partial(_ready, publishing.sharing.nodes.run)),
                    Child("revocations", partial(_ready, publishing.sharing.keep_revocations)),
                ]
            ),
            Child("keys", partial(_ready, parts.access.key_source.run)),
            *(
                []
                if parts.storage.life is None
                else [
                    Child(
                        "life",
                        partial(_ready, partial(_live, parts, event_log)),
                        restart=Restart.TRANSIENT,
                    )
                ]
            ),
            *(
                []
                if parts.engine_io.isolation is None
                else [Child("isolation", partial(_ready, parts.engine_io.isolation.run))]
            ),
            Child("presence", partial(_ready, partial(_presence, parts))),
            Child("typing", partial(_ready, partial(_typing, parts))),
            *(
                [
                    Child(
                        "session host",
                        partial(parts.answering.host.run, is_open),
                    ),
                    Child(
                        "databases",
                        partial(_ready, partial(_while_needed, parts, databases)),
                        restart=Restart.TRANSIENT,
                    ),
                    Child("reader", partial(parts.answering.reader.run, is_open)),
                ]
                if parts.answering.databases
                else []
            ),
            Child("directory", partial(_ready, parts.access.directory.run)),
            Child("answers", parts.answering.service.run),
            Child("schemas", parts.answering.schemas.run),
            Child("snapshots", partial(_ready, parts.maintenance.snapshots.run)),
            Child(
                "upkeep",
                partial(
                    _until_all_start_over, parts, partial(_ready, parts.maintenance.upkeep.run)
                ),
            ),
            Child("disk space", partial(_ready, parts.storage.disk.run)),
            Child(
                "conditions",
                partial(_ready, ConditionWatch(parts.health.status.reasons, event_log).run),
            ),
            Child("loop lag", partial(_ready, partial(watch_loop, lagged))),
            *([] if garbage is None else [Child("garbage", partial(_ready, garbage.run))]),
            *([] if watchdog is None else [Child("watchdog", partial(_ready, watchdog.run))]),
        ],
        on_crash=on_crash,
    )


async def _ready(
    run: Callable[[], Awaitable[object]],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """A child that is ready as soon as it runs."""
    task_status.started()
    await run()


async def _until_all_start_over(
    parts: Parts,
    run: ChildRun,
    *,
    then: Callable[[], Awaitable[None]] = trio.sleep_forever,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """A child that must not be started again if the log is not what it was: then the daemon ends,
    in order, and writes nothing more. `then` is what the child does until that end."""
    try:
        await run(task_status=task_status)
    except LogStartedOver:
        parts.storage.starts_over.set()
        parts.messages.acted.set()
        with contextlib.suppress(RuntimeError):  # it was ready before
            task_status.started()
        await then()


async def _refuse_commands(parts: Parts) -> None:
    """Refuse what waits for the log, and what still comes: a client that waited for an answer would
    hold up the end of the daemon."""
    mailbox = parts.messages.mailbox
    mailbox.close()
    while batch := await mailbox.receive(BATCH_MAX):
        parts.chat.effects.failed(batch, Code.DRAINING)
    await trio.sleep_forever()


async def _while_needed(parts: Parts, databases: Callable[[], Awaitable[None]]) -> None:
    """Have sessions with db-mcps from when the port is open, as no client can ask before, until a
    drain has ended all answers: a db-mcp may take its time to end, beside peers that do so too."""
    await parts.http.listener.is_open.wait()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(databases)
        await parts.answering.is_over.wait()
        nursery.cancel_scope.cancel()


class _Messages:
    """The messages actor: from its second life on it begins with what the log holds."""

    def __init__(
        self, parts: Parts, window_s: float, acknowledged: Callable[[int, float], None]
    ) -> None:
        self._parts = parts
        self._window_s = window_s
        self._acknowledged = acknowledged
        self._ledger = parts.messages.ledger
        self._is_first = True

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        parts = self._parts
        if not self._is_first:
            parts.health.pulses["messages"].begin(trio.current_time())
            await self._recover()
        self._is_first = False
        await run_messages(
            self._ledger,
            parts.messages.mailbox,
            parts.chat.effects,
            parts.common.clock,
            window_s=self._window_s,
            pulse=parts.health.pulses["messages"],
            acknowledged=self._acknowledged,
            task_status=task_status,
        )
        parts.messages.acted.set()

    async def _recover(self) -> None:
        """Take up from the log, and publish what it has and readers have not seen."""
        parts, publishing = self._parts, self._parts.publishing
        recovered = await trio.to_thread.run_sync(parts.storage.store.reread)
        take_up(parts.messages.machine, recovered)
        parts.answering.service.adopt(recovered.open_answers)
        if publishing.fan_out is not None:
            # It reads what this node committed, as if it were of another.
            publishing.fan_out.publisher.look()
            return
        for room, last_seq in recovered.rooms.items():
            await self._publish_messages(room, last_seq)
        for room, last_rev in recovered.revs.items():
            await self._publish_changes(room, last_rev)

    async def _publish_messages(self, room: str, last_seq: int) -> None:
        """Publish what readers of a room have not seen. What was removed since it was committed is
        skipped."""
        publishing = self._parts.publishing
        while (seen := publishing.timelines.last_seq(room)) < last_seq:
            page = await self._parts.storage.store.readers.page(
                room, before=None, after=seen, limit=PAGE, thread_id=None
            )
            if not page.messages:
                publishing.timelines.skip_to(room, Place(last_seq))
            for message in page.messages:
                publishing.publisher.publish(message)

    async def _publish_changes(self, room: str, last_rev: int) -> None:
        """The same for changes."""
        publishing = self._parts.publishing
        known = publishing.timelines.last_rev(room)
        if known < last_rev:
            changes = await self._parts.storage.store.readers.changes(room, known, last_rev)
            for change in changes:
                publishing.publisher.publish_change(change)
            publishing.timelines.skip_to(room, Place(rev=last_rev))


async def _live(parts: Parts, event_log: EventLog) -> None:
    """Be alive among the nodes that share the log, until this one leaves them."""
    assert parts.storage.life is not None
    await parts.storage.life.run(
        event_log, lambda: parts.publishing.clients.count, parts.common.clock
    )


async def _presence(parts: Parts) -> None:
    roster, mailbox = parts.rosters.presence, parts.rosters.presence_mailbox
    machine = roster.revive(trio.current_time())
    await run_machine(machine, mailbox, roster, parts.common.clock.wall_ms)


async def _typing(parts: Parts) -> None:
    roster, mailbox = parts.rosters.typing, parts.rosters.typing_mailbox
    machine = roster.revive(trio.current_time())
    await run_machine(machine, mailbox, roster, parts.common.clock.wall_ms)

"""The daemon's tasks as one tree of supervisors (docs/architecture, "Actors").

    chatd                     one for one
      flusher, deadlines, readiness
      log                     one for all: a messages actor goes with the writer that it knows
        writer, messages
      bus, fan-out            of a node that shares its log: what the others have committed
      nodes, revocations      likewise: which nodes live, and what they told of users
      keys                    reads the key set of whoever signs tokens
      life                    that of a node whose log is in PostgreSQL
      presence, typing
      session host            the process that has the sessions with db-mcps, once the port is open:
                              to import what speaks MCP takes a second
      databases               what each room knows of its sessions, under a supervisor for each
      reader                  the process that reads messages for questions, likewise
      directory               asks again which rooms users have, where a database says so
      answers, schemas
      snapshots, upkeep, disk space, conditions, loop lag, garbage, watchdog

Connections are not here: each is a task of the listener, and is never started again. A supervisor
that has started its children too often gives up; where the root gives up, the daemon ends.
"""

import contextlib
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from chatd.actors.group_commit import WINDOW_S
from chatd.actors.loop import run_machine, run_messages
from chatd.actors.supervisor import Child, ChildRun, Restart, Strategy, Supervisor
from chatd.actors.taking_up import take_up
from chatd.app.build import Parts
from chatd.app.condition_watch import ConditionWatch
from chatd.app.garbage import Garbage
from chatd.app.loop_lag import watch_loop
from chatd.app.watchdog import Watchdog
from chatd.observe import ActorCrashed, EventLog, InternalError
from chatd.store.errors import LogStartedOver

PAGE = 200  # messages that are read at once where a crash has left them unpublished


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
    told by how many seconds the event loop was late. `garbage` is None where the process is not
    the daemon's own.
    """

    def on_crash(name: str, error: Exception) -> None:
        event_log.record(ActorCrashed(name, type(error).__name__))
        event_log.record(InternalError.of(name, error))

    log = Supervisor(
        "log",
        [
            Child("writer", partial(_until_all_start_over, parts, parts.log.run)),
            Child(
                "messages",
                partial(_until_all_start_over, parts, _Messages(parts, window_s, acknowledged).run),
                restart=Restart.TRANSIENT,
            ),
        ],
        strategy=Strategy.ONE_FOR_ALL,
        on_crash=on_crash,
    )
    databases = partial(parts.answering.databases.run, on_crash)
    return Supervisor(
        "chatd",
        [
            Child("flusher", partial(_ready, parts.sessions.flusher.run)),
            Child("deadlines", partial(_ready, parts.sessions.deadlines.run)),
            Child("readiness", partial(_ready, parts.poller.run)),
            Child("log", log.run),
            *(
                []
                if parts.fan_out is None
                else [
                    Child("bus", parts.fan_out.run_bus),
                    Child("fan-out", partial(_ready, parts.fan_out.publisher.run)),
                    Child("members", partial(_ready, parts.membership.follow)),
                ]
            ),
            *(
                []
                if parts.sharing is None
                else [
                    Child("nodes", partial(_ready, parts.sharing.nodes.run)),
                    Child("revocations", partial(_ready, parts.sharing.keep_revocations)),
                ]
            ),
            Child("keys", partial(_ready, parts.key_source.run)),
            *(
                []
                if parts.life is None
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
                if parts.isolation is None
                else [Child("isolation", partial(_ready, parts.isolation.run))]
            ),
            Child("presence", partial(_ready, partial(_presence, parts))),
            Child("typing", partial(_ready, partial(_typing, parts))),
            *(
                [
                    Child(
                        "session host",
                        partial(parts.answering.host.run, parts.listener.is_open),
                    ),
                    Child(
                        "databases",
                        partial(_ready, partial(_while_needed, parts, databases)),
                        restart=Restart.TRANSIENT,
                    ),
                    Child("reader", partial(parts.answering.reader.run, parts.listener.is_open)),
                ]
                if parts.answering.databases
                else []
            ),
            Child("directory", partial(_ready, parts.directory.run)),
            Child("answers", parts.answering.service.run),
            Child("schemas", parts.answering.schemas.run),
            Child("snapshots", partial(_ready, parts.snapshots.run)),
            Child("upkeep", partial(_ready, parts.upkeep.run)),
            Child("disk space", partial(_ready, parts.disk.run)),
            Child(
                "conditions",
                partial(_ready, ConditionWatch(parts.status.reasons, event_log).run),
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
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """A child to which another life is of no use where the log is not what it was: the daemon ends,
    in order, and nothing is written any more."""
    try:
        await run(task_status=task_status)
    except LogStartedOver:
        parts.starts_over.set()
        parts.acted.set()
        with contextlib.suppress(RuntimeError):  # it was ready before
            task_status.started()
        await trio.sleep_forever()


async def _while_needed(parts: Parts, databases: Callable[[], Awaitable[None]]) -> None:
    """Have sessions with db-mcps from when the port is open, as no client can ask before, until a
    drain has ended all answers: a db-mcp may take its time to end, beside peers that do so too."""
    await parts.listener.is_open.wait()
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
        self._ledger = parts.ledger
        self._is_first = True

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        parts = self._parts
        if not self._is_first:
            parts.pulses["messages"].begin(trio.current_time())
            await self._recover()
        self._is_first = False
        await run_messages(
            self._ledger,
            parts.mailbox,
            parts.effects,
            parts.clock,
            window_s=self._window_s,
            pulse=parts.pulses["messages"],
            acknowledged=self._acknowledged,
            task_status=task_status,
        )
        parts.acted.set()

    async def _recover(self) -> None:
        """Take up from the log, and publish what it has and readers have not seen."""
        parts = self._parts
        recovered = await trio.to_thread.run_sync(parts.store.reread)
        take_up(parts.machine, recovered)
        parts.answering.service.adopt(recovered.open_answers)
        if parts.fan_out is not None:
            parts.fan_out.publisher.look()  # it reads what this node committed, as if of another
            return
        for room, last_seq in recovered.rooms.items():
            while (seen := parts.timelines.last_seq(room)) < last_seq:
                page = await parts.store.readers.page(
                    room, before=None, after=seen, limit=PAGE, thread_id=None
                )
                for message in page.messages:
                    parts.publisher.publish(message)
        for room, last_rev in recovered.revs.items():
            known = parts.timelines.last_rev(room)
            if known < last_rev:
                for change in await parts.store.readers.changes(room, known, last_rev):
                    parts.publisher.publish_change(change)


async def _live(parts: Parts, event_log: EventLog) -> None:
    """Be alive among the nodes that share the log, until this one leaves them."""
    assert parts.life is not None
    await parts.life.run(event_log, lambda: parts.clients.count, parts.clock)


async def _presence(parts: Parts) -> None:
    machine = parts.presence.revive(trio.current_time())
    await run_machine(machine, parts.presence_mailbox, parts.presence, parts.clock.wall_ms)


async def _typing(parts: Parts) -> None:
    machine = parts.typing.revive(trio.current_time())
    await run_machine(machine, parts.typing_mailbox, parts.typing, parts.clock.wall_ms)

"""The life of the daemon: start in order, serve, drain within a bound, stop.

The end is bounded twice. Inside of Trio everything that still hangs on a peer is cut at the
deadline. A commit that hangs in the disk cannot be cut, and a loop that is stuck cuts nothing, so a
timer in a thread of its own (`bounded_end`) ends the process a little later; a second signal does
so at once.
"""

import gc
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import trio

from chatd.app.bounded_end import LAST_LINE_S, REMOVAL_S, BoundedEnd, part_of
from chatd.app.build import Parts
from chatd.app.garbage import Garbage
from chatd.app.inherited import shown_address
from chatd.app.internal import build_internal
from chatd.app.last_seen import last_seen
from chatd.app.logs import log_of
from chatd.app.notify import Notifier
from chatd.app.opening import Opened
from chatd.app.reload import Reload
from chatd.app.rereading import Rereading
from chatd.app.signals import Signals
from chatd.app.task_tree import task_tree
from chatd.app.tree import supervise
from chatd.app.watchdog import Watchdog
from chatd.net.disconnects import DisconnectReason
from chatd.net.http.page import PageState
from chatd.observe import (
    DaemonStopping,
    EpochFound,
    EventLog,
    InternalError,
    PageMissing,
    SignalNoted,
    TasksShown,
)
from chatd.observe.metrics import Metrics
from chatd.observe.tap import EventTap

HARD_STOP_S = 0.3  # of the drain's time, kept for ending the process by force, before its last line
ANSWERS_S = 3.0  # of the drain's time, for ending the answers under way
GOODBYE_S = 2.0  # for polling peers to take their last answer, as long as WebSockets linger
BACKSTAGE_S = 0.5  # of the drain's time, kept for closing the store
OVERTIME_S = 5.0  # beyond the drain's time, that a service manager is asked to wait
EPOCH = "epoch"
STARTS_OVER = (
    "The database has lost messages that nodes had published (an older standby took over, or a "
    "backup was restored): the log has another epoch. This daemon ends with exit code 1; started "
    "again it serves what the database has, and clients start over."
)
HOW_TO_BUILD = (
    "The package was built without its page: the npm registry could not be reached, or CHATD_WEB "
    "was skip. Build it again (pip install --force-reinstall --no-deps . in the sources), with "
    "CHATD_WEB=required to see what is wrong."
)


async def serve(
    opened: Opened,
    configuration: Rereading,
    on_ready: Callable[[str], None],
    signals: Signals,
    end: BoundedEnd,
    notifier: Notifier,
) -> bool:
    """Serve until a signal ends it; returns whether everything ended by itself within the drain's
    time. `on_ready` is told the state of the page."""
    config, store = opened.config, opened.store
    event_log = metrics = Metrics(configuration.log, config.cluster.node)
    tap = EventTap(metrics, configuration.log)
    writer = log_of(store, metrics.committed, metrics.synced)
    parts = Parts(
        config,
        opened.secret,
        store,
        writer,
        event_log,
        opened.clock,
        metrics.message_times,
        opened.revocations,
        tap,
    )
    status = partial(_status, parts, shown_address(opened.listeners[0]))
    garbage = Garbage()
    tree = supervise(
        parts,
        event_log,
        garbage=garbage,
        acknowledged=metrics.acknowledged,
        lagged=metrics.loop_lagged,
        watchdog=_watchdog(parts, notifier, status) if notifier.is_on else None,
    )
    reload = Reload(parts, opened, configuration, notifier, status, event_log)
    internal = build_internal(config, parts, metrics, tap)
    bound_s = config.server.drain_timeout_s
    part = part_of(bound_s)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(internal.serve, opened.internal_listeners)
        await nursery.start(tree.run)
        with notifier.extending("Looks for an erasure that is to be finished."):
            await parts.operators.erasures.resume()
        await nursery.start(parts.http.listener.serve, opened.listeners)
        parts.health.status.is_open = True
        if parts.http.page_state is PageState.MISSING:
            event_log.record(PageMissing(HOW_TO_BUILD))
        garbage.look()
        gc.enable()  # the command line has disabled it
        on_ready(parts.http.page_state)
        notifier.ready(status())
        event_log.record(DaemonStopping(await _ended(signals, reload, parts, end, event_log)))
        notifier.stopping(bound_s + OVERTIME_S)
        if opened.is_inherited:
            parts.http.listener.leave_waiting()  # for the next process
        began_s = trio.current_time() - end.elapsed_s
        deadline_s = began_s + bound_s - part * (LAST_LINE_S + REMOVAL_S + HARD_STOP_S)
        clean = False
        with trio.move_on_at(deadline_s - part * BACKSTAGE_S):
            left_s = began_s + bound_s - trio.current_time()
            deadline_ms = parts.common.clock.wall_ms() + round(left_s * 1000)
            clean = await _drain(parts, deadline_ms, event_log)
            if clean:  # else there are sessions that nothing has ended
                await _peers_gone(parts)  # one that takes its time makes no unclean end
        parts.http.listener.sever()
        if parts.storage.life is not None:
            parts.storage.life.end_with(last_seen(parts))
        left_s = max(part * BACKSTAGE_S, deadline_s - trio.current_time())
        clean = await writer.close(left_s) and clean
        internal.sever()
        nursery.cancel_scope.cancel()
    store.close()
    # Where it starts over, its end is unclean: the service manager starts it anew.
    return clean and not parts.storage.starts_over.is_set()


def _watchdog(parts: Parts, notifier: Notifier, status: Callable[[], str]) -> Watchdog:
    return Watchdog(
        notifier,
        # A log that is written anew holds its actors up: that is no reason to begin anew.
        lambda: not parts.storage.log.is_rewriting and parts.health.silent_actors.names() != [],
        status,
        lambda: parts.health.status.is_draining,
    )


def _status(parts: Parts, place: str) -> str:
    """How the daemon is, for people who ask the service manager: one line, without users or
    content."""
    reasons = ", ".join(
        dict.fromkeys(reason.kind.code for reason in parts.health.status.conditions.reasons())
    )
    return f"Serves on {place}" + (f": {reasons}." if reasons else ".")


async def _ended(
    signals: Signals, reload: Reload, parts: Parts, end: BoundedEnd, event_log: EventLog
) -> str:
    """Return why the daemon has to end: the name of a signal, or `epoch` if its log is not what it
    was, and all nodes start over."""
    why, tasks = "", trio.lowlevel.current_task()

    async def stopped() -> None:
        nonlocal why
        why = await _stopped(signals, reload, event_log, tasks)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stopped)
        await parts.storage.starts_over.wait()
        event_log.record(EpochFound(STARTS_OVER))
        end.begin()
        why = EPOCH
        nursery.cancel_scope.cancel()
    return why


async def _stopped(
    signals: Signals, reload: Reload, event_log: EventLog, tasks: trio.lowlevel.Task
) -> str:
    """Carry out what signals ask for, until one ends the daemon; its name. A reload that is under
    way goes no further then. `tasks` are shown from this one down."""
    token, news = trio.lowlevel.current_trio_token(), trio.Event()
    asking, asked = trio.open_memory_channel[None](1)
    with signals.waking(lambda: token.run_sync_soon(lambda: news.set(), idempotent=True)):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_reload_when, asked, reload)
            while signals.stopped_by is None:
                for name in signals.noted():
                    event_log.record(SignalNoted(name))
                if signals.wishes(signal.SIGUSR1):
                    event_log.record(TasksShown(task_tree(tasks)))
                if signals.wishes(signal.SIGHUP):
                    with suppress(trio.WouldBlock):  # one already waits to be carried out
                        asking.send_nowait(None)
                await news.wait()
                news = trio.Event()
            nursery.cancel_scope.cancel()
    return signals.stopped_by


async def _reload_when(asked: trio.MemoryReceiveChannel[None], reload: Reload) -> None:
    async for _ in asked:
        await reload.carry_out()


async def _drain(parts: Parts, deadline_ms: int, event_log: EventLog) -> bool:
    """End in order, and say whether it went well; a fault on the way is no reason not to end."""
    try:
        await _end_in_order(parts, deadline_ms)
    except Exception as error:
        event_log.record(InternalError.of("drain", error))
        return False
    return True


async def _end_in_order(parts: Parts, deadline_ms: int) -> None:
    """Announce the end to clients, finish what was accepted, then close every transport.

    Connections that serve no user's session are severed at once, unless they wait for an answer:
    they are owed nothing. They are severed once more at the end, since until then the port is open
    and says that the daemon is about to end.
    """
    parts.health.status.is_draining = True
    parts.engine_io.admission.is_draining = True
    sessions = parts.engine_io.sessions
    parts.http.listener.sever_strangers(but_answered=True)
    parts.chat.dispatcher.drain(deadline_ms)
    parts.http.export_files.drain()
    parts.http.admin_page.drain()
    with trio.move_on_after(ANSWERS_S):
        await parts.answering.service.drain()
    parts.messages.mailbox.close()
    await parts.messages.acted.wait()
    parts.answering.is_over.set()
    # With all users present: they have their grace at the next start.
    await parts.maintenance.snapshots.write()
    parts.http.listener.sever_strangers(but_answered=True)
    for session in list(sessions.by_sid.values()):
        session.end(DisconnectReason.SERVER_SHUTDOWN)
    if parts.publishing.sharing is not None:
        parts.publishing.sharing.nodes.goodbye()
    parts.http.listener.stop_accepting()


async def _peers_gone(parts: Parts) -> None:
    """Return when every peer has taken its last bytes and hung up, or was cut off.

    WebSockets see to that themselves, for as long as their peer takes anything. What is left of
    polling, an upgrade that the client does not finish among it, has a little time, and so have
    answers over plain HTTP.
    """
    with trio.move_on_after(GOODBYE_S):
        await parts.engine_io.admission.emptied()
    parts.http.listener.sever_strangers()
    await parts.engine_io.admission.emptied()

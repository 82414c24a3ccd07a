"""The life of the daemon: start in order, serve, drain within a bound, stop.

The end is bounded twice. Inside of Trio everything that still hangs on a peer is cut at the
deadline. A commit that hangs in the disk cannot be cut, and a loop that is stuck cuts nothing, so a
timer in a thread of its own (`bounded_end`) ends the process a little later; a second signal does
so at once.
"""

from collections.abc import Callable

import trio

from chatd.actors.log_service import LogService
from chatd.app.bounded_end import LAST_LINE_S, BoundedEnd, part_of
from chatd.app.build import Parts
from chatd.app.internal import build_internal
from chatd.app.opening import Opened
from chatd.app.signals import Signals
from chatd.app.tree import supervise
from chatd.net.disconnects import DisconnectReason
from chatd.net.http.page import PageState
from chatd.observe import DaemonStopping, EventLog, InternalError, PageMissing, SignalNoted
from chatd.observe.metrics import Metrics
from chatd.observe.tap import EventTap

HARD_STOP_S = 0.3  # of the drain's time, kept for ending the process by force, before LAST_LINE_S
ANSWERS_S = 3.0  # of the drain's time, for ending the answers under way
GOODBYE_S = 2.0  # for polling peers to take their last answer, as long as WebSockets linger
BACKSTAGE_S = 0.5  # of the drain's time, kept for closing the store
HOW_TO_BUILD = (
    "The package was built without its page: the npm registry could not be reached, or CHATD_WEB "
    "was skip. Build it again (pip install --force-reinstall --no-deps . in the sources), with "
    "CHATD_WEB=required to see what is wrong."
)


async def serve(
    opened: Opened,
    log: EventLog,
    on_ready: Callable[[str], None],
    signals: Signals,
    end: BoundedEnd,
) -> bool:
    """Serve until a signal ends it; whether everything ended by itself within the drain's time.
    `on_ready` is told the state of the page."""
    config, store = opened.config, opened.store
    event_log = metrics = Metrics(log)
    writer = LogService(store, metrics.committed)
    tap = EventTap(metrics, log)
    parts = Parts(config, opened.secret, store, writer, event_log, opened.clock, tap)
    tree = supervise(
        parts, event_log, acknowledged=metrics.acknowledged, lagged=metrics.loop_lagged
    )
    internal = build_internal(config, parts, metrics, tap)
    bound_s = config.server.drain_timeout_s
    part = part_of(bound_s)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(internal.serve, opened.internal_listeners)
        await nursery.start(tree.run)
        await parts.erasures.resume()
        await nursery.start(parts.listener.serve, opened.listeners)
        parts.status.is_open = True
        if parts.page_state is PageState.MISSING:
            event_log.record(PageMissing(HOW_TO_BUILD))
        on_ready(parts.page_state)
        event_log.record(DaemonStopping(await _stopped(signals, event_log)))
        began_s = trio.current_time() - end.elapsed_s
        deadline_s = began_s + bound_s - part * (LAST_LINE_S + HARD_STOP_S)
        clean = False
        with trio.move_on_at(deadline_s - part * BACKSTAGE_S):
            left_s = began_s + bound_s - trio.current_time()
            clean = await _drain(parts, parts.clock.wall_ms() + round(left_s * 1000), event_log)
            if clean:  # else there are sessions that nothing has ended
                await _peers_gone(parts)  # one that takes its time makes no unclean end
        parts.listener.sever()
        left_s = max(part * BACKSTAGE_S, deadline_s - trio.current_time())
        clean = await writer.close(left_s) and clean
        internal.sever()
        nursery.cancel_scope.cancel()
    store.close()
    return clean


async def _stopped(signals: Signals, event_log: EventLog) -> str:
    """Report the signals that change nothing, until one ends the daemon; its name."""
    token, news = trio.lowlevel.current_trio_token(), trio.Event()
    with signals.waking(lambda: token.run_sync_soon(lambda: news.set(), idempotent=True)):
        while True:
            for name in signals.noted():
                event_log.record(SignalNoted(name))
            if signals.stopped_by is not None:
                return signals.stopped_by
            await news.wait()
            news = trio.Event()


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

    What serves no user's session is severed at once: nothing is owed to it. It is once more at the
    end, as until then the port is open and says that the daemon is about to end.
    """
    parts.status.is_draining = True
    parts.admission.is_draining = True
    sessions = parts.sessions
    parts.listener.sever_strangers()
    parts.app.drain(deadline_ms)
    parts.export_files.drain()
    with trio.move_on_after(ANSWERS_S):
        await parts.answering.service.drain()
    parts.mailbox.close()
    await parts.acted.wait()
    parts.answering.is_over.set()
    await parts.snapshots.write()  # with all users present: they have their grace at the next start
    parts.listener.sever_strangers()
    for session in list(sessions.by_sid.values()):
        session.end(DisconnectReason.SERVER_SHUTDOWN)
    parts.listener.stop_accepting()


async def _peers_gone(parts: Parts) -> None:
    """Return when every peer has taken its last bytes and hung up, or was cut off.

    WebSockets see to that themselves, for as long as their peer takes anything. What is left of
    polling, an upgrade that the client does not finish among it, has a little time.
    """
    with trio.move_on_after(GOODBYE_S):
        await parts.admission.emptied()
    parts.listener.sever_strangers()
    await parts.admission.emptied()

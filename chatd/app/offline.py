"""Erasing in a state directory that no daemon serves: the parts of a daemon, without its ports."""

from collections.abc import Awaitable, Callable, Mapping

import trio

from chatd.app.build import Parts
from chatd.app.logs import log_of
from chatd.app.opening import open_store_of
from chatd.app.tree import supervise
from chatd.config import Config
from chatd.observe import EventLog
from chatd.observe.clock import Clock
from chatd.observe.ids import unguessable_id
from chatd.service.erasures import Erased, ErasureFailedError, Erasures

END_S = 10.0  # for the log to be closed


def run_offline(
    config: Config,
    environment: Mapping[str, str],
    event_log: EventLog,
    erase: Callable[[Erasures], Awaitable[Erased]],
) -> Erased:
    """Open the store, erase, and close it again.

    Raises StoreLocked if a daemon has it, other StoreErrors, and ErasureFailedError.
    """
    return trio.run(_run, config, environment, event_log, erase)


async def _run(
    config: Config,
    environment: Mapping[str, str],
    event_log: EventLog,
    erase: Callable[[Erasures], Awaitable[Erased]],
) -> Erased:
    clock = Clock()
    store = open_store_of(config, environment, event_log, clock)
    log = log_of(store)
    # Nobody comes in here: no token is verified with this secret.
    parts = Parts(config, unguessable_id() * 2, store, log, event_log, clock)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervise(parts, event_log).run)
            await parts.operators.erasures.resume()
            # A nursery would put the error into a group.
            outcome = await _outcome(erase(parts.operators.erasures))
            parts.messages.mailbox.close()
            await parts.messages.acted.wait()
            await log.close(END_S)
            nursery.cancel_scope.cancel()
    finally:
        store.close()
    if isinstance(outcome, ErasureFailedError):
        raise outcome
    return outcome


async def _outcome(erasing: Awaitable[Erased]) -> Erased | ErasureFailedError:
    try:
        return await erasing
    except ErasureFailedError as error:
        return error

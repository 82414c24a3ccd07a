"""What a start opens before anything is served: ports, the store, the internal socket.

The public port is opened first, so that a second daemon stops there; the internal socket last, once
the store has locked the state directory, so that whatever is there already was left behind.
"""

import resource
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from chatd.app.errors import StartFailedError
from chatd.app.listen import internal_path, open_internal, open_listeners
from chatd.app.secret import check_reach, secret_for
from chatd.config import Config, state_directory
from chatd.observe import EventLog, LogLost, SnapshotOutdated, SnapshotUnusable, StoreRecovered
from chatd.observe.clock import Clock
from chatd.store import PassedOverFor, Store, open_store

DESCRIPTORS_SPARE: Final = 256
"""Descriptors beside those of connections; of fewer than twice as many, a half."""


@attrs.frozen
class Opened:
    """What a daemon serves with. `config` has the port and the number of connections in force;
    `internal` is the path of the internal socket, None where that is a port."""

    config: Config
    secret: str
    clock: Clock
    state_dir: Path
    store: Store
    listeners: Sequence[socket.socket]
    internal: Path | None
    internal_listeners: Sequence[socket.socket]


def open_all(
    config: Config, environment: Mapping[str, str], event_log: EventLog, clock: Clock
) -> Opened:
    """Open what the daemon needs. Raises StartFailedError, ConfigError or StoreError."""
    state_dir = state_directory(config, environment, Path.cwd())
    secret = secret_for(config, state_dir)
    server = config.server
    listeners = open_listeners(server.host, server.port, server.accept_backlog)
    check_reach(config, listeners)
    server = attrs.evolve(
        server,
        port=listeners[0].getsockname()[1],
        max_connections=connections_granted(server.max_connections),
    )
    config = attrs.evolve(config, server=server)
    store = open_store_of(config, environment, event_log, clock)
    try:
        internal_listeners = open_internal(server.internal, state_dir)
    except StartFailedError:
        store.close()
        raise
    internal = internal_path(server.internal, state_dir)
    return Opened(config, secret, clock, state_dir, store, listeners, internal, internal_listeners)


def open_store_of(
    config: Config, environment: Mapping[str, str], event_log: EventLog, clock: Clock
) -> Store:
    """The store; the operator learns of all that is missing of it before anything is served.

    Raises ConfigError or StoreError.
    """
    began_s = time.perf_counter()
    state_dir = state_directory(config, environment, Path.cwd())
    store = open_store(state_dir, config.state.durability, clock)
    recovered = store.recovered
    took_ms = (time.perf_counter() - began_s) * 1000
    event_log.record(
        StoreRecovered(len(recovered.rooms), recovered.message_count, store.epoch, took_ms)
    )
    loss = store.loss
    if loss is not None:
        detail = f"{loss.sentence} chatd goes on under a new epoch: clients start over."
        event_log.record(LogLost(loss.kind, loss.records, loss.messages, loss.proof, detail))
    for one in store.passed_over:
        # Snapshots of another log are no damage: a loss leaves them behind, and was reported.
        if one.reason is PassedOverFor.EARLIER:
            event_log.record(SnapshotOutdated(one.name))
        elif one.reason is not PassedOverFor.EPOCH:
            event_log.record(SnapshotUnusable(one.name, one.reason))
    return store


def connections_granted(wanted: int) -> int:
    """How many connections, of those wanted, the system grants descriptors for, and spare ones.

    The limit of this process is raised as far as that takes. A connection beyond the number gets an
    answer that says when to come back, for which it needs a descriptor.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + DESCRIPTORS_SPARE
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return min(wanted, max(most - DESCRIPTORS_SPARE, most // 2))

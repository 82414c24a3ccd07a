"""What a start opens before anything is served: ports, the store, the internal socket.

The public port is opened first, so that a second daemon stops there (at a unix socket, if a process
listens at it). The internal socket is opened last, once the store has locked the state directory: a
socket that is there already was left behind.
"""

import resource
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from chatd.app.bus import check_bus
from chatd.app.directory import check_directory
from chatd.app.errors import EXIT_DAMAGED, EXIT_FAILURE, StartFailedError
from chatd.app.inherited import NOTHING_INHERITED, Inherited, shown_address
from chatd.app.listen import internal_path, open_internal, open_public
from chatd.app.logs import open_store_at, why_threaded
from chatd.app.secret import check_reach, secret_for
from chatd.auth import Revocations, RevocationsUnreadable, read_revocations
from chatd.config import Config, ServerConfig, state_directory
from chatd.observe import (
    EventLog,
    ListenersInherited,
    LogLost,
    PostgresThreaded,
    SnapshotOutdated,
    SnapshotUnusable,
    StoreRecovered,
)
from chatd.observe.clock import Clock
from chatd.store import PassedOverFor
from chatd.store.opened_store import OpenedStore

DESCRIPTORS_SPARE: Final = 256
"""Descriptors besides those of connections; half of all, if there are fewer than twice as many."""


@attrs.frozen
class Opened:
    """What a daemon serves with. `config` has the port and the number of connections in force;
    `internal` is the path of the internal socket, None if that is a port, or was handed over;
    `socket_files` are the paths of all sockets to remove at the end. `is_inherited`: somebody else
    keeps the public listeners open beyond this process."""

    config: Config
    secret: str | None
    revocations: Revocations
    clock: Clock
    state_dir: Path
    store: OpenedStore
    listeners: Sequence[socket.socket]
    internal: Path | None
    internal_listeners: Sequence[socket.socket]
    socket_files: Sequence[Path]
    is_inherited: bool = False


def open_all(
    config: Config,
    environment: Mapping[str, str],
    event_log: EventLog,
    clock: Clock,
    inherited: Inherited = NOTHING_INHERITED,
) -> Opened:
    """Open what the daemon needs, except for what was handed over. Raises StartFailedError,
    ConfigError or StoreError."""
    check_directory(config)
    check_bus(config)
    config = _with_inherited(config, inherited)
    state_dir = state_directory(config, environment, Path.cwd())
    secret = secret_for(config, state_dir)
    server = config.server
    listeners, public = _public_listeners(server, inherited)
    try:
        check_reach(config, listeners)
    except StartFailedError:
        for listener in listeners:
            listener.close()
        raise
    if inherited.public:
        event_log.record(ListenersInherited(tuple(map(shown_address, inherited.public))))
    server = attrs.evolve(server, max_connections=connections_granted(server.max_connections))
    if listeners[0].family != socket.AF_UNIX:
        server = attrs.evolve(server, port=listeners[0].getsockname()[1])
    config = attrs.evolve(config, server=server)
    store = open_store_of(config, environment, event_log, clock)
    try:
        revocations = _revocations(state_dir)
        internal_listeners = inherited.internal or open_internal(server.internal, state_dir)
    except StartFailedError:
        store.close()
        raise
    internal = None if inherited.internal else internal_path(server.internal, state_dir)
    return Opened(
        config,
        secret,
        revocations,
        clock,
        state_dir,
        store,
        listeners,
        internal,
        internal_listeners,
        [path for path in (public, internal) if path is not None],
        is_inherited=bool(inherited.public),
    )


def _public_listeners(
    server: ServerConfig, inherited: Inherited
) -> tuple[Sequence[socket.socket], Path | None]:
    """The listeners that were handed over, or are opened now, with the file of a socket that the
    daemon has to remove."""
    if inherited.public:
        return inherited.public, None
    return open_public(
        server.host,
        server.port,
        server.accept_backlog,
        socket_mode=int(server.socket_mode, base=8),
    )


def _with_inherited(config: Config, inherited: Inherited) -> Config:
    """The configuration with the addresses of the handed-over listeners. A unix socket has no
    address: what `server.host` says about who may connect holds for it too."""
    server = config.server
    if inherited.public and inherited.public[0].family != socket.AF_UNIX:
        host, port = inherited.public[0].getsockname()[:2]
        server = attrs.evolve(server, host=host, port=port)
    if inherited.internal and inherited.internal[0].family != socket.AF_UNIX:
        server = attrs.evolve(server, internal=shown_address(inherited.internal[0]))
    return attrs.evolve(config, server=server)


def _revocations(state_dir: Path) -> Revocations:
    """Whose tokens are revoked; without knowing that, nobody can be let in."""
    try:
        return read_revocations(state_dir)
    except RevocationsUnreadable as error:
        raise StartFailedError(str(error), EXIT_DAMAGED) from error
    except OSError as error:
        raise StartFailedError(
            f"The list of revoked users in {state_dir} cannot be read: {error.strerror}.",
            EXIT_FAILURE,
        ) from error


def open_store_of(
    config: Config, environment: Mapping[str, str], event_log: EventLog, clock: Clock
) -> OpenedStore:
    """The store; the operator learns what is missing from it before anything is served.

    Raises StartFailedError, ConfigError or StoreError.
    """
    began_s = time.perf_counter()
    state_dir = state_directory(config, environment, Path.cwd())
    store = open_store_at(state_dir, config, clock)
    recovered = store.recovered
    took_ms = (time.perf_counter() - began_s) * 1000
    event_log.record(
        StoreRecovered(len(recovered.rooms), recovered.message_count, store.epoch, took_ms)
    )
    reason = why_threaded(config.state)
    if reason is not None:
        event_log.record(PostgresThreaded(reason))
    loss = store.loss
    if loss is not None:
        detail = f"{loss.sentence} chatd goes on under a new epoch: clients start over."
        event_log.record(LogLost(loss.kind, loss.records, loss.messages, loss.proof, detail))
    for one in store.passed_over:
        # Snapshots of another log are not damage: a loss leaves them behind, and was reported.
        if one.reason is PassedOverFor.EARLIER:
            event_log.record(SnapshotOutdated(one.name))
        elif one.reason is not PassedOverFor.EPOCH:
            event_log.record(SnapshotUnusable(one.name, one.reason))
    return store


def connections_granted(wanted: int) -> int:
    """How many of the connections that are wanted the system grants descriptors for, besides spare
    ones.

    The limit of this process is raised as far as needed. A connection beyond the number gets an
    answer that says when to come back, which takes a descriptor.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + DESCRIPTORS_SPARE
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return min(wanted, max(most - DESCRIPTORS_SPARE, most // 2))

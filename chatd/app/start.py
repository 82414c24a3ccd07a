"""From a configuration to a running daemon, and how it ends as an exit code.

Whatever prevents the start is one sentence for a person: `StartFailedError`, with the code that
tells a service manager whether trying again may help (SPEC 8, exit codes).
"""

import contextlib
import gc
import os
import resource
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import attrs
import trio

from chatd import __version__
from chatd.app.hosts import authority, is_loopback
from chatd.app.listen import (
    CannotListenError,
    internal_path,
    open_internal,
    open_listeners,
)
from chatd.app.signals import Signals
from chatd.auth import Verifier, load_or_create_secret, load_secret, mint
from chatd.config import Config, ConfigError, Loaded, state_directory
from chatd.observe import (
    ConfigurationLoaded,
    DaemonStarted,
    DaemonStopped,
    DaemonStopping,
    EventLog,
    InternalError,
    LogLost,
    SnapshotUnusable,
    StoreRecovered,
)
from chatd.observe.clock import wall_s
from chatd.store import PassedOverFor, Store, StoreDamaged, StoreError, open_store

EXIT_FAILURE, EXIT_DAMAGED, EXIT_CONFIG = 1, 74, 78

SECRET_NAME = "jwt-secret"  # in the state directory; made where none is configured
DEMO_ROOM = "demo"
LINK_TTL_S = 3600  # how long the token of the printed link is good
LAST_LINES_S = 0.5  # that the last lines may take: a pipe that nobody reads takes none
DESCRIPTORS_SPARE = 256  # beside those of connections; of fewer than twice as many, a half


class StartFailedError(Exception):
    """The daemon cannot run; the message is for a person."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@attrs.frozen
class Invitation:
    """Where the daemon is, and what gets a person in where nothing was configured."""

    url: str
    token: str | None


def check_secret(config: Config) -> None:
    """Refuse a configuration whose tokens anybody could sign. Raises StartFailedError."""
    if config.auth.jwt_secret:
        _require_strong(config, config.auth.jwt_secret)
    elif not is_loopback(config.server.host):
        raise _open_to_others(config.server.host)


def check_reach(config: Config, listeners: Sequence[socket.socket]) -> None:
    """The same for what a host turned out to be: a name may stand for any address. Raises
    StartFailedError, and closes the listeners then."""
    if config.auth.jwt_secret:
        return
    for listener in listeners:
        address = str(listener.getsockname()[0])
        if not is_loopback(address):
            for opened in listeners:
                opened.close()
            raise _open_to_others(f"{config.server.host} ({address})")


def _open_to_others(where: str) -> StartFailedError:
    return StartFailedError(
        f"On {where} chatd is open to others: set auth.jwt_secret "
        "(or CHATD_AUTH__JWT_SECRET) to your project's secret, or listen on 127.0.0.1.",
        EXIT_CONFIG,
    )


def secret_for(config: Config, state_dir: Path) -> str:
    """The secret that tokens are signed with: the configured one, or one generated for this host.

    Raises StartFailedError where there is none that may be used.
    """
    secret = known_secret(config, state_dir)
    if secret is None:
        try:
            secret = load_or_create_secret(state_dir / SECRET_NAME)
        except ValueError as error:
            raise StartFailedError(_sentence(str(error)), EXIT_CONFIG) from error
        except OSError as error:
            raise StartFailedError(
                f"The secret in {state_dir} cannot be kept: {error.strerror}; "
                "make the directory writable or set state.dir.",
                EXIT_FAILURE,
            ) from error
    return secret


def known_secret(config: Config, state_dir: Path) -> str | None:
    """The same where there is one already, else None; nothing is written.

    Raises StartFailedError where it may not be used, or not be read.
    """
    check_secret(config)
    if config.auth.jwt_secret:
        return config.auth.jwt_secret
    path = state_dir / SECRET_NAME
    try:
        secret = load_secret(path)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise StartFailedError(_sentence(str(error)), EXIT_CONFIG) from error
    except OSError as error:
        is_of_another = isinstance(error, PermissionError)
        advice = "run this as the daemon's user" if is_of_another else "set state.dir"
        raise StartFailedError(
            f"The secret {path} cannot be read: {error.strerror}; {advice}.", EXIT_FAILURE
        ) from error
    _require_strong(config, secret)
    return secret


def _require_strong(config: Config, secret: str) -> None:
    try:
        Verifier(secret, config.auth.audience, config.auth.issuer, 0, config.auth.max_token_bytes)
    except ValueError as error:
        raise StartFailedError(f"auth.jwt_secret: {error}.", EXIT_CONFIG) from error


def mint_token(
    config: Config, secret: str, user_id: str, rooms: list[str], name: str | None, ttl_s: int
) -> str:
    """A token that this daemon takes. Raises ValueError, with a sentence, for what it would not."""
    return mint(
        secret,
        user_id=user_id,
        rooms=rooms,
        name=name,
        ttl_s=ttl_s,
        now_s=wall_s(),
        audience=config.auth.audience,
        issuer=config.auth.issuer,
        claim=config.directory.claim,
    )


def run(
    loaded: Loaded,
    environment: Mapping[str, str],
    event_log: EventLog,
    invite: Callable[[Invitation], None],
    signals: Signals,
) -> int:
    """Run the daemon to its end; the exit code. Raises StartFailedError where it cannot start."""
    signals.tell_early_stops(partial(_tell_early_stop, event_log))
    event_log.record(ConfigurationLoaded(str(loaded.source) if loaded.source is not None else None))
    config = _within_descriptors(loaded.config)
    try:
        state_dir = state_directory(config, environment, Path.cwd())
    except ConfigError as error:
        raise StartFailedError(str(error), EXIT_CONFIG) from error
    secret = secret_for(config, state_dir)
    try:
        listeners = open_listeners(
            config.server.host, config.server.port, config.server.accept_backlog
        )
    except CannotListenError as error:
        raise StartFailedError(str(error), EXIT_FAILURE) from error
    check_reach(config, listeners)
    port = listeners[0].getsockname()[1]
    config = attrs.evolve(config, server=attrs.evolve(config.server, port=port))
    began_s = time.perf_counter()
    try:
        store = open_store(state_dir, config.state.durability)
    except StoreDamaged as error:
        raise StartFailedError(str(error), EXIT_DAMAGED) from error
    except StoreError as error:
        raise StartFailedError(str(error), error.exit_code) from error
    recovered = store.recovered
    took_ms = round((time.perf_counter() - began_s) * 1000, 1)
    event_log.record(
        StoreRecovered(len(recovered.rooms), recovered.message_count, store.epoch, took_ms)
    )
    _tell_of_damage(store, event_log)
    internal = internal_path(config.server.internal, state_dir)
    try:
        internal_listeners = open_internal(config.server.internal, state_dir)
    except CannotListenError as error:
        store.close()
        raise StartFailedError(str(error), EXIT_FAILURE) from error
    # Not above: `chatd health` and the other commands, and whoever is told what is wrong, would
    # wait for the whole daemon to be imported, which is half of their time.
    from chatd.app.daemon import BoundedEnd, serve

    def on_ready() -> None:
        # What start-up left behind lives for ever: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        event_log.record(
            DaemonStarted(
                config.server.host,
                port,
                str(internal or _shown_address(internal_listeners[0])),
                os.getpid(),
                __version__,
                str(state_dir),
                config.server.max_connections,
            )
        )
        token = None
        if not config.auth.jwt_secret and config.directory.source == "claim":
            token = mint_token(config, secret, "guest", [DEMO_ROOM], "Guest", LINK_TTL_S)
        invite(Invitation(f"http://{authority(config.server.host, port)}/", token))

    end = BoundedEnd(config.server.drain_timeout_s, event_log)
    signals.begin_serving(end)
    try:
        clean = trio.run(
            serve,
            *(
                config,
                secret,
                store,
                listeners,
                internal_listeners,
                event_log,
                on_ready,
                signals,
                end,
            ),
        )
    except Exception as error:
        event_log.record(InternalError.of("daemon", error))
        clean = False
    if internal is not None:
        with contextlib.suppress(OSError):  # it is gone, or something else is in its place
            internal.unlink()
    clean = clean and not store.is_cut
    event_log.record(DaemonStopped(clean))
    if store.is_cut:
        event_log.settle(LAST_LINES_S)
        os._exit(EXIT_FAILURE)  # else SQLite closes what is left of the log, and writes into it
    return 0 if clean else EXIT_FAILURE


def _tell_early_stop(event_log: EventLog, signal_name: str) -> None:
    """The last lines of a daemon that was stopped before it served anybody."""
    event_log.record(DaemonStopping(signal_name))
    event_log.record(DaemonStopped(clean=True))
    event_log.settle(LAST_LINES_S)


def _tell_of_damage(store: Store, event_log: EventLog) -> None:
    """What the start found to be missing, or passed over; who runs this is told before anything
    is served. Snapshots of another log are no damage: a loss leaves them behind, and was told."""
    loss = store.loss
    if loss is not None:
        detail = f"{loss.sentence} chatd goes on under a new epoch: clients start over."
        event_log.record(LogLost(loss.kind, loss.records, loss.messages, loss.proof, detail))
    for one in store.passed_over:
        if one.reason is not PassedOverFor.EPOCH:
            event_log.record(SnapshotUnusable(one.name, one.reason))


def _shown_address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _within_descriptors(config: Config) -> Config:
    """The configuration with no more connections than there are descriptors for: one more than
    those is told when to come back, where without a descriptor nobody could tell it anything."""
    granted = connections_granted(config.server.max_connections)
    return attrs.evolve(config, server=attrs.evolve(config.server, max_connections=granted))


def connections_granted(wanted: int) -> int:
    """How many connections, of those wanted, the system grants descriptors for, and spare ones;
    its limit for this process is raised as far as that takes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + DESCRIPTORS_SPARE
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return min(wanted, max(most - DESCRIPTORS_SPARE, most // 2))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."

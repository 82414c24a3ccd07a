"""Turns a configuration into a running daemon, and its end into an exit code."""

import os
from collections.abc import Callable, MutableMapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

import attrs
import trio

from chatd import __version__
from chatd.app.errors import EXIT_FAILURE
from chatd.app.hosts import place_of, socket_path
from chatd.app.inherited import shown_address, take_inherited
from chatd.app.listen import remove_sockets
from chatd.app.notify import Notifier
from chatd.app.opening import Opened, open_all
from chatd.app.rereading import Rereading
from chatd.app.secret import has_real_keys, mint_token, usual_rooms
from chatd.app.signals import Signals
from chatd.observe import (
    ConfigurationExposed,
    ConfigurationLoaded,
    DaemonStarted,
    DaemonStopped,
    DaemonStopping,
    EventLog,
    InternalError,
)
from chatd.observe.clock import Clock

LINK_TTL_S: Final = 3600  # how long the token of the printed link is good
LAST_LINES_S: Final = 0.5
"""Seconds that the last lines may take, and the removal of sockets: a pipe without a reader takes
nothing, and a disk may hang."""


@attrs.frozen
class Invitation:
    """Where the daemon is, and what lets a person in if nothing was configured.

    `place` is a URL, or where a unix socket is; `page` is the state of the page at the URL:
    `built`, `missing` or `off`.
    """

    place: str
    page: str
    token: str | None

    @property
    def is_url(self) -> bool:
        return self.place.startswith("http:")


def run(
    configuration: Rereading,
    environment: MutableMapping[str, str],
    invite: Callable[[Invitation], None],
    signals: Signals,
) -> NoReturn:
    """Run the daemon to its end, which is the end of the process.

    The service manager's variables are taken out of the environment: programs that the daemon
    starts do not inherit them. Raises StartFailedError, ConfigError or StoreError if it cannot
    start.
    """
    loaded, event_log = configuration.loaded, configuration.log
    signals.on_early_stop(partial(_record_early_stop, event_log, ()))
    event_log.record(ConfigurationLoaded(str(loaded.source) if loaded.source is not None else None))
    for warning in loaded.warnings:
        event_log.record(ConfigurationExposed(warning))
    notifier = Notifier.of(environment, event_log, os.getpid())
    inherited = take_inherited(environment, os.getpid())
    with notifier.extending("Reads the log of messages."):
        opened = open_all(loaded.config, environment, event_log, Clock(), inherited)
    signals.on_early_stop(partial(_record_early_stop, event_log, opened.socket_files))
    on_ready = partial(_on_ready, opened, event_log, invite)
    clean = _serve(opened, configuration, on_ready, signals, notifier)
    remove_sockets(opened.socket_files, LAST_LINES_S)
    clean = clean and not opened.store.is_cut
    event_log.record(DaemonStopped(clean))
    event_log.settle(LAST_LINES_S)
    # Python's own end would take up to a second, in which a signal kills; and if the log was cut
    # off, SQLite would close what is left of it, and write into it.
    os._exit(0 if clean else EXIT_FAILURE)


def _serve(
    opened: Opened,
    configuration: Rereading,
    on_ready: Callable[[str], None],
    signals: Signals,
    notifier: Notifier,
) -> bool:
    # Not above: the other commands, and a start that fails, would wait for the whole daemon to be
    # imported, which is half of their time.
    from chatd.app.bounded_end import BoundedEnd
    from chatd.app.daemon import serve

    event_log = configuration.log
    end = BoundedEnd(opened.config.server.drain_timeout_s, event_log, opened.socket_files)
    signals.begin_serving(end)
    try:
        return trio.run(serve, opened, configuration, on_ready, signals, end, notifier)
    except Exception as error:
        event_log.record(InternalError.of("daemon", error))
        return False
    finally:
        end.over()


def _on_ready(
    opened: Opened, event_log: EventLog, invite: Callable[[Invitation], None], page: str
) -> None:
    config, server = opened.config, opened.config.server
    event_log.record(
        DaemonStarted(
            server.host,
            server.port if socket_path(server.host) is None else None,
            str(opened.internal or shown_address(opened.internal_listeners[0])),
            os.getpid(),
            __version__,
            str(opened.state_dir),
            server.max_connections,
            page,
        )
    )
    token = None
    if opened.secret and not has_real_keys(config) and config.directory.source == "claim":
        rooms, now_s = usual_rooms(config), opened.clock.wall_s()
        token = mint_token(config, opened.secret, "guest", rooms, "Guest", LINK_TTL_S, now_s)
    place = place_of(server.host, server.port)
    slash = "" if socket_path(server.host) else "/"
    invite(Invitation(place + slash, page, token))


def _record_early_stop(event_log: EventLog, socket_files: Sequence[Path], signal_name: str) -> None:
    """Write the last lines of a daemon that was stopped before it served, and remove its
    sockets."""
    remove_sockets(socket_files, LAST_LINES_S)
    event_log.record(DaemonStopping(signal_name))
    event_log.record(DaemonStopped(clean=True))
    event_log.settle(LAST_LINES_S)

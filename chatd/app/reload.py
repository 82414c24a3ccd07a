"""Taking over a configuration that has changed while the daemon runs (SIGHUP): all or nothing.

The file is read again, with the environment and the flags of the start. All that can fail is made
before anything is replaced, and off the event loop, as a disk may hang: a mistake leaves everything
as it is, and is told. Then all of it is replaced in one step, in which nobody gets a turn. Users
stay; who may not use a room any more is told, and leaves it. What cannot be replaced is named, and
waits for the next start.
"""

from collections.abc import Callable, Mapping
from typing import Final

import attrs
import trio

from chatd.app import settings
from chatd.app.answering import configured_databases
from chatd.app.build import Parts
from chatd.app.errors import StartFailedError
from chatd.app.notify import Notifier
from chatd.app.opening import Opened
from chatd.app.rereading import Rereading
from chatd.app.secret import check_reach, make_verifier, secret_for
from chatd.auth import Directory, DirectoryFailed, Grant, TokenRefused, Verifier
from chatd.config import Config, ConfigError, Loaded, changed, is_reloaded, reloaded
from chatd.observe import ConfigurationRefused, ConfigurationReloaded, EventLog, InternalError
from chatd.observe.events import Level
from chatd.observe.lines import Line
from chatd.observe.log import line_of
from chatd.service.client import Client

READ_S: Final = 30.0
"""That the new configuration may take to be read; beyond, everything stays as it is: a disk hangs,
or a pipe has no other end."""
MISTAKES_MAX: Final = 20
"""That one line of the log has; `chatd config check` tells all."""
DIRECTORY_S: Final = 5.0
"""That a directory may take for one user; beyond, it gives no room."""
TURN: Final = 100
"""Clients that are judged again before others get their turn."""
NO_ROOMS: Final[Mapping[str, Grant]] = {}


@attrs.frozen
class _Fresh:
    """All that a configuration comes to, made before anything of it is in force."""

    loaded: Loaded
    config: Config
    needs_restart: tuple[str, ...]
    changed: tuple[str, ...]
    verifier: Verifier
    directory: Directory
    line: Line


@attrs.define(eq=False)
class Reload:
    """Carries reloads out, one after the other."""

    _parts: Parts
    _opened: Opened
    _configuration: Rereading
    _notifier: Notifier
    _status: Callable[[], str]
    _event_log: EventLog
    _reading: trio.CapacityLimiter = attrs.field(
        factory=lambda: trio.CapacityLimiter(1), init=False
    )

    async def carry_out(self) -> None:
        """Read the configuration again, and take it over or say why not; never raises."""
        self._notifier.reloading(self._parts.clock.monotonic_us())
        mistakes: tuple[str, ...] = ()
        try:
            with trio.fail_after(READ_S):
                fresh = await trio.to_thread.run_sync(
                    self._prepare, abandon_on_cancel=True, limiter=self._reading
                )
        except (ConfigError, StartFailedError) as error:
            mistakes = tuple(str(error).split("\n")[:MISTAKES_MAX])
        except trio.TooSlowError:
            mistakes = ("The configuration cannot be read in time; see to its disk.",)
        except Exception as error:
            self._event_log.record(InternalError.of("reload", error))
            mistakes = ("The configuration could not be taken over; the log has the fault.",)
        if mistakes:
            self._event_log.record(ConfigurationRefused(mistakes))
            self._notifier.ready(
                f"The new configuration is refused: {mistakes[0]} {self._status()}"
            )
            return
        has_other_rooms = self._replace(fresh)
        sockets = await self._judge_again(fresh.directory) if has_other_rooms else 0
        source = None if fresh.loaded.source is None else str(fresh.loaded.source)
        self._event_log.record(
            ConfigurationReloaded(source, fresh.changed, fresh.needs_restart, sockets)
        )
        self._notifier.ready(self._status())

    def _prepare(self) -> _Fresh:
        """In a thread. Raises ConfigError, StartFailedError."""
        loaded = self._configuration.read()
        differing = changed(self._configuration.loaded.config, loaded.config)
        config = reloaded(self._opened.config, loaded.config)
        secret = secret_for(config, self._opened.state_dir)
        check_reach(config, self._opened.listeners)
        return _Fresh(
            loaded,
            config,
            tuple(key for key in differing if not is_reloaded(key)),
            tuple(key for key in differing if is_reloaded(key)),
            make_verifier(config, secret),
            settings.make_directory(config),
            line_of(config.log.format, is_terminal=self._configuration.is_terminal),
        )

    def _replace(self, fresh: _Fresh) -> bool:
        """In one step. Whether users may have other rooms by it."""
        parts, before, config = self._parts, self._opened.config, fresh.config
        self._configuration.log.replace(fresh.line, Level[config.log.level.upper()])
        has_other_rooms = before.directory != config.directory
        parts.authenticator.replace(
            fresh.verifier, fresh.directory, query_token=config.auth.query_token
        )
        parts.downloads.replace_directory(fresh.directory)
        parts.tokens.replace_leeway(config.auth.leeway_s)
        rates = settings.rates(config)
        parts.limits.replace(rates)
        for client in parts.clients.everybody():
            client.allowance.replace(rates)
        settings.replace_admission(parts.admission, config.limits, trio.current_time())
        parts.allowed_origins.replace(config.server.origins)
        parts.answering.databases.replace(configured_databases(config))
        parts.answering.life.replace_databases(parts.answering.databases.answering)
        parts.connector.replace_welcome(parts.welcome(config))
        self._opened = attrs.evolve(self._opened, config=config)
        in_force = reloaded(self._configuration.loaded.config, fresh.loaded.config)
        loaded = attrs.evolve(fresh.loaded, config=in_force)
        self._configuration = attrs.evolve(self._configuration, loaded=loaded)
        return has_other_rooms

    async def _judge_again(self, directory: Directory) -> int:
        """Take everybody out of the rooms that the directory does not give any more; how many
        sockets had to leave one. Who comes meanwhile is judged by it already."""
        sockets = 0
        for number, client in enumerate(self._parts.clients.everybody(), 1):
            grants = await _grants(directory, client)
            if not client.is_gone and self._parts.tokens.regrant(client, grants):
                sockets += 1
            if number % TURN == 0:
                await trio.lowlevel.checkpoint()
        return sockets


async def _grants(directory: Directory, client: Client) -> Mapping[str, Grant]:
    """What a directory gives a client; nothing where it fails."""
    try:
        grants = directory.grants_now(client.identity)
        if grants is None:
            with trio.fail_after(DIRECTORY_S):
                grants = await directory.grants(client.identity)
    except (DirectoryFailed, TokenRefused, trio.TooSlowError):
        return NO_ROOMS
    return grants

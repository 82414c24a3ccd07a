"""Taking over a configuration that has changed while the daemon runs (SIGHUP): all or nothing.

The file is read again, with the environment and the flags of the start. All that can fail is made
before anything is replaced, and off the event loop, as a disk may hang: a mistake leaves everything
as it is, and is reported. Then all of it is replaced in one step, in which no other task gets a
turn. Users stay; a user who may no longer use a room is told, and leaves it. What cannot be
replaced is named, and waits for the next start.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import attrs
import trio

from chatd.app import settings
from chatd.app.build import Parts
from chatd.app.directory import check_directory
from chatd.app.errors import StartFailedError
from chatd.app.notify import Notifier
from chatd.app.opening import Opened
from chatd.app.parts.answering import SAMPLE_NAME, configured_databases, make_sample_if_used
from chatd.app.parts.chat import welcome_of
from chatd.app.rereading import Rereading
from chatd.app.secret import (
    can_mint,
    check_reach,
    key_set_place,
    make_keys,
    make_verifier,
    secret_for,
)
from chatd.auth import (
    Bot,
    DirectoryFailed,
    Grant,
    KeyRing,
    TokenRefused,
    Verifier,
    fetch_from,
)
from chatd.config import Config, ConfigError, Loaded, changed, is_reloaded, reloaded
from chatd.observe import (
    ConfigurationRefused,
    ConfigurationReloaded,
    EventLog,
    InternalError,
    StoreFailed,
)
from chatd.observe.events import Level
from chatd.observe.lines import Line
from chatd.observe.log import line_of
from chatd.service.client import Client

READ_S: Final = 30.0
"""How long reading the new configuration may take; beyond, everything stays as it is: a disk hangs,
or a pipe has no other end."""
MISTAKES_MAX: Final = 20
"""That one line of the log has; `chatd config check` tells all."""
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
    keys: KeyRing
    verifier: Verifier
    line: Line
    unmade: StoreFailed | None
    """Why there is no sample database."""


@attrs.frozen
class _Judging:
    """Who may have other rooms by a new configuration: everybody if the directory is another one,
    and the bots; their former user ids are given."""

    is_other_directory: bool
    bots: Mapping[str, Bot]


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
        self._notifier.reloading(self._parts.common.clock.monotonic_us())
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
        if fresh.unmade is not None:
            self._event_log.record(fresh.unmade)
        sockets = await self._judge_again(self._replace(fresh))
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
        check_directory(config)
        keys = make_keys(config, secret)
        sample = self._opened.state_dir / SAMPLE_NAME
        now_ms = self._parts.common.clock.wall_ms()
        return _Fresh(
            loaded,
            config,
            tuple(key for key in differing if not is_reloaded(key)),
            tuple(key for key in differing if is_reloaded(key)),
            keys,
            make_verifier(config, keys),
            line_of(config.log.format, is_terminal=self._configuration.is_terminal),
            make_sample_if_used(configured_databases(config), sample, now_ms),
        )

    def _replace(self, fresh: _Fresh) -> _Judging:
        """Replace it in one step. Returns who has to be judged again."""
        parts, config = self._parts, fresh.config
        self._configuration.log.replace(fresh.line, Level[config.log.level.upper()])
        place = key_set_place(config)
        parts.access.key_source.replace(place, fresh.keys, fetch_from(place or "", Path.cwd()))
        judging = _Judging(parts.access.directory.replace(config), parts.access.bots.by_user)
        parts.access.bots.replace(config.api.tokens)
        for authenticator in (parts.access.authenticator, parts.access.api_authenticator):
            authenticator.replace(
                fresh.verifier,
                parts.access.directory.current,
                directory_timeout_s=settings.directory_timeout_s(config),
            )
        parts.access.authenticator.replace_query_token(config.auth.query_token)
        parts.http.admin_page.replace_rule(settings.administrator_rule(config))
        parts.http.page_config.mints = can_mint(config)
        parts.http.downloads.replace_directory(parts.access.directory.current)
        parts.chat.tokens.replace_leeway(config.auth.leeway_s)
        rates = settings.rates(config)
        parts.entering.limits.replace(rates, parts.access.bots.message_rates)
        for client in parts.publishing.clients.everybody():
            client.allowance.replace(rates)
        parts.chat.request_clients.replace_rates()
        settings.replace_admission(parts.engine_io.admission, config.limits, trio.current_time())
        parts.engine_io.cors.allowed.replace(config.server.origins)
        parts.answering.databases.replace(configured_databases(config))
        parts.answering.life.replace_databases(parts.answering.databases.answering)
        parts.chat.connector.replace_welcome(
            welcome_of(config, parts.storage.store.epoch, parts.common.markup)
        )
        parts.maintenance.audit_retention.replace(config.audit.keep_days)
        parts.storage.disk.replace(config.state.min_free_bytes)
        self._opened = attrs.evolve(self._opened, config=config)
        in_force = reloaded(self._configuration.loaded.config, fresh.loaded.config)
        loaded = attrs.evolve(fresh.loaded, config=in_force)
        self._configuration = attrs.evolve(self._configuration, loaded=loaded)
        return judging

    async def _judge_again(self, judging: _Judging) -> int:
        """Take everybody out of the rooms that are no longer theirs; returns how many sockets had
        to leave one. Clients that come meanwhile are already judged by the new configuration.

        A directory that has to wait is left to its watch, which begins to ask it about everybody:
        what it cannot say is treated as its outage, and no user has to leave for that.
        """
        self._end_writing_of_bots(judging)
        sockets = 0
        for number, client in enumerate(self._parts.publishing.clients.everybody(), 1):
            grants = self._grants(client, judging)
            if grants is not None and not client.is_gone:
                sockets += self._parts.entering.granting.give(client, grants)
            if number % TURN == 0:
                await trio.lowlevel.checkpoint()
        return sockets

    def _end_writing_of_bots(self, judging: _Judging) -> None:
        """End the statements that bots which are gone, or other ones now, have written with; most
        bots ask over HTTP, and have no client."""
        bots = self._parts.access.bots.by_user
        for user_id, was in judging.bots.items():
            bot = bots.get(user_id)
            if bot is None or bot.sha256 != was.sha256 or not bot.can_write:
                self._parts.answering.service.end_writing(user_id)
            else:
                for room in was.rooms:
                    if room not in bot.rooms:
                        self._parts.answering.service.end_writing(user_id, room)

    def _grants(self, client: Client, judging: _Judging) -> Mapping[str, Grant] | None:
        """What a client may use now; None where nothing else is known than before."""
        bots = self._parts.access.bots
        was = judging.bots.get(client.user_id)
        if was is not None:
            bot = bots.by_user.get(client.user_id)
            if bot is None or bot.sha256 != was.sha256 or not bot.can_read:
                return NO_ROOMS
            return None if bot.rooms == was.rooms else bots.grants(client.identity)
        if not judging.is_other_directory:
            return None
        try:
            return self._parts.access.directory.current.grants_now(client.identity)
        except (DirectoryFailed, TokenRefused):
            return NO_ROOMS

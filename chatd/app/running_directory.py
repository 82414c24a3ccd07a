"""The directory of rooms while the daemon runs: another can take its place.

If it is in a database, a watch asks it again about users who are connected.
"""

import attrs
import trio

from chatd.app.directory import make_directory, open_sql_directory
from chatd.auth import CachedDirectory, Directory
from chatd.config import Config
from chatd.observe import EventLog
from chatd.service.clients import Clients
from chatd.service.directory_watch import DirectoryWatch
from chatd.service.grants import Granting


@attrs.define(eq=False)
class RunningDirectory:
    """The directory that answers now (`current`), and its watch, which `run` keeps going."""

    _config: Config
    _clients: Clients
    _granting: Granting
    _event_log: EventLog
    current: Directory = attrs.field(init=False)
    _watch: DirectoryWatch | None = attrs.field(init=False, default=None)
    _turn: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)

    def __attrs_post_init__(self) -> None:
        self._open()

    def replace(self, config: Config) -> bool:
        """Let the directory of this configuration answer from now on; returns whether it differs
        from the one before, whose connections are closed as soon as they are not in use."""
        before, self._config = self._config, config
        if before.directory == config.directory:
            return False
        self._open()
        self._turn.cancel()
        return True

    def _open(self) -> None:
        config = self._config.directory
        if config.source != "sql":
            self.current, self._watch = make_directory(config), None
            return
        sql = open_sql_directory(config, self._event_log)
        self.current = cached = CachedDirectory(sql, config.ttl_s)
        self._watch = DirectoryWatch(
            cached,
            sql,
            self._clients,
            self._granting,
            ttl_s=config.ttl_s,
            outage_s=config.outage_s,
            at_once=max(1, config.pool_connections // 2),
        )

    def why_unavailable(self) -> str | None:
        """A sentence for the operator; None if it answers, or was not asked yet."""
        return self.current.status.why_unavailable

    async def run(self) -> None:
        """Have the directory asked about users again, until cancelled."""
        while True:
            with trio.CancelScope() as self._turn:
                if self._watch is None:
                    await trio.sleep_forever()
                else:
                    await self._watch.run()

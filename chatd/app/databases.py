"""The databases of rooms while the daemon runs: each has its own supervisor, and can be replaced by
another.

A database that is replaced takes nothing new, and gets time to finish what it is doing.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import trio

from chatd.actors.supervisor import Child, CrashReport, Supervisor
from chatd.answers.mcp.pool import McpDatabase
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.terms import RoomDatabase

RETIRE_S: Final = 60.0
"""Seconds that a database has to finish when another takes its place: an answer may take
`answers.timeout_s`. Beyond: it is ended, and its answers with it."""

Make = Callable[[str, DatabaseSettings], McpDatabase]


class RunningDatabases(Mapping[str, McpDatabase]):
    """The databases by room, as they are now. `answering` is the same as questions need it."""

    def __init__(self, make: Make, configured: Mapping[str, DatabaseSettings]) -> None:
        self._make = make
        self._configured: Mapping[str, DatabaseSettings] = {}
        self._by_room: Mapping[str, McpDatabase] = {}
        self.answering: Mapping[str, RoomDatabase] = {}
        self._run: _Run | None = None
        self.replace(configured)

    def __getitem__(self, room: str) -> McpDatabase:
        return self._by_room[room]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_room)

    def __len__(self) -> int:
        return len(self._by_room)

    def replace(self, configured: Mapping[str, DatabaseSettings]) -> None:
        """Have these from now on. Databases whose settings have not changed go on."""
        before, were = self._by_room, self._configured
        kept = {room for room, settings in configured.items() if were.get(room) == settings}
        self._configured = dict(configured)
        self._by_room = {
            room: before[room] if room in kept else self._make(room, settings)
            for room, settings in configured.items()
        }
        self.answering = {
            room: self.answering[room]
            if room in kept
            else RoomDatabase(self._by_room[room], settings.dialect, settings.read_only)
            for room, settings in configured.items()
        }
        if self._run is not None:
            self._run.change(before, self._by_room)

    async def run(self, on_crash: CrashReport) -> None:
        """Keep the sessions of all databases until cancelled; then tell all of them to end at
        once."""
        async with trio.open_nursery() as nursery:
            self._run = _Run(nursery, on_crash)
            try:
                self._run.change({}, self._by_room)
                await trio.sleep_forever()
            finally:
                self._run = None


class _Run:
    """One life of `RunningDatabases.run`."""

    def __init__(self, nursery: trio.Nursery, on_crash: CrashReport) -> None:
        self._nursery = nursery
        self._on_crash = on_crash
        self._scopes: dict[McpDatabase, trio.CancelScope] = {}

    def change(self, before: Mapping[str, McpDatabase], now: Mapping[str, McpDatabase]) -> None:
        """Start the databases that are new, and retire those that are gone."""
        for room, database in now.items():
            if before.get(room) is not database:
                self._scopes[database] = trio.CancelScope()
                self._nursery.start_soon(self._keep, room, database)
        for room, database in before.items():
            if now.get(room) is not database:
                self._nursery.start_soon(self._retire, database)

    async def _keep(self, room: str, database: McpDatabase) -> None:
        child = Child(f"database {room}", database.run)
        with self._scopes[database]:
            await Supervisor("databases", [child], on_crash=self._on_crash).run()

    async def _retire(self, database: McpDatabase) -> None:
        with trio.move_on_after(RETIRE_S):
            await database.idle()
        self._scopes.pop(database).cancel()

"""A database over a peer, running; and a plate for what it answers."""

import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import trio

from chatd.answers.mcp.host import SessionHost
from chatd.answers.mcp.host_frames import Rows
from chatd.answers.mcp.pool import McpDatabase
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.requests import Answered, Request, RunStatement, Stopped, Terms
from chatd.answers.table import Column, Row
from chatd.observe import LogEvent, Recorder

FAKE: Final = Path(__file__).with_name("fake_peer.py")
LIMIT_S: Final = 30.0
"""Nothing here takes this long, unless something is broken."""


@attrs.define
class Plate:
    """A sink that keeps what it gets; `news` is set with the first rows."""

    columns_: list[Column] = attrs.field(factory=list)
    rows_: list[list[Any]] = attrs.field(factory=list)
    news: trio.Event = attrs.field(factory=trio.Event)

    def columns(self, columns: Sequence[Column]) -> None:
        assert not self.columns_
        self.columns_ = list(columns)

    def rows(self, rows: Sequence[Row]) -> None:
        self.rows_ += [list(row) for row in rows]
        self.news.set()

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns_]


@attrs.define
class Listening(Recorder):
    """A recorder that one can wait for."""

    news: trio.Event = attrs.field(factory=trio.Event)

    def record(self, event: LogEvent) -> None:
        super().record(event)
        self.news.set()
        self.news = trio.Event()

    async def until(self, kind: type[LogEvent], count: int = 1) -> None:
        """Until there are so many events of a class."""
        with trio.fail_after(LIMIT_S):
            while len(self.of(kind)) < count:
                await self.news.wait()


@attrs.define
class Running:
    """A database that runs, and what it told the log."""

    database: McpDatabase
    recorder: Listening

    async def ask(
        self, request: Request | str, plate: Plate | None = None, **terms: Any
    ) -> tuple[Answered | Stopped, Plate]:
        """Ask, and give what came; a text is a statement."""
        plate = Plate() if plate is None else plate
        asked = RunStatement(request) if isinstance(request, str) else request
        with trio.fail_after(LIMIT_S):
            end = await self.database.ask(asked, Terms(**terms), plate, trio.Event())
        return end, plate

    @contextmanager
    def call_timeout(self, seconds: float) -> Iterator[None]:
        """Calls that begin in here are given up after so long; those after it are not."""
        settings = self.database._settings
        self.database._settings = attrs.evolve(settings, call_timeout_s=seconds)
        try:
            yield
        finally:
            self.database._settings = settings

    async def ask_and_stop(self, sql: str) -> tuple[Answered | Stopped, Plate]:
        """Ask, stop it once the first rows are there, and give the end and what came."""
        stop, plate, ends = trio.Event(), Plate(), []

        async def ask() -> None:
            ends.append(await self.database.ask(RunStatement(sql), Terms(), plate, stop))

        with trio.fail_after(LIMIT_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                await plate.news.wait()
                stop.set()
        (end,) = ends
        return end, plate


def fake(start: str = "well", file: Path | None = None, **configured: Any) -> DatabaseSettings:
    """The configuration of a fake peer."""
    command = (sys.executable, str(FAKE), start, *([str(file)] if file else []))
    defaults: dict[str, Any] = {"connections": 1, "credentials": "read-only"}
    return DatabaseSettings(command=command, **{**defaults, **configured})


@asynccontextmanager
async def running(configured: DatabaseSettings, **more: Any) -> AsyncIterator[Running]:
    """Run the database until the block ends; that its processes have ended is demanded then."""
    recorder = Listening()
    database = McpDatabase("room", configured, recorder, **more)
    async with trio.open_nursery() as nursery:
        await nursery.start(database.run)
        yield Running(database, recorder)
        nursery.cancel_scope.cancel()
    assert not database.is_available


@attrs.define
class Hosted:
    """The process that has sessions, and what it told the log."""

    host: SessionHost
    recorder: Listening

    @property
    def pid(self) -> int:
        """The process that is ready."""
        process = self.host._kept.current
        assert process is not None
        return process.process.pid

    @property
    def waiting_bytes(self) -> int:
        """Of rows that the process has sent, and nobody has taken."""
        process = self.host._kept.current
        assert process is not None
        calls = [session._call for session in process._sessions.values()]
        came = [word for call in calls if call is not None for word in call.came]
        return sum(word.size for word in came if isinstance(word, Rows))


@asynccontextmanager
async def hosting(command: Sequence[str] | None = None, **bounds: float) -> AsyncIterator[Hosted]:
    """Run the process until the block ends; that it has ended is demanded then."""
    recorder = Listening()
    host = SessionHost(recorder, command, **{"start_interval_s": 0.0, **bounds})
    async with trio.open_nursery() as nursery:
        await nursery.start(host.run)
        hosted = Hosted(host, recorder)
        yield hosted
        pid = None if host._kept.current is None else hosted.pid
        nursery.cancel_scope.cancel()
    if pid is not None:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

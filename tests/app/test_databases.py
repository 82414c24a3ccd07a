"""Databases that come, go, and are let go of while the daemon runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio
import trio.testing

from chatd.answers.mcp.settings import DatabaseSettings
from chatd.app.databases import RETIRE_S, RunningDatabases

SAMPLE = DatabaseSettings(sample=True)
OTHER = DatabaseSettings(sample=True, connections=1)


@attrs.define(eq=False)
class Database:
    """Runs, and has something to do until it is told otherwise."""

    room: str
    book: list[str]
    is_idle: trio.Event = attrs.field(factory=trio.Event)
    crashes: int = 0

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        self.book.append(f"{self.room} runs")
        task_status.started()
        try:
            if self.crashes:
                self.crashes -= 1
                raise ConnectionError
            await trio.sleep_forever()
        finally:
            self.book.append(f"{self.room} ends")

    async def idle(self) -> None:
        await self.is_idle.wait()


@attrs.define
class Scene:
    databases: RunningDatabases
    book: list[str]

    def take(self) -> list[str]:
        came, self.book[:] = self.book[:], ()
        return came


@asynccontextmanager
async def running(**configured: DatabaseSettings) -> AsyncIterator[Scene]:
    book: list[str] = []
    databases = RunningDatabases(lambda room, _: Database(room, book), configured)  # type: ignore[arg-type,return-value]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(databases.run, lambda name, _: book.append(f"{name} crashed"))
        await trio.testing.wait_all_tasks_blocked()
        yield Scene(databases, book)
        nursery.cancel_scope.cancel()


async def test_one_that_is_as_before_goes_on_and_the_others_change(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with running(sales=SAMPLE, stock=SAMPLE) as scene:
        assert sorted(scene.take()) == ["sales runs", "stock runs"]
        before = dict(scene.databases)
        answering = scene.databases.answering
        scene.databases.replace({"sales": SAMPLE, "stock": OTHER, "new": SAMPLE})
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(scene.take()) == ["new runs", "stock runs"]
        assert scene.databases["sales"] is before["sales"]
        assert scene.databases.answering["sales"] is answering["sales"]
        assert scene.databases["stock"] is not before["stock"]
        assert list(scene.databases) == ["sales", "stock", "new"]
        before["stock"].is_idle.set()  # type: ignore[attr-defined]
        await trio.testing.wait_all_tasks_blocked()
        assert scene.take() == ["stock ends"]
    assert sorted(scene.take()) == ["new ends", "sales ends", "stock ends"]


async def test_one_that_is_gone_and_never_done_is_ended(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with running(sales=SAMPLE) as scene:
        scene.databases.replace({})
        await trio.sleep(RETIRE_S - 1)
        assert scene.take() == ["sales runs"]
        await trio.sleep(2)
        assert scene.take() == ["sales ends"]


async def test_one_that_crashes_is_started_again_and_costs_no_other(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with running(stock=SAMPLE) as scene:
        scene.take()
        crashing = Database("sales", scene.book, crashes=1)
        scene.databases._make = lambda room, settings: crashing  # type: ignore[assignment,return-value]
        scene.databases.replace({"stock": SAMPLE, "sales": SAMPLE})
        await trio.testing.wait_all_tasks_blocked()
        assert scene.take() == [
            "sales runs",
            "sales ends",
            "database sales crashed",
            "sales runs",
        ]


async def test_what_was_replaced_before_it_ran_never_runs(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A reload may come before the port is open."""
    book: list[str] = []
    databases = RunningDatabases(lambda room, _: Database(room, book), {"sales": SAMPLE})  # type: ignore[arg-type,return-value]
    databases.replace({"sales": OTHER})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(databases.run, lambda *_: None)
        await trio.testing.wait_all_tasks_blocked()
        assert book == ["sales runs"]
        nursery.cancel_scope.cancel()

"""The watchdog is fed while every actor answers, and only then."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio
import trio.testing

from chatd.app.notify import Notifier
from chatd.app.watchdog import ROUNDS, Watchdog
from chatd.observe import Recorder

WATCHDOG_S = 20.0
ROUND_S = WATCHDOG_S / ROUNDS


class HeardNotifier(Notifier):
    def __init__(self, *, watchdog_s: float | None = WATCHDOG_S) -> None:
        super().__init__(None, Recorder())
        self.watchdog_s = watchdog_s
        self.fed = 0
        self.statuses: list[str] = []

    def alive(self) -> None:
        self.fed += 1

    def status(self, status: str) -> None:
        self.statuses.append(status)

    def retry(self) -> None:
        pass


@attrs.define
class Scene:
    notifier: HeardNotifier
    is_stuck: bool = False
    is_ending: bool = False
    status: str = "Serves."


@asynccontextmanager
async def watched(watchdog_s: float | None = WATCHDOG_S) -> AsyncIterator[Scene]:
    scene = Scene(HeardNotifier(watchdog_s=watchdog_s))
    watchdog = Watchdog(
        scene.notifier, lambda: scene.is_stuck, lambda: scene.status, lambda: scene.is_ending
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watchdog.run)
        yield scene
        nursery.cancel_scope.cancel()


async def test_it_is_fed_in_time_while_all_actors_answer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with watched() as scene:
        await trio.sleep(10 * WATCHDOG_S + 0.1)
        assert scene.notifier.fed == 10 * ROUNDS + 1


async def test_it_is_not_fed_while_one_of_them_is_stuck_and_again_once_that_goes_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with watched() as scene:
        await trio.sleep(ROUND_S / 2)
        scene.is_stuck = True
        fed = scene.notifier.fed
        await trio.sleep(3 * WATCHDOG_S)
        assert scene.notifier.fed == fed
        scene.is_stuck = False
        await trio.sleep(WATCHDOG_S)
        assert scene.notifier.fed == fed + ROUNDS


async def test_a_drain_is_fed_whoever_still_answers(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with watched() as scene:
        scene.is_stuck = True
        await trio.sleep(WATCHDOG_S)
        assert scene.notifier.fed == 0
        scene.is_ending = True
        said = len(scene.notifier.statuses)
        await trio.sleep(WATCHDOG_S + ROUND_S)
        assert scene.notifier.fed >= ROUNDS
        assert len(scene.notifier.statuses) == said


async def test_the_status_is_told_without_a_watchdog_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with watched(None) as scene:
        await trio.sleep(1)
        scene.status = "Serves, without a database."
        await trio.sleep(60)
        assert (scene.notifier.statuses[0], scene.notifier.statuses[-1]) == (
            "Serves.",
            "Serves, without a database.",
        )
        assert scene.notifier.fed == 0

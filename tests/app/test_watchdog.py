"""The watchdog is fed while every actor answers, and only then."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio
import trio.testing

from chatd.actors.mailbox import Mailbox
from chatd.app.notify import Notifier
from chatd.app.watchdog import ROUNDS, Watchdog
from chatd.observe import ActorsSilent, Recorder

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
    mailboxes: dict[str, Mailbox[str]]
    recorder: Recorder
    is_ending: bool = False
    status: str = "Serves."


@asynccontextmanager
async def watched(watchdog_s: float | None = WATCHDOG_S) -> AsyncIterator[Scene]:
    scene = Scene(
        HeardNotifier(watchdog_s=watchdog_s),
        {name: Mailbox(10) for name in ("messages", "typing")},
        Recorder(),
    )
    watchdog = Watchdog(
        scene.notifier,
        {name: mailbox.answered for name, mailbox in scene.mailboxes.items()},
        lambda: scene.status,
        lambda: scene.is_ending,
        scene.recorder,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watchdog.run)
        yield scene
        nursery.cancel_scope.cancel()


async def read_for_ever(mailbox: Mailbox[str], pace_s: float = 0.0) -> None:
    async for _ in commands(mailbox):
        await trio.sleep(pace_s)


async def commands(mailbox: Mailbox[str]) -> AsyncIterator[str]:
    while batch := await mailbox.receive(1):
        yield batch[0]


async def test_it_is_fed_in_time_while_all_actors_answer(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    async with watched() as scene:
        for mailbox in scene.mailboxes.values():
            nursery.start_soon(read_for_ever, mailbox)
        await trio.sleep(10 * WATCHDOG_S + 0.1)
        assert scene.notifier.fed == 10 * ROUNDS + 1
        assert scene.recorder.events == []
    nursery.cancel_scope.cancel()


async def test_an_actor_with_much_to_do_answers_between_two_batches(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    async with watched() as scene:
        for mailbox in scene.mailboxes.values():
            nursery.start_soon(read_for_ever, mailbox, ROUND_S / 2)
            for _ in range(10):
                assert mailbox.offer("a command")
        await trio.sleep(2 * WATCHDOG_S)
        assert scene.notifier.fed >= 2 * ROUNDS - 1
    nursery.cancel_scope.cancel()


async def test_it_is_not_fed_while_one_of_them_is_stuck_and_again_once_that_goes_on(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    async with watched() as scene:
        nursery.start_soon(read_for_ever, scene.mailboxes["messages"])
        nursery.start_soon(read_for_ever, scene.mailboxes["typing"], 5 * WATCHDOG_S)
        await trio.sleep(ROUND_S / 2)
        fed = scene.notifier.fed
        assert scene.mailboxes["typing"].offer("what takes for ever")
        await trio.sleep(3 * WATCHDOG_S)
        assert scene.notifier.fed == fed
        assert scene.recorder.events[0] == ActorsSilent(("typing",), ROUND_S)
        await trio.sleep(3 * WATCHDOG_S)
        assert scene.notifier.fed > fed
    nursery.cancel_scope.cancel()


async def test_a_stuck_actor_is_asked_once_however_long_that_lasts(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with watched() as scene:  # nobody reads
        await trio.sleep(100 * WATCHDOG_S)
        tasks = sum(
            len(nursery.child_tasks) for nursery in trio.lowlevel.current_task().child_nurseries
        )
        assert tasks == 1
        assert scene.notifier.fed == 0


async def test_a_drain_is_fed_whoever_still_answers(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with watched() as scene:
        await trio.sleep(WATCHDOG_S)
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

"""FairQueue at what few can do at once: one at a time for each user, and the users in turn."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from chatd.actors.fair_queue import RETRY_MS, WAIT_S, WAITING_MAX, FairQueue, Slot


class Searches:
    """Searches that go on until they are told to end; `began` has their users in order."""

    def __init__(self, nursery: trio.Nursery, at_once: int, waiting_max: int) -> None:
        self.turns = FairQueue(at_once, waiting_max=waiting_max)
        self.began: list[str] = []
        self.refused: list[tuple[str, float]] = []
        self._nursery = nursery

    async def ask(self, *users: str) -> None:
        for user in users:
            self._nursery.start_soon(self._ask, user)
            await trio.testing.wait_all_tasks_blocked()

    async def _ask(self, user: str) -> None:
        wait_ms = await self.turns.acquire(user)
        if wait_ms is None:
            self.began.append(user)
        else:
            assert wait_ms == RETRY_MS
            self.refused.append((user, trio.current_time()))

    async def end(self, user: str) -> None:
        self.turns.release(user)
        await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def searching(at_once: int = 2, waiting_max: int = WAITING_MAX) -> AsyncIterator[Searches]:
    async with trio.open_nursery() as nursery:
        yield Searches(nursery, at_once, waiting_max)
        nursery.cancel_scope.cancel()


async def test_a_user_has_one_turn_at_a_time_and_keeps_nobody_from_another() -> None:
    async with searching() as searches:
        await searches.ask("ann", "ann", "ann", "bob")
        assert searches.began == ["ann", "bob"]
        await searches.end("bob")
        assert searches.began == ["ann", "bob"]
        await searches.end("ann")
        assert searches.began == ["ann", "bob", "ann"]


async def test_there_are_as_many_turns_at_once_as_was_said() -> None:
    async with searching() as searches:
        await searches.ask("ann", "bob", "cid", "dan")
        assert searches.began == ["ann", "bob"]
        await searches.end("bob")
        assert searches.began == ["ann", "bob", "cid"]
        await searches.end("ann")
        assert searches.began == ["ann", "bob", "cid", "dan"]


async def test_users_are_served_in_turn_however_much_one_of_them_asks() -> None:
    async with searching(at_once=1) as searches:
        await searches.ask("ann", "ann", "ann", "ann", "bob", "bob", "cid")
        for _ in range(6):
            await searches.end(searches.began[-1])
        assert searches.began == ["ann", "bob", "cid", "ann", "bob", "ann", "ann"]


async def test_who_was_just_served_comes_behind_who_came_meanwhile() -> None:
    async with searching(at_once=1) as searches:
        await searches.ask("ann", "ann", "bob")
        await searches.end("ann")
        await searches.ask("cid")
        await searches.end("bob")
        assert searches.began == ["ann", "bob", "ann"]
        await searches.ask("ann")
        await searches.end("ann")
        assert searches.began == ["ann", "bob", "ann", "cid"]


async def test_so_many_of_a_user_wait_and_one_more_is_refused_at_once() -> None:
    async with searching() as searches:
        await searches.ask(*["ann"] * (1 + WAITING_MAX))
        assert searches.refused == []
        await searches.ask("ann", "bob")
        assert [user for user, _ in searches.refused] == ["ann"]
        assert searches.began == ["ann", "bob"]
        await searches.end("ann")
        await searches.ask("ann")
        assert len(searches.refused) == 1


async def test_nobody_waits_for_long(autojump_clock: trio.testing.MockClock) -> None:
    async with searching(at_once=1) as searches:
        began_s = trio.current_time()
        await searches.ask("ann", "bob", "ann")
        await trio.sleep(WAIT_S + 1)
        late_s = began_s + WAIT_S
        assert sorted(searches.refused) == [("ann", late_s), ("bob", late_s)]
        await searches.ask("cid")
        await searches.end("ann")
        assert searches.began == ["ann", "cid"]


async def test_who_goes_away_takes_no_turn() -> None:
    async with searching(at_once=1) as searches:
        await searches.ask("ann")
        with trio.CancelScope() as scope:
            scope.cancel()
            await searches.turns.acquire("bob")
        assert scope.cancelled_caught
        await searches.ask("cid")
        await searches.end("ann")
        assert searches.began == ["ann", "cid"]


async def test_who_is_given_a_turn_in_the_step_of_a_cancellation_has_it() -> None:
    held = FairQueue(1)
    assert await held.acquire("ann") is None
    came: list[str] = []

    async def wait() -> None:
        assert await held.acquire("bob") is None
        came.append("in time")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        held.release("ann")
        nursery.cancel_scope.cancel()
    assert came == ["in time"]


@pytest.mark.parametrize("waiting_max", [0, 1])
async def test_nothing_is_left_of_who_was_served_or_refused(
    autojump_clock: trio.testing.MockClock, waiting_max: int
) -> None:
    async with searching(at_once=1, waiting_max=waiting_max) as searches:
        await searches.ask("ann", "ann", "ann", "bob")
        await trio.sleep(WAIT_S + 1)
        await searches.end("ann")
        assert searches.turns.is_idle


async def test_a_turn_that_comes_when_the_wait_is_over_is_not_lost(
    autojump_clock: trio.testing.MockClock,
) -> None:
    turns = FairQueue(1)

    async def hold_for(user: str, seconds: float) -> None:
        if await turns.acquire(user) is None:
            await trio.sleep(seconds)
            turns.release(user)

    for _ in range(40):  # which task of a turn of the loop runs first is chance
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold_for, "ann", WAIT_S)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(hold_for, "bob", 0)
        assert turns.is_idle


async def test_a_turn_is_given_without_a_look_at_all_who_wait() -> None:
    async with searching(at_once=2) as searches:
        await searches.ask("ann", "bob", *(f"user {number}" for number in range(50)))
        looked: list[str] = []
        take = searches.turns._slots.acquire_nowait

        def noted(user_id: str, slots: Sequence[Slot]) -> bool:
            looked.append(user_id)
            return take(user_id, slots)

        searches.turns._slots.acquire_nowait = noted  # type: ignore[method-assign]  # it listens
        await searches.end("ann")
        assert looked == ["user 0"]
        assert searches.began == ["ann", "bob", "user 0"]

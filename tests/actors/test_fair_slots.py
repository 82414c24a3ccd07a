import math

import pytest
import trio
import trio.testing

from chatd.actors.fair_queue import FairSlots, Limit, Slot

USER, ROOM, DATABASE = "user", "room", "database"

ANN, BOB = (USER, "ann"), (USER, "bob")
DEMO, SALES = (ROOM, "demo"), (ROOM, "sales")
DB = (DATABASE, "demo")


def places(user: float = 1, room: float = 2) -> FairSlots:
    return FairSlots({USER: Limit(lambda _: user), ROOM: Limit(lambda _: room)})


def sessions(number: int) -> FairSlots:
    """The places of databases, which users share."""
    return FairSlots({DATABASE: Limit(lambda _: number, is_shared=True)})


class Line:
    """Users who wait for places, and who of them was served."""

    def __init__(self, held: FairSlots, nursery: trio.Nursery) -> None:
        self.served: list[str] = []
        self._held = held
        self._nursery = nursery

    async def join(self, user_id: str, *wanted: Slot, name: str | None = None) -> None:
        async def wait() -> None:
            await self._held.acquire(user_id, wanted)
            self.served.append(name or user_id)

        self._nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()

    async def after(self, user_id: str, *left: Slot) -> list[str]:
        """Who was served, all in all, once this user has given these back."""
        self._held.release(user_id, left)
        await trio.testing.wait_all_tasks_blocked()
        return self.served


def test_there_are_as_many_places_as_was_said() -> None:
    held = places()
    assert held.acquire_nowait("ann", [ANN, DEMO])
    assert not held.acquire_nowait("ann", [ANN, SALES])
    assert held.acquire_nowait("bob", [BOB, DEMO])
    assert not held.acquire_nowait("eve", [(USER, "eve"), DEMO])
    held.release("ann", [ANN, DEMO])
    assert held.acquire_nowait("ann", [ANN, DEMO])


def test_who_gets_one_of_several_places_gets_none() -> None:
    held = places()
    assert held.acquire_nowait("ann", [ANN, DEMO])
    assert not held.acquire_nowait("ann", [ANN, SALES])
    assert held.acquire_nowait("bob", [BOB, SALES])
    assert held.acquire_nowait("eve", [(USER, "eve"), SALES])
    assert not held.acquire_nowait("dan", [(USER, "dan"), SALES])


def test_a_limit_may_be_as_high_as_can_be() -> None:
    held = places(user=math.inf, room=math.inf)
    assert all(held.acquire_nowait("ann", [ANN, DEMO]) for _ in range(1_000))


def test_one_user_never_has_the_last_of_what_users_share() -> None:
    held = sessions(3)
    assert [held.acquire_nowait("ann", [DB]) for _ in range(3)] == [True, True, False]
    assert held.acquire_nowait("bob", [DB])
    assert not held.acquire_nowait("bob", [DB])
    held.release("bob", [DB])
    assert not held.acquire_nowait("ann", [DB])
    held.release("ann", [DB])
    assert held.acquire_nowait("ann", [DB])
    assert sessions(1).acquire_nowait("ann", [DB])


def test_how_many_there_are_may_change() -> None:
    number = [2]
    held = FairSlots({DATABASE: Limit(lambda _: number[0], is_shared=True)})
    assert held.acquire_nowait("ann", [DB])
    number[0] = 1
    assert not held.acquire_nowait("bob", [DB])
    number[0] = 2
    assert held.acquire_nowait("bob", [DB])


async def test_who_waits_is_served_in_order_and_not_behind_who_waits_for_other_places(
    nursery: trio.Nursery,
) -> None:
    held = places(user=1, room=1)
    assert held.acquire_nowait("ann", [ANN, DEMO])
    assert held.acquire_nowait("bob", [BOB, SALES])
    line = Line(held, nursery)
    for name, room in (("c", DEMO), ("d", SALES), ("e", DEMO)):
        await line.join(name, (USER, name), room)
    assert await line.after("bob", BOB, SALES) == ["d"]
    assert await line.after("ann", ANN, DEMO) == ["d", "c"]
    assert await line.after("c", (USER, "c"), DEMO) == ["d", "c", "e"]


async def test_a_user_with_other_questions_in_line_is_no_obstacle_to_their_own(
    nursery: trio.Nursery,
) -> None:
    held = places(user=9, room=1)
    assert held.acquire_nowait("ann", [DEMO])
    assert held.acquire_nowait("bob", [SALES])
    line = Line(held, nursery)
    await line.join("eve", DEMO, name="eve in demo")
    await line.join("eve", SALES, name="eve in sales")
    assert await line.after("bob", SALES) == ["eve in sales"]


@pytest.mark.parametrize("number", [1, 2])
async def test_users_are_served_in_turn_however_many_questions_one_has(
    nursery: trio.Nursery, number: int
) -> None:
    held = sessions(number)
    assert held.acquire_nowait("ann", [DB])
    if number == 2:
        assert held.acquire_nowait("dan", [DB])
    line = Line(held, nursery)
    for count in range(3):
        await line.join("ann", DB, name=f"ann {count}")
    await line.join("bob", DB)
    await line.join("eve", DB)
    assert await line.after("ann", DB) == ["bob"]
    assert await line.after("bob", DB) == ["bob", "eve"]
    assert await line.after("eve", DB) == ["bob", "eve", "ann 0"]
    await line.join("bob", DB)
    assert await line.after("ann", DB) == ["bob", "eve", "ann 0", "bob"]


async def test_who_was_served_goes_behind_who_was_not(nursery: trio.Nursery) -> None:
    held = sessions(4)
    for user_id in ("c", "d", "e", "f"):
        assert held.acquire_nowait(user_id, [DB])
    line = Line(held, nursery)
    for name in ("ann 0", "ann 1"):
        await line.join("ann", DB, name=name)
    await line.join("bob", DB)
    assert await line.after("c", DB) == ["ann 0"]
    assert await line.after("d", DB) == ["ann 0", "bob"]
    assert await line.after("e", DB) == ["ann 0", "bob", "ann 1"]


async def test_who_gives_up_takes_nothing(autojump_clock: trio.testing.MockClock) -> None:
    held = places()
    assert held.acquire_nowait("ann", [ANN, DEMO])
    with trio.move_on_after(5) as scope:
        await held.acquire("ann", [ANN, DEMO])
    assert scope.cancelled_caught
    assert held.waiting_of("ann") == 0
    held.release("ann", [ANN, DEMO])
    assert held.acquire_nowait("ann", [ANN, DEMO])


async def test_nothing_is_left_of_who_has_gone(nursery: trio.Nursery) -> None:
    held = sessions(1)
    line = Line(held, nursery)
    for name in "abc":
        await line.join(name, DB)
    for name in "abc":
        await line.after(name, DB)
    assert line.served == ["a", "b", "c"]
    assert held.is_idle


async def test_who_is_given_a_place_in_the_step_of_a_cancellation_has_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    held = places()
    assert held.acquire_nowait("ann", [ANN, DEMO])
    came: list[str] = []

    async def wait() -> None:
        await held.acquire("ann", [ANN, DEMO])
        came.append("in time")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        held.release("ann", [ANN, DEMO])
        nursery.cancel_scope.cancel()
    assert came == ["in time"]
    assert not held.acquire_nowait("ann", [ANN, DEMO])


async def test_who_is_given_a_place_after_its_cancellation_gives_it_back(
    nursery: trio.Nursery,
) -> None:
    held = places(user=1, room=1)
    assert held.acquire_nowait("ann", [DEMO])
    line = Line(held, nursery)
    with trio.CancelScope() as scope:

        async def leave_and_give() -> None:
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
            held.release("ann", [DEMO])

        nursery.start_soon(leave_and_give)
        await held.acquire("bob", [DEMO])
    assert scope.cancelled_caught
    assert held.is_idle
    await line.join("eve", DEMO)
    assert line.served == ["eve"]


async def test_who_waits_is_served_where_a_limit_became_larger() -> None:
    most = 1
    held = FairSlots({DATABASE: Limit(lambda _: most, is_shared=True)})
    assert held.acquire_nowait("ann", [DB])
    async with trio.open_nursery() as nursery:
        line = Line(held, nursery)
        await line.join("bob", DB)
        most = 2
        held.look_again()
        assert not held.acquire_nowait("eve", [DB])
        await trio.testing.wait_all_tasks_blocked()
        assert line.served == ["bob"]

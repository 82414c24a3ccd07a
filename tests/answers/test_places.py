import math

import trio
import trio.testing

from chatd.answers.places import Places

ANN, BOB = ("user", "ann"), ("user", "bob")
DEMO, SALES = ("room", "demo"), ("room", "sales")


def places(user: float = 1, room: float = 2) -> Places:
    return Places({"user": user, "room": room})


def test_there_are_as_many_places_as_was_said() -> None:
    held = places()
    assert held.take([ANN, DEMO])
    assert not held.take([ANN, SALES])
    assert held.take([BOB, DEMO])
    assert not held.take([("user", "eve"), DEMO])
    held.leave([ANN, DEMO])
    assert held.take([ANN, DEMO])


def test_who_gets_one_of_several_places_gets_none() -> None:
    held = places()
    assert held.take([ANN, DEMO])
    assert not held.take([ANN, SALES])
    assert held.take([BOB, SALES])
    assert held.take([("user", "eve"), SALES])
    assert not held.take([("user", "dan"), SALES])


def test_a_limit_may_be_as_high_as_can_be() -> None:
    held = places(user=math.inf, room=math.inf)
    assert all(held.take([ANN, DEMO]) for _ in range(1_000))


async def test_who_waits_is_served_in_order_and_not_behind_who_waits_for_other_places(
    nursery: trio.Nursery,
) -> None:
    held = places(user=1, room=1)
    assert held.take([ANN, DEMO])
    assert held.take([BOB, SALES])
    served: list[str] = []

    async def wait(name: str, room: tuple[str, str]) -> None:
        await held.wait([("user", name), room])
        served.append(name)

    for name, room in (("c", DEMO), ("d", SALES), ("e", DEMO)):
        nursery.start_soon(wait, name, room)
        await trio.testing.wait_all_tasks_blocked()
    held.leave([BOB, SALES])
    await trio.testing.wait_all_tasks_blocked()
    assert served == ["d"]
    held.leave([ANN, DEMO])
    await trio.testing.wait_all_tasks_blocked()
    assert served == ["d", "c"]
    held.leave([("user", "c"), DEMO])
    await trio.testing.wait_all_tasks_blocked()
    assert served == ["d", "c", "e"]


async def test_who_gives_up_takes_nothing(autojump_clock: trio.testing.MockClock) -> None:
    held = places()
    assert held.take([ANN, DEMO])
    with trio.move_on_after(5) as scope:
        await held.wait([ANN, DEMO])
    assert scope.cancelled_caught
    held.leave([ANN, DEMO])
    assert held.take([ANN, DEMO])


async def test_who_is_given_a_place_in_the_step_of_a_cancellation_has_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    held = places()
    assert held.take([ANN, DEMO])
    came: list[str] = []

    async def wait() -> None:
        await held.wait([ANN, DEMO])
        came.append("in time")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        held.leave([ANN, DEMO])
        nursery.cancel_scope.cancel()
    assert came == ["in time"]
    assert not held.take([ANN, DEMO])

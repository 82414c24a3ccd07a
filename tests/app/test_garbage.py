"""What the garbage collector looks at, and when it looks at everything."""

import gc
import weakref
from collections.abc import Iterator

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatd.app.garbage import (
    ENDED,
    FREEZE_S,
    GROWTH_BLOCKS,
    LONGEST_S,
    PAUSE,
    SHARE,
    STORM,
    Garbage,
)


class Circle:
    """Something that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@attrs.define
class Process:
    """What there is in a process, of which the collector looks at its own."""

    blocks: int = 0
    connections: int = 0
    connections_ended: int = 0

    def garbage(self) -> Garbage:
        """That of this process, which has looked for the first time."""
        garbage = Garbage(self, lambda: self.blocks)
        garbage.look()
        return garbage


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    gc.collect()
    yield
    gc.unfreeze()


def is_known(one: object) -> bool:
    """Whether the collector would look at it."""
    return any(known is one for known in gc.get_objects())


def frozen_circle(garbage: Garbage) -> weakref.ref[Circle]:
    """One that nobody refers to any more, and that the collector does not know."""
    circle = Circle()
    garbage.look()
    return weakref.ref(circle)


async def test_what_lives_is_frozen() -> None:
    circle = Circle()
    garbage = Process().garbage()
    later = Circle()
    assert (is_known(circle), is_known(later)) == (False, True)
    garbage.look()
    assert not is_known(later)


async def test_nothing_is_frozen_while_very_many_come_and_go(mock_clock: MockClock) -> None:
    process = Process()
    garbage = process.garbage()
    circle = Circle()
    for ended in (STORM + 1, STORM + 1, STORM):
        assert is_known(circle)
        process.connections_ended += ended
        garbage.look()
    assert not is_known(circle)


async def test_what_is_young_and_in_a_circle_goes_at_once(mock_clock: MockClock) -> None:
    garbage = Process().garbage()
    gone = weakref.ref(Circle())
    garbage.look()
    assert gone() is None


@pytest.mark.parametrize(
    ("there", "ended", "blocks"),
    [
        (Process(), ENDED, 0),
        (Process(connections=ENDED * SHARE * 3), ENDED * 3, 0),
        (Process(), 0, GROWTH_BLOCKS),
        (Process(blocks=GROWTH_BLOCKS * SHARE * 3), 0, GROWTH_BLOCKS * 3),
    ],
)
async def test_a_circle_that_was_frozen_goes_where_there_may_be_many(
    there: Process, ended: int, blocks: int, mock_clock: MockClock
) -> None:
    process = attrs.evolve(there)
    garbage = process.garbage()
    for _ in range(3):  # each time it is so much
        gone = frozen_circle(garbage)
        process.connections_ended += ended
        process.blocks = there.blocks + blocks
        garbage.look()
        assert gone() is not None
        process.connections_ended += bool(ended)
        process.blocks += bool(blocks)
        garbage.look()
        assert gone() is None
        process.blocks = there.blocks
        mock_clock.jump(LONGEST_S)
        garbage.look()


async def test_a_circle_that_was_frozen_goes_after_a_while_anyhow(mock_clock: MockClock) -> None:
    garbage = Process().garbage()
    gone = frozen_circle(garbage)
    mock_clock.jump(0.99 * LONGEST_S)
    garbage.look()
    assert gone() is not None
    mock_clock.jump(0.01 * LONGEST_S)
    garbage.look()
    assert gone() is None


async def test_looks_at_everything_take_a_small_part_of_the_time(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Process()
    looks = 0

    def collect(generation: int = 2) -> int:
        nonlocal looks
        if generation == 2:
            looks += 1
            mock_clock.jump(0.5)
        return 0

    monkeypatch.setattr(gc, "collect", collect)
    garbage = process.garbage()
    for _ in range(10):
        looks = 0
        for _ in range(PAUSE + 1):
            process.connections_ended += 100 * ENDED
            garbage.look()
            mock_clock.jump(0.5)
        assert looks == 1


async def test_it_looks_again_and_again(mock_clock: MockClock, nursery: trio.Nursery) -> None:
    garbage = Process().garbage()
    nursery.start_soon(garbage.run)
    for _ in range(2):
        circle = Circle()
        await wait_all_tasks_blocked()
        assert is_known(circle)
        mock_clock.jump(FREEZE_S)
        await wait_all_tasks_blocked()
        assert not is_known(circle)

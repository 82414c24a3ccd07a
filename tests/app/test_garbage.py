"""What the garbage collector looks at, and when it looks at everything."""

import gc
import weakref
from collections.abc import Iterator

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatd.app.garbage import (
    COUNT_S,
    FREEZE_S,
    GROWTH_BLOCKS,
    GROWTH_SHARE,
    LONGEST_S,
    Garbage,
)


class Circle:
    """Something that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@attrs.define
class Memory:
    """How much of it is in use, and how often that was counted."""

    blocks: int = 0
    counts: int = 0

    def count(self) -> int:
        self.counts += 1
        return self.blocks


def begun(memory: Memory | None = None) -> Garbage:
    """One that has looked for the first time."""
    garbage = Garbage((memory or Memory()).count)
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
    garbage = begun()
    later = Circle()
    assert (is_known(circle), is_known(later)) == (False, True)
    garbage.look()
    assert not is_known(later)


async def test_what_is_young_and_in_a_circle_goes_at_once(mock_clock: MockClock) -> None:
    garbage = begun()
    gone = weakref.ref(Circle())
    garbage.look()
    assert gone() is None


@pytest.mark.parametrize(
    ("there", "more"),
    [(0, GROWTH_BLOCKS), (GROWTH_BLOCKS * GROWTH_SHARE * 3, GROWTH_BLOCKS * 3)],
    ids=["a little", "much"],
)
async def test_a_circle_that_was_frozen_goes_where_there_is_more_in_memory(
    there: int, more: int, mock_clock: MockClock
) -> None:
    memory = Memory(there)
    garbage = begun(memory)
    for _ in range(3):  # each time it is so much
        memory.blocks = there + more
        gone = frozen_circle(garbage)
        mock_clock.jump(COUNT_S)
        garbage.look()
        assert gone() is not None
        memory.blocks += 1
        mock_clock.jump(COUNT_S)
        garbage.look()
        assert gone() is None
        memory.blocks = there
        mock_clock.jump(LONGEST_S)
        garbage.look()


async def test_a_circle_that_was_frozen_goes_after_a_while_anyhow(mock_clock: MockClock) -> None:
    garbage = begun()
    gone = frozen_circle(garbage)
    mock_clock.jump(0.99 * LONGEST_S)
    garbage.look()
    assert gone() is not None
    mock_clock.jump(0.01 * LONGEST_S + COUNT_S)
    garbage.look()
    assert gone() is None


async def test_memory_is_counted_now_and_then(mock_clock: MockClock) -> None:
    memory = Memory()
    garbage = begun(memory)
    counts = memory.counts
    for _ in range(4):
        mock_clock.jump(COUNT_S / 2)
        garbage.look()
    assert memory.counts == counts + 2


async def test_looks_at_everything_take_a_small_part_of_the_time(mock_clock: MockClock) -> None:
    memory = Memory()
    garbage = begun(memory)
    gone = None
    for _ in range(round(COUNT_S)):  # however fast memory grows
        assert gone is None or gone() is not None
        memory.blocks += 10 * GROWTH_BLOCKS
        gone = frozen_circle(garbage)
        mock_clock.jump(0.99 * FREEZE_S)
        garbage.look()
    assert gone is not None
    assert gone() is not None


async def test_it_looks_again_and_again(mock_clock: MockClock, nursery: trio.Nursery) -> None:
    garbage = begun()
    nursery.start_soon(garbage.run)
    for _ in range(2):
        circle = Circle()
        await wait_all_tasks_blocked()
        assert is_known(circle)
        mock_clock.jump(FREEZE_S)
        await wait_all_tasks_blocked()
        assert not is_known(circle)

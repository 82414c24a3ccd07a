"""What the garbage collector looks at, and when it looks at everything."""

import gc
import weakref
from collections.abc import Iterator

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatd.app.garbage import FREEZE_S, GROWTH, SPARE_BLOCKS, Garbage


class Circle:
    """Something that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    gc.collect()
    yield
    gc.unfreeze()


def is_known(one: object) -> bool:
    """Whether the collector would look at it."""
    return any(known is one for known in gc.get_objects())


def test_what_lives_is_frozen() -> None:
    garbage, circle = Garbage(), Circle()
    garbage.look()
    later = Circle()
    assert (is_known(circle), is_known(later)) == (False, True)
    garbage.look()
    assert not is_known(later)


def test_what_is_young_and_in_a_circle_goes_at_once() -> None:
    garbage = Garbage(lambda: 1)
    garbage.look()
    gone = weakref.ref(Circle())
    garbage.look()
    assert gone() is None


def test_a_circle_that_was_frozen_goes_once_there_is_more_by_a_quarter() -> None:
    blocks = 1_000_000
    garbage = Garbage(lambda: blocks)
    circle = Circle()
    garbage.look()
    gone = weakref.ref(circle)
    del circle
    blocks = int(blocks * GROWTH) + SPARE_BLOCKS
    garbage.look()
    assert gone() is not None
    blocks += 1
    garbage.look()
    assert gone() is None


async def test_it_looks_again_and_again(mock_clock: MockClock, nursery: trio.Nursery) -> None:
    garbage = Garbage()
    garbage.look()
    nursery.start_soon(garbage.run)
    for _ in range(2):
        circle = Circle()
        await wait_all_tasks_blocked()
        assert is_known(circle)
        mock_clock.jump(FREEZE_S)
        await wait_all_tasks_blocked()
        assert not is_known(circle)

"""What the garbage collector looks at, and when it looks at everything."""

import gc
import weakref
from collections.abc import Iterator

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatd.app.garbage import ENDED_MAX, FREEZE_S, GROWTH_BYTES, Garbage, resident_bytes


class Circle:
    """Something that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@attrs.define
class Process:
    """What a process says of itself."""

    bytes: int = 100_000_000
    ended: int = 0

    def garbage(self) -> Garbage:
        """That of this process, which has looked for the first time."""
        garbage = Garbage(lambda: self.ended, lambda: self.bytes)
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


def test_what_lives_is_frozen() -> None:
    circle = Circle()
    garbage = Process().garbage()
    later = Circle()
    assert (is_known(circle), is_known(later)) == (False, True)
    garbage.look()
    assert not is_known(later)


def test_what_is_young_and_in_a_circle_goes_at_once() -> None:
    garbage = Process().garbage()
    gone = weakref.ref(Circle())
    garbage.look()
    assert gone() is None


@pytest.mark.parametrize(("bytes_more", "ended"), [(GROWTH_BYTES, 0), (0, ENDED_MAX)])
def test_a_circle_that_was_frozen_goes_where_there_may_be_many(bytes_more: int, ended: int) -> None:
    process = Process()
    garbage = process.garbage()
    for _ in range(3):  # each time it is so much
        gone = frozen_circle(garbage)
        process.bytes += bytes_more
        process.ended += ended
        garbage.look()
        assert gone() is not None
        process.bytes += bool(bytes_more)
        process.ended += bool(ended)
        garbage.look()
        assert gone() is None


def test_a_process_that_shrinks_and_grows_again_as_before_is_not_looked_through() -> None:
    process = Process()
    garbage = process.garbage()
    gone = frozen_circle(garbage)
    for change in (-50_000_000, 50_000_000, GROWTH_BYTES):
        process.bytes += change
        garbage.look()
    assert gone() is not None


def test_the_memory_is_that_of_the_process() -> None:
    before = resident_bytes()
    held = bytearray(b"x") * 64_000_000
    assert 60_000_000 < resident_bytes() - before < 80_000_000
    assert len(held) == 64_000_000


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

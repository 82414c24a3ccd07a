"""A timer of the system, in an epoll."""

import select
from collections.abc import Iterator

import pytest

from chatd.bench.timer import Timer
from chatd.observe.clock import Clock


@pytest.fixture
def timer() -> Iterator[Timer]:
    timer = Timer()
    yield timer
    timer.close()


def test_a_moment_is_kept_to_less_than_a_millisecond_and_never_early(timer: Timer) -> None:
    epoll, clock, late_us = select.epoll(), Clock(), []
    with epoll:
        epoll.register(timer.descriptor, select.EPOLLIN)
        for _ in range(20):
            due_us = clock.monotonic_us() + 1500
            timer.set(due_us)
            assert epoll.poll(10)
            late_us.append(clock.monotonic_us() - due_us)
            timer.clear()
            assert not epoll.poll(0)
    assert min(late_us) >= 0
    assert min(late_us) < 1000  # the machine may be busy at times, the timer is not


def test_a_moment_that_is_over_comes_at_once_and_a_new_one_takes_its_place(timer: Timer) -> None:
    timer.set(1)
    assert select.select([timer.descriptor], [], [], 10)[0]
    timer.set(Clock().monotonic_us() + 60_000_000)
    assert not select.select([timer.descriptor], [], [], 0)[0]
    timer.clear()  # nothing has come, and nobody waits

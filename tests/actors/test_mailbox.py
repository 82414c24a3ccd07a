from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatd.actors.mailbox import Mailbox


@pytest.fixture
def mailbox() -> Mailbox[int]:
    return Mailbox(capacity=3)


def fill(mailbox: Mailbox[int]) -> None:
    while mailbox.offer(len(mailbox)):
        pass


async def ends(function: Callable[[], Awaitable[object]]) -> bool:
    """Whether a call returns at once, without anybody else doing anything."""
    with trio.move_on_after(0) as scope:
        await function()
    return not scope.cancelled_caught


async def test_commands_come_out_in_the_order_in_which_they_went_in(mailbox: Mailbox[int]) -> None:
    assert [mailbox.offer(number) for number in (1, 2, 3)] == [True] * 3
    assert await mailbox.receive(2) == [1, 2]
    mailbox.offer(4)
    assert await mailbox.receive(10) == [3, 4]


async def test_a_full_mailbox_refuses_and_keeps_what_it_has(mailbox: Mailbox[int]) -> None:
    fill(mailbox)
    assert not mailbox.offer(99)
    assert len(mailbox) == 3
    assert await mailbox.receive(10) == [0, 1, 2]
    assert mailbox.offer(99)


async def test_a_reader_waits_for_the_first_command_and_takes_all_that_came_with_it(
    mailbox: Mailbox[int], nursery: trio.Nursery
) -> None:
    taken: list[int] = []

    async def read() -> None:
        taken.extend(await mailbox.receive(10))

    nursery.start_soon(read)
    await wait_all_tasks_blocked()
    assert not taken
    mailbox.offer(1)
    mailbox.offer(2)
    await wait_all_tasks_blocked()
    assert taken == [1, 2]


async def test_a_cancelled_take_loses_no_command(mailbox: Mailbox[int]) -> None:
    assert not await ends(lambda: mailbox.receive(1))
    assert mailbox.offer(1)
    assert await mailbox.receive(1) == [1]


@pytest.mark.parametrize("cancel_first", [False, True])
async def test_a_take_that_is_cancelled_as_a_command_arrives_loses_no_command(
    mailbox: Mailbox[int], nursery: trio.Nursery, cancel_first: bool
) -> None:
    taken: list[int] = []
    scope = trio.CancelScope()

    async def read() -> None:
        with scope:
            taken.extend(await mailbox.receive(1))

    nursery.start_soon(read)
    await wait_all_tasks_blocked()
    if cancel_first:
        scope.cancel()
    mailbox.offer(7)
    scope.cancel()
    await wait_all_tasks_blocked()
    mailbox.close()
    assert [*taken, *await mailbox.receive(1)] == [7]


async def test_space_is_there_at_once_in_a_mailbox_that_is_not_full(mailbox: Mailbox[int]) -> None:
    mailbox.offer(1)
    assert await ends(mailbox.space)


async def test_space_comes_when_the_reader_takes(
    mailbox: Mailbox[int], nursery: trio.Nursery
) -> None:
    fill(mailbox)
    offered: list[int] = []

    async def send(number: int) -> None:
        while not mailbox.offer(number):
            await mailbox.space()
        offered.append(number)

    for number in (10, 11, 12):
        nursery.start_soon(send, number)
    await wait_all_tasks_blocked()
    assert not offered
    await mailbox.receive(1)
    await wait_all_tasks_blocked()
    assert len(offered) == 1
    assert len(mailbox) == 3
    await mailbox.receive(3)
    await wait_all_tasks_blocked()
    assert sorted(offered) == [10, 11, 12]


async def test_who_gives_up_waiting_for_space_holds_nobody_back(
    mailbox: Mailbox[int], nursery: trio.Nursery
) -> None:
    fill(mailbox)
    assert not await ends(mailbox.space)
    nursery.start_soon(mailbox.space)
    await wait_all_tasks_blocked()
    await mailbox.receive(1)
    await wait_all_tasks_blocked()
    assert not nursery.child_tasks


async def test_a_closed_mailbox_refuses_and_gives_what_is_left(mailbox: Mailbox[int]) -> None:
    fill(mailbox)
    mailbox.close()
    assert mailbox.is_closed
    assert await mailbox.receive(2) == [0, 1]
    assert not mailbox.offer(99)
    assert await mailbox.receive(2) == [2]
    assert await mailbox.receive(2) == []
    assert await mailbox.receive(2) == []


async def test_what_must_not_be_lost_is_read_or_left_after_the_end(mailbox: Mailbox[int]) -> None:
    mailbox.offer(0)
    mailbox.close()
    mailbox.put(1)
    assert await mailbox.receive(2) == [0, 1]
    assert await mailbox.receive(2) == []
    mailbox.put(2)
    assert mailbox.left() == (2,)
    assert len(mailbox) == 0  # nobody is late with it


async def test_closing_wakes_the_reader_with_nothing(
    mailbox: Mailbox[int], nursery: trio.Nursery
) -> None:
    batches: list[list[int]] = []

    async def read() -> None:
        batches.append(await mailbox.receive(1))

    nursery.start_soon(read)
    await wait_all_tasks_blocked()
    mailbox.close()
    mailbox.close()
    await wait_all_tasks_blocked()
    assert batches == [[]]


async def test_closing_wakes_those_who_wait_for_space(
    mailbox: Mailbox[int], nursery: trio.Nursery
) -> None:
    fill(mailbox)
    for _ in range(2):
        nursery.start_soon(mailbox.space)
    await wait_all_tasks_blocked()
    assert len(nursery.child_tasks) == 2
    mailbox.close()
    await wait_all_tasks_blocked()
    assert not nursery.child_tasks
    assert await ends(mailbox.space)


async def test_a_patient_command_waits_until_its_patience_ends(
    mailbox: Mailbox[int], nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    began_s = trio.current_time()
    assert mailbox.offer(1, 0.2)
    assert mailbox.offer(2, 5.0)
    assert await mailbox.receive(9) == [1, 2]
    assert trio.current_time() - began_s == pytest.approx(0.2)
    assert mailbox.waiting_since_s - began_s == pytest.approx(0.2)


async def test_a_patient_command_goes_with_the_first_that_is_not(
    mailbox: Mailbox[int], nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    taken: list[list[int]] = []

    async def take() -> None:
        taken.append(await mailbox.receive(9))

    nursery.start_soon(take)
    await wait_all_tasks_blocked()
    mailbox.offer(1, 5.0)
    mailbox.offer(2, 0.5)
    await wait_all_tasks_blocked()
    assert taken == []
    mock_clock.jump(0.25)
    mailbox.offer(3)
    await wait_all_tasks_blocked()
    assert taken == [[1, 2, 3]]
    assert mailbox.waiting_since_s == trio.current_time()


async def test_what_one_batch_leaves_is_patient_no_more(mailbox: Mailbox[int]) -> None:
    for number in (1, 2):
        mailbox.offer(number, 1e9)
    mailbox.offer(3)
    with trio.fail_after(5):
        assert await mailbox.receive(1) == [1]
        assert await mailbox.receive(2) == [2, 3]


async def test_a_mailbox_that_is_closed_has_no_patience(mailbox: Mailbox[int]) -> None:
    mailbox.offer(1, 1e9)
    mailbox.close()
    assert not mailbox.offer(2, 1e9)
    with trio.fail_after(5):
        assert await mailbox.receive(9) == [1]
        assert await mailbox.receive(9) == []


async def test_patient_commands_fill_a_mailbox_too(mailbox: Mailbox[int]) -> None:
    offered = [mailbox.offer(number, 1e9) for number in range(4)]
    assert offered == [True, True, True, False]


async def test_a_reader_that_lets_more_gather_does_not_wait_with_something_urgent(
    mailbox: Mailbox[int], mock_clock: MockClock
) -> None:
    mailbox.offer(1)
    assert not await ends(lambda: mailbox.gather(10.0, 9))
    mailbox.offer(2, is_urgent=True)
    assert await ends(lambda: mailbox.gather(10.0, 9))
    assert await mailbox.receive(1) == [1]
    assert mailbox.is_urgent  # it is not known which one is
    assert await mailbox.receive(1) == [2]
    assert not mailbox.is_urgent


async def test_a_reader_that_lets_more_gather_waits_until_its_time(
    mailbox: Mailbox[int], nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    ended = trio.Event()

    async def gather() -> None:
        await mailbox.gather(trio.current_time() + 1.0, 2)
        ended.set()

    nursery.start_soon(gather)
    await wait_all_tasks_blocked()
    mailbox.offer(1)
    await wait_all_tasks_blocked()
    assert not ended.is_set()
    mock_clock.jump(1.1)
    await wait_all_tasks_blocked()
    assert ended.is_set()


async def test_a_reader_that_lets_more_gather_waits_until_there_are_enough(
    mailbox: Mailbox[int], nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    nursery.start_soon(mailbox.gather, 10.0, 2)
    await wait_all_tasks_blocked()
    mailbox.offer(1, 1.0)
    assert nursery.child_tasks
    mailbox.offer(2, 1.0)  # patient ones count too
    await wait_all_tasks_blocked()
    assert not nursery.child_tasks


async def test_a_mailbox_that_is_full_refuses_what_is_urgent_too(mailbox: Mailbox[int]) -> None:
    fill(mailbox)
    assert not mailbox.offer(4, is_urgent=True)
    assert not mailbox.is_urgent


async def test_the_end_is_waited_for_by_nobody(mailbox: Mailbox[int]) -> None:
    mailbox.close()
    assert await ends(lambda: mailbox.gather(10.0, 9))


async def test_a_put_may_be_patient(mailbox: Mailbox[int], mock_clock: MockClock) -> None:
    mailbox.put(1, 1.0)
    assert not mailbox.has_due
    mailbox.put(2)
    assert mailbox.has_due

"""What a receiver sees: each message once and in order, or what was wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.bench import deliveries
from chatd.bench.deliveries import MARK, Deliveries, mark


def heard(numbers: list[int], sender: int = 1) -> tuple[int, int, int]:
    got = Deliveries()
    for number in numbers:
        got.came(sender, number)
    return got.received, got.twice, got.out_of_order


@pytest.mark.parametrize(
    ("numbers", "seen"),
    [
        ([0, 1, 2], (3, 0, 0)),
        ([0, 2], (2, 0, 0)),  # what did not come is known from the counts
        ([0, 1, 1, 2], (3, 1, 0)),
        ([0, 2, 1], (3, 0, 1)),
        ([0, 3, 1, 2, 2], (4, 1, 2)),
        ([1, 0, 0], (2, 1, 1)),
    ],
)
def test_what_came_is_counted(numbers: list[int], seen: tuple[int, int, int]) -> None:
    assert heard(numbers) == seen


@given(st.permutations(range(8)))
def test_a_shuffled_stream_is_whole_and_late_wherever_something_later_came_first(
    order: list[int],
) -> None:
    late = sum(number < max(order[:place], default=-1) for place, number in enumerate(order))
    assert heard(order) == (8, 0, late)


def test_senders_do_not_disturb_each_other() -> None:
    got = Deliveries()
    assert all(got.came(sender, number) for number in range(3) for sender in (1, 2))
    assert (got.received, got.twice, got.out_of_order) == (6, 0, 0)


def test_what_is_missing_is_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "HELD_MAX", 2)
    assert heard([5, 0, 1, 2]) == (3, 1, 2)


def test_a_mark_is_found_in_what_a_server_makes_of_it() -> None:
    found = MARK.search(b'42["x",{"content":"' + mark(1, 22, 333, 4444) + b' xxx"}]')
    assert found is not None
    assert [int(part) for part in found.groups()] == [1, 22, 333, 4444]

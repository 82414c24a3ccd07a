"""Failed authentications back off per address."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.auth import FailureBackoff

A, B, C = "192.0.2.1", "192.0.2.2", "2001:db8::1"


def backoff(**changes: Any) -> FailureBackoff:
    settings: dict[str, Any] = {
        "free_failures": 2,
        "base_s": 1.0,
        "cap_s": 60.0,
        "forget_after_s": 600.0,
        "max_addresses": 100,
    }
    return FailureBackoff(**(settings | changes))


def test_an_address_that_never_failed_may_try() -> None:
    assert backoff().retry_after_s(A, 0) == 0


def test_waits_double_after_the_free_failures_up_to_the_cap() -> None:
    machine = backoff()
    waits = []
    for _ in range(10):
        machine.record_failure(A, 5)
        waits.append(machine.retry_after_s(A, 5))
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_a_wait_runs_down_to_nothing() -> None:
    machine = backoff(free_failures=0)
    machine.record_failure(A, 100)
    assert [machine.retry_after_s(A, now_s) for now_s in (100, 100.25, 101, 200)] == [1, 0.75, 0, 0]


def test_addresses_do_not_wait_for_each_other() -> None:
    machine = backoff(free_failures=0)
    machine.record_failure(A, 0)
    assert machine.retry_after_s(B, 0) == 0


def test_a_success_clears_the_address() -> None:
    machine = backoff()
    for _ in range(5):
        machine.record_failure(A, 0)
    machine.record_success(A)
    machine.record_success(B)
    assert machine.retry_after_s(A, 0) == 0
    machine.record_failure(A, 0)
    assert machine.retry_after_s(A, 0) == 0
    assert len(machine) == 1


def test_a_quiet_time_forgets_and_a_shorter_one_does_not() -> None:
    for quiet_s, wait_s in ((599.0, 8.0), (600.0, 0.0)):
        machine = backoff()
        for _ in range(5):
            machine.record_failure(A, 0)
        machine.record_failure(A, quiet_s)
        assert machine.retry_after_s(A, quiet_s) == wait_s


def test_those_that_were_quiet_leave_the_memory() -> None:
    machine = backoff()
    machine.record_failure(A, 0)
    machine.record_failure(B, 300)
    machine.record_failure(C, 650)
    assert len(machine) == 2


def test_beyond_the_bound_the_address_that_failed_longest_ago_is_forgotten() -> None:
    machine = backoff(free_failures=0, max_addresses=2)
    machine.record_failure(A, 0)
    machine.record_failure(B, 0.1)
    machine.record_failure(A, 0.2)
    machine.record_failure(C, 0.3)
    waiting = {address for address in (A, B, C) if machine.retry_after_s(address, 0.3) > 0}
    assert waiting == {A, C}


@pytest.mark.parametrize(
    "changes",
    [
        {"free_failures": -1},
        {"max_addresses": 0},
        {"base_s": 0},
        {"base_s": 61.0},
        {"forget_after_s": 59.0},
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"at least|waits"):
        backoff(**changes)


@given(
    st.lists(
        st.tuples(st.sampled_from(["fail", "succeed", "ask"]), st.integers(0, 9), st.floats(0, 400))
    )
)
def test_waits_and_memory_are_bounded_whatever_happens(
    script: list[tuple[str, int, float]],
) -> None:
    machine = backoff(max_addresses=5)
    now_s = 0.0
    for what, address, later_s in script:
        now_s += later_s
        match what:
            case "fail":
                machine.record_failure(str(address), now_s)
            case "succeed":
                machine.record_success(str(address))
                assert machine.retry_after_s(str(address), now_s) == 0
        assert 0 <= machine.retry_after_s(str(address), now_s) <= 60
        assert len(machine) <= 5


def test_a_thousand_failures_do_not_outgrow_a_number() -> None:
    machine = backoff()
    for _ in range(2000):
        machine.record_failure(A, 0)
    assert machine.retry_after_s(A, 0) == 60

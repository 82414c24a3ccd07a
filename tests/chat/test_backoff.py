"""Waits double after each failure, up to the longest, until something succeeds."""

from chatd.chat.backoff import Backoff


def test_waits_double_up_to_the_longest_and_begin_again_after_a_success() -> None:
    backoff = Backoff(0.5, 3.0)
    assert backoff.wait_s == 0
    assert [backoff.failed() for _ in range(5)] == [0.5, 1, 2, 3, 3]
    assert backoff.wait_s == 3
    backoff.succeeded()
    assert backoff.wait_s == 0
    assert backoff.failed() == 0.5


def test_any_number_of_failures_can_be_counted() -> None:
    backoff = Backoff(1.0, 60.0)
    assert {backoff.failed() for _ in range(5_000)} == {1, 2, 4, 8, 16, 32, 60}

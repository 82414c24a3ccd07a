"""Percentiles of a histogram, beside those of the sample itself."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.bench.latencies import Latencies, together


def sample(values: list[int]) -> Latencies:
    latencies = Latencies()
    for value in values:
        latencies.add(value)
    return latencies


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_a_percentile_is_right_to_a_fifth_of_a_per_cent(values: list[int], share: float) -> None:
    exact_us = sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
    told_ms = sample(values).percentile_ms(share)
    assert told_ms is not None
    assert told_ms * 1000 == pytest.approx(exact_us, rel=0.002, abs=1)


def test_small_values_are_exact_and_the_maximum_is_always() -> None:
    summary = sample([1, 2, 1000, 123_457]).summary()
    assert summary is not None
    assert (summary.p50, summary.max) == (0.002, 123.457)
    assert summary.p999 <= summary.max


def test_of_no_sample_nothing_is_known() -> None:
    assert Latencies().summary() is None
    assert together([]).summary() is None


def test_what_is_below_zero_counts_as_nothing() -> None:
    assert sample([-5]).percentile_ms(0.5) == 0


def test_several_processes_make_one_sample() -> None:
    one, other = sample([1, 2, 3]), sample([4, 5, 6_000_000])
    whole = together([one.to_json(), other.to_json()])
    assert len(whole) == 6
    assert whole.summary() == sample([1, 2, 3, 4, 5, 6_000_000]).summary()

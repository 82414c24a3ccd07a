"""Whether samples stay as they are: a leak is found, and noise is not taken for one."""

import math
import random
from collections.abc import Callable

import pytest

from chatd.bench.flatness import SPANS, Sample, Verdict, trend

SECONDS = 600
WARM_UP_S = 100.0
LEVEL = 100.0
TOLERANCE = 1.0


def sampled(value: Callable[[int], float], seconds: int = SECONDS) -> list[Sample]:
    return [(float(at_s), value(at_s)) for at_s in range(seconds)]


def verdict(samples: list[Sample]) -> Verdict:
    found = trend(samples, WARM_UP_S)
    assert found is not None
    return found.verdict(TOLERANCE)


def test_what_does_not_move_is_flat_without_doubt() -> None:
    found = trend(sampled(lambda _: LEVEL), WARM_UP_S)
    assert found is not None
    assert (found.level, found.growth, found.bound) == (LEVEL, 0.0, 0.0)
    assert found.seconds == SECONDS - 1 - WARM_UP_S
    assert found.verdict(0.0) is Verdict.FLAT


def test_a_leak_is_found_and_its_size_is_told() -> None:
    found = trend(sampled(lambda at_s: LEVEL + 0.01 * at_s), WARM_UP_S)
    assert found is not None
    assert found.growth == pytest.approx(0.01 * found.seconds)
    assert found.verdict(TOLERANCE) is Verdict.GROWS


def test_a_leak_is_found_under_noise() -> None:
    chance = random.Random(1)
    assert verdict(sampled(lambda at_s: LEVEL + 0.01 * at_s + chance.gauss(0, 1))) is Verdict.GROWS


def test_a_leak_in_steps_is_found() -> None:
    """As an allocator takes memory from the system."""
    assert verdict(sampled(lambda at_s: LEVEL + at_s // 60)) is Verdict.GROWS


def test_a_growth_within_the_tolerance_is_flat() -> None:
    assert verdict(sampled(lambda at_s: LEVEL + 0.001 * at_s)) is Verdict.FLAT


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_no_leak(seed: int) -> None:
    chance = random.Random(seed)
    assert verdict(sampled(lambda _: LEVEL + chance.gauss(0, 1))) is Verdict.FLAT


@pytest.mark.parametrize("seed", range(20))
def test_noise_whose_values_hang_together_is_no_leak(seed: int) -> None:
    """A line through all samples takes such noise for a slope in five of these cases."""
    chance = random.Random(seed)
    noise = [0.0]
    for _ in range(SECONDS):
        noise.append(0.9 * noise[-1] + chance.gauss(0, 1))
    assert verdict(sampled(lambda at_s: LEVEL + noise[at_s])) is not Verdict.GROWS


def test_a_swing_is_no_leak() -> None:
    assert verdict(sampled(lambda at_s: LEVEL + math.sin(at_s))) is Verdict.FLAT


def test_peaks_are_no_leak() -> None:
    """As a lag of the loop has: nothing most of the time, and much now and then."""
    assert verdict(sampled(lambda at_s: 50.0 if at_s % 37 == 0 else 0.1)) is Verdict.FLAT


def test_one_step_is_unclear() -> None:
    """It may be the last one."""
    assert verdict(sampled(lambda at_s: LEVEL + 2.0 * (at_s > 350))) is Verdict.UNCLEAR


def test_what_shrinks_is_flat() -> None:
    assert verdict(sampled(lambda at_s: LEVEL - 0.05 * at_s)) is Verdict.FLAT


def test_what_grows_during_the_warm_up_alone_is_flat() -> None:
    assert verdict(sampled(lambda at_s: min(LEVEL, float(at_s)))) is Verdict.FLAT


def test_nothing_is_said_of_too_few_samples() -> None:
    assert trend([], WARM_UP_S) is None
    few = int(WARM_UP_S) + 2 * SPANS - 1
    assert trend(sampled(lambda _: LEVEL, few), WARM_UP_S) is None
    assert trend(sampled(lambda _: LEVEL, few + 1), WARM_UP_S) is not None

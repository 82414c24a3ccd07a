"""What a soak must not let grow, and what people are told of it."""

from collections.abc import Callable

import attrs

from chatd.bench.flatness import Verdict
from chatd.bench.results import Moment
from chatd.bench.steadiness import MIB, grows, judge
from tests.bench.recorded import latency, soak

WARM_UP_S = 20.0
SECONDS = 100


def with_each(change: Callable[[Moment], Moment]) -> list[Moment]:
    return [change(moment) for moment in soak(SECONDS).series]


def verdicts(series: list[Moment]) -> dict[str, Verdict]:
    return {one.measure.name: one.verdict for one in judge(series, WARM_UP_S)}


FLAT = {
    "memory": Verdict.FLAT,
    "descriptors": Verdict.FLAT,
    "tasks": Verdict.FLAT,
    "lag of the loop": Verdict.FLAT,
    "latency (p99)": Verdict.FLAT,
}


def test_a_server_that_stays_as_it_is_is_flat_in_everything() -> None:
    series = list(soak(SECONDS).series)
    assert verdicts(series) == FLAT
    assert not grows(judge(series, WARM_UP_S))


def test_each_of_the_measures_is_found_to_grow() -> None:
    def leaking(name: str) -> list[Moment]:
        return with_each(
            {
                "memory": lambda one: attrs.evolve(one, memory_bytes=2e8 + one.at_s * MIB),
                "descriptors": lambda one: attrs.evolve(one, descriptors=100 + one.at_s),
                "tasks": lambda one: attrs.evolve(one, tasks=100 + one.at_s),
                "lag of the loop": lambda one: attrs.evolve(one, loop_lag_ms=one.at_s),
                "latency (p99)": lambda one: attrs.evolve(one, latency_ms=latency(one.at_s)),
            }[name]
        )

    for name in FLAT:
        series = leaking(name)
        assert verdicts(series) == FLAT | {name: Verdict.GROWS}
        assert grows(judge(series, WARM_UP_S))


def test_a_small_server_may_grow_by_a_little_in_any_case() -> None:
    """A per cent of ten tasks would be a tenth of one."""
    few = with_each(lambda one: attrs.evolve(one, tasks=10 + one.at_s / 50))
    assert verdicts(few) == FLAT


def test_what_is_not_known_is_not_judged() -> None:
    series = [Moment(float(at_s), memory_bytes=1e8) for at_s in range(SECONDS)]
    assert verdicts(series) == {"memory": Verdict.FLAT}
    assert judge([], WARM_UP_S) == []


def test_the_sentences_tell_level_growth_and_bound() -> None:
    memory, descriptors, *_ = judge(list(soak(SECONDS).series), WARM_UP_S)
    assert memory.sentence == "memory: flat, 190.7 MiB, +0.0 ± 0.0 MiB in 79 s."
    assert descriptors.sentence == "descriptors: flat, 11,020, +0 ± 0 in 79 s."


def test_the_sentences_say_what_to_do_where_nothing_can_be_said() -> None:
    step = with_each(lambda one: attrs.evolve(one, memory_bytes=(100 + 2 * (one.at_s > 60)) * MIB))
    (memory, *_) = judge(step, WARM_UP_S)
    assert memory.verdict is Verdict.UNCLEAR
    assert memory.sentence.endswith("; take more seconds.")
    assert not grows([memory])
    (short, *_) = judge(list(soak(10).series), 5.0)
    assert short.verdict is Verdict.UNCLEAR
    assert short.sentence == "memory: not known, as there are too few samples; take more seconds."

"""What must not grow during a soak, how much growth is tolerated, and what people are told.

Pure. Owns the tolerances. It must not know how a verdict is reached (`flatness`), or who sampled.

| what | may grow in the time that is watched, after the warm-up | why so much |
|---|---|---|
| memory | by 1 %, 1 MiB at least | an allocator takes memory in steps, and gives it back late |
| descriptors, tasks | by 1 %, 5 at least | files that are read for a moment, timers |
| lag of the loop, latency (p99) | by half, 5 ms at least | other programs of the machine |
"""

from collections.abc import Callable, Sequence
from typing import Final

import attrs

from chatd.bench.flatness import Trend, Verdict, trend
from chatd.bench.results import Moment

MIB: Final = 1024.0 * 1024.0


@attrs.frozen
class Measure:
    """One thing that is watched, in `unit`; `value_of` gives None at a moment that lacks it.

    It may grow by `share` of its level, and by `least` in any case. `digits` is how many digits
    after the point are shown.
    """

    name: str
    unit: str
    value_of: Callable[[Moment], float | None]
    share: float
    least: float
    digits: int = 1


MEASURES: Final = (
    Measure(
        "memory",
        " MiB",
        lambda one: None if one.memory_bytes is None else one.memory_bytes / MIB,
        share=0.01,
        least=1.0,
    ),
    Measure("descriptors", "", lambda one: one.descriptors, share=0.01, least=5.0, digits=0),
    Measure("tasks", "", lambda one: one.tasks, share=0.01, least=5.0, digits=0),
    Measure("lag of the loop", " ms", lambda one: one.loop_lag_ms, share=0.5, least=5.0),
    Measure(
        "latency (p99)",
        " ms",
        lambda one: None if one.latency_ms is None else one.latency_ms.p99,
        share=0.5,
        least=5.0,
    ),
)


@attrs.frozen
class Finding:
    """What became of one measure; `trend` is None if there were too few samples."""

    measure: Measure
    verdict: Verdict
    trend: Trend | None

    @property
    def sentence(self) -> str:
        """For people, in one line."""
        name, unit = self.measure.name, self.measure.unit
        if self.trend is None:
            return f"{name}: not known, as there are too few samples; take more seconds."
        found, digits = self.trend, self.measure.digits
        change = f"{found.growth:+.{digits}f} ± {found.bound:.{digits}f}{unit}"
        level = f"{found.level:,.{digits}f}{unit}"
        line = f"{name}: {self.verdict.value}, {level}, {change} in {found.seconds:.0f} s"
        return f"{line}; take more seconds." if self.verdict is Verdict.UNCLEAR else f"{line}."


def judge(series: Sequence[Moment], warm_up_s: float) -> list[Finding]:
    """What became of each measure that the moments have, from `warm_up_s` on."""
    findings = []
    for measure in MEASURES:
        values = [(moment.at_s, measure.value_of(moment)) for moment in series]
        samples = [(at_s, value) for at_s, value in values if value is not None]
        if samples:
            findings.append(_finding(measure, trend(samples, warm_up_s)))
    return findings


def grows(findings: Sequence[Finding]) -> bool:
    """Whether anything was found to grow. An unclear measure proves neither."""
    return any(finding.verdict is Verdict.GROWS for finding in findings)


def _finding(measure: Measure, found: Trend | None) -> Finding:
    if found is None:
        return Finding(measure, Verdict.UNCLEAR, None)
    tolerance = max(measure.least, measure.share * found.level)
    return Finding(measure, found.verdict(tolerance), found)

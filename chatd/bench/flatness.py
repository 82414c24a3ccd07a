"""Whether values sampled over time stay flat, or grow.

Pure: samples in, a verdict out. It must not know what is sampled, or how.

Samples of a process come every second and are alike from one to the next (a collector's rhythm, a
disk that was busy for a while). A straight line through all of them would be far too sure of its
slope. So the samples after the warm-up are cut into `SPANS` spans, and the line goes through their
medians: a peak moves no median, and samples of neighbouring seconds fall into one span. Student's t
with `SPANS - 2` degrees of freedom bounds the slope with 99 % certainty.

| the growth in the time that was watched, by the slope | verdict |
|---|---|
| is over the tolerance even at the lower end of its bound | `GROWS` |
| is within the tolerance even at the upper end | `FLAT`; what shrinks is flat |
| else | `UNCLEAR`: watch for longer |
"""

import itertools
import statistics
from collections.abc import Sequence
from enum import Enum
from typing import Final, TypeAlias

import attrs

SPANS: Final = 10
T_OF_99_PERCENT: Final = 3.355
"""Student's t for 8 degrees of freedom, both sides."""

Sample: TypeAlias = tuple[float, float]
"""Seconds since the beginning, and the value then."""


class Verdict(Enum):
    """What can be said about samples; the value is a word for people."""

    FLAT = "flat"
    GROWS = "grows"
    UNCLEAR = "unclear"


@attrs.frozen
class Trend:
    """The line through samples: by how much the value grew while it was watched, give or take
    `bound`, both in the unit of the samples; `level` is its median."""

    seconds: float
    level: float
    growth: float
    bound: float

    def verdict(self, tolerance: float) -> Verdict:
        """Whether that is more than `tolerance`, in the unit of the samples."""
        if self.growth - self.bound > tolerance:
            return Verdict.GROWS
        return Verdict.FLAT if self.growth + self.bound <= tolerance else Verdict.UNCLEAR


def trend(samples: Sequence[Sample], warm_up_s: float) -> Trend | None:
    """The trend of the samples, in the order of their times, from `warm_up_s` on.

    None if fewer than two samples a span are left: nothing can be said about these.
    """
    watched = [sample for sample in samples if sample[0] >= warm_up_s]
    if len(watched) < 2 * SPANS:
        return None
    edges = [round(len(watched) * number / SPANS) for number in range(SPANS + 1)]
    spans = [watched[begin:end] for begin, end in itertools.pairwise(edges)]
    xs = [statistics.fmean(at_s for at_s, _ in span) for span in spans]
    ys = [statistics.median(value for _, value in span) for span in spans]
    slope, intercept = statistics.linear_regression(xs, ys)
    middle_s = statistics.fmean(xs)
    spread = sum((x - middle_s) ** 2 for x in xs)
    left_over = sum((y - intercept - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
    error = (left_over / (SPANS - 2) / spread) ** 0.5
    seconds = watched[-1][0] - watched[0][0]
    return Trend(
        seconds,
        statistics.median(value for _, value in watched),
        slope * seconds,
        T_OF_99_PERCENT * error * seconds,
    )

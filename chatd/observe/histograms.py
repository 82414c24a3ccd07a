"""Histograms: how many figures were at most how large, in a few buckets.

The library's own histogram takes locks for its threads, 5 us an observation; what is observed for
each message must cost next to nothing. Each of these belongs to one thread, takes 0.3 us, and is
handed to the library when somebody scrapes.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

import attrs
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Histogram:
    """The observations of one series. `__slots__`, as `observe` runs for every message."""

    __slots__ = ("_bounds", "_counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds` are the upper bounds of the buckets, in rising order, themselves included."""
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self.sum = 0.0

    def observe(self, figure: float) -> None:
        """One more figure: seconds, or a count."""
        self._counts[bisect_left(self._bounds, figure)] += 1
        self.sum += figure

    def buckets(self) -> list[tuple[str, float]]:
        """How many figures were up to each bound, with the bounds as Prometheus writes them."""
        bounds = (*self._bounds, float("inf"))
        return [
            (floatToGoString(bound), float(count))  # type: ignore[no-untyped-call]  # the library's
            for bound, count in zip(bounds, accumulate(self._counts), strict=True)
        ]


@attrs.define(eq=False)
class HistogramCollector(Collector):
    """One metric: its histograms by the values of its labels, which are made when they are needed.

    The values come in the order of `labels`. A metric without labels has its one histogram from the
    beginning.
    """

    _name: str
    _doc: str
    _bounds: Sequence[float]
    _labels: tuple[str, ...] = ()
    _histograms: dict[tuple[str, ...], Histogram] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        if not self._labels:
            self.of()

    def of(self, *values: str) -> Histogram:
        """The histogram of these values."""
        found = self._histograms.get(values)
        if found is None:
            found = self._histograms[values] = Histogram(self._bounds)
        return found

    def show(self, histogram: Histogram, *values: str) -> None:
        """Show a histogram that somebody else holds."""
        self._histograms[values] = histogram

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """The names that the library needs, so that none is given twice."""
        return self.collect()

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What the library writes."""
        family = HistogramMetricFamily(self._name, self._doc, labels=self._labels)
        for values, histogram in self._histograms.items():
            family.add_metric(values, histogram.buckets(), histogram.sum)
        yield family

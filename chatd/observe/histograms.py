"""Histograms of seconds: how many times took up to how long, in a few buckets.

The library's own takes locks for its threads, 5 us an observation; what is observed for each batch
of messages must cost next to nothing. These belong to the event loop's thread, take 0.4 us, and are
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
    """The observations of one series. `__slots__`, as `observe` runs for every batch."""

    __slots__ = ("_bounds_s", "_counts", "sum_s")

    def __init__(self, bounds_s: Sequence[float]) -> None:
        """`bounds_s` are the upper bounds of the buckets, in rising order, themselves included."""
        self._bounds_s = tuple(bounds_s)
        self._counts = [0] * (len(self._bounds_s) + 1)
        self.sum_s = 0.0

    def observe(self, took_s: float) -> None:
        """One more that took so many seconds."""
        self._counts[bisect_left(self._bounds_s, took_s)] += 1
        self.sum_s += took_s

    def buckets(self) -> list[tuple[str, float]]:
        """How many took up to each bound, the bounds as Prometheus writes them."""
        bounds = (*self._bounds_s, float("inf"))
        return [
            (floatToGoString(bound), float(count))  # type: ignore[no-untyped-call]  # the library's
            for bound, count in zip(bounds, accumulate(self._counts), strict=True)
        ]


@attrs.define(eq=False)
class HistogramCollector(Collector):
    """One metric: its histograms by the values of its labels, which are made when they are needed.

    The order of `labels` is that of the values. A metric without labels has one histogram at once.
    """

    _name: str
    _doc: str
    _bounds_s: Sequence[float]
    _labels: tuple[str, ...] = ()
    _histograms: dict[tuple[str, ...], Histogram] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        if not self._labels:
            self.of()

    def of(self, *values: str) -> Histogram:
        """The histogram of these values."""
        found = self._histograms.get(values)
        if found is None:
            found = self._histograms[values] = Histogram(self._bounds_s)
        return found

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """What the library knows names by, so that none is given twice."""
        return self.collect()

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What the library writes."""
        family = HistogramMetricFamily(self._name, self._doc, labels=self._labels)
        for values, histogram in self._histograms.items():
            family.add_metric(values, histogram.buckets(), histogram.sum_s)
        yield family

"""Latencies in little memory, to be put together from several processes. Pure.

A histogram of microseconds whose buckets are at most 1/512 of their value wide: percentiles are
right to 0.2 %, however many there are. Source: the idea of HdrHistogram.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from chatd.bench.results import LatencyMs

_BITS: Final = 9
_EXACT: Final = 1 << (_BITS + 1)  # up to here each microsecond has a bucket of its own


class Latencies:
    """A sample of latencies."""

    __slots__ = ("_counts", "max_us")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.max_us = 0

    def __len__(self) -> int:
        return sum(self._counts.values())

    def add(self, took_us: int) -> None:
        """Take one; a value below zero, as two machines' clocks can give, counts as zero."""
        if took_us > self.max_us:
            self.max_us = took_us
        elif took_us < 0:
            took_us = 0
        if took_us >= _EXACT:
            shift = took_us.bit_length() - _BITS - 1
            took_us = (took_us >> shift) << shift
        counts = self._counts
        counts[took_us] = counts.get(took_us, 0) + 1

    def to_json(self) -> dict[str, object]:
        """The sample, for another process."""
        return {"max_us": self.max_us, "counts": list(self._counts.items())}

    def percentile_ms(self, share: float) -> float | None:
        """The smallest value that at least `share` of the sample does not exceed."""
        wanted = share * len(self)
        seen = 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= wanted:
                return min(_middle(bucket), self.max_us) / 1000
        return None

    def summary(self) -> LatencyMs | None:
        """The percentiles; None without samples."""
        p50, p90, p99, p999 = map(self.percentile_ms, (0.5, 0.9, 0.99, 0.999))
        if p50 is None or p90 is None or p99 is None or p999 is None:
            return None
        return LatencyMs(p50, p90, p99, p999, self.max_us / 1000)


def together(samples: Iterable[dict[str, object]]) -> Latencies:
    """Several samples as one, each as `to_json` gives it."""
    counts: Counter[int] = Counter()
    whole = Latencies()
    for sample in samples:
        pairs = sample["counts"]
        assert isinstance(pairs, list)
        for bucket, count in pairs:
            counts[bucket] += count
        whole.max_us = max(whole.max_us, int(str(sample["max_us"])))
    whole._counts = dict(counts)
    return whole


def _middle(bucket: int) -> int:
    """The middle of the values that fall into a bucket."""
    if bucket < _EXACT:
        return bucket
    return bucket + (1 << (bucket.bit_length() - _BITS - 1)) // 2

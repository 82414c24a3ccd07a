"""When a run has measured the generator itself. Pure.

A generator that has no processor left, or is late with what it sends, reports its own delay as the
server's. Latencies count from when a message was due, so they include the generator's lag: if it is
a large part of them, they are not the server's.
"""

from typing import Final

from chatd.bench.results import Generator

BUSY_SHARE_MAX: Final = 0.9
"""The most of one processor that one process may use; beyond it waits grow whatever the server
does."""

LAG_SHARE_MAX: Final = 0.5
"""The lag's 99th percentile may be at most this share of the latencies' 99th."""

LAG_MS_MAX: Final = 2.0
"""A lag up to this is never the bottleneck, however fast the server is."""


def judge(busy_share: float, lag_ms: float, latency_p99_ms: float | None) -> Generator:
    """What the busiest process says about a point; `latency_p99_ms` is None if none was
    measured."""
    is_late = lag_ms > LAG_MS_MAX and (
        latency_p99_ms is None or lag_ms > latency_p99_ms * LAG_SHARE_MAX
    )
    return Generator(busy_share, lag_ms, busy_share > BUSY_SHARE_MAX or is_late)

"""When a generator says that it was what was measured."""

import pytest

from chatd.bench.honesty import BUSY_SHARE_MAX, LAG_MS_MAX, judge


@pytest.mark.parametrize(
    ("busy_share", "lag_ms", "latency_p99_ms", "is_bottleneck"),
    [
        (0.5, 0.3, 1.0, False),
        (BUSY_SHARE_MAX, 0.3, 1.0, False),
        (BUSY_SHARE_MAX + 0.01, 0.3, 100.0, True),
        (0.1, LAG_MS_MAX, 0.5, False),  # so little is nobody's bottleneck
        (0.1, 10.0, 100.0, False),  # the server was slower by far
        (0.1, 60.0, 100.0, True),
        (0.1, 10.0, None, True),
    ],
)
def test_a_generator_is_the_bottleneck_where_it_is_busy_or_late(
    busy_share: float, lag_ms: float, latency_p99_ms: float | None, is_bottleneck: bool
) -> None:
    said = judge(busy_share, lag_ms, latency_p99_ms)
    assert (said.busy_share, said.lag_ms, said.is_bottleneck) == (busy_share, lag_ms, is_bottleneck)

"""How many times took up to how long, against the library's own histograms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Histogram as OfLibrary

from chatd.observe.histograms import HistogramCollector

BOUNDS_S = (0.001, 0.01, 0.5, 10.0)
TIMES = st.lists(st.sampled_from(BOUNDS_S) | st.floats(0, 100))


@given(times=TIMES)
def test_what_is_shown_is_what_the_library_shows(times: list[float]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    collector = HistogramCollector("took_seconds", "How long.", BOUNDS_S, ("room",))
    ours.register(collector)
    library = OfLibrary("took_seconds", "How long.", ("room",), buckets=BOUNDS_S, registry=theirs)
    for took_s in times:
        collector.of("a").observe(took_s)
        library.labels("a").observe(took_s)
    shown = [line for line in generate_latest(theirs).splitlines() if b"_created" not in line]
    assert generate_latest(ours).splitlines() == shown


def test_without_labels_there_is_one_from_the_start() -> None:
    registry = CollectorRegistry()
    registry.register(HistogramCollector("took_seconds", "How long.", BOUNDS_S))
    assert registry.get_sample_value("took_seconds_count") == 0
    assert registry.get_sample_value("took_seconds_bucket", {"le": "+Inf"}) == 0


@pytest.mark.parametrize("labels", [(), ("room",)])
def test_two_of_one_name_are_refused(labels: tuple[str, ...]) -> None:
    registry = CollectorRegistry()
    registry.register(HistogramCollector("took_seconds", "How long.", BOUNDS_S, labels))
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(HistogramCollector("took_seconds", "Again.", BOUNDS_S))

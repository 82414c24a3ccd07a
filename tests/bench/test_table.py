"""What a person is shown of a run."""

from collections import Counter

import attrs

from chatd.bench.results import Generator, LatencyMs, Machine, Point, Results, Server, Target
from chatd.bench.table import table

POINT = Point(
    load=1000,
    load_unit="messages/s",
    seconds=2,
    rate=998.7,
    rate_unit="messages/s",
    what="ack",
    latency_ms=LatencyMs(0.5, 1.25, 12.34, 123.4, 1234.5),
    server=Server(cpu_share=0.42, memory_bytes=100 * 1024 * 1024, bytes_per_connection=5 * 1024),
    generator=Generator(0.1, 0.25, False),
)
RESULTS = Results(
    "messages", Target("http://h/", "chatd"), "2026-01-02T03:04:05Z", Machine(2, "3", "6"), {}
)


def shown(*points: Point, reasons: Counter[str] | None = None) -> str:
    return table(attrs.evolve(RESULTS, points=points), reasons)


def test_the_table_has_the_figures_in_their_units() -> None:
    head, row = (" ".join(line.split()) for line in shown(POINT).split("\n"))
    assert head == (
        "what messages/s rate p50 ms p90 p99 p99.9 max server CPU memory each generator lag ms"
    )
    assert row == ("ack 1,000 999 messages/s 0.50 1.25 12.3 123 1,234 42% 100 MiB 5.0 KiB 10% 0.25")


def test_columns_of_which_nothing_is_known_are_left_out() -> None:
    head = shown(attrs.evolve(POINT, server=None, generator=None, latency_ms=None)).split("\n")[0]
    assert head.split() == ["what", "messages/s", "rate"]


def test_points_of_several_units_share_a_column() -> None:
    other = attrs.evolve(POINT, load_unit="connections", server=Server())
    assert shown(POINT, other).split()[:2] == ["what", "load"]


def test_what_is_wrong_is_said_beside_its_point_and_why_below() -> None:
    bad = attrs.evolve(POINT, failed=1, lost=2000, twice=3, out_of_order=4)
    said = shown(bad, reasons=Counter({"rate_limited": 7}))
    assert "1 failed, 2,000 lost, 3 twice, 4 out of order" in said
    assert said.endswith("\n7 x rate_limited")
    assert "rate_limited" not in shown(POINT, reasons=Counter({"rate_limited": 7}))
    astray = shown(attrs.evolve(POINT, strays=5))
    assert "5 astray" in astray
    assert "--others-only" in astray


def test_a_generator_that_is_the_bottleneck_says_so_and_what_to_do() -> None:
    said = shown(attrs.evolve(POINT, generator=Generator(0.99, 9.0, True)))
    assert "generator is the bottleneck" in said.split("\n")[1]
    assert "--processes" in said


def test_a_run_without_points_says_so() -> None:
    assert shown() == "Nothing was measured."

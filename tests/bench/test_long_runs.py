"""What grows, and what is held for long, against a real daemon: with few clients, for a moment."""

import pytest

from chatd.bench.flatness import Trend, Verdict
from chatd.bench.options import Options
from chatd.bench.results import from_json, to_json
from chatd.bench.scenarios import soak
from chatd.bench.scenarios.growth import by_tens
from chatd.bench.stage import SetupError
from chatd.bench.steadiness import MEASURES, Finding
from tests.bench.conftest import SECRET, Served
from tests.bench.test_runs import ran


def test_what_grows_by_tens_ends_where_it_was_asked_to() -> None:
    assert by_tens(10, 10_000) == [10, 100, 1000, 10_000]
    assert by_tens(10, 2500) == [10, 100, 1000, 2500]
    assert by_tens(10, 10) == [10]


async def test_connections_grow_and_then_messages(chatd: Served) -> None:
    options = chatd.options(secret=SECRET, connections=30, loads=(50.0, 100.0))
    done = await ran("growth", options)
    assert done.results.is_good, done.reasons
    assert [(one.load_unit, one.load, one.what) for one in done.results.points] == [
        ("connections", 3, "ack, 200 messages/s"),
        ("connections", 3, "delivery, 200 messages/s"),
        ("connections", 30, "ack, 200 messages/s"),
        ("connections", 30, "delivery, 200 messages/s"),
        ("messages/s", 50.0, "ack, 30 connections"),
        ("messages/s", 50.0, "delivery, 30 connections"),
        ("messages/s", 100.0, "ack, 30 connections"),
        ("messages/s", 100.0, "delivery, 30 connections"),
    ]
    acks, deliveries = (point.server for point in done.results.points[2:4])
    assert acks is not None
    assert acks.bytes_per_connection is not None
    assert acks.memory_bytes is not None
    assert deliveries is not None
    assert deliveries.memory_bytes is None  # it stands once
    assert deliveries.cpu_share == acks.cpu_share


async def test_a_history_is_sent_to_a_daemon_that_is_not_of_the_run(chatd: Served) -> None:
    options = chatd.options(secret=SECRET, loads=(40.0, 20.0), rooms=("grown",), connections=2)
    done = await ran("history", options)
    assert done.results.is_good, done.reasons
    assert [(one.load, one.rate_unit, one.what) for one in done.results.points] == [
        (20, "joins/s", "join"),
        (20, "pages/s", "page"),
        (40, "joins/s", "join"),
        (40, "pages/s", "page"),
    ]
    assert {one.load_unit for one in done.results.points} == {"messages in the room"}
    assert all(one.latency_ms is not None for one in done.results.points)


async def test_a_history_is_written_into_the_log_of_a_daemon_of_the_run() -> None:
    options = Options(loads=(1200.0,), seconds=0.4, connections=2)
    done = await ran("history", options)
    assert done.results.is_good, done.reasons
    assert [(one.load, one.what) for one in done.results.points] == [
        (1200, "join"),
        (1200, "page"),
    ]
    assert all(one.server is not None for one in done.results.points)


async def test_a_history_is_nothing_for_other_servers(faulty: Served) -> None:
    with pytest.raises(SetupError, match="chatd alone"):
        await ran("history", faulty.options(event="say"))


@pytest.fixture
def fast_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one look a second, so that a short soak has some."""
    monkeypatch.setattr(soak, "EVERY_S", 0.2)
    monkeypatch.setattr(soak, "PROBE_S", 0.05)
    monkeypatch.setattr(soak, "PROBE_RATE", 100.0)


@pytest.mark.usefixtures("fast_looks")
async def test_a_soak_looks_again_and_again_and_judges(chatd: Served) -> None:
    options = chatd.options(secret=SECRET, connections=6, active=3, seconds=2.0)
    done = await ran("soak", options)
    series = done.results.series
    assert 2 <= len(series) <= 10
    assert all(one.memory_bytes and one.descriptors and one.latency_ms for one in series)
    assert [one.at_s for one in series] == sorted(one.at_s for one in series)
    assert [one.measure.name for one in done.findings] == [
        "memory",
        "descriptors",
        "latency (p99)",  # and neither tasks nor lag, which only its metrics would tell
    ]
    assert [(one.load, one.what) for one in done.results.points] == [
        (2000.0, "ack, warm-up"),
        (2000.0, "delivery, warm-up"),
        (50.0, "ack"),
        (50.0, "delivery"),
    ]
    assert done.results.is_good, done.reasons


@pytest.mark.usefixtures("fast_looks")
async def test_what_grows_in_a_soak_makes_it_fail(
    chatd: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = Finding(MEASURES[0], Verdict.GROWS, Trend(1.0, 100.0, 50.0, 1.0))
    flat = Finding(MEASURES[1], Verdict.FLAT, Trend(1.0, 100.0, 0.0, 1.0))
    monkeypatch.setattr(soak, "judge", lambda _series, _from_s: [grown, flat])
    options = chatd.options(secret=SECRET, connections=6, active=3, seconds=0.5)
    done = await ran("soak", options)
    assert all(one.is_good for one in done.results.points), done.reasons
    assert done.results.grew == ("memory",)
    assert not done.results.is_good
    assert from_json(to_json(done.results)).grew == ("memory",)

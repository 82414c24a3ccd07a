"""The document of a run: what is written is read again, and anything else is refused."""

from typing import Any

import attrs
import orjson
import pytest

from chatd.bench.results import (
    Generator,
    LatencyMs,
    Machine,
    Moment,
    Point,
    Results,
    ResultsError,
    Server,
    Target,
    from_json,
    to_json,
)

LATENCY = LatencyMs(p50=1.0, p90=2.0, p99=3.0, p999=4.0, max=5.0)
FULL = Results(
    scenario="messages",
    target=Target("http://127.0.0.1:8765/", "chatd"),
    began="2026-01-02T03:04:05Z",
    machine=Machine(cores=2, python="3.11.7", kernel="6.1"),
    options={"seconds": 5, "loads": [100, 200]},
    points=(
        Point(
            load=100.0,
            load_unit="messages/s",
            seconds=5.0,
            rate=99.8,
            rate_unit="messages/s",
            what="ack",
            latency_ms=LATENCY,
            server=Server(cpu_share=0.4, memory_bytes=1e8, descriptors=20, tasks=9),
            generator=Generator(busy_share=0.3, lag_ms=0.4, is_bottleneck=False),
        ),
        Point(load=200, load_unit="messages/s", seconds=5, rate=1, rate_unit="messages/s", lost=3),
    ),
    series=(Moment(at_s=1.0, memory_bytes=5.0, latency_ms=LATENCY), Moment(at_s=2.0)),
)


def test_what_is_written_is_read_again() -> None:
    assert from_json(to_json(FULL)) == FULL


def test_the_document_says_its_version_and_null_for_what_is_not_known() -> None:
    document = orjson.loads(to_json(FULL))
    assert document["chatd_bench"] == 1
    assert document["points"][1]["latency_ms"] is None
    assert document["points"][0]["server"]["loop_lag_ms"] is None


def test_keys_that_came_later_are_passed_over_and_optional_ones_may_be_missing() -> None:
    document = orjson.loads(to_json(FULL)) | {"later": 1}
    del document["points"][0]["what"], document["series"]
    read = from_json(orjson.dumps(document))
    assert read.points[0].what == ""
    assert read.series == ()


@pytest.mark.parametrize("field", ["failed", "lost", "twice", "out_of_order", "strays"])
def test_a_run_is_good_when_everything_came_once_and_in_order(field: str) -> None:
    good = attrs.evolve(FULL, points=FULL.points[:1])
    assert good.is_good
    assert not attrs.evolve(good, points=(attrs.evolve(good.points[0], **{field: 1}),)).is_good


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"3", b"{}", b'{"chatd_bench":2}', b'{"chatd_bench":1}', b"\xff"],
)
def test_what_is_no_run_is_refused(text: bytes) -> None:
    with pytest.raises(ResultsError, match="chatd bench"):
        from_json(text)


@pytest.mark.parametrize(
    ("key", "value"),
    [("scenario", 3), ("began", None), ("points", [{"load": "much"}]), ("target", {"url": "x"})],
)
def test_a_value_of_another_type_is_refused_and_not_made_to_fit(key: str, value: Any) -> None:
    document = orjson.loads(to_json(FULL)) | {key: value}
    with pytest.raises(ResultsError, match="no run"):
        from_json(orjson.dumps(document))


def test_a_target_of_an_unknown_kind_is_refused() -> None:
    document = orjson.loads(to_json(FULL))
    document["target"]["kind"] = "carrier pigeon"
    with pytest.raises(ResultsError, match="target"):
        from_json(orjson.dumps(document))

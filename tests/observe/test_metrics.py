"""Counting events, and reading what is there, in the text form of Prometheus."""

import attrs
import pytest
from prometheus_client.parser import text_string_to_metric_families

from chatd.observe import (
    AnswerEnded,
    ConfigurationLoaded,
    ExportEnded,
    Level,
    LimitHit,
    LogEvent,
    MessageSent,
    Recorder,
    SocketConnected,
)
from chatd.observe.catalogue import (
    COUNTED,
    HISTOGRAMS,
    MEASURED,
    Described,
    Distribution,
    described,
)
from chatd.observe.message_times import MessageTimes
from chatd.observe.metrics import Metrics
from tests.rows import rows

OF_CLIENTS = {
    "address",
    "answer_id",
    "message_id",
    "question_id",
    "rooms",
    "session_id",
    "socket_id",
    "user_id",
}
"""Fields whose values clients choose, or that are new with each client."""


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


@rows("kind", COUNTED)
def test_labels_are_fields_and_never_what_a_client_chose(kind: type[LogEvent]) -> None:
    labels = set(COUNTED[kind].labels)
    assert labels <= {field.name for field in attrs.fields(kind)}  # type: ignore[arg-type]
    assert not labels & OF_CLIENTS


def test_connection_ids_are_labels_only_where_they_are_of_the_configuration() -> None:
    # A client names rooms too, as many as it likes: those events count without.
    with_rooms = {kind for kind, counted in COUNTED.items() if "connection_id" in counted.labels}
    assert {kind.event_name.partition(".")[0] for kind in with_rooms} == {"answer", "database"}


def test_an_event_is_counted_and_passed_on() -> None:
    recorder = Recorder()
    metrics = Metrics(recorder)
    events = [
        LimitHit("user_messages_per_minute", "ada", None),
        LimitHit("user_messages_per_minute", "bob", None),
        LimitHit("auth_failures", None, "192.0.2.1"),
        MessageSent("m1", "sales", 1, "ada", False),
        MessageSent("m1", "sales", 1, "ada", True),
        AnswerEnded("a1", "sales", "none", "error", "db_busy", 0, 7),
        SocketConnected("s", "t", "ada", ("sales",), False, 1.5),
        ConfigurationLoaded(None),  # counted nowhere
    ]
    for event in events:
        metrics.record(event)
    assert recorder.events == events
    found = samples(metrics)
    assert found["chatd_limits_hit_total", "user_messages_per_minute"] == 2
    assert found["chatd_limits_hit_total", "auth_failures"] == 1
    assert found["chatd_messages_total", "false"] == 1
    assert found["chatd_messages_total", "true"] == 1
    assert found["chatd_answers_ended_total", "sales", "error"] == 1
    assert found[("chatd_sockets_connected_total",)] == 1
    assert found[("chatd_sockets_reconnected_total",)] == 0


def test_events_that_come_together_are_counted_each_and_passed_on() -> None:
    recorder = Recorder()
    metrics = Metrics(recorder)
    events = [MessageSent("m", "r", seq, "u", seq > 2) for seq in range(1, 6)]
    metrics.record_all(events)
    assert recorder.events == events
    assert samples(metrics)["chatd_messages_total", "false"] == 2
    assert samples(metrics)["chatd_messages_total", "true"] == 3


def test_what_exports_hold_is_summed_beside_their_number() -> None:
    metrics = Metrics(Recorder())
    for outcome, count, size in (("sent", 1_000, 50_000), ("broken_off", 10, 7), ("db_busy", 0, 0)):
        metrics.record(
            ExportEnded("a1", "sales", "ada", "csv", outcome, True, False, count, size, 5)
        )
    found = samples(metrics)
    for outcome in ("sent", "broken_off", "db_busy"):
        assert found["chatd_exports_total", "csv", outcome] == 1
    assert found["chatd_export_rows_total", "csv"] == 1_010
    assert found["chatd_export_bytes_total", "csv"] == 50_007


def test_a_gauge_is_read_when_somebody_asks() -> None:
    metrics = Metrics(Recorder())
    now = {"one": 1, "two": 2}
    metrics.show(
        Described("chatd_things", "gauge", (), "Things."), lambda: [((), sum(now.values()))]
    )
    metrics.show(
        Described("chatd_each", "gauge", ("name",), "Each."),
        lambda: [((name,), figure) for name, figure in now.items()],
    )
    metrics.show(Described("chatd_gone_total", "counter", (), "Gone."), lambda: [((), 4)])
    metrics.show(Described("chatd_unknown", "gauge", (), "Not known now."), lambda: ())
    now["two"] = 5
    now["three"] = 0
    found = samples(metrics)
    assert found[("chatd_things",)] == 6
    assert found["chatd_each", "one"] == 1
    assert found["chatd_each", "two"] == 5
    assert found["chatd_each", "three"] == 0
    assert found[("chatd_gone_total",)] == 4
    assert ("chatd_unknown",) not in found


def test_commits_are_a_histogram_of_seconds() -> None:
    metrics = Metrics(Recorder())
    for took_s in (0.0004, 0.003, 7.0):
        metrics.committed(took_s)
    found = samples(metrics)
    assert found["chatd_commit_seconds_bucket", "0.0005"] == 1
    assert found["chatd_commit_seconds_bucket", "0.005"] == 2
    assert found["chatd_commit_seconds_bucket", "+Inf"] == 3
    assert found[("chatd_commit_seconds_count",)] == 3
    assert found[("chatd_commit_seconds_sum",)] == pytest.approx(7.0034)


def test_the_batches_and_the_loop_are_histograms_too() -> None:
    metrics = Metrics(Recorder())
    metrics.acknowledged(7, 0.03)
    metrics.synced(0.002)
    metrics.loop_lagged(0.0)
    found = samples(metrics)
    assert found["chatd_batch_commands_bucket", "5.0"] == 0
    assert found["chatd_batch_commands_bucket", "10.0"] == 1
    assert found["chatd_sync_seconds_bucket", "0.001"] == 0
    assert found["chatd_sync_seconds_bucket", "0.0025"] == 1
    assert found["chatd_ack_seconds_bucket", "0.025"] == 0
    assert found["chatd_ack_seconds_bucket", "0.05"] == 1
    assert found["chatd_loop_lag_seconds_bucket", "0.001"] == 1


@rows("kind", MEASURED)
def test_an_event_that_is_measured_is_counted_and_has_its_field(kind: type[LogEvent]) -> None:
    measure = MEASURED[kind]
    names = {field.name for field in attrs.fields(kind)}  # type: ignore[arg-type]
    assert kind in COUNTED
    assert {measure.field, *measure.of.labels} <= names
    assert not set(measure.of.labels) & OF_CLIENTS
    assert measure.field.endswith("_ms")
    assert measure.of.name.endswith("_seconds")


@rows("distribution", [*HISTOGRAMS, *(measure.of for measure in MEASURED.values())])
def test_the_buckets_of_a_histogram_rise(distribution: Distribution) -> None:
    assert list(distribution.bounds) == sorted(set(distribution.bounds))


def test_what_is_described_is_what_a_scrape_has() -> None:
    families = text_string_to_metric_families(Metrics(Recorder()).render().decode())
    found = {
        f"{one.name}_total" if one.type == "counter" else one.name: (one.type, one.documentation)
        for one in families
        if not one.name.startswith("process_")
    }
    assert found == {one.name: (one.kind, one.doc) for one in described()}


def test_answers_are_measured_by_what_was_asked_and_how_they_ended() -> None:
    metrics = Metrics(Recorder())
    for elapsed_ms, state in ((7, "done"), (700, "done"), (700_000, "timeout")):
        metrics.record(AnswerEnded("a1", "sales", "sql", state, None, 0, elapsed_ms))
    found = samples(metrics)
    assert found["chatd_answer_seconds_bucket", "sql", "0.01", "done"] == 1
    assert found["chatd_answer_seconds_bucket", "sql", "1.0", "done"] == 2
    assert found["chatd_answer_seconds_bucket", "sql", "60.0", "timeout"] == 0
    assert found["chatd_answer_seconds_bucket", "sql", "+Inf", "timeout"] == 1
    assert found["chatd_answer_seconds_count", "sql", "done"] == 2
    assert found["chatd_answer_seconds_sum", "sql", "done"] == pytest.approx(0.707)


def test_messages_are_timed_until_they_are_stored_and_delivered() -> None:
    times = iter([100.03, 100.33])
    message_times = MessageTimes(lambda: next(times))
    message_times.stored(100.0)
    message_times.delivered([100.0, 100.2])
    stored, delivered = (
        dict(one.buckets()) for one in (message_times.stored_in, message_times.delivered_in)
    )
    assert (stored["0.025"], stored["0.05"]) == (0, 1)
    assert (delivered["0.1"], delivered["0.25"], delivered["0.5"]) == (0, 1, 2)


def test_two_daemons_in_a_process_count_for_themselves() -> None:
    one, other = Metrics(Recorder()), Metrics(Recorder())
    one.record(LimitHit("rooms_per_socket", "ada", None))
    assert samples(one)["chatd_limits_hit_total", "rooms_per_socket"] == 1
    assert ("chatd_limits_hit_total", "rooms_per_socket") not in samples(other)


def test_it_stands_for_the_log_behind_it() -> None:
    recorder = Recorder(lost=3)
    metrics = Metrics(recorder)
    assert metrics.wants(Level.DEBUG) is recorder.wants(Level.DEBUG)
    assert metrics.lost == 3

"""The alert rules: each is right, fires where it should, and is quiet where all is well."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
import yaml
from click.testing import CliRunner

from chatd.cli.commands import main
from tests.cli.operations_tables import metrics
from tests.observe.promtool import promtool
from tests.rows import rows

RULES = Path(__file__).parents[2] / "chatd" / "observe" / "alerts.yml"
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    for rule in group["rules"]
}
WHERE = 'job="chatd", instance="one"'


@attrs.frozen
class Case:
    """Series, each a value a minute, that make an alert fire after so many minutes; `well` are
    those that hardly do not. `labels`: what the alert says of the series."""

    alert: str
    ill: Mapping[str, str]
    well: Mapping[str, str]
    minutes: int = 30
    labels: Mapping[str, str] = attrs.field(factory=dict)


def histogram(name: str, *, quick: str, slow: str, bound: str) -> dict[str, str]:
    """The buckets of a histogram: so many up to a bound, and so many in all."""
    return {f'{name}_bucket{{le="{bound}"}}': quick, f'{name}_bucket{{le="+Inf"}}': slow}


CASES = [
    Case("ChatdDown", {"up": "1 1 0x30"}, {"up": "1 1 0 1x30"}),
    Case("ChatdNotReady", {"chatd_ready": "1 0x30"}, {"chatd_ready": "1 0 1x30"}),
    Case(
        "ChatdDegraded",
        {'chatd_condition{code="disk_low"}': "0 1x30"},
        {
            'chatd_condition{code="disk_low"}': "0 1 0 1 0x30",
            'chatd_condition{code="db_starting"}': "1x30",
            'chatd_condition{code="db_unavailable"}': "3x30",
            'chatd_condition{code="draining"}': "1x30",
        },
        labels={"code": "disk_low"},
    ),
    Case(
        "ChatdDatabaseDown",
        {'chatd_database_up{connection_id="sales"}': "1 0x30"},
        {'chatd_database_up{connection_id="sales"}': "1 0 0 1x30"},
        labels={"connection_id": "sales"},
    ),
    Case(
        "ChatdRestarting",
        {"process_start_time_seconds": "1 1 2 2 3 3 4x30"},
        {"process_start_time_seconds": "1 1 2 2 3 3 3x30"},
        minutes=15,
    ),
    Case(  # the series comes with the first crash
        "ChatdActorCrashed",
        {'chatd_actor_crashes_total{actor="messages"}': "_x25 1x30"},
        {'chatd_actor_crashes_total{actor="messages"}': "1x60"},
        labels={"actor": "messages"},
    ),
    Case(
        "ChatdInternalErrors",
        {'chatd_internal_errors_total{where="answer"}': "1x25 2x30"},
        {'chatd_internal_errors_total{where="answer"}': "2x60"},
        labels={"where": "answer"},
    ),
    Case(
        "ChatdStorageFails",
        {'chatd_store_failures_total{code="storage_full"}': "_x28 1x30"},
        {'chatd_store_failures_total{code="storage_full"}': "5x60"},
        labels={"code": "storage_full"},
    ),
    Case(
        "ChatdDiskFills",
        {"chatd_disk_free_bytes": "1000000000-1000000x500"},
        {"chatd_disk_free_bytes": "1000000000-100000x500"},
        minutes=450,
    ),
    Case(
        "ChatdSlowAcknowledgements",
        histogram("chatd_ack_seconds", quick="0+90x60", slow="0+100x60", bound="1.0"),
        histogram("chatd_ack_seconds", quick="0+100x60", slow="0+100x60", bound="0.25"),
    ),
    Case(
        "ChatdSlowDisk",
        histogram("chatd_sync_seconds", quick="0+90x60", slow="0+100x60", bound="1.0"),
        histogram("chatd_sync_seconds", quick="0+100x60", slow="0+100x60", bound="0.1"),
    ),
    Case(
        "ChatdLoopLags",
        histogram("chatd_loop_lag_seconds", quick="0+90x60", slow="0+100x60", bound="1.0"),
        histogram("chatd_loop_lag_seconds", quick="0+100x60", slow="0+100x60", bound="0.1"),
    ),
    Case(
        "ChatdMailboxFills",
        {'chatd_mailbox_commands{actor="messages"}': "0 6000x30"},
        {'chatd_mailbox_commands{actor="messages"}': "6000 0 6000 4000x30"},
        labels={"actor": "messages"},
    ),
    Case(
        "ChatdConnectionsFull",
        {"chatd_connections": "950x30", "chatd_connections_limit": "1000x30"},
        {"chatd_connections": "850x30", "chatd_connections_limit": "1000x30"},
    ),
    Case(
        "ChatdDescriptorsFull",
        {"process_open_fds": "950x30", "process_max_fds": "1000x30"},
        {"process_open_fds": "850x30", "process_max_fds": "1000x30"},
    ),
    Case(
        "ChatdSlowConsumers",
        {'chatd_sessions_closed_total{reason="slow consumer"}': "0+5x60"},
        {
            'chatd_sessions_closed_total{reason="slow consumer"}': "0+1x60",
            'chatd_sessions_closed_total{reason="transport close"}': "0+500x60",
        },
        labels={"reason": "slow consumer"},
    ),
    Case(
        "ChatdBadTokens",
        {
            'chatd_authentications_failed_total{code="token_invalid"}': "0+40x60",
            'chatd_authentications_failed_total{code="token_expired"}': "0+40x60",
        },
        {'chatd_authentications_failed_total{code="token_expired"}': "0+40x60"},
    ),
    Case(
        "ChatdAnswersFail",
        {
            'chatd_answers_ended_total{connection_id="sales", state="done"}': "0+1x60",
            'chatd_answers_ended_total{connection_id="sales", state="error"}': "0+1x60",
            'chatd_answers_ended_total{connection_id="sales", state="timeout"}': "0+1x60",
        },
        {  # one good room, and one in which somebody tried once
            'chatd_answers_ended_total{connection_id="sales", state="done"}': "0+2x60",
            'chatd_answers_ended_total{connection_id="sales", state="error"}': "0+1x60",
            'chatd_answers_ended_total{connection_id="hr", state="error"}': "0x20 2x40",
        },
        minutes=45,
        labels={"connection_id": "sales"},
    ),
    Case(
        "ChatdLogLinesLost",
        {"chatd_log_lines_lost_total": "0x25 7x30"},
        {"chatd_log_lines_lost_total": "7x60"},
    ),
]


def test_each_alert_has_its_case() -> None:
    assert [case.alert for case in CASES] == list(ALERTS)


@rows("alert", ALERTS)
def test_an_alert_says_what_is_amiss_and_what_to_do(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"].keys() == {"summary", "description"}
    assert all(text.endswith(".") for text in rule["annotations"].values())


@rows("alert", ALERTS)
def test_the_metrics_of_an_alert_exist(alert: str) -> None:
    known = {one.name for one in metrics()}
    known |= {f"{one.name}_bucket" for one in metrics() if one.kind == "histogram"}
    named = set(re.findall(r"\bchatd_\w+", ALERTS[alert]["expr"]))
    assert named <= known


def test_prometheus_takes_the_rules() -> None:
    assert f"SUCCESS: {len(ALERTS)} rules found" in promtool("check", "rules", RULES)


def test_the_alerts_fire_where_something_is_amiss_and_nowhere_else(tmp_path: Path) -> None:
    """All cases in one run of promtool, which takes longer to start than to judge."""
    tests = [_test(case, case.ill, fires=True) for case in CASES]
    tests += [_test(case, case.well, fires=False) for case in CASES]
    file = tmp_path / "alerts_test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": tests}))
    promtool("test", "rules", file)


def _test(case: Case, series: Mapping[str, str], *, fires: bool) -> dict[str, Any]:
    """The case in the words of promtool. Whether it fires is asked of the series that Prometheus
    itself keeps of its alerts; all alerts must be quiet where this one is."""
    severity = ALERTS[case.alert]["labels"]["severity"]
    labels = {"severity": severity, "job": "chatd", "instance": "one", **case.labels}
    shown = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    firing = f'ALERTS{{alertname="{case.alert}", alertstate="firing", {shown}}}'
    one = f'ALERTS{{alertstate="firing", alertname="{case.alert}"}}'
    asked = one if fires else 'ALERTS{alertstate="firing"}'
    return {
        "interval": "1m",
        "input_series": [
            {"series": _located(name), "values": values} for name, values in series.items()
        ],
        "promql_expr_test": [
            {
                "expr": asked,
                "eval_time": f"{case.minutes}m",
                "exp_samples": [{"labels": firing, "value": 1}] if fires else [],
            }
        ],
    }


def _located(series: str) -> str:
    """The series, of a daemon somewhere."""
    name, _, labels = series.partition("{")
    return f"{name}{{{WHERE}, {labels or '}'}".replace(", }", "}")


@pytest.mark.parametrize("name", ["alerts", "dashboard"])
def test_what_is_shipped_is_printed_by_a_command(name: str) -> None:
    file = RULES if name == "alerts" else RULES.with_name("dashboard.json")
    printed = CliRunner().invoke(main, ["metrics", name])
    assert (printed.exit_code, printed.output) == (0, file.read_text("utf-8"))

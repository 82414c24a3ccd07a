"""Moments as people type them."""

import datetime

import click
import pytest

from chatd.cli.moments import Moment, shown
from chatd.observe.clock import Clock
from tests.rows import rows

AT = datetime.datetime(2026, 1, 31, 13, 45, tzinfo=datetime.UTC)
AT_MS = int(AT.timestamp() * 1000)


@rows(
    ("written", "at_ms"),
    [
        ("2026-01-31T13:45", AT_MS),
        ("2026-01-31 13:45", AT_MS),
        ("2026-01-31T14:45+01:00", AT_MS),
        ("2026-01-31T13:45:00Z", AT_MS),
        ("2026-01-31", AT_MS - 49_500_000),
    ],
)
def test_dates_are_of_utc_unless_they_name_a_zone(written: str, at_ms: int) -> None:
    assert Moment().convert(written, None, None) == at_ms


@rows(("written", "ago_s"), [("90s", 90), ("5m", 300), ("36h", 129_600), ("7d", 604_800)])
def test_spans_are_how_long_ago_it_is(written: str, ago_s: int) -> None:
    ago_ms = Clock().wall_ms() - Moment().convert(written, None, None)
    assert ago_s * 1000 <= ago_ms < (ago_s + 60) * 1000


@rows("written", ["", "yesterday", "7", "7y", "-7d", "2026-13-01", "99999999999d"])
def test_anything_else_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(click.BadParameter, match="2026-01-31"):
        Moment().convert(written, None, None)


@rows(("at_ms", "text"), [(AT_MS, "2026-01-31T13:45:00.000Z"), (2**62, f"{2**62} ms")])
def test_times_are_shown_in_utc(at_ms: int, text: str) -> None:
    assert shown(at_ms) == text

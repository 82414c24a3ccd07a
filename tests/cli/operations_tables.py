"""The tables of docs/operations that are made of the code: conditions, metrics, events.

`python -m tests.cli.operations_tables` writes them anew; `test_tables` holds them.
"""

import inspect
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from chatd.app import gauges
from chatd.observe import catalogue, events
from chatd.observe.catalogue import Described
from chatd.observe.conditions import KINDS, ConditionKind, Gravity
from chatd.observe.events import LogEvent
from chatd.observe.rations import CHEAP_PER_S

DOCUMENT = Path(__file__).parents[2] / "chatd" / "docs" / "operations.md"


def event_classes() -> list[type[LogEvent]]:
    """The classes of the events that the log writes, in the order of their module."""
    found = [
        kind
        for kind in vars(events).values()
        if inspect.isclass(kind) and issubclass(kind, LogEvent) and kind is not LogEvent
    ]
    return [kind for kind in found if kind.__module__ == events.__name__]


def metrics() -> list[Described]:
    """All metrics of chatd's own: those that are read off first, then histograms and counters."""
    return [*gauges.described(), *catalogue.described()]


def rewritten(text: str) -> str:
    """The document with its tables as the code has them."""
    text = _with_table(text, "reason in `/readyz`", map(_condition_row, KINDS))
    text = _with_table(text, "metric", map(_metric_row, metrics()))
    return _with_table(text, "event", map(_event_row, event_classes()))


def _condition_row(kind: ConditionKind) -> Sequence[str]:
    is_out = kind.gravity is Gravity.OUT_OF_SERVICE
    public = "`draining`" if kind.code == "draining" else "`degraded`" if kind.is_public else ""
    return (f"`{kind.code}`", kind.means, "yes" if is_out else "no", public)


def _metric_row(metric: Described) -> Sequence[str]:
    doc = _phrase(metric.doc)
    return (f"`{metric.name}`", metric.kind, _codes(metric.labels), doc)


def _event_row(kind: type[LogEvent]) -> Sequence[str]:
    words = " ".join((kind.__doc__ or "").split())
    means = _phrase(words)
    names = [field.name for field in attrs.fields(kind)]  # type: ignore[arg-type]
    return (f"`{kind.event_name}`", kind.level.name.lower(), _codes(names), _most(kind), means)


def _most(kind: type[LogEvent]) -> str:
    """How many lines of an event are written."""
    bounds = [f"{CHEAP_PER_S} a second"] if kind.is_cheap else []
    if kind.alike_by:
        bounds.append(f"one a minute alike in {_codes(kind.alike_by)}")
    return "; ".join(bounds)


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _with_table(text: str, first_column: str, rows: Iterable[Sequence[str]]) -> str:
    """The text with these rows in the table whose first column has this title."""
    head = re.search(rf"^\| {re.escape(first_column)} \|.*\n\|[-|]+\|\n", text, re.M)
    assert head is not None
    old = re.compile(r"(?:\|.*\n)*").match(text, head.end())
    assert old is not None
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return text[: head.end()] + table + text[old.end() :]


def _phrase(sentence: str) -> str:
    """A sentence as a cell begins it: a name of capitals alone stays as it is."""
    is_name = sentence[1:2].isupper()
    return (sentence[0] if is_name else sentence[0].lower()) + sentence[1:].removesuffix(".")


if __name__ == "__main__":
    DOCUMENT.write_text(rewritten(DOCUMENT.read_text("utf-8")), "utf-8")

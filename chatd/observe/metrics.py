"""Events counted, and the state of the daemon read off, in Prometheus's text format
(docs/operations, "Metrics").

`Metrics` stands before the log: it counts an event and passes it on. Nothing is counted that is not
an event, and no caller counts anything. Times that belong to no event are told to it (`committed`,
`acknowledged`, `synced`, `loop_lagged`, `message_times`). What there is stands in `catalogue`.
The library takes 50 ms to import: only what serves imports this module.
"""

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from chatd.observe import catalogue
from chatd.observe.catalogue import COUNTED, HISTOGRAMS, MEASURED, Count, Described
from chatd.observe.events import EventLog, Level, LogEvent
from chatd.observe.histograms import HistogramCollector
from chatd.observe.message_times import MessageTimes

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4.encode("ascii")

Values = Iterable[tuple[tuple[str, ...], float]]
"""What a gauge shows now: for each series the values of its labels, in their order, and its own."""


class _Series:
    """The children of one counter by the values of their labels: a child is made once."""

    __slots__ = ("_children", "_counter", "_labels", "_values")

    def __init__(self, counted: Count, registry: CollectorRegistry) -> None:
        name = f"chatd_{counted.name}"
        self._counter = Counter(name, counted.doc, counted.labels, registry=registry)
        self._labels = counted.labels
        self._values: Callable[[LogEvent], Any] = (
            attrgetter(*counted.labels) if counted.labels else lambda _event: None
        )
        self._children: dict[Any, Counter] = {}
        if not counted.labels:
            self._children[None] = self._counter

    def count(self, event: LogEvent) -> None:
        values = self._values(event)
        child = self._children.get(values)
        if child is None:
            words = [_word(getattr(event, label)) for label in self._labels]
            child = self._children[values] = self._counter.labels(*words)
        child.inc()


class _SummedSeries(_Series):
    """A counter with others beside it, which grow by what the event says."""

    __slots__ = ("_sums",)

    def __init__(self, counted: Count, registry: CollectorRegistry) -> None:
        super().__init__(counted, registry)
        self._sums = [
            (Counter(f"chatd_{one.name}", one.doc, one.labels, registry=registry), one)
            for one in counted.sums
        ]

    def count(self, event: LogEvent) -> None:
        super().count(event)
        for counter, one in self._sums:
            words = [_word(getattr(event, label)) for label in one.labels]
            counter.labels(*words).inc(getattr(event, one.field or ""))


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Reading(Collector):
    """A gauge, or a counter that something else counts, read at each scrape."""

    def __init__(self, described: Described, read: Callable[[], Values]) -> None:
        self._described = described
        self._read = read

    def describe(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """What the library knows names by; nothing is read for it."""
        yield self._family()

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """What the library writes."""
        family = self._family()
        for values, figure in self._read():
            family.add_metric(values, figure)
        yield family

    def _family(self) -> GaugeMetricFamily | CounterMetricFamily:
        one = self._described
        kind = CounterMetricFamily if one.kind == "counter" else GaugeMetricFamily
        return kind(one.name, one.doc, labels=one.labels)


class _OfNode(CollectorRegistry):
    """What is in a registry, with the name of the node on each series."""

    def __init__(self, registry: CollectorRegistry, node: str) -> None:
        super().__init__()
        self._of = registry
        self._label = {"node": node}

    def collect(self) -> Iterator[Metric]:
        for family in self._of.collect():
            family.samples = [
                one._replace(labels={**self._label, **one.labels}) for one in family.samples
            ]
            yield family


class Metrics:
    """Counts events and hands them to the log; `show` adds what is read at each scrape. Where the
    node has a name, each series has it in the label `node`."""

    def __init__(self, log: EventLog, node: str = "") -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a series beside each, of no use
        self._log = log
        self._node = node
        self._registry = CollectorRegistry()
        self._series = {
            kind: (_SummedSeries if counted.sums else _Series)(counted, self._registry)
            for kind, counted in COUNTED.items()
        }
        collectors = {
            one.name: HistogramCollector(f"chatd_{one.name}", one.doc, one.bounds, one.labels)
            for one in (*HISTOGRAMS, *(measure.of for measure in MEASURED.values()))
        }
        self._measured = {
            kind: (measure, collectors[measure.of.name]) for kind, measure in MEASURED.items()
        }
        self._acks, self._batches, self._commits, self._syncs, self._lags = (
            collectors[one.name].of()
            for one in (
                catalogue.ACK,
                catalogue.BATCH,
                catalogue.COMMIT,
                catalogue.SYNC,
                catalogue.LAG,
            )
        )
        self.message_times = MessageTimes()
        collectors[catalogue.STORED.name].show(self.message_times.stored_in)
        collectors[catalogue.DELIVERED.name].show(self.message_times.delivered_in)
        for collector in collectors.values():
            self._registry.register(collector)
        ProcessCollector(registry=self._registry)

    def wants(self, level: Level) -> bool:
        """As the log says; an event that is counted is recorded whether it is written or not."""
        return self._log.wants(level)

    def record(self, event: LogEvent) -> None:
        """Count, measure, and pass on."""
        kind = type(event)
        series = self._series.get(kind)
        if series is not None:
            series.count(event)
            if kind in self._measured:
                measure, collector = self._measured[kind]
                words = [_word(getattr(event, label)) for label in measure.of.labels]
                collector.of(*words).observe(getattr(event, measure.field) / 1000)
        self._log.record(event)

    def pass_to(self, log: EventLog) -> None:
        """Hand events on to this log from now on."""
        self._log = log

    def settle(self, timeout_s: float) -> None:
        self._log.settle(timeout_s)

    @property
    def lost(self) -> int:
        return self._log.lost

    def committed(self, took_s: float) -> None:
        """A batch was committed, in so many seconds."""
        self._commits.observe(took_s)

    def synced(self, took_s: float) -> None:
        """The disk took a transaction, in so many seconds. For the writer's thread alone."""
        self._syncs.observe(took_s)

    def acknowledged(self, commands: int, took_s: float) -> None:
        """A batch of so many commands was answered, so many seconds after the first came."""
        self._batches.observe(commands)
        self._acks.observe(took_s)

    def loop_lagged(self, late_s: float) -> None:
        """A timer of the event loop was late by so many seconds."""
        self._lags.observe(late_s)

    def show(self, described: Described, read: Callable[[], Values]) -> None:
        """Have a metric read at each scrape."""
        self._registry.register(_Reading(described, read))

    def render(self) -> bytes:
        """All of it, as Prometheus reads it; see `CONTENT_TYPE`."""
        return generate_latest(
            _OfNode(self._registry, self._node) if self._node else self._registry
        )

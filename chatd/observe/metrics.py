"""Counts events, and reads the state of the daemon, in Prometheus's text format (docs/operations,
"Metrics").

`Metrics` stands before the log: it counts an event and passes it on. Only events are counted, and
no caller counts anything. Times that belong to no event are reported to it (`committed`,
`acknowledged`, `synced`, `loop_lagged`, `message_times`). `catalogue` lists all metrics. The
library takes 50 ms to import: only a daemon that serves imports this module.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from threading import Lock
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from chatd.observe import catalogue
from chatd.observe.catalogue import COUNTED, HISTOGRAMS, MEASURED, Count, Described, Measure
from chatd.observe.events import EventLog, Level, LogEvent
from chatd.observe.histograms import HistogramCollector
from chatd.observe.message_times import MessageTimes

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4.encode("ascii")

Values = Iterable[tuple[tuple[str, ...], float]]
"""What a gauge shows now: for each series the values of its labels, in their order, and its own
value."""


class _Counter(Collector):
    """A counter: its figures by the values of its labels.

    The library's own counter takes 0.7 us for each count, and some events are counted with each
    message; this takes 0.2 us, and is handed to the library when somebody scrapes. Any thread may
    count.
    """

    def __init__(self, counted: Count) -> None:
        self._counted = counted
        self._values: Callable[[LogEvent], object] = (
            attrgetter(*counted.labels) if counted.labels else _no_values
        )
        self._step = attrgetter(counted.field) if counted.field else None
        self._lock = Lock()
        self._figures: dict[Any, float] = {} if counted.labels else {(): 0.0}

    def count(self, event: LogEvent) -> None:
        """Count an event."""
        values, figures = self._values(event), self._figures
        step = 1.0 if self._step is None else self._step(event)
        with self._lock:
            figures[values] = figures.get(values, 0.0) + step

    def describe(self) -> Iterator[CounterMetricFamily]:
        """What the library knows names by, so that none is given twice."""
        yield self._family()

    def collect(self) -> Iterator[CounterMetricFamily]:
        """What the library writes."""
        family = self._family()
        with self._lock:
            figures = self._figures.copy()
        is_single = len(self._counted.labels) == 1
        for values, figure in figures.items():
            words = [_word(one) for one in ((values,) if is_single else values)]
            family.add_metric(words, figure)
        yield family

    def _family(self) -> CounterMetricFamily:
        one = self._counted
        return CounterMetricFamily(f"chatd_{one.name}", one.doc, labels=one.labels)


class _Measurer:
    """Observes a field of an event, in milliseconds, in the histogram of the event's labels."""

    def __init__(self, measure: Measure, collector: HistogramCollector) -> None:
        self._measure = measure
        self._collector = collector

    def observe(self, event: LogEvent) -> None:
        """Observe what an event says."""
        measure = self._measure
        words = [_word(getattr(event, label)) for label in measure.of.labels]
        self._collector.of(*words).observe(getattr(event, measure.field) / 1000)


def _no_values(event: LogEvent) -> tuple[()]:
    del event
    return ()


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Reading(Collector):
    """A gauge, or a counter that something else counts, read at each scrape."""

    def __init__(self, described: Described, read: Callable[[], Values]) -> None:
        self._described = described
        self._read = read

    def describe(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """The names that the library needs; nothing is read for this."""
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
    """The metrics of a registry, with the name of the node on each series."""

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
    """Counts events and hands them to the log; `show` adds what is read at each scrape. If the node
    has a name, each series has it in the label `node`."""

    def __init__(self, log: EventLog, node: str = "") -> None:
        self._log = log
        self._node = node
        self._registry = CollectorRegistry()
        collectors = {
            one.name: HistogramCollector(f"chatd_{one.name}", one.doc, one.bounds, one.labels)
            for one in (*HISTOGRAMS, *(measure.of for measure in MEASURED.values()))
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
        # What to do with an event of a class before it is passed on.
        self._uses: dict[type[LogEvent], tuple[Callable[[LogEvent], None], ...]] = {}
        for kind, counted in COUNTED.items():
            counters = [_Counter(one) for one in (counted, *counted.sums)]
            self._uses[kind] = tuple(one.count for one in counters)
            for counter in counters:
                self._registry.register(counter)
        for kind, measure in MEASURED.items():
            measurer = _Measurer(measure, collectors[measure.of.name])
            self._uses[kind] = (*self._uses.get(kind, ()), measurer.observe)
        for collector in collectors.values():
            self._registry.register(collector)
        ProcessCollector(registry=self._registry)

    def wants(self, level: Level) -> bool:
        """As the log says; an event that is counted is recorded whether it is written or not."""
        return self._log.wants(level)

    def record(self, event: LogEvent) -> None:
        """Count, measure, and pass on."""
        for use in self._uses.get(type(event), ()):
            use(event)
        self._log.record(event)

    def record_all(self, events: Sequence[LogEvent]) -> None:
        """Count, measure, and pass on events of one class."""
        for use in self._uses.get(type(events[0]), ()):
            for event in events:
                use(event)
        self._log.record_all(events)

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
        """The disk took a transaction, in so many seconds. Only the writer's thread may call it."""
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

"""Events counted, and the state of the daemon read off, in Prometheus's text format
(docs/operations, "Metrics").

`Metrics` stands before the log: it counts an event and passes it on. Nothing is counted that is not
an event, and no caller counts anything. Times that belong to no event are told to it (`committed`,
`acknowledged`, `loop_lagged`). Labels are words of the daemon's own (limits, codes, reasons, rooms
of the configuration), never what a client chose, so that no client can grow the number of series.
The library takes 50 ms to import: only what serves imports this module.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

import attrs
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from chatd.observe import events
from chatd.observe.events import EventLog, Level, LogEvent
from chatd.observe.histograms import HistogramCollector

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4.encode("ascii")

COMMIT_BOUNDS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""From a disk that does not sync to one that hangs."""
ACK_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""From a commit without a wait, over what nobody notices (0.1), to what clients give up at."""
LAG_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""From what timers are late by anyway to what makes clients think that nobody is there."""
ANSWER_BOUNDS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""From the cache to answers.timeout_s, and beyond where somebody has raised that."""


@attrs.frozen
class _Count:
    """How a class of events is counted: the counter, what it says, the fields that are labels.

    `field` is what is added, 1 for an event where there is none; `sums` are counted beside it.
    """

    name: str
    doc: str
    labels: tuple[str, ...] = ()
    field: str | None = None
    sums: "tuple[_Count, ...]" = ()


COUNTED: Final[Mapping[type[LogEvent], _Count]] = {
    events.SessionOpened: _Count(
        "sessions_opened", "Handshakes that made a session.", ("transport",)
    ),
    events.SessionClosed: _Count("sessions_closed", "Sessions that ended.", ("reason",)),
    events.HandshakeRefused: _Count(
        "handshakes_refused", "Requests for a session refused.", ("reason",)
    ),
    events.AuthenticationFailed: _Count("authentications_failed", "Tokens refused.", ("code",)),
    events.ProtocolViolated: _Count(
        "protocol_violations", "Sessions lost to a breach.", ("layer",)
    ),
    events.SocketConnected: _Count("sockets_connected", "Sockets let in."),
    events.SocketReconnected: _Count(
        "sockets_reconnected", "Of these, clients that say they came back."
    ),
    events.SocketDisconnected: _Count("sockets_disconnected", "Sockets gone.", ("reason",)),
    events.MessageSent: _Count(
        "messages", "Messages acknowledged, by whether before.", ("duplicate",)
    ),
    events.MessageRefused: _Count("messages_refused", "Messages not accepted.", ("code",)),
    events.MessageChanged: _Count(
        "changes", "Changes of messages acknowledged, by whether before.", ("change", "duplicate")
    ),
    events.ChangeRefused: _Count("changes_refused", "Changes not accepted.", ("code",)),
    events.LimitHit: _Count(
        "limits_hit", "What limits refused or ended, by their key.", ("limit",)
    ),
    events.AnswerStarted: _Count(
        "answers_started", "Questions that were begun.", ("connection_id",)
    ),
    events.AnswerEnded: _Count("answers_ended", "Answers ended.", ("connection_id", "state")),
    events.ExportEnded: _Count(
        "exports",
        "Downloads of answers, by how they ended.",
        ("format", "outcome"),
        sums=(
            _Count("export_rows", "Rows in the files of these.", ("format",), field="rows"),
            _Count("export_bytes", "Bytes of these that left.", ("format",), field="size"),
        ),
    ),
    events.DatabaseConnected: _Count(
        "database_sessions", "Sessions with db-mcps.", ("connection_id",)
    ),
    events.DatabaseLost: _Count(
        "database_losses", "Sessions lost or not made.", ("connection_id",)
    ),
    events.ActorCrashed: _Count("actor_crashes", "Actors that raised.", ("actor",)),
    events.StoreFailed: _Count("store_failures", "What the disk did not take or give.", ("code",)),
    events.ReadFailed: _Count("store_reads_failed", "Reads of the log that failed."),
    events.RowDamaged: _Count("rows_damaged", "Rows of the log that cannot be read, each once."),
    events.MessagesRemoved: _Count("rooms_shortened", "Rooms that retention removed messages of."),
    events.InternalError: _Count("internal_errors", "Faults of the daemon itself.", ("where",)),
}
"""What is counted. The name on the wire is `chatd_NAME_total`."""


@attrs.frozen
class _Measure:
    """How a field of a class of events, in milliseconds, becomes a histogram of seconds."""

    name: str
    doc: str
    field: str
    bounds_s: tuple[float, ...]
    labels: tuple[str, ...] = ()


MEASURED: Final[Mapping[type[LogEvent], _Measure]] = {
    events.AnswerEnded: _Measure(
        "answer_seconds",
        "From a question that is stored to the end of its answer.",
        "elapsed_ms",
        ANSWER_BOUNDS_S,
        ("connection_id",),
    ),
}
"""What is measured of events that are counted too. The name on the wire is `chatd_NAME`, with
`_bucket`, `_sum` and `_count`."""


class _Series:
    """The children of one counter by the values of their labels: a child is made once."""

    __slots__ = ("_children", "_counter", "_labels", "_values")

    def __init__(self, counted: _Count, registry: CollectorRegistry) -> None:
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

    def __init__(self, counted: _Count, registry: CollectorRegistry) -> None:
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


class Metrics:
    """Counts events and hands them to the log; `gauge` adds what is read at each scrape."""

    def __init__(self, log: EventLog) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a series beside each, of no use
        self._log = log
        self._registry = CollectorRegistry()
        self._series = {
            kind: (_SummedSeries if counted.sums else _Series)(counted, self._registry)
            for kind, counted in COUNTED.items()
        }
        self._measured = {
            kind: (one, self._histogram(one.name, one.doc, one.bounds_s, one.labels))
            for kind, one in MEASURED.items()
        }
        self._commits = self._histogram(
            "commit_seconds", "How long the log took for a batch.", COMMIT_BOUNDS_S
        ).of()
        self._acks = self._histogram(
            "ack_seconds",
            "From the first command of a batch that waits to the acks of all of them.",
            ACK_BOUNDS_S,
        ).of()
        self._lags = self._histogram(
            "loop_lag_seconds", "How late a timer of the event loop was.", LAG_BOUNDS_S
        ).of()
        self.gauge("log_lines_lost", "Lines of the log that nothing took.", lambda: log.lost)
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
                measure, histogram = self._measured[kind]
                words = [_word(getattr(event, label)) for label in measure.labels]
                histogram.of(*words).observe(getattr(event, measure.field) / 1000)
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

    def acknowledged(self, took_s: float) -> None:
        """A batch of commands was answered, so many seconds after the first of them came."""
        self._acks.observe(took_s)

    def loop_lagged(self, late_s: float) -> None:
        """A timer of the event loop was late by so many seconds."""
        self._lags.observe(late_s)

    def _histogram(
        self, name: str, doc: str, bounds_s: Sequence[float], labels: tuple[str, ...] = ()
    ) -> HistogramCollector:
        """`chatd_NAME`: how many times took up to how many seconds."""
        histogram = HistogramCollector(f"chatd_{name}", doc, bounds_s, labels)
        self._registry.register(histogram)
        return histogram

    def gauge(self, name: str, doc: str, read: Callable[[], float]) -> None:
        """Have `chatd_NAME` read at each scrape."""
        Gauge(f"chatd_{name}", doc, registry=self._registry).set_function(read)

    def gauges(
        self, name: str, doc: str, label: str, reads: Mapping[str, Callable[[], float]]
    ) -> None:
        """The same for several series, by the value of their label."""
        gauge = Gauge(f"chatd_{name}", doc, (label,), registry=self._registry)
        for value, read in reads.items():
            gauge.labels(value).set_function(read)

    def render(self) -> bytes:
        """All of it, as Prometheus reads it; see `CONTENT_TYPE`."""
        return generate_latest(self._registry)

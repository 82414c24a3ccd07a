"""What is counted and measured: each metric's name, labels, buckets, and what it says.

The one home of all metrics that are not gauges (`chatd.app.gauges` has those). An event is counted
(`COUNTED`), and some of what it says is measured (`MEASURED`); times and sizes that belong to no
event are told to `Metrics` (`HISTOGRAMS`). Labels are words of the daemon's own: limits, codes,
reasons, rooms of the configuration; never what a client chose, so that no client can grow the
number of series. The sentences stand in `# HELP` and in docs/operations.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from chatd.observe import events
from chatd.observe.events import LogEvent


@attrs.frozen
class Count:
    """How a class of events is counted: the counter, what it says, the fields that are labels.

    `field` is what is added; without a field, each event adds 1. `sums` are counted beside it.
    """

    name: str
    doc: str
    labels: tuple[str, ...] = ()
    field: str | None = None
    sums: "tuple[Count, ...]" = ()


@attrs.frozen
class Distribution:
    """A histogram: what it says, the upper bounds of its buckets, its labels."""

    name: str
    doc: str
    bounds: tuple[float, ...]
    labels: tuple[str, ...] = ()


@attrs.frozen
class Measure:
    """How a field of a class of events, in milliseconds, becomes a histogram of seconds."""

    field: str
    of: Distribution


COUNTED: Final[Mapping[type[LogEvent], Count]] = {
    events.SessionOpened: Count(
        "sessions_opened", "Handshakes that made a session.", ("transport",)
    ),
    events.SessionClosed: Count("sessions_closed", "Sessions that ended.", ("reason",)),
    events.HandshakeRefused: Count(
        "handshakes_refused", "Requests for a session that were refused.", ("reason",)
    ),
    events.AuthenticationFailed: Count(
        "authentications_failed", "Tokens that were refused.", ("code",)
    ),
    events.KeySetFailed: Count("key_set_failures", "Readings of the key set that failed."),
    events.ProtocolViolated: Count(
        "protocol_violations", "Sessions that were lost to a breach of a protocol.", ("layer",)
    ),
    events.SocketConnected: Count("sockets_connected", "Sockets that were let in."),
    events.SocketReconnected: Count(
        "sockets_reconnected", "Of these, clients that say that they came back."
    ),
    events.SocketDisconnected: Count("sockets_disconnected", "Sockets that are gone.", ("reason",)),
    events.MessageSent: Count(
        "messages",
        "Messages that were acknowledged; duplicate says whether the log had them already.",
        ("duplicate",),
    ),
    events.MessageRefused: Count("messages_refused", "Messages that were not accepted.", ("code",)),
    events.MessageChanged: Count(
        "changes",
        "Changes of messages that were acknowledged (edit, delete, react, unreact); duplicate says "
        "whether the log had them already.",
        ("change", "duplicate"),
    ),
    events.ChangeRefused: Count("changes_refused", "Changes that were not accepted.", ("code",)),
    events.LimitHit: Count(
        "limits_hit", "What limits refused or ended, by the key of the limit.", ("limit",)
    ),
    events.AnswerStarted: Count(
        "answers_started", "Questions that were begun.", ("connection_id",)
    ),
    events.AnswerEnded: Count("answers_ended", "Answers that ended.", ("connection_id", "state")),
    events.ExportEnded: Count(
        "exports",
        "Downloads of answers, by how they ended: sent, broken_off, or the code.",
        ("format", "outcome"),
        sums=(
            Count("export_rows", "Rows in the files of downloads.", ("format",), field="rows"),
            Count("export_bytes", "Bytes of downloads that left.", ("format",), field="size"),
        ),
    ),
    events.DatabaseConnected: Count(
        "database_sessions", "Sessions with db-mcps.", ("connection_id",)
    ),
    events.DatabaseLost: Count(
        "database_losses",
        "Sessions with db-mcps that were lost, or not made.",
        ("connection_id",),
    ),
    events.DatabaseAsked: Count(
        "database_calls",
        "Calls of db-mcps, by how they ended: answered, stopped, or the code.",
        ("connection_id", "outcome"),
    ),
    events.ActorCrashed: Count("actor_crashes", "Actors that raised.", ("actor",)),
    events.LifeLost: Count(
        "life_lost",
        "How often the session was lost that proves to PostgreSQL that this node is alive.",
    ),
    events.NodeReaped: Count("reaped_nodes", "Dead nodes whose users this node saw to."),
    events.StoreFailed: Count(
        "store_failures",
        "Writes that the log or the disk did not take, by the code that clients get.",
        ("code",),
    ),
    events.ReadFailed: Count("store_reads_failed", "Reads of the log that failed."),
    events.RowDamaged: Count("rows_damaged", "Rows of the log that cannot be read, each once."),
    events.MessagesRemoved: Count("rooms_shortened", "Rooms that retention removed messages of."),
    events.InternalError: Count("internal_errors", "Faults of the daemon itself.", ("where",)),
}
"""What is counted. The name on the wire is `chatd_NAME_total`."""


COMMIT_BOUNDS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""From a disk that does not sync to one that hangs."""
ACK_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""From a commit without a wait, over what nobody notices (0.1), to what clients give up at."""
LAG_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""From what timers are late by anyway to what makes clients think that nobody is there."""
ANSWER_BOUNDS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""From the cache to answers.timeout_s, and beyond, if somebody has raised that."""
CONNECT_BOUNDS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""From what needs no wait to a directory that nearly does not answer."""
BATCH_BOUNDS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
"""From a quiet room to as many as a batch may be."""

ACK: Final = Distribution(
    "ack_seconds",
    "How long a batch of commands (messages, acknowledgements, joins) took, from when its first "
    "one was taken in to when all of them were answered. Where more than 1,000 wait, the next "
    "batch counts from when the one before was taken.",
    ACK_BOUNDS_S,
)
STORED: Final = Distribution(
    "message_stored_seconds",
    "From a message that was read from its sender to when it is in the log.",
    ACK_BOUNDS_S,
)
DELIVERED: Final = Distribution(
    "message_delivered_seconds",
    "From a message that was read from its sender to when it was written to every socket of its "
    "room; what a slow socket does not take at once does not count.",
    ACK_BOUNDS_S,
)
BATCH: Final = Distribution(
    "batch_commands",
    "How many commands a batch of the messages actor had: what had gathered in its mailbox.",
    BATCH_BOUNDS,
)
COMMIT: Final = Distribution(
    "commit_seconds",
    "How long the log took for a batch, with the ways to its thread and back: a part of "
    "chatd_ack_seconds.",
    COMMIT_BOUNDS_S,
)
SYNC: Final = Distribution(
    "sync_seconds",
    "How long the disk took to take a transaction and, with durability fsync, to sync it: a part "
    "of chatd_commit_seconds.",
    COMMIT_BOUNDS_S,
)
LAG: Final = Distribution(
    "loop_lag_seconds",
    "How late a timer of the event loop was, four times a second.",
    LAG_BOUNDS_S,
)

HISTOGRAMS: Final = (ACK, STORED, DELIVERED, BATCH, COMMIT, SYNC, LAG)
"""What is measured without an event. The name on the wire is `chatd_NAME`, with `_bucket`, `_sum`
and `_count`."""

MEASURED: Final[Mapping[type[LogEvent], Measure]] = {
    events.SocketConnected: Measure(
        "took_ms",
        Distribution(
            "handshake_seconds",
            "From a CONNECT whose token is good to its connection:status: the token, the "
            "directory, and what the client has not read.",
            CONNECT_BOUNDS_S,
        ),
    ),
    events.AnswerEnded: Measure(
        "elapsed_ms",
        Distribution(
            "answer_seconds",
            "From a question that is stored to the end of its answer, by what was asked (sql, "
            "explain, tables, describe, sample, help; none where it was refused or not read).",
            ANSWER_BOUNDS_S,
            ("kind", "state"),
        ),
    ),
    events.DatabaseAsked: Measure(
        "took_ms",
        Distribution(
            "database_call_seconds",
            "How long a db-mcp took for a call, without the wait for a session.",
            ANSWER_BOUNDS_S,
            ("connection_id",),
        ),
    ),
    events.ExportEnded: Measure(
        "elapsed_ms",
        Distribution(
            "export_seconds",
            "From the request of a download to its end.",
            ANSWER_BOUNDS_S,
            ("format",),
        ),
    ),
}
"""What is measured from events that are also counted."""


@attrs.frozen
class Described:
    """A metric as documents and dashboards know it; `name` is its name on the wire."""

    name: str
    kind: str
    labels: tuple[str, ...]
    doc: str


def described() -> list[Described]:
    """All metrics of this module."""
    counts = [one for count in COUNTED.values() for one in (count, *count.sums)]
    distributions = [*HISTOGRAMS, *(measure.of for measure in MEASURED.values())]
    return [
        *(
            Described(f"chatd_{one.name}", "histogram", one.labels, one.doc)
            for one in distributions
        ),
        *(Described(f"chatd_{one.name}_total", "counter", one.labels, one.doc) for one in counts),
    ]

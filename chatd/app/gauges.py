"""What the metrics read off the running parts at each scrape (docs/operations, "Metrics").

Everything that is counted is an event (`chatd.observe.catalogue`).
"""

import platform
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

import attrs
import trio

from chatd import __version__
from chatd.answers.mcp.pool import McpDatabase
from chatd.app.build import Parts
from chatd.app.disk_space import Found
from chatd.app.fan_out import FanOut
from chatd.observe.catalogue import Described
from chatd.observe.conditions import is_ready
from chatd.observe.metrics import Metrics, Values
from chatd.service.ordered_publisher import Healed

Read = Callable[[Parts], Values]


def show_gauges(parts: Parts, metrics: Metrics) -> None:
    """Have `metrics` show all of `GAUGES`, and how many lines the log lost."""
    for gauge in GAUGES:
        metrics.show(gauge.described, _reader(gauge.read, parts))
    metrics.show(LINES_LOST, lambda: _one(metrics.lost))


def described() -> list[Described]:
    """All metrics of this module."""
    return [*(gauge.described for gauge in GAUGES), LINES_LOST]


@attrs.frozen
class _Gauge:
    described: Described
    read: Read


def _reader(read: Read, parts: Parts) -> Callable[[], Values]:
    return lambda: read(parts)


def _gauge(name: str, doc: str, read: Read, *labels: str) -> _Gauge:
    return _Gauge(Described(f"chatd_{name}", "gauge", labels, doc), read)


def _counter(name: str, doc: str, read: Read, *labels: str) -> _Gauge:
    return _Gauge(Described(f"chatd_{name}_total", "counter", labels, doc), read)


def _one(figure: float) -> Values:
    """The one series of a metric without labels."""
    return [((), figure)]


def _build_info(_parts: Parts) -> Values:
    return [((__version__, platform.python_version(), sqlite3.sqlite_version), 1)]


def _conditions(parts: Parts) -> Values:
    conditions = parts.health.status.conditions
    found = Counter(reason.code for reason in conditions.reasons())
    return [((kind.code,), found[kind.code]) for kind in conditions.kinds]


def _mailboxes(parts: Parts) -> Values:
    return [
        (("messages",), len(parts.messages.mailbox)),
        (("presence",), len(parts.rosters.presence_mailbox)),
        (("typing",), len(parts.rosters.typing_mailbox)),
    ]


def _backlog(parts: Parts) -> int:
    """Of each session a few attributes: 1,000 of them take 0.2 ms."""
    return sum(one.transport.backlog.owed_bytes for one in parts.engine_io.sessions.by_sid.values())


def _of_disk(read: Callable[[Found], Values]) -> Read:
    """No series where nothing is known of the disk."""
    return lambda parts: () if parts.storage.disk.last is None else read(parts.storage.disk.last)


def _nodes_alive(parts: Parts) -> Values:
    life = parts.storage.life
    return () if life is None else _one(sum(node.is_alive for node in life.nodes))


def _of_databases(read: Callable[[McpDatabase], float]) -> Read:
    def rooms(parts: Parts) -> Iterable[tuple[tuple[str, ...], float]]:
        for room, database in parts.answering.databases.items():
            yield (room,), read(database)

    return rooms


def _of_cluster(read: Callable[[FanOut], Values]) -> Read:
    """No series where this node has its log alone."""
    return lambda parts: () if parts.publishing.fan_out is None else read(parts.publishing.fan_out)


GAUGES: Final = (
    _gauge(
        "build_info",
        "1: which chatd this is, on which Python and SQLite.",
        _build_info,
        "version",
        "python",
        "sqlite",
    ),
    _gauge(
        "ready",
        "1 where clients are served, as /readyz says.",
        lambda parts: _one(is_ready(parts.health.status.reasons())),
    ),
    _gauge(
        "condition",
        "How often a condition holds, by its code in /readyz; 0 where all is well.",
        _conditions,
        "code",
    ),
    _gauge(
        "connections",
        "Open connections on the public port.",
        lambda parts: _one(parts.engine_io.admission.connections),
    ),
    _gauge(
        "connections_limit",
        "How many connections may be open: server.max_connections, or fewer where the system "
        "grants fewer descriptors.",
        lambda parts: _one(parts.engine_io.admission.max_connections),
    ),
    _gauge(
        "sessions",
        "Sessions of Engine.IO.",
        lambda parts: _one(len(parts.engine_io.sessions.by_sid)),
    ),
    _gauge(
        "sockets",
        "Sockets of users who are in.",
        lambda parts: _one(parts.publishing.clients.count),
    ),
    _gauge(
        "places",
        "Users in rooms: one for each room of each user.",
        lambda parts: _one(len(parts.entering.occupancy)),
    ),
    _gauge(
        "backlog_bytes",
        "Bytes that are owed to slow sockets, together.",
        lambda parts: _one(_backlog(parts)),
    ),
    _gauge("mailbox_commands", "Commands that wait for an actor.", _mailboxes, "actor"),
    _gauge(
        "answers_under_way",
        "Questions that are being answered.",
        lambda parts: _one(parts.answering.service.count),
    ),
    _gauge(
        "database_up",
        "1 where the database of a room can be asked.",
        _of_databases(lambda database: database.is_available and not database.is_starting),
        "connection_id",
    ),
    _gauge(
        "database_calls_waiting",
        "Calls that wait for a session with the db-mcp of a room.",
        _of_databases(lambda database: database.waiting),
        "connection_id",
    ),
    _gauge(
        "bus_up",
        "1 where the bus between nodes carries what it is given; 0 also where there is none.",
        _of_cluster(lambda cluster: _one(cluster.bus.is_up)),
    ),
    _counter(
        "bus_messages",
        "Hints of messages and changes that the bus took (out), and brought (in), those of this "
        "node among them.",
        _of_cluster(
            lambda cluster: [
                (("out",), cluster.publisher.told),
                (("in",), cluster.publisher.heard_of),
            ]
        ),
        "direction",
    ),
    _counter(
        "healed_messages",
        "Messages and changes that the bus did not bring, and that were read from the log: "
        "something behind them had come (hole), the heads of rooms said so (poll), or a client "
        "that moved here had them (ahead).",
        _of_cluster(
            lambda cluster: [((str(why),), cluster.publisher.healed[why]) for why in Healed]
        ),
        "found_by",
    ),
    _gauge(
        "order_holes",
        "Rooms in which this node waits for an earlier message before it can show a later one.",
        _of_cluster(lambda cluster: _one(cluster.publisher.holes)),
    ),
    _gauge(
        "order_behind_seq",
        "How many messages the room that is furthest behind still lacks.",
        _of_cluster(lambda cluster: _one(cluster.publisher.behind_seq)),
    ),
    _gauge(
        "rooms_held",
        "Rooms that this node publishes, as somebody of it is there.",
        _of_cluster(lambda cluster: _one(cluster.publisher.rooms)),
    ),
    _gauge(
        "store_bytes",
        "Bytes of the log of messages on the disk: log.sqlite3 (log), and what is not yet moved "
        "into it (wal), as of the last 10 s.",
        _of_disk(lambda found: [((name,), size) for name, size in found.files.items()]),
        "file",
    ),
    _gauge(
        "disk_free_bytes",
        "Bytes that are free on the disk of the state directory, as of the last 10 s.",
        _of_disk(lambda found: _one(found.free)),
    ),
    _gauge(
        "disk_size_bytes",
        "Bytes of that disk.",
        _of_disk(lambda found: _one(found.size)),
    ),
    _gauge(
        "nodes_alive",
        "Nodes that share the log and were alive at the last look, with this one; no series where "
        "the log is in SQLite.",
        _nodes_alive,
    ),
    _gauge(
        "tasks",
        "Tasks of the event loop: one for each connection, and some thirty.",
        lambda _parts: _one(trio.lowlevel.current_statistics().tasks_living),
    ),
)

LINES_LOST: Final = Described(
    "chatd_log_lines_lost_total",
    "counter",
    (),
    "Lines of the log of events that nothing took.",
)

"""The internal listener, and what the metrics read off the running parts."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from chatd import __version__
from chatd.answers.mcp.pool import McpDatabase
from chatd.app.build import Parts
from chatd.app.hosts import is_loopback
from chatd.config import Config
from chatd.net.http.app import HttpRoute
from chatd.net.http.cors import CorsPolicy
from chatd.net.http.hypercorn import HypercornServer
from chatd.net.http.internal import InternalListener, internal_app, is_ready
from chatd.observe import InternalError
from chatd.observe.metrics import CONTENT_TYPE, Metrics
from chatd.observe.tap import EventTap
from chatd.service.admin_routes import AdminRoutes


def build_internal(
    config: Config, parts: Parts, metrics: Metrics, tap: EventTap
) -> InternalListener:
    """The listener for `/livez`, `/readyz` and `/metrics` of these parts, and, where it is a
    socket, for `chatd admin`."""
    _add_gauges(parts, metrics)

    host = config.server.internal.rpartition(":")[0].strip("[]")
    is_private = not host or config.server.internal_admin
    http = HypercornServer(
        internal_app(
            parts.status.reasons,
            metrics.render,
            CONTENT_TYPE,
            is_loopback=is_loopback(host),
            more=partial(_admin, parts, tap) if is_private else lambda _cors: {},
        ),
        body_timeout_s=config.server.head_timeout_s,
        report_fault=lambda fault: metrics.record(InternalError.of("internal", fault)),
    )
    return InternalListener(http, metrics, max_head_bytes=config.server.max_head_bytes)


def _admin(parts: Parts, tap: EventTap, origins: CorsPolicy) -> Mapping[str, HttpRoute]:
    return AdminRoutes(parts.administration, parts.erasures, tap, origins).table()


def _add_gauges(parts: Parts, metrics: Metrics) -> None:
    """What is there now; everything that is counted is an event."""
    metrics.gauges("info", "Which chatd this is.", "version", {__version__: lambda: 1})
    metrics.gauge(
        "ready",
        "1 where clients are served, as /readyz says.",
        lambda: is_ready(parts.status.reasons()),
    )
    metrics.gauge(
        "connections", "Open connections on the public port.", lambda: parts.admission.connections
    )
    metrics.gauge("sessions", "Engine.IO sessions.", lambda: len(parts.sessions.by_sid))
    metrics.gauge("sockets", "Sockets of users who are in.", lambda: parts.clients.count)
    metrics.gauges(
        "mailbox_commands",
        "Commands that wait for an actor.",
        "actor",
        {
            "messages": lambda: len(parts.mailbox),
            "presence": lambda: len(parts.presence_mailbox),
            "typing": lambda: len(parts.typing_mailbox),
        },
    )
    metrics.gauges(
        "store_bytes",
        "Bytes of the log on the disk: the log itself, and what is not yet moved into it.",
        "file",
        {
            "log": partial(_size, parts.store.path),
            "wal": partial(_size, parts.store.path.with_name(f"{parts.store.path.name}-wal")),
        },
    )
    metrics.gauge(
        "answers_under_way", "Questions being answered.", lambda: parts.answering.service.count
    )
    metrics.gauges(
        "database_up",
        "1 where the database of a room can be asked.",
        "connection_id",
        {room: partial(_up, one) for room, one in parts.answering.databases.items()},
    )


def _size(path: Path) -> int:
    """Bytes of a file, which may not be there."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _up(database: McpDatabase) -> bool:
    return database.is_available and not database.is_starting

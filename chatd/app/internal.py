"""The internal listener of a daemon."""

from collections.abc import Mapping

from chatd.app.build import Parts
from chatd.app.cluster import CLUSTER_PATH, cluster_route
from chatd.app.gauges import show_gauges
from chatd.app.hosts import is_loopback
from chatd.config import Config
from chatd.net.http.app import HttpRoute
from chatd.net.http.cors import CorsPolicy
from chatd.net.http.hypercorn import HypercornServer
from chatd.net.http.internal import InternalListener, internal_app
from chatd.observe import InternalError
from chatd.observe.metrics import CONTENT_TYPE, Metrics
from chatd.observe.tap import EventTap
from chatd.service.admin_routes import AdminRoutes


def build_internal(
    config: Config, parts: Parts, metrics: Metrics, tap: EventTap
) -> InternalListener:
    """The listener for `/livez`, `/readyz`, `/metrics` and `/cluster` of these parts, and, if it is
    a socket, for `chatd admin`."""
    show_gauges(parts, metrics)
    host = config.server.internal.rpartition(":")[0].strip("[]")
    is_private = not host or config.server.internal_admin
    http = HypercornServer(
        internal_app(
            parts.health.status.reasons,
            metrics.render,
            CONTENT_TYPE,
            is_loopback=is_loopback(host),
            more=lambda cors: {
                CLUSTER_PATH: cluster_route(config, parts, cors),
                **(_admin(parts, tap, cors) if is_private else {}),
            },
        ),
        body_timeout_s=config.server.head_timeout_s,
        report_fault=lambda fault: metrics.record(InternalError.of("internal", fault)),
    )
    return InternalListener(http, metrics, max_head_bytes=config.server.max_head_bytes)


def _admin(parts: Parts, tap: EventTap, origins: CorsPolicy) -> Mapping[str, HttpRoute]:
    operators = parts.operators
    return AdminRoutes(operators.administration, operators.erasures, tap, origins).table()

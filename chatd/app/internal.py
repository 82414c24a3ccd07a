"""The internal listener of a daemon."""

from chatd.app.build import Parts
from chatd.app.gauges import show_gauges
from chatd.app.hosts import is_loopback
from chatd.config import Config
from chatd.net.http.hypercorn import HypercornServer
from chatd.net.http.internal import InternalListener, internal_app
from chatd.observe import InternalError
from chatd.observe.metrics import CONTENT_TYPE, Metrics


def build_internal(config: Config, parts: Parts, metrics: Metrics) -> InternalListener:
    """The listener for `/livez`, `/readyz` and `/metrics` of these parts."""
    show_gauges(parts, metrics)
    host = config.server.internal.rpartition(":")[0].strip("[]")
    http = HypercornServer(
        internal_app(
            parts.status.reasons,
            metrics.render,
            CONTENT_TYPE,
            is_loopback=is_loopback(host),
        ),
        body_timeout_s=config.server.head_timeout_s,
        report_fault=lambda fault: metrics.record(InternalError.of("internal", fault)),
    )
    return InternalListener(http, metrics, max_head_bytes=config.server.max_head_bytes)

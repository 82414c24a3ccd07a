"""The nodes of a log as this one last saw them, for `/cluster` of the internal listener and `chatd
admin cluster` (docs/cluster, "The nodes")."""

from datetime import UTC, datetime
from typing import Any, Final

from chatd import __version__
from chatd.app.build import Parts
from chatd.app.bus import place_of_bus
from chatd.config import Config
from chatd.net.http.app import HttpRoute, Request, Response, json_response
from chatd.net.http.cors import CorsPolicy
from chatd.net.http.internal import NO_STORE

CLUSTER_PATH: Final = "/cluster"


def cluster_route(config: Config, parts: Parts, origins: CorsPolicy) -> HttpRoute:
    """The route that tells of the nodes."""

    async def answer(_request: Request) -> Response:
        return json_response(200, described(config, parts), NO_STORE)

    return HttpRoute(answer, cors=origins)


def described(config: Config, parts: Parts) -> dict[str, Any]:
    """The nodes, the log and the bus. It asks nobody: if the database is away, it shows what was
    there before. A node that keeps its log by itself is alone here."""
    life, fan_out = parts.storage.life, parts.publishing.fan_out
    sockets = parts.publishing.clients.count
    place = place_of_bus(config.bus.url)
    bus = None
    if place and fan_out is not None:
        bus = {"place": place, "isUp": fan_out.bus.is_up, "whyDown": fan_out.bus.why_down}
    seen = [] if life is None else life.nodes
    nodes = [
        {
            "name": node.name,
            "nodeId": node.node_id,
            "version": node.version,
            "startedAt": _written(node.started_at),
            "heardAt": _written(node.beat),
            "sockets": sockets if node.node_id == life.node_id else node.sockets,
            "bus": node.bus or None,
            "isAlive": node.is_alive,
            "isThis": node.node_id == life.node_id,
        }
        for node in seen
        if life is not None
    ]
    alone = {"name": "", "version": __version__, "sockets": sockets}
    return {
        "node": config.cluster.node,
        "nodes": nodes or [{**alone, "bus": None, "isAlive": True, "isThis": True}],
        "log": {
            "kind": "sqlite" if life is None else "postgresql",
            "epoch": parts.storage.store.epoch,
            "schemaVersion": None if life is None else life.schema_version or None,
            "isReached": life is None or life.why_lost is None,
        },
        "bus": bus,
    }


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

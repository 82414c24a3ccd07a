"""What the public port answers by ordinary HTTP: health, and the routes of page and chat."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

import attrs

from chatd.net.http.app import HttpApp, HttpRoute, Request, Response, json_response
from chatd.net.http.cors import CorsPolicy, Forbidden

HEALTH_PATH: Final = "/api/websocket/health"
OPENAPI_PATH: Final = "/api/openapi.json"
STRANGERS: Final = CorsPolicy((), is_loopback=False)
"""No page is known."""


@attrs.frozen
class Health:
    """How the server is. `uptime_s` is in seconds; only "ok" is answered with 200."""

    status: Literal["ok", "draining", "degraded"]
    connected_clients: int
    uptime_s: float


def document_route(document: object, cors: CorsPolicy) -> HttpRoute:
    """The description of the routes, which every page may read: it is the same for everybody."""
    answer = json_response(200, document, ((b"cache-control", b"no-cache"),))

    async def answer_document(_request: Request) -> Response:
        return answer

    return HttpRoute(answer_document, cors=attrs.evolve(cors, is_for_all=True))


def public_app(
    health: Callable[[], Health],
    *,
    cors: CorsPolicy = STRANGERS,
    routes: Mapping[str, HttpRoute] = MappingProxyType({}),
    turned_away: Callable[[str, Forbidden], None] = lambda _address, _forbidden: None,
) -> HttpApp:
    """The application. Every page may read the health, those of `cors` with their credentials. A
    path of `routes` that is in use already is a `ValueError`; `turned_away` is told whom a route
    forbids, and why."""

    async def answer_health(_request: Request) -> Response:
        now = health()
        return json_response(
            200 if now.status == "ok" else 503,
            {
                "status": now.status,
                "connectedClients": now.connected_clients,
                "uptime": now.uptime_s,
            },
            ((b"cache-control", b"no-store"),),
        )

    for_all = attrs.evolve(cors, is_for_all=True)
    table = {HEALTH_PATH: HttpRoute(answer_health, cors=for_all)}
    if twice := table.keys() & routes.keys():
        raise ValueError(f"routes given twice: {', '.join(sorted(twice))}")
    return HttpApp({**table, **routes}, turned_away)

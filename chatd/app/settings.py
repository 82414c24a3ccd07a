"""Makes from the configuration what the parts of the daemon take."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from chatd import __version__
from chatd.answers.mcp.described import command_help, described
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.app.hosts import authority, is_loopback, socket_path
from chatd.auth.role import AdministratorRule
from chatd.chat.markup import Markup
from chatd.config import Config, LimitsConfig
from chatd.engine.admission import Admission
from chatd.engine.session import SessionSettings
from chatd.engineio.heartbeat import HeartbeatSettings
from chatd.net.addresses import Network, as_network
from chatd.net.http.arrival import ProxyHeaders
from chatd.net.http.connection import ConnectionLimits
from chatd.net.http.cors import CorsPolicy
from chatd.service.authenticator import DIRECTORY_TIMEOUT_S
from chatd.service.connect import Welcome
from chatd.service.events.search import HITS_MAX
from chatd.service.rates import Limit, Rates
from chatd.wire.encoder import encode
from chatd.wire.events import ServerInfo, ServerLimits
from chatd.wire.names import Feature
from chatd.wire.openapi import openapi

STRANGER_PAYLOAD_BYTES: Final = 65_536
"""Bytes of one packet before the token is known: the token itself, and what a client knows of a few
hundred rooms. Beyond: as with `server.max_payload_bytes`. If tokens may be long, it is twice the
longest."""


def make_admission(config: Config, now_s: float) -> Admission:
    """How many connections and sessions are admitted."""
    limits = config.limits
    return Admission(
        handshakes_per_second=limits.handshakes_per_second,
        sessions_per_address=limits.sessions_per_address,
        pending_sessions_per_address=limits.pending_sessions_per_address,
        connections_per_address=limits.connections_per_address,
        max_connections=config.server.max_connections,
        now_s=now_s,
        trusted_proxies=trusted_proxies(config),
    )


def replace_admission(admission: Admission, limits: LimitsConfig, now_s: float) -> None:
    """Put other limits in force."""
    admission.replace_limits(
        handshakes_per_second=limits.handshakes_per_second,
        sessions_per_address=limits.sessions_per_address,
        pending_sessions_per_address=limits.pending_sessions_per_address,
        connections_per_address=limits.connections_per_address,
        now_s=now_s,
    )


def administrator_rule(config: Config) -> AdministratorRule:
    """Who is an administrator."""
    return AdministratorRule(config.auth.admin_claim, config.auth.admin_role)


def directory_timeout_s(config: Config) -> float:
    """How long a client waits for its rooms. A directory in a database ends its waits itself, and
    says why."""
    return max(DIRECTORY_TIMEOUT_S, config.directory.timeout_s + 1)


def connection_limits(config: Config) -> ConnectionLimits:
    server = config.server
    # One response may be as large as a payload, and was asked for: it is not backlog.
    return ConnectionLimits(server.max_head_bytes, server.backlog_bytes + server.max_payload_bytes)


def session_settings(config: Config) -> SessionSettings:
    server = config.server
    return SessionSettings(
        HeartbeatSettings(server.ping_interval_s, server.ping_timeout_s),
        server.max_payload_bytes,
        server.connect_timeout_s,
        server.upgrade_timeout_s,
        server.backlog_bytes,
        max(STRANGER_PAYLOAD_BYTES, 2 * config.auth.max_token_bytes),
    )


def cors_policy(config: Config) -> CorsPolicy:
    """On loopback, clients call the daemon by the names of this machine, or by the address on which
    it listens, whichever of 127.0.0.0/8 that is. If every connection comes from a proxy that passes
    on TCP, clients may call it by any name, and nobody calls it directly."""
    server = config.server
    is_near = is_loopback(server.host) and not server.proxy_protocol
    has_port = socket_path(server.host) is None
    return CorsPolicy(
        server.origins,
        is_near,
        here=f"http://{authority(server.host, server.port)}" if is_near and has_port else None,
        trusted_proxies=trusted_proxies(config),
        proxy_headers=ProxyHeaders(server.proxy_headers),
    )


def trusted_proxies(config: Config) -> tuple[Network, ...]:
    return tuple(map(as_network, config.server.trusted_proxies))


def rates(config: Config) -> Rates:
    return {limit: getattr(config.limits, limit) for limit in Limit}


def server_info(*, has_databases: bool) -> ServerInfo:
    """What this server is and can do. If no database answers in any room, clients should offer
    nothing that needs one."""
    needs_database = () if has_databases else (Feature.SCHEMA,)
    return ServerInfo(
        version=__version__,
        features=[feature for feature in Feature if feature not in needs_database],
        commands=command_help() if has_databases else [],
    )


def welcome(
    config: Config, epoch: str, markup: Markup, databases: Mapping[str, DatabaseSettings]
) -> Welcome:
    """`databases` are those that answer, by room."""
    limits = ServerLimits(
        content_chars=config.messages.content_chars,
        history_page=config.messages.history_page,
        messages_per_minute=config.limits.user_messages_per_minute,
        typing_per_minute=config.limits.user_typing_per_minute,
        max_payload=config.server.max_payload_bytes,
    )
    server = server_info(has_databases=bool(databases))
    return Welcome(
        epoch,
        limits,
        markup,
        orjson.Fragment(encode(server)),
        {room: orjson.Fragment(encode(described(one))) for room, one in databases.items()},
    )


def api_document(config: Config) -> dict[str, Any]:
    """Rooms over HTTP, as an OpenAPI document."""
    return openapi(
        __version__,
        content_chars=config.messages.content_chars,
        history_page=config.messages.history_page,
        hits_max=HITS_MAX,
    )

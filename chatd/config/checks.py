"""Rules between keys of any sections; they are checked once, when all layers are merged.

A check takes the configuration and returns None, or the keys that do not go together, with the rest
of the sentence that begins with the first of them.
"""

import ipaddress
from collections.abc import Callable, Collection, Iterator
from typing import Final, TypeAlias

import attrs

from chatd.config.kinds import UNIX_PREFIX
from chatd.config.sections import Config

ANSWERS_AT_ONCE: Final = 2
"""So many of the largest answers may be owed to a socket that has not taken any of them yet."""
BESIDE_ROWS_BYTES: Final = 262_144
"""Bytes of the largest message that ends an answer, without its rows: the text that people read
(9,500 characters), the columns (`COLUMNS_BYTES` in `answers.peers.results`), and what is around."""

Fault: TypeAlias = tuple[tuple[str, ...], str]


def _internal_is_not_public(config: Config) -> Fault | None:
    place, server = config.server.internal, config.server
    if place and server.host == UNIX_PREFIX + place:
        return (
            ("server.internal",),
            "must be another socket than server.host; choose another, or leave it out",
        )
    if not place or place.startswith("/") or server.host.startswith(UNIX_PREFIX):
        return None
    host, _, port = place.rpartition(":")
    if int(port) != server.port or server.port == 0 or not _overlap(host.strip("[]"), server.host):
        return None
    problem = (
        f"must be another place than the public port {server.port}; "
        "choose another port, or leave it out for a socket"
    )
    return ("server.internal",), problem


def _overlap(one: str, other: str) -> bool:
    """Whether two hosts stand for one address; the unspecified address stands for all."""
    return _address(one) == _address(other) or any(map(_is_unspecified, (one, other)))


def _address(host: str) -> str:
    return "127.0.0.1" if host.lower() == "localhost" else host.lower()


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _some_proxy_may_send_headers(config: Config) -> Fault | None:
    if not config.server.proxy_protocol or config.server.trusted_proxies:
        return None
    problem = (
        "needs server.trusted_proxies, or every connection is closed; list the addresses from "
        "which your proxy connects"
    )
    return ("server.proxy_protocol", "server.trusted_proxies"), problem


def _rooms_are_used(config: Config) -> Fault | None:
    if config.directory.source == "file" or not config.directory.connections:
        return None
    problem = 'is used with directory.source = "file" only; say so, or leave it out'
    return ("directory.connections",), problem


def _database_is_named(config: Config) -> Fault | None:
    directory = config.directory
    if directory.source == "sql" and not directory.url:
        return ("directory.source",), '= "sql" needs directory.url, the address of its database'
    if directory.source != "sql" and directory.url:
        problem = 'is used with directory.source = "sql" only; say so, or leave it out'
        return ("directory.url",), problem
    return None


def _node_has_a_name(config: Config) -> Fault | None:
    if not config.bus.url or config.cluster.node:
        return None
    problem = "is used by a node that has a name: write cluster.node, or leave it out"
    return ("bus.url",), problem


def _nodes_share_a_log(config: Config) -> Fault | None:
    if not config.bus.url or config.state.url:
        return None
    problem = (
        "joins nodes that share a log in PostgreSQL: write state.url, the address of its database, "
        "or leave it out"
    )
    return ("bus.url",), problem


def _answers_fit(config: Config) -> Fault | None:
    given, backlog = config.answers.max_bytes, config.server.backlog_bytes
    needed = ANSWERS_AT_ONCE * (given + BESIDE_ROWS_BYTES)
    if not config.answers.enabled or needed <= backlog:
        return None
    most = backlog // ANSWERS_AT_ONCE - BESIDE_ROWS_BYTES
    problem = (
        f"= {given} is too much for server.backlog_bytes = {backlog}: two answers at once would "
        f"cut off whoever is in the room; write server.backlog_bytes = {needed} or more"
        f"{f', or answers.max_bytes = {most} or less' if most > 0 else ''}"
    )
    return ("answers.max_bytes", "server.backlog_bytes"), problem


@attrs.frozen
class Check:
    """A rule between keys. It is not checked if one of them has a mistake of its own."""

    keys: frozenset[str]
    find: Callable[[Config], Fault | None]


CHECKS: Final = (
    Check(frozenset({"server.internal", "server.host", "server.port"}), _internal_is_not_public),
    Check(
        frozenset({"server.proxy_protocol", "server.trusted_proxies"}),
        _some_proxy_may_send_headers,
    ),
    Check(frozenset({"directory.connections", "directory.source"}), _rooms_are_used),
    Check(frozenset({"directory.url", "directory.source"}), _database_is_named),
    Check(frozenset({"bus.url", "cluster.node"}), _node_has_a_name),
    Check(frozenset({"bus.url", "state.url"}), _nodes_share_a_log),
    Check(
        frozenset({"answers.max_bytes", "server.backlog_bytes", "answers.enabled"}), _answers_fit
    ),
)


def faults_together(config: Config, mistaken: Collection[str]) -> Iterator[Fault]:
    """What does not go together, except by rules about keys that have a mistake of their own."""
    for check in CHECKS:
        if check.keys.isdisjoint(mistaken):
            fault = check.find(config)
            if fault is not None:
                yield fault

"""What holds between keys, of whichever sections; asked once, when all layers are merged.

A check takes the configuration and returns None, or the key to change and how its sentence goes on.
"""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from chatd.config.errors import ConfigError
from chatd.config.sections import Config

Fault: TypeAlias = tuple[str, str]


def _internal_is_not_public(config: Config) -> Fault | None:
    place, server = config.server.internal, config.server
    if not place or place.startswith("/"):
        return None
    host, _, port = place.rpartition(":")
    if int(port) != server.port or server.port == 0 or not _overlap(host.strip("[]"), server.host):
        return None
    problem = (
        f"must be another place than the public port {server.port}; "
        "choose another port, or leave it out for a socket"
    )
    return "server.internal", problem


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


def _rooms_are_used(config: Config) -> Fault | None:
    if config.directory.source == "file" or not config.directory.connections:
        return None
    problem = 'is used with directory.source = "file" only; say so, or leave it out'
    return "directory.connections", problem


CHECKS: Final[tuple[Callable[[Config], Fault | None], ...]] = (
    _internal_is_not_public,
    _rooms_are_used,
)


def check_together(config: Config, origin: Mapping[str, str]) -> None:
    """Raise `ConfigError` for the first fault; `origin` says where the value of a key is from."""
    for check in CHECKS:
        fault = check(config)
        if fault is not None:
            key, problem = fault
            raise ConfigError(f"{origin[key]}: {key} {problem}.")

"""How two configurations differ, and the mix of both. Pure.

A running daemon can take over some keys (`is_reloaded`); the others wait for its next start.
"""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from chatd.config.sections import Config, keys_of, sections, tables

RELOADED_SECTIONS: Final = frozenset({"auth", "directory", "limits", "log"})
NOT_RELOADED_KEYS: Final = frozenset({"auth.max_token_bytes"})
"""Exceptions in the reloaded sections: this key bounds what is taken from peers without a token."""
RELOADED_KEYS: Final = frozenset(
    {"api.tokens", "audit.keep_days", "server.origins", "state.min_free_bytes"}
)


def is_reloaded(dotted: str) -> bool:
    """Whether a key is taken over while the daemon runs; for a table, its name is the key."""
    section = dotted.partition(".")[0]
    if dotted in NOT_RELOADED_KEYS:
        return False
    return section in RELOADED_SECTIONS or section in tables() or dotted in RELOADED_KEYS


def changed(before: Config, after: Config) -> tuple[str, ...]:
    """The keys whose values differ, in the order of the file; "databases.shop" for a room."""
    found = [
        f"{name}.{key}"
        for name, section in sections().items()
        for key in keys_of(section)
        if getattr(getattr(before, name), key) != getattr(getattr(after, name), key)
    ]
    for name in tables():
        old: Mapping[str, Any] = getattr(before, name)
        new: Mapping[str, Any] = getattr(after, name)
        rooms = dict.fromkeys((*old, *new))
        found += [f"{name}.{room}" for room in rooms if old.get(room) != new.get(room)]
    return tuple(found)


def reloaded(before: Config, after: Config) -> Config:
    """`before` with the keys of `after` that are taken over while the daemon runs."""
    values: dict[str, Any] = {name: getattr(after, name) for name in tables()}
    for name, section in sections().items():
        keys = [key for key in keys_of(section) if is_reloaded(f"{name}.{key}")]
        new = getattr(after, name)
        values[name] = attrs.evolve(
            getattr(before, name), **{key: getattr(new, key) for key in keys}
        )
    return attrs.evolve(before, **values)

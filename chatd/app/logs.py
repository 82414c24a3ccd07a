"""The store that the configuration names, and the side of its log that writes: SQLite, or
PostgreSQL, which nothing is imported of where it is not named."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from chatd.actors.log_keeper import LogKeeper
from chatd.actors.log_service import LogService
from chatd.actors.log_traces import LogTraces
from chatd.app.bus import place_of_bus
from chatd.app.errors import EXIT_CONFIG, StartFailedError
from chatd.chat.audit import AuditEntry
from chatd.config import Config, StateConfig
from chatd.observe.clock import Clock
from chatd.store import AuditQuery, Store, Verified, look_at_audit, open_store, verify_store
from chatd.store.knowledge import export_room, export_user
from chatd.store.opened_store import OpenedStore
from chatd.store.room_log import RoomLog
from chatd.store.traces import Traces

if TYPE_CHECKING:  # it needs psycopg, which nobody has who keeps the log in SQLite
    from chatd.postgres_store.life import Life
    from chatd.postgres_store.sessions import LogAddress

ONLY_FILES: Final = (
    "[state] url is set, so that the log is in PostgreSQL, and this command knows the files of "
    'SQLite alone; use {instead} (chatd docs operations, "Log in PostgreSQL").'
)
PSYCOPG_MISSING: Final = '[state] url needs psycopg; install it: pip install "chatd[postgres]".'


def open_store_at(directory: Path, config: Config, clock: Clock) -> OpenedStore:
    """Open the store, as the node of the configuration. Raises StartFailedError or StoreError."""
    state = config.state
    if not state.url:
        return open_store(directory, state.durability, clock)
    address = attrs.evolve(
        _address_of(state),
        node=config.cluster.node,
        bus=place_of_bus(config.bus.url),
        dead_after_s=config.cluster.dead_after_s,
    )
    from chatd.postgres_store.store import open_postgres_store

    return open_postgres_store(directory, address, clock)


def look_at_audit_of(directory: Path, state: StateConfig, query: AuditQuery) -> list[AuditEntry]:
    """The entries of the audit, whether a daemon runs or not. Raises StartFailedError or
    StoreError."""
    if keeps_files(state):
        return look_at_audit(directory, query)
    address = address_of(state)
    from chatd.postgres_store.audit import look_at_postgres_audit

    return look_at_postgres_audit(address, query)


def verify_at(directory: Path, state: StateConfig) -> Verified:
    """Check all of a log, whether a daemon runs or not. Raises StartFailedError or StoreError."""
    if keeps_files(state):
        return verify_store(directory)
    address = address_of(state)
    from chatd.postgres_store.verify import verify_postgres_log

    return verify_postgres_log(address)


def _address_of(state: StateConfig) -> "LogAddress":
    try:
        from chatd.postgres_store.sessions import LogAddress
    except ImportError:
        raise StartFailedError(PSYCOPG_MISSING, EXIT_CONFIG) from None
    return LogAddress(state.url, state.schema, state.durability == "fsync")


def log_of(
    store: OpenedStore,
    committed: Callable[[float], None] = lambda _took_s: None,
    synced: Callable[[float], None] = lambda _took_s: None,
) -> LogKeeper:
    """The side of the log that writes; `committed` and `synced` as for `LogService`."""
    if isinstance(store, Store):
        return LogService(store, committed, synced)
    from chatd.postgres_store.store import PostgresStore

    assert isinstance(store, PostgresStore)
    return store.start_log(committed)


def life_in(store: OpenedStore) -> "Life | None":
    """The life of this node among those that share the log; None where the log is in SQLite."""
    if isinstance(store, Store):
        return None
    from chatd.postgres_store.store import PostgresStore

    return store.life if isinstance(store, PostgresStore) else None


def traces_in(store: OpenedStore, log: LogKeeper) -> Traces:
    """What an erasure looks through."""
    if isinstance(store, Store):
        assert isinstance(log, LogService)
        return LogTraces(log, store.readers)
    from chatd.postgres_store.log import PostgresLog
    from chatd.postgres_store.traces import PostgresTraces

    assert isinstance(log, PostgresLog)
    return PostgresTraces(log)

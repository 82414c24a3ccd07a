"""The store that the configuration names, and the writing side of its log: SQLite or PostgreSQL.
Nothing for PostgreSQL is imported unless it is named."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from chatd.actors.ledger import Ledger
from chatd.actors.log_keeper import LogKeeper
from chatd.actors.log_service import LogService
from chatd.actors.log_traces import LogTraces
from chatd.actors.machine_ledger import MachineLedger
from chatd.actors.shared_ledger import SharedLedger
from chatd.app.bus import place_of_bus
from chatd.app.errors import EXIT_CONFIG, StartFailedError
from chatd.chat.audit import AuditEntry
from chatd.chat.message_machine import MessageMachine
from chatd.config import Config, StateConfig
from chatd.observe.clock import Clock
from chatd.store import AuditQuery, Store, Verified, look_at_audit, open_store, verify_store
from chatd.store.knowledge import export_room, export_user
from chatd.store.member_log import MemberLog
from chatd.store.opened_store import OpenedStore
from chatd.store.room_log import RoomLog
from chatd.store.traces import Traces

if TYPE_CHECKING:  # it needs psycopg, which may be missing if the log is in SQLite
    from chatd.postgres_store.life import Life
    from chatd.postgres_store.sessions import LogAddress

ONLY_FILES: Final = (
    "[state] url is set, so the log is in PostgreSQL, and this command knows only the files of "
    'SQLite; use {instead} (chatd docs operations, "Log in PostgreSQL").'
)
PSYCOPG_MISSING: Final = (
    '[state] url needs psycopg; in the sources of chatd: pip install ".[postgres]".'
)


def open_store_at(directory: Path, config: Config, clock: Clock) -> OpenedStore:
    """Open the store, as the node of the configuration. Raises StartFailedError or StoreError."""
    state = config.state
    if keeps_files(state):
        return open_store(directory, state.durability, clock)
    address = attrs.evolve(
        address_of(state),
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


def export_user_at(directory: Path, state: StateConfig, user_id: str, target: Path) -> int:
    """Write all that is known of a user to the new file `target`; returns the number of lines.
    Raises StartFailedError or StoreError."""
    if keeps_files(state):
        return export_user(directory, user_id, target)
    address = address_of(state)
    from chatd.postgres_store.knowledge import export_user_from_postgres

    return export_user_from_postgres(address, directory, user_id, target)


def export_room_at(directory: Path, state: StateConfig, connection_id: str, target: Path) -> int:
    """Write all that a room holds, as `export_user_at` does."""
    if keeps_files(state):
        return export_room(directory, connection_id, target)
    address = address_of(state)
    from chatd.postgres_store.knowledge import export_room_from_postgres

    return export_room_from_postgres(address, connection_id, target)


def require_sqlite(state: StateConfig, instead: str) -> None:
    """For a command that copies files: raise StartFailedError if the log is in PostgreSQL;
    `instead` says what to use there."""
    if not keeps_files(state):
        raise StartFailedError(ONLY_FILES.format(instead=instead), EXIT_CONFIG)


def why_threaded(state: StateConfig) -> str | None:
    """Why each connection with the log's database takes a thread; None if none does."""
    if keeps_files(state):
        return None
    from chatd.postgres_client import WHY_THREADED

    return WHY_THREADED


def keeps_files(state: StateConfig) -> bool:
    """Whether the log is in the state directory."""
    return not state.url


def address_of(state: StateConfig) -> "LogAddress":
    """Where a log in PostgreSQL is. Raises StartFailedError if psycopg is not installed."""
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
    """The writing side of the log; `committed` and `synced` are as for `LogService`."""
    if isinstance(store, Store):
        return LogService(store, committed, synced)
    from chatd.postgres_store.store import PostgresStore

    assert isinstance(store, PostgresStore)
    return store.start_log(committed)


def ledger_of(store: OpenedStore, machine: MessageMachine, log: LogKeeper) -> Ledger:
    """What carries out the machine's decisions: a log in SQLite is this node's alone."""
    if isinstance(store, Store):
        return MachineLedger(machine, log)
    from chatd.postgres_store.log import PostgresLog

    assert isinstance(log, PostgresLog)
    return SharedLedger(machine, log)


def members_of(store: OpenedStore) -> tuple[MemberLog, int]:
    """The members in a log that several nodes write, and the mark from which to follow them."""
    from chatd.postgres_store.store import PostgresStore

    assert isinstance(store, PostgresStore)
    return store.members, store.member_mark


def cluster_of(store: OpenedStore, log: LogKeeper) -> tuple[RoomLog, str]:
    """What the nodes that share a log commit, and what tells their bus from that of another
    cluster."""
    from chatd.postgres_store.log import PostgresLog
    from chatd.postgres_store.store import PostgresStore

    assert isinstance(store, PostgresStore)
    assert isinstance(log, PostgresLog)
    return store.read_rooms(log), store.cluster


def life_in(store: OpenedStore) -> "Life | None":
    """The life of this node among those that share the log; None if the log is in SQLite."""
    if isinstance(store, Store):
        return None
    from chatd.postgres_store.store import PostgresStore

    return store.life if isinstance(store, PostgresStore) else None


def traces_in(store: OpenedStore, log: LogKeeper) -> Traces:
    """The traces that an erasure looks through."""
    if isinstance(store, Store):
        assert isinstance(log, LogService)
        return LogTraces(log, store.readers)
    from chatd.postgres_store.log import PostgresLog
    from chatd.postgres_store.traces import PostgresTraces

    assert isinstance(log, PostgresLog)
    return PostgresTraces(log)

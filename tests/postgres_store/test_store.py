"""A store in PostgreSQL with its state directory: the lock, snapshots, what an actor reads again,
and what retention finds."""

from pathlib import Path

import attrs
import pytest

from chatd.chat.audit import AuditAction, AuditEnd, AuditEntry
from chatd.chat.records import AnswerOpened, Audited, OpenAnswer
from chatd.postgres_store import store as stores
from chatd.postgres_store.audit import look_at_postgres_audit
from chatd.postgres_store.errors import DatabaseUnfit, Unfit
from chatd.postgres_store.sessions import LogAddress
from chatd.postgres_store.store import PostgresStore, open_postgres_store
from chatd.store import AuditQuery, Snapshot, StoreClosed, StoreError, StoreLocked, open_store
from chatd.store.errors import StoreTooOld, StoreUnavailable
from chatd.store.retention import Keep, Surplus
from chatd.store.snapshots import MEMBERS
from tests.chat.commands import message_id
from tests.postgres import Postgres
from tests.postgres_store.logs import new_address, run_in
from tests.store.logs import NOW_MS, stored, stored_from

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def address(postgres: Postgres) -> LogAddress:
    return new_address(postgres)


def closed(store: PostgresStore) -> None:
    assert store.close()


def test_one_daemon_uses_a_state_directory_whatever_keeps_the_log(
    address: LogAddress, tmp_path: Path
) -> None:
    store = open_postgres_store(tmp_path / "state", address)
    with pytest.raises(StoreLocked):
        open_store(tmp_path / "state", "write")
    with pytest.raises(StoreLocked):
        open_postgres_store(tmp_path / "state", attrs.evolve(address, schema="other"))
    closed(store)
    closed(open_postgres_store(tmp_path / "state", address))


def test_a_start_that_fails_leaves_the_directory_to_the_next_one(
    address: LogAddress, tmp_path: Path
) -> None:
    away = LogAddress("postgresql://chat@127.0.0.1:1/app", "chatd")
    with pytest.raises(DatabaseUnfit):
        open_postgres_store(tmp_path / "state", away)
    closed(open_postgres_store(tmp_path / "state", address))


def test_a_snapshot_holds_who_was_there_and_not_what_the_log_has(
    address: LogAddress, tmp_path: Path
) -> None:
    store = open_postgres_store(tmp_path, address)
    parts = {"presence": {"users": ["ada"]}, MEMBERS: {"sales": {}}}
    store.write_snapshot(Snapshot(store.epoch, 7, NOW_MS, parts))
    closed(store)
    with pytest.raises(StoreClosed):
        store.write_snapshot(Snapshot(store.epoch, 7, NOW_MS, parts))
    store = open_postgres_store(tmp_path, address)
    assert store.snapshot is not None
    assert store.snapshot.parts == {"presence": {"users": ["ada"]}}
    store.renew_snapshot(Snapshot(store.epoch, 9, NOW_MS + 1, {}))
    assert len(list(tmp_path.glob("snapshot-*"))) == 1
    closed(store)
    elsewhere = open_postgres_store(tmp_path, attrs.evolve(address, schema="other"))
    assert elsewhere.snapshot is None
    closed(elsewhere)


async def test_an_actor_that_recovers_waits_for_a_database_that_comes_back(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_postgres_store(tmp_path, address)
    log = store.start_log()
    await log.commit(stored_from(1, 3))
    assert store.reread().rooms == {"sales": 3}
    monkeypatch.setattr(stores, "REREAD_AGAIN_S", 0.0)
    real, turns = stores.connect, [None, None]

    def connecting(to: LogAddress) -> object:
        if turns:
            turns.pop()
            return real(LogAddress("postgresql://chat@127.0.0.1:1/app", "chatd"))
        return real(to)

    monkeypatch.setattr(stores, "connect", connecting)
    assert store.reread().rooms == {"sales": 3}
    turns += [None] * 1_000
    with pytest.raises(StoreUnavailable):
        store.reread()
    await log.close(5)
    closed(store)


async def test_what_is_too_much_or_surely_too_old_is_surplus(
    address: LogAddress, tmp_path: Path
) -> None:
    store = open_postgres_store(tmp_path, address)
    with pytest.raises(StoreClosed):
        await store.surplus(Keep(None, 1), 10)
    log = store.start_log()
    times = [NOW_MS, NOW_MS + 1, 5, NOW_MS + 90, NOW_MS + 3]  # one of them by a clock never set
    await log.commit([stored(seq, timestamp_ms=ms) for seq, ms in enumerate(times, 1)])
    await log.commit(stored_from(1, 3, room="other"))
    assert await store.surplus(Keep(None, 2), 200) == [
        Surplus("sales", 4, 1),
        Surplus("other", 2, 1),
    ]
    assert await store.surplus(Keep(NOW_MS + 50, None, NOW_MS + 99), 200) == [
        Surplus("sales", 3, 1)
    ]
    young = Keep(NOW_MS + 50, None, NOW_MS + 99, young_from=2)
    assert await store.surplus(young, 200) == [Surplus("sales", 2, 1)]
    assert await store.surplus(Keep(None, 1), 1) == [Surplus("sales", 2, 1)]
    await log.close(5)
    with pytest.raises(StoreClosed):
        await store.surplus(Keep(None, 1), 10)
    closed(store)


async def test_the_audit_is_read_with_its_ends_and_what_is_open_and_narrowed(
    address: LogAddress, tmp_path: Path
) -> None:
    store = open_postgres_store(tmp_path, address)
    log = store.start_log()
    ask = AuditEntry(AuditAction.ASK, NOW_MS, "ann", "done", connection_id="sales", rows=1)
    export = AuditEntry(AuditAction.EXPORT, NOW_MS + 1, "bob", "begun", "::1", "demo", span="s")
    question = stored(1, content="SELECT 1", timestamp_ms=NOW_MS + 5)
    opened = OpenAnswer(
        question.message.message_id, message_id(9), "sales", "ann", None, NOW_MS + 5
    )
    end = AuditEnd("s", NOW_MS + 2, "done", 5, 6, 7)
    await log.commit([question, AnswerOpened(opened), *map(Audited, (ask, export, end))])
    read = look_at_postgres_audit(address, AuditQuery())
    ended = attrs.evolve(export, outcome="done", rows=5, size_bytes=6, elapsed_ms=7, span=None)
    is_open = AuditEntry(
        *(AuditAction.ASK, NOW_MS + 5, "ann", "open", None, "sales"),
        message_id=question.message.message_id,
        statement="SELECT 1",
    )
    assert read == [ask, ended, is_open]
    assert look_at_postgres_audit(address, AuditQuery("demo")) == [ended]
    assert look_at_postgres_audit(address, AuditQuery(None, "bob")) == [ended]
    assert look_at_postgres_audit(address, AuditQuery(None, None, NOW_MS + 1, NOW_MS + 2)) == [
        ended
    ]
    assert await log.remove_old_audit(NOW_MS + 1, 10) == 1
    assert look_at_postgres_audit(address, AuditQuery()) == [ended, is_open]
    await log.close(5)
    closed(store)


def test_an_audit_that_cannot_be_read_is_a_sentence(address: LogAddress, tmp_path: Path) -> None:
    away = LogAddress("postgresql://chat:hunter2@127.0.0.1:1/app", "chatd")
    for to, error, code in (
        (away, DatabaseUnfit, Unfit.UNREACHABLE),
        (LogAddress("sales", "chatd"), DatabaseUnfit, Unfit.URL_INVALID),
        (address, StoreUnavailable, None),
    ):
        caught: StoreError
        with pytest.raises(error) as raised:
            look_at_postgres_audit(to, AuditQuery())
        caught = raised.value
        assert getattr(caught, "code", None) is code
        assert "hunter2" not in str(caught)
    closed(open_postgres_store(tmp_path, address))
    run_in(address, "UPDATE chatd.meta SET version = 1")
    with pytest.raises(StoreTooOld, match="has version 1"):
        look_at_postgres_audit(address, AuditQuery())

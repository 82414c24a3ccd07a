"""Opening: new, again, locked, damaged, of another version. Real files, real processes."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from chatd.chat.commits import StoreClosed
from chatd.store import schema
from chatd.store.connections import Durability, connect_to_write
from chatd.store.errors import StoreDamaged, StoreLocked, StoreTooNew, StoreUnavailable
from chatd.store.log import Log
from chatd.store.log_file import LOG_NAME
from chatd.store.mark import MARK_NAME
from chatd.store.opening import open_store
from chatd.store.recovery import recover
from chatd.store.snapshots import Snapshot
from tests.store.logs import NOW_MS, ROOM, kept, last_page, member_parts, stored_from

HOLD_THE_DIRECTORY = """
import pathlib, sys
from chatd.store.opening import open_store
store = open_store(pathlib.Path(sys.argv[1]), "fsync")
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def filled(directory: Path) -> Path:
    """The path of a log with 500 messages, closed cleanly: one file, no WAL."""
    store = open_store(directory, "fsync")
    log = Log(lambda: connect_to_write(store.path, Durability.FSYNC))
    log.commit([stored_from(1, 500)])
    log.close()
    store.close()
    assert sorted(os.listdir(directory)) == ["lock", LOG_NAME, MARK_NAME]
    return store.path


def test_a_new_log_is_private_empty_and_has_an_epoch(directory: Path) -> None:
    store = open_store(directory / "below" / "it", "fsync")
    assert store.path.parent.stat().st_mode & 0o777 == 0o700
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert len(store.epoch) == 16
    assert int(store.epoch, 16) >= 0
    assert store.recovered.rooms == {}
    assert store.recovered.position == 0
    assert store.recovered.message_count == 0
    store.close()


def test_two_new_logs_have_two_epochs(tmp_path: Path) -> None:
    stores = [open_store(tmp_path / name, "fsync") for name in ("a", "b")]
    assert stores[0].epoch != stores[1].epoch
    for store in stores:
        store.close()


def test_a_log_that_was_never_finished_is_begun_anew(directory: Path) -> None:
    directory.mkdir()
    (directory / f"{LOG_NAME}.new").write_bytes(b"half a header")
    open_store(directory, "fsync").close()
    assert not (directory / f"{LOG_NAME}.new").exists()


@pytest.mark.parametrize("durability", ["fsync", "write"])
def test_durability_sets_how_the_file_is_synced(directory: Path, durability: str) -> None:
    store = open_store(directory, durability)
    connection = connect_to_write(store.path, Durability(durability))
    [(level,)] = connection.execute("PRAGMA synchronous")
    [(mode,)] = connection.execute("PRAGMA journal_mode")
    connection.close()
    store.close()
    assert (mode, level) == ("wal", {"fsync": 2, "write": 1}[durability])


def test_an_unknown_durability_touches_nothing(directory: Path) -> None:
    with pytest.raises(ValueError, match="perhaps"):
        open_store(directory, "perhaps")
    assert not directory.exists()


def test_another_process_holds_the_directory_until_it_is_killed(directory: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_DIRECTORY, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(StoreLocked, match=f"process {child.pid}"):
            open_store(directory, "fsync")
        child.kill()
    open_store(directory, "fsync").close()


def test_a_path_below_a_file_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "state"):
        with pytest.raises(StoreUnavailable, match="cannot be used"):
            open_store(path, "fsync")


def test_a_file_system_that_takes_no_files_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        open_store(Path("/proc/self"), "fsync")


def test_a_directory_in_the_place_of_the_log_is_told(directory: Path) -> None:
    (directory / LOG_NAME).mkdir(parents=True)
    with pytest.raises(StoreUnavailable):
        open_store(directory, "fsync")


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def zero_the_second_half(path: Path) -> None:
    size = path.stat().st_size
    os.truncate(path, size // 2)
    os.truncate(path, size)


def overwrite_the_tables(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\x5a" * (path.stat().st_size - 100))


def be_of_another_program(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipes (name)")
    connection.close()


def lose_the_log_but_not_its_wal(path: Path) -> None:
    path.unlink()
    path.with_name(f"{path.name}-wal").write_bytes(b"\x37\x7f\x06\x82" * 100)


DAMAGES: list[Callable[[Path], object]] = [
    lambda path: path.write_bytes(os.urandom(50_000)),
    lambda path: path.write_bytes(b"SQLite format 3\0"),
    lambda path: path.write_bytes(b""),
    lambda path: os.truncate(path, path.stat().st_size - 1),
    cut_in_half,
    zero_the_second_half,
    overwrite_the_tables,
    be_of_another_program,
    lose_the_log_but_not_its_wal,
]
DAMAGE_IDS = [
    "garbage",
    "a bare header",
    "empty",
    "one byte short",
    "cut in half",
    "zeroed",
    "overwritten",
    "of another program",
    "gone",
]


@pytest.mark.parametrize("damage", DAMAGES, ids=DAMAGE_IDS)
def test_a_damaged_log_is_told_and_left_as_it_is(
    filled: Path, damage: Callable[[Path], object]
) -> None:
    damage(filled)
    before = {path: path.read_bytes() for path in filled.parent.glob(f"{LOG_NAME}*")}
    with pytest.raises(StoreDamaged, match="Restore it from a backup") as caught:
        open_store(filled.parent, "fsync")
    assert caught.value.exit_code == 74
    for path, content in before.items():
        assert path.read_bytes() == content
    # The lock was given back: the next try says the same, not "in use".
    with pytest.raises(StoreDamaged):
        open_store(filled.parent, "fsync")


def test_a_log_of_a_newer_chatd_is_not_touched(filled: Path) -> None:
    connection = sqlite3.connect(filled)
    connection.execute(f"PRAGMA user_version = {schema.CURRENT_VERSION + 1}")
    connection.close()
    with pytest.raises(StoreTooNew, match="newer chatd"):
        open_store(filled.parent, "fsync")


def test_opening_reads_only_the_members_that_are_newer_than_the_snapshot(filled: Path) -> None:
    log = Log(lambda: connect_to_write(filled, Durability.WRITE))
    log.commit([[kept(f"user {n}") for n in range(2_000)]])
    log.close()
    store = open_store(filled.parent, "fsync")
    assert len(store.recovered.members[ROOM]) == 2_000
    position, members = store.recovered.position, member_parts(store.recovered)

    connection = connect_to_write(filled, Durability.WRITE)
    steps = [0]

    def count() -> int:
        steps[0] += 1
        return 0

    connection.set_progress_handler(count, 1)
    snapshot = Snapshot(store.epoch, position, NOW_MS, members)
    assert recover(connection, snapshot) == store.recovered
    of_none = steps[0]
    recover(connection)
    assert steps[0] > of_none + 10 * 2_000
    assert of_none < 200
    connection.close()
    store.close()


def test_an_older_log_is_brought_forward_by_the_steps_it_lacks(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = (*schema.MIGRATIONS, ("CREATE TABLE later (x)", "INSERT INTO later VALUES (1)"))
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    monkeypatch.setattr(schema, "CURRENT_VERSION", len(steps))
    for _ in range(2):
        store = open_store(filled.parent, "fsync")
        assert store.recovered.rooms == {ROOM: 500}
        store.close()
    connection = sqlite3.connect(filled)
    assert connection.execute("SELECT count(*) FROM later").fetchone() == (1,)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(steps),)
    connection.close()


def test_a_migration_that_fails_leaves_the_older_form(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = (*schema.MIGRATIONS, ("CREATE TABLE later (x)", "INSERT INTO nowhere VALUES (1)"))
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", steps)
        patch.setattr(schema, "CURRENT_VERSION", len(steps))
        with pytest.raises(StoreDamaged):
            open_store(filled.parent, "fsync")
    store = open_store(filled.parent, "fsync")
    assert store.recovered.rooms == {ROOM: 500}
    store.close()


async def test_a_closed_store_starts_no_writer(directory: Path) -> None:
    store = open_store(directory, "fsync")
    assert store.close()
    assert store.close()
    with pytest.raises(StoreClosed):
        store.start_writer(trio.lowlevel.current_trio_token())
    with pytest.raises(StoreClosed):
        await last_page(store.readers, ROOM, 1)


@pytest.mark.parametrize("with_snapshot", [False, True])
def test_opening_scans_no_table_of_messages(filled: Path, with_snapshot: bool) -> None:
    """The work of opening is the same for 500 messages as for many: bounded by virtual steps."""
    if with_snapshot:
        store = open_store(filled.parent, "fsync")
        store.write_snapshot(Snapshot(store.epoch, 500, NOW_MS, {"members": {}}))
        store.close()
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    def open_counted(path: Path, durability: Durability) -> sqlite3.Connection:
        connection = connect_to_write(path, durability)
        connection.set_progress_handler(count, 1)
        return connection

    def opening_steps() -> int:
        nonlocal steps
        steps = 0
        open_store(filled.parent, "fsync", connect_to_write=open_counted).close()
        return steps

    few = opening_steps()
    log = Log(lambda: connect_to_write(filled, Durability.WRITE))
    log.commit([stored_from(501, 10_000)])
    log.close()
    many = opening_steps()
    assert few > 100
    assert many < few * 1.5

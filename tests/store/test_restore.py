"""Restoring: the backup's log under a new name, and what was there before is still there."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from chatd.store import restore, schema
from chatd.store.backup import back_up_store
from chatd.store.errors import (
    BackupDamaged,
    BackupFailed,
    StoreError,
    StoreLocked,
    StoreTooNew,
    StoreUnavailable,
)
from chatd.store.log_file import LOG_NAME
from chatd.store.opening import open_store
from chatd.store.recovery import recover
from chatd.store.restore import restore_store
from chatd.store.verify import verify_store
from tests.store.full_store import fill, write_snapshot_of, write_to
from tests.store.logs import NOW_MS, ROOM, stored, stored_from
from tests.store.test_migration import EPOCH, write_version_1

REPLACED = "replaced-20231114T221320.000Z"  # NOW_MS


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a full store."""
    place = tmp_path_factory.mktemp("taken")
    fill(place / "state")
    back_up_store(place / "state", place / "backup")
    return place / "backup"


@pytest.fixture
def backup(taken: Path, tmp_path: Path) -> Path:
    """A backup of a full store that may be damaged."""
    return shutil.copy(taken, tmp_path / "backup")


def later(directory: Path) -> dict[str, bytes]:
    """A state directory that went on in another way, and the files that are to be put aside."""
    store = open_store(directory, "fsync")
    write_to(store, list(stored_from(1, 4, room="later")))
    write_snapshot_of(store)
    store.close()
    (directory / "jwt-secret").write_text("precious")
    (directory / f"{LOG_NAME}-wal").write_bytes(b"the end of the old log")
    return {
        path.name: path.read_bytes()
        for path in directory.iterdir()
        if path.name.startswith(("log", "snapshot"))
    }


def test_a_restored_log_is_that_of_the_backup_under_another_name(
    directory: Path, backup: Path
) -> None:
    done = restore_store(directory, backup, NOW_MS)
    assert done.replaced is None
    assert sorted(os.listdir(directory)) == ["lock", LOG_NAME]
    assert (directory / LOG_NAME).stat().st_mode & 0o777 == 0o600
    connection = sqlite3.connect(backup)
    [(epoch, position)] = connection.execute("SELECT epoch, position FROM meta")
    connection.close()
    store = open_store(directory, "fsync")
    assert store.recovered == done.recovered
    assert store.recovered.rooms == {ROOM: 9, "other": 2_500}
    assert store.recovered.position == position
    assert store.epoch != epoch
    assert len(store.epoch) == 16
    write_to(store, [stored(10)])
    assert store.reread().position == position + 1
    store.close()
    assert verify_store(directory).is_sound


def test_two_restores_give_two_epochs(tmp_path: Path, backup: Path) -> None:
    epochs = set()
    for name in ("one", "two"):
        restore_store(tmp_path / name, backup, NOW_MS)
        store = open_store(tmp_path / name, "fsync")
        epochs.add(store.epoch)
        store.close()
    assert len(epochs) == 2


def test_what_was_there_is_moved_aside_and_never_removed(directory: Path, backup: Path) -> None:
    old = later(directory)
    content = backup.read_bytes()
    done = restore_store(directory, backup, NOW_MS)
    assert done.replaced == directory / REPLACED
    assert {path.name: path.read_bytes() for path in done.replaced.iterdir()} == old
    assert len(old) == 4
    assert sorted(os.listdir(directory)) == ["jwt-secret", "lock", LOG_NAME, REPLACED]
    assert backup.read_bytes() == content
    store = open_store(directory, "fsync")
    assert store.recovered == done.recovered
    assert store.snapshot is None
    assert store.passed_over == ()
    store.close()
    # And once more: nothing of the first time is touched.
    again = restore_store(directory, backup, NOW_MS + 1)
    assert again.replaced == directory / "replaced-20231114T221320.001Z"
    assert {path.name: path.read_bytes() for path in done.replaced.iterdir()} == old


def test_a_damaged_log_can_be_replaced(directory: Path, backup: Path) -> None:
    later(directory)
    (directory / LOG_NAME).write_bytes(b"no log at all")
    assert restore_store(directory, backup, NOW_MS).recovered.rooms == {ROOM: 9, "other": 2_500}
    open_store(directory, "fsync").close()


def test_the_log_itself_can_be_the_backup(directory: Path) -> None:
    fill(directory)
    done = restore_store(directory, directory / LOG_NAME, NOW_MS)
    assert done.recovered.rooms == {ROOM: 9, "other": 2_500}


def test_nothing_is_restored_under_a_daemon(directory: Path, backup: Path) -> None:
    store = open_store(directory, "fsync")
    with pytest.raises(StoreLocked, match=f"process {os.getpid()}"):
        restore_store(directory, backup, NOW_MS)
    store.close()
    restore_store(directory, backup, NOW_MS)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "lock"}


def refused(directory: Path, backup: Path, error: type[StoreError], what: str) -> StoreError:
    """What is told of a backup that is not taken; the directory stays as it was."""
    before = contents(directory)
    with pytest.raises(error, match=what) as caught:
        restore_store(directory, backup, NOW_MS)
    assert contents(directory) == before
    return caught.value


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DELETE FROM messages WHERE room_id = 2 AND seq = 50", "seq 51 follows on 49"),
        ("UPDATE members SET gaps = 'none'", "queue of user"),
        ("UPDATE meta SET position = 3", "reach"),
    ],
)
def test_a_backup_that_is_not_sound_is_refused(
    directory: Path, backup: Path, statement: str, what: str
) -> None:
    later(directory)
    connection = sqlite3.connect(backup, isolation_level=None)
    connection.execute(statement)
    connection.close()
    assert refused(directory, backup, BackupDamaged, what).exit_code == 74


def test_a_backup_that_is_not_whole_is_refused(directory: Path, backup: Path) -> None:
    later(directory)
    whole = backup.read_bytes()
    half = len(whole) // 8_192 * 4_096
    for content in (
        b"",
        b"no log",
        whole[:half],
        whole[:-1],
        whole[:half] + bytes(len(whole) - half),
    ):
        backup.write_bytes(content)
        assert str(backup) in str(refused(directory, backup, BackupDamaged, "Nothing was changed"))
    backup.unlink()
    assert refused(directory, backup, BackupFailed, "no backup at").exit_code == 1
    refused(directory, directory, BackupFailed, "no backup at")


def test_a_backup_of_a_newer_chatd_is_refused(directory: Path, backup: Path) -> None:
    later(directory)
    connection = sqlite3.connect(backup)
    connection.execute(f"PRAGMA user_version = {schema.CURRENT_VERSION + 1}")
    connection.close()
    refused(directory, backup, StoreTooNew, "newer chatd")


def test_a_backup_of_an_older_chatd_is_brought_forward(directory: Path, tmp_path: Path) -> None:
    write_version_1(tmp_path / "older", 30)
    back_up_store(tmp_path / "older", tmp_path / "backup")
    restore_store(directory, tmp_path / "backup", NOW_MS)
    store = open_store(directory, "fsync")
    assert store.recovered.rooms == {"sales": 30, "quiet": 0}
    assert store.epoch != EPOCH
    store.close()
    assert verify_store(directory).is_sound


def test_a_disk_that_takes_no_log_leaves_what_there_is(
    directory: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(directory)

    def fail(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("chatd.store.restore.sync_file", fail)
    refused(directory, backup, StoreUnavailable, "No space left on device")
    monkeypatch.setattr("chatd.store.backup.sync_file", fail)
    refused(directory, backup, BackupFailed, "was not copied: No space left on device")


@pytest.mark.parametrize("cut_off", ["before the old log was moved", "after it"])
def test_a_restore_that_was_cut_off_is_told_of_and_finished_by_a_start(
    directory: Path, backup: Path, monkeypatch: pytest.MonkeyPatch, cut_off: str
) -> None:
    later(directory)
    target = backup.with_name("of the old one")
    if cut_off == "after it":
        monkeypatch.setattr("chatd.store.replacement.sync_directory", interrupted)
    else:
        monkeypatch.setattr("chatd.store.replacement._put_aside", interrupted)
    with pytest.raises(StopError):
        restore_store(directory, backup, NOW_MS)
    monkeypatch.undo()
    assert (directory / LOG_NAME).exists() == (cut_off != "after it")
    with pytest.raises(StoreUnavailable, match="was cut off"):
        verify_store(directory)
    with pytest.raises(StoreUnavailable, match="was cut off"):
        back_up_store(directory, target)
    store = open_store(directory, "fsync")
    assert store.recovered.rooms == {ROOM: 9, "other": 2_500}
    assert store.close()
    assert verify_store(directory).is_sound
    assert (directory / REPLACED / LOG_NAME).exists()


class StopError(BaseException):
    """As Ctrl-C."""


def interrupted(*_: object) -> None:
    raise StopError


def as_root(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """To whom the files are given, by their names."""
    given: dict[str, tuple[int, int]] = {}

    def fchown(descriptor: int, user: int, group: int) -> None:
        given[Path(os.readlink(f"/proc/self/fd/{descriptor}")).name] = (user, group)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", fchown)
    return given


def test_what_root_restores_belongs_to_the_owner_of_the_directory(
    directory: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(directory)
    given = as_root(monkeypatch)
    restore_store(directory, backup, NOW_MS)
    owner = directory.stat()
    assert given == dict.fromkeys(
        (f"{LOG_NAME}.restoring", "lock", REPLACED), (owner.st_uid, owner.st_gid)
    )


def test_a_link_that_the_owner_puts_in_place_of_what_root_restores_gives_nothing_else_away(
    directory: Path, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precious = tmp_path / "precious"
    precious.touch()
    given = as_root(monkeypatch)

    def recover_and_lose(connection: sqlite3.Connection) -> object:
        recovered = recover(connection)
        unfinished = directory / f"{LOG_NAME}.restoring"
        unfinished.unlink()
        unfinished.symlink_to(precious)
        return recovered

    monkeypatch.setattr(restore, "recover", recover_and_lose)
    with pytest.raises(StoreUnavailable, match=r"log\.sqlite3\.restoring cannot be used"):
        restore_store(directory, backup, NOW_MS)
    assert given == {}
    assert precious.exists()
